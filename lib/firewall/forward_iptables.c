/*
 * Forwarding rules in the chains of the reference, table filter. What all containers share - chains, jumps, the rules of
 * a policy - is put there once and stays; a container adds two rules for each address, at the end of CNI-FORWARD.
 *
 * That chain is long on a busy node, so that an ADD does not list it: the administrator's chain tells by its use counter
 * whether the jump to it is there, and of an address that nobody has recorded there are no rules yet.
 */
#include "firewall/forward_carrier.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/text.h"
#include "firewall/iptables.h"
#include "firewall/xt.h"

#define TABLE        FORWARD_IPTABLES_TABLE
#define KERNEL_CHAIN "FORWARD"
#define PODS_CHAIN   FORWARD_IPTABLES_CHAIN
#define STAGE_1      "CNI-ISOLATION-STAGE-1"
#define STAGE_2      "CNI-ISOLATION-STAGE-2"
#define CHAIN_MAX    28

#define COMMENT          "CNI firewall plugin rules"
#define ADMIN_COMMENT    "CNI firewall plugin admin overrides"
#define BRIDGE_COMMENT   COMMENT " (ingressPolicy: same-bridge)"
#define ISOLATED_COMMENT COMMENT " (ingressPolicy: isolated)"
/* Of what all policies share. Releases before `isolated` wrote the first one there. */
#define POLICY_COMMENT     COMMENT " (ingressPolicy: same-bridge|isolated)"
#define OLD_POLICY_COMMENT BRIDGE_COMMENT

static const int families[] = { AF_INET, AF_INET6 };

static enum rule_family family_of(int family)
{
	return family == AF_INET ? RULE_IP : RULE_IP6;
}

static bool has_family(const cidrs_t *addresses, int family)
{
	list_each(address, addresses)
		if (address->ip.family == family)
			return true;
	return false;
}

/* ---- the rules ---- */

/* Answers to the address, and all that it sends. */
static void address_rules(const struct cidr *address, enum rule_once once, struct rule rules[2])
{
	rules[0] = (struct rule){
		.chain = PODS_CHAIN,
		.matches = { match_destination(address),
			     { .kind = MATCH_STATE,
			       .value = NFT_STATE_RELATED | NFT_STATE_ESTABLISHED } },
		.verdict = RULE_ACCEPT,
		.once = once,
	};
	rules[1] = (struct rule){ .chain = PODS_CHAIN,
				  .matches = { match_source(address) },
				  .verdict = RULE_ACCEPT,
				  .once = once };
}

static void add_admission(struct arena *arena, const struct forward *forward, int family,
			  bool fresh, struct ruleset *set)
{
	ruleset_chain(arena, set, .name = PODS_CHAIN);
	ruleset_chain(arena, set, .name = forward->admin_chain);
	ruleset_rule(arena, set, .chain = KERNEL_CHAIN, .verdict = RULE_JUMP, .target = PODS_CHAIN,
		     .comment = COMMENT, .insert = true, .once = RULE_ONCE);
	ruleset_rule(arena, set, .chain = PODS_CHAIN, .verdict = RULE_JUMP,
		     .target = forward->admin_chain, .comment = ADMIN_COMMENT, .insert = true,
		     .once = RULE_ONCE_BY_TARGET);
	list_each(address, &forward->addresses) {
		struct rule rules[2];

		if (address->ip.family != family)
			continue;
		address_rules(address, fresh ? RULE_ALWAYS : RULE_ONCE, rules);
		*list_add(arena, &set->rules) = rules[0];
		*list_add(arena, &set->rules) = rules[1];
	}
}

static struct match interface_match(enum match_kind kind, const char *name)
{
	return (struct match){ .kind = kind, .name = name };
}

