/*
 * A packet on a link of this node: who has the next hop's address there, what the kernel believes, and on by whatever the
 * link joins. What that is is known from the scene: the other end of a veth, the ports of a bridge, the link below.
 */
#include "node/walk_segment.h"

enum { NEIGH_INCOMPLETE = 0x01, NEIGH_FAILED = 0x20, NEIGH_NOARP = 0x40, NEIGH_PERMANENT = 0x80 };

/* ---- links ---- */

int walk_link_up(struct walk *walk, struct place *place, const struct link *link)
{
	struct spot other;

	if (!(link->flags & LINK_UP))
		return walk_stop(walk, "link", walk_text(walk, "%s is down", link->name),
				 "nothing is sent or received by a link that is down",
				 place_command(place, walk->scene->arena, "ip", "link set %s up",
					       link->name));
	if (scene_other_end(walk->scene, place, link, &other) && !(other.link->flags & LINK_UP))
		return walk_stop(walk, "link",
				 walk_text(walk, "%s of %s, the other end of %s, is down",
					   other.link->name, other.place->name, link->name),
				 "a veth whose other end is down has no carrier",
				 place_command(other.place, walk->scene->arena, "ip",
					       "link set %s up", other.link->name));
	return WALK_ON;
}

void walk_fits(struct walk *walk, const struct place *place, const struct link *link)
{
	if (walk->back || !walk->mtu || link->mtu >= walk->mtu)
		return;
	walk_note(walk, PATH_LARGE, "MTU",
		  walk_text(walk, "%s takes %d bytes, less than the %d that are sent", link->name,
			    link->mtu, walk->mtu),
		  "larger packets are lost here, and nobody tells their sender",
		  place_command(place, walk->scene->arena, "ip", "link set %s mtu %d", link->name,
				walk->mtu));
	walk->mtu = link->mtu;
	walk->path->mtu = link->mtu;
}

static const struct neigh *find_neigh(const struct place *place, const struct link *link,
				      const struct ip *next)
{
	list_each(neigh, &place->neighs)
		if (neigh->index == link->index && ip_equal(&neigh->ip, next))
			return neigh;
	return NULL;
}

struct mac walk_known_mac(const struct place *place, const struct link *link, const struct ip *next)
{
	const struct neigh *neigh = find_neigh(place, link, next);
	bool usable = neigh && !(neigh->state & (NEIGH_FAILED | NEIGH_INCOMPLETE));

	return usable ? neigh->mac : (struct mac){ .set = false };
}

static int stop_nobody(struct walk *walk, struct place *place, const struct link *link,
		       const struct segment *segment, const struct ip *next)
{
	bool gateway = !ip_equal(next, &walk->parcel.dst);
	struct spot holder;
	const struct addr *there =
		place_first_addr(segment->far.place, segment->far.link->index, next->family);
	const char *ip = walk_ip(walk, next);

	if (walk_ipvlan_silent(walk, next, &holder))
		return walk_stop(
			walk, "neighbour",
			walk_text(walk, "%s of %s does not answer for %s", holder.link->name,
				  holder.place->name, ip),
			"nobody is answered by an ipvlan link of mode l3: only a route by its "
			"node leads to it, from outside",
			NULL);
	if (!gateway)
		return walk_stop(
			walk, "neighbour",
			walk_text(walk, "nobody on %s has %s", segment->far.link->name, ip),
			"the destination is in the subnet of the link, and no namespace of "
			"this node has that address",
			place_command(place, walk->scene->arena, "ip", "neigh show dev %s",
				      link->name));
	return walk_stop(
		walk, "gateway",
		walk_text(walk, "nobody on %s has the gateway's address %s",
			  segment->far.link->name, ip),
		there ? walk_text(walk, "%s of %s is %s", segment->far.link->name,
				  segment->far.place->name, walk_ip(walk, &there->cidr.ip))
		      : walk_text(walk,
				  "%s of %s has no address at all: a bridge that is a gateway "
				  "has one",
				  segment->far.link->name, segment->far.place->name),
		there ? place_command(place, walk->scene->arena, "ip",
				      "route replace default via %s",
				      walk_ip(walk, &there->cidr.ip))
		      : place_command(segment->far.place, walk->scene->arena, "ip",
				      "addr add %s/24 dev %s", ip, segment->far.link->name));
}

