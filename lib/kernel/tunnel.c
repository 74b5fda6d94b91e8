/* Sockets of a tunnel; see tunnel.h. */
#include "kernel/tunnel.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/udp.h>
#include <sys/socket.h>

_Static_assert(TUNNEL_SEGMENT == UDP_SEGMENT && TUNNEL_GRO == UDP_GRO, "the kernel's numbers");

enum { BUFFER_SIZE = 8 << 20 };

socklen_t tunnel_address_of(const struct ip *ip, uint16_t port, union tunnel_address *address)
{
	*address = (union tunnel_address){ 0 };
	address->any.sa_family = ip->family;
	if (ip->family == AF_INET6) {
		address->v6.sin6_port = htons(port);
		memcpy(&address->v6.sin6_addr, ip->bytes, 16);
		return sizeof(address->v6);
	}
	address->v4.sin_port = htons(port);
	memcpy(&address->v4.sin_addr, ip->bytes, 4);
	return sizeof(address->v4);
}

static bool set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* Beyond the node's limits where we may; else up to them. */
static void set_buffers(int fd)
{
	if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_SIZE))
		set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_SIZE);
	if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_SIZE))
		set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_SIZE);
}

/* IPv6: and take what another's program sent (tunnel_program.h): RFC 6936. */
static bool set_do_not_fragment(int fd, int family)
{
	return family == AF_INET6
		       ? set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
				 set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO) &&
				 set(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
		       : set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
}

int tunnel_socket(const struct ip *local, uint16_t port, int *fd, struct error *err)
{
	union tunnel_address address;
	socklen_t size = tunnel_address_of(local, port, &address);
	char text[IP_TEXT_SIZE];
	int sock auto_close = socket(local->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return fail_errno(err, errno, "make a UDP socket");
	set_buffers(sock);
	set(sock, IPPROTO_UDP, UDP_GRO, 1); /* Linux 5.0 */
	if (!set_do_not_fragment(sock, local->family) || !set(sock, SOL_SOCKET, SO_REUSEPORT, 1) ||
	    bind(sock, &address.any, size))
		return fail_errno(err, errno, "bind UDP port %u of %s", port,
				  ip_format(local, text));
	*fd = take_fd(&sock);
	return 0;
}

int tunnel_path_mtu(const union tunnel_address *to)
{
	bool v6 = to->any.sa_family == AF_INET6;
	int fd auto_close = socket(to->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int mtu = 0;
	socklen_t size = sizeof(mtu);

	if (fd < 0 || connect(fd, &to->any, v6 ? sizeof(to->v6) : sizeof(to->v4)) ||
	    getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &size))
		return 0;
	return mtu;
}

int tunnel_icmp_socket(int family, int *fd, struct error *err)
{
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	const struct sock_fprog filter = { ARRAY_SIZE(nothing), nothing };
	int sock auto_close = socket(family, SOCK_RAW | SOCK_CLOEXEC,
				     family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		return fail_errno(err, errno, "make a socket for ICMP");
	*fd = take_fd(&sock);
	return 0;
}

/* The source goes along as packet information. */
static void set_source(struct msghdr *message, const struct ip *from)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);

	if (!control)
		return;
	if (from->family == AF_INET6) {
		struct in6_pktinfo *info = (void *)CMSG_DATA(control);

		*control = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(*info)),
					     .cmsg_level = IPPROTO_IPV6,
					     .cmsg_type = IPV6_PKTINFO };
		memcpy(&info->ipi6_addr, from->bytes, 16);
		message->msg_controllen = CMSG_SPACE(sizeof(*info));
	} else {
		struct in_pktinfo *info = (void *)CMSG_DATA(control);

		*control = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(*info)),
					     .cmsg_level = IPPROTO_IP,
					     .cmsg_type = IP_PKTINFO };
		memcpy(&info->ipi_spec_dst, from->bytes, 4);
		message->msg_controllen = CMSG_SPACE(sizeof(*info));
	}
}

int tunnel_icmp_send(int fd, const struct ip *from, const struct ip *to, const void *data,
		     size_t size)
{
	union tunnel_address address;
	struct iovec piece = { (void *)data, size };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { 0 };
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = tunnel_address_of(to, 0, &address),
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	if (from->family == to->family)
		set_source(&message, from);
	else
		message.msg_controllen = 0;
	return sendmsg(fd, &message, MSG_DONTWAIT) < 0 ? -errno : 0;
}
