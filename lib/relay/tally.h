/*
 * What a relay of this node has counted, for whoever asks, without a word to it: read from the memory that its programs and its
 * process count in. Where the programs are attached (shortcut.h), it is theirs, and there while no agent runs; else that of the
 * relay's process, which goes on with theirs when they had to be given up.
 */
#ifndef RELAY_TALLY_H
#define RELAY_TALLY_H

#include "kernel/netlink.h"
#include "relay/relay.h"

/* Of one peer, both families together; of nobody's packets where neither subnet is set. All since the relay last began. */
struct relay_tally {
	struct cidr subnet, subnet6;
	uint64_t counters[RELAY_N_COUNTERS];
	bool heard;       /* ever */
	int64_t heard_ms; /* so long ago, to a second */
};
typedef LIST(struct relay_tally) relay_tallies_t;

/* Of the relay behind the TUN device of that index, in the namespace of the session (netns: its descriptor, -1 = the current one).
 * -ENOENT: no relay counts there. The error says why they cannot be read. */
int relay_tallies(struct netlink *nl, int netns, int device, struct arena *arena,
		  relay_tallies_t *tallies, struct error *err) must_check;
/* The same of the bytes of that memory. The process that counts there deals with packets, so that it is not trusted with them. */
int relay_tallies_of(const void *bytes, size_t size, struct arena *arena, relay_tallies_t *tallies,
		     struct error *err) must_check;
/* Does it count packets that went nowhere? */
bool relay_counter_is_loss(enum relay_counter counter);

#endif
