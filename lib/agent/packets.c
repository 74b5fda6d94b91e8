/* What the relay has counted, sorted for people. */
#include "agent/packets.h"

#include "relay/tally.h"

static struct peer_packets packets_of(const struct relay_tally *tally, struct arena *arena)
{
	const uint64_t *counters = tally->counters;
	struct peer_packets packets = {
		.subnet = tally->subnet,
		.subnet6 = tally->subnet6,
		.sent = counters[RELAY_SENT_PACKETS],
		.sent_bytes = counters[RELAY_SENT_BYTES],
		.received = counters[RELAY_RECEIVED_PACKETS],
		.received_bytes = counters[RELAY_RECEIVED_BYTES],
		.heard = tally->heard,
		.heard_ms = tally->heard_ms,
	};

	for (int k = 0; k < RELAY_N_COUNTERS; k++)
		if (counters[k] && relay_counter_is_loss((enum relay_counter)k))
			*list_add(arena, &packets.lost) =
				(struct peer_loss){ relay_counter_names[k], counters[k] };
	return packets;
}

int peers_packets(struct netlink *nl, int netns, int tun, struct arena *arena,
		  peers_packets_t *packets, struct error *err)
{
	relay_tallies_t tallies = { 0 };
	int r = relay_tallies(nl, netns, tun, arena, &tallies, err);

	list_each(tally, &tallies)
		*list_add(arena, packets) = packets_of(tally, arena);
	return r;
}

const struct peer_packets *peer_packets_of(const peers_packets_t *packets,
					   const struct cidr *subnet)
{
	list_each(of, packets)
		if (subnet->ip.family
			    ? cidr_equal(&of->subnet, subnet) || cidr_equal(&of->subnet6, subnet)
			    : !of->subnet.ip.family && !of->subnet6.ip.family)
			return of;
	return NULL;
}
