/* host-gw: routes on a link that nodes share, and no device of ours (flannel.md, section 4.2). */
#include <errno.h>

#include "agent/agent_internal.h"

/* Its peers make it the gateway: that is nobody who answers on the link where the node has no such address (NAT). What
 * Kubernetes says of the node in place of what was found is somebody's wish, as for flannel. */
static int check_address(struct agent *agent, struct error *err)
{
	const struct external *external = &agent->external;
	bool v4 = external->translated && !agent->told.family,
	     v6 = external->translated6 && !agent->told6.family;
	char ip[IP_TEXT_SIZE];

	if (agent->options->observe || (!v4 && !v6))
		return 0;
	return fail(err, EADDRNOTAVAIL,
		    "host-gw does not work behind NAT: no interface has the public address %s",
		    ip_format(v4 ? &external->public_ip : &external->public_ip6, ip));
}

const struct way way_host_gw = {
	.name = "host-gw",
	.lease_type = "host-gw",
	.ensure_devices = check_address,
};
