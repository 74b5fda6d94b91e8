/* Which way a packet takes out of a namespace, or why there is none. */
#include "node/walk_segment.h"
#include "node/walk_vrf.h"

#include <errno.h>
#include <netinet/in.h>

#include "kernel/fib.h"

/* ---- words ---- */

static const char *route_text(struct walk *walk, const struct place *place,
			      const struct fib_question *question, const struct fib_answer *answer,
			      const char *in)
{
	const struct route *entry = &answer->entry, *used = &answer->used;
	const struct link *link = place_link(place, used->oif);
	/* Without rules of somebody's the kernel keeps both in one, and says main. */
	uint32_t number = entry->table == ROUTE_TABLE_MAIN && entry->type == ROUTE_LOCAL
				  ? ROUTE_TABLE_LOCAL
				  : entry->table;
	const struct rule *rule = fib_rule(&place->rules->list, question, in, number);
	const char *table = number == ROUTE_TABLE_MAIN    ? "main"
			    : number == ROUTE_TABLE_LOCAL ? "local"
							  : walk_text(walk, "%u", number);
	char dst[CIDR_TEXT_SIZE];

	const struct link *vrf = walk->vrf && walk->vrf->table == number ? walk->vrf : NULL;

	return walk_text(walk, "%s%s%s%s%s (table %s, %s)",
			 entry->dst.prefix ? cidr_format(&entry->dst, dst) : "default",
			 used->gw.family ? " via " : "",
			 used->gw.family ? walk_ip(walk, &used->gw) : "", link ? " dev " : "",
			 link ? link->name : "", table,
			 vrf    ? walk_text(walk, "VRF %s", vrf->name)
			 : rule ? walk_text(walk, "rule %u", rule->priority)
				: "no plain rule");
}

/* The address that a pod's gateway would have: of what is on the other side of its veths. */
static const struct addr *guess_gateway(struct walk *walk, struct place *place, int family)
{
	list_each(link, &place->links) {
		struct spot other;
		const struct addr *addr;

		if (!scene_other_end(walk->scene, place, link, &other))
			continue;
		addr = place_first_addr(other.place,
					other.link->master ? other.link->master : other.link->index,
					family);
		if (addr)
			return addr;
	}
	return NULL;
}

/* The link of this place behind which another has the address: its bridge, or a veth of its own. */
static const struct link *link_to_holder(struct walk *walk, struct place *place,
					 const struct ip *ip)
{
	list_each(link, &place->links) {
		struct spot other;

		if (scene_other_end(walk->scene, place, link, &other) && other.place != place &&
		    place_addr(other.place, ip))
			return segment_bridge(place, link) ? segment_bridge(place, link) : link;
	}
	return NULL;
}

static const char *holder_word(const struct link *holder)
{
	return streq(holder->kind, "bridge") ? "behind" : "at the other end of";
}

/* IPv6 addresses go when a link goes down: in a pod any link that is down could be the one that had them. */
static const struct link *down_link(const struct walk *walk, const struct place *place)
{
	bool any = walk->parcel.dst.family == AF_INET6 && place != walk->scene->here;

	list_each(link, &place->links)
		if (!(link->flags & (LINK_UP | LINK_LOOPBACK)) &&
		    (any || place_first_addr(place, link->index, AF_INET)))
			return link;
	return NULL;
}

/* Only the table of the VRF is asked: its own default route, be it unreachable, is as good as none. */
static int stop_in_vrf(struct walk *walk, struct place *place)
{
	const struct ip *dst = &walk->parcel.dst;
	const char *to = walk_ip(walk, dst), *v6 = dst->family == AF_INET6 ? "-6 " : "";
	const struct link *holder = link_to_holder(walk, place, dst);
	const struct link *other = holder ? place_vrf(place, holder) : NULL;
	const char *why = walk_text(walk, "only its own table, %u, is asked", walk->vrf->table);

	if (!walk_vrfs_asked(place, dst->family))
		return walk_stop(
			walk, "route",
			walk_text(walk, "no rule of %s has the tables of VRFs asked", place->name),
			walk_text(walk, "it is in VRF %s, and other tables have no way to %s",
				  walk->vrf->name, to),
			place_command(place, walk->scene->arena, "ip",
				      "%srule add pref 1000 l3mdev", v6));
	if (holder && other != walk->vrf)
		why = walk_text(walk, "it is %s %s, which is in %s%s", holder_word(holder),
				holder->name, other ? "VRF " : "none", other ? other->name : "");
	return walk_stop(walk, "route",
			 walk_text(walk, "VRF %s of %s has no route to %s", walk->vrf->name,
				   place->name, to),
			 why,
			 holder ? place_command(place, walk->scene->arena, "ip",
						"route add %s/%u dev %s vrf %s", to, ip_bits(dst),
						holder->name, walk->vrf->name)
				: place_command(place, walk->scene->arena, "ip",
						"route add %s via GATEWAY vrf %s", to,
						walk->vrf->name));
}

