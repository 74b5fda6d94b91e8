/*
 * ipvlan links of modes l3 and l3s. What one sends goes to another on the same parent, or is routed by the parent's namespace as if
 * sent there, but by the parent alone: hooks OUTPUT and POSTROUTING see it. They ask for no neighbour, and answer nobody who
 * asks for them. What comes in passes the hooks of the link's own namespace in l3, and those of the parent's in l3s.
 */
#include "node/walk_segment.h"

#include "kernel/fib.h"

bool walk_by_parent(const struct link *link)
{
	return streq(link->kind, "ipvlan") && link->mode != LINK_IPVLAN_L2;
}

static int stop_at_node(struct walk *walk, const struct spot *parent)
{
	return walk_stop(walk, "link", "an ipvlan link does not reach the node below it",
			 walk_text(walk,
				   "%s gets the packet, and sends its answer by %s to the wire: "
				   "nothing passes from a parent to its children",
				   parent->place->name, parent->link->name),
			 walk_text(walk, "give the node an ipvlan link of its own on %s",
				   parent->link->name));
}

/* The parent's namespace sends it. */
static int send_there(struct walk *walk, const struct spot *parent)
{
	struct place *place = parent->place;
	const struct link *out = parent->link;
	struct fib_answer answer;
	struct filter_answer filter;
	int r;

	walk_hop(walk, place, out->name);
	walk->vrf = place_vrf(place, out);
	r = walk_ask_route_by(walk, place, out, &answer);
	if (r == WALK_ON)
		r = walk_filter(walk, place, NFT_OUTPUT, NULL, out, &filter);
	if (r != WALK_ON)
		return r;
	if (answer.used.type == ROUTE_LOCAL)
		return stop_at_node(walk, parent);
	walk_check_mtu(walk, place, &answer.used, out);
	r = walk_post_routing(walk, place, NULL, out, &answer.used);
	return r == WALK_ON
		       ? walk_leave(walk, place, out,
				    answer.used.gw.family ? &answer.used.gw : &walk->parcel.dst)
		       : r;
}

int walk_ipvlan_send(struct walk *walk, struct place *place, const struct link *link,
		     const struct ip *next)
{
	struct spot parent, sibling;
	int r = walk_exit(walk, place, link);

	if (r != WALK_ON)
		return r;
	if (!scene_parent(walk->scene, place, link, &parent))
		return walk_far_wire(walk, place, link, next);
	r = scene_enter(walk->scene, parent.place, walk->err);
	if (r < 0)
		return r;
	walk_tell(walk, "parent", "%s of %s, MTU %d, which routes (mode %s)", parent.link->name,
		  parent.place->name, parent.link->mtu,
		  link->mode == LINK_IPVLAN_L3 ? "l3" : "l3s");
	r = walk_link_up(walk, parent.place, parent.link);
	if (r != WALK_ON)
		return r;
	if (!walk_find_sibling(walk, &parent, link, &walk->parcel.dst, &sibling))
		return send_there(walk, &parent);
	r = walk_check_modes(walk, link, &sibling, place);
	return r == WALK_ON ? walk_arrive(walk, sibling.place, sibling.link) : r;
}

bool walk_ipvlan_silent(struct walk *walk, const struct ip *ip, struct spot *holder)
{
	spots_t spots = { 0 };

	scene_holders(walk->scene, ip, &spots);
	list_each(spot, &spots)
		if (spot->link && walk_by_parent(spot->link)) {
			*holder = *spot;
			return true;
		}
	return false;
}

bool walk_ipvlan_late(const struct link *link)
{
	return walk_by_parent(link) && link->mode == LINK_IPVLAN_L3S;
}

int walk_ipvlan_receive(struct walk *walk, const struct spot *parent, const struct spot *child)
{
	struct filter_answer filter;
	int r = walk_filter(walk, parent->place, NFT_PREROUTING, parent->link, NULL, &filter);

	if (r == WALK_ON)
		r = walk_filter(walk, parent->place, NFT_INPUT, parent->link, NULL, &filter);
	if (r == WALK_ON)
		r = scene_enter(walk->scene, child->place, walk->err);
	if (r != WALK_ON)
		return r;
	walk_hop(walk, child->place, child->link->name);
	r = walk_link_up(walk, child->place, child->link);
	if (r == WALK_ON)
		r = walk_check_reverse_path(walk, child->place, child->link);
	return r == WALK_ON ? walk_hand_over(walk, child->place, child->link) : r;
}
