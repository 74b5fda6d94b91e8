/*
 * Rule sets to nf_tables, in nft's own form or in that of the iptables-nft programs. All that is queued here goes to
 * the kernel in one transaction; parallel callers are ordered by the kernel, and who loses (its rule is gone, its chain
 * is new) looks again.
 */
#include "firewall/nftables.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
	case MATCH_IN_INTERFACE:
	case MATCH_OUT_INTERFACE:
		nft_match_interface(rule, match->kind == MATCH_IN_INTERFACE, op, match->name);
		break;
	case MATCH_ETHER_SOURCE: nft_match_ether_source(rule, op, &match->mac); break;
	case MATCH_PROTOCOL: nft_match_protocol(rule, op, (uint8_t)match->value); break;
	case MATCH_PORT: nft_match_port(rule, match->ports); break;
	case MATCH_LOCAL: nft_match_local(rule); break;
	case MATCH_STATE: nft_match_state(rule, match->value); break;
	case MATCH_MARK: nft_match_mark(rule, match->value, match->bits); break;
	case MATCH_MULTIPORT:
	case MATCH_WORDS:
	case MATCH_NONE: break;
	}
}

static struct nft_rule *begin(struct netlink *nl, const struct ruleset *set,
			      const struct rule *rule, const char *comment)
{
	return (rule->insert ? nft_rule_insert : nft_rule_begin)(nl, nftables_family(set->family),
								 set->table, rule->chain, comment);
}

