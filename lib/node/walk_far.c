/* Where a packet leaves what can be looked at: tunnels to other nodes, wires, links on top of others. */
#include "node/walk_segment.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "describe/json.h"
#include "kernel/fib.h"
#include "kernel/hook.h"
#include "kernel/tunnel_program.h"

enum { VXLAN_PORT = 8472, VXLAN_ROOM_V4 = 50, VXLAN_ROOM_V6 = 70 };

static int leave_node(struct walk *walk, int way, uint32_t vni, const struct ip *to,
		      const char *verdict)
{
	const struct token token = {
		.parcel = walk->parcel, .mtu = walk->mtu, .way = way, .vni = vni, .to = *to
	};

	walk->path->leaves = true;
	walk->path->verdict = verdict;
	walk->path->token = token_text(&token, walk->scene->arena);
	return WALK_ENDED;
}

/* ---- VXLAN ---- */

static const struct fdb *find_end(const struct place *place, const struct link *link,
				  const struct mac *mac)
{
	static const struct mac flooded = { .set = true };
	const struct fdb *found = NULL;

	list_each(fdb, &place->fdbs)
		if (fdb->index == link->index && fdb->ip.family &&
		    (mac_equal(&fdb->mac, mac) || (!found && mac_equal(&fdb->mac, &flooded))))
			found = fdb;
	return found;
}

static const char *fdb_remedy(struct walk *walk, struct place *place, const struct link *link,
			      const struct mac *mac, const struct ip *node)
{
	return place_command(place, walk->scene->arena, "bridge",
			     "fdb replace %s dev %s dst %s self permanent", walk_mac(walk, mac),
			     link->name, walk_ip(walk, node));
}

/* What the lease says, and what the kernel has instead. */
static int check_peer(struct walk *walk, struct place *place, const struct link *link,
		      const struct mac *mac, const struct fdb *fdb, const struct peer_state *peer)
{
	bool v6 = !peer || !peer->lease->public_ip.family;
	const struct ip *node = !peer ? NULL
				: v6  ? &peer->lease->public_ip6
				      : &peer->lease->public_ip;
	char subnet[CIDR_TEXT_SIZE];

	if (!peer)
		return WALK_ON;
	walk_tell(walk, "lease", "%s is node %s, way %s", cidr_format(&peer->subnet, subnet),
		  walk_ip(walk, node), *peer->lease->type ? peer->lease->type : "udp");
	if (fdb && node->family == fdb->ip.family && !ip_equal(node, &fdb->ip))
		return walk_stop(
			walk, "FDB",
			walk_text(walk, "frames for %s go to node %s", walk_mac(walk, mac),
				  walk_ip(walk, &fdb->ip)),
			walk_text(walk, "the entry is stale: by its lease the subnet is node %s's",
				  walk_ip(walk, node)),
			fdb_remedy(walk, place, link, mac, node));
	if (!streq(peer->verdict, "ok"))
		return walk_stop(walk, "peer", peer->verdict,
				 "what the kernel has is not what the node's lease asks for",
				 "start the node's agent again: its first pass puts it right");
	return WALK_ON;
}

