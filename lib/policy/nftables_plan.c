/* A compiled node as chains and rules of nftables, as values: nothing is sent here. See nftables.h. */
#include "policy/nftables.h"

#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "policy/set.h"

#define LOG_RATE  10 /* in a second */
#define LOG_BURST 50
#define ND_FIRST  133 /* router solicitation .. redirect, RFC 4861 */
#define ND_LAST   137

static enum nft_family only_of(int family)
{
	return family == AF_INET ? NFT_IP : NFT_IP6;
}

static struct nft_line new_line(const char *chain, const char *comment)
{
	return (struct nft_line){ .chain = chain,
				  .comment = comment,
				  .prefix = "",
				  .counter = "",
				  .target = "",
				  .verdict = INT_MAX };
}

static struct nft_line *add_line(struct netpol_plan *plan, const char *chain, const char *comment)
{
	struct nft_line *line = list_add(plan->arena, &plan->lines);

	*line = new_line(chain, comment);
	return line;
}

static void add_verdict(struct netpol_plan *plan, const char *chain, const char *comment,
			enum nft_verdict verdict, const char *target)
{
	struct nft_line *line = add_line(plan, chain, comment);

	line->verdict = verdict;
	line->target = target;
}

static void add_chain(struct netpol_plan *plan, const char *name, const char *comment, bool base)
{
	*list_add(plan->arena, &plan->chains) = (struct netpol_chain){ name, comment, base };
}

static void match_set(struct nft_line *line, const struct nft_set *set)
{
	struct nft_line_set *match = &line->sets[line->n_sets++];

	match->name = set->name;
	match->map = set->data[0] != NFT_NO_FIELD;
	memcpy(match->key, set->key, sizeof(match->key));
}

/* ---- denial ---- */

static void plan_exempt(struct netpol_plan *plan)
{
	struct nft_line *line;

	add_chain(plan, "exempt", "never denied", false);
	line = add_line(plan, "exempt", "discovery of neighbours");
	line->only = NFT_IP6;
	line->protocol = IPPROTO_ICMPV6;
	line->types = (struct ports){ ND_FIRST, ND_LAST };
	line->verdict = NFT_VERDICT_ACCEPT;
}

static void plan_refuse(struct netpol_plan *plan)
{
	struct nft_line *line;

	add_chain(plan, "refuse", "the end of what is denied", false);
	if (!plan->treatment->reject) {
		add_verdict(plan, "refuse", "", NFT_VERDICT_DROP, "");
		return;
	}
	line = add_line(plan, "refuse", "");
	line->protocol = IPPROTO_TCP;
	line->refusal = NFT_REFUSE_RESET;
	add_line(plan, "refuse", "")->refusal = NFT_REFUSE_PROHIBITED;
}

void netpol_plan_denial(struct netpol_plan *plan, const char *name, const char *comment)
{
	const char *chain = arena_printf(plan->arena, "%s" NETPOL_DENY, name);
	struct nft_line *line;

	add_chain(plan, chain, comment, false);
	*list_add(plan->arena, &plan->counters) = name;
	add_verdict(plan, chain, "", NFT_VERDICT_JUMP, "exempt");
	if (plan->treatment->nflog) {
		line = add_line(plan, chain, "");
		line->rate = LOG_RATE;
		line->burst = LOG_BURST;
		line->log = plan->treatment->nflog;
		line->prefix = name;
	}
	line = add_line(plan, chain, "");
	line->counted = true;
	line->counter = name;
	line->verdict = NFT_VERDICT_GOTO;
	line->target = "refuse";
}

/* ---- around the groups ---- */

static void plan_closed_side(struct netpol_plan *plan, const struct cidr *cidr, bool source)
{
	const struct set *known = &plan->compiled->sets.items[plan->compiled->known];
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n = netpol_parts(known, plan->arena, parts);

	for (unsigned i = 0; i < n; i++) {
		struct nft_line *line;

		if (parts[i].family != cidr->ip.family)
			continue;
		line = add_line(plan, "forward", "closed to unknown pods");
		line->only = only_of(cidr->ip.family);
		*(source ? &line->source : &line->destination) = cidr_network(cidr);
		parts[i].set.key[0] = source ? NFT_SOURCE : NFT_DESTINATION;
		match_set(line, &parts[i].set);
		line->sets[0].inverted = true;
		line->verdict = NFT_VERDICT_GOTO;
		line->target = NETPOL_CLOSED NETPOL_DENY;
	}
}

