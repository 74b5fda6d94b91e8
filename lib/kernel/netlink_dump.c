/*
 * Dumps and events: what the kernel sends in many datagrams. A dump is collected whole before anybody sees a
 * record of it, since only its last datagram tells whether something changed on the way.
 */
#include "kernel/netlink_session.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/log.h"

#define DUMP_TRIES     8
#define EVENTS_AT_ONCE 64 /* datagrams */

struct dump {
	struct netlink *nl;
	bool done, interrupted;
	int result; /* a refusal that is not tolerated */
	netlink_reply_fn *fn;
	void *arg;
};

struct events {
	netlink_reply_fn *fn;
	void *arg;
	int n;
};

/* The dump's request carries the number used last, also when it is repeated. */
static bool dump_is_ours(const struct netlink *nl, const struct nlmsghdr *reply)
{
	return reply->nlmsg_seq == nl->seq && (!nl->port || reply->nlmsg_pid == nl->port);
}

/* Look for the end of a dump, or its failure, in one datagram. NLMSG_DONE may carry an error of its own. */
static int dump_control(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct dump *dump = arg;
	char words[256] = "";
	int errnum = 0, r = 0;

	if (reply->nlmsg_type == NLMSG_OVERRUN)
		return netlink_broken(err, "data lost");
	if (!dump_is_ours(dump->nl, reply))
		return 0;
	if (reply->nlmsg_flags & NLM_F_DUMP_INTR)
		dump->interrupted = true;
	if (reply->nlmsg_type == NLMSG_ERROR) {
		r = netlink_read_error(reply, &errnum, words, sizeof(words), err);
	} else if (reply->nlmsg_type == NLMSG_DONE &&
		   reply->nlmsg_len >= NLMSG_LENGTH(sizeof(int))) {
		int result = *(const int *)NLMSG_DATA(reply);

		if (result > 0 || result < -4095)
			return netlink_broken(err, "malformed end of a dump");
		errnum = -result;
		netlink_words(reply, NLMSG_LENGTH(sizeof(int)), words, sizeof(words));
	} else if (reply->nlmsg_type != NLMSG_DONE) {
		return 0;
	}
	dump->done = true;
	if (r == 0 && errnum > 0)
		dump->result = netlink_refuse(dump->nl, netlink_request(dump->nl, 0), errnum, words,
					      true, err);
	return r;
}

static int dump_record(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct dump *dump = arg;

	if (!dump_is_ours(dump->nl, reply) || reply->nlmsg_type < NLMSG_MIN_TYPE)
		return 0;
	return dump->fn(reply, dump->arg, err);
}

/* Send the request and collect all datagrams up to the last in records. */
static int dump_collect(struct dump *dump, struct buffer *records, struct error *err)
{
	struct netlink *nl = dump->nl;
	struct nlmsghdr *header = netlink_message(nl, 0);
	struct iovec iov = { .iov_base = header, .iov_len = nl->messages.size };
	int r;

	header->nlmsg_flags |= NLM_F_DUMP;
	header->nlmsg_seq = ++nl->seq;
	records->size = 0;
	log_debug("netlink: %s", nl->labels.data);
	dump->done = dump->interrupted = false;
	r = netlink_send(nl, &iov, 1, err);
	while (r >= 0 && !dump->done) {
		void *data = buffer_reserve(records, NETLINK_RECEIVE_SIZE);
		ssize_t n = netlink_receive(nl->fd, data, NETLINK_RECEIVE_SIZE, 0, err);

		r = n < 0 ? (int)n : netlink_each(data, (size_t)n, dump_control, dump, err);
		records->size += n > 0 ? NLMSG_ALIGN((size_t)n) : 0;
	}
	if (r < 0)
		wrap(err, "%s", nl->labels.data);
	return r < 0 ? r : 0;
}

static int dump_run(struct netlink *nl, struct dump *dump, struct buffer *records,
		    struct error *err)
{
	for (unsigned i = 0; i < DUMP_TRIES; i++) {
		int r = dump_collect(dump, records, err);

		if (r < 0)
			return r;
		if (dump->result < 0)
			return dump->result;
		if (!dump->interrupted)
			return netlink_each(records->data, records->size, dump_record, dump, err);
	}
	return fail(err, EINTR, "%s: changed during each of %d dumps", nl->labels.data, DUMP_TRIES);
}

int netlink_dump(struct netlink *nl, netlink_reply_fn *fn, void *arg, struct error *err)
{
	struct dump dump = { .nl = nl, .fn = fn, .arg = arg };
	struct buffer records = { 0 };
	int r = netlink_ready(nl, err);

	if (r == 0 && netlink_pending(nl) != 1)
		r = fail(err, EINVAL, "netlink: a dump is one request, not %zu",
			 netlink_pending(nl));
	if (r == 0)
		r = dump_run(nl, &dump, &records, err);
	netlink_discard(nl);
	free(records.data);
	return r;
}

/* The port is needed from now on to tell replies from events, which carry the numbers of others' requests. */
int netlink_subscribe(struct netlink *nl, unsigned group, struct error *err)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK, .nl_pid = nl->port };
	socklen_t size = sizeof(self);

	if (!nl->port && !nl->sends && bind(nl->fd, (struct sockaddr *)&self, sizeof(self)) < 0)
		return fail_errno(err, errno, "netlink: bind");
	if (!nl->port && getsockname(nl->fd, (struct sockaddr *)&self, &size) < 0)
		return fail_errno(err, errno, "netlink: own address");
	nl->port = self.nl_pid;
	if (setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return fail_errno(err, errno, "netlink: join group %u", group);
	return 0;
}

static int event(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct events *events = arg;

	if (reply->nlmsg_type == NLMSG_OVERRUN)
		return fail(err, ENOBUFS, "netlink: events were lost");
	if (reply->nlmsg_type < NLMSG_MIN_TYPE)
		return 0;
	events->n++;
	return events->fn(reply, events->arg, err);
}

/* 1 when something came; 0 after the time, or a signal: the caller has a deadline of its own. */
static int wait_readable(int fd, unsigned timeout_ms, struct error *err)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int r = timeout_ms ? poll(&poll_fd, 1, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms)
			   : 1;

	if (r < 0)
		return errno == EINTR ? 0 : fail_errno(err, errno, "netlink: poll");
	return r;
}

int netlink_events(struct netlink *nl, unsigned timeout_ms, netlink_reply_fn *fn, void *arg,
		   struct error *err)
{
	char data[NETLINK_RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct events events = { .fn = fn, .arg = arg };
	int r = wait_readable(nl->fd, timeout_ms, err);

	if (r <= 0)
		return r;
	for (unsigned i = 0; i < EVENTS_AT_ONCE; i++) {
		ssize_t n = netlink_receive(nl->fd, data, sizeof(data), MSG_DONTWAIT, err);

		if (n == -EAGAIN)
			break;
		r = n < 0 ? (int)n : netlink_each(data, (size_t)n, event, &events, err);
		if (r < 0)
			return r;
	}
	return events.n;
}
