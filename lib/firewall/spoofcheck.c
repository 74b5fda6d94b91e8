/*
 * bridge's macspoofchk: frames that enter from a container's port with another source MAC than the container's
 * are dropped. In table `bridge nat` an attachment has two chains and a jump from PREROUTING, which all share.
 * The reference needs two runs of the nft program; here it is one transaction.
 */
#include <errno.h>
#include <limits.h>

#include "firewall/firewall.h"
#include "firewall/names.h"
#include "firewall/nftables.h"

#include "base/text.h"
#include "kernel/link.h"

#define TABLE      "nat"
#define PREROUTING "PREROUTING"
#define PRIORITY   (-300)

struct names {
	const char *chain, *mac_chain, *comment;
};

static struct names names_of(struct arena *arena, const struct owner *owner)
{
	const char *chain = spoof_chain_name(arena, owner);

	return (struct names){ chain, arena_printf(arena, "%s-mac", chain),
			       spoof_comment(arena, owner) };
}

static void build(struct arena *arena, const struct names *names, const char *veth,
		  const struct mac *mac, struct ruleset *set)
{
	*set = (struct ruleset){ .family = RULE_BRIDGE, .table = TABLE };
	ruleset_chain(arena, set, .name = PREROUTING, .type = "filter", .hook = NFT_PREROUTING,
		      .priority = PRIORITY, .accept_policy = true);
	ruleset_chain(arena, set, .name = names->chain, .flush = true);
	ruleset_chain(arena, set, .name = names->mac_chain, .flush = true);
	ruleset_rule(arena, set, .chain = PREROUTING,
		     .matches = { { .kind = MATCH_IN_INTERFACE, .name = veth } },
		     .verdict = RULE_JUMP, .target = names->chain, .comment = names->comment);
	ruleset_rule(arena, set, .chain = names->chain, .verdict = RULE_JUMP,
		     .target = names->mac_chain, .comment = names->comment);
	ruleset_rule(arena, set, .chain = names->mac_chain,
		     .matches = { { .kind = MATCH_ETHER_SOURCE, .mac = *mac } },
		     .verdict = RULE_RETURN, .comment = names->comment);
	ruleset_rule(arena, set, .chain = names->mac_chain, .verdict = RULE_DROP,
		     .comment = names->comment);
}

static int try_add(struct netlink *nl, void *arg, struct error *err)
{
	nftables_queue(nl, arg);
	return netlink_commit(nl, err);
}

int spoof_check_add(const struct owner *owner, const char *veth, const struct mac *mac,
		    struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct names names = names_of(&arena, owner);
	struct ruleset set;
	int r = nft_open(&nl, err);

	build(&arena, &names, veth, mac, &set);
	if (r == 0)
		r = nftables_retry(nl, try_add, &set, err);
	return r < 0 ? wrap(err, "macspoofchk of %s", veth) : 0;
}

/* Nothing of other attachments is looked at but the jumps in PREROUTING. */
static int try_del(struct netlink *nl, void *arg, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const struct names *names = arg;
	nft_rules_t jumps = { 0 };
	bool chain = false, mac_chain = false;
	int r;

	nft_queue_find_chain(nl, NFT_BRIDGE, TABLE, names->chain, &chain);
	nft_queue_find_chain(nl, NFT_BRIDGE, TABLE, names->mac_chain, &mac_chain);
	r = netlink_commit(nl, err);
	if (r == 0)
		r = nft_rules(nl, NFT_BRIDGE, TABLE, PREROUTING, &arena, &jumps, err);
	if (r < 0)
		return r;
	list_each(jump, &jumps)
		if (streq(jump->comment, names->comment))
			nft_queue_del_rule(nl, NFT_BRIDGE, TABLE, PREROUTING, jump->handle);
	if (chain)
		nft_queue_del_chain(nl, NFT_BRIDGE, TABLE, names->chain);
	if (mac_chain)
		nft_queue_del_chain(nl, NFT_BRIDGE, TABLE, names->mac_chain);
	return netlink_commit(nl, err);
}

int spoof_check_del(const struct owner *owner, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct names names = names_of(&arena, owner);
	int r = nft_open(&nl, err);

	if (r == 0)
		r = nftables_retry(nl, try_del, &names, err);
	if (r == -EOPNOTSUPP)
		return 0;
	return r < 0 ? wrap(err, "remove macspoofchk of %s", owner->ifname) : 0;
}

static bool is_valid(struct arena *arena, const owners_t *valid, const char *comment)
{
	list_each(owner, valid)
		if (streq(spoof_comment(arena, owner), comment))
			return true;
	return false;
}

