/* A frame in a bridge: its VLAN, the port that it goes out by, and what stands between two ports. */
#include "node/walk_segment.h"

/* The port of a bridge that a MAC is behind, by what is there. */
static const struct link *port_of_mac(struct walk *walk, struct place *place,
				      const struct link *bridge, const struct mac *mac)
{
	struct spot other;

	list_each(port, &place->links)
		if (port->master == bridge->index &&
		    scene_other_end(walk->scene, place, port, &other) &&
		    mac_equal(&other.link->mac, mac))
			return port;
	return NULL;
}

static const struct fdb *find_fdb(const struct place *place, const struct link *bridge,
				  const struct mac *mac, int vlan)
{
	list_each(fdb, &place->fdbs)
		if (fdb->master == bridge->index && mac_equal(&fdb->mac, mac) &&
		    (!vlan || !fdb->vlan || fdb->vlan == vlan))
			return fdb;
	return NULL;
}

static int check_port(struct walk *walk, struct place *place, const struct link *port)
{
	static const char *const states[] = { "disabled", "listening", "learning", "forwarding",
					      "blocking" };
	const char *state = port->port_state < ARRAY_SIZE(states) ? states[port->port_state] : "?";

	int r = walk_link_up(walk, place, port);

	if (r != WALK_ON || port->port_state == LINK_PORT_FORWARDING)
		return r;
	return walk_stop(walk, "bridge port",
			 walk_text(walk, "%s is %s, not forwarding", port->name, state),
			 "the bridge passes frames only between ports that forward",
			 place_command(place, walk->scene->arena, "bridge",
				       "link set dev %s state 3", port->name));
}

static int stop_not_in_vlan(struct walk *walk, struct place *place, const struct link *port,
			    int vlan)
{
	bool tagged = walk->tag || streq(port->kind, "bridge");

	return walk_stop(walk, "VLAN", walk_text(walk, "%s is not in VLAN %d", port->name, vlan),
			 "the bridge filters VLANs, and the frame is of that one",
			 place_command(place, walk->scene->arena, "bridge",
				       "vlan add dev %s vid %d%s%s", port->name, vlan,
				       tagged ? "" : " pvid untagged",
				       streq(port->kind, "bridge") ? " self" : ""));
}

/* The VLAN that the bridge takes a frame for; *vlan 0: it does not filter. */
static int enter_vlan(struct walk *walk, struct place *place, const struct link *bridge,
		      const struct link *first, int *vlan)
{
	*vlan = !bridge->vlan_filtering ? 0 : walk->tag ? walk->tag : segment_pvid(place, first);
	if (!bridge->vlan_filtering)
		return WALK_ON;
	if (!*vlan)
		return walk_stop(
			walk, "VLAN", walk_text(walk, "%s has no VLAN of its own", first->name),
			"the bridge filters VLANs, and a frame without tag belongs to none",
			place_command(place, walk->scene->arena, "bridge",
				      "vlan add dev %s vid 1 pvid untagged%s", first->name,
				      first == bridge ? " self" : ""));
	return segment_in_vlan(place, first, *vlan) == SEGMENT_NOT_IN
		       ? stop_not_in_vlan(walk, place, first, *vlan)
		       : WALK_ON;
}

/* Where it leaves the bridge, it loses its tag or has one. */
static int leave_vlan(struct walk *walk, struct place *place, const struct link *port, int vlan)
{
	enum segment_vlan in = vlan ? segment_in_vlan(place, port, vlan) : SEGMENT_TAGGED;

	if (vlan && in == SEGMENT_NOT_IN)
		return stop_not_in_vlan(walk, place, port, vlan);
	if (vlan)
		walk->tag = in == SEGMENT_UNTAGGED ? 0 : vlan;
	return WALK_ON;
}

