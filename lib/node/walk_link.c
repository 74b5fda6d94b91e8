/*
 * A packet on a link of this node: who has the next hop's address there, what the kernel believes, and the bridge between
 * them. What a link joins is known from the scene: the other end of a veth, or the ports of the bridge that it is in.
 */
#include "node/walk.h"

enum { NEIGH_INCOMPLETE = 0x01, NEIGH_FAILED = 0x20, NEIGH_NOARP = 0x40, NEIGH_PERMANENT = 0x80 };
enum { FRAME_VLANS = 4096 };

/* What is on the other side of a link. */
struct domain {
	struct spot far;    /* the one other end; or the bridge, when bridged */
	bool bridged, open; /* open: it goes on where we cannot look */
};

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

static const struct link *master_of(const struct place *place, const struct link *link)
{
	const struct link *master = link->master ? place_link(place, link->master) : NULL;

	return master && streq(master->kind, "bridge") ? master : NULL;
}

static struct domain domain_of(struct walk *walk, struct place *place, const struct link *link)
{
	struct domain domain = { .bridged = streq(link->kind, "bridge") };
	const struct link *bridge;
	struct spot other;

	if (domain.bridged)
		domain.far = (struct spot){ place, link };
	else if (scene_other_end(walk->scene, place, link, &other)) {
		bridge = master_of(other.place, other.link);
		domain.bridged = bridge;
		domain.far = bridge ? (struct spot){ other.place, bridge } : other;
	} else {
		domain.open = true;
	}
	if (domain.bridged)
		list_each(port, &domain.far.place->links)
			domain.open |=
				port->master == domain.far.link->index &&
				!scene_other_end(walk->scene, domain.far.place, port, &other);
	return domain;
}

/* ---- who has an address, or a MAC ---- */

static void add_owner(struct walk *walk, spots_t *owners, struct place *place,
		      const struct link *link, const struct ip *ip)
{
	const struct addr *addr = place_addr(place, ip);
	bool proxy = !addr && ip->family == 2 &&
		     place_sysctl(place, 0, "net/ipv4/conf/%s/proxy_arp", link->name);

	if (addr || proxy)
		*list_add(walk->scene->arena, owners) = (struct spot){ place, link };
}

