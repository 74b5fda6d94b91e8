/*
 * The socket of a session: one datagram out, one datagram in, and what an error reply says. libnl is not used for
 * this, because it drops the extended ack and folds errnos into its own.
 */
#include "kernel/netlink_session.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/log.h"

#define ERRNO_MAX 8191 /* ipset has errors of its own beyond the kernel's 4095 */

/* A reply that breaks the protocol. */
int netlink_broken(struct error *err, const char *what)
{
	return fail(err, EPROTO, "netlink: %s", what);
}

/* One datagram to the kernel, which is where an unconnected netlink socket sends. */
int netlink_send(struct netlink *nl, struct iovec *iov, size_t n_iov, struct error *err)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n_iov };
	ssize_t n;

	nl->sends++;
	do
		n = sendmsg(nl->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? fail_errno(err, errno, "netlink: send") : 0;
}

/*
 * One datagram: its size, 0 when it is not from the kernel (anybody with CAP_NET_ADMIN can send to our port).
 * -ETIMEDOUT after NETLINK_SECONDS; with MSG_DONTWAIT -EAGAIN, which fills no error.
 */
ssize_t netlink_receive(int fd, void *data, size_t size, int flags, struct error *err)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n;

	do
		n = recvmsg(fd, &msg, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN && (flags & MSG_DONTWAIT))
		return -EAGAIN;
	if (n < 0 && errno == EAGAIN)
		return fail(err, ETIMEDOUT, "netlink: no answer from the kernel within %d s",
			    NETLINK_SECONDS);
	if (n < 0)
		return fail_errno(err, errno, "netlink: receive");
	if (n == 0)
		return netlink_broken(err, "empty reply");
	if (msg.msg_flags & MSG_TRUNC)
		return netlink_broken(err, "truncated reply");
	return from.nl_pid ? 0 : n;
}

/* Hand each message of a buffer to fn until one returns an error. */
int netlink_each(const void *data, size_t size, netlink_reply_fn *fn, void *arg, struct error *err)
{
	for (const char *p = data, *end = p + size; p < end;) {
		const struct nlmsghdr *header = (const void *)p;
		size_t left = (size_t)(end - p);
		int r;

		if (left < sizeof(*header) || header->nlmsg_len < sizeof(*header) ||
		    header->nlmsg_len > left)
			return netlink_broken(err, "message with a wrong length");
		r = fn(header, arg, err);
		if (r < 0)
			return r;
		p += NLMSG_ALIGN(header->nlmsg_len) < left ? NLMSG_ALIGN(header->nlmsg_len) : left;
	}
	return 0;
}

/* The kernel's own words behind an error (NLMSGERR_ATTR_MSG), "" when there are none. */
void netlink_words(const struct nlmsghdr *reply, size_t offset, char *text, size_t size)
{
	const struct nlattr *attr;
	int left = (int)reply->nlmsg_len - (int)offset;

	*text = '\0';
	if (!(reply->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	attr = (const void *)((const char *)reply + offset);
	for (; left > 0 && nla_ok(attr, left); attr = nla_next(attr, &left))
		if (nla_type(attr) == NLMSGERR_ATTR_MSG)
			attr_text(attr, text, size);
}

/* Read NLMSG_ERROR: *errnum is 0 for an ack. The refused request's payload follows unless it is capped. */
int netlink_read_error(const struct nlmsghdr *reply, int *errnum, char *words, size_t size,
		       struct error *err)
{
	const struct nlmsgerr *error = NLMSG_DATA(reply);
	size_t offset = NLMSG_LENGTH(sizeof(*error));

	if (reply->nlmsg_len < offset || error->error > 0 || error->error < -ERRNO_MAX)
		return netlink_broken(err, "malformed error reply");
	*errnum = -error->error;
	if (*errnum && !(reply->nlmsg_flags & NLM_F_CAPPED) &&
	    error->msg.nlmsg_len > sizeof(error->msg)) {
		if (error->msg.nlmsg_len > reply->nlmsg_len)
			return netlink_broken(err, "malformed error reply");
		offset += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg);
	}
	netlink_words(reply, offset, words, size);
	return 0;
}

/* A refusal: stored as the request's outcome; 0 when it is tolerated. */
int netlink_refuse(const struct netlink *nl, const struct request *req, int errnum,
		   const char *words, bool tolerant, struct error *err)
{
	const char *label = nl->labels.data + req->label;

	if (req->outcome)
		*req->outcome = errnum;
	log_debug("netlink: %s: %s%s%s", label, strerror(errnum), *words ? ": " : "", words);
	for (unsigned i = 0; tolerant && i < NETLINK_TOLERATED; i++)
		if (req->tolerated[i] == errnum)
			return 0;
	if (*words)
		return fail(err, errnum, "%s: %s (%s)", label, strerror(errnum), words);
	return fail_errno(err, errnum, "%s", label);
}