static int port_exists(const char *name, bool *exists, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	struct link port = { 0 };
	int r = netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, err);

	if (r < 0)
		return r;
	link_queue_get(nl, name, &port);
	netlink_tolerate(nl, ENODEV);
	r = netlink_commit(nl, err);
	*exists = port.index != 0;
	return r;
}

/* A jump of ours, to a port that is gone, for an attachment that is not valid. */
static int is_stale(struct arena *arena, const owners_t *valid, const struct nft_rule_info *jump,
		    bool *stale, struct error *err)
{
	bool exists = true;
	int r = 0;

	if (has_prefix(jump->comment, "macspoofchk-") && *jump->in.name &&
	    has_prefix(jump->target, SPOOF_CHAIN_PREFIX) && !is_valid(arena, valid, jump->comment))
		r = port_exists(jump->in.name, &exists, err);
	*stale = r == 0 && !exists;
	return r;
}

/* Each once, and only those that are there: somebody may have been interrupted, or have added twice. */
static void queue_chains(struct netlink *nl, const nft_names_t *there, const nft_names_t *doomed,
			 const char *suffix)
{
	auto_arena struct arena arena = { 0 };

	list_each(chain, there)
		list_each(name, doomed)
			if (streq(*chain, arena_printf(&arena, "%s%s", *name, suffix))) {
				nft_queue_del_chain(nl, NFT_BRIDGE, TABLE, *chain);
				break;
			}
}

/* Jumps before the chains that they lead to. */
static int try_gc(struct netlink *nl, void *arg, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	nft_rules_t jumps = { 0 };
	nft_names_t there = { 0 }, doomed = { 0 };
	bool stale = false;
	int r = nft_rules(nl, NFT_BRIDGE, TABLE, PREROUTING, &arena, &jumps, err);

	if (r == 0)
		r = nft_chains(nl, NFT_BRIDGE, TABLE, &arena, &there, err);
	for (size_t i = 0; i < jumps.n && r == 0; i++) {
		r = is_stale(&arena, arg, &jumps.items[i], &stale, err);
		if (!stale)
			continue;
		nft_queue_del_rule(nl, NFT_BRIDGE, TABLE, PREROUTING, jumps.items[i].handle);
		*list_add(&arena, &doomed) = jumps.items[i].target;
	}
	if (r < 0) {
		netlink_discard(nl);
		return r;
	}
	queue_chains(nl, &there, &doomed, "");
	queue_chains(nl, &there, &doomed, "-mac");
	return netlink_commit(nl, err);
}

int spoof_check_gc(const owners_t *valid, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r = nft_open(&nl, err);

	if (r == 0)
		r = nftables_retry(nl, try_gc, (void *)valid, err);
	if (r == -EOPNOTSUPP)
		return 0;
	return r < 0 ? wrap(err, "collect macspoofchk rules") : 0;
}

int spoof_check_stale(const owners_t *valid, struct arena *arena, words_t *ports, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	nft_rules_t jumps = { 0 };
	int r = nft_open(&nl, err);

	if (r == 0)
		r = nft_rules(nl, NFT_BRIDGE, TABLE, PREROUTING, arena, &jumps, err);
	for (size_t i = 0; i < jumps.n && r == 0; i++) {
		bool stale = false;

		r = is_stale(arena, valid, &jumps.items[i], &stale, err);
		if (stale)
			*list_add(arena, ports) = jumps.items[i].in.name;
	}
	return r == -EOPNOTSUPP ? 0 : r;
}

static bool has_rule(const nft_rules_t *rules, const struct names *names, int verdict,
		     const char *target)
{
	list_each(rule, rules)
		if (rule->verdict == verdict && streq(rule->target, target) &&
		    streq(rule->comment, names->comment))
			return true;
	return false;
}

int spoof_check_check(const struct owner *owner, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct names names = names_of(&arena, owner);
	const struct {
		const char *chain;
		int verdict;
		const char *target;
	} wanted[] = {
		{ PREROUTING, NFT_VERDICT_JUMP, names.chain },
		{ names.chain, NFT_VERDICT_JUMP, names.mac_chain },
		{ names.mac_chain, NFT_VERDICT_RETURN, "" },
		{ names.mac_chain, NFT_VERDICT_DROP, "" },
	};
	int r = nft_open(&nl, err);

	for (size_t i = 0; i < ARRAY_SIZE(wanted) && r == 0; i++) {
		nft_rules_t rules = { 0 };

		r = nft_rules(nl, NFT_BRIDGE, TABLE, wanted[i].chain, &arena, &rules, err);
		if (r == 0 && !has_rule(&rules, &names, wanted[i].verdict, wanted[i].target))
			r = fail(err, ENOENT, "macspoofchk rule of %s is missing in chain \"%s\"",
				 owner->ifname, wanted[i].chain);
	}
	return r;
}