static int stop_without_route(struct walk *walk, struct place *place)
{
	const struct ip *dst = &walk->parcel.dst;
	const char *to = walk_ip(walk, dst);
	const struct link *down = down_link(walk, place), *holder;
	const struct addr *gateway;
	const struct peer_state *peer = walk_peer(walk, dst);
	const struct link *in_a_vrf = walk_vrf_with_route(walk, place);
	char subnet[CIDR_TEXT_SIZE];

	if (walk->vrf)
		return stop_in_vrf(walk, place);
	if (in_a_vrf)
		return walk_stop(
			walk, "route", walk_text(walk, "%s has no route to %s", place->name, to),
			walk_text(walk,
				  "its VRF %s has one, for those that are sent in it: by a program "
				  "in it, or from its addresses",
				  in_a_vrf->name),
			place_command(place, walk->scene->arena, "ip", "vrf exec %s COMMAND",
				      in_a_vrf->name));
	if (down && !walk->back)
		return walk_stop(
			walk, "link", walk_text(walk, "%s is down", down->name),
			walk_text(walk, "its routes went with it, and no other leads to %s", to),
			place_command(place, walk->scene->arena, "ip", "link set %s up",
				      down->name));
	if (peer)
		return walk_stop(
			walk, "route",
			walk_text(walk, "there is no route to %s",
				  cidr_format(&peer->subnet, subnet)),
			walk_text(walk,
				  "it is the subnet of node %s, whose route the agent has to make",
				  walk_ip(walk, &peer->lease->public_ip)),
			"start the node's agent again: its first pass makes the route");
	holder = link_to_holder(walk, place, dst);
	if (holder)
		return walk_stop(
			walk, "route", walk_text(walk, "%s has no route to %s", place->name, to),
			walk_text(walk, "it is %s %s", holder_word(holder), holder->name),
			place_command(place, walk->scene->arena, "ip", "route add %s/%u dev %s", to,
				      ip_bits(dst), holder->name));
	gateway = place == walk->scene->here ? NULL : guess_gateway(walk, place, dst->family);
	return walk_stop(
		walk, "route", walk_text(walk, "%s has no route to %s", place->name, to),
		walk->back && walk->bare
			? walk_text(walk, "%s left %s without being masqueraded", to, walk->bare)
			: "no route of its tables fits, and there is no default route",
		gateway ? place_command(place, walk->scene->arena, "ip", "route add default via %s",
					walk_ip(walk, &gateway->cidr.ip))
			: place_command(place, walk->scene->arena, "ip", "route add %s via GATEWAY",
					to));
}

/* The most specific route of that type, in any table. */
static const struct route *find_refusal(struct walk *walk, struct place *place, int type)
{
	const struct ip *dst = &walk->parcel.dst;
	const struct route *found = NULL;
	routes_t routes = { 0 };

	if (route_list(place->nl, dst->family, 0, 0, walk->scene->arena, &routes, NULL) < 0)
		return NULL;
	list_each(route, &routes)
		if (route->type == type && cidr_contains(&route->dst, dst) &&
		    (!found || route->dst.prefix > found->dst.prefix))
			found = route;
	return found;
}

/* The rule that asks no table, else the route itself, if it can be found. */
static const char *refusal_remedy(struct walk *walk, struct place *place,
				  const struct fib_question *question, const char *in,
				  const char *kind, int type)
{
	const struct rule *rule = fib_rule(&place->rules->list, question, in, 0);
	const struct route *found;
	char text[CIDR_TEXT_SIZE];

	if (rule && rule->refuses == type)
		return place_command(place, walk->scene->arena, "ip", "%srule del pref %u",
				     walk->parcel.dst.family == AF_INET6 ? "-6 " : "",
				     rule->priority);
	found = find_refusal(walk, place, type);
	return found ? place_command(place, walk->scene->arena, "ip", "route del %s %s table %u",
				     kind, cidr_format(&found->dst, text), found->table)
		     : NULL;
}

