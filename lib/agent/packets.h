/* Packets of each peer. Only the relay counts them; of VXLAN and host-gw the kernel knows what a device has had, from all peers. */
#ifndef AGENT_PACKETS_H
#define AGENT_PACKETS_H

#include "base/ip.h"
#include "kernel/netlink.h"

struct peer_loss {
	const char *reason;
	uint64_t packets;
};
typedef LIST(struct peer_loss) peer_losses_t;

/* Of one peer since the relay began, both families together; neither subnet is set: of nobody. */
struct peer_packets {
	struct cidr subnet, subnet6;
	uint64_t sent, sent_bytes, received, received_bytes; /* bytes: of IP packets */
	peer_losses_t lost;
	bool heard;       /* ever */
	int64_t heard_ms; /* so long ago, to a second */
};
typedef LIST(struct peer_packets) peers_packets_t;

/* Of the relay behind a TUN device, in the session's namespace (netns: its descriptor, -1 = the current one). Agents are not asked,
 * nor need there be one. -ENOENT: nobody counts. The error says why they cannot be read. */
int peers_packets(struct netlink *nl, int netns, int tun, struct arena *arena,
		  peers_packets_t *packets, struct error *err) must_check;
/* Of a subnet; one that is not set: of nobody. NULL = not known. */
const struct peer_packets *peer_packets_of(const peers_packets_t *packets,
					   const struct cidr *subnet);

#endif
