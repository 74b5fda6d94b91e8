/* Looking through the result cache for whoever has less in hand than a runtime. */
#include "cni/remembered.h"

#include "base/text.h"
#include "kernel/netns.h"

#include <errno.h>

const char *remembered_default_id(const char *netns, struct arena *arena)
{
	char hex[21];

	sha512_hex(hex, 20, netns, NULL);
	return arena_printf(arena, "cnitool-%s", hex);
}

bool remembered_has(const struct chain *chain, const char *network)
{
	const struct owner owner = { network, chain->container, chain->ifname };
	auto_cached struct cached cached = { 0 };

	return cache_read(chain->cache_folder, &owner, chain->arena, &cached, NULL) != -ENOENT;
}

const char *remembered_by_netns(const struct chain *chain, const char *network)
{
	auto_cached_list cached_list_t list = { 0 };
	const char *found = NULL;

	if (cache_list(chain->cache_folder, false, chain->arena, &list, NULL) < 0)
		return NULL;
	list_each(cached, &list) {
		if (!cached->netns || !streq(cached->netns, chain->netns) ||
		    !streq(cached->network, network) || !streq(cached->ifname, chain->ifname))
			continue;
		if (found)
			return NULL;
		found = cached->container;
	}
	return found;
}

int remembered_alive(const struct chain *chain, const char *network, owners_t *alive,
		     struct error *err)
{
	auto_cached_list cached_list_t list = { 0 };
	int r = cache_list(chain->cache_folder, true, chain->arena, &list, err);

	if (r < 0)
		return r;
	list_each(cached, &list) {
		auto_close int fd = -1;

		if (!streq(cached->network, network) ||
		    (cached->netns && netns_open(cached->netns, &fd, NULL) < 0))
			continue;
		*list_add(chain->arena, alive) = (struct owner){
			.container = cached->container,
			.ifname = cached->ifname,
		};
	}
	return 0;
}
