/* DHCP options (RFC 2132, 3442): their numbers, their names in a configuration, and what a client sends of them. */
#ifndef DHCP_OPTION_H
#define DHCP_OPTION_H

#include "base/error.h"
#include "describe/field.h"

/* clang-format off */
enum dhcp_code {
	DHCP_PAD              = 0,
	DHCP_SUBNET_MASK      = 1,
	DHCP_ROUTERS          = 3,
	DHCP_NAME_SERVERS     = 6,
	DHCP_HOST_NAME        = 12,
	DHCP_DOMAIN_NAME      = 15,
	DHCP_STATIC_ROUTES    = 33,
	DHCP_REQUESTED_IP     = 50,
	DHCP_LEASE_TIME       = 51,
	DHCP_OVERLOAD         = 52,
	DHCP_MESSAGE_TYPE     = 53,
	DHCP_SERVER_ID        = 54,
	DHCP_PARAMETERS       = 55,
	DHCP_MESSAGE_TEXT     = 56,
	DHCP_MAX_SIZE         = 57,
	DHCP_T1               = 58,
	DHCP_T2               = 59,
	DHCP_VENDOR_CLASS     = 60,
	DHCP_CLIENT_ID        = 61,
	DHCP_USER_CLASS       = 77,
	DHCP_CLASSLESS_ROUTES = 121,
	DHCP_END              = 255,
};
/* clang-format on */

enum { DHCP_VALUE_MAX = 255 };

/* An option with its value: text, which is what a configuration can hold. */
struct dhcp_option {
	int code; /* 1 to 254 */
	const char *value;
};

/* What a client sends with every DISCOVER and REQUEST. */
struct dhcp_options {
	const char *client_id; /* the bytes behind the type byte, which is 0 */
	LIST(struct dhcp_option) provide;
	LIST(int) request; /* the parameter request list */
};

extern const struct field dhcp_option_fields[];

/* A name that the reference knows, or a number from 1 to 254. -EINVAL: its texts. */
int dhcp_option_parse(const char *word, int *code, struct error *err) must_check;
/* `<container>/<network>/<ifname>`, cut at 254 bytes. */
const char *dhcp_client_id(const char *container, const char *network, const char *ifname,
			   struct arena *arena);

#endif
