/* What an agent that starts now would want its devices to be, from the store alone. */
#include "agent/device.h"
#include "agent/way.h"

static int mtu_of(const struct plan_node *node, bool tun, bool v6, int below)
{
	const struct way *way = tun ? &way_udp : &way_vxlan;
	int overhead = v6 ? way->overhead6 : way->overhead;
	int wanted = way_mtu(way, node->config, below, v6);

	return tun || wanted < below - overhead ? wanted : below - overhead;
}

bool device_wanted(const struct plan_node *node, int device, bool v6, int below,
		   struct device_spec *spec)
{
	const struct network_family *family = v6 ? &node->config->v6 : &node->config->v4;
	const struct cidr *subnet = v6 ? &node->own->subnet6 : &node->own->subnet;
	const struct subnet_vtep *vtep = v6 ? &node->own->vtep6 : &node->own->vtep;
	bool tun = device == node->tun;

	if (!device || !family->enabled || !below)
		return false;
	*spec = (struct device_spec){
		.mtu = mtu_of(node, tun, tun ? node->config->v6.enabled : v6, below),
		.network = family->network,
	};
	if (subnet->ip.family)
		spec->address = cidr_host(&subnet->ip);
	if (!tun && vtep->set)
		spec->mac = vtep->mac;
	return true;
}
