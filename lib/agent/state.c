/* The agent's state in words: one line for a probe, a few for a person, Prometheus' text format. */
#include "agent/agent_internal.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "describe/duration.h"

/* How long ago the store was heard; -1 = it never was. */
static int64_t silence_ms(const struct agent *agent)
{
	return agent->contact_ms ? clock_ms() - agent->contact_ms : -1;
}

/* Less by what has passed since the agent was told. */
static int64_t left_ms(const struct agent *agent)
{
	int64_t left = agent->left_ms - (clock_ms() - agent->life_told_ms);

	return agent->left_ms < 0 ? -1 : left > 0 ? left : 0;
}

static const char *duration_text(int64_t ms, struct arena *arena)
{
	char text[DURATION_TEXT_SIZE];

	return arena_strdup(arena, duration_format((ms + 500) / 1000 * 1000, text));
}

/* The store's silence, with what it said last when that was no good news. */
static const char *silence_text(const struct agent *agent, struct arena *arena)
{
	const char *trouble = agent->store_trouble.text;

	return arena_printf(arena, "the store was heard last %s ago%s%s",
			    duration_text(silence_ms(agent), arena), *trouble ? ": " : "", trouble);
}

bool agent_is_ready(const struct agent *agent, struct arena *arena, const char **why)
{
	unsigned limit = agent->options->health.silence_ms;

	if (!agent->fine && agent->pass_trouble.n)
		*why = arena_strdup(arena, agent->pass_trouble.text);
	else if (!agent->fine && agent->store_trouble.n)
		*why = arena_strdup(arena, agent->store_trouble.text);
	else if (!agent->fine)
		*why = "not everything is in place yet";
	else if (limit && silence_ms(agent) > limit)
		*why = silence_text(agent, arena);
	else if (agent->peers.missing)
		*why = arena_strdup(arena, agent->peer_trouble.text);
	else
		return true;
	return false;
}

/* ---- for a person ---- */

static void tell_node(const struct agent *agent)
{
	char key[SUBNET_KEY_SIZE], ip[IP_TEXT_SIZE], ip6[IP_TEXT_SIZE];

	if (!agent->way) {
		log_info("state: no network yet");
		return;
	}
	log_info("state: node %s%s%s on %s, way %s, subnet %s, MTU of pods %d",
		 ip_format(&agent->external.public_ip, ip),
		 agent->external.public_ip.family && agent->external.public_ip6.family ? " and "
										       : "",
		 ip_format(&agent->external.public_ip6, ip6), agent->external.name,
		 agent->way->name,
		 agent->have_own           ? subnet_key(&agent->own, key)
		 : agent->options->observe ? "none: it observes"
					   : "none yet",
		 agent_mtu(agent, agent->config.v6.enabled));
}

static void tell_peers(const struct agent *agent)
{
	const struct agent_peers *peers = &agent->peers;

	log_info(
		"state: peers: %u wanted, %u in place, %u refused by the kernel, %u out of reach; %u entries"
		" of the store are no leases",
		peers->wanted, peers->wanted - peers->unreached - peers->failed, peers->failed,
		peers->unreached, agent->n_bad);
}

static void tell_store(const struct agent *agent, struct arena *arena)
{
	const char *life = !agent->have_own ? "no lease"
			   : agent->left_ms < 0
				   ? "a lease without end"
				   : arena_printf(arena, "%s left of the lease",
						  duration_text(left_ms(agent), arena));

	log_info("state: %s; started again %u times; %s",
		 silence_ms(agent) < 0 ? "the store was not heard yet" : silence_text(agent, arena),
		 lease_store_restarts(agent->store), life);
}

void agent_tell_state(const struct agent *agent)
{
	auto_arena struct arena arena = { 0 };
	const char *why = "";
	bool ready = agent_is_ready(agent, &arena, &why);

	log_info("state: %s%s%s", ready ? "ready" : "not ready", ready ? "" : ": ",
		 ready ? "" : why);
	tell_node(agent);
	tell_peers(agent);
	tell_store(agent, &arena);
	if (agent->way && agent->way->tell_counters)
		agent->way->tell_counters(agent);
}

/* ---- for Prometheus ---- */

struct text {
	struct arena *arena;
	FILE *out;
};

static void add_head(struct text *text, const char *name, const char *type, const char *help)
{
	fprintf(text->out, "# HELP cnibox_%s %s\n# TYPE cnibox_%s %s\n", name, help, name, type);
}

static void add_value(struct text *text, const char *name, const char *labels, double value)
{
	fprintf(text->out, "cnibox_%s%s %.15g\n", name, labels, value);
}

static void add_one(struct text *text, const char *name, const char *type, const char *help,
		    double value)
{
	add_head(text, name, type, help);
	add_value(text, name, "", value);
}

