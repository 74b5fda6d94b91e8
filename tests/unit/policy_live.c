/* Live objects: what is followed is what would be compiled, what is refused leaves in force what was, sources come and go. */
#include "policy.h"

#include "describe/documents.h"
#include "policy/live.h"
#include "policy/set.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- a cluster that changes at random ---- */

enum { SPACES = 3, PODS = 14, POLICIES = 9, CLUSTERS = 3 };
enum { N_OBJECTS = SPACES + PODS + POLICIES + CLUSTERS };

struct cluster {
	char *texts[N_OBJECTS]; /* NULL = not there */
	unsigned seed;
};

static unsigned dice(struct cluster *cluster, unsigned n)
{
	cluster->seed = cluster->seed * 1664525 + 1013904223;
	return (cluster->seed >> 16) % n;
}

static const char *labels(struct cluster *cluster)
{
	static const char *const all[] = { "{}",
					   "{\"a\":\"x\"}",
					   "{\"a\":\"y\"}",
					   "{\"b\":\"x\"}",
					   "{\"a\":\"x\",\"b\":\"y\"}",
					   "{\"a\":\"\",\"b\":\"x\"}" };

	return all[dice(cluster, ARRAY_SIZE(all))];
}

static const char *selector(struct cluster *cluster)
{
	static const char *const all[] = {
		"{}",
		"{\"matchLabels\":{\"a\":\"x\"}}",
		"{\"matchLabels\":{\"b\":\"x\"}}",
		"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"x\",\"\"]}]}",
		"{\"matchExpressions\":[{\"key\":\"b\",\"operator\":\"Exists\"}]}",
		"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"DoesNotExist\"}]}",
	};

	return all[dice(cluster, ARRAY_SIZE(all))];
}

static const char *peer(struct cluster *cluster)
{
	static const char *const blocks[] = {
		"{\"cidr\":\"10.0.0.0/29\",\"except\":[\"10.0.0.2/32\"]}",
		"{\"cidr\":\"10.0.0.3/32\"}",
		"{\"cidr\":\"fd00::/64\"}",
		"{\"cidr\":\"0.0.0.0/0\",\"except\":[\"10.0.0.4/30\"]}",
	};

	switch (dice(cluster, 6)) {
	case 0:
		return arena_printf(&arena, "{\"ipBlock\":%s}",
				    blocks[dice(cluster, ARRAY_SIZE(blocks))]);
	case 1: return arena_printf(&arena, "{\"namespaceSelector\":%s}", selector(cluster));
	case 2:
		return arena_printf(&arena, "{\"namespaceSelector\":%s,\"podSelector\":%s}",
				    selector(cluster), selector(cluster));
	default: return arena_printf(&arena, "{\"podSelector\":%s}", selector(cluster));
	}
}

static const char *port(struct cluster *cluster)
{
	static const char *const all[] = {
		"{\"port\":80}",
		"{\"port\":\"http\"}",
		"{\"port\":\"http\"}",
		"{\"port\":\"dns\",\"protocol\":\"UDP\"}",
		"{\"port\":53,\"protocol\":\"UDP\"}",
		"{\"port\":80,\"endPort\":90}",
		"{\"protocol\":\"SCTP\"}",
	};

	return all[dice(cluster, ARRAY_SIZE(all))];
}

static const char *list_of(struct cluster *cluster, const char *(*item)(struct cluster *cluster),
			   const char *key)
{
	unsigned n = dice(cluster, 3);
	const char *text = "";

	for (unsigned i = 0; i < n; i++)
		text = arena_printf(&arena, "%s%s%s", text, i ? "," : "", item(cluster));
	return n ? arena_printf(&arena, "\"%s\":[%s]", key, text) : "\"x\":0";
}

static const char *rules(struct cluster *cluster, const char *peers)
{
	unsigned n = dice(cluster, 3);
	const char *text = "";

	for (unsigned i = 0; i < n; i++) {
		const char *peers_text = list_of(cluster, peer, peers);
		const char *ports_text = list_of(cluster, port, "ports");

		text = arena_printf(&arena, "%s%s{%s%s%s}", text, i ? "," : "",
				    *peers_text == '"' && peers_text[1] == 'x' ? "" : peers_text,
				    peers_text[1] == 'x' || ports_text[1] == 'x' ? "" : ",",
				    ports_text[1] == 'x' ? "" : ports_text);
	}
	return text;
}

