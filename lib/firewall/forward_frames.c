/*
 * Frames between ports of one bridge. Rules for IP see them only where the bridge shows them to iptables
 * (net.bridge.bridge-nf-call-iptables, which Docker and Kubernetes set); elsewhere `isolated` would be a word. There a
 * table of family bridge drops what an isolated bridge forwards from port to port; what it hands to the node is not
 * forwarded, and passes.
 */
#include "firewall/forward_carrier.h"

#include <errno.h>
#include <netinet/in.h>

#include "kernel/sysctl.h"

#define TABLE   "cni_firewall"
#define FORWARD "forward"
#define COMMENT "between ports of an isolated bridge"

static const struct nft_set isolated = {
	.name = "isolated",
	.key = { NFT_IN_BRIDGE },
	.comment = "bridges whose ports are kept apart",
};

static bool is_shown(const char *sysctl)
{
	char value[16];

	return sysctl_read(sysctl, value, sizeof(value), NULL) == 0 && streq(value, "1");
}

/* Do the rules of all families in use see what the bridge forwards? */
static bool rules_see_frames(const struct forward *forward)
{
	list_each(address, &forward->addresses)
		if (!is_shown(address->ip.family == AF_INET
				      ? "net/bridge/bridge-nf-call-iptables"
				      : "net/bridge/bridge-nf-call-ip6tables"))
			return false;
	return true;
}

static bool is_needed(const struct forward *forward)
{
	return forward->policy == FORWARD_ISOLATED && !rules_see_frames(forward);
}

static struct nft_value bridge_key(const struct forward *forward)
{
	struct nft_value key = { 0 };

	nft_value_interface(&key, forward->bridge);
	return key;
}

static void queue_base(struct netlink *nl)
{
	static const struct nft_chain chain = { .name = FORWARD,
						.type = "filter",
						.hook = NFT_FORWARD };
	struct nft_rule *rule;

	nft_queue_table(nl, NFT_BRIDGE, TABLE, "CNI firewall plugin");
	nft_queue_chain(nl, NFT_BRIDGE, TABLE, &chain);
	nft_queue_set(nl, NFT_BRIDGE, TABLE, &isolated);
	nft_queue_flush_chain(nl, NFT_BRIDGE, TABLE, FORWARD);
	rule = nft_rule_begin(nl, NFT_BRIDGE, TABLE, FORWARD, COMMENT);
	nft_match_set(rule, NFT_IS, &isolated);
	nft_verdict(rule, NFT_VERDICT_DROP, NULL);
	nft_rule_end(rule);
}

/* 1: rule and element are there. */
static int is_there(struct netlink *nl, const struct forward *forward, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct nft_value key = bridge_key(forward);
	struct nft_lookup lookup = { .arena = &arena };
	nft_rules_t rules = { 0 };
	int r = nft_rules(nl, NFT_BRIDGE, TABLE, FORWARD, &arena, &rules, err);

	if (r < 0)
		return r;
	nft_queue_get_element(nl, NFT_BRIDGE, TABLE, &isolated, &key, &lookup);
	r = netlink_commit(nl, err);
	return r < 0 ? r : rules.n == 1 && streq(rules.items[0].comment, COMMENT) && lookup.found;
}

/* Putting everything right is the same for the first container and after a flush. */
static int try_add(struct netlink *nl, void *arg, struct error *err)
{
	const struct forward *forward = arg;
	struct nft_element element = { .key = bridge_key(forward) };
	int r = is_there(nl, forward, err);

	if (r != 0)
		return r < 0 ? r : 0;
	queue_base(nl);
	nft_queue_element(nl, NFT_BRIDGE, TABLE, &isolated, &element, false,
			  "isolate the ports of a bridge");
	return netlink_commit(nl, err);
}

int forward_frames_add(const struct forward *forward, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r;

	if (!is_needed(forward))
		return 0;
	r = nft_open(&nl, err);
	if (r == 0)
		r = nftables_retry(nl, try_add, (void *)forward, err);
	return r < 0 ? wrap(err,
			    "ingress policy \"isolated\" cannot be kept within bridge %s: it does not"
			    " show its frames to iptables (net.bridge.bridge-nf-call-iptables), and"
			    " nftables refuses to look at them",
			    forward->bridge)
		     : 0;
}

int forward_frames_check(const struct forward *forward, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r;

	if (!is_needed(forward))
		return 0;
	r = nft_open(&nl, err);
	if (r == 0)
		r = is_there(nl, forward, err);
	return r == 0  ? fail(err, ENOENT,
			      "expected rules that isolate the ports of bridge %s not found",
			      forward->bridge)
	       : r < 0 ? r
		       : 0;
}