/* Frames between ports are shown to iptables when br_netfilter says so. */
static int check_frame_filter(struct walk *walk, struct place *place, const struct link *bridge)
{
	bool v4 = walk->parcel.dst.family == 2;
	int on = place_sysctl(place, -1, "net/bridge/bridge-nf-call-%s",
			      v4 ? "iptables" : "ip6tables");
	struct filter_answer answer;

	if (on < 0 || walk->back)
		return WALK_ON;
	walk_tell(walk, "br_netfilter",
		  on ? "the frame is shown to iptables" : "the frame passes by iptables");
	if (on) {
		int r = walk_filter(walk, place, NFT_FORWARD, bridge, bridge, &answer);

		return r == WALK_ON ? walk_policy(walk, place) : r;
	}
	return WALK_ON;
}

/* What a port map sends back into the bridge that it came in by stays a frame of its port where br_netfilter is on. */
static int check_pair(struct walk *walk, struct place *place, const struct link *in,
		      const struct link *out)
{
	if (in == out && !in->hairpin)
		return walk_stop(
			walk, "bridge port",
			walk_text(walk, "%s does not send back what came in by it", in->name),
			"source and destination are behind one port, whose hairpin mode is off",
			place_command(place, walk->scene->arena, "bridge",
				      "link set dev %s hairpin on", in->name));
	if (in && in->isolated && out->isolated)
		return walk_stop(walk, "bridge port",
				 walk_text(walk, "%s and %s are isolated", in->name, out->name),
				 "the bridge passes nothing between two ports that are isolated",
				 place_command(place, walk->scene->arena, "bridge",
					       "link set dev %s isolated off", out->name));
	return WALK_ON;
}

/* Whoever is at the other end must take frames with such a tag. */
static int check_tag(struct walk *walk, struct place *place, const struct link *port,
		     const struct spot *other)
{
	struct spot receiver;

	if (!walk->tag || segment_bridge(other->place, other->link) ||
	    segment_receiver(walk, other->place, other->link, walk->tag, &receiver))
		return WALK_ON;
	return walk_stop(walk, "VLAN",
			 walk_text(walk, "frames for %s have the tag of VLAN %d",
				   other->place->name, walk->tag),
			 walk_text(walk,
				   "no VLAN link on %s of %s takes those, so that they are dropped",
				   other->link->name, other->place->name),
			 place_command(place, walk->scene->arena, "bridge",
				       "vlan add dev %s vid %d%s untagged", port->name, walk->tag,
				       segment_pvid(place, port) == walk->tag ? " pvid" : ""));
}

static int leave_by_port(struct walk *walk, struct place *place, const struct link *port,
			 const struct ip *next, const struct mac *mac)
{
	struct spot other;
	int r = walk_exit(walk, place, port);

	if (r != WALK_ON)
		return r;
	walk_fits(walk, place, port);
	if (scene_other_end(walk->scene, place, port, &other)) {
		r = check_tag(walk, place, port, &other);
		walk_fits(walk, other.place, other.link);
		return r == WALK_ON ? walk_arrive(walk, other.place, other.link) : r;
	}
	return streq(port->kind, "vxlan") ? walk_far_vxlan(walk, place, port, next, mac)
					  : walk_far_wire(walk, place, port, next);
}

/* Which port the bridge sends to, and which it should. */
static int choose_port(struct walk *walk, struct place *place, const struct link *bridge,
		       const struct mac *mac, int vlan, const struct link **port)
{
	const struct fdb *fdb = mac->set ? find_fdb(place, bridge, mac, vlan) : NULL;
	const struct link *real = mac->set ? port_of_mac(walk, place, bridge, mac) : NULL;

	*port = fdb ? place_link(place, fdb->index) : real;
	if (fdb && real && *port && *port != real)
		return walk_stop(
			walk, "FDB",
			walk_text(walk, "%s is behind %s in %s's table, and behind %s in truth",
				  walk_mac(walk, mac), (*port)->name, bridge->name, real->name),
			"the entry is stale: the next frame from there moves it, unless it is sticky",
			place_command(place, walk->scene->arena, "bridge",
				      "fdb del %s dev %s master", walk_mac(walk, mac),
				      (*port)->name));
	if (!*port)
		list_each(link, &place->links)
			if (link->master == bridge->index && !streq(link->kind, "veth"))
				*port = link;
	if (!*port)
		return walk_stop(walk, "FDB",
				 walk_text(walk, "no port of %s leads to %s", bridge->name,
					   mac->set ? walk_mac(walk, mac) : "the neighbour"),
				 "it is in no port's table, and nobody behind a port has it",
				 place_command(place, walk->scene->arena, "bridge",
					       "fdb show br %s", bridge->name));
	walk_tell(walk, "FDB", "%s: port %s%s", mac->set ? walk_mac(walk, mac) : "not known",
		  (*port)->name, fdb ? "" : ", by flooding");
	return WALK_ON;
}

