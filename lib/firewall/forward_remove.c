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

int forward_remove(struct forward_removal *removal, struct error *err)
{
	static const struct sweep_place places[] = {
		{ RULE_IP, FORWARD_IPTABLES_TABLE, FORWARD_IPTABLES_CHAIN, NULL },
		{ RULE_IP6, FORWARD_IPTABLES_TABLE, FORWARD_IPTABLES_CHAIN, NULL },
	};
	struct sweep sweep = {
		.places = places,
		.n_places = removal->addresses.n ? ARRAY_SIZE(places) : 0,
		.rule = judge,
		.look = find,
		.queue = queue,
		.arg = removal,
	};

	if (removal->addresses.n)
		qsort(removal->addresses.items, removal->addresses.n,
		      sizeof(*removal->addresses.items), compare_addresses);
	return sweep_run(&sweep, err);
}
