/* A packet in a VRF; see walk_vrf.h. */
#include "node/walk_vrf.h"

#include <netinet/in.h>

#include "kernel/fib.h"

/* An answer is in the VRF that the question came in by; what is sent from an address, in that of the address. */
void walk_vrf_choose(struct walk *walk, const struct place *place)
{
	const struct addr *addr =
		walk->parcel.src.family ? place_addr(place, &walk->parcel.src) : NULL;

	walk->vrf = walk->back ? place_vrf(place, walk->end.link)
		    : addr     ? place_vrf(place, place_link(place, addr->index))
			       : NULL;
	if (walk->vrf && !walk->back)
		walk_tell(walk, "VRF", "sent in VRF %s, whose address %s is", walk->vrf->name,
			  walk_ip(walk, &walk->parcel.src));
}

/* To the packet filter: the VRF, after the first hook. */
const struct link *walk_vrf_entered(const struct walk *walk, const struct place *place,
				    const struct link *in)
{
	const struct link *vrf = place_vrf(place, in);

	return vrf && vrf == walk->vrf ? vrf : in;
}

/* Sockets outside of a VRF take nothing from inside, unless a sysctl says so. */
void walk_vrf_listener(struct walk *walk, const struct place *place)
{
	bool tcp = walk->parcel.protocol == IPPROTO_TCP;
	const char *sysctl = tcp ? "net.ipv4.tcp_l3mdev_accept" : "net.ipv4.udp_l3mdev_accept";

	if (!walk->vrf || (!tcp && walk->parcel.protocol != IPPROTO_UDP) ||
	    place_sysctl(place, 0, "%s", sysctl))
		return;
	walk_note(
		walk, PATH_NOTE, "VRF",
		walk_text(walk, "only who listens in VRF %s gets it", walk->vrf->name),
		walk_text(walk, "%s is 0: a socket in no VRF takes nothing that is in one", sysctl),
		place_command(place, walk->scene->arena, "sysctl", "-w %s=1", sysctl));
}

/* Of something that is sent in none: the VRF that has a way. */
const struct link *walk_vrf_with_route(struct walk *walk, struct place *place)
{
	if (walk->vrf || walk->steps)
		return NULL;
	list_each(link, &place->links) {
		const struct fib_question question = { .dst = walk->parcel.dst,
						       .out = link->index };
		struct fib_answer answer;

		if (streq(link->kind, "vrf") &&
		    fib_ask(place->nl, &question, walk->scene->arena, &answer, NULL) >= 0)
			return link;
	}
	return NULL;
}

bool walk_vrfs_asked(const struct place *place, int family)
{
	list_each(rule, &place->rules->list)
		if (rule->by_vrf && rule->src.ip.family == family)
			return true;
	return false;
}
