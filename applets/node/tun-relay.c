/* tun-relay: flannel's udp way as an agent of this node; everything is in lib/agent and lib/relay. */
#include "agent/flags.h"
#include "describe/applet.h"

struct relay_flags {
	struct agent_flags agent; /* first: its rows have their offsets in it */
	uint32_t queues, busy_poll, pace;
	int datapath;
};

static const struct relay_flags relay_defaults = { .agent = { AGENT_FLAGS_DEFAULTS },
						   .pace = RELAY_PACE };

static int relay_run(struct invocation *call, void *flags_, struct error *err)
{
	struct relay_flags *flags = flags_;
	struct agent_options options = agent_flags_options(&flags->agent, "udp");

	options.relay.queues = flags->queues;
	options.relay.spin_us = flags->busy_poll;
	options.relay.pace = flags->pace;
	options.relay.datapath = flags->datapath;
	return agent_flags_run(&flags->agent, &options, call->out, err);
}

#define RELAY(member) offsetof(struct relay_flags, member)
static const struct field fields[] = {
	AGENT_FLAGS,
	{ "datapath", FIELD_ENUM, RELAY(datapath), .names = agent_datapaths,
	  .help = "who carries packets: the kernel, where it can, the relay's process, or what works" },
	{ "queues", FIELD_UINT32, RELAY(queues), .max = 4,
	  .help = "queues of the device, each with a thread of its own; 0 = by processors" },
	{ "busyPoll", FIELD_UINT32, RELAY(busy_poll), .max = 1000000, .metavar = "us",
	  .help = "microseconds to look for packets before sleeping: faster, at the price of a processor" },
	{ "pace", FIELD_UINT32, RELAY(pace), .max = 1000000, .metavar = "Mbit/s",
	  .help = "how fast at most to peers that are no relay of ours, lest they lose some; 0 = as it comes" },
	FIELDS_END,
};

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct relay_flags),
	.defaults = &relay_defaults,
	.needs = NEEDS_NET_ADMIN,
	.run = relay_run,
};

const struct applet applet_tun_relay = {
	.summary = "reach other nodes' pods over UDP, as flannel's udp",
	.about =
		"Takes a subnet of the network for this node and keeps it, and carries the pods' packets itself:"
		" from the TUN device flannel0 to the other nodes, one IP packet in each UDP datagram, and back."
		" For nodes between which neither VXLAN nor routes get through. It is the way of a network whose"
		" configuration has no Backend.\n"
		"\n"
		"Packets are let in only from a peer's address, with a source in that peer's subnet. Pods hear of a"
		" TTL that has ended, of a subnet that nobody has, and of a way that is too narrow for a packet."
		" Peers that are not relays of this kind (they are asked, in what is a ping to them) get --pace"
		" Mbit/s at most.\n"
		"\n"
		"Packets that need nothing special are carried by the kernel: two programs (eBPF, at the tc hooks of"
		" flannel0 and of the interface to the other nodes; Linux 5.10 and CAP_BPF) wrap and unwrap them, towards"
		" peers that have proved to do the same. Everything else is done by a process without rights, which ends"
		" with the agent; so is all of it with --datapath user, or where programs cannot be loaded (the log says"
		" why). The programs go on without an agent, with the peers as they were, until the next one or"
		" --cleanup. What they carry passes neither the node's INPUT and OUTPUT rules for UDP, which are of"
		" the outer packet, nor, outwards, a capture on flannel0; rules for pods' packets and the tables of routes"
		" count as ever. Two links of their own, cnibox-unwrap0 and 1, are for bridges to pass on together what"
		" came together (Linux 6.3).\n"
		"\n"
		"SIGUSR1 logs what was carried and dropped, for each peer; so does /metrics of --healthz-port.",
	.example =
		"mkdir -p /var/lib/cnibox/network && cd /var/lib/cnibox/network\n"
		"echo '{ \"Network\": \"10.5.0.0/16\", \"Backend\": { \"Type\": \"udp\" } }' >config\n"
		"cnibox tun-relay --iface eth0",
	.run = &run,
};