static void add_peers(struct text *text, const struct agent *agent)
{
	const struct agent_peers *peers = &agent->peers;

	add_head(text, "peers", "gauge", "other nodes, by how it stands with them");
	add_value(text, "peers", "{state=\"wanted\"}", peers->wanted);
	add_value(text, "peers", "{state=\"installed\"}",
		  peers->wanted - peers->unreached - peers->failed);
	add_value(text, "peers", "{state=\"failed\"}", peers->failed);
	add_value(text, "peers", "{state=\"unreachable\"}", peers->unreached);
	add_one(text, "leases", "gauge", "leases in the store", (double)agent->leases.n);
	add_one(text, "bad_entries", "gauge", "entries of the store that are no leases",
		agent->n_bad);
}

static void add_usage(struct text *text, const struct subnet_usage *usage)
{
	if (!usage->all)
		return;
	add_one(text, "subnets", "gauge", "subnets that the network has for nodes",
		(double)usage->all);
	add_one(text, "subnets_free", "gauge", "of those, neither leased nor reserved",
		(double)(usage->all - usage->taken));
}

static void add_store(struct text *text, const struct agent *agent)
{
	add_one(text, "store_trouble", "gauge", "1 while the store is not well",
		agent->store_trouble.n > 0);
	if (silence_ms(agent) >= 0)
		add_one(text, "store_contact_age_seconds", "gauge",
			"since the store was heard last", (double)silence_ms(agent) / 1000);
	if (agent->have_own && agent->left_ms >= 0)
		add_one(text, "lease_left_seconds", "gauge", "of the life of this node's lease",
			(double)left_ms(agent) / 1000);
	add_one(text, "store_restarts_total", "counter",
		"starts of the store's process after one ended",
		lease_store_restarts(agent->store));
}

static void add_repairs(struct text *text, const struct agent *agent)
{
	static const char *const kinds[RECONCILE_KINDS] = {
		[RECONCILE_ROUTE] = "route",
		[RECONCILE_NEIGHBOUR] = "neighbour",
		[RECONCILE_FDB] = "fdb",
	};

	add_head(text, "repairs_total", "counter",
		 "entries of the kernel put right though no lease had changed");
	for (int i = 0; i < RECONCILE_KINDS; i++) {
		add_value(text, "repairs_total",
			  arena_printf(text->arena, "{kind=\"%s\",action=\"added\"}", kinds[i]),
			  (double)agent->counts.added[i]);
		add_value(text, "repairs_total",
			  arena_printf(text->arena, "{kind=\"%s\",action=\"removed\"}", kinds[i]),
			  (double)agent->counts.removed[i]);
	}
	add_one(text, "rule_repairs_total", "counter",
		"times that others had changed masquerade and forward rules",
		(double)agent->counts.rules);
}

/* What is not zero, for each peer. */
static void add_relay(struct text *text, const struct agent *agent)
{
	uint64_t counters[RELAY_N_COUNTERS];
	const struct relay_peer *peer;
	char name[CIDR_TEXT_SIZE];

	add_one(text, "relay_kernel", "gauge", "1 when the kernel carries packets by itself",
		relay_is_in_kernel(agent->relay));
	add_head(text, "relay_total", "counter", "what the relay has carried and dropped");
	for (size_t i = 0; relay_counters(agent->relay, i, &peer, counters); i++)
		for (size_t k = 0; k < RELAY_N_COUNTERS; k++)
			if (relay_counter_names[k] && counters[k])
				fprintf(text->out,
					"cnibox_relay_total{peer=\"%s\",what=\"%s\"} %llu\n",
					relay_peer_name(peer, name), relay_counter_names[k],
					(unsigned long long)counters[k]);
}

static void add_all(struct text *text, const struct agent *agent)
{
	const struct agent_counts *counts = &agent->counts;
	const char *why;

	add_one(text, "ready", "gauge",
		"1 when the way to every other node is in place and the store is heard",
		agent_is_ready(agent, text->arena, &why));
	add_peers(text, agent);
	add_usage(text, &agent->usage);
	add_store(text, agent);
	add_repairs(text, agent);
	add_one(text, "rules", "gauge", "1 when the masquerade and forward rules are in place",
		agent->rules.in_place);
	add_one(text, "passes_total", "counter", "looks at the kernel", (double)counts->passes);
	add_one(text, "failed_passes_total", "counter", "of those, not brought to their end",
		(double)counts->failed_passes);
	add_one(text, "netlink_errors_total", "counter", "entries that the kernel refused",
		(double)counts->refusals);
	if (agent->relay)
		add_relay(text, agent);
}

const char *agent_metrics(const struct agent *agent, struct arena *arena)
{
	struct text text = { .arena = arena };
	char *bytes auto_free = NULL;
	size_t size = 0;

	text.out = open_memstream(&bytes, &size);
	if (!text.out)
		return "";
	add_all(&text, agent);
	fclose(text.out);
	return arena_strdup(arena, bytes);
}
