/* Names of DHCP options, as dhcp-options(5) has them and the reference knows. */
#include "dhcp/option.h"

#include <errno.h>

enum { CLIENT_ID_MAX = 254 };

/* clang-format off */
static const struct {
	const char *name;
	enum dhcp_code code;
} names[] = {
	{ "dhcp-client-identifier",  DHCP_CLIENT_ID },
	{ "subnet-mask",             DHCP_SUBNET_MASK },
	{ "routers",                 DHCP_ROUTERS },
	{ "host-name",               DHCP_HOST_NAME },
	{ "user-class",              DHCP_USER_CLASS },
	{ "vendor-class-identifier", DHCP_VENDOR_CLASS },
};

#define OPTION(member) offsetof(struct dhcp_option, member)
const struct field dhcp_option_fields[] = {
	{ "code",  FIELD_INT,    OPTION(code), .min = 1, .max = 254, .help = "number of the option" },
	{ "value", FIELD_STRING, OPTION(value), .flags = FIELD_KEEP_EMPTY, .help = "its value" },
	FIELDS_END
};
/* clang-format on */

int dhcp_option_parse(const char *word, int *code, struct error *err)
{
	char *end;
	unsigned long number;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(names[i].name, word)) {
			*code = names[i].code;
			return 0;
		}
	number = strtoul(word, &end, 10);
	if (*word < '0' || *word > '9' || *end || number == DHCP_PAD || number >= DHCP_END)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "Can not parse option \"%s\": neither a name known here nor a "
				 "number from 1 to 254",
				 word);
	*code = (int)number;
	return 0;
}

const char *dhcp_client_id(const char *container, const char *network, const char *ifname,
			   struct arena *arena)
{
	char *id = arena_printf(arena, "%s/%s/%s", container, network, ifname);

	if (strlen(id) > CLIENT_ID_MAX)
		id[CLIENT_ID_MAX] = '\0';
	return id;
}
