/* What the shared options of agents mean. */
#include "agent/flags.h"

#include <errno.h>

#include "base/log.h"

const struct agent_flags agent_flags_defaults = {
	.store = "/var/lib/cnibox/network",
	.subnet_file = "/run/flannel/subnet.env",
	.resync = 60000,
};

/* Runs in the store's process. */
static int serve_files(void *arg, int fd)
{
	const struct agent_flags *flags = arg;
	struct error err = { 0 };
	struct kv *kv auto_kv = NULL;
	int r = kv_file_open(&kv, flags->store, &err);

	if (r == 0)
		r = lease_store_serve(kv, fd, &err);
	if (r < 0)
		log_error("%s", err.message);
	return r < 0;
}

struct agent_options agent_flags_options(const struct agent_flags *flags, const char *type)
{
	return (struct agent_options){
		.external = { .names = flags->iface,
			      .patterns = flags->iface_regex,
			      .reach = flags->iface_can_reach,
			      .public_ip = flags->public_ip,
			      .public_ip6 = flags->public_ipv6 },
		.store = { serve_files, (void *)flags },
		.subnet_file = flags->subnet_file,
		.type = type,
		.masquerade = flags->ip_masq,
		.resync_ms = (unsigned)flags->resync,
		.once = flags->once,
	};
}