static int into_bridge(struct walk *walk, struct place *place, const struct link *bridge,
		       const struct link *in, int vlan)
{
	int r = leave_vlan(walk, place, bridge, vlan);
	struct spot receiver;

	walk->port = in;
	if (r == WALK_ON && !segment_receiver(walk, place, bridge, walk->tag, &receiver))
		return walk_stop(
			walk, "VLAN",
			walk_text(walk, "%s has no VLAN link for VLAN %d", bridge->name, walk->tag),
			"the bridge hands frames of it to its namespace with their tag, and nobody "
			"takes them",
			place_command(place, walk->scene->arena, "bridge",
				      "vlan add dev %s vid %d pvid untagged self", bridge->name,
				      walk->tag));
	if (r == WALK_ON)
		r = walk_frame(walk, place, NFT_INPUT, bridge, in, NULL);
	return r == WALK_ON ? walk_arrive(walk, place, bridge) : r;
}

/* Its own frames, and those of macvlan links on it, for which it listens to all. */
static bool is_own(const struct walk *walk, const struct place *place, const struct link *bridge,
		   const struct mac *mac)
{
	struct spot parent;

	if (mac_equal(mac, &bridge->mac))
		return true;
	list_each(other, &walk->scene->places)
		list_each(child, &other->links)
			if (streq(child->kind, "macvlan") && mac_equal(mac, &child->mac) &&
			    scene_parent(walk->scene, other, child, &parent) &&
			    parent.place == place && parent.link == bridge)
				return true;
	return false;
}

static const char *vlan_text(struct walk *walk, int vlan)
{
	return vlan ? walk_text(walk, ", VLAN %d%s", vlan, walk->tag ? ", tagged" : "") : "";
}

int walk_cross_bridge(struct walk *walk, struct place *place, const struct link *bridge,
		      const struct link *in, const struct ip *next, const struct mac *mac)
{
	const struct link *out = NULL;
	int vlan = 0;
	int r = walk_link_up(walk, place, bridge);

	if (r == WALK_ON && in)
		r = check_port(walk, place, in);
	if (r == WALK_ON && in)
		r = walk_enter(walk, place, in);
	if (r == WALK_ON)
		r = enter_vlan(walk, place, bridge, in ? in : bridge, &vlan);
	if (r != WALK_ON)
		return r;
	if (in)
		walk_tell(walk, "bridge port", "%s of %s: forwarding%s%s%s", in->name, bridge->name,
			  in->isolated ? ", isolated" : "", in->hairpin ? ", hairpin" : "",
			  vlan_text(walk, vlan));
	if (!in)
		walk->sender = bridge->mac;
	else
		r = walk_frame(walk, place, NFT_PREROUTING, bridge, in, NULL);
	if (r == WALK_ON && in && is_own(walk, place, bridge, mac))
		return into_bridge(walk, place, bridge, in, vlan);
	if (r == WALK_ON)
		r = choose_port(walk, place, bridge, mac, vlan, &out);
	if (r == WALK_ON && out)
		r = check_port(walk, place, out);
	if (r != WALK_ON || !out)
		return r;
	r = leave_vlan(walk, place, out, vlan);
	if (r == WALK_ON)
		r = check_pair(walk, place, in ? in : walk->port, out);
	if (r == WALK_ON && in)
		r = check_frame_filter(walk, place, bridge);
	if (r == WALK_ON)
		r = walk_frame(walk, place, in ? NFT_FORWARD : NFT_OUTPUT, bridge, in, out);
	if (r == WALK_ON)
		r = walk_frame(walk, place, NFT_POSTROUTING, bridge, NULL, out);
	return r == WALK_ON ? leave_by_port(walk, place, out, next, mac) : r;
}
