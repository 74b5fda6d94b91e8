/*
 * The kernel's end of a netlink session, played by a test: what it answers is put in before the commit, what was
 * sent is taken out after it. Sequence numbers of a fresh session count from 1.
 */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include "unit.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "kernel/netlink_internal.h"

struct fake {
	struct netlink *nl;
	int fd;
	struct error err;
};

static inline void fake_close(struct fake *fake)
{
	netlink_close(fake->nl);
	close(fake->fd);
}
#define auto_fake on_leave(fake_close)

/* Replies that a test forgot make the receive time out, so that nothing hangs. */
static inline struct fake fake_open(int protocol)
{
	struct fake fake = { .fd = -1 };
	struct timeval timeout = { .tv_usec = 50000 };
	int fds[2];

	check_int(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	fake.fd = fds[1];
	setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	check_ok(netlink_adopt(&fake.nl, protocol, fds[0], &fake.err), fake.err);
	return fake;
}

static inline void fake_raw(struct fake *fake, const void *data, size_t size)
{
	check_int(send(fake->fd, data, size, MSG_NOSIGNAL), size);
}

static inline size_t fake_build(char *data, int type, int flags, uint32_t seq, const void *payload,
				size_t size)
{
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
		.nlmsg_type = (uint16_t)type,
		.nlmsg_flags = (uint16_t)flags,
		.nlmsg_seq = seq,
	};

	memcpy(data, &header, sizeof(header));
	memcpy(data + NLMSG_HDRLEN, payload, size);
	return NLMSG_LENGTH(size);
}

static inline void fake_reply(struct fake *fake, int type, int flags, uint32_t seq,
			      const void *payload, size_t size)
{
	char data[8192];

	fake_raw(fake, data, fake_build(data, type, flags, seq, payload, size));
}

/* NLMSG_ERROR with the kernel's sentence (NULL = none), capped as with NETLINK_CAP_ACK. errnum 0 is an ack. */
static inline void fake_error(struct fake *fake, uint32_t seq, int errnum, const char *words)
{
	struct {
		struct nlmsgerr error;
		struct nlattr attr;
		char words[128];
	} body = { .error = { .error = -errnum, .msg = { .nlmsg_len = 64, .nlmsg_seq = seq } } };
	size_t len = words ? strlen(words) + 1 : 0;

	body.attr.nla_type = NLMSGERR_ATTR_MSG;
	body.attr.nla_len = (uint16_t)(sizeof(body.attr) + len);
	memcpy(body.words, words ? words : "", len);
	fake_reply(fake, NLMSG_ERROR, NLM_F_CAPPED | (words ? NLM_F_ACK_TLVS : 0), seq, &body,
		   words ? offsetof(typeof(body), words) + len : sizeof(body.error));
}

static inline void fake_ack(struct fake *fake, uint32_t seq)
{
	fake_error(fake, seq, 0, NULL);
}

/* One datagram that was sent; its size, or -1 when there is none. */
static inline ssize_t fake_sent(struct fake *fake, void *data, size_t size)
{
	return recv(fake->fd, data, size, MSG_DONTWAIT);
}

/* Message n of a datagram. */
static inline const struct nlmsghdr *fake_nth(const void *data, ssize_t size, unsigned n)
{
	const struct nlmsghdr *header = data;
	int left = (int)size;

	for (; left > 0 && nlmsg_ok(header, left);
	     header = nlmsg_next((struct nlmsghdr *)header, &left))
		if (n-- == 0)
			return header;
	return NULL;
}

#endif
