/*
 * A compiled node as rules of iptables. Matches that cost little stand in front; every rule has a comment that says what
 * it is there for, by which it is read back (iptables_read.c).
 */
#include "policy/iptables.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/text.h"
#include "policy/set.h"

#define PORT_SLOTS  15  /* of multiport; a range takes two */
#define COMMENT_MAX 255 /* bytes */
/* Source and destination are the same: cBPF over the header, byte code as iptables takes it. */
#define SAME_V4 "6,32 0 0 12,7 0 0 0,32 0 0 16,29 0 1 0,6 0 0 1,6 0 0 0"
#define SAME_V6                                                                         \
	"18,32 0 0 8,7 0 0 0,32 0 0 24,29 0 13 0,32 0 0 12,7 0 0 0,32 0 0 28,29 0 9 0," \
	"32 0 0 16,7 0 0 0,32 0 0 32,29 0 5 0,32 0 0 20,7 0 0 0,32 0 0 36,29 0 1 0,"    \
	"6 0 0 1,6 0 0 0"

const char *const ipt_dispatch[DIRECTIONS] = { "CNIBOX-IN", "CNIBOX-OUT" };
static const char *const own_side[] = { "dst", "src" };
static const char *const peer_side[] = { "src", "dst" };
static const char *const protocols[] = { "tcp", "udp", "sctp" };
static const char *const actions[] = { "accept", "deny", "pass" };

struct out {
	const struct compiled *compiled;
	const struct ipt_form *form;
	bool v6;
	struct arena *arena;
	ipt_chains_t *chains;
	LIST(const struct group *) groups; /* by name: their own order is that of objects */
};

const char *ipt_set_name(const char *name, bool v6, struct arena *arena)
{
	return arena_printf(arena, "%s%c", name, v6 ? '6' : '4');
}

const struct ipt_chain *ipt_chain_of(const ipt_chains_t *chains, const char *name)
{
	list_each(chain, chains)
		if (streq(chain->name, name))
			return chain;
	return NULL;
}

static void open_chain(struct out *out, const char *name)
{
	list_add(out->arena, out->chains)->name = name;
}

/* To the chain opened last; text is the arena's. */
static void add(struct out *out, const char *text)
{
	*list_add(out->arena, &out->chains->items[out->chains->n - 1].rules) = text;
}

#define add_rule(out, ...) add((out), arena_printf((out)->arena, __VA_ARGS__))

/* " -m set --match-set name sides", "" without a set. */
static const char *match_set(const struct out *out, uint32_t set, const char *sides)
{
	if (set >= out->compiled->sets.n)
		return "";
	return arena_printf(out->arena, "-m set --match-set %s %s ",
			    ipt_set_name(out->compiled->sets.items[set].name, out->v6, out->arena),
			    sides);
}

static void add_log(struct out *out, const char *matches, const char *prefix)
{
	if (out->form->treatment.nflog)
		add_rule(out,
			 "%s-m limit --limit 10/sec --limit-burst 50 -m comment --comment log "
			 "-j NFLOG --nflog-prefix %s --nflog-group %u",
			 matches, prefix, out->form->treatment.nflog);
}

static void add_deny(struct out *out, const char *comment, const char *prefix)
{
	add_log(out, "", prefix);
	add_rule(out, "-m comment --comment %s -g %s", comment, IPT_DENY);
}

/* ---- clauses ---- */

/* Ranges from *i on that fit into one rule: "80,443,8000:8100". */
static const char *dports(const port_ranges_t *ranges, size_t *i, struct arena *arena)
{
	const char *text = "";

	for (unsigned slots = 0; *i < ranges->n; ++*i) {
		const struct ports *range = &ranges->items[*i];
		const char *comma = slots ? "," : "";

		slots += range->first == range->last ? 1 : 2;
		if (slots > PORT_SLOTS)
			break;
		text = range->first == range->last
			       ? arena_printf(arena, "%s%s%u", text, comma, range->first)
			       : arena_printf(arena, "%s%s%u:%u", text, comma, range->first,
					      range->last);
	}
	return text;
}

static const char *clause_target(const char *chain, const char *tier, const struct clause *clause,
				 struct arena *arena)
{
	if (clause->action == ACTION_DENY)
		return "-g " IPT_DENY;
	if (clause->action == ACTION_PASS && streq(tier, "admin"))
		return arena_printf(arena, "-g %sP", chain);
	return "-j RETURN";
}

