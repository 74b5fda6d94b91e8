/*
 * bandwidth: limits the rate of a container's traffic (cni-plugins.md, section 2.15).
 *
 * What goes to the container leaves the host's end of its veth pair, and a token bucket there limits it. What comes
 * from the container enters that end, where nothing can wait: it is redirected to an ifb link, and limited when it
 * leaves that. ADD again changes the numbers in place. The ifb's name is derived, so DEL needs nothing else; its alias
 * names the attachment, for GC.
 */
#include "base/undo.h"
#include "cni/attachment.h"
#include "cni/ifb.h"
#include "cni/plugin.h"
#include "describe/applet.h"
#include "kernel/qdisc.h"

#include <errno.h>
#include <stdio.h>

enum { LATENCY_MS = 25, LATENCY_MAX_MS = 10000 };
enum { LEAST_USEFUL = 8000 }; /* bits per second */

#define BURST_MAX UINT32_MAX /* bytes, exclusive */

/* In bits, and bits per second; 0 = no limit. */
struct rates {
	uint64_t ingress_rate, ingress_burst, egress_rate, egress_burst;
	bool given;
};

struct bandwidth_conf {
	struct rates top;
	int64_t latency_ms;
	struct {
		struct rates bandwidth;
	} runtime_config;
	struct rates rates; /* settled by validate */
};

#define CONF(member) offsetof(struct bandwidth_conf, member)

#define RATE_ROWS(base)                                                                         \
	{ "ingressRate", FIELD_UINT64, (base) + offsetof(struct rates, ingress_rate),           \
	  .seen = 1 + (base) + offsetof(struct rates, given),                                   \
	  .help = "bits per second to the container; 0 = no limit" },                           \
		{ "ingressBurst", FIELD_UINT64, (base) + offsetof(struct rates, ingress_burst), \
		  .seen = 1 + (base) + offsetof(struct rates, given),                           \
		  .help = "bits that may come at once before the rate holds" },                 \
		{ "egressRate", FIELD_UINT64, (base) + offsetof(struct rates, egress_rate),     \
		  .seen = 1 + (base) + offsetof(struct rates, given),                           \
		  .help = "bits per second from the container; 0 = no limit" },                 \
	{                                                                                       \
		"egressBurst", FIELD_UINT64, (base) + offsetof(struct rates, egress_burst),     \
			.seen = 1 + (base) + offsetof(struct rates, given),                     \
			.help = "bits that may go at once before the rate holds"                \
	}

static const struct field rates_fields[] = { RATE_ROWS(0), FIELDS_END };
static const struct field runtime_fields[] = {
	{ "bandwidth", FIELD_OBJECT, 0, .fields = rates_fields,
	  .help = "capability bandwidth: the same four keys" },
	FIELDS_END
};

static const struct field fields[] = {
	RATE_ROWS(CONF(top)),
	{ "latency", FIELD_DURATION, CONF(latency_ms), .min = 1, .max = LATENCY_MAX_MS,
	  .help = "how long a packet may wait, beside the burst, before it is dropped" },
	{ "runtimeConfig", FIELD_OBJECT, CONF(runtime_config), .fields = runtime_fields,
	  .help = "values of declared capabilities, used when none of the four keys is given" },
	FIELDS_END
};

static const struct field del_fields[] = { FIELDS_END };

static const struct bandwidth_conf defaults = { .latency_ms = LATENCY_MS };

/* ---- validation: pure ---- */

static int mistake(struct error *err, const char *direction, const char *what, const char *message)
{
	fail_key(err, "", "%s", message);
	return error_at(err, "%s%s", direction, what);
}

static int check_rate(const char *name, uint64_t rate, uint64_t burst, struct error *err)
{
	if (rate && !burst)
		return mistake(err, name, "Rate", "if rate is set, burst must also be set");
	if (burst && !rate)
		return mistake(err, name, "Burst", "if burst is set, rate must also be set");
	if (burst / 8 >= BURST_MAX)
		return mistake(err, name, "Burst", "burst cannot be more than 4GB");
	if (rate && (rate < 8 || burst < 8))
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "%sRate and %sBurst must be at least 8 bits", name, name);
	return 0;
}

