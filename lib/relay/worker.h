/* The relay's threads, and what they share; inside lib/relay only. */
#ifndef RELAY_WORKER_H
#define RELAY_WORKER_H

#include <pthread.h>

#include "kernel/tunnel_program.h"
#include "relay/icmp.h"
#include "relay/kin.h"
#include "relay/plane_message.h"
#include "relay/relay.h"

/* Of one peer; in memory that the agent sees, too, and whoever asks for it (tally.h): a version that has other members has
 * another size or another RELAY_STATES. Slot 0 is nobody's. */
#define RELAY_STATES "cnibox_states" /* what the memory is called */
struct relay_state {
	uint64_t counters[RELAY_N_COUNTERS];
	uint32_t mtu,
		mtu_ms; /* of IP packets to it, where the way is narrower than the device; when that was learnt */
	uint32_t kin_ms,
		asked_ms; /* when it last proved to be of our kind, when it was asked; 0 = never */
	uint32_t
		short_ms; /* when its kernel last proved to take what ours sends; 0 = it does not */
	uint32_t wrapped; /* the programs' */
	struct tunnel_way way;       /* theirs, too */
	struct tunnel_heard heard;   /* of programs and process */
	uint64_t seen;               /* packets that had been sent to it when it was asked */
	struct cidr subnet, subnet6; /* as in its relay_peer; none: the slot is free */
} __attribute__((aligned(64)));

enum { RELAY_SLOTS = RELAY_PEERS_MAX + 1 }; /* at most */

/* What the process inherits. */
struct plane_setup {
	struct relay_spec spec;
	int control;
	int tun[RELAY_QUEUES_MAX];
	int sockets[RELAY_QUEUES_MAX][2]; /* IPv4, IPv6; -1 = none */
	int icmp[2];
	bool gso_udp;
	struct relay_state *states;
	uint32_t n_slots; /* of states */
	int states_file; /* whose memory that is, a map or not: by it the states are found (tally.h) */
	bool shortcut; /* packets may be carried without this process */
};

/* Never changed, only replaced. */
struct scene {
	struct table *table;
	struct ip own[2];
	bool shortcut; /* the kernel takes what others' kernels send */
};

enum { ICMP_BURST = 50 }; /* messages at once */

/* One thread. It holds its lock while it works on packets, and only then is the scene its. */
struct worker {
	struct plane *plane;
	pthread_mutex_t lock;
	const struct scene *scene;
	unsigned queue;
	unsigned icmp_left; /* messages that may still be sent, and since when they count */
	uint32_t icmp_since_ms;
	uint32_t kin_due_ms; /* when to ask again; 0 = there is no need */
};

struct plane {
	struct plane_setup setup;
	struct worker workers[RELAY_QUEUES_MAX];
	unsigned n_workers;
	struct scene *scene;
};

/* TUN to UDP, and UDP (of a family) to TUN. A batch is what there is, up to some limit. */
struct sender *sender_new(struct worker *worker);
void sender_batch(struct sender *sender);
uint64_t sender_pause_us(
	const struct sender *sender); /* the device is not to be read for so long */
struct receiver *receiver_new(struct worker *worker, bool v6);
void receiver_batch(struct receiver *receiver);

static inline void count(struct worker *worker, uint32_t slot, enum relay_counter counter,
			 uint64_t n)
{
	__atomic_fetch_add(&worker->plane->setup.states[slot].counters[counter], n,
			   __ATOMIC_RELAXED);
}

/* ICMP about a packet to its source, not too often. */
void worker_answer(struct worker *worker, const struct packet *about, enum icmp_error error,
		   unsigned mtu);
/* What a peer is: asked not more often than is needed; it has answered. */
void worker_ask_kin(struct worker *worker, const struct table_entry *peer);
void worker_hear(struct worker *worker, const struct table_entry *peer);
void worker_hear_kin(struct worker *worker, const struct table_entry *peer, enum kin_word word);
/* What is due at kin_due_ms. */
void worker_keep_kin(struct worker *worker);
bool state_is_kin(const struct relay_state *state);
uint32_t worker_now_ms(void);
uint64_t worker_now_us(void);

#endif
