/* A packet in a namespace: sent from it, forwarded through it, delivered to it. */
#include "node/walk_segment.h"
#include "node/walk_vrf.h"

#include <errno.h>
#include <netinet/in.h>

#include "kernel/fib.h"

/* A port of the host that leads to a pod. */
static void translate(struct walk *walk, const struct filter_answer *answer)
{
	const char *from = walk_ip(walk, &walk->parcel.dst);
	uint16_t port = walk->parcel.port;

	if (!answer->to.family)
		return;
	walk->parcel.dst = answer->to;
	if (answer->to_port)
		walk->parcel.port = answer->to_port;
	walk->mapped = true;
	walk_tell(walk, "port map", "%s port %u leads to %s port %u%s%s", from, port,
		  walk_ip(walk, &walk->parcel.dst), walk->parcel.port, answer->owner ? ", " : "",
		  answer->owner ? answer->owner : "");
}

/* ---- delivery ---- */

static int check_address(struct walk *walk, struct place *place)
{
	const struct addr *addr = place_addr(place, &walk->parcel.dst);
	const struct link *link = addr ? place_link(place, addr->index) : NULL;

	if (link && addr->flags & ADDR_DADFAILED)
		return walk_stop(walk, "address",
				 walk_text(walk, "%s failed duplicate address detection",
					   walk_ip(walk, &addr->cidr.ip)),
				 "somebody else on the link has it, so that it is not used here",
				 place_command(place, walk->scene->arena, "ip",
					       "addr del %s/%u dev %s",
					       walk_ip(walk, &addr->cidr.ip), addr->cidr.prefix,
					       link->name));
	return WALK_ON;
}

/* In two namespaces: who gets the packet is a matter of luck. */
static int check_single(struct walk *walk, const struct ip *ip, struct place *mine)
{
	const struct addr *addr = place_addr(mine, ip);
	const struct spot at = { mine, addr ? place_link(mine, addr->index) : NULL };
	spots_t spots = { 0 };

	if (!ip_is_global_unicast(ip))
		return WALK_ON;
	scene_holders(walk->scene, ip, &spots);
	list_each(spot, &spots)
		if (spot->place != mine && spot->link && spot->link->flags & LINK_UP &&
		    !(at.link && segment_apart(walk, &at, spot)))
			return walk_stop(walk, "address",
					 walk_text(walk, "%s is in use twice: in %s and in %s",
						   walk_ip(walk, ip), mine->name,
						   spot->place->name),
					 "whoever answers first gets the packets of both",
					 place_command(spot->place, walk->scene->arena, "ip",
						       "addr del %s/%u dev %s", walk_ip(walk, ip),
						       place_addr(spot->place, ip)->cidr.prefix,
						       spot->link->name));
	return WALK_ON;
}

static int check_listener(struct walk *walk, const struct place *place)
{
	const struct parcel *parcel = &walk->parcel;
	const char *word = protocol_word(parcel->protocol);
	struct ip only;

	if (walk->back || !word || !parcel->port)
		return WALK_ON;
	if (place_listens(place, parcel, &only)) {
		walk_vrf_listener(walk, place);
		return WALK_ON;
	}
	if (!only.family && place == walk->scene->here && place != walk->origin && !walk->mapped)
		return walk_stop(
			walk, "port map",
			walk_text(walk, "%s port %u of this node is not mapped", word,
				  parcel->port),
			"no attachment has mapped it to a pod, and nothing on the node listens on it",
			"attach the pod with the capability portMappings: cnibox cni add "
			"NETWORK NAME --capability-args '{\"portMappings\":[...]}'");
	return walk_stop(
		walk, "socket",
		walk_text(walk, "nothing in %s listens on %s port %u", place->name, word,
			  parcel->port),
		only.family ? walk_text(walk, "what listens there does so on %s, and %s is sent to",
					walk_ip(walk, &only), walk_ip(walk, &parcel->dst))
			    : "the packet arrives, and its sender is told that the port is closed",
		place_command(place, walk->scene->arena, "ss", "-ln"));
}

int walk_hand_over(struct walk *walk, struct place *place, const struct link *link)
{
	int r = check_address(walk, place);

	if (r == WALK_ON)
		r = check_single(walk, &walk->parcel.dst, place);
	if (r == WALK_ON)
		r = check_listener(walk, place);
	if (r != WALK_ON)
		return r;
	walk->end = (struct spot){ place, link };
	walk->path->arrives = true;
	walk_tell(walk, "delivered", "%s is an address of %s", walk_ip(walk, &walk->parcel.dst),
		  place->name);
	return WALK_ENDED;
}

