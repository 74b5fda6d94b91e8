/* Chains and rules of a namespace, followed for one packet. See filter.h. */
#include "node/filter.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/file.h"
#include "firewall/legacy.h"
#include "firewall/portmap_rules.h"
#include "kernel/netlink.h"
#include "node/policy.h"
#include "node/ports.h"
#include "node/sets.h"

enum { DEPTH_MAX = 16, RULES_MAX = 20000 };

struct filter {
	struct netlink *nl; /* NULL = this kernel has no nf_tables */
	nft_base_chains_t chains;
};

struct asking {
	struct place *place;
	struct parcel *parcel;
	const struct filter_question *question;
	struct arena *arena;
	struct filter_answer *answer;
	const struct legacy_table *legacy; /* NULL = nf_tables */
	enum nft_family family;
	const char *table;
	unsigned rules; /* looked at so far */
	struct error *err;
};

enum outcome { PASSED, ACCEPTED, DROPPED, TRANSLATED, RETURNED, FAILED };

/* ---- does a rule fit? ---- */

static bool addr_fits(const struct nft_addr_match *match, const struct ip *ip)
{
	if (!match->cidr.ip.family)
		return true;
	return match->cidr.ip.family == ip->family &&
	       cidr_contains(&match->cidr, ip) == (match->op == NFT_IS);
}

static bool interface_fits(const struct nft_interface_match *match, const char *name)
{
	size_t len = strlen(match->name);
	bool same;

	if (!len)
		return true;
	same = match->name[len - 1] == '+' ? strncmp(match->name, name, len - 1) == 0
					   : streq(match->name, name);
	return same == (match->op == NFT_IS);
}

static bool protocol_fits(const struct nft_rule_info *rule, const struct parcel *parcel)
{
	return !rule->protocol ||
	       (rule->protocol == parcel_protocol(parcel)) == !rule->not_protocol;
}

static bool port_fits(const struct nft_rule_info *rule, uint16_t port)
{
	for (size_t i = 0; i < rule->n_ports; i++)
		if (port >= rule->ports[i].first && port <= rule->ports[i].last)
			return true;
	return !rule->n_ports;
}

/* Of packets the sender's hardware address is not known here. */
static bool sender_fits(const struct asking *asking, const struct nft_rule_info *rule)
{
	const struct frame *frame = asking->question->frame;

	return !rule->sender.mac.set || (frame && mac_equal(&frame->sender, &rule->sender.mac) ==
							  (rule->sender.op == NFT_IS));
}

static bool fits(const struct asking *asking, const struct nft_rule_info *rule)
{
	const struct parcel *parcel = asking->parcel;

	return (!rule->only || rule->only == parcel_family(parcel)) && sender_fits(asking, rule) &&
	       addr_fits(&rule->source, &parcel->src) &&
	       addr_fits(&rule->destination, &parcel->dst) &&
	       interface_fits(&rule->in, asking->question->in) &&
	       interface_fits(&rule->out, asking->question->out) && protocol_fits(rule, parcel) &&
	       port_fits(rule, parcel->port) && (!rule->local || asking->question->to_us) &&
	       (!rule->states || rule->states & filter_state(asking->question)) &&
	       (parcel->mark & rule->mark_bits) == rule->mark;
}

/* ---- what it does ---- */

/* A rule that was passed over may have let the packet pass before. */
static enum outcome settle(struct filter_answer *answer)
{
	if (!answer->unknown)
		return DROPPED;
	answer->dropped = false;
	answer->maybe = answer->where;
	return ACCEPTED;
}

static const char *rule_text(struct asking *asking, const char *chain,
			     const struct nft_rule_info *rule, size_t n)
{
	return arena_printf(asking->arena, "rule %zu of chain %s (table %s %s)%s%s", n, chain,
			    nft_family_name(asking->family), asking->table,
			    *rule->comment ? ": " : "", rule->comment);
}