/* Rules that concern the policy's bridge, each before the ones that are there. */
static void add_bridge(struct arena *arena, const struct forward *forward, const char *comment,
		       struct ruleset *set)
{
	bool isolated = forward->policy == FORWARD_ISOLATED;
	struct match in = interface_match(MATCH_IN_INTERFACE, forward->bridge),
		     out = interface_match(MATCH_OUT_INTERFACE, forward->bridge);

	ruleset_rule(arena, set, .chain = STAGE_1, .matches = { in, match_not(out) },
		     .verdict = RULE_JUMP, .target = STAGE_2, .insert = true, .once = RULE_ONCE,
		     .comment = isolated ? ISOLATED_COMMENT : BRIDGE_COMMENT);
	if (isolated)
		ruleset_rule(arena, set, .chain = STAGE_1, .matches = { in, out },
			     .verdict = RULE_DROP, .insert = true, .once = RULE_ONCE,
			     .comment = ISOLATED_COMMENT);
	ruleset_rule(arena, set, .chain = STAGE_2, .matches = { out }, .verdict = RULE_DROP,
		     .insert = true, .once = RULE_ONCE, .comment = comment);
}

/* From a bridge with a policy to anything but itself is stage 1, from there to another such bridge is stage 2. comment:
 * of the shared rules. */
static void add_policy(struct arena *arena, const struct forward *forward, const char *comment,
		       struct ruleset *set)
{
	ruleset_chain(arena, set, .name = STAGE_1);
	ruleset_chain(arena, set, .name = STAGE_2);
	ruleset_rule(arena, set, .chain = KERNEL_CHAIN, .verdict = RULE_JUMP, .target = STAGE_1,
		     .comment = comment, .insert = true, .once = RULE_ONCE);
	add_bridge(arena, forward, comment, set);
	ruleset_rule(arena, set, .chain = STAGE_1, .verdict = RULE_RETURN, .comment = comment,
		     .once = RULE_ONCE);
	ruleset_rule(arena, set, .chain = STAGE_2, .verdict = RULE_RETURN, .comment = comment,
		     .once = RULE_ONCE);
}

/* One set for each family that the addresses are of. */
static void make_sets(struct arena *arena, const struct forward *forward, unsigned parts,
		      bool fresh, const char *comment, struct ruleset sets[2])
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		sets[i] = (struct ruleset){ .family = family_of(families[i]), .table = TABLE };
		if (!has_family(&forward->addresses, families[i]))
			continue;
		if (parts & FORWARD_ADMIT)
			add_admission(arena, forward, families[i], fresh, &sets[i]);
		if (parts & FORWARD_KEEP_APART && forward->policy != FORWARD_OPEN)
			add_policy(arena, forward, comment, &sets[i]);
	}
}

/* ---- adding ---- */

static bool is_jump(const struct rule *rule, const char *target)
{
	return streq(rule->chain, KERNEL_CHAIN) && rule->target && streq(rule->target, target);
}

/* Is the rule there with the comment of an older release? */
static int is_there_of_old(const struct xt_view *view, struct arena *arena, const struct rule *rule,
			   struct error *err)
{
	struct rule old = *rule;
	nft_rules_t there = { 0 };
	int r;

	if (!rule->comment || !streq(rule->comment, POLICY_COMMENT))
		return 0;
	old.comment = OLD_POLICY_COMMENT;
	r = xt_rules(view, rule->chain, arena, &there, err);
	return r < 0 ? r : nftables_has(&there, &old);
}

/* What an older release of the reference has put there is not added beside it. */
static int leave_out_old(const struct xt_view *view, struct arena *arena, struct xt_change *change,
			 struct error *err)
{
	struct ruleset *set = &change->set;
	size_t n = 0;

	for (size_t i = 0; i < set->rules.n; i++) {
		int r = is_there_of_old(view, arena, &set->rules.items[i], err);

		if (r < 0)
			return r;
		if (!r)
			set->rules.items[n++] = set->rules.items[i];
	}
	set->rules.n = n;
	return 0;
}

