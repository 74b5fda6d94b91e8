/*
 * flannel's udp way: one TUN device for all peers, one route for the whole network into it, and a relay process behind it
 * (flannel.md, section 4.3; lib/relay). The node's lease says neither type nor data.
 */
#include <errno.h>
#include <stdio.h>

#include "agent/agent_internal.h"
#include "agent/device.h"
#include "base/log.h"

#define DEVICE "flannel0"

enum { PORT = 8285 };

static struct relay_spec spec_of(const struct agent *agent)
{
	const struct agent_options *options = agent->options;
	int port = agent->config.backend.port;

	return (struct relay_spec){
		.device = DEVICE,
		.ip = agent->config.v4.enabled ? agent->external.ip : (struct ip){ 0 },
		.ip6 = agent->config.v6.enabled ? agent->external.ip6 : (struct ip){ 0 },
		.port = (uint16_t)(port ? port : PORT),
		.underlay = agent->external.index,
		.datapath = options->relay.datapath,
		.n_peers = (uint32_t)agent->leases.n,
		.queues = options->relay.queues,
		.spin_us = options->relay.spin_us,
		.pace = options->relay.pace,
	};
}

static int look(struct agent *agent, struct link *link, struct error *err)
{
	link_queue_get(agent->nl, DEVICE, link);
	netlink_tolerate(agent->nl, ENODEV);
	return netlink_commit(agent->nl, err);
}

/* It is as it should be, and the device is still the one that it has open. */
static bool is_good(const struct agent *agent, const struct relay_spec *spec,
		    const struct link *link)
{
	return agent->relay && relay_is(agent->relay, spec) && link->index &&
	       link->index == agent->tun.index;
}

static int ensure_relay(struct agent *agent, struct link *link, struct error *err)
{
	struct relay_spec spec = spec_of(agent);

	if (look(agent, link, err))
		return -err->errnum;
	if (is_good(agent, &spec, link))
		return 0;
	relay_close(agent->relay);
	agent->relay = NULL;
	if (relay_open(&agent->relay, agent->loop, &spec, err))
		return -err->errnum;
	return look(agent, link, err);
}

static int settle(struct agent *agent, bool v6, struct link *link, struct error *err)
{
	const struct network_family *family = v6 ? &agent->config.v6 : &agent->config.v4;
	const struct device_spec spec = {
		.name = DEVICE,
		.mtu = agent_mtu(agent, agent->config.v6.enabled),
		.address = agent_device_address(agent, v6),
		.network = family->network,
	};
	bool changed = false;

	return family->enabled ? device_settle(agent->nl, &spec, link, &changed, err) : 0;
}

static int ensure_devices(struct agent *agent, struct error *err)
{
	struct link link = { 0 };

	if (agent->options->once)
		return fail(err, EINVAL, "the udp way works only while its agent runs: no --once");
	if (ensure_relay(agent, &link, err) || settle(agent, false, &link, err) ||
	    settle(agent, true, &link, err))
		return wrap(err, "TUN device %s", DEVICE);
	agent->tun = link;
	return 0;
}

/* Those of the other ways have routes of their own. */
static int tell_peers(struct agent *agent, const struct plan *plan, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const struct cidr own = agent_device_address(agent, false),
			  own6 = agent_device_address(agent, true);
	LIST(struct relay_peer) peers = { 0 };

	list_each(peer, &plan->peers)
		if (plan_is_udp(peer->lease) && peer->trouble != PLAN_OVERLAPS_OURS &&
		    peer->trouble != PLAN_OUTSIDE)
			*list_add(&arena, &peers) = (struct relay_peer){
				.subnet = peer->lease->subnet,
				.subnet6 = peer->lease->subnet6,
				.ip = peer->lease->public_ip,
				.ip6 = peer->lease->public_ip6,
			};
	return relay_tell(agent->relay, peers.items, peers.n, &own.ip, &own6.ip, err);
}

static void tell_counters(const struct agent *agent)
{
	uint64_t counters[RELAY_N_COUNTERS];
	const struct relay_peer *peer;
	char name[CIDR_TEXT_SIZE], line[1024];

	if (agent->relay)
		log_info("state: relay: %s", relay_is_in_kernel(agent->relay)
						     ? "most packets are carried by the kernel"
						     : "packets are carried by its process");
	for (size_t i = 0; agent->relay && relay_counters(agent->relay, i, &peer, counters); i++) {
		size_t len = 0;

		for (size_t k = 0; k < RELAY_N_COUNTERS; k++)
			if (relay_counter_names[k] && counters[k] && len < sizeof(line))
				len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%llu %s",
							len ? ", " : "",
							(unsigned long long)counters[k],
							relay_counter_names[k]);
		log_info("state: relay: %s%s: %s", relay_peer_name(peer, name),
			 relay_kin_text(agent->relay, i), len ? line : "nothing");
	}
}

const struct way way_udp = {
	.name = "udp",
	.lease_type = "",
	.overhead = 28,
	.overhead6 = 48,
	.ensure_devices = ensure_devices,
	.tell_peers = tell_peers,
	.tell_counters = tell_counters,
};
