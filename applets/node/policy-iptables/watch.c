/* watch: the agent of a node (guard/guard.h), with objects from files or from the Kubernetes API. */
#include "job.h"

#include <errno.h>
#include <sys/socket.h>

#include "guard/guard.h"

const struct field verb_watch_fields[] = {
	ROW("file", FIELD_LIST, files,
	    "objects as JSON or YAML, or a folder of them, instead of the Kubernetes API; watched",
	    .letter = 'f', .metavar = "FILE", .element = FIELD_PATH, .size = sizeof(char *)),
	LEASE_PLACE_API_FIELDS(offsetof(struct options, place)),
	ROW_NODE,
	ROW_BACKEND,
	ROWS_TREATMENT,
	ROW_CLOSE,
	ROW("closeNode", FIELD_BOOL, close_node,
	    "the same for what this node's object says: podCIDRs"),
	ROW_BRIDGE_NETFILTER,
	ROW_CUT,
	ROW("socket", FIELD_PATH, socket, "where plugins ask whether their pod is in force"),
	ROW("delay", FIELD_DURATION, delay, "changes that come within are one", .max = 10000),
	ROW("resync", FIELD_DURATION, resync, "look at everything this often; 0 = on events only",
	    .max = 86400000),
	ROW("once", FIELD_BOOL, once, "end when everything is in force"),
	ROW("onceTimeout", FIELD_DURATION, once_timeout,
	    "with --once: an error when it has not come to that for so long; 0 = wait for ever",
	    .max = 86400000),
	ROW("healthzIp", FIELD_IP, healthz_ip, "address for probes; unset: 127.0.0.1"),
	ROW("healthzPort", FIELD_INT, healthz_port,
	    "port that answers GET /healthz, /readyz and /metrics; 0 = none", .max = 65535),
	ROW("storeSilence", FIELD_DURATION, silence,
	    "not ready when the API server was not heard for so long; 0 = never mind",
	    .max = 86400000),
	FIELDS_END,
};

static bool given(const char *text)
{
	return text && *text;
}

static int set_options(struct invocation *call, const struct options *options,
		       struct guard_options *guard, struct error *err)
{
	bool asked = given(options->place.kubeconfig_file) || given(options->place.kube_api_url);

	*guard = (struct guard_options){
		.node = job_node_name(call, options),
		.treatment = job_treatment(options),
		.place = asked || !options->files.n ? &options->place : NULL,
		.close = options->close,
		.close_node = options->close_node,
		.socket = options->socket,
		.delay_ms = (unsigned)options->delay,
		.resync_ms = (unsigned)options->resync,
		.cut = options->cut,
		.once = options->once,
		.once_ms = (unsigned)options->once_timeout,
		.bridge_netfilter = options->bridge_netfilter,
		.health = { options->healthz_ip, options->healthz_port,
			    (unsigned)options->silence },
	};
	list_each(file, &options->files) {
		if (streq(*file, "-"))
			return fail(err, USAGE_ERROR, "standard input cannot be watched");
		*list_add(call->arena, &guard->files) = *file;
	}
	if (!guard->health.ip.family)
		guard->health.ip = ip_make(AF_INET, (const uint8_t[]){ 127, 0, 0, 1 });
	return backend_find(options->backend ? options->backend : "auto", &guard->backend, err) < 0
		       ? -USAGE_ERROR
		       : 0;
}

int verb_watch(struct invocation *call, void *options, struct error *err)
{
	struct guard_options guard;
	int r = set_options(call, options, &guard, err);

	return r < 0 ? r : guard_run(&guard, err);
}
