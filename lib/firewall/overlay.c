/* What the rules are, in both forms; overlay_ensure.c puts them in place. No input or output. */
#include "firewall/overlay.h"

#include <errno.h>
#include <netinet/in.h>

#include "firewall/names.h"
#include "firewall/nftables.h"

#define MASQ_COMMENT    "flanneld masq"
#define FORWARD_COMMENT "flanneld forward"

enum { KUBE_PROXY_MARK = 0x4000, PRIORITY_SRCNAT = 100 };

static const struct overlay_family *family_of(const struct overlay *overlay, int family)
{
	return family == AF_INET ? &overlay->v4 : &overlay->v6;
}

/* What is in both forms: rules of a chain that end alike. */
struct chain_of {
	struct arena *arena;
	struct ruleset *set;
	const char *chain, *comment;
	bool fully_random;
};

static void add(const struct chain_of *of, struct match first, struct match second,
		enum rule_verdict verdict)
{
	ruleset_rule(of->arena, of->set, .chain = of->chain, .comment = of->comment,
		     .comment_last = true, .matches = { first, second }, .verdict = verdict,
		     .fully_random = verdict == RULE_MASQUERADE && of->fully_random);
}

/*
 * The mark is kube-proxy's: such a packet is masqueraded there. What stays in the network, and what comes from outside for a pod of
 * this node, keeps its source; what leaves, and what this host sends to other nodes' pods, does not.
 */
static void add_masquerade(const struct chain_of *of, const struct overlay_family *net)
{
	struct cidr multicast = multicast_of(net->network.ip.family);
	struct match mark = { .kind = MATCH_MARK,
			      .value = KUBE_PROXY_MARK,
			      .bits = KUBE_PROXY_MARK },
		     none = { .kind = MATCH_NONE }, from_network = match_source(&net->network),
		     to_network = match_destination(&net->network),
		     to_subnet = match_destination(&net->subnet);

	add(of, mark, none, RULE_RETURN);
	add(of, match_source(&net->subnet), to_network, RULE_RETURN);
	add(of, from_network, to_subnet, RULE_RETURN);
	add(of, match_not(from_network), to_subnet, RULE_RETURN);
	add(of, from_network, match_not(match_destination(&multicast)), RULE_MASQUERADE);
	add(of, match_not(from_network), to_network, RULE_MASQUERADE);
}

static void add_forward(const struct chain_of *of, const struct overlay_family *net)
{
	struct match none = { .kind = MATCH_NONE };

	add(of, match_source(&net->network), none, RULE_ACCEPT);
	add(of, match_destination(&net->network), none, RULE_ACCEPT);
}

static void add_jump(const struct chain_of *of, const char *from, bool first)
{
	ruleset_chain(of->arena, of->set, .name = of->chain, .flush = true);
	ruleset_rule(of->arena, of->set, .chain = from, .comment = of->comment,
		     .verdict = RULE_JUMP, .target = of->chain, .insert = first,
		     .once = RULE_ONCE_BY_TARGET);
}

void overlay_xt_rules(struct arena *arena, const struct overlay *overlay, int family,
		      struct ruleset sets[2])
{
	const struct overlay_family *net = family_of(overlay, family);
	enum rule_family rule_family = family == AF_INET ? RULE_IP : RULE_IP6;
	const struct chain_of masq = { arena, &sets[0], OVERLAY_POSTRTG, MASQ_COMMENT,
				       overlay->fully_random },
			      forward = { arena, &sets[1], OVERLAY_FWD, FORWARD_COMMENT, false };

	sets[0] = (struct ruleset){ .family = rule_family, .table = "nat" };
	sets[1] = (struct ruleset){ .family = rule_family, .table = "filter" };
	if (!net->network.ip.family)
		return;
	if (overlay->masquerade) {
		add_jump(&masq, "POSTROUTING", false);
		add_masquerade(&masq, net);
	}
	if (overlay->forward) {
		add_jump(&forward, "FORWARD", overlay->forward_first);
		add_forward(&forward, net);
	}
}

void overlay_nft_rules(struct arena *arena, const struct overlay *overlay, int family,
		       struct ruleset *set)
{
	const struct overlay_family *net = family_of(overlay, family);
	const struct chain_of masq = { arena, set, OVERLAY_CHAIN_POSTRTG, NULL,
				       overlay->fully_random },
			      forward = { arena, set, OVERLAY_CHAIN_FORWARD, NULL, false };

	*set = (struct ruleset){ .family = family == AF_INET ? RULE_IP : RULE_IP6,
				 .table = family == AF_INET ? OVERLAY_TABLE : OVERLAY_TABLE6 };
	if (!net->network.ip.family)
		return;
	if (overlay->masquerade) {
		ruleset_chain(arena, set, .name = masq.chain, .type = "nat",
			      .hook = NFT_POSTROUTING, .priority = PRIORITY_SRCNAT, .flush = true);
		add_masquerade(&masq, net);
	}
	if (overlay->forward) {
		ruleset_chain(arena, set, .name = forward.chain, .type = "filter",
			      .hook = NFT_FORWARD, .accept_policy = true, .flush = true);
		add_forward(&forward, net);
	}
}

bool overlay_is_comment(const char *comment)
{
	return streq(comment, MASQ_COMMENT) || streq(comment, FORWARD_COMMENT);
}

bool overlay_concerns(const char *table, const char *chain, bool gone)
{
	bool nat = streq(table, "nat"), filter = streq(table, "filter");

	if (streq(table, OVERLAY_TABLE) || streq(table, OVERLAY_TABLE6))
		return true;
	if (!nat && !filter)
		return false;
	if (!chain || !*chain)
		return gone;
	return streq(chain, nat ? OVERLAY_POSTRTG : OVERLAY_FWD) ||
	       (gone && streq(chain, nat ? "POSTROUTING" : "FORWARD"));
}