static int stop_stale(struct walk *walk, struct place *place, const struct link *link,
		      const struct ip *next, const struct mac *believed, const struct spot *owner)
{
	return walk_stop(walk, "neighbour",
			 walk_text(walk, "%s is %s here, and %s in truth", walk_ip(walk, next),
				   walk_mac(walk, believed), walk_mac(walk, &owner->link->mac)),
			 walk_text(walk, "the entry is stale: %s of %s has the address now",
				   owner->link->name, owner->place->name),
			 place_command(place, walk->scene->arena, "ip", "neigh del %s dev %s",
				       walk_ip(walk, next), link->name));
}

/* An answer is a frame of its own, and may be in another VLAN than the question. */
static int check_answer(struct walk *walk, const struct segment *segment, const struct spot *owner,
			const struct ip *next)
{
	const struct link *port = NULL;
	int vlan = 0;
	const char *why;

	if (segment_answers(walk, segment, owner, &port, &vlan))
		return WALK_ON;
	if (vlan == segment->vlan)
		why = walk_text(walk, "frames of that VLAN come out of %s %s a tag", port->name,
				segment->tag ? "without" : "with");
	else if (vlan)
		why = walk_text(walk, "frames without tag that come in by %s are in VLAN %d",
				port->name, vlan);
	else
		why = walk_text(walk, "%s takes no frames without tag", port->name);
	return walk_stop(
		walk, "neighbour",
		walk_text(walk, "what answers for %s in VLAN %d does not come back",
			  walk_ip(walk, next), segment->vlan),
		why,
		place_command(segment->far.place, walk->scene->arena, "bridge",
			      "vlan add dev %s vid %d%s%s", port->name, segment->vlan,
			      vlan == segment->vlan && segment->tag ? "" : " pvid untagged",
			      port == segment->far.link ? " self" : ""));
}

/* The bridge of a place answers with its own MAC for every address of the place. */
static int resolve(struct walk *walk, struct place *place, const struct link *link,
		   const struct segment *segment, const struct ip *next, struct mac *mac)
{
	const struct neigh *neigh = find_neigh(place, link, next);
	struct mac known = walk_known_mac(place, link, next);
	spots_t owners = { 0 };

	segment_owners(walk, segment, place, next, &owners);
	if (!owners.n && !segment->open && !(known.set && neigh && neigh->state & NEIGH_PERMANENT))
		return stop_nobody(walk, place, link, segment, next);
	if (owners.n > 1)
		return walk_stop(
			walk, "address",
			walk_text(walk, "%s is in use twice: in %s and in %s", walk_ip(walk, next),
				  owners.items[0].place->name, owners.items[1].place->name),
			"whoever answers first gets the packets of both",
			place_command(owners.items[1].place, walk->scene->arena, "ip",
				      "addr del %s/%u dev %s", walk_ip(walk, next),
				      place_addr(owners.items[1].place, next)
					      ? place_addr(owners.items[1].place, next)->cidr.prefix
					      : ip_bits(next),
				      owners.items[1].link->name));
	if (owners.n && known.set && !mac_equal(&known, &owners.items[0].link->mac))
		return stop_stale(walk, place, link, next, &known, &owners.items[0]);
	if (!owners.n && neigh && neigh->state & NEIGH_FAILED)
		return walk_stop(walk, "neighbour",
				 walk_text(walk, "nobody answers for %s on %s", walk_ip(walk, next),
					   link->name),
				 "the kernel has asked for its hardware address, and gave up",
				 place_command(place, walk->scene->arena, "ip", "neigh show dev %s",
					       link->name));
	*mac = owners.n ? owners.items[0].link->mac : known;
	if (owners.n && !known.set) {
		int r = check_answer(walk, segment, &owners.items[0], next);

		if (r != WALK_ON)
			return r;
	}
	walk_tell(walk, "neighbour", mac->set ? "%s is %s%s" : "%s is asked for%s%s",
		  walk_ip(walk, next), mac->set ? walk_mac(walk, mac) : "",
		  known.set || !mac->set ? "" : " (the kernel will ask)");
	return WALK_ON;
}

