/*
 * Masquerading: what the rules are, how they are added and checked.
 *
 * nftables form: one table for all; an attachment has one rule per address in masq_checks. An ADD looks only at
 * the three rules of the postrouting chain, whose number does not grow with the attachments, and appends.
 * iptables form: an attachment has a chain of its own and one jump per address (xt.h puts them in place). What an ADD
 * looks at is the attachment's own chain only: the program lists all chains, of all attachments. What still grows with the others is the kernel's commit: for a new jump it validates every rule of the table and copies
 * POSTROUTING (6.18: 0.8 ms with 2000 others, 3 ms when nothing of it is in the CPU's cache).
 */
#include "firewall/masquerade.h"

#include <errno.h>
#include <netinet/in.h>

#include "firewall/firewall.h"
#include "firewall/names.h"
#include "firewall/xt.h"

#define PRIORITY_SRCNAT 100

static const int families[] = { AF_INET, AF_INET6 };

struct addition {
	struct ruleset base, rules; /* what all share, what is new */
};

void masquerade_nft_base(struct arena *arena, struct ruleset *set)
{
	*set = (struct ruleset){
		.family = RULE_INET,
		.table = MASQ_TABLE,
		.comment = "Masquerading for plugins from github.com/containernetworking/plugins",
	};
	ruleset_chain(
		arena, set, .name = MASQ_CHECKS,
		.comment =
			"Masquerade traffic from certain IPs to any (non-multicast) IP outside their subnet");
	ruleset_chain(arena, set, .name = MASQ_POSTROUTING, .type = "nat", .hook = NFT_POSTROUTING,
		      .priority = PRIORITY_SRCNAT, .flush = true);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct cidr multicast = multicast_of(families[i]);

		ruleset_rule(arena, set, .chain = MASQ_POSTROUTING,
			     .matches = { match_destination(&multicast) }, .verdict = RULE_RETURN);
	}
	ruleset_rule(arena, set, .chain = MASQ_POSTROUTING, .verdict = RULE_GOTO,
		     .target = MASQ_CHECKS);
}

void masquerade_nft_rules(struct arena *arena, const struct owner *owner,
			  const struct cidr *addresses, size_t n, struct ruleset *set)
{
	const char *comment = masquerade_nft_comment(arena, owner);

	*set = (struct ruleset){ .family = RULE_INET, .table = MASQ_TABLE };
	for (const struct cidr *address = addresses; address < addresses + n; address++) {
		struct cidr host = cidr_host(&address->ip), subnet = cidr_network(address);

		ruleset_rule(
			arena, set, .chain = MASQ_CHECKS, .verdict = RULE_MASQUERADE,
			.comment = comment,
			.matches = { match_source(&host), match_not(match_destination(&subnet)) });
	}
}

static bool seen_subnet(const struct ruleset *set, const struct cidr *subnet)
{
	list_each(rule, &set->rules)
		if (rule->verdict == RULE_ACCEPT && cidr_equal(&rule->matches[0].cidr, subnet))
			return true;
	return false;
}

/* First all subnets that stay as they are, then the one rule for the rest, then the jumps. */
void masquerade_xt_rules(struct arena *arena, int family, const struct owner *owner,
			 const struct cidr *addresses, size_t n, struct ruleset *set)
{
	char *chain = arena_alloc(arena, CHAIN_NAME_SIZE);
	const char *comment = masquerade_xt_comment(arena, owner);
	struct cidr multicast = multicast_of(family);

	masquerade_chain_name(owner, chain);
	*set = (struct ruleset){ .family = family == AF_INET ? RULE_IP : RULE_IP6,
				 .table = XT_TABLE };
	for (const struct cidr *address = addresses; address < addresses + n; address++) {
		struct cidr subnet = cidr_network(address);

		if (address->ip.family == family && !seen_subnet(set, &subnet))
			ruleset_rule(arena, set, .chain = chain,
				     .matches = { match_destination(&subnet) }, .comment = comment,
				     .verdict = RULE_ACCEPT);
	}
	if (!set->rules.n)
		return;
	ruleset_chain(arena, set, .name = chain, .flush = true);
	ruleset_rule(arena, set, .chain = chain,
		     .matches = { match_not(match_destination(&multicast)) }, .comment = comment,
		     .verdict = RULE_MASQUERADE);
	for (const struct cidr *address = addresses; address < addresses + n; address++) {
		struct cidr host = cidr_host(&address->ip);

		if (address->ip.family == family)
			ruleset_rule(arena, set, .chain = XT_POSTROUTING,
				     .matches = { match_source(&host) }, .comment = comment,
				     .verdict = RULE_JUMP, .target = chain);
	}
}

/* Are just these rules there, in this order? */
static bool same_rules(const struct ruleset *set, const nft_rules_t *there)
{
	const struct nft_rule_info *info = there->items;

	if (set->rules.n != there->n)
		return false;
	list_each(rule, &set->rules)
		if (!nftables_same(rule, info++))
			return false;
	return true;
}

/*
 * One dump of constant size, one transaction. What is missing or not as it should be is put right in the same
 * transaction; emptying the chain in it is what makes this safe for many at once: whoever comes last leaves the
 * three rules once. That is the only time that it is emptied.
 */
