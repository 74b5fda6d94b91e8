/* The table of ways. */
#include "agent/way.h"

#include <errno.h>
#include <stdio.h>

static const struct way *const ways[] = { &way_vxlan, &way_host_gw, &way_udp };

int way_find(const char *name, const struct way **way, struct error *err)
{
	char names[64] = "";
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		*way = ways[i];
		if (streq(ways[i]->name, name))
			return 0;
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
					i == 0                     ? ""
					: i + 1 < ARRAY_SIZE(ways) ? ", "
								   : " and ",
					ways[i]->name);
	}
	return fail(err, EINVAL, "backend \"%s\" is not served here; %s are", name, names);
}
