/* Both ends of what the agent tells; see plane_message.h. */
#include "relay/plane_message.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/control.h"
#include "base/file.h"
#include "relay/relay.h"

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int))];
};

/* ---- the agent's end ---- */

int plane_message_send(int control_fd, const struct plane_message *message,
		       const struct relay_peer *peers, struct error *err)
{
	int file auto_close = memfd_create("peers", MFD_CLOEXEC);
	struct iovec piece = { (void *)message, sizeof(*message) };
	union control control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)),
					     .cmsg_level = SOL_SOCKET,
					     .cmsg_type = SCM_RIGHTS } };
	struct msghdr header = { .msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };

	if (file < 0 || fd_write_all(file, peers, message->n_peers * sizeof(*peers)) < 0)
		return fail_errno(err, errno, "write the relay's peers");
	memcpy(CMSG_DATA(&control.align), &file, sizeof(file));
	if (sendmsg(control_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return fail_errno(err, errno, "tell the relay of its peers");
	return 0;
}

/* ---- the process' end ---- */

static int file_of(struct msghdr *header)
{
	int fd = -1;

	return control_read(header, SOL_SOCKET, SCM_RIGHTS, &fd, sizeof(fd)) ? fd : -1;
}

/* Its bytes, when there are as many. */
static struct relay_peer *read_peers(int file, size_t n)
{
	size_t size = n * sizeof(struct relay_peer);
	struct relay_peer *peers auto_free = xrealloc(NULL, size ? size : 1);

	if (size && pread(file, peers, size, 0) != (ssize_t)size)
		return NULL;
	return take_ptr(peers);
}

static bool is_of(const struct ip *ip, int family)
{
	return !ip->family || ip->family == family;
}

bool relay_subnet_valid(const struct cidr *subnet, int family)
{
	return is_of(&subnet->ip, family) &&
	       (!subnet->ip.family || subnet->prefix <= ip_bits(&subnet->ip));
}

static bool is_peer(const struct relay_peer *peer, uint32_t n_slots)
{
	return peer->slot < n_slots && relay_subnet_valid(&peer->subnet, AF_INET) &&
	       relay_subnet_valid(&peer->subnet6, AF_INET6) && is_of(&peer->ip, AF_INET) &&
	       is_of(&peer->ip6, AF_INET6);
}

bool plane_message_receive(int control_fd, uint32_t n_slots, struct plane_message *message,
			   struct relay_peer **peers)
{
	struct iovec piece = { message, sizeof(*message) };
	union control control;
	/* With what aligns it there would be room for a second descriptor, which nobody closed. */
	struct msghdr header = { .msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t got = recvmsg(control_fd, &header, MSG_CMSG_CLOEXEC);
	int file auto_close = got > 0 ? file_of(&header) : -1;
	struct relay_peer *there auto_free = NULL;

	*peers = NULL;
	if (got != sizeof(*message) || message->n_peers > RELAY_PEERS_MAX ||
	    !is_of(&message->own[0], AF_INET) || !is_of(&message->own[1], AF_INET6))
		return false;
	there = read_peers(file, message->n_peers);
	for (size_t i = 0; there && i < message->n_peers; i++)
		if (!is_peer(&there[i], n_slots))
			return false;
	*peers = take_ptr(there);
	return *peers;
}
