/* What the shared options of agents mean. */
#include "agent/flags.h"

#include <stdio.h>
#include <sys/socket.h>

#include "agent/cleanup.h"
#include "describe/applet.h"
#include "relay/relay.h"

#define SNAPSHOTS "/var/lib/cnibox/remembered/"

enum { POSITION_LAST, POSITION_FIRST };
const char *const agent_positions[] = {
	[POSITION_LAST] = "last",
	[POSITION_FIRST] = "first",
	NULL,
};
const char *const agent_datapaths[] = {
	[RELAY_AUTO] = "auto",
	[RELAY_KERNEL] = "kernel",
	[RELAY_USER] = "user",
	NULL,
};

const struct agent_flags agent_flags_defaults = { AGENT_FLAGS_DEFAULTS };

static struct agent_health health_of(const struct agent_flags *flags)
{
	struct agent_health health = { .ip = flags->healthz_ip,
				       .port = flags->healthz_port,
				       .silence_ms = (unsigned)flags->store_silence };

	if (!health.ip.family)
		health.ip = ip_make(AF_INET, (const uint8_t[]){ 127, 0, 0, 1 });
	return health;
}

/* A file for each agent of a machine: they differ by their subnet files. */
static void set_snapshot(struct agent_flags *flags)
{
	char *path = flags->snapshot_path;
	size_t start = (size_t)snprintf(path, PATH_SIZE, "%s", SNAPSHOTS);

	if (flags->place.snapshot || start + strlen(flags->subnet_file) >= PATH_SIZE)
		return;
	snprintf(path + start, PATH_SIZE - start, "%s",
		 flags->subnet_file + (*flags->subnet_file == '/'));
	for (char *p = path + start; *p; p++)
		*p = *p == '/' ? '-' : *p;
	flags->place.snapshot = path;
}

struct agent_options agent_flags_options(struct agent_flags *flags, const char *type)
{
	set_snapshot(flags);
	return (struct agent_options){
		.name = type,
		.external = { .names = flags->iface,
			      .patterns = flags->iface_regex,
			      .reach = flags->iface_can_reach,
			      .public_ip = flags->public_ip,
			      .public_ip6 = flags->public_ipv6 },
		.store = lease_place_program(&flags->place),
		.place = &flags->place,
		.subnet_file = flags->subnet_file,
		.cni_config = flags->cni_config,
		.cni_config_to = flags->cni_config_to,
		.type = type,
		.mixed = flags->mixed,
		.rules = { .masquerade = flags->ip_masq,
			   .fully_random = !flags->ip_masq_fully_random_disable,
			   .forward = flags->iptables_forward_rules,
			   .forward_first = flags->iptables_forward_position == POSITION_FIRST,
			   .legacy_ms = (unsigned)flags->iptables_resync },
		.blackhole = flags->ip_blackhole_route,
		.tx_checksum = flags->tx_checksum,
		.resync_ms = (unsigned)flags->resync,
		.once = flags->once,
		.once_ms = (unsigned)flags->once_timeout,
		.release = flags->release,
		.relay.pace = RELAY_PACE,
		.observe = flags->observe,
		.fixed_lease = flags->place.peers_file != NULL,
		.health = health_of(flags),
	};
}

int agent_flags_run(const struct agent_flags *flags, const struct agent_options *options, FILE *out,
		    struct error *err)
{
	if (flags->once && flags->release)
		return fail(err, USAGE_ERROR, "--once and --release: one of them at most");
	return flags->cleanup ? agent_cleanup(options, out, err) : agent_run(options, err);
}
