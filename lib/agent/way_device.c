/* What the device of this node's way is to be like: its MTU, and its address. */
#include "agent/agent_internal.h"
#include "agent/way.h"

int way_mtu(const struct way *way, const struct network_config *config, int below, bool v6)
{
	return (config->backend.mtu ? config->backend.mtu : below) -
	       (v6 ? way->overhead6 : way->overhead);
}

int agent_mtu(const struct agent *agent, bool v6)
{
	return way_mtu(agent->way, &agent->config, agent->external.mtu, v6);
}

struct cidr agent_device_address(const struct agent *agent, bool v6)
{
	const struct cidr *subnet = v6 ? &agent->own.subnet6 : &agent->own.subnet;

	return agent->have_own && subnet->ip.family ? cidr_host(&subnet->ip) : (struct cidr){ 0 };
}
