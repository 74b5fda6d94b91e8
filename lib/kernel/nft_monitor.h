/* What others do to the rules of nf_tables, those of iptables-nft included, for who keeps some of them as they should be. */
#ifndef KERNEL_NFT_MONITOR_H
#define KERNEL_NFT_MONITOR_H

#include "kernel/netlink.h"

struct nft_event {
	const char *table;
	const char *chain; /* of a chain or a rule, else "" */
	const char *set;   /* of a set or its elements, else "" */
	bool gone;         /* deleted, rather than new or changed */
};
typedef void nft_event_fn(void *arg, const struct nft_event *event);

/* A session that hears of tables, chains, rules, sets and elements; netlink_fd() becomes readable. -EOPNOTSUPP: no nf_tables here. */
int nft_monitor_open(struct netlink **nl, struct error *err) must_check;
/* Hand out what has come, without waiting. -ENOBUFS: some of it was lost. */
int nft_monitor_read(struct netlink *nl, nft_event_fn *fn, void *arg, struct error *err) must_check;

#endif
