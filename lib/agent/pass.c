/*
 * The pass: external interface, devices, lease, peers, subnet.env, each as far as what is known allows. It is the same at
 * the first start and at every event after.
 */
#include "agent/agent_internal.h"

#include <errno.h>
#include <stdio.h>

#include "agent/vtep.h"
#include "base/file.h"
#include "base/log.h"
#include "lease/subnet_env.h"

enum { VXLAN_OVERHEAD = 50, VXLAN6_OVERHEAD = 70, VALUE_MAX = 65536 };

static bool is_vxlan(const struct agent *agent)
{
	return streq(agent->config.backend.type, "vxlan");
}

static int base_mtu(const struct agent *agent)
{
	return agent->config.backend.mtu ? agent->config.backend.mtu : agent->external.mtu;
}

/* What pods may send in every family (D13): the least. */
static int pod_mtu(const struct agent *agent)
{
	if (!is_vxlan(agent))
		return base_mtu(agent);
	return base_mtu(agent) - (agent->config.v6.enabled ? VXLAN6_OVERHEAD : VXLAN_OVERHEAD);
}

static int find_external(struct agent *agent, struct error *err)
{
	struct external_choice choice = agent->options->external;
	struct arena arena = { 0 };
	struct external external;

	choice.v4 = agent->config.v4.enabled;
	choice.v6 = agent->config.v6.enabled;
	if (external_find(agent->nl, &choice, &arena, &external, err)) {
		arena_free(&arena);
		return -err->errnum;
	}
	arena_free(&agent->external_arena);
	agent->external_arena = arena;
	agent->external = external;
	return 0;
}

/* ---- devices ---- */

/* The device's address is the subnet's own, as one host. */
static struct cidr device_address(const struct cidr *subnet)
{
	return subnet->ip.family ? cidr_host(&subnet->ip) : (struct cidr){ 0 };
}

static int ensure_vtep(struct agent *agent, bool v6, struct error *err)
{
	const struct network_backend *backend = &agent->config.backend;
	struct link *link = v6 ? &agent->vtep6 : &agent->vtep;
	struct mac *mac = v6 ? &agent->mac6 : &agent->mac;
	char name[16];
	struct vtep_spec spec = {
		.name = name,
		.vxlan = { .vni = (uint32_t)backend->vni,
			   .port = backend->port,
			   .link = agent->external.index,
			   .local = v6 ? agent->external.ip6 : agent->external.ip,
			   .learning = backend->learning,
			   .gbp = backend->gbp },
		.mtu = base_mtu(agent) - (v6 ? VXLAN6_OVERHEAD : VXLAN_OVERHEAD),
		.mac = *mac,
		.network = v6 ? agent->config.v6.network : agent->config.v4.network,
	};
	bool changed;

	snprintf(name, sizeof(name), "flannel%s.%d", v6 ? "-v6" : "", backend->vni);
	if (agent->have_own)
		spec.address = device_address(v6 ? &agent->own.subnet6 : &agent->own.subnet);
	if (vtep_ensure(agent->nl, &spec, link, &changed, err))
		return -err->errnum;
	*mac = link->mac;
	return 0;
}

static int ensure_devices(struct agent *agent, struct error *err)
{
	if (!is_vxlan(agent))
		return 0;
	if (agent->config.v4.enabled && ensure_vtep(agent, false, err))
		return -err->errnum;
	return agent->config.v6.enabled ? ensure_vtep(agent, true, err) : 0;
}

/* ---- the lease ---- */

static struct subnet_vtep vtep_of(const struct agent *agent, const struct link *link)
{
	return (struct subnet_vtep){
		.set = link->index != 0,
		.vni = (uint32_t)agent->config.backend.vni,
		.mac = link->mac,
	};
}

/* Address, type and data as they are now; the subnets as they were. */
static struct subnet_lease wish(const struct agent *agent)
{
	struct subnet_lease own = agent->have_own ? agent->own : agent->recalled;

	own.public_ip = agent->config.v4.enabled ? agent->external.public_ip : (struct ip){ 0 };
	own.public_ip6 = agent->config.v6.enabled ? agent->external.public_ip6 : (struct ip){ 0 };
	own.type = is_vxlan(agent) ? "vxlan" : "host-gw";
	own.vtep = vtep_of(agent, &agent->vtep);
	own.vtep6 = vtep_of(agent, &agent->vtep6);
	return own;
}

/* What was written last tells that a lease of another address is this node's (D11). */
static const char *remembered(const struct agent *agent, struct arena *arena)
{
	if (agent->have_own)
		return subnet_value(&agent->own, arena);
	return agent->recalled.type ? subnet_value(&agent->recalled, arena) : NULL;
}

