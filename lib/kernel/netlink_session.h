/*
 * The inside of a session, shared by netlink.c (session and queue), netlink_wire.c (socket and errors),
 * netlink_commit.c and netlink_dump.c; nobody else includes it.
 */
#ifndef KERNEL_NETLINK_SESSION_H
#define KERNEL_NETLINK_SESSION_H

#include "kernel/netlink_internal.h"

#include <sys/types.h>
#include <sys/uio.h>

#define NETLINK_RECEIVE_SIZE 32768 /* the kernel fills dump datagrams up to this */
#define NETLINK_SECONDS      5     /* that an answer may take */
#define NETLINK_TOLERATED    4

struct buffer {
	char *data;
	size_t size, room;
};

struct request {
	size_t message; /* offset in the send buffer */
	size_t label;   /* offset in the labels */
	int tolerated[NETLINK_TOLERATED];
	int *outcome;
	netlink_reply_fn *fn;
	void *arg;
};

struct netlink {
	int fd;
	int protocol;
	uint32_t seq;       /* used last */
	uint32_t first_seq; /* of the request queued first */
	uint32_t port;      /* ours, once subscribed; 0 = only replies can come */
	unsigned sends;
	uint32_t generation; /* that the next batch expects, 0 = any */
	bool building;       /* msg holds the request queued last */
	bool too_long;       /* an attribute may be missing: nothing is sent */
	struct nl_msg *msg;
	struct buffer messages, labels, requests;
};

/* Room for size more bytes behind the buffer's content. */
void *buffer_reserve(struct buffer *buffer, size_t size);

size_t netlink_pending(const struct netlink *nl); /* requests in the queue */
struct request *netlink_request(const struct netlink *nl, size_t n);
struct nlmsghdr *netlink_message(const struct netlink *nl, size_t n);
size_t netlink_start(const struct netlink *nl,
		     size_t n); /* offset of message n, or the end behind the last */
/* Finish the message under construction; -EMSGSIZE when something may be missing in one. */
int netlink_ready(struct netlink *nl, struct error *err) must_check;

int netlink_broken(struct error *err, const char *what); /* -EPROTO */
int netlink_send(struct netlink *nl, struct iovec *iov, size_t n_iov, struct error *err) must_check;
ssize_t netlink_receive(int fd, void *data, size_t size, int flags, struct error *err) must_check;
int netlink_each(const void *data, size_t size, netlink_reply_fn *fn, void *arg,
		 struct error *err) must_check;
int netlink_read_error(const struct nlmsghdr *reply, int *errnum, char *words, size_t size,
		       struct error *err) must_check;
void netlink_words(const struct nlmsghdr *reply, size_t offset, char *text, size_t size);
int netlink_refuse(const struct netlink *nl, const struct request *req, int errnum,
		   const char *words, bool tolerant, struct error *err);

#endif
