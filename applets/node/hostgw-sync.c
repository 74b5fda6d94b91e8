/* hostgw-sync: flannel's host-gw way as an agent of this node; everything is in lib/agent. */
#include "agent/flags.h"
#include "describe/applet.h"

static int hostgw_run(struct invocation *call, void *flags, struct error *err)
{
	struct agent_options options = agent_flags_options(flags, "host-gw");

	return agent_flags_run(flags, &options, call->out, err);
}

static const struct field fields[] = { AGENT_FLAGS, FIELDS_END };

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct agent_flags),
	.defaults = &agent_flags_defaults,
	.needs = NEEDS_NET_ADMIN,
	.run = hostgw_run,
};

const struct applet applet_hostgw_sync = {
	.summary = "reach other nodes' pods by routes, as flannel's host-gw",
	.about =
		"Takes a subnet of the network for this node and keeps it, and keeps a route for each other node's"
		" lease through that node's address. Only peers on a network that both nodes are in can be reached"
		" so; others are named. Routes of ours carry protocol 118: nothing else is ever removed.\n"
		"\n"
		"The network is described by the file `config` in the store, as for flannel."
		" On SIGTERM the routes stay, and the next start takes them over.",
	.example =
		"mkdir -p /var/lib/cnibox/network && cd /var/lib/cnibox/network\n"
		"echo '{ \"Network\": \"10.5.0.0/16\", \"Backend\": { \"Type\": \"host-gw\" } }' >config\n"
		"cnibox hostgw-sync --iface eth0",
	.run = &run,
};