static void want_lease(struct agent *agent)
{
	auto_arena struct arena arena = { 0 };
	struct subnet_lease own = wish(agent), asked = agent->wanted;

	/* Which subnets is the store's to say. */
	asked.subnet = own.subnet;
	asked.subnet6 = own.subnet6;
	if (agent->have_wanted && subnet_lease_equal(&own, &asked))
		return;
	lease_store_want(agent->store, &own, remembered(agent, &arena));
	agent->wanted = own;
	agent->have_wanted = true;
}

/* ---- peers ---- */

static void report(const struct plan *plan, const struct reconciled *done)
{
	char ip[IP_TEXT_SIZE];

	if (done->added || done->removed)
		log_info("%zu peers; %u routes and neighbours added, %u removed", plan->peers.n,
			 done->added, done->removed);
	if (done->failed)
		log_warning("%u could not be added: %s", done->failed, done->first.message);
	list_each(peer, &plan->peers)
		if (peer->trouble)
			log_debug("peer %s: %s", ip_format(&peer->lease->public_ip, ip),
				  plan_trouble_text(peer->trouble));
}

static int ensure_peers(struct agent *agent, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct plan_node node = {
		.config = &agent->config,
		.own = &agent->own,
		.external = agent->external.index,
		.vtep = agent->vtep.index,
		.vtep6 = agent->vtep6.index,
		.near = agent->external.near,
	};
	struct reconciled done;
	struct plan plan;

	plan_make(&node, &agent->leases, &arena, &plan);
	if (reconcile(agent->nl, &node, &plan, !agent->adopted, &done, err))
		return -err->errnum;
	report(&plan, &done);
	agent->adopted = true;
	return done.failed ? fail(err, done.first.errnum, "%s", done.first.message) : 0;
}

/* ---- subnet.env, and what is remembered ---- */

static const char *lease_file(const struct agent *agent, struct arena *arena)
{
	return arena_printf(arena, "%s.lease", agent->options->subnet_file);
}

static void recall_subnets(struct agent *agent, struct arena *arena)
{
	struct subnet_env env;
	char *text;
	size_t size;

	if (file_read(agent->options->subnet_file, VALUE_MAX, arena, &text, &size, NULL) < 0 ||
	    subnet_env_parse(text, arena, &env, NULL) < 0)
		return;
	agent->recalled.subnet = env.subnet;
	agent->recalled.subnet6 = env.subnet_v6;
}

void agent_recall(struct agent *agent)
{
	auto_arena struct arena arena = { 0 };
	struct subnet_lease was = { 0 };
	char *text;
	size_t size;

	if (file_read(lease_file(agent, &arena), VALUE_MAX, &arena, &text, &size, NULL) == 0 &&
	    subnet_value_parse(text, size, &agent->recalled_arena, &was, NULL) == 0) {
		agent->recalled = was;
		agent->mac = was.vtep.mac;
		agent->mac6 = was.vtep6.mac;
	}
	recall_subnets(agent, &arena);
}

static const char *env_text(const struct agent *agent, struct arena *arena)
{
	struct subnet_env env = {
		.subnet = agent->own.subnet,
		.subnet_v6 = agent->own.subnet6,
		.mtu = (uint32_t)pod_mtu(agent),
		.masquerade = agent->options->masquerade,
	};

	if (agent->config.v4.enabled)
		*list_add(arena, &env.networks) = agent->config.v4.network;
	if (agent->config.v6.enabled)
		*list_add(arena, &env.networks_v6) = agent->config.v6.network;
	return subnet_env_text(&env, arena);
}

int agent_publish(struct agent *agent, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *text = env_text(agent, &arena), *value = subnet_value(&agent->own, &arena);
	char *folder = arena_strdup(&arena, agent->options->subnet_file), *slash;

	if (agent->env && streq(agent->env, text))
		return 0;
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		if (dir_make(folder, 0755, err))
			return -err->errnum;
	}
	if (file_replace(lease_file(agent, &arena), 0600, value, strlen(value), false, err) ||
	    file_replace(agent->options->subnet_file, 0644, text, strlen(text), true, err))
		return -err->errnum;
	agent->env = arena_strdup(&agent->own_arena, text);
	return 0;
}

int agent_pass(struct agent *agent, struct error *err)
{
	if (!agent->have_network)
		return 0;
	if (find_external(agent, err) || ensure_devices(agent, err))
		return -err->errnum;
	want_lease(agent);
	if (!agent->have_own)
		return 0;
	if (agent->have_leases && ensure_peers(agent, err))
		return -err->errnum;
	return agent_publish(agent, err);
}