static int bandwidth_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct bandwidth_conf *conf = data;

	if (request->command == CNI_DEL || request->command == CNI_GC)
		return 0;
	conf->rates = conf->top.given ? conf->top : conf->runtime_config.bandwidth;
	if (check_rate("ingress", conf->rates.ingress_rate, conf->rates.ingress_burst, err))
		return -err->errnum;
	return check_rate("egress", conf->rates.egress_rate, conf->rates.egress_burst, err);
}

static struct tbf make_tbf(uint64_t rate, uint64_t burst, int64_t latency_ms)
{
	return tbf_make(rate / 8, burst / 8, (unsigned)latency_ms);
}

/* ---- the host's end ---- */

struct shaping {
	struct attachment a;
	struct cni_request *request;
	const struct bandwidth_conf *conf;
	struct undo undo;
	struct link veth, ifb, named[IFB_NAMES];
	struct qdisc root, hook, ifb_root; /* as they were */
	char new_ifb[16];                  /* the name of one that this ADD makes */
};

static void shaping_leave(struct shaping *shaping)
{
	undo_leave(&shaping->undo);
	attachment_close(&shaping->a);
}

static bool is_pair(const struct link *container, const struct link *host)
{
	return streq(container->kind, "veth") && streq(host->kind, "veth") &&
	       host->peer == container->index;
}

static int find_container_end(struct shaping *shaping, struct link *container, struct error *err)
{
	const char *ifname = shaping->request->ifname;

	if (link_get(shaping->a.container, ifname, container, err)) {
		wrap(err, "could not look up \"%s\"", ifname);
		return wrap(err, "container interface %s has no veth peer", ifname);
	}
	if (!streq(container->kind, "veth") || container->peer <= 0)
		return fail(err, EINVAL,
			    "container interface %s has no veth peer: interface \"%s\" was not a "
			    "veth interface",
			    ifname, ifname);
	return 0;
}

static int check_host_end(struct shaping *shaping, const struct link *container,
			  const struct cni_result *prev, struct error *err)
{
	if (!is_pair(container, &shaping->veth))
		return fail(err, ENODEV, "veth peer with index %d is not in host ns",
			    container->peer);
	if (attachment_interface(prev, shaping->veth.name, false))
		return 0;
	fail(err, ENOENT, "no veth peer of container interface found in host ns");
	snprintf(err->details, sizeof(err->details), "prevResult does not list %s without sandbox",
		 shaping->veth.name);
	return -ENOENT;
}

/* The one that is ours by its alias or, for want of one, by its name. */
static void find_ifb(struct shaping *shaping)
{
	for (unsigned i = 0; i < IFB_NAMES && !shaping->ifb.index; i++)
		if (ifb_is_of(&shaping->named[i], &shaping->a.owner, shaping->request->arena))
			shaping->ifb = shaping->named[i];
}

/* Everything that is there already. */
static int look(struct shaping *shaping, const struct cni_result *prev, struct error *err)
{
	struct netlink *host = shaping->a.host;
	struct link container;

	if (prev->interfaces.n == 0)
		return fail(err, ENOENT, "no interfaces provided");
	if (find_container_end(shaping, &container, err))
		return -err->errnum;
	link_queue_get_index(host, container.peer, &shaping->veth);
	netlink_tolerate(host, ENODEV);
	qdisc_queue_get_root(host, container.peer, &shaping->root);
	qdisc_queue_get_ingress(host, container.peer, &shaping->hook);
	ifb_queue_get(host, &shaping->a.owner, shaping->named);
	if (netlink_commit(host, err) || check_host_end(shaping, &container, prev, err))
		return -err->errnum;
	find_ifb(shaping);
	if (!shaping->ifb.index)
		return 0;
	qdisc_queue_get_root(host, shaping->ifb.index, &shaping->ifb_root);
	return netlink_commit(host, err);
}

