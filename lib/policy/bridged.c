/* See bridged.h. */
#include "policy/bridged.h"

#include <errno.h>
#include <sys/socket.h>

#include "kernel/addr.h"
#include "kernel/link.h"
#include "kernel/sysctl.h"

struct bridges {
	links_t links;
	addrs_t addrs;
};

struct bridged {
	const struct pod *pod;
	const char *bridge;
	const char *sysctl;
};

static int read_bridges(struct arena *arena, struct bridges *bridges, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r = netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, err);

	if (r == 0)
		r = link_list(nl, "bridge", 0, arena, &bridges->links, err);
	if (r == 0 && bridges->links.n)
		r = addr_list(nl, 0, 0, arena, &bridges->addrs, err);
	return r;
}

static const char *bridge_of(const struct bridges *bridges, const struct ip *ip)
{
	list_each(addr, &bridges->addrs)
		list_each(link, &bridges->links)
			if (addr->index == link->index && cidr_contains(&addr->cidr, ip))
				return link->name;
	return NULL;
}

static bool is_shown(const char *sysctl)
{
	char value[16];

	return sysctl_read(sysctl, value, sizeof(value), NULL) == 0 && streq(value, "1");
}

/* The first pod that rules would not see. */
static bool find_unseen(const struct world *world, symbol_t node, const struct bridges *bridges,
			struct bridged *unseen)
{
	list_each(pod, &world->pods) {
		if (pod->node != node || !pod_takes_part(pod))
			continue;
		list_each(ip, &pod->ips) {
			*unseen = (struct bridged){
				.pod = pod,
				.bridge = bridge_of(bridges, ip),
				.sysctl = ip->family == AF_INET
						  ? "net/bridge/bridge-nf-call-iptables"
						  : "net/bridge/bridge-nf-call-ip6tables",
			};
			if (unseen->bridge && !is_shown(unseen->sysctl))
				return true;
		}
	}
	return false;
}

static int complain(const struct world *world, const struct bridged *unseen, struct error *err)
{
	auto_arena struct arena scratch = { 0 };
	char value[16];
	bool there = sysctl_read(unseen->sysctl, value, sizeof(value), NULL) == 0;

	return fail(err, ENOTCONN,
		    "pod %s is on bridge %s, which does not show its frames to rules: %s; %s",
		    pod_text(world, unseen->pod, &scratch), unseen->bridge,
		    there ? "net.bridge.bridge-nf-call-iptables is off"
			  : "the module br_netfilter is not loaded",
		    there ? "--bridge-netfilter turns it on" : "modprobe br_netfilter does so");
}

int bridged_check(const struct world *world, symbol_t node, bool turn_on, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct bridges bridges = { 0 };
	struct bridged unseen = { 0 };
	int r = read_bridges(&arena, &bridges, err);

	if (r < 0)
		return wrap(err, "look for pods on bridges");
	while (bridges.addrs.n && find_unseen(world, node, &bridges, &unseen)) {
		r = turn_on ? sysctl_write(unseen.sysctl, "1", NULL) : -ENOTCONN;
		if (r < 0 || !is_shown(unseen.sysctl))
			return complain(world, &unseen, err);
	}
	return 0;
}