static int deliver(struct walk *walk, struct place *place, const struct link *link)
{
	struct filter_answer answer;
	const struct link *in = walk->vrf ? walk->vrf : link;
	int r = walk_filter(walk, place, NFT_INPUT, in, NULL, &answer);

	return r == WALK_ON ? walk_hand_over(walk, place, link) : r;
}

/* ---- forwarding ---- */

static int check_forwarding(struct walk *walk, struct place *place, const struct link *in)
{
	bool v4 = walk->parcel.dst.family == AF_INET;
	int on = v4 ? place_sysctl(place, 1, "net/ipv4/conf/%s/forwarding", in->name)
		    : place_sysctl(place, 1, "net/ipv6/conf/all/forwarding");
	bool all = v4 && place_sysctl(place, 1, "net/ipv4/ip_forward"); /* but not this link */
	const char *sysctl = !v4   ? "net.ipv6.conf.all.forwarding"
			     : all ? link_sysctl(in->name, "forwarding", walk->scene->arena)
				   : "net.ipv4.ip_forward";

	if (on)
		return WALK_ON;
	return walk_stop(walk, "forwarding",
			 walk_text(walk, "%s does not forward IPv%d packets that come in by %s",
				   place->name, v4 ? 4 : 6, in->name),
			 walk_text(walk, "%s is not one of its addresses, and the sysctl is 0",
				   walk_ip(walk, &walk->parcel.dst)),
			 place_command(place, walk->scene->arena, "sysctl", "-w %s=1", sysctl));
}

/* IPv4 takes nothing from a link that says it is from here. */
static int check_own(struct walk *walk, struct place *place, const struct link *in)
{
	if (!place_addr_in(place, &walk->parcel.src, walk->vrf) ||
	    place_sysctl(place, 0, "net/ipv4/conf/all/accept_local") ||
	    place_sysctl(place, 0, "net/ipv4/conf/%s/accept_local", in->name))
		return WALK_ON;
	return walk_stop(walk, "address",
			 walk_text(walk, "%s comes in by %s, and is an address of %s itself",
				   walk_ip(walk, &walk->parcel.src), in->name, place->name),
			 "the kernel drops what claims to be from the one that it comes to", NULL);
}

/* IPv4: is the way back to the source by the link that it came in by (1), or any (2)? */
int walk_check_reverse_path(struct walk *walk, struct place *place, const struct link *in)
{
	struct fib_question question = { .dst = walk->parcel.src,
					 .out = walk->vrf ? walk->vrf->index : 0,
					 .mark = walk->parcel.mark };
	int all = place_sysctl(place, 0, "net/ipv4/conf/all/rp_filter");
	int own = place_sysctl(place, 0, "net/ipv4/conf/%s/rp_filter", in->name);
	int mode = all > own ? all : own;
	struct fib_answer answer;
	int r;

	r = walk->parcel.src.family == AF_INET ? check_own(walk, place, in) : WALK_ON;
	if (r != WALK_ON || walk->parcel.src.family != AF_INET || !mode)
		return r;
	r = fib_ask(place->nl, &question, walk->scene->arena, &answer, NULL);
	if (r >= 0 && (mode == 2 || answer.used.oif == in->index))
		return WALK_ON;
	return walk_stop(
		walk, "rp_filter",
		walk_text(walk, "%s is not expected to come in by %s",
			  walk_ip(walk, &walk->parcel.src), in->name),
		walk_text(walk,
			  "rp_filter is %d there, and the route to that address does not lead "
			  "out by it",
			  mode),
		place_command(
			place, walk->scene->arena, "sysctl", "-w %s=%d",
			link_sysctl(all > own ? "all" : in->name, "rp_filter", walk->scene->arena),
			r < 0 ? 0 : 2));
}

/* What policy-iptables has in force on this node. */
int walk_policy(struct walk *walk, const struct place *place)
{
	struct policy_answer answer;
	int r;

	if (walk->back || place != walk->scene->here)
		return WALK_ON;
	r = policy_ask(&walk->policies, &walk->parcel, walk->scene->arena, &answer, walk->err);
	if (r < 0)
		return r;
	if (answer.denied)
		return walk_stop(
			walk, "policy", answer.text,
			"none of the rules of the policies that select the pod lets it pass",
			walk_text(walk, "cnibox policy-iptables explain %s %s %u",
				  walk_ip(walk, &walk->parcel.src),
				  walk_ip(walk, &walk->parcel.dst), walk->parcel.port));
	if (answer.text)
		walk_tell(walk, "policy", "%s", answer.text);
	return WALK_ON;
}