static void plan_states(struct netpol_plan *plan)
{
	struct nft_line *line = add_line(plan, "forward", "replies");

	line->states = NFT_STATE_ESTABLISHED | NFT_STATE_RELATED;
	line->verdict = NFT_VERDICT_ACCEPT;
	if (!plan->treatment->established)
		return;
	line = add_line(plan, "forward", "of no connection");
	line->states = NFT_STATE_INVALID;
	line->verdict = NFT_VERDICT_DROP;
}

static void plan_maps(struct netpol_plan *plan)
{
	for (int direction = EGRESS; direction >= INGRESS; direction--)
		for (size_t i = 0; i < ARRAY_SIZE(netpol_families); i++) {
			struct nft_set map =
				netpol_map((enum direction)direction, netpol_families[i]);
			struct nft_line *line =
				add_line(plan, "forward", direction_names[direction]);

			line->only = only_of(netpol_families[i]);
			match_set(line, &map);
		}
}

void netpol_plan_forward(struct netpol_plan *plan)
{
	add_chain(plan, "forward", "", true);
	plan_states(plan);
	if (plan->compiled->known != NO_SET)
		list_each(cidr, &plan->compiled->closed) {
			plan_closed_side(plan, cidr, true);
			plan_closed_side(plan, cidr, false);
		}
	plan_maps(plan);
	if (plan->treatment->accept)
		add_verdict(plan, "forward", "", NFT_VERDICT_ACCEPT, "");
}

void netpol_plan_ends(struct netpol_plan *plan)
{
	plan_exempt(plan);
	plan_refuse(plan);
	netpol_plan_denial(plan, NETPOL_CLOSED, "addresses of pods that nobody knows");
}

void netpol_plan_around(struct netpol_plan *plan)
{
	netpol_plan_ends(plan);
	netpol_plan_forward(plan);
}

/* ---- groups ---- */

const char *netpol_chain_of(const struct group *group, const char *suffix, struct arena *arena)
{
	return arena_printf(arena, "%s%s", group->name, suffix);
}

/* Ranges that are more than one, as a set. */
static const char *ports_name(struct netpol_plan *plan, const port_ranges_t *ranges)
{
	const char *text = "", *name;

	list_each(range, ranges)
		text = arena_printf(plan->arena, "%s %u-%u", text, range->first, range->last);
	name = name_of(NETPOL_RANGES, text, plan->arena);
	list_each(ports, &plan->ports)
		if (streq(ports->name, name))
			return name;
	*list_add(plan->arena, &plan->ports) = (struct netpol_ports){ name, ranges };
	return name;
}

static void set_verdict(struct netpol_plan *plan, const struct group *group, bool admin,
			const struct clause *clause, struct nft_line *line)
{
	line->verdict = NFT_VERDICT_RETURN;
	if (clause->action == ACTION_ACCEPT)
		return;
	if (clause->action == ACTION_DENY) {
		line->verdict = NFT_VERDICT_GOTO;
		line->target = netpol_chain_of(group, NETPOL_DENY, plan->arena);
	} else if (admin) {
		line->verdict = NFT_VERDICT_GOTO;
		line->target = netpol_chain_of(group, NETPOL_NEXT, plan->arena);
	} else {
		line->comment = arena_printf(plan->arena, "%s, " NETPOL_PASS, line->comment);
	}
}