/* ---- ADD ---- */

static int undo_ifb(void *arg, struct error *err)
{
	struct shaping *shaping = arg;

	link_queue_del(shaping->a.host, shaping->new_ifb);
	netlink_tolerate(shaping->a.host, ENODEV);
	return netlink_commit(shaping->a.host, err);
}

static int undo_limits(void *arg, struct error *err)
{
	struct shaping *shaping = arg;
	struct netlink *host = shaping->a.host;

	if (shaping->root.index)
		qdisc_queue_tbf(host, shaping->veth.index, &shaping->root.tbf, shaping->veth.name);
	else
		qdisc_queue_del_tbf(host, shaping->veth.index);
	if (!shaping->hook.index)
		qdisc_queue_del_ingress(host, shaping->veth.index);
	if (shaping->ifb_root.index)
		qdisc_queue_tbf(host, shaping->ifb.index, &shaping->ifb_root.tbf,
				shaping->ifb.name);
	return netlink_commit(host, err);
}

/* What somebody else put there could not be put back. */
static int refuse_foreign(const struct shaping *shaping, struct error *err)
{
	const struct rates *rates = &shaping->conf->rates;
	const struct qdisc *root = &shaping->root, *hook = &shaping->hook;

	if (rates->ingress_rate && root->index &&
	    (!streq(root->kind, "tbf") || root->handle != QDISC_TBF_HANDLE))
		return fail(err, EEXIST,
			    "create qdisc: %s has one that is not ours: %s, handle %x:",
			    shaping->veth.name, root->kind, root->handle >> 16);
	if (rates->egress_rate && hook->index && !streq(hook->kind, "ingress"))
		return fail(err, EEXIST, "create ingress qdisc: %s has one that is not ours: %s",
			    shaping->veth.name, hook->kind);
	return 0;
}

/* Under the first name unless that is with another interface of this container, or with who knows what. */
static int make_ifb(struct shaping *shaping, struct error *err)
{
	struct netlink *host = shaping->a.host;
	unsigned attempt = 0;

	if (shaping->ifb.index || !shaping->conf->rates.egress_rate)
		return 0;
	while (attempt < IFB_NAMES && shaping->named[attempt].index)
		attempt++;
	if (attempt == IFB_NAMES)
		return fail(err, EEXIST, "\"%s\" already exists but is not our ifb link",
			    shaping->named[0].name);
	ifb_name(&shaping->a.owner, attempt, shaping->new_ifb);
	undo_push(&shaping->undo, undo_ifb, shaping, "remove the ifb link");
	link_queue_create(host, &(struct link_spec){ .kind = "ifb",
						     .name = shaping->new_ifb,
						     .mtu = shaping->veth.mtu });
	link_queue_get(host, shaping->new_ifb, &shaping->ifb);
	return netlink_commit(host, err);
}

/* Only when the ifb can pass on what it gets does it get something. */
static void queue_egress(struct shaping *shaping)
{
	const struct bandwidth_conf *conf = shaping->conf;
	struct tbf tbf =
		make_tbf(conf->rates.egress_rate, conf->rates.egress_burst, conf->latency_ms);
	struct link_change change = {
		.what = LINK_SET_UP | LINK_SET_MTU | LINK_SET_ALIAS,
		.up = true,
		.mtu = shaping->veth.mtu,
		.alias = ifb_alias(&shaping->a.owner, shaping->request->arena),
	};

	qdisc_queue_tbf(shaping->a.host, shaping->ifb.index, &tbf, shaping->ifb.name);
	link_queue_change(shaping->a.host, shaping->ifb.index, NULL, &change,
			  "set the ifb link up");
	qdisc_queue_ingress(shaping->a.host, shaping->veth.index, shaping->veth.name);
	qdisc_queue_redirect(shaping->a.host, shaping->veth.index, shaping->ifb.index,
			     shaping->veth.name);
}