/* All that would answer on the link; `self` is who asks. */
static void find_owners(struct walk *walk, const struct domain *domain, const struct place *self,
			const struct ip *ip, spots_t *owners)
{
	struct place *place = domain->far.place;
	struct spot other;

	if (!place)
		return;
	if (place != self)
		add_owner(walk, owners, place, domain->far.link, ip);
	if (!domain->bridged) {
		if (walk_find_child(walk, place, domain->far.link, ip, &other))
			*list_add(walk->scene->arena, owners) = other;
		return;
	}
	list_each(port, &place->links)
		if (port->master == domain->far.link->index &&
		    scene_other_end(walk->scene, place, port, &other) && other.place != self &&
		    (other.place != place ||
		     place_first_addr(place, other.link->index, ip->family)))
			add_owner(walk, owners, other.place, other.link, ip);
}

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
		       const struct domain *domain, const struct ip *next)
{
	bool gateway = !ip_equal(next, &walk->parcel.dst);
	const struct addr *there =
		place_first_addr(domain->far.place, domain->far.link->index, next->family);
	const char *ip = walk_ip(walk, next);

	if (!gateway)
		return walk_stop(
			walk, "neighbour",
			walk_text(walk, "nobody on %s has %s", domain->far.link->name, ip),
			"the destination is in the subnet of the link, and no namespace of "
			"this node has that address",
			place_command(place, walk->scene->arena, "ip", "neigh show dev %s",
				      link->name));
	return walk_stop(
		walk, "gateway",
		walk_text(walk, "nobody on %s has the gateway's address %s", domain->far.link->name,
			  ip),
		there ? walk_text(walk, "%s of %s is %s", domain->far.link->name,
				  domain->far.place->name, walk_ip(walk, &there->cidr.ip))
		      : walk_text(walk,
				  "%s of %s has no address at all: a bridge that is a gateway "
				  "has one",
				  domain->far.link->name, domain->far.place->name),
		there ? place_command(place, walk->scene->arena, "ip",
				      "route replace default via %s",
				      walk_ip(walk, &there->cidr.ip))
		      : place_command(domain->far.place, walk->scene->arena, "ip",
				      "addr add %s/24 dev %s", ip, domain->far.link->name));
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

/* The bridge of a place answers with its own MAC for every address of the place. */
static int resolve(struct walk *walk, struct place *place, const struct link *link,
		   const struct domain *domain, const struct ip *next, struct mac *mac)
{
	const struct neigh *neigh = find_neigh(place, link, next);
	struct mac known = walk_known_mac(place, link, next);
	spots_t owners = { 0 };

	find_owners(walk, domain, place, next, &owners);
	if (!owners.n && !domain->open && !(known.set && neigh && neigh->state & NEIGH_PERMANENT))
		return stop_nobody(walk, place, link, domain, next);
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
	walk_tell(walk, "neighbour", mac->set ? "%s is %s%s" : "%s is asked for%s%s",
		  walk_ip(walk, next), mac->set ? walk_mac(walk, mac) : "",
		  known.set || !mac->set ? "" : " (the kernel will ask)");
	return WALK_ON;
}

/* ---- bridges ---- */

static int pvid_of(const struct place *place, const struct link *port)
{
	list_each(vlan, &place->vlans)
		if ((vlan->port == port->index) && vlan->pvid)
			return vlan->id;
	return 0;
}

static bool in_vlan(const struct place *place, const struct link *port, int id)
{
	list_each(vlan, &place->vlans)
		if (vlan->port == port->index && id >= vlan->id &&
		    id <= (vlan->last > vlan->id ? vlan->last : vlan->id))
			return true;
	return false;
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

static int check_vlan(struct walk *walk, struct place *place, const struct link *port, int vlan)
{
	if (in_vlan(place, port, vlan))
		return WALK_ON;
	return walk_stop(walk, "VLAN", walk_text(walk, "%s is not in VLAN %d", port->name, vlan),
			 "the bridge filters VLANs, and the frame is of that one",
			 place_command(place, walk->scene->arena, "bridge",
				       "vlan add dev %s vid %d%s", port->name, vlan,
				       streq(port->kind, "bridge") ? " self" : " pvid untagged"));
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

static int leave_by_port(struct walk *walk, struct place *place, const struct link *port,
			 const struct ip *next, const struct mac *mac)
{
	struct spot other;

	walk_fits(walk, place, port);
	if (scene_other_end(walk->scene, place, port, &other)) {
		walk_fits(walk, other.place, other.link);
		return walk_arrive(walk, other.place, other.link);
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
	int r = vlan ? check_vlan(walk, place, bridge, vlan) : WALK_ON;

	walk->port = in;
	if (r == WALK_ON)
		r = walk_frame(walk, place, NFT_INPUT, bridge, in, NULL);
	return r == WALK_ON ? walk_arrive(walk, place, bridge) : r;
}

/* A frame into a bridge: from a port, or from the host (in NULL). */
static int cross_bridge(struct walk *walk, struct place *place, const struct link *bridge,
			const struct link *in, const struct ip *next, const struct mac *mac)
{
	const struct link *out = NULL;
	const struct link *first = in ? in : bridge;
	int vlan = bridge->vlan_filtering ? pvid_of(place, first) : 0;
	int r = walk_link_up(walk, place, bridge);

	if (r == WALK_ON && in)
		r = check_port(walk, place, in);
	if (r == WALK_ON && bridge->vlan_filtering && !vlan)
		return walk_stop(
			walk, "VLAN", walk_text(walk, "%s has no VLAN of its own", first->name),
			"the bridge filters VLANs, and a frame without tag belongs to none",
			place_command(place, walk->scene->arena, "bridge",
				      "vlan add dev %s vid 1 pvid untagged%s", first->name,
				      in ? "" : " self"));
	if (r != WALK_ON)
		return r;
	if (in)
		walk_tell(walk, "bridge port", "%s of %s: forwarding%s%s%s", in->name, bridge->name,
			  in->isolated ? ", isolated" : "", in->hairpin ? ", hairpin" : "",
			  vlan ? walk_text(walk, ", VLAN %d", vlan) : "");
	if (!in)
		walk->sender = bridge->mac;
	else
		r = walk_frame(walk, place, NFT_PREROUTING, bridge, in, NULL);
	if (r == WALK_ON && in && mac_equal(mac, &bridge->mac))
		return into_bridge(walk, place, bridge, in, vlan);
	if (r == WALK_ON)
		r = choose_port(walk, place, bridge, mac, vlan, &out);
	if (r == WALK_ON && out)
		r = check_port(walk, place, out);
	if (r != WALK_ON || !out)
		return r;
	if (vlan)
		r = check_vlan(walk, place, out, vlan);
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

/* ---- leaving ---- */

static int through_veth(struct walk *walk, struct place *place, const struct link *link,
			const struct spot *other, const struct ip *next)
{
	struct domain domain = domain_of(walk, place, link);
	const struct link *bridge = master_of(other->place, other->link);
	struct mac mac = { .set = false };
	int r = resolve(walk, place, link, &domain, next, &mac);

	if (r != WALK_ON)
		return r;
	walk_fits(walk, other->place, other->link);
	walk->sender = link->mac;
	if (!bridge)
		return walk_arrive(walk, other->place, other->link);
	r = scene_enter(walk->scene, other->place, walk->err);
	if (r < 0)
		return r;
	walk_hop(walk, other->place, other->link->name);
	return cross_bridge(walk, other->place, bridge, other->link, next, &mac);
}

int walk_leave(struct walk *walk, struct place *place, const struct link *link,
	       const struct ip *next)
{
	struct mac mac = walk_known_mac(place, link, next);
	struct domain domain;
	struct spot other;
	int r;

	if (scene_other_end(walk->scene, place, link, &other))
		return through_veth(walk, place, link, &other, next);
	if (streq(link->kind, "bridge")) {
		domain = domain_of(walk, place, link);
		r = resolve(walk, place, link, &domain, next, &mac);
		return r == WALK_ON ? cross_bridge(walk, place, link, NULL, next, &mac) : r;
	}
	if (streq(link->kind, "vxlan"))
		return walk_far_vxlan(walk, place, link, next, &mac);
	if (streq(link->kind, "tun") && link->mode == LINK_TUN_TUN)
		return walk_far_relay(walk, place, link);
	if (streq(link->kind, "macvlan") || streq(link->kind, "ipvlan") ||
	    streq(link->kind, "vlan"))
		return walk_far_parent(walk, place, link, next);
	return walk_far_wire(walk, place, link, next);
}