/* One rule, or several when there are more ports than one takes. */
static void add_clause(struct out *out, const struct group *group, const char *tier,
		       const struct clause *clause)
{
	enum direction direction = group->direction;
	const char *peer = peer_side[direction], *target, *sets;
	size_t i = 0;

	target = clause_target(group->name, tier, clause, out->arena);
	sets = arena_printf(out->arena, "%s%s%s", match_set(out, clause->peers, peer),
			    match_set(out, clause->pairs, arena_printf(out->arena, "%s,dst", peer)),
			    match_set(out, clause->named, "dst,dst"));
	do {
		const char *more = i ? " +" : "", *protocol = "", *ports = "", *matches;

		if (clause->ported && clause->protocol < ARRAY_SIZE(protocols))
			protocol = arena_printf(out->arena, "-p %s ", protocols[clause->protocol]);
		if (clause->ported && clause->ports.n)
			ports = arena_printf(out->arena, "-m multiport --dports %s ",
					     dports(&clause->ports, &i, out->arena));
		matches = arena_printf(out->arena, "%s%s%s", protocol, ports, sets);
		if (clause->action == ACTION_DENY)
			add_log(out, matches, group->name);
		add_rule(out, "%s-m comment --comment \"%s %s%s\" %s", matches, tier,
			 actions[clause->action], more, target);
	} while (clause->ported && i < clause->ports.n);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The order of the last rules means nothing, and depends on that of the objects: here it is that of the text. */
static void sort_from(struct out *out, size_t first)
{
	struct ipt_chain *chain = &out->chains->items[out->chains->n - 1];

	if (chain->rules.n > first + 1)
		qsort(chain->rules.items + first, chain->rules.n - first, sizeof(char *),
		      compare_texts);
}

static size_t count_rules(const struct out *out)
{
	return out->chains->items[out->chains->n - 1].rules.n;
}

static void add_allows(struct out *out, const struct group *group)
{
	size_t first = count_rules(out);

	list_each(clause, &group->allows)
		add_clause(out, group, "allow", clause);
	sort_from(out, first);
}

static bool passes(const clauses_t *clauses)
{
	list_each(clause, clauses)
		if (clause->action == ACTION_PASS)
			return true;
	return false;
}

/* What comes here from a pod to itself has gone by way of a service: tiers judge it, isolation does not. A program for each group
 * costs when a table is exchanged, so that there is one in front of all groups where none has tiers. */
static bool has_tiers(const struct out *out, enum direction direction)
{
	list_each(group, &out->groups)
		if ((*group)->direction == direction && ((*group)->admin.n || (*group)->baseline.n))
			return true;
	return false;
}

static void add_self(struct out *out, enum direction direction, bool tiers)
{
	if (out->form->hairpin && has_tiers(out, direction) == tiers)
		add_rule(out, IPT_BPF " \"%s\" -m comment --comment \"to itself\" -j RETURN",
			 out->v6 ? SAME_V6 : SAME_V4);
}

static void add_group(struct out *out, const struct group *group)
{
	open_chain(out, group->name);
	list_each(clause, &group->admin)
		add_clause(out, group, "admin", clause);
	if (passes(&group->admin)) {
		const char *behind = arena_printf(out->arena, "%sP", group->name);

		add_rule(out, "-m comment --comment \"behind admin\" -g %s", behind);
		open_chain(out, behind);
	}
	add_allows(out, group);
	if (group->isolated) {
		add_self(out, group->direction, true);
		add_deny(out, "isolated", group->name);
	}
	list_each(clause, &group->baseline)
		add_clause(out, group, "baseline", clause);
}

/* ---- to the groups ---- */

/* A comment as the save programs print it: in quotes when it has anything but these, cut to what fits. */
static const char *quoted(const char *comment, struct arena *arena)
{
	static const char plain[] =
		"_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char *text = arena_printf(arena, "%.*s", COMMENT_MAX, comment);
	char *out = arena_alloc(arena, strlen(text) * 2 + 3), *p = out;

	text_mask(text);
	if (*text && !text[strspn(text, plain)])
		return text;
	*p++ = '"';
	for (; *text; *p++ = *text++)
		if (strchr("\"\\'", *text))
			*p++ = '\\';
	*p = '"';
	return out;
}

bool ipt_by_address(const struct compiled *compiled, enum direction direction)
{
	size_t n = 0;

	list_each(group, &compiled->groups)
		n += group->direction == direction;
	return n > IPT_FLAT;
}

static const elements_t *members_of(const struct out *out, const struct group *group)
{
	static const elements_t none = { 0 };

	return group->members < out->compiled->sets.n
		       ? &out->compiled->sets.items[group->members].elements
		       : &none;
}

static void add_jump(struct out *out, const struct group *group, const char *match)
{
	add_rule(out, "%s-m comment --comment %s -g %s", match, quoted(group->comment, out->arena),
		 group->name);
}

/* By address: comparing with each pod of a node costs what a few look-ups in sets do, which take some 200 ns each. */
static size_t add_addresses(struct out *out, const struct group *group)
{
	char text[CIDR_TEXT_SIZE];
	size_t n = 0;

	list_each(element, members_of(out, group)) {
		if ((element->cidr.ip.family == AF_INET6) != out->v6)
			continue;
		add_jump(out, group,
			 arena_printf(out->arena, "-%c %s ", *own_side[group->direction],
				      cidr_format(&element->cidr, text)));
		n++;
	}
	return n;
}

/* By the members' sets; of many groups, only those that have nobody of this family. */
static void add_jumps(struct out *out, enum direction direction)
{
	bool by_address = ipt_by_address(out->compiled, direction);
	LIST(const struct group *) rest = { 0 };

	list_each(group, &out->groups)
		if ((*group)->direction == direction &&
		    (!by_address || !add_addresses(out, *group)))
			*list_add(out->arena, &rest) = *group;
	list_each(group, &rest)
		add_jump(out, *group, match_set(out, (*group)->members, own_side[direction]));
	add_deny(out, "orphan", ipt_dispatch[direction]);
}

static void add_dispatch(struct out *out, enum direction direction)
{
	open_chain(out, ipt_dispatch[direction]);
	add_self(out, direction, false);
	if (out->form->treatment.established)
		add(out, "-m conntrack --ctstate INVALID -j DROP");
	add_jumps(out, direction);
	list_each(group, &out->groups)
		if ((*group)->direction == direction)
			add_group(out, *group);
}

/* ---- around them ---- */

/* Neighbours are asked for by multicast and answered from pods: without that there is no IPv6 on a bridge. */
static void add_neighbours(struct out *out)
{
	static const unsigned types[] = { 133, 134, 135, 136 };

	for (size_t i = 0; out->v6 && i < ARRAY_SIZE(types); i++)
		add_rule(out, "-p ipv6-icmp -m icmp6 --icmpv6-type %u -j RETURN", types[i]);
}

static void add_closed(struct out *out)
{
	const struct compiled *compiled = out->compiled;
	size_t first = count_rules(out);
	char text[CIDR_TEXT_SIZE];

	if (compiled->known >= compiled->sets.n)
		return;
	list_each(cidr, &compiled->closed) {
		const char *name = ipt_set_name(compiled->sets.items[compiled->known].name, out->v6,
						out->arena);

		if (out->v6 != (cidr->ip.family == AF_INET6) || !cidr->prefix)
			continue;
		cidr_format(cidr, text);
		add_rule(out, "-s %s -m set ! --match-set %s src -g %s", text, name, IPT_CLOSED);
		add_rule(out, "-d %s -m set ! --match-set %s dst -g %s", text, name, IPT_CLOSED);
	}
	sort_from(out, first);
}

static void add_top(struct out *out)
{
	const struct compiled *compiled = out->compiled;
	const bool accept = out->form->treatment.accept;

	open_chain(out, IPT_TOP);
	add_rule(out, "-m conntrack --ctstate RELATED,ESTABLISHED -j %s",
		 accept ? "ACCEPT" : "RETURN");
	add_neighbours(out);
	add_closed(out);
	for (int i = EGRESS; i >= INGRESS; i--)
		if (compiled->subjects[i] < compiled->sets.n)
			add_rule(out, "%s-j %s", match_set(out, compiled->subjects[i], own_side[i]),
				 ipt_dispatch[i]);
	for (int i = EGRESS; accept && i >= INGRESS; i--)
		if (compiled->subjects[i] < compiled->sets.n)
			add_rule(out, "%s-j ACCEPT",
				 match_set(out, compiled->subjects[i], own_side[i]));
}

static void add_ends(struct out *out)
{
	open_chain(out, IPT_DENY);
	if (out->form->treatment.reject) {
		add(out, "-p tcp -j REJECT --reject-with tcp-reset");
		add_rule(out, "-j REJECT --reject-with %s",
			 out->v6 ? "icmp6-adm-prohibited" : "icmp-admin-prohibited");
	}
	add(out, "-j DROP");
	if (out->compiled->known >= out->compiled->sets.n)
		return;
	open_chain(out, IPT_CLOSED);
	add_deny(out, "closed", IPT_CLOSED);
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

void ipt_render(const struct compiled *compiled, const struct ipt_form *form, bool v6,
		struct arena *arena, ipt_chains_t *chains)
{
	struct out out = { compiled, form, v6, arena, chains, { 0 } };

	chains->n = 0;
	list_each(group, &compiled->groups)
		*list_add(arena, &out.groups) = group;
	if (out.groups.n)
		qsort(out.groups.items, out.groups.n, sizeof(*out.groups.items), compare_groups);
	add_top(&out);
	for (int direction = 0; direction < DIRECTIONS; direction++)
		add_dispatch(&out, (enum direction)direction);
	add_ends(&out);
}
