/* Whose lines are whose; see overlay_shared.h. No input or output. */
#include "firewall/overlay_shared.h"

#include "firewall/nftables.h"

static bool is_in(const struct cidr *a, const struct cidr *network)
{
	return network->ip.family && network->ip.family == a->ip.family &&
	       cidr_overlaps(a, network);
}

static bool is_ours(const struct overlay *overlay, const struct nft_addr_match *match)
{
	const struct cidr *cidr = &match->cidr;

	if (!cidr->ip.family)
		return false;
	list_each(network, &overlay->was)
		if (is_in(cidr, network))
			return true;
	return is_in(cidr, &overlay->v4.network) || is_in(cidr, &overlay->v6.network);
}

/* 0 or 1 added. */
static size_t add_match(struct match *to, const struct nft_addr_match *match,
			struct match (*make)(const struct cidr *cidr))
{
	if (!match->cidr.ip.family)
		return 0;
	*to = make(&match->cidr);
	to->negated = match->op == NFT_IS_NOT;
	return 1;
}

static enum rule_verdict verdict_of(const struct nft_rule_info *there)
{
	return there->masquerade                      ? RULE_MASQUERADE
	       : there->verdict == NFT_VERDICT_ACCEPT ? RULE_ACCEPT
						      : RULE_RETURN;
}

struct rule overlay_rule_of(const char *chain, const struct nft_rule_info *there)
{
	struct rule rule = {
		.chain = chain,
		.comment = *there->comment ? there->comment : NULL,
		.comment_last = true,
		.verdict = verdict_of(there),
		.fully_random = there->fully_random,
	};
	size_t n = 0;

	if (there->mark_bits)
		rule.matches[n++] = (struct match){ .kind = MATCH_MARK,
						    .value = there->mark,
						    .bits = there->mark_bits };
	n += add_match(&rule.matches[n], &there->source, match_source);
	add_match(&rule.matches[n], &there->destination, match_destination);
	return rule;
}

static bool names_others(const struct nft_addr_match *match)
{
	struct cidr multicast = multicast_of(match->cidr.ip.family);

	return match->cidr.ip.family && !cidr_equal(&match->cidr, &multicast);
}

static bool knows_networks(const struct overlay *overlay)
{
	return overlay->was.n || overlay->v4.network.ip.family || overlay->v6.network.ip.family;
}

bool overlay_is_others(const struct overlay *overlay, const struct nft_rule_info *there)
{
	struct rule rule = overlay_rule_of("", there);

	return knows_networks(overlay) &&
	       (names_others(&there->source) || names_others(&there->destination)) &&
	       !is_ours(overlay, &there->source) && !is_ours(overlay, &there->destination) &&
	       (!rule.comment || overlay_is_comment(rule.comment)) && nftables_same(&rule, there);
}

bool overlay_is_common(const struct nft_rule_info *there)
{
	return there->mark_bits && !there->source.cidr.ip.family &&
	       !there->destination.cidr.ip.family;
}

void overlay_split(struct arena *arena, const struct overlay *overlay, const nft_rules_t *there,
		   struct overlay_lines *lines)
{
	*lines = (struct overlay_lines){ .ours = { 0 } };
	list_each(rule, there)
		*list_add(arena, overlay_is_others(overlay, rule) ? &lines->others : &lines->ours) =
			*rule;
}

bool overlay_same(const struct ruleset *set, const char *chain, const nft_rules_t *there)
{
	size_t n = 0;

	list_each(rule, &set->rules) {
		if (!streq(rule->chain, chain))
			continue;
		if (n == there->n || !nftables_same(rule, &there->items[n]) ||
		    rule->fully_random != there->items[n].fully_random)
			return false;
		n++;
	}
	return n == there->n;
}

const struct rule *overlay_jump(const struct ruleset *set)
{
	list_each(rule, &set->rules)
		if (rule->verdict == RULE_JUMP)
			return rule;
	return NULL;
}

void overlay_keep(struct arena *arena, struct ruleset *set, const char *chain,
		  const nft_rules_t *lines)
{
	list_each(line, lines)
		*list_add(arena, &set->rules) = overlay_rule_of(chain, line);
}

struct overlay overlay_nothing(const struct overlay *overlay)
{
	return (struct overlay){ .v4 = overlay->v4, .v6 = overlay->v6, .was = overlay->was };
}
