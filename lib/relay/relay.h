/*
 * A relay between a TUN device and UDP, flannel's wire format: one IP packet in each datagram and nothing else (flannel.md,
 * sections 0.9 and 4.3). The agent's side: the process that does the work, which has no right over the node and dies with the
 * agent, and what it counts. A process that ends is started again; the device stays meanwhile.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "base/loop.h"
#include "relay/table.h"

enum { RELAY_QUEUES_MAX = 4, RELAY_PEERS_MAX = 65535 };

enum relay_datapath {
	RELAY_AUTO,   /* by the kernel what it can do, where it can; else by the process */
	RELAY_KERNEL, /* the same, and an error where it cannot */
	RELAY_USER,   /* everything by the process */
};

struct relay_spec {
	const char *device;
	struct ip ip, ip6; /* of the node's interface; family 0 = not this family */
	uint16_t port;
	int underlay; /* index of that interface */
	enum relay_datapath datapath;
	uint32_t n_peers; /* to be expected */
	unsigned queues;  /* of the device, each with a thread; 0 = by the number of processors */
	unsigned spin_us; /* look for packets that long before sleeping */
	unsigned pace;    /* Mbit/s to peers that are not relays of ours; 0 = no limit */
};

/* Per peer; those of nobody are strangers' and lost ones'. */
enum relay_counter {
	RELAY_SENT_PACKETS,
	RELAY_SENT_BYTES, /* of IP packets */
	RELAY_SEND_NO_PEER,
	RELAY_SEND_HOPS, /* TTL was at its end */
	RELAY_SEND_TOO_BIG,
	RELAY_SEND_FAILED,
	RELAY_SEND_MALFORMED,
	RELAY_SENT_BY_PROCESS, /* packets, of those above */
	RELAY_RECEIVED_PACKETS,
	RELAY_RECEIVED_BYTES,
	RELAY_RECEIVE_STRANGER, /* not from a peer's address */
	RELAY_RECEIVE_SOURCE,   /* from a peer, but not from its subnet */
	RELAY_RECEIVE_HOPS,
	RELAY_RECEIVE_MALFORMED,
	RELAY_RECEIVE_FAILED,
	RELAY_RECEIVED_BY_PROCESS, /* packets, of those above */
	RELAY_N_COUNTERS
};
extern const char *const relay_counter_names[RELAY_N_COUNTERS]; /* NULL = there is none */

struct relay;
int relay_open(struct relay **relay, struct loop *loop, const struct relay_spec *spec,
	       struct error *err) must_check;
void relay_close(struct relay *relay); /* ends the process; the device stays */
bool relay_is(const struct relay *relay, const struct relay_spec *spec);
bool relay_is_in_kernel(const struct relay *relay);
/* A link that the relay has beside the device. */
bool relay_is_link(const struct relay *relay, int index);

/* All other nodes, and this node's addresses on the device (family 0 = none): whenever they change. slots are the
 * relay's to fill in. */
int relay_tell(struct relay *relay, struct relay_peer *peers, size_t n, const struct ip *own,
	       const struct ip *own6, struct error *err) must_check;
/* Peer i, or nobody (NULL, the last one): false = there are no more. */
bool relay_counters(const struct relay *relay, size_t i, const struct relay_peer **peer,
		    uint64_t counters[RELAY_N_COUNTERS]);
/* Its subnet; of nobody (NULL): "nobody". */
const char *relay_peer_name(const struct relay_peer *peer, char name[CIDR_TEXT_SIZE]);
/* What the other end has proved to be, as words to stand behind its name. Asked only while something is sent to it. */
const char *relay_kin_text(const struct relay *relay, size_t i);

#endif
