/*
 * What the files of this folder and the unit tests know of a session beyond netlink.h: a session over any
 * descriptor, the messages that wait in the queue, and the attributes of a reply.
 */
#ifndef KERNEL_NETLINK_INTERNAL_H
#define KERNEL_NETLINK_INTERNAL_H

#include "kernel/netlink.h"

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

/* A session on a descriptor that it owns from then on, also on failure. Tests pass one end of a SOCK_SEQPACKET
 * pair and play the kernel on the other. */
int netlink_adopt(struct netlink **nl, int protocol, int fd, struct error *err) must_check;

/* Message n of the queue (0 = queued first), NULL behind the last. Valid until the next netlink_queue(). */
const struct nlmsghdr *netlink_queued(struct netlink *nl, size_t n);
const char *netlink_label(const struct netlink *nl, size_t n);

/* Attributes behind the fixed header of header_size bytes, by type: attrs has max + 1 places. -EPROTO when the
 * message is too short or an attribute reaches beyond its end. */
int netlink_parse(const struct nlmsghdr *message, size_t header_size, struct nlattr **attrs,
		  int max, struct error *err) must_check;
/* The same for the attributes inside one; NULL gives an empty array. A broken nest counts as empty. */
void netlink_parse_nested(const struct nlattr *nest, struct nlattr **attrs, int max);

/* Values with the length checked: the default when the attribute is missing or too short. */
uint32_t attr_u32(const struct nlattr *attr, uint32_t missing);
uint16_t attr_u16(const struct nlattr *attr, uint16_t missing);
uint8_t attr_u8(const struct nlattr *attr, uint8_t missing);
void attr_text(const struct nlattr *attr, char *text,
	       size_t size); /* cut to size; "" when missing */

#endif
