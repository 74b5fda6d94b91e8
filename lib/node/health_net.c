/* The node's network itself: addresses that two have, and sysctls that break pods. */
#include "node/health_internal.h"

#include <sys/socket.h>

#include "kernel/fib.h"
#include "kernel/sysctl.h"
#include "node/policy.h"

/* ---- addresses ---- */

/* Is the link one end of something that leads to this node's namespace, or in it? */
static bool is_near(struct health *health, struct place *place, const struct link *link)
{
	struct spot other;

	if (place == health->scene.here)
		return link && !(link->flags & LINK_LOOPBACK);
	return link && scene_other_end(&health->scene, place, link, &other) &&
	       other.place == health->scene.here;
}

static void check_address(struct health *health, struct place *place, const struct addr *addr)
{
	const struct link *link = place_link(place, addr->index);
	const char *ip = health_ip(health, &addr->cidr.ip);

	if (!ip_is_global_unicast(&addr->cidr.ip) || !is_near(health, place, link))
		return;
	if (addr->flags & ADDR_DADFAILED)
		health_add(health, "address",
			   health_text(health, "%s of %s failed duplicate address detection", ip,
				       place->name),
			   "somebody else has it, so that it is not used",
			   place_command(place, health->arena, "ip", "addr del %s/%u dev %s", ip,
					 addr->cidr.prefix, link->name));
	for (struct place *other = place + 1;
	     other < health->scene.places.items + health->scene.places.n; other++) {
		const struct addr *same = place_addr(other, &addr->cidr.ip);
		const struct link *where = same ? place_link(other, same->index) : NULL;

		if (where && is_near(health, other, where))
			health_add(health, "address",
				   health_text(health, "%s is in use twice: in %s and in %s", ip,
					       place->name, other->name),
				   "whoever answers first gets the packets of both",
				   place_command(other, health->arena, "ip",
						 "addr del %s/%u dev %s", ip, same->cidr.prefix,
						 where->name));
	}
}

int health_check_addresses(struct health *health, struct error *err)
{
	(void)err;
	list_each(place, &health->scene.places)
		list_each(addr, &place->addrs)
			check_address(health, place, addr);
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

/* The link of this node that a pod's packets come in by, when the node is the pod's gateway. */
static const struct link *gateway_link(struct health *health, struct place *pod, int family,
				       const struct addr **addr)
{
	struct place *here = health->scene.here;

	list_each(link, &pod->links) {
		const struct link *in;
		struct spot other;

		if (!scene_other_end(&health->scene, pod, link, &other) || other.place != here)
			continue;
		in = other.link->master ? place_link(here, other.link->master) : other.link;
		*addr = place_first_addr(pod, link->index, family);
		if (in && *addr && place_first_addr(here, in->index, family))
			return in;
	}
	return NULL;
}

static void check_reverse_path(struct health *health, const struct place *pod,
			       const struct addr *addr, const struct link *in)
{
	struct place *here = health->scene.here;
	struct fib_question question = { .dst = addr->cidr.ip };
	int all = place_sysctl(here, 0, "net/ipv4/conf/all/rp_filter");
	int own = place_sysctl(here, 0, "net/ipv4/conf/%s/rp_filter", in->name);
	struct fib_answer answer;

	if ((all > own ? all : own) != 1 ||
	    fib_ask(here->nl, &question, health->arena, &answer, NULL) < 0 ||
	    answer.used.oif == in->index)
		return;
	health_add(
		health, "sysctl", health_text(health, "rp_filter drops what %s sends", pod->name),
		health_text(health, "it comes in by %s, and the route to %s leads elsewhere",
			    in->name, health_ip(health, &addr->cidr.ip)),
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

/* Of the node, or of the link that the pod's packets come in by. */
static void check_forwarding(struct health *health, bool v4, const struct place *pod,
			     const struct link *in)
{
	const char *path = v4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding";
	bool on = place_sysctl(health->scene.here, 1, "%s", path);
	struct ailment *ailment;
	char *name;

	if (on && v4)
		path = health_text(health, "net/ipv4/conf/%s/forwarding", in->name);
	if (place_sysctl(health->scene.here, 1, "%s", path) || is_told(health, path))
		return;
	name = arena_strdup(health->arena, path);
	for (char *c = name; !strchr(path, '.') && (c = strchr(c, '/'));)
		*c = '.';
	ailment = health_add(health, "sysctl", health_text(health, "%s is 0", name),
			     health_text(health,
					 "this node is the gateway of %s, and passes nothing on",
					 pod->name),
			     health_text(health, "sysctl -w %s=1", name));
	ailment->arg = path;
	if (is_attached(health)) /* by a plugin, which set it */
		ailment->mend = turn_on;
}

/* What pods of one bridge send each other is seen by policies only where the bridge shows it to iptables. */
static void check_bridge(struct health *health, bool v4, const struct place *pod,
			 const struct link *in, const char *policies)
{
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
			policies, pod->name, in->name),
		on < 0 ? "modprobe br_netfilter" : health_text(health, "sysctl -w %s=1", name))
		->arg = path;
}

int health_check_sysctls(struct health *health, struct error *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const char *policies = policy_in_force(health->arena);

	(void)err;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		list_each(pod, &health->scene.places) {
			const struct addr *addr = NULL;
			const struct link *in =
				pod == health->scene.here
					? NULL
					: gateway_link(health, pod, families[i], &addr);

			if (!in || !addr)
				continue;
			check_forwarding(health, i == 0, pod, in);
			check_bridge(health, i == 0, pod, in, policies);
			if (i == 0)
				check_reverse_path(health, pod, addr, in);
		}
	return 0;
}
