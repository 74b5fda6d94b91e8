/* A whole path: where it begins, the walk, and the answer to it. */
#include "node/walk.h"

#include <errno.h>
#include <netinet/in.h>

#include "kernel/fib.h"

/* clang-format off */
static const char *const level_names[] = { "fact", "note", "large", "stop", NULL };

static const struct field fact_fields[] = {
	{ "what", FIELD_STRING, offsetof(struct path_fact, what) },
	{ "text", FIELD_STRING, offsetof(struct path_fact, text) },
	{ "level", FIELD_ENUM, offsetof(struct path_fact, level), FIELD_KEEP_EMPTY, .names = level_names },
	{ "why", FIELD_STRING, offsetof(struct path_fact, why) },
	{ "remedy", FIELD_STRING, offsetof(struct path_fact, remedy) },
	FIELDS_END
};
static const struct field hop_fields[] = {
	{ "namespace", FIELD_STRING, offsetof(struct path_hop, place) },
	{ "interface", FIELD_STRING, offsetof(struct path_hop, device) },
	{ "answer", FIELD_BOOL, offsetof(struct path_hop, answer) },
	{ "facts", FIELD_LIST, offsetof(struct path_hop, facts), FIELD_KEEP_EMPTY,
	  .element = FIELD_OBJECT, .size = sizeof(struct path_fact), .fields = fact_fields },
	FIELDS_END
};
const struct field path_fields[] = {
	{ "version", FIELD_INT, offsetof(struct path, version) },
	{ "from", FIELD_STRING, offsetof(struct path, from) },
	{ "to", FIELD_STRING, offsetof(struct path, to) },
	{ "protocol", FIELD_STRING, offsetof(struct path, protocol) },
	{ "port", FIELD_PORT, offsetof(struct path, port) },
	{ "arrives", FIELD_BOOL, offsetof(struct path, arrives), FIELD_KEEP_EMPTY },
	{ "leaves", FIELD_BOOL, offsetof(struct path, leaves), FIELD_KEEP_EMPTY },
	{ "stopped", FIELD_BOOL, offsetof(struct path, stopped), FIELD_KEEP_EMPTY },
	{ "verdict", FIELD_STRING, offsetof(struct path, verdict) },
	{ "mtu", FIELD_INT, offsetof(struct path, mtu) },
	{ "token", FIELD_STRING, offsetof(struct path, token) },
	{ "hops", FIELD_LIST, offsetof(struct path, hops), FIELD_KEEP_EMPTY,
	  .element = FIELD_OBJECT, .size = sizeof(struct path_hop), .fields = hop_fields },
	FIELDS_END
};
/* clang-format on */

/* ---- the ends ---- */

static int find_destination(struct walk *walk, const char *word)
{
	struct place *place;
	const struct addr *addr;
	int family = walk->parcel.src.family ? walk->parcel.src.family : AF_INET;
	int r;

	if (ip_parse(word, &walk->parcel.dst))
		return 0;
	r = scene_find(walk->scene, word, &place, walk->err);
	if (r < 0)
		return r;
	addr = place_first_addr(place, 0, family);
	if (!addr && !walk->parcel.src.family)
		addr = place_first_addr(place, 0, AF_INET6);
	if (!addr)
		return fail(walk->err, ENOENT, "%s has no address that it could be reached by",
			    word);
	walk->parcel.dst = addr->cidr.ip;
	return 0;
}

/* Somebody outside: it comes in by the link that leads to it. */
static int come_from_outside(struct walk *walk)
{
	const struct fib_question question = { .dst = walk->parcel.src };
	struct place *here = walk->scene->here;
	struct fib_answer answer;
	const struct link *link;
	int r = scene_enter(walk->scene, here, walk->err);

	if (r >= 0)
		r = fib_ask(here->nl, &question, walk->scene->arena, &answer, walk->err);
	if (r < 0)
		return wrap(walk->err, "%s is no address of this node, and comes in by no link",
			    walk->query->from);
	link = place_link(here, answer.used.oif);
	return link ? walk_arrive(walk, here, link)
		    : fail(walk->err, ENODEV, "the link to %s has gone", walk->query->from);
}

static int start(struct walk *walk)
{
	const struct path_query *query = walk->query;
	bool by_address = ip_parse(query->from, &walk->parcel.src);
	spots_t spots = { 0 };
	int r = 0;

	if (by_address)
		scene_holders(walk->scene, &walk->parcel.src, &spots);
	if (spots.n)
		walk->origin = spots.items[0].place;
	else if (!by_address)
		r = scene_find(walk->scene, query->from, &walk->origin, walk->err);
	if (r >= 0)
		r = find_destination(walk, query->to);
	if (r < 0)
		return r;
	if (by_address && walk->parcel.src.family != walk->parcel.dst.family)
		return fail(walk->err, EINVAL, "%s and %s are of different families", query->from,
			    query->to);
	walk->path->to = walk_ip(walk, &walk->parcel.dst);
	return walk->origin ? walk_send(walk, walk->origin) : come_from_outside(walk);
}

/* ---- from another node ---- */