/* ---- leaving ---- */

static int through_veth(struct walk *walk, const struct spot *other, const struct ip *next,
			const struct mac *mac)
{
	const struct link *bridge = segment_bridge(other->place, other->link);
	struct spot receiver;
	int r;

	walk_fits(walk, other->place, other->link);
	/* A VLAN link takes its frames before the bridge does. */
	if (!bridge ||
	    (walk->tag && segment_receiver(walk, other->place, other->link, walk->tag, &receiver)))
		return walk_arrive(walk, other->place, other->link);
	r = scene_enter(walk->scene, other->place, walk->err);
	if (r < 0)
		return r;
	walk_hop(walk, other->place, other->link->name);
	return walk_cross_bridge(walk, other->place, bridge, other->link, next, mac);
}

static int stop_at_dummy(struct walk *walk, const struct spot *at)
{
	return walk_stop(walk, "link", walk_text(walk, "%s is a dummy link", at->link->name),
			 "it has no other end: what is sent by it is lost",
			 place_command(at->place, walk->scene->arena, "ip", "route show dev %s",
				       at->link->name));
}

/* By the link that sends in the end; `top` is the one that the packet goes out by. */
static int transmit(struct walk *walk, const struct spot *at, const struct spot *top,
		    const struct ip *next, const struct mac *mac)
{
	struct spot on;
	int r = walk_exit(walk, at->place, at->link);

	if (r == WALK_ON && streq(at->link->kind, "dummy"))
		r = stop_at_dummy(walk, at);
	if (r != WALK_ON)
		return r;
	if (scene_other_end(walk->scene, at->place, at->link, &on))
		return through_veth(walk, &on, next, mac);
	if (streq(at->link->kind, "bridge"))
		return walk_cross_bridge(walk, at->place, at->link, NULL, next, mac);
	if (streq(at->link->kind, "vxlan"))
		return walk_far_vxlan(walk, at->place, at->link, next, mac);
	if (!walk_is_child(at->link) || !scene_parent(walk->scene, at->place, at->link, &on))
		return walk_far_wire(walk, top->place, top->link, next);
	r = walk_far_parent(walk, at->place, at->link, next, &on);
	return r == WALK_ON ? transmit(walk, &on, top, next, mac) : r;
}

int walk_leave(struct walk *walk, struct place *place, const struct link *link,
	       const struct ip *next)
{
	const struct spot top = { place, link };
	struct mac mac = walk_known_mac(place, link, next);
	struct segment segment;
	int r = WALK_ON;

	if (segment_bridge(place, link))
		return walk_stop(walk, "link",
				 walk_text(walk, "%s is a port of %s", link->name,
					   segment_bridge(place, link)->name),
				 "what comes in by a port is the bridge's: who sends by the port "
				 "itself gets no answer",
				 place_command(place, walk->scene->arena, "ip", "route show dev %s",
					       link->name));
	if (streq(link->kind, "tun") && link->mode == LINK_TUN_TUN) {
		r = walk_exit(walk, place, link);
		return r == WALK_ON ? walk_far_relay(walk, place, link) : r;
	}
	if (walk_by_parent(link))
		return walk_ipvlan_send(walk, place, link, next);
	walk->sender = link->mac;
	segment = segment_of(walk, place, link);
	if (segment.far.place && !walk_parent_decides(walk, place, link, next))
		r = resolve(walk, place, link, &segment, next, &mac);
	return r == WALK_ON ? transmit(walk, &top, &top, next, &mac) : r;
}