/* The datagram that carries the packet is sent by this node like any other. */
static int check_outer(struct walk *walk, struct place *place, const struct link *link,
		       const struct ip *to)
{
	struct fib_question question = { .dst = *to, .src = link->vxlan.local };
	struct parcel outer = { .src = link->vxlan.local,
				.dst = *to,
				.protocol = IPPROTO_UDP,
				.port = (uint16_t)(link->vxlan.port ? link->vxlan.port
								    : VXLAN_PORT) };
	int room = to->family == AF_INET ? VXLAN_ROOM_V4 : VXLAN_ROOM_V6;
	struct fib_answer answer;
	struct parcel inner = walk->parcel;
	struct filter_answer filter;
	const struct link *out;
	int r = fib_ask(place->nl, &question, walk->scene->arena, &answer, NULL);

	out = r < 0 ? NULL : place_link(place, answer.used.oif);
	if (!out)
		return walk_stop(
			walk, "tunnel",
			walk_text(walk, "there is no way to node %s", walk_ip(walk, to)),
			"the node's own network has no route to the other end of the tunnel",
			place_command(place, walk->scene->arena, "ip", "route get %s",
				      walk_ip(walk, to)));
	walk_tell(walk, "tunnel", "VXLAN %u to %s, UDP port %u, by %s (MTU %d)", link->vxlan.vni,
		  walk_ip(walk, to), outer.port, out->name, out->mtu);
	r = walk_link_up(walk, place, out);
	if (r != WALK_ON)
		return r;
	if (link->mtu + room > out->mtu)
		walk_note(walk, PATH_LARGE, "MTU",
			  walk_text(walk,
				    "packets of %s and the %d bytes of the tunnel do not fit in %s",
				    link->name, room, out->name),
			  "large packets are sent in fragments, which many networks drop",
			  place_command(place, walk->scene->arena, "ip", "link set %s mtu %d",
					link->name, out->mtu - room));
	walk->parcel = outer;
	r = walk_filter(walk, place, NFT_OUTPUT, NULL, out, &filter);
	if (r == WALK_ON)
		r = walk_exit(walk, place, out);
	walk->parcel = inner;
	return r;
}

int walk_far_vxlan(struct walk *walk, struct place *place, const struct link *link,
		   const struct ip *next, const struct mac *mac)
{
	const struct peer_state *peer = walk_peer(walk, &walk->parcel.dst);
	const struct fdb *fdb = mac->set ? find_end(place, link, mac) : NULL;
	int r;

	if (!mac->set && !link->vxlan.learning)
		return walk_stop(walk, "neighbour",
				 walk_text(walk, "%s has no hardware address on %s",
					   walk_ip(walk, next), link->name),
				 "nobody is asked for one in this tunnel: the agent puts it there",
				 "start the node's agent again: its first pass puts it right");
	if (mac->set)
		walk_tell(walk, "neighbour", "%s is %s", walk_ip(walk, next), walk_mac(walk, mac));
	r = check_peer(walk, place, link, mac, fdb, peer);
	if (r != WALK_ON)
		return r;
	if (!fdb && mac->set)
		return walk_stop(
			walk, "FDB",
			walk_text(walk, "%s has no entry for %s", link->name, walk_mac(walk, mac)),
			"frames for it go to no node",
			peer ? fdb_remedy(walk, place, link, mac, &peer->lease->public_ip)
			     : "start the node's agent again: its first pass puts it right");
	if (!fdb)
		return walk_far_wire(walk, place, link, next);
	walk_tell(walk, "FDB", "%s is behind node %s", walk_mac(walk, mac),
		  walk_ip(walk, &fdb->ip));
	r = check_outer(walk, place, link, &fdb->ip);
	return r == WALK_ON ? leave_node(walk, TOKEN_VXLAN, link->vxlan.vni, &fdb->ip,
					 walk_text(walk, "leaves for node %s, in VXLAN %u",
						   walk_ip(walk, &fdb->ip), link->vxlan.vni))
			    : r;
}

/* ---- the relay of the udp way ---- */

/* Its programs in the kernel stay when its process ends, and go on. */
int walk_relay_works(struct walk *walk, const struct place *place, const struct link *link)
{
	bool process = link->operstate != LINK_OPER_DOWN;
	hook_programs_t programs = { 0 };
	int r = hook_list(place->nl, link->index, TUNNEL_PROGRAM_PREFIX, walk->scene->arena,
			  &programs, NULL);

	if (r < 0)
		programs.n = 0;
	if (!process && !programs.n)
		return walk_stop(walk, "relay", walk_text(walk, "nobody reads from %s", link->name),
				 "the relay that carries packets to other nodes is not running",
				 "start the node's agent again (cnibox tun-relay)");
	walk_tell(walk, "relay", "%s%s", programs.n ? "programs in the kernel" : "a process",
		  process ? "" : "; its process does not run");
	return WALK_ON;
}