static const char *space_json(struct cluster *cluster, unsigned i)
{
	return arena_printf(&arena,
			    "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":"
			    "{\"name\":\"s%u\",\"labels\":%s}}",
			    i, labels(cluster));
}

/* Addresses are few: pods come to have each other's. */
static const char *pod_json(struct cluster *cluster, unsigned i)
{
	static const char *const phases[] = { "Running", "Running", "Running", "Pending",
					      "Succeeded" };
	unsigned ip = dice(cluster, 9);
	const char *v6 = dice(cluster, 3) ? "" : arena_printf(&arena, ",{\"ip\":\"fd00::%u\"}", ip);
	const char *ips = ip == 8 ? "" : arena_printf(&arena, "{\"ip\":\"10.0.0.%u\"}%s", ip, v6);

	return arena_printf(
		&arena,
		"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p%u\",\"namespace\":\"s%u\","
		"\"labels\":%s},\"spec\":{\"nodeName\":\"n%u\",\"hostNetwork\":%s,\"containers\":[{\"ports\":[%s"
		"{\"name\":\"dns\",\"protocol\":\"UDP\",\"containerPort\":53}]}]},"
		"\"status\":{\"phase\":\"%s\",\"podIPs\":[%s]}}",
		i, i % SPACES, labels(cluster), i < 3 ? 1 : 1 + dice(cluster, 10) % 9,
		dice(cluster, 12) ? "false" : "true",
		dice(cluster, 3) ? arena_printf(&arena, "{\"name\":\"http\",\"containerPort\":%u},",
						80 + dice(cluster, 2))
				 : "",
		phases[dice(cluster, ARRAY_SIZE(phases))], ips);
}

static const char *policy_json(struct cluster *cluster, unsigned i)
{
	const char *head = arena_printf(
		&arena,
		"{\"kind\":\"NetworkPolicy\",\"apiVersion\":\"networking.k8s.io/v1\",\"metadata\":"
		"{\"name\":\"np%u\",\"namespace\":\"s%u\"},\"spec\":{\"podSelector\":%s,\"policyTypes\":"
		"[\"Ingress\",\"Egress\"]",
		i, i % SPACES, selector(cluster));
	const char *ingress = rules(cluster, "from"), *egress = rules(cluster, "to");

	return arena_printf(&arena, "%s,\"ingress\":[%s],\"egress\":[%s]}}", head, ingress, egress);
}

static const char *cluster_json(struct cluster *cluster, unsigned i)
{
	static const char *const actions[] = { "Accept", "Deny", "Pass" };
	static const char *const ports[] = {
		"",
		",\"protocols\":[{\"tcp\":{\"destinationPort\":{\"number\":80}}}]",
		",\"protocols\":[{\"destinationNamedPort\":\"http\"}]",
	};
	const char *pods =
		arena_printf(&arena, "{\"pods\":{\"namespaceSelector\":%s,\"podSelector\":%s}}",
			     selector(cluster), selector(cluster));
	const char *action = actions[dice(cluster, 3)], *match = ports[dice(cluster, 3)];

	return arena_printf(
		&arena,
		"{\"kind\":\"ClusterNetworkPolicy\",\"apiVersion\":"
		"\"policy.networking.k8s.io/v1alpha2\",\"metadata\":{\"name\":\"c%u\"},"
		"\"spec\":{\"tier\":\"%s\",\"priority\":%u,\"subject\":{\"namespaces\":%s},"
		"\"ingress\":[{\"action\":\"%s\",\"from\":[%s]%s}],"
		"\"egress\":[{\"action\":\"%s\",\"to\":[%s]%s}]}}",
		i, i ? "Admin" : "Baseline", i, selector(cluster), action, pods, match, action,
		pods, match);
}

