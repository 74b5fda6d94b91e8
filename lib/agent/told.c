/* What the store tells: kept until the next word, and a reason for a pass. */
#include "agent/agent_internal.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "lease/place.h"

/* It says what it knows: it is there. */
static void store_spoke(struct agent *agent)
{
	agent->contact_ms = clock_ms();
	if (agent->store_trouble.n)
		log_info("the store is well again");
	agent->store_trouble = (struct trouble){ 0 };
}

/* The name that nobody chose is told: people expect another one. */
static int find_way(const struct agent *agent, const struct way **way, struct error *err)
{
	const struct network_backend *backend = &agent->config.backend;
	const char *type = agent->options->type;

	if (type && !agent->options->mixed && !streq(type, backend->type))
		fail(err, EINVAL, "the network's backend is \"%s\", not \"%s\"", backend->type,
		     type);
	else
		(void)!way_find(type ? type : backend->type, way, err);
	if (backend->by_default && err->errnum)
		return wrap(err,
			    "the network names no Backend, which means \"udp\", as for flannel");
	if (backend->by_default)
		log_info("the network names no Backend: it is \"udp\", as for flannel");
	return -err->errnum;
}

/* Peers know the MACs of the lease that the node has: they stay, over a reboot, too. */
static void on_node(void *arg, const struct lease_node *node)
{
	struct agent *agent = arg;
	auto_arena struct arena arena = { 0 };
	struct subnet_lease there = { 0 };

	agent->node_ip = node->public_ip;
	agent->node_ip6 = node->public_ip6;
	agent->told = node->told;
	agent->told6 = node->told6;
	if (node->value &&
	    subnet_value_parse(node->value, strlen(node->value), &arena, &there, NULL) == 0) {
		if (!agent->mac.set)
			agent->mac = there.vtep.mac;
		if (!agent->mac6.set)
			agent->mac6 = there.vtep6.mac;
	}
	loop_alarm(agent->loop, &agent->pass, 0);
}

/* A network that changes under running pods is a matter for people: it is told, and taken at the next start. */
static void on_network(void *arg, const char *text, size_t size)
{
	struct agent *agent = arg;
	struct error err = { 0 };
	const struct way *way = NULL;

	store_spoke(agent);
	if (agent->way && streq(text, agent->network))
		return;
	if (agent->way) {
		log_warning("the network's configuration has changed: restart to use it");
		return;
	}
	if (network_config_decode(text, size, lease_place_allocates(agent->options->place),
				  &agent->network_arena, &agent->config, &err)) {
		log_warning("%s", err.message);
		return;
	}
	if (find_way(agent, &way, &err)) {
		agent_end_with(agent, &err);
		return;
	}
	agent->way = way;
	agent->network = arena_strdup(&agent->network_arena, text);
	loop_alarm(agent->loop, &agent->pass, 0);
}

/* While there is still time: the node that finds no subnet has no pods. */
static void look_at_usage(struct agent *agent)
{
	struct subnet_usage usage = subnet_usage(&agent->config, &agent->leases);
	bool high = subnet_usage_is_high(&usage);

	if (high && !agent->usage_high && !agent->options->observe)
		log_warning("%" PRIu64 " of the network's %" PRIu64 " subnets are taken: %" PRIu64
			    " are free",
			    usage.taken, usage.all, usage.all - usage.taken);
	agent->usage = usage;
	agent->usage_high = high;
}

static void on_leases(void *arg, const subnet_leases_t *leases, unsigned n_bad)
{
	struct agent *agent = arg;

	store_spoke(agent);
	agent->news = true;
	agent->leases = *leases;
	if (n_bad && n_bad != agent->n_bad)
		log_warning("%u entries of the store are no leases, and are passed over", n_bad);
	agent->n_bad = n_bad;
	agent->have_leases = true;
	look_at_usage(agent);
	loop_alarm(agent->loop, &agent->pass, 0);
}

/* One that lasts as long as its node has no end of its own. */
static void take_life(struct agent *agent, int64_t left_ms)
{
	agent->left_ms = left_ms >= KV_LEFT_UNKNOWN ? -1 : left_ms;
	agent->life_told_ms = clock_ms();
}

/* Pods have addresses of the subnet that was: another one is no way on. */
static void on_own(void *arg, const struct subnet_lease *own)
{
	struct agent *agent = arg;
	char was[SUBNET_KEY_SIZE], is[SUBNET_KEY_SIZE];
	struct error err = { 0 };

	if (agent->have_own && !subnet_same(own, &agent->own)) {
		fail(&err, EXDEV, "this node had %s, and is given %s by now",
		     subnet_key(&agent->own, was), subnet_key(own, is));
		agent_end_with(agent, &err);
		return;
	}
	log_info("this node has %s", subnet_key(own, is));
	store_spoke(agent);
	take_life(agent, own->left_ms);
	arena_free(&agent->own_arena);
	agent->env = NULL;
	agent->own = subnet_copy(own, &agent->own_arena);
	agent->have_own = true;
	agent->rules.due = true;
	loop_alarm(agent->loop, &agent->pass, 0);
}

static void on_lost(void *arg, const char *why)
{
	struct agent *agent = arg;
	struct error err = { 0 };

	fail(&err, EXDEV, "%s", why);
	agent_end_with(agent, &err);
}

static void on_trouble(void *arg, const char *why)
{
	struct agent *agent = arg;

	if (why)
		trouble_tell(&agent->store_trouble, why);
	else
		store_spoke(agent);
}

static void on_pong(void *arg, int64_t left_ms)
{
	struct agent *agent = arg;

	store_spoke(agent);
	take_life(agent, left_ms);
}

struct lease_store_client agent_store_client(struct agent *agent)
{
	return (struct lease_store_client){
		agent, on_node, on_network, on_leases, on_own, on_lost, on_trouble, on_pong,
	};
}
