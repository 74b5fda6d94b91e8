/* The interface of a binding: looked at, set up and down, its address taken away with a lease that is lost, and put back
 * with it. Inside lib/dhcp. */
#ifndef DHCP_BINDING_LINK_H
#define DHCP_BINDING_LINK_H

#include "dhcp/binding.h"

/* A netlink session in the container. */
int binding_session(const struct binding *binding, struct netlink **nl,
		    struct error *err) must_check;
int binding_set_link(struct binding *binding, bool up, struct error *err) must_check;
/* A chained plugin (tuning) may have given the interface another hardware address since. */
void binding_refresh_mac(struct binding *binding);
enum link_is { LINK_IS_UP, LINK_IS_DOWN, LINK_IS_GONE };
enum link_is binding_link_state(const struct binding *binding);
/* The address belongs to somebody else from now on. The interface goes down, as the reference does it; the address is
 * removed as well, since whoever sets the interface up again would use it. */
void binding_take_down(struct binding *binding);
void binding_bring_back(struct binding *binding);

#endif
