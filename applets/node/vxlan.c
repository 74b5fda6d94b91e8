/* vxlan: flannel's VXLAN way as an agent of this node; everything is in lib/agent. */
#include "agent/flags.h"
#include "describe/applet.h"

static int vxlan_run(struct invocation *call, void *flags, struct error *err)
{
	struct agent_options options = agent_flags_options(flags, "vxlan");

	return agent_flags_run(flags, &options, call->out, err);
}

static const struct field fields[] = { AGENT_FLAGS, FIELDS_END };

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct agent_flags),
	.defaults = &agent_flags_defaults,
	.needs = NEEDS_NET_ADMIN,
	.run = vxlan_run,
};

const struct applet applet_vxlan = {
	.summary = "reach the pods of other nodes over VXLAN, as flannel does",
	.about =
		"Takes a subnet of the network for this node and keeps it, makes flannel.1 (or adopts the one that"
		" flanneld left, with its MAC), and keeps a neighbour, a forwarding entry and a route for each other"
		" node's lease: what somebody deletes is put back within moments, what a peer no longer needs goes."
		" Peers whose lease says host-gw are reached by a route beside those over VXLAN.\n"
		"\n"
		"The network is described by the file `config` in the store, as for flannel."
		" On SIGTERM the data plane stays, and the next start takes it over.",
	.example =
		"mkdir -p /var/lib/cnibox/network && cd /var/lib/cnibox/network\n"
		"echo '{ \"Network\": \"10.5.0.0/16\", \"Backend\": { \"Type\": \"vxlan\" } }' >config\n"
		"cnibox vxlan --iface eth0",
	.run = &run,
};
