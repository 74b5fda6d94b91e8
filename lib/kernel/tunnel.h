/* Sockets of a tunnel that carries packets in UDP datagrams, and what the kernel knows of the way to the other end. */
#ifndef KERNEL_TUNNEL_H
#define KERNEL_TUNNEL_H

#include "base/error.h"
#include "base/ip.h"

#include <netinet/in.h>

union tunnel_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};
socklen_t tunnel_address_of(const struct ip *ip, uint16_t port, union tunnel_address *address);

/* Control messages of level IPPROTO_UDP (UDP_SEGMENT, UDP_GRO): the size of each datagram but the last. */
enum { TUNNEL_SEGMENT = 103, TUNNEL_GRO = 104 };

/*
 * A socket bound to a local address, with large buffers. Datagrams of one sender may be received together (TUNNEL_GRO),
 * and carry DF: what is larger than the way to the other end is refused. Several of them share a port, so that
 * each other end's datagrams are one socket's.
 */
int tunnel_socket(const struct ip *local, uint16_t port, int *fd, struct error *err) must_check;
/* What fits into one packet on the way to it; 0 = not known. */
int tunnel_path_mtu(const union tunnel_address *to);

/* A socket that sends ICMP (ICMPv6) messages, and receives none. */
int tunnel_icmp_socket(int family, int *fd, struct error *err) must_check;
/* Our own address as source of a message. -errno. */
int tunnel_icmp_send(int fd, const struct ip *from, const struct ip *to, const void *data,
		     size_t size) must_check;

#endif
