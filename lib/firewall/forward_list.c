/* Who is admitted: doctor looks for those who are no more. */
#include "firewall/forward_carrier.h"
#include "firewall/forward_record.h"
#include "firewall/xt_view.h"

#include <errno.h>

struct listing {
	struct arena *arena;
	forward_admitted_t *admitted;
};

static bool is_listed(const forward_admitted_t *admitted, const struct ip *ip)
{
	list_each(one, admitted)
		if (ip_equal(&one->ip, ip))
			return true;
	return false;
}

static void list_one(const struct listing *listing, const struct ip *ip, const struct owner *owner)
{
	if (ip->family && !is_listed(listing->admitted, ip))
		*list_add(listing->arena, listing->admitted) =
			(struct forward_admitted){ *ip, *owner };
}

/* Of the two rules of an address, the one about what it sends. */
static int list_rules(const struct xt_view *view, void *arg, struct error *err)
{
	const struct listing *listing = arg;
	nft_rules_t rules = { 0 };
	int r = xt_rules(view, FORWARD_IPTABLES_CHAIN, listing->arena, &rules, err);

	list_each(rule, &rules)
		if (rule->source.cidr.ip.family &&
		    forward_iptables_admits(rule, &rule->source.cidr))
			list_one(listing, &rule->source.cidr.ip, &(struct owner){ 0 });
	return r;
}

int forward_list(struct arena *arena, forward_admitted_t *admitted, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	struct listing listing = { arena, admitted };
	records_t records = { 0 };
	int r = nft_open(&nl, err);

	if (r >= 0)
		r = forward_nftables_list(nl, arena, admitted, err);
	if (r == -EOPNOTSUPP)
		r = 0;
	if (r >= 0)
		r = record_list(NULL, arena, &records, err);
	list_each(record, &records)
		list_one(&listing, &record->address, &record->owner);
	return r < 0 ? r : xt_each_view(nl, FORWARD_IPTABLES_TABLE, list_rules, &listing, err);
}