static int limit(struct shaping *shaping, struct error *err)
{
	const struct bandwidth_conf *conf = shaping->conf;
	struct tbf tbf;

	undo_push(&shaping->undo, undo_limits, shaping, "remove the limits");
	if (conf->rates.ingress_rate) {
		tbf = make_tbf(conf->rates.ingress_rate, conf->rates.ingress_burst,
			       conf->latency_ms);
		qdisc_queue_tbf(shaping->a.host, shaping->veth.index, &tbf, shaping->veth.name);
	}
	if (conf->rates.egress_rate)
		queue_egress(shaping);
	return netlink_commit(shaping->a.host, err);
}

/* An earlier ADD limited both directions, this one only one of them. */
static int lift(struct shaping *shaping, struct error *err)
{
	const struct rates *rates = &shaping->conf->rates;

	if (!rates->ingress_rate && shaping->root.index)
		qdisc_queue_del_tbf(shaping->a.host, shaping->veth.index);
	if (!rates->egress_rate && shaping->ifb.index) {
		qdisc_queue_del_ingress(shaping->a.host, shaping->veth.index);
		link_queue_del_index(shaping->a.host, shaping->ifb.index, "delete the ifb link");
	}
	return netlink_commit(shaping->a.host, err);
}

static void report_ifb(const struct shaping *shaping, struct cni_result *result)
{
	struct arena *arena = shaping->request->arena;
	const struct cni_interface ifb = {
		.name = arena_strdup(arena, shaping->ifb.name),
		.mac = shaping->ifb.mac,
		.mtu = shaping->veth.mtu,
	};

	list_each(interface, &result->interfaces) {
		if (!streq(interface->name, ifb.name) || interface->sandbox)
			continue;
		*interface = ifb;
		return;
	}
	*list_add(arena, &result->interfaces) = ifb;
}

static int bandwidth_add(struct cni_request *request, void *conf, struct cni_result *result,
			 struct error *err)
{
	struct shaping shaping on_leave(shaping_leave) = {
		.a = { .netns = -1 },
		.request = request,
		.conf = conf,
	};
	const struct rates *rates = &shaping.conf->rates;

	if (request_prev_result(request, result, err))
		return -err->errnum;
	if (!rates->ingress_rate && !rates->egress_rate)
		return 0;
	if (attachment_open(&shaping.a, request, err))
		return -err->errnum;
	if (look(&shaping, result, err) || refuse_foreign(&shaping, err) ||
	    make_ifb(&shaping, err) || limit(&shaping, err) || lift(&shaping, err))
		return -err->errnum;
	if (rates->egress_rate)
		report_ifb(&shaping, result);
	undo_clear(&shaping.undo);
	return 0;
}

/* ---- DEL ---- */

/* The host's end, when the container and its interface are still there. */
static int find_veth(const struct cni_request *request, struct netlink *host, struct link *veth,
		     struct error *err)
{
	struct netlink *container auto_netlink = NULL;
	struct link link;

	if (attachment_container(request, &container, err))
		return -err->errnum;
	if (!container)
		return 0;
	link_queue_get(container, request->ifname, &link);
	netlink_tolerate(container, ENODEV);
	if (netlink_commit(container, err) || link.peer <= 0)
		return -err->errnum;
	link_queue_get_index(host, link.peer, veth);
	netlink_tolerate(host, ENODEV);
	if (netlink_commit(host, err))
		return -err->errnum;
	if (!is_pair(&link, veth))
		veth->index = 0;
	return 0;
}

static int remove_all(struct netlink *host, const struct cni_request *request,
		      const struct link *veth, struct error *err)
{
	struct owner owner = request_owner(request);
	struct link ifbs[IFB_NAMES];

	ifb_queue_get(host, &owner, ifbs);
	if (netlink_commit(host, err))
		return -err->errnum;
	if (veth->index)
		qdisc_queue_del_tbf(host, veth->index);
	for (unsigned i = 0; i < IFB_NAMES; i++) {
		if (!ifb_is_of(&ifbs[i], &owner, request->arena))
			continue;
		if (veth->index)
			qdisc_queue_del_ingress(host, veth->index);
		link_queue_del_index(host, ifbs[i].index, "delete the ifb link");
		netlink_tolerate(host, ENODEV);
	}
	return netlink_commit(host, err);
}