int walk_far_relay(struct walk *walk, struct place *place, const struct link *link)
{
	const struct peer_state *peer = walk_peer(walk, &walk->parcel.dst);
	const struct ip *node;
	char subnet[CIDR_TEXT_SIZE];
	int r = walk_relay_works(walk, place, link);

	if (r != WALK_ON)
		return r;
	if (!peer)
		return walk_far_wire(walk, place, link, &walk->parcel.dst);
	node = subnet_node(peer->lease);
	walk_tell(walk, "lease", "%s is node %s, way udp", cidr_format(&peer->subnet, subnet),
		  walk_ip(walk, node));
	return leave_node(walk, TOKEN_RELAY, 0, node,
			  walk_text(walk, "leaves for node %s, by the relay", walk_ip(walk, node)));
}

/* ---- wires ---- */

static bool wants_masquerade(const struct walk *walk)
{
	const struct cached *cached = walk->origin ? walk->origin->attachment : NULL;
	auto_json struct json *list =
		cached && cached->config ? json_parse(cached->config, cached->config_size, NULL)
					 : NULL;
	const struct json *plugins = json_member(list, "plugins");

	for (size_t i = 0; i < json_length(plugins); i++)
		if (json_true(json_member(json_item(plugins, i), "ipMasq")))
			return true;
	return false;
}

/* The outside does not know the way to a pod. */
static int check_source(struct walk *walk, const struct peer_state *peer)
{
	const char *src;
	bool wanted = wants_masquerade(walk);

	if (!walk->bare || peer || walk->back || ip_is_link_local(&walk->parcel.dst))
		return WALK_ON;
	src = walk_ip(walk, &walk->parcel.src);
	if (wanted)
		return walk_stop(
			walk, "masquerade", walk_text(walk, "%s is not masqueraded", src),
			walk_text(walk,
				  "network %s asks for it (ipMasq), and no rule does it: answers "
				  "do not find back",
				  walk->origin->attachment->network),
			walk_text(walk, "cnibox cni restore %s",
				  walk->origin->attachment->network));
	walk_note(walk, PATH_NOTE, "masquerade", walk_text(walk, "%s is not masqueraded", src),
		  "answers find back only if the outside has a route to it",
		  "set \"ipMasq\": true in the pod's network, if it has none");
	return WALK_ON;
}

int walk_far_wire(struct walk *walk, struct place *place, const struct link *link,
		  const struct ip *next)
{
	const struct peer_state *peer = walk_peer(walk, &walk->parcel.dst);
	struct mac mac = walk_known_mac(place, link, next);
	char subnet[CIDR_TEXT_SIZE];
	int r;

	if (peer && !streq(peer->verdict, "ok"))
		return walk_stop(walk, "peer", peer->verdict,
				 "what the kernel has is not what the node's lease asks for",
				 "start the node's agent again: its first pass puts it right");
	if (peer)
		walk_tell(walk, "lease", "%s is node %s, way %s",
			  cidr_format(&peer->subnet, subnet),
			  walk_ip(walk, &peer->lease->public_ip), peer->lease->type);
	list_each(neigh, &place->neighs)
		if (neigh->index == link->index && ip_equal(&neigh->ip, next) && !mac.set)
			return walk_stop(
				walk, "neighbour",
				walk_text(walk, "nobody answers for %s on %s", walk_ip(walk, next),
					  link->name),
				"the kernel asks for its hardware address, and gets no answer",
				place_command(place, walk->scene->arena, "ip", "neigh show dev %s",
					      link->name));
	walk_tell(walk, "neighbour", mac.set ? "%s is %s" : "%s will be asked for%s",
		  walk_ip(walk, next), mac.set ? walk_mac(walk, &mac) : "");
	r = check_source(walk, peer);
	return r == WALK_ON ? leave_node(walk, TOKEN_WIRE, 0, next,
					 walk_text(walk, "leaves %s by %s for %s", place->name,
						   link->name, walk_ip(walk, next)))
			    : r;
}

/* ---- macvlan, ipvlan, VLAN ---- */

bool walk_is_child(const struct link *link)
{
	return streq(link->kind, "macvlan") || streq(link->kind, "ipvlan") ||
	       streq(link->kind, "vlan");
}

