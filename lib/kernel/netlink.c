/*
 * Netlink sessions and their queue. A session holds one message under construction (a libnl message, so that its
 * attribute functions work on it) and the finished ones behind each other in a send buffer: netlink_queue() moves
 * the finished message over and starts the next, a commit (netlink_commit.c) sends the buffer as it is.
 */
#include "kernel/netlink_session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "kernel/netns.h"

#define MESSAGE_SIZE 8192 /* room of the message under construction, see netlink_room() */
#define KEPT_SIZE    65536
#define LARGEST_ATTR 1024 /* attributes above this need netlink_room() */

/* Room for size more bytes behind the buffer's content. */
void *buffer_reserve(struct buffer *buffer, size_t size)
{
	if (buffer->size + size > buffer->room) {
		buffer->room = (buffer->size + size) * 2;
		buffer->data = xrealloc(buffer->data, buffer->room);
	}
	return buffer->data + buffer->size;
}

static void buffer_add(struct buffer *buffer, const void *data, size_t size)
{
	memcpy(buffer_reserve(buffer, size), data, size);
	buffer->size += size;
}

size_t netlink_pending(const struct netlink *nl)
{
	return nl->requests.size / sizeof(struct request);
}

struct request *netlink_request(const struct netlink *nl, size_t n)
{
	return (struct request *)nl->requests.data + n;
}

static struct request *last_request(struct netlink *nl)
{
	return netlink_pending(nl) ? netlink_request(nl, netlink_pending(nl) - 1) : NULL;
}

struct nlmsghdr *netlink_message(const struct netlink *nl, size_t n)
{
	return (struct nlmsghdr *)(nl->messages.data + netlink_request(nl, n)->message);
}

/* Where message n ends in the send buffer; n may be one behind the last. */
size_t netlink_start(const struct netlink *nl, size_t n)
{
	return n < netlink_pending(nl) ? netlink_request(nl, n)->message : nl->messages.size;
}

/*
 * Move the message under construction to the send buffer. nla_put() tells its caller when there is no room, but
 * no caller looks: when less than the largest attribute would fit now, one may have been dropped before.
 */
static void seal(struct netlink *nl)
{
	struct nlmsghdr *header = nlmsg_hdr(nl->msg);

	if (!nl->building)
		return;
	nl->building = false;
	if (nlmsg_get_max_size(nl->msg) - header->nlmsg_len < LARGEST_ATTR)
		nl->too_long = true;
	buffer_reserve(&nl->messages, NLMSG_ALIGN(header->nlmsg_len));
	memset(nl->messages.data + nl->messages.size + header->nlmsg_len, 0,
	       NLMSG_ALIGN(header->nlmsg_len) - header->nlmsg_len);
	memcpy(nl->messages.data + nl->messages.size, header, header->nlmsg_len);
	nl->messages.size += NLMSG_ALIGN(header->nlmsg_len);
}

int netlink_ready(struct netlink *nl, struct error *err)
{
	seal(nl);
	if (nl->too_long)
		return fail(err, EMSGSIZE, "%s: netlink message too long", nl->labels.data);
	return 0;
}

static int new_session(struct netlink **out, int protocol, int *fd, struct error *err)
{
	struct netlink *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return fail_errno(err, ENOMEM, "open netlink session");
	nl->fd = take_fd(fd);
	nl->protocol = protocol;
	nl->msg = nlmsg_alloc_size(MESSAGE_SIZE);
	if (!nl->msg) {
		netlink_close(nl);
		return fail_errno(err, ENOMEM, "open netlink session");
	}
	*out = nl;
	return 0;
}

int netlink_adopt(struct netlink **nl, int protocol, int fd, struct error *err)
{
	auto_close int owned = fd;

	return new_session(nl, protocol, &owned, err);
}

/* Options that make replies small and precise. Strict checking of dump filters exists since Linux 4.20. */
static int configure(int fd, int protocol)
{
	struct timeval timeout = { .tv_sec = NETLINK_SECONDS };
	const int on = 1;

	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 &&
	    errno != ENOPROTOOPT)
		return -errno;
	if (setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0 &&
	    errno != ENOPROTOOPT)
		return -errno;
	if (protocol == NETLINK_ROUTE &&
	    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0 &&
	    errno != ENOPROTOOPT)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	return 0;
}