static const struct link *find_entrance(const struct place *here, const struct token *token)
{
	const struct addr *addr = place_addr(here, &token->to);

	list_each(link, &here->links) {
		if (token->way == TOKEN_VXLAN && streq(link->kind, "vxlan") &&
		    link->vxlan.vni == token->vni)
			return link;
		if (token->way == TOKEN_RELAY && streq(link->kind, "tun"))
			return link;
	}
	return token->way == TOKEN_WIRE && addr ? place_link(here, addr->index) : NULL;
}

static int go_on(struct walk *walk)
{
	struct place *here = walk->scene->here;
	struct token token;
	const struct link *link;
	int r = token_parse(walk->query->token, &token, walk->err);

	if (r >= 0)
		r = scene_enter(walk->scene, here, walk->err);
	if (r < 0)
		return r;
	walk->parcel = token.parcel;
	walk->mtu = walk->path->mtu = token.mtu;
	walk->path->from = walk_ip(walk, &token.parcel.src);
	walk->path->to = walk_ip(walk, &token.parcel.dst);
	walk->path->protocol = protocol_word(token.parcel.protocol);
	walk->path->port = token.parcel.port;
	link = find_entrance(here, &token);
	if (link && token.way == TOKEN_RELAY) {
		walk_hop(walk, here, link->name);
		r = walk_relay_works(walk, here, link);
	}
	if (r != WALK_ON)
		return r;
	if (link && place_addr(here, &token.to))
		return walk_arrive(walk, here, link);
	walk_hop(walk, here, NULL);
	if (!place_addr(here, &token.to))
		return walk_stop(
			walk, "node",
			walk_text(walk, "%s is no address of this node", walk_ip(walk, &token.to)),
			"the packet was sent there: this is another node, or its address has changed",
			"cnibox lease list, on both nodes");
	return walk_stop(
		walk, "tunnel",
		token.way == TOKEN_VXLAN
			? walk_text(walk, "this node has no VXLAN device of VNI %u", token.vni)
			: "this node has no device of a relay",
		"what comes out of the tunnel has nowhere to go", "start the node's agent");
}

/* ---- the answer ---- */

/* Another namespace has the address, too, and nothing else keeps the two apart on this way. */
static int stop_astray(struct walk *walk, const struct place *home)
{
	const struct spot *end = &walk->end;

	walk->path->arrives = false;
	return walk_stop(walk, "address",
			 walk_text(walk, "the answer to %s of %s comes to %s",
				   walk_ip(walk, &walk->parcel.dst), home->name, end->place->name),
			 "both have that address, and the way back leads to the other one",
			 place_command(end->place, walk->scene->arena, "ip", "addr show to %s",
				       walk_ip(walk, &walk->parcel.dst)));
}

/* To who sent, by all who changed the source: each changes it back where the answer comes to it. */
static int send_back(struct walk *walk, struct place *from)
{
	size_t n = walk->masquerades.n;
	int r = walk_send(walk, from);

	for (; r >= 0 && walk->path->arrives; n--) {
		const struct walk_masquerade *made = n ? &walk->masquerades.items[n - 1] : NULL;
		const struct place *home = made ? made->place : walk->origin;

		if (walk->end.place != home)
			return stop_astray(walk, home);
		if (!made)
			break;
		walk_tell(walk, "masquerade", "%s becomes %s again",
			  walk_ip(walk, &walk->parcel.dst), walk_ip(walk, &made->src));
		walk->parcel.dst = made->src;
		walk->path->arrives = false;
		walk->undone = true;
		r = walk_arrive(walk, walk->end.place, walk->end.link);
	}
	return r;
}

/* Followed back from where the packet arrived; shown only when it does not. */
static int follow_back(struct walk *walk, const struct parcel *sent)
{
	struct path *path = walk->path;
	size_t n = path->hops.n;
	struct place *from = walk->end.place;
	int r;

	path->verdict = "the packet arrives";
	if (walk->origin == from || !walk->origin)
		return 0;
	walk->back = true;
	walk->steps = 0;
	walk->parcel =
		(struct parcel){ .src = sent->dst, .dst = sent->src, .protocol = sent->protocol };
	path->arrives = false;
	r = send_back(walk, from);
	if (r < 0 || path->stopped)
		return r;
	path->verdict =
		path->arrives ? "the packet arrives, and the answer finds back"
			      : walk_text(walk, "the packet arrives; the answer %s", path->verdict);
	path->token = NULL;
	path->leaves = false;
	path->arrives = true;
	path->hops.n = n;
	return 0;
}

int path_follow(struct scene *scene, const struct path_query *query, struct path *path,
		struct error *err)
{
	struct walk walk = { .scene = scene,
			     .query = query,
			     .path = path,
			     .parcel = { .protocol = query->protocol, .port = query->port },
			     .err = err };
	struct parcel sent;
	int r;

	*path = (struct path){ .version = PATH_VERSION,
			       .from = query->from,
			       .to = query->to,
			       .protocol = protocol_word(query->protocol),
			       .port = query->port };
	r = query->token ? go_on(&walk) : start(&walk);
	if (r < 0)
		return r;
	sent = walk.parcel;
	if (path->arrives)
		r = follow_back(&walk, &sent);
	return r < 0 ? r : 0;
}
