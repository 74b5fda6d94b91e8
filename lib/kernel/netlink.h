/*
 * Netlink session: one socket in one network namespace, opened inside it and used from anywhere after.
 *
 * Messages are queued with a label ("add address 10.1.0.5/24 to eth0") and committed with one sendmsg; only the
 * last asks for an ack. Replies are matched by sequence number; extended acks, capped acks and strict filter
 * checking are on; every receive has a deadline, so no call can hang. libnl builds and parses attributes; sending
 * and receiving is ours, because libnl drops the extended ack and folds errnos.
 *
 * A batch is not a transaction on NETLINK_ROUTE: the kernel goes on after a refusal, so queue together only
 * messages that are harmless when an earlier one failed. On NETLINK_NETFILTER the changes of nftables in a commit
 * are wrapped in a batch and are all or nothing, whence nothing is tolerated when there are several (look at the
 * outcomes); a look-up between them would divide the batch. The kernel repeats a batch itself where nfnetlink
 * says -EAGAIN inside (a module was loaded); -EINTR or -EAGAIN here means: nothing was done, ask again.
 *
 * A commit above 64 KiB or some 100 messages is divided into several sends; a batch of nftables is not.
 *
 * A protocol violation (short or foreign reply) is -EPROTO; a refusal is the kernel's errno with the label in
 * front and its own words behind: `create bridge cni0: File exists (kernel's text)`.
 */
#ifndef KERNEL_NETLINK_H
#define KERNEL_NETLINK_H

#include "base/arena.h"
#include "base/error.h"

/* The kernel's numbers, for callers above the wall that keeps kernel headers in lib/kernel. */
enum { NETLINK_SESSION_ROUTE = 0, NETLINK_SESSION_NETFILTER = 12 };
enum {
	NETLINK_GROUP_LINK = 1,
	NETLINK_GROUP_NEIGH = 3,
	NETLINK_GROUP_IPV4_ADDR = 5,
	NETLINK_GROUP_IPV6_ADDR = 9
};

struct netlink;
struct nl_msg; /* libnl */
struct nlmsghdr;

/* protocol: NETLINK_ROUTE or NETLINK_NETFILTER. netns: namespace descriptor, -1 = the current one. */
int netlink_open(struct netlink **nl, int protocol, int netns, struct error *err) must_check;
void netlink_close(struct netlink *nl);
void netlink_closep(struct netlink **nl);
#define auto_netlink on_leave(netlink_closep)

/* A reply to one message; return 0, or -errno to end the commit with it. */
typedef int netlink_reply_fn(const struct nlmsghdr *reply, void *arg, struct error *err);

/* Start a message in the queue with its fixed header; add attributes with nla_put_*() before the next is queued.
 * Never fails (see arena.h). Attributes above 1024 bytes, or 7 KiB together, need netlink_room() before them (and
 * before a nest is opened); a message without the room is not sent: -EMSGSIZE at commit. */
struct nl_msg *netlink_queue(struct netlink *nl, int type, int flags, const void *header,
			     size_t size, const char *label, ...) printf_like(6, 7);
void netlink_room(struct netlink *nl, size_t size);
/* About the message queued last: an errno that is fine; where its errno (0 = done) is stored; who reads its reply. */
void netlink_tolerate(struct netlink *nl, int errnum);
void netlink_outcome(struct netlink *nl, int *errnum);
void netlink_expect(struct netlink *nl, netlink_reply_fn *fn, void *arg);
/* Send all, read all replies, forget the queue. First refusal that is not tolerated; 0 when the queue is empty. */
int netlink_commit(struct netlink *nl, struct error *err) must_check;
void netlink_discard(struct netlink *nl);
/* The nftables batch of the next commit is refused with -ERESTART unless the rules are still of this generation, which
 * nft_queue_get_generation() tells; 0 = any. */
void netlink_expect_generation(struct netlink *nl, uint32_t generation);

/* Dump: the one message queued last is sent with NLM_F_DUMP; fn sees every record of a complete, uninterrupted
 * dump (an interrupted one is repeated, at most 8 times). */
int netlink_dump(struct netlink *nl, netlink_reply_fn *fn, void *arg, struct error *err) must_check;

/* Join a multicast group (RTNLGRP_*); then netlink_fd() becomes readable and netlink_events() hands out what
 * came, waiting at most timeout_ms (0 = do not wait); returns how many. -ENOBUFS: events were lost, dump again. */
int netlink_subscribe(struct netlink *nl, unsigned group, struct error *err) must_check;
int netlink_events(struct netlink *nl, unsigned timeout_ms, netlink_reply_fn *fn, void *arg,
		   struct error *err) must_check;
int netlink_fd(const struct netlink *nl);
/* Bytes that are queued, without the message queued last. */
size_t netlink_queued_size(const struct netlink *nl);
/* How many sendmsg calls the session made: a number that tests hold on to. */
unsigned netlink_sends(const struct netlink *nl);

#endif