static int try_add(struct netlink *nl, void *arg, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const struct addition *add = arg;
	nft_rules_t there = { 0 };
	int r = nft_rules(nl, NFT_INET, MASQ_TABLE, MASQ_POSTROUTING, &arena, &there, err);

	if (r < 0)
		return r;
	if (!same_rules(&add->base, &there))
		nftables_queue(nl, &add->base);
	nftables_queue(nl, &add->rules);
	return netlink_commit(nl, err);
}

static int add_nftables(const struct owner *owner, const struct cidr *addresses, size_t n,
			struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct addition add;
	int r = nft_open(&nl, err);

	if (r < 0)
		return r;
	masquerade_nft_base(&arena, &add.base);
	masquerade_nft_rules(&arena, owner, addresses, n, &add.rules);
	return nftables_retry(nl, try_add, &add, err);
}

/* Does one of the rules accept what goes to one of the subnets that ours do? */
static bool shares_subnet(const struct ruleset *ours, const nft_rules_t *there)
{
	list_each(info, there)
		if (info->verdict == NFT_VERDICT_ACCEPT &&
		    seen_subnet(ours, &info->destination.cidr))
			return true;
	return false;
}

/*
 * The chain has the container's name, so another interface of it may have filled it already, and we are about to
 * fill it anew: keep the subnets that are in it, and do not add a jump again. POSTROUTING has the jumps of all, and is
 * listed only when ours may be among them: their address lies in a subnet of the chain.
 */
static int merge_existing(const struct xt_view *view, struct arena *arena, struct xt_change *change,
			  void *arg unused, struct error *err)
{
	const struct ruleset *ours = change->asked;
	const char *chain = ours->chains.items[0].name, *comment = ours->rules.items[0].comment;
	nft_rules_t there = { 0 }, jumps = { 0 };
	int r = change->filled ? xt_rules(view, chain, arena, &there, err) : 0;

	if (r == 0 && shares_subnet(ours, &there))
		r = xt_rules(view, XT_POSTROUTING, arena, &jumps, err);
	if (r < 0 || !there.n)
		return r;
	memset(&change->set.rules, 0, sizeof(change->set.rules));
	list_each(info, &there)
		if (info->verdict == NFT_VERDICT_ACCEPT && info->destination.cidr.ip.family &&
		    !seen_subnet(ours, &info->destination.cidr))
			ruleset_rule(arena, &change->set, .chain = chain, .comment = comment,
				     .verdict = RULE_ACCEPT,
				     .matches = { match_destination(&info->destination.cidr) });
	list_each(rule, &ours->rules)
		if (rule->verdict != RULE_JUMP || !nftables_has(&jumps, rule))
			*list_add(arena, &change->set.rules) = *rule;
	return 0;
}

static int add_iptables(const struct owner *owner, const struct cidr *addresses, size_t n,
			struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct ruleset sets[ARRAY_SIZE(families)];

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		masquerade_xt_rules(&arena, families[i], owner, addresses, n, &sets[i]);
	return xt_apply(sets, ARRAY_SIZE(sets), merge_existing, NULL, err);
}

int masquerade_add(enum firewall_backend backend, const struct owner *owner,
		   const struct cidr *addresses, size_t n, struct error *err)
{
	int r;

	if (!n)
		return 0;
	r = backend == FIREWALL_NFTABLES ? add_nftables(owner, addresses, n, err)
					 : add_iptables(owner, addresses, n, err);
	return r < 0 ? wrap(err, "masquerade %s", owner->ifname) : 0;
}

/* 1: all rules of the set are there, 0: not. Each chain is dumped once, however many rules it should have. */
static int set_is_there(struct netlink *nl, const struct ruleset *set, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	nft_rules_t there = { 0 };
	const char *chain = "";

	list_each(rule, &set->rules) {
		int r = 0;

		if (!streq(chain, rule->chain))
			r = nft_rules(nl, nftables_family(set->family), set->table,
				      chain = rule->chain, &arena, &there, err);
		if (r < 0)
			return r;
		if (!nftables_has(&there, rule))
			return 0;
	}
	return 1;
}

/* The nftables form. */
static int check_nftables(struct netlink *nl, const struct owner *owner, const struct cidr *address,
			  struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct ruleset base, rules;
	int r;

	masquerade_nft_base(&arena, &base);
	masquerade_nft_rules(&arena, owner, address, 1, &rules);
	r = set_is_there(nl, &rules, err);
	return r == 1 ? set_is_there(nl, &base, err) : r;
}

/* The iptables form, in the nf_tables variant or the legacy one. */
static int check_iptables(const struct owner *owner, const struct cidr *address, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct error missing = { 0 };
	struct ruleset set;
	int r;

	masquerade_xt_rules(&arena, address->ip.family, owner, address, 1, &set);
	r = xt_check(&set, 1, &missing);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && err)
		*err = missing;
	return r < 0 ? r : 1;
}

int masquerade_check(const struct owner *owner, const struct cidr *addresses, size_t n,
		     struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	char text[CIDR_TEXT_SIZE];
	int r = nft_open(&nl, err);

	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	for (const struct cidr *address = addresses; address < addresses + n; address++) {
		r = nl ? check_nftables(nl, owner, address, err) : 0;
		if (r == 0)
			r = check_iptables(owner, address, err);
		if (r < 0)
			return wrap(err, "check masquerade of %s", cidr_format(address, text));
		if (r == 0)
			return fail(err, ENOENT, "masquerade rules of %s are missing",
				    cidr_format(address, text));
	}
	return 0;
}
