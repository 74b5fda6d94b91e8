/* Messages of the state machine; inside lib/dhcp. */
#ifndef DHCP_CLIENT_WRITE_H
#define DHCP_CLIENT_WRITE_H

#include "dhcp/client.h"

/* What the state sends: DISCOVER or REQUEST; and RELEASE. False: it does not fit, out->err says so. */
bool client_write_request(const struct dhcp_client *client, int64_t now, struct dhcp_output *out);
bool client_write_release(const struct dhcp_client *client, int64_t now, struct dhcp_output *out);

#endif