/* All but what is looked up with addresses. */
static struct nft_line clause_line(struct netpol_plan *plan, const struct group *group,
				   const struct netpol_place *place, const struct clause *clause)
{
	struct nft_line line =
		new_line(place->chain, arena_printf(plan->arena, "%u", place->number));
	struct nft_set ports;

	if (clause->ported)
		line.protocol = netpol_protocols[clause->protocol];
	if (clause->ported && clause->ports.n == 1)
		line.ports = clause->ports.items[0];
	if (clause->ported && clause->ports.n > 1) {
		ports = netpol_ports_set(ports_name(plan, &clause->ports));
		match_set(&line, &ports);
	}
	line.counted = true;
	set_verdict(plan, group, place->admin, clause, &line);
	return line;
}

struct look_up {
	const struct set *set;
	enum nft_field side;
};

/* A rule for each way to take one part of each set. */
static void add_look_ups(struct netpol_plan *plan, struct nft_line line,
			 const struct look_up *look_ups, size_t n)
{
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n_parts;

	if (!n) {
		*list_add(plan->arena, &plan->lines) = line;
		return;
	}
	n_parts = netpol_parts(look_ups->set, plan->arena, parts);
	for (unsigned i = 0; i < n_parts; i++) {
		struct nft_line more = line;

		if (line.only && only_of(parts[i].family) != line.only)
			continue;
		more.only = only_of(parts[i].family);
		parts[i].set.key[0] = look_ups->side;
		match_set(&more, &parts[i].set);
		add_look_ups(plan, more, look_ups + 1, n - 1);
	}
}

void netpol_plan_clause(struct netpol_plan *plan, const struct group *group,
			const struct netpol_place *place, const struct clause *clause)
{
	const struct compiled *compiled = plan->compiled;
	enum nft_field peer = group->direction == INGRESS ? NFT_SOURCE : NFT_DESTINATION;
	const struct {
		uint32_t set;
		enum nft_field side;
	} wanted[] = { { clause->peers, peer },
		       { clause->pairs, peer },
		       { clause->named, NFT_DESTINATION } };
	struct look_up look_ups[ARRAY_SIZE(wanted)];
	size_t n_look_ups = 0;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (wanted[i].set < compiled->sets.n)
			look_ups[n_look_ups++] =
				(struct look_up){ &compiled->sets.items[wanted[i].set],
						  wanted[i].side };
	add_look_ups(plan, clause_line(plan, group, place, clause), look_ups, n_look_ups);
}

static void plan_clauses(struct netpol_plan *plan, const struct group *group,
			 struct netpol_place *place, const clauses_t *clauses)
{
	list_each(clause, clauses) {
		place->number++;
		netpol_plan_clause(plan, group, place, clause);
	}
}

/* What comes here from a pod to itself has gone by way of a service: tiers judge it, isolation does not. */
void netpol_plan_isolation(struct netpol_plan *plan, const struct group *group, const char *chain)
{
	for (size_t i = 0; i < ARRAY_SIZE(netpol_families); i++) {
		struct nft_set own = netpol_own(netpol_families[i]);
		struct nft_line *line = add_line(plan, chain, "a pod to itself");

		line->only = only_of(netpol_families[i]);
		match_set(line, &own);
		line->verdict = NFT_VERDICT_RETURN;
	}
	add_verdict(plan, chain, "", NFT_VERDICT_GOTO,
		    netpol_chain_of(group, NETPOL_DENY, plan->arena));
}

void netpol_plan_group(struct netpol_plan *plan, const struct group *group)
{
	struct netpol_place place = { .chain = group->name, .admin = true };

	if (group->admin.n)
		add_chain(plan, netpol_chain_of(group, NETPOL_NEXT, plan->arena), group->comment,
			  false);
	add_chain(plan, group->name, group->comment, false);
	plan_clauses(plan, group, &place, &group->admin);
	place = (struct netpol_place){ .chain = group->name };
	if (group->admin.n) {
		place.chain = netpol_chain_of(group, NETPOL_NEXT, plan->arena);
		add_verdict(plan, group->name, "", NFT_VERDICT_GOTO, place.chain);
	}
	if (group->isolated) {
		plan_clauses(plan, group, &place, &group->allows);
		netpol_plan_isolation(plan, group, place.chain);
	}
	plan_clauses(plan, group, &place, &group->baseline);
}