/* The policy decides before the containers' rules accept. The jump to these goes to the head of FORWARD, so that one to
 * the policy which is there already has to be put before it again. */
static int policy_first(const struct xt_view *view, struct arena *arena, struct xt_change *change,
			struct error *err)
{
	bool admits = false;
	nft_rules_t there = { 0 };
	int r;

	list_each(rule, &change->set.rules) {
		if (is_jump(rule, STAGE_1))
			return 0;
		admits = admits || is_jump(rule, PODS_CHAIN);
	}
	if (!admits)
		return 0;
	r = xt_rules(view, KERNEL_CHAIN, arena, &there, err);
	list_each(rule, &there) {
		if (!streq(rule->target, STAGE_1) || !has_prefix(rule->comment, COMMENT))
			continue;
		xt_delete(arena, change, KERNEL_CHAIN, rule->handle);
		ruleset_rule(arena, &change->set, .chain = KERNEL_CHAIN, .verdict = RULE_JUMP,
			     .target = STAGE_1, .comment = rule->comment, .insert = true);
	}
	return r;
}

static int look(const struct xt_view *view, struct arena *arena, struct xt_change *change,
		void *arg unused, struct error *err)
{
	int r = leave_out_old(view, arena, change, err);

	return r < 0 ? r : policy_first(view, arena, change, err);
}

int forward_iptables_add(const struct forward *forward, unsigned parts, bool fresh,
			 struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct ruleset sets[ARRAY_SIZE(families)];

	make_sets(&arena, forward, parts, fresh, POLICY_COMMENT, sets);
	return xt_apply(sets, ARRAY_SIZE(sets), look, NULL, err);
}

int forward_iptables_check(const struct forward *forward, unsigned parts, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct ruleset sets[ARRAY_SIZE(families)];
	int r;

	make_sets(&arena, forward, parts & FORWARD_ADMIT, false, NULL, sets);
	r = xt_check(sets, ARRAY_SIZE(sets), err);
	if (r < 0 || !(parts & FORWARD_KEEP_APART))
		return r;
	make_sets(&arena, forward, FORWARD_KEEP_APART, false, OLD_POLICY_COMMENT, sets);
	if (forward->policy == FORWARD_SAME_BRIDGE && xt_check(sets, ARRAY_SIZE(sets), NULL) == 0)
		return 0;
	make_sets(&arena, forward, FORWARD_KEEP_APART, false, POLICY_COMMENT, sets);
	return xt_check(sets, ARRAY_SIZE(sets), err);
}

bool forward_iptables_admits(const struct nft_rule_info *rule, const struct cidr *address)
{
	struct rule rules[2];

	address_rules(address, RULE_ALWAYS, rules);
	return nftables_same(&rules[0], rule) || nftables_same(&rules[1], rule);
}

/* ---- what it needs ---- */

bool forward_iptables_usable(const struct forward *forward)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (iptables_kind(family_of(families[i])) == IPTABLES_NONE &&
		    has_family(&forward->addresses, families[i]))
			return false;
	return forward->addresses.n || iptables_kind(RULE_IP) != IPTABLES_NONE ||
	       iptables_kind(RULE_IP6) != IPTABLES_NONE;
}

/* Its own rules, and none of the names that the rest uses. */
bool forward_iptables_chain_valid(const char *name)
{
	static const char *const used[] = { "INPUT", "OUTPUT", KERNEL_CHAIN, PODS_CHAIN, STAGE_1,
					    STAGE_2, "ACCEPT", "DROP",       "RETURN" };

	for (size_t i = 0; i < ARRAY_SIZE(used); i++)
		if (streq(name, used[i]))
			return false;
	for (const char *p = name; *p; p++)
		if (*p <= ' ' || *p > '~' || strchr("\"'\\", *p))
			return false;
	return *name && strlen(name) <= CHAIN_MAX && !strchr("-!", *name);
}
