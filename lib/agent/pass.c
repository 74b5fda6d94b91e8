/*
 * The pass: external interface, devices, lease, peers, subnet.env, each as far as what is known allows. It is the same at
 * the first start and at every event after.
 */
#include "agent/agent_internal.h"
#include "agent/peers.h"

#include <errno.h>

#include "base/file.h"
#include "base/log.h"
#include "lease/subnet_env.h"

enum { VALUE_MAX = 65536, NAMES = 3 };

static int find_external(struct agent *agent, struct error *err)
{
	struct external_choice choice = agent->options->external;
	struct arena arena = { 0 };
	struct external external;

	/* What the store says of this node wins, as in flannel. */
	if (agent->node_ip.family)
		choice.public_ip = agent->node_ip;
	if (agent->node_ip6.family)
		choice.public_ip6 = agent->node_ip6;
	choice.told = agent->told;
	choice.told6 = agent->told6;
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

/* A lease of this node's addresses, and no more than them. */
static struct subnet_lease at_external(const struct agent *agent)
{
	return (struct subnet_lease){ .public_ip = agent->external.public_ip,
				      .public_ip6 = agent->external.public_ip6 };
}

/* The MACs that the node's lease has: what peers have been told stays true over a boot, and of a new device. */
static void recall_macs(struct agent *agent)
{
	const struct subnet_lease self = at_external(agent);
	bool fixed = agent->options->fixed_lease;

	list_each(lease, &agent->leases) {
		if (!subnet_same_node(lease, &self))
			continue;
		if (lease->vtep.set && (fixed || !agent->mac.set))
			agent->mac = lease->vtep.mac;
		if (lease->vtep6.set && (fixed || !agent->mac6.set))
			agent->mac6 = lease->vtep6.mac;
	}
}

/* ---- the lease ---- */

/* Address, type and data as they are now; the subnets as they were. */
static struct subnet_lease wish(const struct agent *agent)
{
	struct subnet_lease own = agent->have_own ? agent->own : agent->recalled;

	own.public_ip = agent->config.v4.enabled ? agent->external.public_ip : (struct ip){ 0 };
	own.public_ip6 = agent->config.v6.enabled ? agent->external.public_ip6 : (struct ip){ 0 };
	own.type = agent->way->lease_type;
	own.vtep = own.vtep6 = (struct subnet_vtep){ 0 };
	if (agent->way->lease_data)
		agent->way->lease_data(agent, &own);
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

/* Peers of which something is not as the plan says. */
static unsigned count_failed(struct agent *agent, const struct plan_node *node)
{
	auto_arena struct arena arena = { 0 };
	peer_states_t states = { 0 };
	const struct subnet_lease *last = NULL;
	unsigned n = 0;

	if (peers_look(agent->nl, node, &agent->leases, &arena, &states, NULL))
		return 1;
	list_each(state, &states) {
		n += state->failed && state->lease != last;
		if (state->failed)
			last = state->lease;
	}
	return n ? n : 1;
}

static void count(struct agent *agent, const struct plan_node *node, const struct plan *plan,
		  const struct reconciled *done)
{
	struct agent_counts *counts = &agent->counts;

	agent->peers = (struct agent_peers){ .wanted = (unsigned)plan->peers.n };
	list_each(peer, &plan->peers) {
		agent->peers.unreached += peer->trouble != PLAN_FINE;
		agent->peers.missing += plan_trouble_counts(peer->trouble);
	}
	if (done->failed)
		agent->peers.failed = count_failed(agent, node);
	counts->refusals += done->failed;
	for (int kind = 0; kind < RECONCILE_KINDS && !agent->news && agent->fine; kind++) {
		counts->added[kind] += done->added_of[kind];
		counts->removed[kind] += done->removed_of[kind];
	}
}

/* One that should be reached comes before one that cannot be. */
static const struct plan_peer *worst_peer(const struct plan *plan)
{
	const struct plan_peer *worst = NULL;

	list_each(peer, &plan->peers)
		if (peer->trouble && (!worst || (plan_trouble_counts(peer->trouble) &&
						 !plan_trouble_counts(worst->trouble))))
			worst = peer;
	return worst;
}

static const char *address_text(const struct subnet_lease *lease, char ip[IP_TEXT_SIZE])
{
	return ip_format(subnet_node(lease), ip);
}

/* A few of the others by name, the rest by number. */
static const char *other_names(const struct plan *plan, const struct plan_peer *but,
			       struct arena *arena)
{
	const char *names = "";
	char ip[IP_TEXT_SIZE];
	unsigned n = 0;

	list_each(peer, &plan->peers)
		if (peer->trouble && peer != but && n++ < NAMES)
			names = arena_printf(arena, "%s%s %s", names, n == 1 ? "; also" : ",",
					     address_text(peer->lease, ip));
	return n > NAMES ? arena_printf(arena, "%s and %u more", names, n - NAMES) : names;
}

/* One of them is told with its reason; `route-dump --peers` tells all. */
static void report_unreached(struct agent *agent, const struct plan *plan, struct arena *arena)
{
	const struct plan_peer *worst = worst_peer(plan);
	char key[SUBNET_KEY_SIZE], ip[IP_TEXT_SIZE];

	if (!worst) {
		if (agent->peer_trouble.n)
			log_info("all %zu peers can be reached", plan->peers.n);
		agent->peer_trouble = (struct trouble){ 0 };
		return;
	}
	trouble_tell(
		&agent->peer_trouble,
		arena_printf(arena, "%u of %zu peers cannot be reached: %s, which has %s: %s%s",
			     agent->peers.unreached, plan->peers.n, address_text(worst->lease, ip),
			     subnet_key(worst->lease, key), plan_trouble_text(worst->trouble),
			     other_names(plan, worst, arena)));
}

static void report(struct agent *agent, const struct plan *plan, const struct reconciled *done,
		   struct arena *arena)
{
	if (done->added || done->removed)
		log_info("%zu peers; %u routes and neighbours added, %u removed", plan->peers.n,
			 done->added, done->removed);
	report_unreached(agent, plan, arena);
}

/* VXLAN to all needs no answer. */
static bool needs_near(const struct agent *agent)
{
	if (agent->way != &way_vxlan || agent->config.backend.direct_routing)
		return true;
	list_each(lease, &agent->leases)
		if (streq(lease->type, "host-gw"))
			return true;
	return false;
}

/* Kept from pass to pass, until an event says that it may be another. */
static int find_near(struct agent *agent, struct error *err)
{
	if (agent->near_known || !needs_near(agent))
		return 0;
	arena_free(&agent->near_arena);
	if (near_read(agent->nl, &agent->near_arena, &agent->near, err))
		return -err->errnum;
	agent->near_known = true;
	return 0;
}

static int ensure_peers(struct agent *agent, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	/* One that observes has no lease, but its addresses may have: those lead nowhere else. */
	const struct subnet_lease observer = at_external(agent);
	struct plan_node node = {
		.config = &agent->config,
		.own = agent->have_own ? &agent->own : &observer,
		.external = agent->external.index,
		.vtep = agent->vtep.index,
		.vtep6 = agent->vtep6.index,
		.tun = agent->tun.index,
		.links = agent->external.links,
		.was = agent->recalled_networks,
		.blackhole = agent->options->blackhole,
	};
	struct reconciled done;
	struct plan plan;

	if (find_near(agent, err))
		return -err->errnum;
	node.near = agent->near_known ? &agent->near : NULL;
	plan_make(&node, &agent->leases, &arena, &plan);
	if (reconcile(agent->nl, &node, &plan, !agent->adopted, &done, err))
		return -err->errnum;
	count(agent, &node, &plan, &done);
	if (agent->way->tell_peers && agent->way->tell_peers(agent, &plan, err))
		return -err->errnum;
	report(agent, &plan, &done, &arena);
	agent->adopted = true;
	return done.failed ? fail(err, done.first.errnum, "%u could not be added: %s", done.failed,
				  done.first.message)
			   : 0;
}

/* ---- subnet.env, and what is remembered ---- */

const char *agent_lease_file(const struct agent *agent, struct arena *arena)
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
	list_each(network, &env.networks)
		*list_add(&agent->recalled_arena, &agent->recalled_networks) = *network;
	list_each(network, &env.networks_v6)
		*list_add(&agent->recalled_arena, &agent->recalled_networks) = *network;
}

void agent_recall(struct agent *agent)
{
	auto_arena struct arena arena = { 0 };
	struct subnet_lease was = { 0 };
	char *text;
	size_t size;

	if (file_read(agent_lease_file(agent, &arena), VALUE_MAX, &arena, &text, &size, NULL) ==
		    0 &&
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
		/* What pods may send in every family (D13): the least. */
		.mtu = (uint32_t)agent_mtu(agent, agent->config.v6.enabled),
		.masquerade = agent->options->rules.masquerade,
	};

	if (agent->config.v4.enabled)
		*list_add(arena, &env.networks) = agent->config.v4.network;
	if (agent->config.v6.enabled)
		*list_add(arena, &env.networks_v6) = agent->config.v6.network;
	return subnet_env_text(&env, arena);
}

int agent_make_folder(const struct agent *agent, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	char *folder = arena_strdup(&arena, agent->options->subnet_file);
	char *slash = strrchr(folder, '/');

	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return dir_make(folder, 0755, err);
}

static bool file_is(const char *path, const char *text, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *there;
	size_t there_size;

	return file_read(path, VALUE_MAX, &arena, &there, &there_size, NULL) == 0 &&
	       there_size == size && !memcmp(there, text, size);
}

/* Behind subnet.env: a runtime that finds the network's configuration calls plugins, which read that (flannel's most
 * frequent error). The same again is not written: runtimes would read everything anew. */
static int publish_cni_config(const struct agent *agent, struct arena *arena, struct error *err)
{
	const struct agent_options *options = agent->options;
	char *text;
	size_t size;
	int r;

	if (!options->cni_config)
		return 0;
	if (file_read(options->cni_config, VALUE_MAX, arena, &text, &size, err))
		return wrap(err, "--cni-config");
	if (file_is(options->cni_config_to, text, size))
		return 0;
	r = file_put(options->cni_config_to, 0644, text, size, true, err);
	return r < 0 ? r : 0;
}

/* What is in /run may be taken away by others, and plugins find no subnet then. */
static bool is_published(struct agent *agent, const char *text)
{
	const char *path = agent->options->subnet_file;
	bool due = agent->env_due;

	agent->env_due = false;
	if (!agent->env || !streq(agent->env, text))
		return false;
	if (!due || file_is(path, text, strlen(text)))
		return true;
	log_warning("%s is not as it was written: it is written again", path);
	agent->env = NULL;
	return false;
}

int agent_publish(struct agent *agent, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *text = env_text(agent, &arena), *value = subnet_value(&agent->own, &arena);

	if (is_published(agent, text))
		return 0;
	if (agent_make_folder(agent, err) ||
	    file_replace(agent_lease_file(agent, &arena), 0600, value, strlen(value), false, err) ||
	    file_put(agent->options->subnet_file, 0644, text, strlen(text), true, err) < 0 ||
	    publish_cni_config(agent, &arena, err))
		return -err->errnum;
	agent->env = arena_strdup(&agent->own_arena, text);
	return 0;
}

int agent_pass(struct agent *agent, struct error *err)
{
	struct error rules = { 0 };
	int r;

	if (!agent->way || !agent->have_leases)
		return 0;
	if (find_external(agent, err))
		return -err->errnum;
	recall_macs(agent);
	if (agent->way->ensure_devices && agent->way->ensure_devices(agent, err))
		return -err->errnum;
	if (!agent->options->observe)
		want_lease(agent);
	if (!agent->have_own && !agent->options->observe)
		return 0;
	/* Rules come before the file that tells of them; peers are reached without them, too. */
	r = agent_ensure_rules(agent, &rules);
	if (ensure_peers(agent, err))
		return -err->errnum;
	if (agent->have_own && (r == 0 || !agent->options->rules.masquerade) &&
	    agent_publish(agent, err))
		return -err->errnum;
	return r < 0 ? fail(err, rules.errnum, "%s", rules.message) : 0;
}
