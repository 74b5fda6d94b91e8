/*
 * flanneld: in the place of flannel's daemon, with its flags, its environment and its defaults (flannel.md, section 7). The
 * network's configuration says which way it is; everything is in lib/agent.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "agent/flags.h"
#include "base/log.h"
#include "describe/applet.h"
#include "kernel/capability.h"

#define ETCD_ENDPOINTS "http://127.0.0.1:4001,http://127.0.0.1:2379"

struct flanneld_flags {
	struct agent_flags agent; /* first: its rows have its offsets */
	int renew_margin;         /* minutes */
	int v;
	const char *vmodule, *log_backtrace_at;
	bool version;
};

static const struct flanneld_flags defaults = {
	.agent = { AGENT_FLAGS_DEFAULTS },
	.renew_margin = 60,
};

#define ROW(key_, kind, member, env_, help_, ...)                                                 \
	{                                                                                         \
		.key = (key_), .type = (kind), .offset = offsetof(struct flanneld_flags, member), \
		.env = (env_), .help = (help_), .flags = FIELD_ONE_DASH, ##__VA_ARGS__            \
	}
static const struct field fields[] = {
	AGENT_FLAGS,
	ROW("subnetLeaseRenewMargin", FIELD_INT, renew_margin, "FLANNELD_SUBNET_LEASE_RENEW_MARGIN",
	    "minutes; checked only: a lease is renewed here with three quarters of its life left",
	    .min = 1, .max = 1439),
	ROW("v", FIELD_INT, v, "FLANNELD_V", "how much is logged: 1 and more = each step"),
	ROW("vmodule", FIELD_STRING, vmodule, "FLANNELD_VMODULE", "accepted, without effect"),
	ROW("log_backtrace_at", FIELD_STRING, log_backtrace_at, "FLANNELD_LOG_BACKTRACE_AT",
	    "accepted, without effect"),
	ROW("version", FIELD_BOOL, version, NULL, "print the version on standard error"),
	FIELDS_END,
};

/* One place: a folder that is named, Kubernetes, or etcd, which is flannel's default. */
static int choose_place(struct lease_place *place, struct error *err)
{
	bool folder = place->store != defaults.agent.place.store;

	if (folder + (place->peers_file != NULL) + (place->etcd_endpoints != NULL) +
		    place->kube_subnet_mgr >
	    1)
		return fail(
			err, USAGE_ERROR,
			"--store, --peers-file, --etcd-endpoints and --kube-subnet-mgr: one of them at most");
	if (!folder && !place->peers_file && !place->kube_subnet_mgr && !place->etcd_endpoints)
		place->etcd_endpoints = ETCD_ENDPOINTS;
	return 0;
}

/* flannel answers everybody; what it does not have is for this machine, unless an address was chosen. */
static struct agent_health as_flannel(const struct agent_flags *flags, struct agent_health health)
{
	if (!flags->healthz_ip.family) {
		health.ip = ip_make(AF_INET, (const uint8_t[4]){ 0 });
		health.local_metrics = true;
	}
	return health;
}

static int flanneld_run(struct invocation *call, void *flags_, struct error *err)
{
	struct flanneld_flags *flags = flags_;
	struct agent_options options;

	if (flags->version) {
		fprintf(stderr, "cnibox %s, in place of flanneld\n", call->version);
		return 0;
	}
	if (!capability_net_admin())
		return fail(err, EPERM, "needs root (CAP_NET_ADMIN)");
	if (choose_place(&flags->agent.place, err))
		return -err->errnum;
	if (flags->v > 0)
		log_level = LOG_DEBUG;
	options = agent_flags_options(&flags->agent, NULL);
	options.name = "flanneld";
	options.health = as_flannel(&flags->agent, options.health);
	return agent_flags_run(&flags->agent, &options, call->out, err);
}

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct flanneld_flags),
	.defaults = &defaults,
	.run = flanneld_run,
};

const struct applet applet_flanneld = {
	.summary = "in place of flannel's daemon: its flags, its files",
	.about =
		"Reads the network's configuration and runs the way that it names, as `cnibox vxlan` and"
		" `cnibox hostgw-sync` do. Flags, with one dash or two, and the variables FLANNELD_* are flannel's; so"
		" are subnet.env and what is in the kernel: a node changes over in either direction without losing a"
		" packet. Of flannel's other variables NODE_NAME, POD_NAME with POD_NAMESPACE, and NOTIFY_SOCKET count.\n"
		"\n"
		"Without --store and --kube-subnet-mgr the network is in etcd, at " ETCD_ENDPOINTS
		". A network without Backend means \"udp\", as for flannel.\n"
		"\n"
		"SIGHUP has it look at everything again, SIGUSR1 has it log its state. What flannel did otherwise: a wrong"
		" flag ends with status 2; a lost lease is taken again; ready means that the way to every"
		" peer is in place, unless its lease is at fault or names a backend that is not served here, and that the"
		" store is heard; /metrics answers this machine only, unless --healthz-ip is given.",
	.example = "flanneld -etcd-endpoints=http://192.0.2.9:2379 -iface=eth0 -ip-masq\n"
		   "cnibox flanneld --store /var/lib/cnibox/network --healthz-port 10256\n"
		   "curl http://127.0.0.1:10256/readyz",
	.run = &run,
};