static void put_text(struct live *live, const char *text)
{
	auto_json struct json *json = json_parse(text, strlen(text), NULL);

	check(json);
	live_put(live, "test", json, NULL);
}

/* One object becomes another one, or goes; mostly a pod. */
static void change(struct cluster *cluster, struct live *live)
{
	unsigned kind = dice(cluster, 20), i;
	bool gone = dice(cluster, 4) == 0;
	const char *text;

	if (kind == 0) {
		i = dice(cluster, SPACES);
		text = space_json(cluster, i);
		gone = false;
	} else if (kind == 1 && dice(cluster, 2)) {
		i = SPACES + PODS + POLICIES + dice(cluster, CLUSTERS);
		text = cluster_json(cluster, i - SPACES - PODS - POLICIES);
	} else if (kind <= 2) {
		i = SPACES + PODS + dice(cluster, POLICIES);
		text = policy_json(cluster, i - SPACES - PODS);
	} else {
		i = SPACES + dice(cluster, PODS);
		text = pod_json(cluster, i - SPACES);
	}
	free(cluster->texts[i]);
	cluster->texts[i] = gone ? NULL : strdup(text);
	if (!gone) {
		put_text(live, text);
		return;
	}
	i -= SPACES;
	if (i < PODS)
		live_remove(live, "Pod", arena_printf(&arena, "s%u", i % SPACES),
			    arena_printf(&arena, "p%u", i));
	else if (i >= PODS + POLICIES)
		live_remove(live, "ClusterNetworkPolicy", "",
			    arena_printf(&arena, "c%u", i - PODS - POLICIES));
	else
		live_remove(live, "NetworkPolicy", arena_printf(&arena, "s%u", (i - PODS) % SPACES),
			    arena_printf(&arena, "np%u", i - PODS));
}

/* ---- the comparison ---- */

static void same_as_compiled(const struct cluster *cluster, const struct live *live, unsigned step)
{
	auto_arena struct arena scratch = { 0 };
	char *said = arena_strdup(&arena, "");
	struct world world;
	struct reader reader = { .world = &world, .report = policy_report, .arg = &said };
	struct compiled fresh;
	struct difference difference;

	world_init(&world, &scratch);
	for (unsigned i = 0; i < N_OBJECTS; i++) {
		const char *text = cluster->texts[i];
		auto_json struct json *json = text ? json_parse(text, strlen(text), NULL) : NULL;

		if (json)
			reader_add(&reader, json, NULL);
	}
	check_str(said, "");
	world_index(&world);
	compile(&world, symbol_add(&world.symbols, "n1"), &scratch, &fresh);
	difference_of(live_compiled(live), &fresh, &scratch, &difference);
	if (difference_is_empty(&difference))
		return;
	unit_check(false, __FILE__, __LINE__, "step %u: it is not what is compiled", step);
	list_each(change, &difference.sets)
		printf("# %s: %zu more, %zu gone\n", change->from->comment, change->more.n,
		       change->gone.n);
	list_each(set, &difference.new_sets)
		printf("# missing: %s\n", (*set)->comment);
	list_each(set, &difference.old_sets)
		printf("# too many: %s\n", (*set)->comment);
}

/* What a back end has after all differences, as elements of sets by name. */
struct model {
	struct arena arena;
	struct symbols names;
	LIST(struct set) sets;
};

static struct set *model_set(struct model *model, const char *name)
{
	symbol_t number = symbol_add(&model->names, name);

	if (number > model->sets.n)
		list_add(&model->arena, &model->sets)->name = symbol_text(&model->names, number);
	return &model->sets.items[number - 1];
}

static size_t model_find(const struct set *set, const struct element *element)
{
	for (size_t i = 0; i < set->elements.n; i++)
		if (!element_compare(&set->elements.items[i], element))
			return i;
	return SIZE_MAX;
}

