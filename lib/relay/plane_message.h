/*
 * What the agent tells the relay's process: a message of fixed size, and the peers in a file that comes with it. The process has no
 * other way to know who is who, and fewer rights than the agent; still it takes nothing that would lead it out of its memory.
 */
#ifndef RELAY_PLANE_MESSAGE_H
#define RELAY_PLANE_MESSAGE_H

#include "base/error.h"
#include "relay/table.h"

struct plane_message {
	size_t n_peers;
	struct ip own[2];  /* IPv4, IPv6; family 0 = none */
	uint32_t shortcut; /* 1 = there is one */
};

/* One of that family, or none at all. */
bool relay_subnet_valid(const struct cidr *subnet, int family);

/* Does not wait. */
int plane_message_send(int control, const struct plane_message *message,
		       const struct relay_peer *peers, struct error *err) must_check;

/* Waits. false: the agent is gone, or what it said is none. *peers is to be freed; their slots are below n_slots. */
bool plane_message_receive(int control, uint32_t n_slots, struct plane_message *message,
			   struct relay_peer **peers) must_check;

#endif