/* The namespace could not be looked into, so that the host's end of the pair is not known: the next DEL finds no ifb, and
 * could not tell either what led to it. */
static int remove_ifbs(struct netlink *host, const struct cni_request *request, struct error *err)
{
	struct owner owner = request_owner(request);
	struct link ifbs[IFB_NAMES];

	ifb_queue_get(host, &owner, ifbs);
	if (netlink_commit(host, err))
		return -err->errnum;
	for (unsigned i = 0; i < IFB_NAMES; i++)
		if (ifb_is_of(&ifbs[i], &owner, request->arena) &&
		    ifb_remove(host, &ifbs[i], request->arena, err))
			return -err->errnum;
	return 0;
}

static int bandwidth_del(struct cni_request *request, void *conf unused, struct error *err)
{
	struct netlink *host auto_netlink = NULL;
	struct link veth = { 0 };
	struct error later = { 0 };

	if (netlink_open(&host, NETLINK_SESSION_ROUTE, -1, err))
		return -err->errnum;
	if (find_veth(request, host, &veth, err) ? remove_ifbs(host, request, &later)
						 : remove_all(host, request, &veth, &later))
		error_join(err, &later);
	return -err->errnum;
}

/* ---- CHECK ---- */

/* What the reference's 32 bits make of the same numbers: a node may have been turned over since. */
static struct tbf wrapped(uint64_t rate, uint64_t burst)
{
	uint64_t bytes = rate / 8, us = burst / 8 * 1000000 / bytes;

	return (struct tbf){
		.rate = bytes,
		.limit = (uint32_t)(bytes * LATENCY_MS / 1000) + (uint32_t)(burst / 8),
		.buffer = (uint32_t)((uint64_t)(uint32_t)us * 125 / 8),
	};
}

static int check_limit(const struct qdisc *qdisc, uint64_t rate, uint64_t burst, int64_t latency_ms,
		       const char *link, struct error *err)
{
	struct tbf wanted = make_tbf(rate, burst, latency_ms), theirs = wrapped(rate, burst);

	if (!qdisc->index || !streq(qdisc->kind, "tbf"))
		return fail(err, ENOENT, "Failed to find qdisc: the rate of %s is not limited",
			    link);
	if (tbf_equal(&qdisc->tbf, &wanted) || tbf_equal(&qdisc->tbf, &theirs))
		return 0;
	if (qdisc->tbf.rate != wanted.rate)
		return fail(err, EINVAL, "Rate doesn't match: %s", link);
	return fail(err, EINVAL, "%s doesn't match: %s",
		    qdisc->tbf.limit != wanted.limit ? "Limit" : "Buffer", link);
}

static int check_egress(struct shaping *shaping, struct error *err)
{
	const struct bandwidth_conf *conf = shaping->conf;
	bool redirects;

	if (!shaping->ifb.index)
		return fail(err, ENODEV, "get ifb device: Link not found");
	if (check_limit(&shaping->ifb_root, conf->rates.egress_rate, conf->rates.egress_burst,
			conf->latency_ms, shaping->ifb.name, err))
		return -err->errnum;
	if (qdisc_redirects(shaping->a.host, shaping->veth.index, shaping->ifb.index, &redirects,
			    err))
		return -err->errnum;
	if (!redirects)
		return fail(err, ENOENT, "what enters %s is not redirected to %s",
			    shaping->veth.name, shaping->ifb.name);
	return 0;
}

