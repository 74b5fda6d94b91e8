/* The node's network itself: addresses that two have, and sysctls that break pods. */
#include "node/health_internal.h"

#include <sys/socket.h>

#include "kernel/fib.h"
#include "kernel/sysctl.h"

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

static int forward_v4(struct health *health, const struct ailment *ailment, struct error *err)
{
	(void)health;
	(void)ailment;
	return sysctl_ensure("net/ipv4/ip_forward", "1", err);
}

static int forward_v6(struct health *health, const struct ailment *ailment, struct error *err)
{
	(void)health;
	(void)ailment;
	return sysctl_ensure("net/ipv6/conf/all/forwarding", "1", err);
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
	health_add(health, "sysctl",
		   health_text(health, "rp_filter drops what %s sends", pod->name),
		   health_text(health, "it comes in by %s, and the route to %s leads elsewhere",
			       in->name, health_ip(health, &addr->cidr.ip)),
		   health_text(health, "sysctl -w net.ipv4.conf.%s.rp_filter=2",
			       all > own ? "all" : in->name));
}

static bool is_attached(const struct health *health)
{
	list_each(place, &health->scene.places)
		if (place->attachment && !place->info->current)
			return true;
	return false;
}

static void check_forwarding(struct health *health, int family, const struct place *pod)
{
	bool v4 = family == AF_INET;
	const char *name = v4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
	struct ailment *ailment;

	ailment = health_add(health, "sysctl", health_text(health, "%s is 0", name),
			     health_text(health,
					 "this node is the gateway of %s, and passes nothing on",
					 pod->name),
			     health_text(health, "sysctl -w %s=1", name));
	if (is_attached(health)) /* by a plugin, which set it */
		ailment->mend = v4 ? forward_v4 : forward_v6;
}

int health_check_sysctls(struct health *health, struct error *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct place *here = health->scene.here;

	(void)err;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		bool on = i == 0 ? place_sysctl(here, 1, "net/ipv4/ip_forward")
				 : place_sysctl(here, 1, "net/ipv6/conf/all/forwarding");

		list_each(pod, &health->scene.places) {
			const struct addr *addr = NULL;
			const struct link *in =
				pod == here ? NULL : gateway_link(health, pod, families[i], &addr);

			if (!in || !addr)
				continue;
			if (!on)
				check_forwarding(health, families[i], pod);
			on = true; /* told once */
			if (i == 0)
				check_reverse_path(health, pod, addr, in);
		}
	}
	return 0;
}