static void add_rule(struct netlink *nl, const struct ruleset *set, const struct rule *rule)
{
	struct nft_rule *out = begin(nl, set, rule, rule->comment);

	for (const struct match *m = rule->matches; m < rule->matches + RULE_MATCHES && m->kind;
	     m++)
		add_match(out, m);
	if (rule->verdict == RULE_MASQUERADE)
		nft_masquerade(out, rule->fully_random);
	else if (rule->verdict == RULE_DNAT)
		nft_dnat(out, &rule->to.ip, &rule->to.ports);
	else if (rule->verdict == RULE_MARK)
		nft_set_mark(out, rule->mark, rule->mark_bits);
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

static void add_xt_match(struct nft_rule *rule, const struct match *match)
{
	enum nft_op op = match->negated ? NFT_IS_NOT : NFT_IS;

	switch (match->kind) {
	case MATCH_IN_INTERFACE:
	case MATCH_OUT_INTERFACE:
		nft_xt_interface(rule, match->kind == MATCH_IN_INTERFACE, op, match->name);
		break;
	case MATCH_PORT: nft_xt_port(rule, match->ports); break;
	case MATCH_MULTIPORT: nft_xt_multiport(rule, match->ports, match->n_ports); break;
	case MATCH_LOCAL: nft_xt_local(rule); break;
	case MATCH_STATE: nft_xt_state(rule, match->value); break;
	default: add_match(rule, match);
	}
}

/* Order and counter are those of iptables-restore, which leaves out what matches any address. */
static void add_xt_rule(struct netlink *nl, const struct ruleset *set, const struct rule *rule)
{
	static const enum match_kind before[] = { MATCH_IN_INTERFACE, MATCH_OUT_INTERFACE,
						  MATCH_PROTOCOL, MATCH_SOURCE, MATCH_DESTINATION },
				     after[] = { MATCH_PORT, MATCH_MULTIPORT, MATCH_LOCAL,
						 MATCH_STATE, MATCH_MARK };
	struct nft_rule *out = begin(nl, set, rule, NULL);
	const struct match *match;

	nft_xt_rule(out);
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		if ((match = rule_match(rule, before[i])) && !is_any(match))
			add_xt_match(out, match);
	if (rule->comment && !rule->comment_last)
		nft_xt_comment(out, rule->comment);
	for (size_t i = 0; i < ARRAY_SIZE(after); i++)
		if ((match = rule_match(rule, after[i])))
			add_xt_match(out, match);
	if (rule->comment && rule->comment_last)
		nft_xt_comment(out, rule->comment);
	nft_counter(out);
	if (rule->verdict == RULE_MASQUERADE)
		nft_xt_masquerade(out, rule->fully_random);
	else if (rule->verdict == RULE_DNAT)
		nft_xt_dnat(out, &rule->to.ip, &rule->to.ports, rule->to.base);
	else if (rule->verdict == RULE_MARK)
		nft_xt_set_mark(out, rule->mark, rule->mark_bits);
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
	const struct match *match = rule_match(rule, kind);
	struct cidr network;

	if (!match || is_any(match))
		return !there->cidr.ip.family;
	network = cidr_network(&match->cidr);
	return there->cidr.ip.family && match->negated == (there->op == NFT_IS_NOT) &&
	       cidr_equal(&network, &there->cidr);
}

static bool same_interface(const struct rule *rule, enum match_kind kind,
			   const struct nft_interface_match *there)
{
	const struct match *match = rule_match(rule, kind);

	return streq(match ? match->name : "", there->name) &&
	       (!match || match->negated == (there->op == NFT_IS_NOT));
}

static bool same_ports(const struct rule *rule, const struct nft_rule_info *there)
{
	const struct match *one = rule_match(rule, MATCH_PORT),
			   *many = rule_match(rule, MATCH_MULTIPORT);
	size_t n = one ? 1 : many ? many->n_ports : 0;

	return n == there->n_ports &&
	       (!n || !memcmp((one ? one : many)->ports, there->ports, n * sizeof(struct ports)));
}

static bool same_number(const struct rule *rule, enum match_kind kind, uint32_t value)
{
	const struct match *match = rule_match(rule, kind);

	return (match ? match->value : 0) == value;
}

static bool same_matches(const struct rule *rule, const struct nft_rule_info *there)
{
	const struct match *protocol = rule_match(rule, MATCH_PROTOCOL),
			   *mark = rule_match(rule, MATCH_MARK);

	return same_addr(rule, MATCH_SOURCE, &there->source) &&
	       same_addr(rule, MATCH_DESTINATION, &there->destination) &&
	       same_interface(rule, MATCH_IN_INTERFACE, &there->in) &&
	       same_interface(rule, MATCH_OUT_INTERFACE, &there->out) &&
	       same_number(rule, MATCH_PROTOCOL, there->protocol) &&
	       (protocol && protocol->negated) == there->not_protocol && same_ports(rule, there) &&
	       (rule_match(rule, MATCH_LOCAL) != NULL) == there->local &&
	       same_number(rule, MATCH_STATE, there->states) &&
	       same_number(rule, MATCH_MARK, there->mark) &&
	       (mark ? mark->bits : 0) == there->mark_bits &&
	       !rule_match(rule, MATCH_ETHER_SOURCE) && !rule_match(rule, MATCH_WORDS);
}

/* What the rule does, and nothing besides; by chance where it need not is fine, as the reference does. */
static bool same_verdict(const struct rule *rule, const struct nft_rule_info *there)
{
	bool dnat = rule->verdict == RULE_DNAT, mark = rule->verdict == RULE_MARK,
	     masquerade = rule->verdict == RULE_MASQUERADE, jump = !dnat && !mark && !masquerade;

	return there->masquerade == masquerade && there->fully_random >= rule->fully_random &&
	       there->verdict == (jump ? (int)verdict_of(rule->verdict) : INT_MAX) &&
	       streq(there->target, jump && rule->target ? rule->target : "") &&
	       ip_equal(&there->to, dnat ? &rule->to.ip : &(struct ip){ 0 }) &&
	       there->to_ports.first == (dnat ? rule->to.ports.first : 0) &&
	       there->to_ports.last == (dnat ? rule->to.ports.last : 0) &&
	       there->to_base == (dnat ? rule->to.base : 0) &&
	       there->set_mark == (mark ? rule->mark : 0) &&
	       there->set_bits == (mark ? rule->mark_bits : 0);
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

bool nftables_can_xt(const struct ruleset *set)
{
	list_each(rule, &set->rules)
		if (rule_match(rule, MATCH_WORDS) || rule_match(rule, MATCH_ETHER_SOURCE))
			return false;
	return true;
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
	return !there->unknown && !there->from.family &&
	       streq(there->comment, rule->comment ? rule->comment : "") &&
	       same_matches(rule, there) && same_verdict(rule, there);
}

bool nftables_has(const nft_rules_t *there, const struct rule *rule)
{
	list_each(info, there)
		if (nftables_same(rule, info))
			return true;
	return false;
}