/* The sender is told what fits by ICMP. */
void walk_check_mtu(struct walk *walk, const struct place *place, const struct route *used,
		    const struct link *out)
{
	int mtu = used->mtu ? (int)used->mtu : out->mtu;

	if (!walk->mtu) {
		walk->mtu = mtu;
		walk->path->mtu = mtu;
	} else if (mtu < walk->mtu && !walk->back) {
		walk_note(walk, PATH_NOTE, "MTU",
			  walk_text(walk, "%s takes %d bytes, less than the %d that are sent",
				    out->name, mtu, walk->mtu),
			  walk_text(walk,
				    "%s tells the sender so by ICMP; where that is filtered, "
				    "connections hang",
				    place->name),
			  walk->origin && walk->first
				  ? place_command(walk->origin, walk->scene->arena, "ip",
						  "link set %s mtu %d", walk->first, mtu)
				  : NULL);
		walk->mtu = mtu;
		walk->path->mtu = mtu;
	}
}

static const struct addr *source_for(const struct place *place, const struct route *used)
{
	const struct addr *addr = used->src.family ? place_addr(place, &used->src) : NULL;

	return addr ? addr : place_first_addr(place, used->oif, used->dst.ip.family);
}

/* A pod's own address leaves, unless it is masqueraded. */
int walk_post_routing(struct walk *walk, struct place *place, const struct link *in,
		      const struct link *out, const struct route *used)
{
	struct filter_answer answer;
	const struct addr *source;
	int r = walk_filter(walk, place, NFT_POSTROUTING, in, out, &answer);

	if (r != WALK_ON)
		return r;
	source = source_for(place, used);
	if (!answer.from.family && source)
		answer.from = source->cidr.ip;
	if (answer.masqueraded && answer.from.family) {
		walk_tell(walk, "masquerade", "%s becomes %s", walk_ip(walk, &walk->parcel.src),
			  walk_ip(walk, &answer.from));
		*list_add(walk->scene->arena, &walk->masquerades) =
			(struct walk_masquerade){ place, walk->parcel.src };
		walk->parcel.src = answer.from;
	} else if (in && place == walk->scene->here && !walk->back) {
		walk->bare = place->name;
	}
	return WALK_ON;
}

int walk_out(struct walk *walk, struct place *place, const struct link *in,
	     const struct fib_answer *answer)
{
	const struct route *used = &answer->used;
	const struct link *out = place_link(place, used->oif);
	int r;

	if (!out)
		return walk_stop(walk, "link", "the link of the route has gone", NULL, NULL);
	walk_other_hops(walk, place, in, answer);
	walk_tell(walk, "out", "%s, MTU %d", out->name, out->mtu);
	r = walk_link_up(walk, place, out);
	if (r != WALK_ON)
		return r;
	walk_check_mtu(walk, place, used, out);
	if (in) {
		struct filter_answer filter;

		r = walk_filter(walk, place, NFT_FORWARD, walk_vrf_entered(walk, place, in), out,
				&filter);
		if (r == WALK_ON)
			r = walk_policy(walk, place);
	}
	if (r == WALK_ON)
		r = walk_post_routing(walk, place, in, out, used);
	return r == WALK_ON ? walk_leave(walk, place, out,
					 used->gw.family ? &used->gw : &walk->parcel.dst)
			    : r;
}

/* A VLAN link takes it, be it in another namespace, or nobody. */
static int arrive_tagged(struct walk *walk, struct place *place, const struct link *link)
{
	struct spot receiver;

	if (!segment_receiver(walk, place, link, walk->tag, &receiver))
		return walk_stop(
			walk, "VLAN",
			walk_text(walk, "%s has no VLAN link for VLAN %d", link->name, walk->tag),
			"the frame has the tag of that VLAN, and nobody takes it",
			place_command(place, walk->scene->arena, "ip",
				      "link add link %s name %s.%d type vlan id %d", link->name,
				      link->name, walk->tag, walk->tag));
	walk_tell(walk, "VLAN", "frames of VLAN %d are %s's of %s", walk->tag, receiver.link->name,
		  receiver.place->name);
	walk->tag = 0;
	walk->port = NULL;
	return walk_arrive(walk, receiver.place, receiver.link);
}

