/* Lint of rules against each other: one that adds nothing, and exceptions that do not hold. */
#include "policy/lint_internal.h"

#include "policy/prefix.h"

/* ---- rules that add nothing ---- */

static bool block_covers(const struct block *block, const struct block *other)
{
	if (!cidr_contains(&block->cidr, &other->cidr.ip) ||
	    block->cidr.prefix > other->cidr.prefix)
		return false;
	list_each(except, &block->except) {
		bool same = false;

		list_each(theirs, &other->except)
			same = same || cidr_equal(except, theirs);
		if (!same)
			return false;
	}
	return true;
}

static bool peers_cover(const struct rule *rule, const struct peer *other)
{
	list_each(peer, &rule->peers)
		if (peer->has_nodes || other->has_nodes) {
			if (peer->has_nodes && other->has_nodes &&
			    peer->nodes.text == other->nodes.text)
				return true;
		} else if (peer->has_block == other->has_block &&
			   (peer->has_block ? block_covers(&peer->block, &other->block)
					    : peer->set == other->set))
			return true;
	return !rule->peers.n;
}

static bool ports_cover(const struct rule *rule, const struct port_match *other)
{
	list_each(port, &rule->ports) {
		bool all = !port->name && !port->first;
		bool within =
			port->first && other->first >= port->first && other->last <= port->last;

		if (port->protocol == other->protocol &&
		    (all || within || (port->name && port->name == other->name)))
			return true;
	}
	return !rule->ports.n;
}

bool lint_rule_covers(const struct rule *rule, const struct rule *other)
{
	if ((rule->peers.n && !other->peers.n) || (rule->ports.n && !other->ports.n))
		return false;
	list_each(peer, &other->peers)
		if (!peers_cover(rule, peer))
			return false;
	list_each(port, &other->ports)
		if (!ports_cover(rule, port))
			return false;
	return true;
}

/* Of two that say the same, the later one is named. */
void lint_covered(struct lint *lint, const struct policy *policy, enum direction direction)
{
	const rules_t *rules = &policy->rules[direction];

	for (size_t i = 0; i < rules->n; i++)
		for (size_t j = 0; j < rules->n; j++) {
			const struct rule *rule = &rules->items[i], *by = &rules->items[j];

			if (i == j || !lint_rule_covers(by, rule) ||
			    (j > i && lint_rule_covers(rule, by)))
				continue;
			lint_warn(lint, "%s: adds nothing to %s", lint_place(lint, direction, i),
				  lint_place(lint, direction, j));
			break;
		}
}

/* ---- exceptions that are allowed elsewhere ---- */

static bool ports_overlap(const struct rule *a, const struct rule *b)
{
	if (!a->ports.n || !b->ports.n)
		return true;
	list_each(x, &a->ports)
		list_each(y, &b->ports) {
			bool numbers = x->first && y->first;

			if (x->protocol == y->protocol &&
			    (!numbers || (x->first <= y->last && y->first <= x->last)))
				return true;
		}
	return false;
}

static bool block_allows(struct lint *lint, const struct block *block, const struct cidr *hole)
{
	cidrs_t prefixes = { 0 };

	if (block->cidr.ip.family != hole->ip.family || !cidr_overlaps(&block->cidr, hole))
		return false;
	list_each(except, &block->except)
		if (except->prefix <= hole->prefix && cidr_contains(except, &hole->ip))
			return false;
	prefixes_of_blocks(&(const struct block *){ block }, 1, lint->arena, &prefixes);
	list_each(prefix, &prefixes)
		if (cidr_overlaps(prefix, hole))
			return true;
	return false;
}

/* Where the hole is open in a rule, but for the block that it is a hole of; NULL = nowhere. */
static const char *open_in_rule(struct lint *lint, const struct rule *rule, const char *place,
				enum direction direction, const struct block *own,
				const struct cidr *hole)
{
	if (!rule->peers.n)
		return place;
	for (size_t i = 0; i < rule->peers.n; i++) {
		const struct peer *peer = &rule->peers.items[i];

		if (peer->has_block && &peer->block != own &&
		    block_allows(lint, &peer->block, hole))
			return arena_printf(lint->arena, "%s.%s[%zu]", place,
					    direction == INGRESS ? "from" : "to", i);
	}
	return NULL;
}

static const char *open_in_policy(struct lint *lint, const struct policy *policy,
				  enum direction direction, const struct rule *own_rule,
				  const struct block *own, const struct cidr *hole)
{
	const rules_t *rules = &policy->rules[direction];

	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *rule = &rules->items[i];
		const char *place =
			ports_overlap(rule, own_rule)
				? open_in_rule(lint, rule, lint_place(lint, direction, i),
					       direction, own, hole)
				: NULL;

		if (place)
			return place;
	}
	return NULL;
}

static bool share_pod(const struct world *world, const struct policy *a, const struct policy *b)
{
	const numbers_t *x = &world->sets.items[a->set].pods_in;
	const numbers_t *y = &world->sets.items[b->set].pods_in;

	for (size_t i = 0, j = 0; i < x->n && j < y->n;) {
		if (x->items[i] == y->items[j])
			return true;
		if (x->items[i] < y->items[j])
			i++;
		else
			j++;
	}
	return a->set == b->set;
}

static void lint_hole(struct lint *lint, const struct policy *policy, enum direction direction,
		      const struct rule *rule, const struct block *block, const char *place,
		      const struct cidr *hole)
{
	const struct world *world = lint->world;
	char text[CIDR_TEXT_SIZE];

	list_each(number, &world->spaces.items[policy->space].policies) {
		const struct policy *other = &world->policies.items[*number];
		const char *where;

		if (!other->isolates[direction] || !share_pod(world, policy, other))
			continue;
		where = open_in_policy(lint, other, direction, rule, block, hole);
		if (!where)
			continue;
		lint_warn(lint, "%s.ipBlock.except: %s is allowed by %s%s%s", place,
			  cidr_format(hole, text),
			  other == policy ? "" : policy_text(world, other, lint->arena),
			  other == policy ? "" : " ", where);
		return;
	}
}

void lint_excepts(struct lint *lint, const struct policy *policy, enum direction direction)
{
	const rules_t *rules = &policy->rules[direction];

	for (size_t i = 0; i < rules->n && policy->isolates[direction]; i++) {
		const struct rule *rule = &rules->items[i];

		for (size_t j = 0; j < rule->peers.n; j++) {
			const struct block *block = &rule->peers.items[j].block;

			list_each(hole, &block->except)
				lint_hole(lint, policy, direction, rule, block,
					  lint_peer_place(lint, direction, i, j), hole);
		}
	}
}
