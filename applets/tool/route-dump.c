/*
 * route-dump: the kernel's routes of any namespace, as `ip route` and `ip -j route` print them, on nodes that have no ip
 * program; all tables and families unless asked for less.
 */
#include "route-dump/dump.h"

#include <errno.h>

#include "base/file.h"
#include "kernel/netns.h"

static const struct options defaults = { .place = LEASE_PLACE_DEFAULTS,
					 .subnet_file = "/run/flannel/subnet.env",
					 .forward = true };

#define OPTION(member) offsetof(struct options, member)

static const struct field fields[] = {
	{ "netns", FIELD_NETNS, OPTION(netns), FIELD_POSITIONAL,
	  .help = "namespace: name, path, pid or container id; unset: this one" },
	{ "ipv4", FIELD_BOOL, OPTION(v4), .letter = '4', .help = "IPv4 only" },
	{ "ipv6", FIELD_BOOL, OPTION(v6), .letter = '6', .help = "IPv6 only" },
	{ "table", FIELD_STRING, OPTION(table), .metavar = "main|local|default|N",
	  .help = "unset: all" },
	{ "protocol", FIELD_STRING, OPTION(protocol),
	  .metavar = "kernel|boot|static|dhcp|bird|...|N", .help = "who made them" },
	{ "dev", FIELD_STRING, OPTION(dev), .metavar = "IFNAME", .noun = NOUN_INTERFACE,
	  .help = "through this interface" },
	{ "peers", FIELD_BOOL, OPTION(peers),
	  .help = "how each node of the network is reached, held against its lease" },
	{ "verbose", FIELD_BOOL, OPTION(verbose), .letter = 'v',
	  .help = "with --peers: what is expected and what is there, and the relay's packets" },
	{ "diff", FIELD_BOOL, OPTION(diff),
	  .help = "what an agent would add (+) and remove (-) now; status 3 when there is anything" },
	LEASE_PLACE_FIELDS(OPTION(place)), /* for --peers and --diff */
	{ "subnetFile", FIELD_PATH, OPTION(subnet_file), .env = "FLANNELD_SUBNET_FILE",
	  .help = "the agent's, for --diff: it says whether the agent masquerades" },
	{ "ipMasq", FIELD_BOOL, OPTION(ip_masq), .env = "FLANNELD_IP_MASQ",
	  .help = "with --diff: the agent masquerades, whatever that file says" },
	{ "iptablesForwardRules", FIELD_BOOL, OPTION(forward),
	  .env = "FLANNELD_IPTABLES_FORWARD_RULES",
	  .help = "with --diff: the agent has forward rules" },
	{ "json", FIELD_BOOL, OPTION(json), .letter = 'j', .help = "JSON instead of text" },
	FIELDS_END
};

/* ---- which routes ---- */

struct selection {
	int family, oif;
	uint32_t protocol; /* 0 = any */
};

static int open_session(struct dump *dump, const struct options *options, struct error *err)
{
	char *path;

	if (options->netns && (netns_resolve(options->netns, dump->call->arena, &path, err) ||
			       netns_open(path, &dump->netns, err)))
		return -err->errnum;
	if (netlink_open(&dump->nl, NETLINK_SESSION_ROUTE, dump->netns, err))
		return -err->errnum;
	return link_list(dump->nl, NULL, 0, dump->call->arena, &dump->links, err);
}

static int select_dev(const struct dump *dump, const char *name, struct selection *selection,
		      struct error *err)
{
	list_each(link, &dump->links)
		if (streq(link->name, name))
			selection->oif = link->index;
	return selection->oif ? 0 : fail(err, ENODEV, "there is no interface \"%s\"", name);
}

static int select_routes(struct dump *dump, const struct options *options,
			 struct selection *selection, struct error *err)
{
	if (options->v4 != options->v6)
		selection->family = options->v4 ? ROUTE_IPV4 : ROUTE_IPV6;
	if (options->table && !streq(options->table, "all") &&
	    dump_table(options->table, &dump->table, err))
		return -err->errnum;
	if (options->protocol && dump_protocol(options->protocol, &selection->protocol, err))
		return -err->errnum;
	return options->dev ? select_dev(dump, options->dev, selection, err) : 0;
}

static void dump_end(struct dump *dump)
{
	netlink_close(dump->nl);
	close_fd(&dump->netns);
}

static int route_dump_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct dump dump on_leave(dump_end) = { .call = call, .netns = -1 };
	struct selection selection = { 0 };
	routes_t all = { 0 }, chosen = { 0 };

	if (options->diff && options->peers)
		return fail(err, USAGE_ERROR, "either --peers or --diff");
	if (options->verbose && !options->peers)
		return fail(err, USAGE_ERROR, "--verbose goes with --peers");
	if (open_session(&dump, options, err))
		return -err->errnum;
	if (options->diff)
		return dump_diff(&dump, options, err);
	if (options->peers)
		return dump_peers(&dump, options, err);
	if (select_routes(&dump, options, &selection, err) ||
	    route_list(dump.nl, selection.family, selection.oif, dump.table, call->arena, &all,
		       err))
		return -err->errnum;
	list_each(route, &all)
		if (!selection.protocol || route->protocol == selection.protocol)
			*list_add(call->arena, &chosen) = *route;
	if (options->json) {
		dump_json(&dump, &chosen);
		return 0;
	}
	list_each(route, &chosen)
		dump_text(&dump, call->out, route);
	return 0;
}

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.run = route_dump_run,
};

const struct applet applet_route_dump = {
	.summary = "the kernel's routes of a namespace, as ip prints them",
	.about =
		"Every table and both families, unless asked for less. The text is that of `ip route show table all`,"
		" --json that of `ip -j`: scripts can read either.\n"
		"\n"
		"With --peers each other node of a network is shown instead: how long its lease lives, how much fits into"
		" a packet on the whole way to it, and whether the kernel has the route, neighbour and forwarding entry"
		" that the lease asks for; below a node, what is not as expected, and in words what is wrong. Packets are"
		" counted for each node by the relay alone (tun-relay; with -v: sent, received, lost and why, when it was last"
		" heard, all since the relay began): in the memory of its programs in the kernel, which goes on without an"
		" agent, or of its process. Reading the former takes CAP_SYS_ADMIN on the machine. VXLAN's device and the routes"
		" of host-gw count nothing for each node: the devices' packets are told in all. It reads only, so that it works where"
		" flanneld itself is at work, and where no agent is. The exit status is 1 when a peer cannot be reached as"
		" it should, or a smaller packet than it should fits.\n"
		"\n"
		"With --diff: which routes, neighbours and forwarding entries an agent that is started now would add,"
		" change (- and +) and remove, as `ip route`, `ip neigh` and `bridge fdb` say them, and what of its devices:"
		" MTU, MAC, addresses, what makes a VXLAN device (number, port, interface and address below, learning, gbp),"
		" and whether they are up. A device that is missing, or is to be made anew, is all that is told of it: the rest"
		" depends on it. Masquerade and forward rules are compared as the agent would have them that wrote subnet.env;"
		" reading them takes CAP_NET_ADMIN. Nothing is done. The exit status is 0 when there is nothing"
		" to do, and 3 when there is.",
	.example = "cnibox route-dump\n"
		   "cnibox route-dump blue --table main -4\n"
		   "cnibox route-dump --protocol 118        # what cnibox's agents made\n"
		   "cnibox route-dump --peers -v             # each thing in full, right or wrong\n"
		   "cnibox route-dump --diff                 # would an agent change anything?",
	.run = &run,
};