static void model_write(struct model *model, const struct difference *difference)
{
	list_each(new, &difference->new_sets) {
		struct set *set = model_set(model, (*new)->name);

		check_int(set->elements.n, 0);
		list_each(element, &(*new)->elements)
			*list_add(&model->arena, &set->elements) = *element;
	}
	list_each(change, &difference->sets) {
		struct set *set = model_set(model, change->to->name);

		list_each(element, &change->gone) {
			size_t i = model_find(set, element);

			check(i != SIZE_MAX);
			if (i != SIZE_MAX)
				set->elements.items[i] = set->elements.items[--set->elements.n];
		}
		list_each(element, &change->more) {
			check(model_find(set, element) == SIZE_MAX);
			*list_add(&model->arena, &set->elements) = *element;
		}
	}
	list_each(old, &difference->old_sets)
		model_set(model, (*old)->name)->elements.n = 0;
}

static void same_as_model(struct model *model, const struct live *live)
{
	size_t n = 0, m = 0;

	list_each(set, &live_compiled(live)->sets) {
		const struct set *there = model_set(model, set->name);

		check_int(there->elements.n, set->elements.n);
		list_each(element, &set->elements)
			check(model_find(there, element) != SIZE_MAX);
		n += set->elements.n;
	}
	list_each(set, &model->sets)
		m += set->elements.n;
	check_int(m, n);
}

/* Updates may be settled late: several changes then are one difference. */
static void run_cluster(unsigned seed, unsigned steps, struct live_counts *counts)
{
	struct cluster cluster = { .seed = seed };
	char *said = arena_strdup(&arena, "");
	struct live_options options = { "n1", policy_report, &said };
	struct model model = { .names.arena = NULL };
	struct live *live;

	model.names.arena = &model.arena;
	live_open(&live, &options);
	for (unsigned i = 0; i < steps; i++) {
		arena_free(&arena);
		said = arena_strdup(&arena, "");
		change(&cluster, live);
		check_str(said, "");
		if (dice(&cluster, 3) == 0)
			continue;
		model_write(&model, live_update(live));
		live_settle(live);
		same_as_model(&model, live);
		same_as_compiled(&cluster, live, i);
	}
	live_count(live, counts);
	live_close(live);
	for (unsigned i = 0; i < N_OBJECTS; i++)
		free(cluster.texts[i]);
	arena_free(&model.arena);
	arena_free(&arena);
}

TEST(what_is_followed_is_what_would_be_compiled)
{
	struct live_counts counts;

	for (unsigned seed = 1; seed <= 6; seed++) {
		run_cluster(seed, 600, &counts);
		check(counts.followed > 100);
	}
}

/* ---- pods that make a clause of pairs, and pairs of a clause ---- */

static void put_pod(struct live *live, unsigned i, const char *node, bool there)
{
	const char *name = arena_printf(&arena, "many%u", i);

	if (there)
		put_text(
			live,
			arena_printf(
				&arena,
				"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
				"\"namespace\":\"s0\",\"labels\":{\"a\":\"x\"}},\"spec\":{\"nodeName\":\"%s\"},"
				"\"status\":{\"podIP\":\"10.1.%u.%u\"}}",
				name, node, i / 200, i % 200 + 1));
	else
		live_remove(live, "Pod", "s0", name);
}

TEST(a_port_with_many_peers_becomes_a_clause_when_they_are_too_many)
{
	enum { FIT = 1024 };
	char *said = arena_strdup(&arena, "");
	struct live_options options = { "n1", policy_report, &said };
	const struct difference *difference;
	struct live_counts counts;
	struct live *live;

	live_open(&live, &options);
	put_text(
		live,
		"{\"kind\":\"NetworkPolicy\",\"apiVersion\":\"networking.k8s.io/v1\",\"metadata\":"
		"{\"name\":\"np\",\"namespace\":\"s0\"},\"spec\":{\"podSelector\":{},\"ingress\":[{\"from\":"
		"[{\"podSelector\":{}}],\"ports\":[{\"port\":80}]}]}}");
	put_pod(live, 0, "n1", true);
	for (unsigned i = 1; i < FIT; i++)
		put_pod(live, i, "n2", true);
	difference = live_update(live);
	check_int(difference->new_groups.n, 1);
	live_settle(live);
	check_int(live_compiled(live)->groups.items[0].allows.items[0].ported, false);
	put_pod(live, FIT, "n2", true);
	difference = live_update(live);
	check_int(difference->groups.n, 1);
	check_int(live_compiled(live)->groups.items[0].allows.items[0].ported, true);
	live_settle(live);
	put_pod(live, 7, "n2", false);
	difference = live_update(live);
	check_int(difference->groups.n, 1);
	live_settle(live);
	put_pod(live, 8, "n2", false);
	difference = live_update(live);
	check_int(difference->groups.n + difference->new_sets.n + difference->old_sets.n, 0);
	check_int(difference->sets.n, 1);
	live_count(live, &counts);
	check_int(counts.compiled, 3);
	check_str(said, "");
	live_close(live);
	arena_free(&arena);
}

