/* What the shared options of agents mean. */
#include "agent/flags.h"

const struct agent_flags agent_flags_defaults = {
	.place = LEASE_PLACE_DEFAULTS,
	.subnet_file = "/run/flannel/subnet.env",
	.resync = 60000,
};

struct agent_options agent_flags_options(const struct agent_flags *flags, const char *type)
{
	return (struct agent_options){
		.external = { .names = flags->iface,
			      .patterns = flags->iface_regex,
			      .reach = flags->iface_can_reach,
			      .public_ip = flags->public_ip,
			      .public_ip6 = flags->public_ipv6 },
		.store = lease_place_program(&flags->place),
		.subnet_file = flags->subnet_file,
		.type = type,
		.mixed = flags->mixed,
		.masquerade = flags->ip_masq,
		.resync_ms = (unsigned)flags->resync,
		.once = flags->once,
	};
}