/* Another link on the same parent, of the one who has the address. */
bool walk_find_sibling(struct walk *walk, const struct spot *parent, const struct link *link,
		       const struct ip *next, struct spot *sibling)
{
	spots_t spots = { 0 };
	struct spot other;

	scene_holders(walk->scene, next, &spots);
	list_each(spot, &spots)
		if (spot->link && spot->link != link && streq(spot->link->kind, link->kind) &&
		    scene_parent(walk->scene, spot->place, spot->link, &other) &&
		    other.link == parent->link && spot->link->vlan == link->vlan) {
			*sibling = *spot;
			return true;
		}
	return false;
}

bool walk_find_child(struct walk *walk, const struct place *place, const struct link *link,
		     const struct ip *ip, struct spot *child)
{
	spots_t spots = { 0 };
	struct spot parent;

	scene_holders(walk->scene, ip, &spots);
	list_each(spot, &spots)
		if (spot->link &&
		    (streq(spot->link->kind, "macvlan") || streq(spot->link->kind, "ipvlan")) &&
		    scene_parent(walk->scene, spot->place, spot->link, &parent) &&
		    parent.place == place && parent.link == link) {
			*child = *spot;
			return true;
		}
	return false;
}

/* Only two links of mode bridge are joined by their parent; others send all they have to the wire. ipvlan has its modes l2 and l3
 * beside that. */
int walk_check_modes(struct walk *walk, const struct link *link, const struct spot *sibling,
		     struct place *place)
{
	bool ipvlan = streq(link->kind, "ipvlan");
	bool mine = ipvlan ? link->apart : link->mode != LINK_MACVLAN_BRIDGE;
	struct place *whose = mine ? place : sibling->place;
	const struct link *apart = mine ? link : sibling->link;

	if (streq(link->kind, "vlan") || (!mine && (ipvlan || apart->mode == LINK_MACVLAN_BRIDGE)))
		return WALK_ON;
	return walk_stop(walk, "link",
			 walk_text(walk, "%s of %s is no %s link of mode bridge", apart->name,
				   whose->name, link->kind),
			 walk_text(walk, "the node passes nothing between it and %s of %s",
				   mine ? sibling->link->name : link->name,
				   mine ? sibling->place->name : place->name),
			 place_command(whose, walk->scene->arena, "ip",
				       "link set %s type %s bridge", apart->name,
				       ipvlan ? "ipvlan" : "macvlan mode"));
}

bool walk_parent_decides(struct walk *walk, struct place *place, const struct link *link,
			 const struct ip *next)
{
	struct spot parent, sibling;

	return walk_is_child(link) && scene_parent(walk->scene, place, link, &parent) &&
	       (walk_find_sibling(walk, &parent, link, next, &sibling) ||
		(place != parent.place && !streq(link->kind, "vlan") &&
		 place_addr(parent.place, next)));
}

int walk_far_parent(struct walk *walk, struct place *place, const struct link *link,
		    const struct ip *next, const struct spot *parent)
{
	struct spot sibling;
	bool vlan = streq(link->kind, "vlan");
	int r = scene_enter(walk->scene, parent->place, walk->err);

	walk_tell(walk, "parent", "%s of %s, MTU %d%s", parent->link->name, parent->place->name,
		  parent->link->mtu,
		  vlan ? walk_text(walk, ", with the tag of VLAN %d", link->vlan) : "");
	if (r == WALK_ON)
		r = walk_link_up(walk, parent->place, parent->link);
	if (r != WALK_ON)
		return r;
	walk_fits(walk, parent->place, parent->link);
	if (vlan) {
		walk->tag = link->vlan;
		return WALK_ON;
	}
	if (walk_find_sibling(walk, parent, link, next, &sibling)) {
		r = walk_check_modes(walk, link, &sibling, place);
		return r == WALK_ON ? walk_arrive(walk, sibling.place, sibling.link) : r;
	}
	if (place == parent->place || !place_addr(parent->place, next))
		return WALK_ON;
	return walk_stop(walk, "link",
			 walk_text(walk, "a %s link does not reach the node below it", link->kind),
			 walk_text(walk,
				   "%s is an address of %s itself, and %s passes nothing "
				   "between its parent and its children",
				   walk_ip(walk, next), parent->place->name, link->kind),
			 walk_text(walk, "give the node a %s link of its own on %s", link->kind,
				   parent->link->name));
}