/* The default route of a VRF may be one that ends the search there. */
static bool refuses_all(struct walk *walk, struct place *place)
{
	const struct route *found = find_refusal(walk, place, ROUTE_UNREACHABLE);

	return found && !found->dst.prefix && found->table == walk->vrf->table;
}

static int stop_by_error(struct walk *walk, struct place *place,
			 const struct fib_question *question, const char *in, int errnum)
{
	static const struct {
		int errnum, type;
		const char *kind;
	} kinds[] = {
		{ EACCES, ROUTE_PROHIBIT, "prohibit" },
		{ EINVAL, ROUTE_BLACKHOLE, "blackhole" },
		{ 0, ROUTE_UNREACHABLE, "unreachable" },
	};
	size_t i = 0;

	while (kinds[i].errnum && kinds[i].errnum != errnum)
		i++;
	return walk_stop(walk, "route",
			 walk_text(walk, "%s %s route has %s", kinds[i].errnum ? "a" : "an",
				   kinds[i].kind, walk_ip(walk, &walk->parcel.dst)),
			 "somebody made a route or a rule that refuses such packets",
			 refusal_remedy(walk, place, question, in, kinds[i].kind, kinds[i].type));
}

/* ---- routing ---- */

static bool is_everybody(const struct ip *ip)
{
	return ip->family == AF_INET && memcmp(ip->bytes, "\xff\xff\xff\xff", 4) == 0;
}

static int refuse_many(struct walk *walk)
{
	return fail(walk->err, EINVAL, "%s is for all on a link: a path leads to one receiver",
		    walk_ip(walk, &walk->parcel.dst));
}

bool walk_is_local(struct walk *walk, const struct place *place)
{
	const struct fib_question question = { .dst = walk->parcel.dst,
					       .out = walk->vrf ? walk->vrf->index : 0 };
	struct fib_answer answer;

	return place_addr_in(place, &walk->parcel.dst, walk->vrf) ||
	       (fib_ask(place->nl, &question, walk->scene->arena, &answer, NULL) >= 0 &&
		answer.used.type == ROUTE_LOCAL);
}

static int ask_route(struct walk *walk, struct place *place, const struct fib_question *question,
		     const char *in, struct fib_answer *answer)
{
	struct error why = { 0 };
	int r;

	if (ip_is_multicast(&walk->parcel.dst) || is_everybody(&walk->parcel.dst))
		return refuse_many(walk);
	r = fib_ask(place->nl, question, walk->scene->arena, answer, &why);
	if (r == -ENETUNREACH || r == -ENODEV || r == -EADDRNOTAVAIL)
		return stop_without_route(walk, place);
	if (r == -EHOSTUNREACH && walk->vrf && refuses_all(walk, place))
		return stop_in_vrf(walk, place);
	if (r == -EHOSTUNREACH || r == -EACCES || r == -EINVAL || r == -EXDEV)
		return stop_by_error(walk, place, question, in, -r);
	if (r < 0)
		return fail(walk->err, -r, "%s: %s", place->name, why.message);
	if (answer->used.type == ROUTE_BROADCAST)
		return refuse_many(walk);
	walk_tell(walk, "route", "%s", route_text(walk, place, question, answer, in));
	return WALK_ON;
}

int walk_ask_route(struct walk *walk, struct place *place, const struct link *in,
		   struct fib_answer *answer)
{
	const struct fib_question question = { .dst = walk->parcel.dst,
					       .src = walk->parcel.src,
					       .in = in ? in->index : 0,
					       .out = !in && walk->vrf ? walk->vrf->index : 0,
					       .mark = walk->parcel.mark,
					       .protocol = walk->parcel.protocol,
					       .port = walk->parcel.port };

	return ask_route(walk, place, &question, in ? in->name : "lo", answer);
}

int walk_ask_route_by(struct walk *walk, struct place *place, const struct link *out,
		      struct fib_answer *answer)
{
	const struct fib_question question = { .dst = walk->parcel.dst, .out = out->index };

	return ask_route(walk, place, &question, "lo", answer);
}
