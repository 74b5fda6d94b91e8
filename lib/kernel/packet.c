/* Packet sockets for DHCP: opened inside the namespace, filtered by the kernel, never blocking. */
#include "kernel/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "base/control.h"
#include "kernel/netns.h"

enum { RECEIVE_ROOM = 64 << 10 }; /* of the socket: a few replies */

static int filter(int fd, struct sock_filter *code, unsigned n, struct error *err)
{
	struct sock_fprog program = { .len = (unsigned short)n, .filter = code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return fail_errno(err, errno, "filter packets");
	return 0;
}

int packet_accept_nothing(int fd, struct error *err)
{
	struct sock_filter none[] = { BPF_STMT(BPF_RET | BPF_K, 0) };

	return filter(fd, none, ARRAY_SIZE(none), err);
}

/* Offsets: of the IPv4 header first, behind the X register's header length those of UDP and BOOTP. */
int packet_accept_dhcp(int fd, uint32_t xid, struct error *err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* protocol */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 10),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), /* more fragments, offset */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 8, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2), /* destination port */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 8), /* op */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, 12), /* xid */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, xid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return filter(fd, code, ARRAY_SIZE(code), err);
}

static int set_options(int fd, struct error *err)
{
	int one = 1, room = RECEIVE_ROOM;

	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) < 0)
		return fail_errno(err, errno, "set up a packet socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return 0;
}

/* Protocol 0 until the filter is in place: nothing slips through in between. */
static int open_here(int index, int *fd, struct error *err)
{
	struct sockaddr_ll link = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_IP),
				    .sll_ifindex = index };
	auto_close int new = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (new < 0)
		return fail_errno(err, errno, "open a packet socket");
	if (packet_accept_nothing(new, err) || set_options(new, err))
		return -err->errnum;
	if (bind(new, (struct sockaddr *)&link, sizeof(link)) < 0)
		return fail_errno(err, errno, "bind a packet socket to link %d", index);
	*fd = take_fd(&new);
	return 0;
}

int packet_open(int netns, int index, int *fd, struct error *err)
{
	int old auto_netns = -1;

	*fd = -1;
	if (netns_enter(netns, &old, err))
		return -err->errnum;
	return open_here(index, fd, err);
}

int packet_send(int fd, int index, const struct mac *to, const void *data, size_t size,
		struct error *err)
{
	struct sockaddr_ll link = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_IP),
				    .sll_ifindex = index,
				    .sll_halen = ETH_ALEN };

	memset(link.sll_addr, 0xff, ETH_ALEN);
	if (to && to->set)
		memcpy(link.sll_addr, to->bytes, ETH_ALEN);
	if (sendto(fd, data, size, MSG_NOSIGNAL, (struct sockaddr *)&link, sizeof(link)) < 0)
		return fail_errno(err, errno, "send on link %d", index);
	return 0;
}

/* TP_STATUS_CSUMNOTREADY: the sender on this machine left the checksum to the device. */
static bool checksum_filled(struct msghdr *message)
{
	struct tpacket_auxdata data;

	return !control_read(message, SOL_PACKET, PACKET_AUXDATA, &data, sizeof(data)) ||
	       !(data.tp_status & TP_STATUS_CSUMNOTREADY);
}

ssize_t packet_receive(int fd, void *data, size_t size, struct mac *from, bool *whole)
{
	struct sockaddr_ll link = { 0 };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr message = {
		.msg_name = &link,
		.msg_namelen = sizeof(link),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return -errno;
	if ((size_t)n > size)
		return -EMSGSIZE;
	*from = (struct mac){ .set = link.sll_halen == ETH_ALEN };
	if (from->set)
		memcpy(from->bytes, link.sll_addr, ETH_ALEN);
	*whole = checksum_filled(&message);
	return n;
}

/* Reads nothing either: the filter drops everything before it takes memory. */
static int mute_here(const char *ifname, uint16_t port, int *fd, struct error *err)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	auto_close int new = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, r;

	if (new < 0)
		return fail_errno(err, errno, "open a UDP socket");
	r = packet_accept_nothing(new, err);
	if (r < 0)
		return r;
	setsockopt(new, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (setsockopt(new, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname)) < 0 ||
	    bind(new, (struct sockaddr *)&any, sizeof(any)) < 0)
		return fail_errno(err, errno, "bind port %u", port);
	*fd = take_fd(&new);
	return 0;
}

int packet_mute_port(int netns, const char *ifname, uint16_t port, int *fd, struct error *err)
{
	int old auto_netns = -1, r;

	*fd = -1;
	r = netns_enter(netns, &old, err);
	return r < 0 ? r : mute_here(ifname, port, fd, err);
}