static int bandwidth_check(struct cni_request *request, void *conf, struct error *err)
{
	struct shaping shaping on_leave(shaping_leave) = {
		.a = { .netns = -1 },
		.request = request,
		.conf = conf,
	};
	const struct rates *rates = &shaping.conf->rates;
	struct cni_result prev = { 0 };

	if (!request->common.prev_result)
		return request_unchained("must be called as a chained plugin", err);
	if (request_prev_result(request, &prev, err))
		return -err->errnum;
	if (!rates->ingress_rate && !rates->egress_rate)
		return 0;
	if (attachment_open(&shaping.a, request, err) || look(&shaping, &prev, err))
		return -err->errnum;
	if (rates->ingress_rate &&
	    check_limit(&shaping.root, rates->ingress_rate, rates->ingress_burst,
			shaping.conf->latency_ms, shaping.veth.name, err))
		return -err->errnum;
	return rates->egress_rate ? check_egress(&shaping, err) : 0;
}

/* ---- GC, STATUS ---- */

static int bandwidth_gc(struct cni_request *request, void *conf unused, struct error *err)
{
	return ifb_gc(request->common.name, &request->common.attachments, err);
}

static int bandwidth_status(struct cni_request *request unused, void *conf unused,
			    struct error *err)
{
	struct netlink *host auto_netlink = NULL;

	if (netlink_open(&host, NETLINK_SESSION_ROUTE, -1, err))
		return -err->errnum;
	if (qdisc_tbf_probe(host, err) || link_kind_probe(host, "ifb", err))
		return error_code(err, CNI_NOT_AVAILABLE);
	return 0;
}

static void explain_rate(const char *name, const char *direction, uint64_t rate,
			 struct advice *advice)
{
	if (rate)
		advice_say(advice, "%s the container at most %llu bits per second", direction,
			   (unsigned long long)rate);
	if (rate && rate < LEAST_USEFUL)
		advice_warn(advice, arena_printf(advice->arena, "%sRate", name),
			    "%llu is in bits per second: too few for anything to work",
			    (unsigned long long)rate);
}

static void bandwidth_explain(const struct cni_request *request, const void *data,
			      struct advice *advice)
{
	const struct rates *rates = &((const struct bandwidth_conf *)data)->rates;
	bool expected = request_expects(request, "bandwidth");

	explain_rate("ingress", "to", rates->ingress_rate, advice);
	explain_rate("egress", "from", rates->egress_rate, advice);
	if (rates->ingress_rate || rates->egress_rate)
		return;
	if (expected)
		advice_say(advice, "limits the rate as the runtime says");
	else
		advice_warn(advice, "capabilities",
			    "bandwidth is not declared, and no rate is set: nothing is limited");
}

static const struct cni_plugin plugin = {
	.oldest = "0.3.0",
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct bandwidth_conf),
	.defaults = &defaults,
	.load_context = "failed to parse network configuration",
	.chained = "must be called as chained plugin",
	.validate = bandwidth_validate,
	.explain = bandwidth_explain,
	.add = bandwidth_add,
	.del = bandwidth_del,
	.check = bandwidth_check,
	.gc = bandwidth_gc,
	.status = bandwidth_status,
};

const struct applet applet_bandwidth = {
	.summary = "limit the rate of a container's traffic, in both directions",
	.about =
		"CNI plugin, chained behind one that makes a veth pair. Rates and bursts are in bits. A token bucket on the host's"
		" end limits what the container gets; what it sends goes through an ifb link with another. ADD again changes the"
		" limits in place. A burst of more than 274 s at its rate is cut to that, the most the kernel can tell.",
	.example = "{ \"cniVersion\": \"1.0.0\", \"name\": \"pods\", \"plugins\": [\n"
		   "  { \"type\": \"bridge\", \"isGateway\": true,\n"
		   "    \"ipam\": { \"type\": \"host-local\", \"subnet\": \"10.1.0.0/24\" } },\n"
		   "  { \"type\": \"bandwidth\", \"capabilities\": { \"bandwidth\": true },\n"
		   "    \"ingressRate\": 10000000, \"ingressBurst\": 1000000,\n"
		   "    \"egressRate\": 10000000, \"egressBurst\": 1000000 } ] }",
	.plugin = &plugin,
};
