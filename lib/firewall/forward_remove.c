/*
 * Taking forwarding rules away: those of iptables by the addresses that they admit, in the tables of iptables-nft and in
 * legacy ones; elements of our own table by their owner. All that is in nf_tables goes in one transaction, since each
 * waits for a grace period of the kernel.
 */
#include "firewall/forward_carrier.h"

#include "firewall/sweep.h"

static int compare_addresses(const void *a, const void *b)
{
	return ip_compare(&((const struct cidr *)a)->ip, &((const struct cidr *)b)->ip);
}

static enum sweep_verdict judge(const struct sweep_place *place unused,
				const struct nft_rule_info *rule, void *arg)
{
	const struct forward_removal *removal = arg;
	const struct cidr *address =
		rule->source.cidr.ip.family ? &rule->source.cidr : &rule->destination.cidr;
	bool doomed = bsearch(address, removal->addresses.items, removal->addresses.n,
			      sizeof(*address), compare_addresses);

	return doomed && forward_iptables_admits(rule, address) ? SWEEP_RULE : SWEEP_KEEP;
}

static int find(struct netlink *nl, struct arena *arena, void *arg, struct error *err)
{
	return forward_nftables_find(nl, arena, arg, err);
}

static void queue(struct netlink *nl, void *arg)
{
	forward_nftables_queue_removal(nl, arg);
}

/* Are all addresses of the owner in our table? Then the long chains of iptables need not be listed. Elements that are
 * found are looked for once more in the transaction that deletes them. */
static bool is_in_table(struct forward_removal *removal)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;

	return removal->owner && removal->owned.n && nft_open(&nl, NULL) == 0 &&
	       forward_nftables_find(nl, &arena, removal, NULL) == 0 &&
	       removal->found.n == removal->owned.n;
}

int forward_remove(struct forward_removal *removal, struct error *err)
{
	static const struct sweep_place places[] = {
		{ RULE_IP, FORWARD_IPTABLES_TABLE, FORWARD_IPTABLES_CHAIN, NULL },
		{ RULE_IP6, FORWARD_IPTABLES_TABLE, FORWARD_IPTABLES_CHAIN, NULL },
	};
	struct sweep sweep = {
		.places = places,
		.n_places = ARRAY_SIZE(places),
		.rule = judge,
		.look = find,
		.queue = queue,
		.arg = removal,
	};

	if (!removal->addresses.n || (!removal->recorded && is_in_table(removal)))
		sweep.n_places = 0;
	if (removal->addresses.n)
		qsort(removal->addresses.items, removal->addresses.n,
		      sizeof(*removal->addresses.items), compare_addresses);
	return sweep_run(&sweep, err);
}
