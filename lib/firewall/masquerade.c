/*
 * Masquerading: what the rules are, how they are added and checked.
 *
 * nftables form: one table for all; an attachment has one rule per address in masq_checks. An ADD looks only at
 * the three rules of the postrouting chain, whose number does not grow with the attachments, and appends.
 * iptables form: an attachment has a chain of its own and one jump per address. Where iptables is the nf_tables variant
 * and has made its table, the rules go there by netlink, byte for byte as iptables-restore would write them, and what an
 * ADD looks at is the attachment's own chain only: the program lists all chains, of all attachments. Everywhere else
 * (the legacy variant, the first ADD after boot, a table of another shape, a kernel that refuses) the program does it.
 * What still grows with the others is the kernel's commit: for a new jump it validates every rule of the table and copies
 * POSTROUTING (6.18: 0.8 ms with 2000 others, 3 ms when nothing of it is in the CPU's cache).
 */
#include "firewall/masquerade.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/log.h"
#include "firewall/firewall.h"
#include "firewall/iptables.h"
#include "firewall/legacy.h"
#include "firewall/names.h"
#include "firewall/nftables.h"

#define PRIORITY_SRCNAT 100
#define XT_REFUSALS     4 /* lost races, after which it was none */

static const int families[] = { AF_INET, AF_INET6 };

struct addition {
	struct ruleset base, rules; /* what all share, what is new */
	unsigned refusals;
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

static bool has_rule(const nft_rules_t *there, const struct rule *rule)
{
	list_each(info, there)
		if (nftables_same(rule, info) &&
		    (!rule->comment || streq(rule->comment, info->comment)))
			return true;
	return false;
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
static int merge_existing(struct netlink *nl, struct arena *arena, struct ruleset *set,
			  struct error *err)
{
	const char *chain = set->chains.items[0].name, *comment = set->rules.items[0].comment;
	enum nft_family family = nftables_family(set->family);
	struct ruleset ours = *set;
	nft_rules_t there = { 0 }, jumps = { 0 };
	int r = nft_rules(nl, family, set->table, chain, arena, &there, err);

	if (r == 0 && shares_subnet(&ours, &there))
		r = nft_rules(nl, family, set->table, XT_POSTROUTING, arena, &jumps, err);
	if (r < 0 || !there.n)
		return r;
	memset(&set->rules, 0, sizeof(set->rules));
	list_each(info, &there)
		if (info->verdict == NFT_VERDICT_ACCEPT && info->destination.cidr.ip.family &&
		    !seen_subnet(&ours, &info->destination.cidr))
			ruleset_rule(arena, set, .chain = chain, .comment = comment,
				     .verdict = RULE_ACCEPT,
				     .matches = { match_destination(&info->destination.cidr) });
	list_each(rule, &ours.rules)
		if (rule->verdict != RULE_JUMP || !has_rule(&jumps, rule))
			*list_add(arena, &set->rules) = *rule;
	return 0;
}

/* As iptables-nft makes it. */
static bool is_xt_base(const struct nft_chain_info *chain)
{
	return chain->found && streq(chain->type, "nat") && chain->hook == NFT_POSTROUTING &&
	       chain->priority == PRIORITY_SRCNAT;
}

/*
 * Without the program: one look at two chains, one transaction. -EOPNOTSUPP: the program is needed. A chain that is new
 * to us must be new to the kernel too, so that what another adds to it meanwhile is not lost.
 */
static int try_xt(struct netlink *nl, void *arg, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct addition *add = arg;
	struct ruleset set = add->rules;
	struct nft_chain chain = { .name = set.chains.items[0].name, .must_be_new = true };
	enum nft_family family = nftables_family(set.family);
	struct nft_chain_info base, own;
	int r;

	nft_queue_get_chain(nl, family, set.table, XT_POSTROUTING, &base);
	nft_queue_get_chain(nl, family, set.table, chain.name, &own);
	r = netlink_commit(nl, err);
	if (r == 0 && !is_xt_base(&base))
		return fail(err, EOPNOTSUPP, "table %s is not there", set.table);
	if (r == 0 && own.found)
		r = merge_existing(nl, &arena, &set, err);
	if (r < 0)
		return r;
	if (own.found)
		nft_queue_flush_chain(nl, family, set.table, chain.name);
	else
		nft_queue_chain(nl, family, set.table, &chain);
	nftables_queue_xt(nl, &set);
	r = netlink_commit(nl, err);
	/* An extension that the kernel lacks is as much ENOENT as a chain that has just gone. */
	return nftables_raced(r) && ++add->refusals == XT_REFUSALS ? -EOPNOTSUPP : r;
}

static int add_xt(struct netlink *nl, const struct ruleset *rules, struct arena *arena,
		  struct error *err)
{
	struct addition add = { .rules = *rules };
	struct ruleset merged = *rules;
	struct error why = { 0 };
	int r = nftables_retry(nl, try_xt, &add, &why);

	if (r == 0)
		return 0;
	log_debug("firewall: iptables-restore is needed: %s", why.message);
	r = merge_existing(nl, arena, &merged, err);
	return r < 0 ? r : iptables_apply(&merged, err);
}

/* nl: for both families, opened by the first that needs it. */
static int add_iptables(struct netlink **nl, int family, const struct owner *owner,
			const struct cidr *addresses, size_t n, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct ruleset set;
	int r;

	masquerade_xt_rules(&arena, family, owner, addresses, n, &set);
	if (!set.rules.n)
		return 0;
	if (!iptables_clean(&set) || iptables_kind(set.family) != IPTABLES_NFT)
		return iptables_apply(&set, err);
	r = *nl ? 0 : nft_open(nl, err);
	return r < 0 ? r : add_xt(*nl, &set, &arena, err);
}

int masquerade_add(enum firewall_backend backend, const struct owner *owner,
		   const struct cidr *addresses, size_t n, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r = 0;

	if (!n)
		return 0;
	if (backend == FIREWALL_NFTABLES)
		r = add_nftables(owner, addresses, n, err);
	for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0 && backend == FIREWALL_IPTABLES; i++)
		r = add_iptables(&nl, families[i], owner, addresses, n, err);
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
		if (!has_rule(&there, rule))
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
static int check_iptables(struct netlink *nl, const struct owner *owner, const struct cidr *address,
			  struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct ruleset set;
	int r = 0;

	masquerade_xt_rules(&arena, address->ip.family, owner, address, 1, &set);
	if (nl)
		r = set_is_there(nl, &set, err);
	if (r != 0 || !legacy_active(set.family))
		return r;
	r = legacy_missing(&set, err);
	return r < 0 ? r : r == 0;
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
			r = check_iptables(nl, owner, address, err);
		if (r < 0)
			return wrap(err, "check masquerade of %s", cidr_format(address, text));
		if (r == 0)
			return fail(err, ENOENT, "masquerade rules of %s are missing",
				    cidr_format(address, text));
	}
	return 0;
}
