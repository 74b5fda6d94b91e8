/* The node's network itself: addresses that two have, and sysctls that break pods. */
#include "node/health_internal.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "kernel/fib.h"
#include "kernel/netlink.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"
#include "node/policy.h"
#include "node/walk_segment.h"

/* ---- addresses ---- */

/* Where an address can be heard: on one link of this node, in one VLAN, and, when it is routed, by whoever is routed. */
struct wire {
	int link, vlan;
	bool routed; /* this node has an address there, or a route to just this pod */
};

/* One address of one namespace that somebody outside of it can meet. */
struct claim {
	struct place *place;
	const struct addr *addr;
	const struct link *link;
	struct wire wire;
};
typedef LIST(struct claim) claims_t;

/* Has the node an address on the bridge, or on the link of that VLAN above it? */
static bool is_routed(const struct place *here, const struct link *bridge, int vlan, int family)
{
	list_each(link, &here->links)
		if ((link == bridge || (link->peer == bridge->index && link->peer_netns < 0 &&
					streq(link->kind, "vlan") && link->vlan == vlan)) &&
		    place_first_addr(here, link->index, family))
			return true;
	return false;
}

static struct wire wire_of_veth(const struct place *here, const struct link *end, int family)
{
	const struct link *bridge = end->master ? place_link(here, end->master) : NULL;
	int vlan = bridge && bridge->vlan_filtering ? segment_pvid(here, end) : 0;

	if (!bridge || !streq(bridge->kind, "bridge"))
		return (struct wire){ .link = end->index, .routed = true };
	return (struct wire){ bridge->index, vlan, is_routed(here, bridge, vlan, family) };
}

/* What is made on a link of this node, and in another namespace: as seen by the number that this one has there. */
static bool is_made_here(const struct health *health, const struct place *place,
			 const struct link *link)
{
	const struct place *here = health->scene.here;

	return (streq(link->kind, "macvlan") || streq(link->kind, "ipvlan") ||
		streq(link->kind, "vlan")) &&
	       link->peer_netns >= 0 && place_link(here, link->peer) &&
	       netns_known_as(place->info->path, here->info->path, link->peer_netns);
}

static bool find_wire(struct health *health, struct claim *claim)
{
	struct place *here = health->scene.here;
	const struct link *link = claim->link;
	struct spot other;

	if (claim->place == here)
		claim->wire = (struct wire){ .link = link->index, .routed = true };
	else if (scene_other_end(&health->scene, claim->place, link, &other) && other.place == here)
		claim->wire = wire_of_veth(here, other.link, claim->addr->cidr.ip.family);
	else if (is_made_here(health, claim->place, link))
		claim->wire = (struct wire){ link->peer, link->vlan, false };
	else
		return false;
	return true;
}

/* Does a runtime remember that the address was given to this one? */
static bool is_rightful(const struct health *health, const struct claim *claim)
{
	const struct cached *attachment = claim->place->attachment;

	list_each(holding, &health->holdings)
		if (attachment && ip_equal(&holding->ip, &claim->addr->cidr.ip) &&
		    streq(holding->container, attachment->container))
			return true;
	return false;
}

/* This node's own stay, and those that are leased; else the later one goes. */
static const struct claim *who_yields(const struct health *health, const struct claim *a,
				      const struct claim *b)
{
	if (b->place == health->scene.here)
		return a;
	if (a->place != health->scene.here && is_rightful(health, b) && !is_rightful(health, a))
		return a;
	return b;
}

static const char *removal(const struct health *health, const struct claim *claim)
{
	return place_command(claim->place, health->arena, "ip", "addr del %s/%u dev %s",
			     health_ip(health, &claim->addr->cidr.ip), claim->addr->cidr.prefix,
			     claim->link->name);
}

static void check_pair(struct health *health, const struct claim *a, const struct claim *b)
{
	bool one_wire = a->wire.link == b->wire.link && a->wire.vlan == b->wire.vlan;

	if (a->place == b->place || (!one_wire && !(a->wire.routed && b->wire.routed)))
		return;
	health_add(health, "address",
		   health_text(health, "%s is in use twice: in %s and in %s",
			       health_ip(health, &a->addr->cidr.ip), a->place->name,
			       b->place->name),
		   one_wire ? "whoever answers first gets the packets of both"
			    : "this node sends the packets of both to one of them",
		   removal(health, who_yields(health, a, b)));
}

