/*
 * Packet sockets: IPv4 packets on one link, before it has an address and past routes and packet filters. The socket
 * lives in the link's namespace and is used from anywhere. It also tells when its link goes down or away: it becomes
 * readable, and packet_receive() fails once with -ENETDOWN.
 */
#ifndef KERNEL_PACKET_H
#define KERNEL_PACKET_H

#include "base/error.h"
#include "base/ip.h"

/* netns: descriptor of the namespace. Nothing arrives until packet_accept_dhcp(). */
int packet_open(int netns, int index, int *fd, struct error *err) must_check;
/* Let in what a DHCP client waits for, and nothing else: whole UDP datagrams to port 68 that hold a reply (op 2) to
 * this transaction. Filtered in the kernel. */
int packet_accept_dhcp(int fd, uint32_t xid, struct error *err) must_check;
int packet_accept_nothing(int fd, struct error *err) must_check;

/* An IPv4 packet to a hardware address, NULL = to all. -ENETDOWN: the link is down; -ENXIO, -ENODEV: it is gone. */
int packet_send(int fd, int index, const struct mac *to, const void *data, size_t size,
		struct error *err) must_check;
/* One packet without waiting: its size, or -EAGAIN. *whole is false when a checksum was left to hardware that the
 * packet never passed (a veth pair, a bridge), so that it says nothing. */
ssize_t packet_receive(int fd, void *data, size_t size, struct mac *from, bool *whole) must_check;
/* A UDP socket on the link that swallows everything for a port, so that the kernel does not refuse what the packet
 * socket reads. -EADDRINUSE: somebody in the container has the port. */
int packet_mute_port(int netns, const char *ifname, uint16_t port, int *fd,
		     struct error *err) must_check;

#endif
