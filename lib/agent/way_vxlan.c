/* VXLAN: a device in each family, whose number and MAC peers know (flannel.md, section 4.1). */
#include <errno.h>
#include <stdio.h>

#include "agent/agent_internal.h"
#include "agent/vtep.h"
#include "kernel/offload.h"

/* The kernel refuses one that does not fit the interface below, whatever the network's configuration says. */
static int mtu_of(const struct agent *agent, bool v6)
{
	int fits = agent->external.mtu - (v6 ? way_vxlan.overhead6 : way_vxlan.overhead),
	    wanted = agent_mtu(agent, v6);

	return wanted < fits ? wanted : fits;
}

/*
 * Where an address is rewritten on the way, a checksum that a network card fills in afterwards is a wrong one: connections then
 * stall for a minute (flannel#1279, #2152).
 */
static bool leaves_checksums(const struct agent *agent, bool v6)
{
	const struct external *external = &agent->external;

	return !agent->options->tx_checksum || (v6 ? external->translated6 : external->translated);
}

static int ensure_vtep(struct agent *agent, bool v6, struct error *err)
{
	const struct network_backend *backend = &agent->config.backend;
	struct link *link = v6 ? &agent->vtep6 : &agent->vtep;
	struct mac *mac = v6 ? &agent->mac6 : &agent->mac;
	char name[16];
	struct vtep_spec spec = {
		.name = name,
		.vxlan = vtep_shape(backend, agent->external.index,
				    v6 ? &agent->external.ip6 : &agent->external.ip),
		.mtu = mtu_of(agent, v6),
		.mac = *mac,
		.address = agent_device_address(agent, v6),
		.network = v6 ? agent->config.v6.network : agent->config.v4.network,
	};
	bool changed;

	snprintf(name, sizeof(name), "flannel%s.%d", v6 ? "-v6" : "", backend->vni);
	if (vtep_ensure(agent->nl, &spec, link, &changed, err))
		return -err->errnum;
	*mac = link->mac;
	return leaves_checksums(agent, v6) ? offload_no_checksums(name, err) : 0;
}

static int ensure_devices(struct agent *agent, struct error *err)
{
	if (agent->config.v4.enabled && ensure_vtep(agent, false, err))
		return -err->errnum;
	return agent->config.v6.enabled ? ensure_vtep(agent, true, err) : 0;
}

static struct subnet_vtep vtep_of(const struct agent *agent, const struct link *link)
{
	return (struct subnet_vtep){
		.set = link->index != 0,
		.vni = (uint32_t)agent->config.backend.vni,
		.mac = link->mac,
	};
}

static void lease_data(const struct agent *agent, struct subnet_lease *own)
{
	own->vtep = vtep_of(agent, &agent->vtep);
	own->vtep6 = vtep_of(agent, &agent->vtep6);
}

const struct way way_vxlan = {
	.name = "vxlan",
	.lease_type = "vxlan",
	.overhead = 50,
	.overhead6 = 70,
	.ensure_devices = ensure_devices,
	.lease_data = lease_data,
};