/* A rule of nf_tables has a handle; of the legacy tables, its place in the chain. */
static enum outcome drop(struct asking *asking, const char *chain, const struct nft_rule_info *rule,
			 size_t n)
{
	struct filter_answer *answer = asking->answer;
	const char *family = nft_family_name(asking->family);
	struct arena *arena = asking->arena;
	const char *program = asking->family == NFT_IP6 ? "ip6tables-legacy" : "iptables-legacy";

	answer->dropped = true;
	answer->rejected = rule->reject;
	answer->where = rule_text(asking, chain, rule, n);
	answer->remedy = asking->legacy ? place_command(asking->place, arena, program,
							"-t %s -D %s %zu", asking->table, chain, n)
					: place_command(asking->place, arena, "nft",
							"delete rule %s %s %s handle %llu", family,
							asking->table, chain,
							(unsigned long long)rule->handle);
	return settle(answer);
}

static enum outcome follow(struct asking *asking, const char *chain, unsigned depth);

static enum outcome translate(struct asking *asking, const struct nft_rule_info *rule)
{
	struct filter_answer *answer = asking->answer;

	answer->masqueraded |= rule->masquerade || rule->from.family;
	answer->from = rule->from;
	if (rule->to.family) {
		answer->to = rule->to;
		answer->to_port = rule->to_ports.first;
		answer->owner = *rule->comment ? rule->comment : NULL;
	}
	return TRANSLATED;
}

static enum outcome obey(struct asking *asking, const char *chain, const struct nft_rule_info *rule,
			 size_t n, unsigned depth)
{
	enum outcome outcome;

	if (rule->set_bits)
		asking->parcel->mark = (asking->parcel->mark & ~rule->set_bits) ^ rule->set_mark;
	if (rule->masquerade || rule->to.family || rule->from.family)
		return translate(asking, rule);
	if (rule->reject || rule->verdict == NFT_VERDICT_DROP)
		return drop(asking, chain, rule, n);
	if (rule->verdict == NFT_VERDICT_ACCEPT)
		return ACCEPTED;
	if (rule->verdict == NFT_VERDICT_RETURN)
		return RETURNED;
	if (!*rule->target)
		return PASSED;
	outcome = follow(asking, rule->target, depth + 1);
	if (outcome == RETURNED || outcome == PASSED)
		return rule->verdict == NFT_VERDICT_GOTO ? RETURNED : PASSED;
	return outcome;
}

static int rules_of(struct asking *asking, const char *chain, nft_rules_t *rules)
{
	struct filter *filter = asking->place->filter;

	if (!asking->legacy)
		return nft_rules(filter->nl, asking->family, asking->table, chain, asking->arena,
				 rules, asking->err);
	legacy_rules(asking->legacy, chain, asking->arena, rules);
	return 0;
}

/* What cannot be judged; what would drop is told. */
static void pass_over(struct asking *asking, const char *chain, const struct nft_rule_info *rule,
		      size_t n)
{
	struct filter_answer *answer = asking->answer;

	answer->unknown++;
	if (!answer->maybe && (rule->reject || rule->verdict == NFT_VERDICT_DROP))
		answer->maybe = rule_text(asking, chain, rule, n);
}

/* The rules of port maps look into sets; ports.h does. */
static bool is_port_map(const struct asking *asking)
{
	return !asking->legacy && streq(asking->table, PORT_NFT_TABLE);
}

static bool masquerades_port(const struct asking *asking, const struct nft_rule_info *rule)
{
	return asking->question->hook == NFT_POSTROUTING && asking->question->mapped &&
	       ports_masquerade(asking->place->filter->nl, rule->comment, asking->parcel,
				asking->arena);
}

static enum outcome look_into_sets(struct asking *asking, const char *chain,
				   const struct nft_rule_info *rule, size_t n, unsigned depth)
{
	const struct nft_element *element = NULL;
	struct nft_rule_info known = *rule;
	enum sets_fit fit = SETS_UNKNOWN;

	if (rule->line)
		fit = sets_ask(asking->place->filter->nl, asking->family, asking->table, rule->line,
			       asking->parcel, asking->question, asking->arena, &element);
	if (fit == SETS_UNKNOWN)
		pass_over(asking, chain, rule, n);
	if (fit != SETS_YES)
		return PASSED;
	if (element) {
		known.verdict = element->verdict;
		known.target = element->chain ? element->chain : "";
	}
	return obey(asking, chain, &known, n, depth);
}

