/* The back end for nftables (backend.h, nftables.h): no program is needed, and no memory but the table itself. */
#include "policy/nftables.h"

#include <errno.h>

/* Members are keys of a verdict map, of the direction that the comment of their group begins with. */
static const char *set_name(const struct set *set, int family, struct arena *arena)
{
	struct netpol_part parts[NETPOL_PARTS];
	unsigned n = netpol_parts(set, arena, parts);
	enum direction direction = strstr(set->comment, direction_names[EGRESS]) ? EGRESS : INGRESS;

	for (unsigned i = 0; i < n; i++)
		if (parts[i].family == family)
			return parts[i].set.name;
	return netpol_map(direction, family).name;
}

static int remove_named(struct netlink *nl, const char *table, struct error *err)
{
	nft_queue_del_table(nl, NFT_INET, table);
	netlink_tolerate(nl, ENOENT);
	return netlink_commit(nl, err);
}

static int remove_table(struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r = nft_open(&nl, err);

	if (r == -EOPNOTSUPP) { /* then there is nothing */
		if (err)
			*err = (struct error){ 0 };
		return 0;
	}
	if (r < 0)
		return r;
	r = remove_named(nl, NETPOL_TABLE, err);
	return r < 0 ? r : remove_named(nl, NETPOL_GUARD, err);
}

const struct backend backend_nftables = {
	.name = "nftables",
	.read = netpol_read,
	.write = netpol_write,
	.remove = remove_table,
	.set_name = set_name,
};
