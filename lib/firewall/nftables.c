/*
 * Rule sets to nf_tables, in nft's own form or in that of the iptables-nft programs. All that is queued here goes to the kernel in one transaction; parallel callers are
 * ordered by the kernel, and who loses (its rule is gone, its chain is new) looks again.
 */
#include "firewall/nftables.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#define TURN_TRIES 600 /* of 2 to 5 ms */
#define TURN_PAUSE 4

static enum nft_verdict verdict_of(enum rule_verdict verdict)
{
	switch (verdict) {
	case RULE_DROP: return NFT_VERDICT_DROP;
	case RULE_RETURN: return NFT_VERDICT_RETURN;
	case RULE_JUMP: return NFT_VERDICT_JUMP;
	case RULE_GOTO: return NFT_VERDICT_GOTO;
	default: return NFT_VERDICT_ACCEPT;
	}
}

static void add_match(struct nft_rule *rule, const struct match *match)
{
	enum nft_op op = match->negated ? NFT_IS_NOT : NFT_IS;

	switch (match->kind) {
	case MATCH_SOURCE:
	case MATCH_DESTINATION:
		nft_match_addr(rule, match->kind == MATCH_SOURCE, op, &match->cidr);
		break;
	case MATCH_IN_INTERFACE: nft_match_iifname(rule, op, match->name); break;
	case MATCH_ETHER_SOURCE: nft_match_ether_source(rule, op, &match->mac); break;
	case MATCH_NONE: break;
	}
}

static void add_rule(struct netlink *nl, const struct ruleset *set, const struct rule *rule)
{
	struct nft_rule *out = nft_rule_begin(nl, nftables_family(set->family), set->table,
					      rule->chain, rule->comment);

	for (const struct match *m = rule->matches; m < rule->matches + RULE_MATCHES && m->kind;
	     m++)
		add_match(out, m);
	if (rule->verdict == RULE_MASQUERADE)
		nft_masquerade(out);
	else
		nft_verdict(out, verdict_of(rule->verdict), rule->target);
	nft_rule_end(out);
}

/* A match that every address passes. */
static bool is_any(const struct match *match)
{
	return (match->kind == MATCH_SOURCE || match->kind == MATCH_DESTINATION) &&
	       !match->cidr.prefix && !match->negated;
}

/* Order and counter are those of iptables-restore, which leaves out what matches any address. */
static void add_xt_rule(struct netlink *nl, const struct ruleset *set, const struct rule *rule)
{
	struct nft_rule *out =
		nft_rule_begin(nl, nftables_family(set->family), set->table, rule->chain, NULL);

	for (const struct match *m = rule->matches; m < rule->matches + RULE_MATCHES && m->kind;
	     m++)
		if (!is_any(m))
			add_match(out, m);
	if (rule->comment)
		nft_xt_comment(out, rule->comment);
	nft_counter(out);
	if (rule->verdict == RULE_MASQUERADE)
		nft_xt_masquerade(out);
	else
		nft_verdict(out, verdict_of(rule->verdict), rule->target);
	nft_rule_end(out);
}

static void add_chain(struct netlink *nl, const struct ruleset *set, const struct chain *chain)
{
	struct nft_chain out = {
		.name = chain->name,
		.comment = chain->comment,
		.type = chain->type,
		.hook = chain->hook,
		.priority = chain->priority,
		.accept_policy = chain->accept_policy,
	};

	nft_queue_chain(nl, nftables_family(set->family), set->table, &out);
	if (chain->flush)
		nft_queue_flush_chain(nl, nftables_family(set->family), set->table, chain->name);
}

/* A wait that grows and differs between processes, so that 32 of them do not stay in step. */
static void pause_after(unsigned tries)
{
	struct timespec now;
	long us = 200L << (tries < 6 ? tries : 6);

	clock_gettime(CLOCK_MONOTONIC, &now);
	us = us / 2 + (now.tv_nsec / 64 ^ getpid()) % us;
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

/* The rule's match of that kind, or the lack of one, is what is there. */
static bool same_addr(const struct rule *rule, enum match_kind kind,
		      const struct nft_addr_match *there)
{
	for (const struct match *m = rule->matches; m < rule->matches + RULE_MATCHES && m->kind;
	     m++) {
		struct cidr network = cidr_network(&m->cidr);

		if (m->kind == kind)
			return there->cidr.ip.family && m->negated == (there->op == NFT_IS_NOT) &&
			       cidr_equal(&network, &there->cidr);
	}
	return !there->cidr.ip.family;
}

enum nft_family nftables_family(enum rule_family family)
{
	static const enum nft_family families[] = {
		[RULE_IP] = NFT_IP,
		[RULE_IP6] = NFT_IP6,
		[RULE_INET] = NFT_INET,
		[RULE_BRIDGE] = NFT_BRIDGE,
	};

	return families[family];
}

void nftables_queue(struct netlink *nl, const struct ruleset *set)
{
	if (set->chains.n)
		nft_queue_table(nl, nftables_family(set->family), set->table, set->comment);
	list_each(chain, &set->chains)
		add_chain(nl, set, chain);
	list_each(rule, &set->rules)
		add_rule(nl, set, rule);
}

void nftables_queue_xt(struct netlink *nl, const struct ruleset *set)
{
	list_each(rule, &set->rules)
		add_xt_rule(nl, set, rule);
}

/* ERESTART: the generation moved on; EBUSY: somebody jumped to the chain meanwhile; ENOENT, EEXIST: what we saw
 * (or did not see) has been removed (or made) since. EAGAIN and EINTR come from dumps that were interrupted. */
bool nftables_raced(int r)
{
	return r == -EAGAIN || r == -ERESTART || r == -EINTR || r == -EBUSY || r == -ENOENT ||
	       r == -EEXIST;
}

int nftables_retry(struct netlink *nl, nftables_attempt_fn *attempt, void *arg, struct error *err)
{
	struct error local;
	int r = 0;

	for (unsigned tries = 0; tries < NFTABLES_TRIES; tries++) {
		local = (struct error){ 0 };
		r = attempt(nl, arg, &local);
		if (r >= 0 || !nftables_raced(r))
			break;
		pause_after(tries);
	}
	if (r < 0 && err)
		*err = local;
	return r;
}

/* The namespace itself is the lock: no file to make, and none to leave behind. */
int nftables_turn(void)
{
	auto_close int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	for (unsigned i = 0; fd >= 0 && i < TURN_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return take_fd(&fd);
		pause_after(TURN_PAUSE);
	}
	return -1;
}

bool nftables_same(const struct rule *rule, const struct nft_rule_info *there)
{
	if (!same_addr(rule, MATCH_SOURCE, &there->source) ||
	    !same_addr(rule, MATCH_DESTINATION, &there->destination))
		return false;
	if (there->masquerade)
		return rule->verdict == RULE_MASQUERADE;
	return rule->verdict != RULE_MASQUERADE && there->verdict == verdict_of(rule->verdict) &&
	       streq(there->target, rule->target ? rule->target : "");
}