static enum outcome follow(struct asking *asking, const char *chain, unsigned depth)
{
	nft_rules_t rules = { 0 };
	size_t n = 0;

	if (depth > DEPTH_MAX || asking->rules > RULES_MAX)
		return PASSED;
	if (rules_of(asking, chain, &rules) < 0)
		return FAILED;
	asking->rules += (unsigned)rules.n;
	list_each(rule, &rules) {
		enum outcome outcome;

		n++;
		if (!fits(asking, rule))
			continue;
		if (rule->unknown && is_port_map(asking)) {
			if (!masquerades_port(asking, rule))
				continue;
			asking->answer->masqueraded = true;
			return TRANSLATED;
		}
		if (rule->unknown) {
			outcome = look_into_sets(asking, chain, rule, n, depth);
			if (outcome != PASSED)
				return outcome;
			continue;
		}
		outcome = obey(asking, chain, rule, n, depth);
		if (outcome != PASSED)
			return outcome;
	}
	return PASSED;
}

/* ---- hooks ---- */

static int by_priority(const void *a_, const void *b_)
{
	const struct nft_base_chain *a = a_, *b = b_;

	return a->priority < b->priority ? -1 : a->priority > b->priority;
}

static int load(struct place *place, struct arena *arena, struct error *err)
{
	struct filter *filter = arena_alloc(arena, sizeof(*filter));
	int r;

	place->filter = filter;
	if (netlink_open(&filter->nl, NETLINK_SESSION_NETFILTER, place->fd, NULL) < 0)
		return 0;
	r = nft_base_chains(filter->nl, arena, &filter->chains, err);
	if (r < 0) /* no nf_tables in this kernel, or not for us */
		filter->chains.n = 0;
	if (filter->chains.n)
		qsort(filter->chains.items, filter->chains.n, sizeof(*filter->chains.items),
		      by_priority);
	return r == -EPERM || r == -EPROTO ? r : 0;
}

void filter_close(struct filter *filter)
{
	if (filter)
		netlink_closep(&filter->nl);
}

static bool at_device(const struct nft_base_chain *chain, const struct filter_question *question)
{
	const char *name = question->egress ? question->out : question->in;
	int hook = chain->family == NFT_NETDEV
			   ? (question->egress ? NFT_NETDEV_EGRESS : NFT_NETDEV_INGRESS)
		   : chain->family == NFT_INET && !question->egress ? NFT_INET_INGRESS
								    : -1;

	if (chain->hook != hook)
		return false;
	list_each(device, &chain->devices)
		if (interface_fits(device, name))
			return true;
	return false;
}

/* Policies have words of their own (policy.h). */
static bool concerns(const struct nft_base_chain *chain, const struct asking *asking)
{
	bool own = asking->question->frame ? chain->family == NFT_BRIDGE
					   : chain->family == parcel_family(asking->parcel) ||
						     chain->family == NFT_INET;

	if (asking->question->device)
		return at_device(chain, asking->question);
	return own && chain->hook == (int)asking->question->hook &&
	       !policy_owns_table(chain->table);
}

static enum outcome policy(struct asking *asking, const struct nft_base_chain *chain)
{
	struct arena *arena = asking->arena;
	struct filter_answer *answer = asking->answer;
	bool xt = chain->family != NFT_INET && streq(chain->table, "filter") &&
		  streq(chain->name, "FORWARD");

	if (!chain->drops)
		return ACCEPTED;
	answer->dropped = true;
	answer->where = arena_printf(arena, "policy drop of chain %s (table %s %s)", chain->name,
				     nft_family_name(chain->family), chain->table);
	answer->remedy =
		xt ? place_command(asking->place, arena,
				   chain->family == NFT_IP ? "iptables" : "ip6tables",
				   "-P FORWARD ACCEPT")
		   : place_command(asking->place, arena, "nft",
				   "chain %s %s %s '{ policy accept; }'",
				   nft_family_name(chain->family), chain->table, chain->name);
	return settle(answer);
}

