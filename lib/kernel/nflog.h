/* Packets that rules log to a group (nfnetlink_log): what nft's `log group N` and iptables' NFLOG send. */
#ifndef KERNEL_NFLOG_H
#define KERNEL_NFLOG_H

#include "base/ip.h"
#include "kernel/netlink.h"

#define NFLOG_PREFIX_SIZE 128 /* nf_tables' limit, with the end */

struct nflog_packet {
	char prefix[NFLOG_PREFIX_SIZE]; /* the rule's words; cut, control characters masked */
	struct ip from, to;
	uint8_t protocol;         /* IPPROTO_*: behind IPv6's extension headers */
	bool whole;               /* protocol's header is there; else what follows is 0 */
	uint16_t from_port, port; /* of TCP, UDP and SCTP; port is ICMP's type */
};
typedef void nflog_fn(void *arg, const struct nflog_packet *packet);

/* A session in the current namespace that gets what is logged to the group, first bytes of each packet. -EBUSY: another
 * process has it. It is let go when the session is closed. */
int nflog_open(struct netlink **nl, uint16_t group, struct error *err) must_check;
/* Hand out what has come, waiting at most timeout_ms for the first; returns how many. *lost is added to when packets
 * came faster than they were read. */
int nflog_read(struct netlink *nl, unsigned timeout_ms, nflog_fn *fn, void *arg, uint64_t *lost,
	       struct error *err) must_check;
/* The first bytes of an IPv4 or IPv6 packet; false: it is none. prefix is left alone. */
bool nflog_parse(const void *data, size_t size, struct nflog_packet *packet);

#endif