int netlink_open(struct netlink **nl, int protocol, int netns, struct error *err)
{
	auto_netns int back = -1;
	auto_close int fd = -1;
	int r = netns < 0 ? 0 : netns_enter(netns, &back, err);

	*nl = NULL;
	if (r < 0) {
		wrap(err, "open netlink session");
		return r;
	}
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return fail_errno(err, errno, "open netlink session");
	r = configure(fd, protocol);
	if (r < 0)
		return fail_errno(err, -r, "configure netlink session");
	return new_session(nl, protocol, &fd, err);
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	close_fd(&nl->fd);
	nlmsg_free(nl->msg);
	free(nl->messages.data);
	free(nl->labels.data);
	free(nl->requests.data);
	free(nl);
}

void netlink_closep(struct netlink **nl)
{
	netlink_close(*nl);
	*nl = NULL;
}

/* Append the label's text, NUL included; returns its offset. */
static size_t add_label(struct netlink *nl, const char *format, va_list args)
{
	size_t offset = nl->labels.size, size = 128;
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(buffer_reserve(&nl->labels, size), size, format, args);
	if (n >= (int)size)
		n = vsnprintf(buffer_reserve(&nl->labels, (size_t)n + 1), (size_t)n + 1, format,
			      again);
	va_end(again);
	nl->labels.size += n > 0 ? (size_t)n + 1 : 1;
	return offset;
}

struct nl_msg *netlink_queue(struct netlink *nl, int type, int flags, const void *header,
			     size_t size, const char *label, ...)
{
	struct request req = { 0 };
	va_list args;

	seal(nl);
	if (!netlink_pending(nl))
		nl->first_seq = nl->seq + 1;
	va_start(args, label);
	req.label = add_label(nl, label, args);
	va_end(args);
	req.message = nl->messages.size;
	buffer_add(&nl->requests, &req, sizeof(req));

	nlmsg_hdr(nl->msg)->nlmsg_len = NLMSG_HDRLEN;
	nlmsg_put(nl->msg, 0, ++nl->seq, type, 0, flags | NLM_F_REQUEST);
	nlmsg_append(nl->msg, (void *)header, size, NLMSG_ALIGNTO);
	nl->building = true;
	return nl->msg;
}

void netlink_room(struct netlink *nl, size_t size)
{
	size_t need = nlmsg_hdr(nl->msg)->nlmsg_len + size + LARGEST_ATTR;

	if (nlmsg_get_max_size(nl->msg) < need && nlmsg_expand(nl->msg, need * 2) < 0)
		nl->too_long = true;
}

void netlink_tolerate(struct netlink *nl, int errnum)
{
	struct request *req = last_request(nl);

	for (unsigned i = 0; req && i < NETLINK_TOLERATED; i++) {
		if (req->tolerated[i] && req->tolerated[i] != errnum)
			continue;
		req->tolerated[i] = errnum;
		return;
	}
}

void netlink_outcome(struct netlink *nl, int *errnum)
{
	struct request *req = last_request(nl);

	*errnum = 0;
	if (req)
		req->outcome = errnum;
}

void netlink_expect(struct netlink *nl, netlink_reply_fn *fn, void *arg)
{
	struct request *req = last_request(nl);

	if (req) {
		req->fn = fn;
		req->arg = arg;
	}
}

/* A buffer that was once large, in a session that stays open for weeks, is let go. */
static void buffer_empty(struct buffer *buffer)
{
	buffer->size = 0;
	if (buffer->room <= KEPT_SIZE)
		return;
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}

void netlink_discard(struct netlink *nl)
{
	nl->building = nl->too_long = false;
	nl->generation = 0;
	buffer_empty(&nl->messages);
	buffer_empty(&nl->labels);
	buffer_empty(&nl->requests);
}

void netlink_expect_generation(struct netlink *nl, uint32_t generation)
{
	nl->generation = generation;
}

int netlink_fd(const struct netlink *nl)
{
	return nl->fd;
}

size_t netlink_queued_size(const struct netlink *nl)
{
	return nl->messages.size;
}

unsigned netlink_sends(const struct netlink *nl)
{
	return nl->sends;
}

const struct nlmsghdr *netlink_queued(struct netlink *nl, size_t n)
{
	seal(nl);
	return n < netlink_pending(nl) ? netlink_message(nl, n) : NULL;
}

const char *netlink_label(const struct netlink *nl, size_t n)
{
	return n < netlink_pending(nl) ? nl->labels.data + netlink_request(nl, n)->label : NULL;
}