static int by_address(const void *a, const void *b)
{
	const struct claim *one = a, *other = b;
	int r = ip_compare(&one->addr->cidr.ip, &other->addr->cidr.ip);

	return r ? r : (one->place > other->place) - (one->place < other->place);
}

static void check_claims(struct health *health, struct claim *claims, size_t n)
{
	size_t seen = 0;

	for (size_t i = 0; n > 1 && i < n; i++)
		if (find_wire(health, &claims[i]))
			claims[seen++] = claims[i];
	for (size_t i = 0; i < seen; i++)
		for (size_t j = i + 1; j < seen; j++)
			check_pair(health, &claims[i], &claims[j]);
}

static void add_claim(struct health *health, struct place *place, const struct addr *addr,
		      claims_t *claims)
{
	struct claim claim = { place, addr, place_link(place, addr->index), { 0 } };

	if (!claim.link || claim.link->flags & LINK_LOOPBACK ||
	    !ip_is_global_unicast(&addr->cidr.ip))
		return;
	*list_add(health->arena, claims) = claim;
	if (addr->flags & ADDR_DADFAILED && find_wire(health, &claim))
		health_add(health, "address",
			   health_text(health, "%s of %s failed duplicate address detection",
				       health_ip(health, &addr->cidr.ip), place->name),
			   "somebody else has it, so that it is not used", removal(health, &claim));
}

/* Sorted, so that only equal ones are held against each other. */
int health_check_addresses(struct health *health, struct error *err)
{
	claims_t claims = { 0 };

	(void)err;
	list_each(place, &health->scene.places)
		list_each(addr, &place->addrs)
			add_claim(health, place, addr, &claims);
	if (claims.n)
		qsort(claims.items, claims.n, sizeof(*claims.items), by_address);
	for (size_t i = 0, n; i < claims.n; i += n) {
		for (n = 1; i + n < claims.n && ip_equal(&claims.items[i].addr->cidr.ip,
							 &claims.items[i + n].addr->cidr.ip);)
			n++;
		check_claims(health, claims.items + i, n);
	}
	return 0;
}

/* ---- sysctls ---- */

static int turn_on(struct health *health, const struct ailment *ailment, struct error *err)
{
	(void)health;
	return sysctl_ensure(ailment->arg, "1", err);
}

/* Those of this check have what is set as arg. */
static bool is_told(const struct health *health, const char *path)
{
	list_each(ailment, &health->report->ailments)
		if (streq(ailment->check, "sysctl") && ailment->arg && streq(ailment->arg, path))
			return true;
	return false;
}

/* A way that a pod's packets come in by: both ends have addresses of the family. */
struct entry {
	struct place *pod;
	const struct link *link; /* the pod's */
	const struct addr *addr; /* on it */
	const struct link *in;   /* this node's */
};

static bool find_entry(struct health *health, struct place *pod, const struct link *link,
		       int family, struct entry *entry)
{
	struct place *here = health->scene.here;
	struct spot other;

	if (!scene_other_end(&health->scene, pod, link, &other) || other.place != here)
		return false;
	*entry = (struct entry){
		.pod = pod,
		.link = link,
		.addr = place_first_addr(pod, link->index, family),
		.in = other.link->master ? place_link(here, other.link->master) : other.link,
	};
	return entry->in && entry->addr && place_first_addr(here, entry->in->index, family);
}

/* Does the pod send anything by an address of this node? On a bridge of the node's LAN it has another router. */
static bool is_gateway(struct health *health, const struct entry *entry, int family)
{
	auto_netlink struct netlink *nl = NULL;
	auto_close int fd = -1;
	routes_t routes = { 0 };

	if (netns_open(entry->pod->info->path, &fd, NULL) < 0 ||
	    netlink_open(&nl, NETLINK_SESSION_ROUTE, fd, NULL) < 0 ||
	    route_list(nl, family, entry->link->index, 0, health->arena, &routes, NULL) < 0)
		return false;
	list_each(route, &routes)
		if (route->gw.family && place_addr(health->scene.here, &route->gw))
			return true;
	return false;
}