int walk_arrive(struct walk *walk, struct place *place, const struct link *link)
{
	struct filter_answer filter;
	struct fib_answer answer;
	struct spot child;
	bool local, undone = walk->undone;
	int r = scene_enter(walk->scene, place, walk->err);

	walk_hop(walk, place, link->name);
	walk->vrf = place_vrf(place, link);
	walk->undone = false;
	if (r < 0)
		return r;
	if (++walk->steps > WALK_STEPS_MAX)
		return walk_stop(walk, "route", "the packet goes round in circles",
				 "its time to live ends before it arrives anywhere", NULL);
	r = walk_link_up(walk, place, link);
	if (r == WALK_ON && !undone)
		r = walk_enter(walk, place, link);
	if (r == WALK_ON && walk->tag)
		return arrive_tagged(walk, place, link);
	if (r == WALK_ON && walk_find_child(walk, place, link, &walk->parcel.dst, &child) &&
	    (!undone || walk_ipvlan_late(child.link))) {
		walk_tell(walk, "child", "frames for %s are %s's of %s",
			  walk_mac(walk, &child.link->mac), child.link->name, child.place->name);
		if (walk_ipvlan_late(child.link))
			return walk_ipvlan_receive(walk, &(struct spot){ place, link }, &child);
		return walk_arrive(walk, child.place, child.link);
	}
	if (r == WALK_ON)
		r = walk_filter(walk, place, NFT_PREROUTING, link, NULL, &filter);
	if (r == WALK_ON && walk->vrf && !filter.to.family)
		r = walk_filter(walk, place, NFT_PREROUTING, walk->vrf, NULL, &filter);
	if (r != WALK_ON)
		return r;
	translate(walk, &filter);
	if (!filter.to.family ||
	    !place_sysctl(place, 0, "net/bridge/bridge-nf-call-%s",
			  walk->parcel.dst.family == AF_INET ? "iptables" : "ip6tables"))
		walk->port = NULL; /* it is routed, whatever it came in by */
	local = walk_is_local(walk, place);
	if (!local)
		r = check_forwarding(walk, place, link);
	if (r == WALK_ON)
		r = walk_check_reverse_path(walk, place, link);
	if (r == WALK_ON && local)
		return deliver(walk, place, link);
	if (r == WALK_ON)
		r = walk_ask_route(walk, place, link, &answer);
	return r == WALK_ON ? walk_out(walk, place, link, &answer) : r;
}

/* The first route chooses the source; rules for what is sent see both. NULL = there is none, which is told later. */
static const struct link *choose_source(struct walk *walk, struct place *place)
{
	const struct fib_question question = { .dst = walk->parcel.dst,
					       .src = walk->parcel.src,
					       .out = walk->vrf ? walk->vrf->index : 0,
					       .mark = walk->parcel.mark,
					       .protocol = walk->parcel.protocol,
					       .port = walk->parcel.port };
	struct fib_answer answer;

	if (fib_ask(place->nl, &question, walk->scene->arena, &answer, NULL) < 0)
		return NULL;
	if (!walk->parcel.src.family)
		walk->parcel.src = answer.used.src;
	return place_link(place, answer.used.oif);
}

/* Out by a link that gives it back at once. */
static int to_itself(struct walk *walk, struct place *place, const struct link *lo)
{
	int r = walk_link_up(walk, place, lo);

	if (r == WALK_ON)
		r = walk_exit(walk, place, lo);
	if (r == WALK_ON)
		r = walk_enter(walk, place, lo);
	return r == WALK_ON ? deliver(walk, place, lo) : r;
}

int walk_send(struct walk *walk, struct place *place)
{
	struct filter_answer filter = { .dropped = false };
	struct fib_answer answer = { 0 };
	const struct link *out;
	int r = scene_enter(walk->scene, place, walk->err);

	if (r < 0)
		return r;
	walk_hop(walk, place, NULL);
	walk_vrf_choose(walk, place);
	r = walk->vrf ? walk_link_up(walk, place, walk->vrf) : WALK_ON;
	if (r != WALK_ON)
		return r;
	if (walk->vrf && !walk->back)
		r = walk_filter(walk, place, NFT_OUTPUT, NULL, walk->vrf, &filter);
	if (r == WALK_ON && !walk->back && walk->parcel.src.family)
		r = check_single(walk, &walk->parcel.src, place);
	if (r == WALK_ON)
		r = walk_filter(walk, place, NFT_OUTPUT, NULL, choose_source(walk, place), &filter);
	if (r != WALK_ON)
		return r;
	translate(walk, &filter);
	r = walk_ask_route(walk, place, NULL, &answer);
	if (r != WALK_ON)
		return r;
	out = place_link(place, answer.used.oif);
	if (out)
		walk->path->hops.items[walk->path->hops.n - 1].device = out->name;
	if (out && !walk->back)
		walk->first = out->name;
	if (out && answer.used.type == ROUTE_LOCAL)
		return to_itself(walk, place, out);
	if (!walk->back)
		r = check_single(walk, &walk->parcel.src, place);
	return r == WALK_ON ? walk_out(walk, place, NULL, &answer) : r;
}