/* A translation is made once for a connection; filters are all asked. */
static enum outcome through_nftables(struct asking *asking)
{
	bool translated = false;

	list_each(chain, &asking->place->filter->chains) {
		enum outcome outcome;

		if (!concerns(chain, asking) || (translated && streq(chain->type, "nat")))
			continue;
		asking->family = chain->family;
		asking->table = chain->table;
		outcome = follow(asking, chain->name, 0);
		if (outcome == PASSED || outcome == RETURNED)
			outcome = policy(asking, chain);
		if (outcome == DROPPED || outcome == FAILED)
			return outcome;
		translated |= outcome == TRANSLATED;
	}
	return ACCEPTED;
}

static enum outcome legacy_policy(struct asking *asking, const char *chain)
{
	struct filter_answer *answer = asking->answer;

	answer->dropped = true;
	answer->where = arena_printf(asking->arena, "policy drop of chain %s (table %s %s)", chain,
				     nft_family_name(asking->family), asking->table);
	answer->remedy =
		place_command(asking->place, asking->arena,
			      asking->family == NFT_IP ? "iptables-legacy" : "ip6tables-legacy",
			      "-t %s -P %s ACCEPT", asking->table, chain);
	return settle(answer);
}

static enum outcome through_legacy_table(struct asking *asking, enum rule_family family,
					 const char *table, const char *chain)
{
	struct legacy_table legacy = { .name = table };
	enum outcome outcome;

	if (!legacy_active(family, table))
		return ACCEPTED;
	if (legacy_read(family, table, asking->arena, &legacy, asking->err) < 0)
		return FAILED;
	asking->legacy = &legacy;
	asking->family = family == RULE_IP ? NFT_IP : NFT_IP6;
	asking->table = table;
	outcome = follow(asking, chain, 0);
	if ((outcome == PASSED || outcome == RETURNED) && legacy_chain_drops(&legacy, chain))
		outcome = legacy_policy(asking, chain);
	asking->legacy = NULL;
	return outcome;
}

/* In the order that the kernel has them in. */
static enum outcome through_legacy(struct asking *asking)
{
	static const char *const chains[] = {
		[NFT_PREROUTING] = "PREROUTING",   [NFT_INPUT] = "INPUT",
		[NFT_FORWARD] = "FORWARD",         [NFT_OUTPUT] = "OUTPUT",
		[NFT_POSTROUTING] = "POSTROUTING",
	};
	static const char *const tables[] = { "raw", "mangle", "nat", "filter", "security" };
	const char *chain = chains[asking->question->hook];
	enum rule_family family = asking->parcel->dst.family == AF_INET ? RULE_IP : RULE_IP6;
	enum outcome outcome = ACCEPTED;

	for (size_t i = 0; i < ARRAY_SIZE(tables) && outcome != FAILED && outcome != DROPPED; i++)
		outcome = through_legacy_table(asking, family, tables[i], chain);
	return outcome;
}

int filter_ask(struct place *place, struct parcel *parcel, const struct filter_question *question,
	       struct arena *arena, struct filter_answer *answer, struct error *err)
{
	struct asking asking = { place, parcel, question, arena, answer, .err = err };
	int back auto_netns = -1;
	enum outcome outcome;
	int r;

	*answer = (struct filter_answer){ .dropped = false };
	r = netns_enter(place->fd, &back, err);
	if (r >= 0 && !place->filter)
		r = load(place, arena, err);
	if (r < 0)
		return r;
	outcome = through_nftables(&asking);
	if (outcome == ACCEPTED && !question->frame && !question->device)
		outcome = through_legacy(&asking);
	if (outcome == FAILED)
		return -err->errnum;
	if (!answer->to.family && question->to_us && !question->frame &&
	    (question->hook == NFT_PREROUTING || question->hook == NFT_OUTPUT))
		ports_ask(place->filter->nl, parcel, arena, answer);
	return 0;
}