/* ---- what is refused, told, and moves ---- */

static const char policy_format[] =
	"{\"kind\":\"NetworkPolicy\",\"apiVersion\":\"networking.k8s.io/v1\",\"metadata\":"
	"{\"name\":\"np\",\"namespace\":\"s0\"},\"spec\":{\"podSelector\":{},\"ingress\":[{\"ports\":[{\"port\":%s}]}]}}";

static void put_policy(struct live *live, const char *port_text)
{
	put_text(live, arena_printf(&arena, policy_format, port_text));
}

TEST(an_object_that_is_refused_leaves_the_one_before_it)
{
	char *said = arena_strdup(&arena, "");
	struct live_options options = { "n1", policy_report, &said };
	struct live_counts counts;
	struct live *live;

	live_open(&live, &options);
	put_pod(live, 0, "n1", true);
	put_policy(live, "80");
	check_int(live_update(live)->new_groups.n, 1);
	live_settle(live);
	put_policy(live, "0");
	check_str(
		said,
		"error: networkpolicy s0/np: spec.ingress[0].ports[0].port: 0 is not within 1..65535");
	check(difference_is_empty(live_update(live)));
	live_count(live, &counts);
	check_int(counts.refused, 1);
	put_policy(live, "81");
	check_int(live_update(live)->groups.n, 1);
	live_settle(live);
	live_count(live, &counts);
	check_int(counts.refused, 0);
	put_policy(live, "81");
	check(difference_is_empty(live_update(live)));
	live_count(live, &counts);
	check_int(counts.compiled, 2);
	live_close(live);
	arena_free(&arena);
}

TEST(a_pod_is_told_its_address_before_its_object_says_it)
{
	static const char pod[] =
		"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p\",\"namespace\":\"s0\",\"uid\":\"u1\"},"
		"\"spec\":{\"nodeName\":\"n1\"},\"status\":{%s}}";
	char *said = arena_strdup(&arena, "");
	struct live_options options = { "n1", policy_report, &said };
	struct live_pod told = { .space = "s0", .name = "p", .uid = "u1" };
	struct live_counts counts;
	struct live *live;

	check(ip_parse("10.1.0.9", list_add(&arena, &told.ips)));
	live_open(&live, &options);
	put_policy(live, "80");
	check(!live_tell(live, &told)); /* there is no such pod */
	put_text(live, arena_printf(&arena, pod, ""));
	live_update(live);
	live_settle(live);
	check_int(live_compiled(live)->groups.n, 0);
	told.uid = "u2";
	check(!live_tell(live, &told)); /* another one of that name */
	told.uid = "u1";
	check(live_tell(live, &told));
	check_int(live_update(live)->new_groups.n, 1);
	live_settle(live);
	put_text(live, arena_printf(&arena, pod, "\"phase\":\"Pending\""));
	check(difference_is_empty(live_update(live))); /* it still has it */
	put_text(live, arena_printf(&arena, pod, "\"podIPs\":[{\"ip\":\"10.1.0.9\"}]"));
	check(difference_is_empty(live_update(live)));
	put_text(live, arena_printf(&arena, pod, "\"podIPs\":[{\"ip\":\"10.1.0.10\"}]"));
	live_update(live);
	live_settle(live);
	live_count(live, &counts);
	check_int(counts.local_pods, 1);
	check_int(live_compiled(live)
			  ->sets.items[live_compiled(live)->groups.items[0].members]
			  .elements.n,
		  1);
	live_close(live);
	arena_free(&arena);
}