static void check_reverse_path(struct health *health, const struct entry *entry)
{
	struct place *here = health->scene.here;
	const struct link *in = entry->in;
	struct fib_question question = { .dst = entry->addr->cidr.ip };
	int all = place_sysctl(here, 0, "net/ipv4/conf/all/rp_filter");
	int own = place_sysctl(here, 0, "net/ipv4/conf/%s/rp_filter", in->name);
	struct fib_answer answer;

	if ((all > own ? all : own) != 1 ||
	    fib_ask(here->nl, &question, health->arena, &answer, NULL) < 0 ||
	    answer.used.oif == in->index)
		return;
	health_add(
		health, "sysctl",
		health_text(health, "rp_filter drops what %s sends", entry->pod->name),
		health_text(health, "it comes in by %s, and the route to %s leads elsewhere",
			    in->name, health_ip(health, &entry->addr->cidr.ip)),
		health_text(health, "sysctl -w %s=2",
			    link_sysctl(all > own ? "all" : in->name, "rp_filter", health->arena)));
}

static bool is_attached(const struct health *health)
{
	list_each(place, &health->scene.places)
		if (place->attachment && !place->info->current)
			return true;
	return false;
}

/* IPv4 asks the link that a packet comes in by, of which the node's sysctl sets all; IPv6 asks the node's. */
static const char *forwarding_off(struct health *health, bool v4, const struct link *in)
{
	const char *node = v4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding";
	const char *own = v4 ? health_text(health, "net/ipv4/conf/%s/forwarding", in->name) : node;

	if (place_sysctl(health->scene.here, 1, "%s", own))
		return NULL;
	return place_sysctl(health->scene.here, 1, "%s", node) ? own : node;
}

static void check_forwarding(struct health *health, bool v4, const struct entry *entry)
{
	const char *path = forwarding_off(health, v4, entry->in);
	struct ailment *ailment;
	char *name;

	if (!path || is_told(health, path) || !is_gateway(health, entry, v4 ? AF_INET : AF_INET6))
		return;
	name = arena_strdup(health->arena, path);
	for (char *c = name; !strchr(path, '.') && (c = strchr(c, '/'));)
		*c = '.';
	ailment = health_add(health, "sysctl", health_text(health, "%s is 0", name),
			     health_text(health,
					 "this node is the gateway of %s, and passes nothing on",
					 entry->pod->name),
			     health_text(health, "sysctl -w %s=1", name));
	ailment->arg = path;
	if (is_attached(health)) /* by a plugin, which set it */
		ailment->mend = turn_on;
}

/* What pods of one bridge send each other is seen by policies only where the bridge shows it to iptables. */
static void check_bridge(struct health *health, bool v4, const struct entry *entry,
			 const char *policies)
{
	const struct link *in = entry->in;
	const char *path =
		v4 ? "net/bridge/bridge-nf-call-iptables" : "net/bridge/bridge-nf-call-ip6tables";
	const char *name =
		v4 ? "net.bridge.bridge-nf-call-iptables" : "net.bridge.bridge-nf-call-ip6tables";
	int on = place_sysctl(health->scene.here, -1, "%s", path);

	if (!policies || !streq(in->kind, "bridge") || on > 0 || is_told(health, path))
		return;
	health_add(
		health, "sysctl",
		on < 0 ? "the module br_netfilter is not loaded"
		       : health_text(health, "%s is 0", name),
		health_text(
			health,
			"policies (%s) do not see what %s and others on bridge %s send each other",
			policies, entry->pod->name, in->name),
		on < 0 ? "modprobe br_netfilter" : health_text(health, "sysctl -w %s=1", name))
		->arg = path;
}

static void check_pod(struct health *health, struct place *pod, int family, const char *policies)
{
	bool v4 = family == AF_INET;
	struct entry entry;

	list_each(link, &pod->links) {
		if (!find_entry(health, pod, link, family, &entry))
			continue;
		check_forwarding(health, v4, &entry);
		check_bridge(health, v4, &entry, policies);
		if (v4)
			check_reverse_path(health, &entry);
	}
}

int health_check_sysctls(struct health *health, struct error *err)
{
	const char *policies = policy_in_force(health->arena);

	(void)err;
	list_each(pod, &health->scene.places)
		if (pod != health->scene.here) {
			check_pod(health, pod, AF_INET, policies);
			check_pod(health, pod, AF_INET6, policies);
		}
	return 0;
}