static const char *told_text(const struct live *live)
{
	char *text = arena_strdup(&arena, ""), ip[IP_TEXT_SIZE];
	live_pods_t pods;

	live_told(live, &arena, &pods);
	list_each(pod, &pods) {
		text = arena_printf(&arena, "%s%s/%s (%s)", text, pod->space, pod->name, pod->uid);
		list_each(own, &pod->ips)
			text = arena_printf(&arena, "%s %s", text, ip_format(own, ip));
		text = arena_printf(&arena, "%s;", text);
	}
	return text;
}

static void put_pending(struct live *live, const char *name, const char *uid, const char *status)
{
	put_text(live,
		 arena_printf(
			 &arena,
			 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
			 "\"namespace\":\"s0\",\"uid\":\"%s\"},\"spec\":{\"nodeName\":\"n1\"},"
			 "\"status\":{%s}}",
			 name, uid, status));
}

static bool tell(struct live *live, const char *name, const char *ip)
{
	struct live_pod told = { .space = "s0", .name = name, .uid = "" };

	check(ip_parse(ip, list_add(&arena, &told.ips)));
	return live_tell(live, &told);
}

TEST(what_was_told_is_there_for_who_comes_after_until_it_is_no_more)
{
	char *said = arena_strdup(&arena, "");
	struct live_options options = { "n1", policy_report, &said };
	struct live *live;

	live_open(&live, &options);
	put_policy(live, "80");
	put_pending(live, "p", "u1", "");
	put_pending(live, "q", "u2", "");
	check_str(told_text(live), "");
	check(tell(live, "p", "10.1.0.9"));
	check(tell(live, "q", "fd00::9"));
	check_str(told_text(live), "s0/p (u1) 10.1.0.9;s0/q (u2) fd00::9;");
	/* the address is another's by now */
	check(tell(live, "q", "10.1.0.9"));
	check_str(told_text(live), "s0/q (u2) 10.1.0.9;");
	live_update(live);
	live_settle(live);
	check_int(live_compiled(live)
			  ->sets.items[live_compiled(live)->groups.items[0].members]
			  .elements.n,
		  1);
	/* while the world is made anew */
	put_text(live,
		 "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"s0\"}}");
	check(tell(live, "p", "10.1.0.10"));
	check_str(told_text(live), "s0/p (u1) 10.1.0.10;s0/q (u2) 10.1.0.9;");
	/* objects that say it, or are others, or gone */
	put_pending(live, "q", "u2", "\"podIPs\":[{\"ip\":\"10.1.0.9\"}]");
	check_str(told_text(live), "s0/p (u1) 10.1.0.10;");
	put_pending(live, "p", "u3", "");
	check_str(told_text(live), "");
	check(tell(live, "p", "10.1.0.10"));
	live_remove(live, "Pod", "s0", "p");
	check_str(told_text(live), "");
	live_close(live);
	arena_free(&arena);
}

static void put_from(struct live *live, const char *source, const char *port_text)
{
	const char *text = arena_printf(&arena, policy_format, port_text);
	auto_json struct json *json = json_parse(text, strlen(text), NULL);

	live_put(live, source, json, NULL);
}

TEST(an_object_moves_from_source_to_source_and_is_in_one_only)
{
	char *said = arena_strdup(&arena, "");
	struct live_options options = { "n1", policy_report, &said };
	struct live_counts counts;
	struct live *live;

	live_open(&live, &options);
	put_from(live, "b", "80");
	put_from(live, "a", "81");
	check_str(said, "error: networkpolicy s0/np: is in b, too: that one counts");
	said = arena_strdup(&arena, "");
	live_begin(live, "a");
	live_begin(live, "b");
	put_from(live, "a", "82");
	live_end(live, "a");
	live_end(live, "b");
	check_str(said, "");
	live_count(live, &counts);
	check_int(counts.policies, 1);
	live_begin(live, "a");
	live_end(live, "a");
	live_count(live, &counts);
	check_int(counts.policies, 0);
	live_close(live);
	arena_free(&arena);
}
