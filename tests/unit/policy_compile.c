/* What is compiled: how many sets, groups and rules it takes, what is shared, and what stays when pods come and go. */
#include "policy.h"

#include "policy/decide.h"
#include "policy/prefix.h"
#include "policy/set.h"

#include <stdio.h>

/* ---- prefixes ---- */

/* "10.0.0.0/8 -10.0.0.0/9 +192.0.2.0/24": blocks, and what is carved out of the one in front. */
static const char *prefixes_of(const char *text)
{
	LIST(struct block) blocks = { 0 };
	LIST(const struct block *) pointers = { 0 };
	char *words = arena_strdup(&arena, text), *word, *all = arena_strdup(&arena, "");
	char cidr_word[CIDR_TEXT_SIZE];
	cidrs_t prefixes = { 0 };

	while ((word = strsep(&words, " "))) {
		struct cidr cidr;

		check(cidr_parse(word + (*word == '-'), &cidr));
		if (*word == '-')
			*list_add(&arena, &blocks.items[blocks.n - 1].except) = cidr;
		else
			list_add(&arena, &blocks)->cidr = cidr;
	}
	list_each(block, &blocks)
		*list_add(&arena, &pointers) = block;
	prefixes_of_blocks(pointers.items, pointers.n, &arena, &prefixes);
	if (prefixes.n > 8)
		return arena_printf(&arena, "%zu", prefixes.n);
	list_each(prefix, &prefixes)
		all = arena_printf(&arena, "%s%s%s", all, *all ? " " : "",
				   cidr_format(prefix, cidr_word));
	return all;
}

TEST(prefixes_of_blocks_without_their_exceptions)
{
	static const struct {
		const char *blocks, *prefixes;
	} rows[] = {
		{ "10.0.0.0/8", "10.0.0.0/8" },
		{ "10.0.0.77/8", "10.0.0.0/8" },
		{ "10.0.0.0/8 -10.0.0.0/9", "10.128.0.0/9" },
		{ "10.0.0.0/8 -10.0.0.0/9 -10.128.0.0/9", "" },
		{ "10.0.0.0/8 -10.0.0.0/10 -10.0.0.0/9 -10.1.0.0/16", "10.128.0.0/9" },
		{ "10.0.0.0/30 -10.0.0.1/32", "10.0.0.0/32 10.0.0.2/31" },
		{ "10.0.0.0/8 -10.0.0.0/9 10.0.0.0/8", "10.0.0.0/8" },
		{ "10.0.0.0/8 -10.0.0.0/9 10.0.0.0/24", "10.0.0.0/24 10.128.0.0/9" },
		{ "10.0.0.0/25 10.0.0.128/25", "10.0.0.0/24" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "0.0.0.0/1 128.0.0.0/1 ::/0", "0.0.0.0/0 ::/0" },
		{ "0.0.0.0/0 -203.0.113.7/32", "32" },
		{ "::/0 -2001:db8::1/128", "128" },
		{ "::/0 -ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "128" },
		{ "255.255.255.254/31 -255.255.255.255/32", "255.255.255.254/32" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_str(prefixes_of(rows[i].blocks), rows[i].prefixes);
	arena_free(&arena);
}

/* ---- what a node gets ---- */

static const char *pod_yaml(const char *name, const char *labels, const char *node, const char *ip)
{
	return arena_printf(
		&arena,
		"---\napiVersion: v1\nkind: Pod\nmetadata: {name: %s, labels: {%s}}\n"
		"spec: {nodeName: %s, containers: [{ports: [{name: http, containerPort: 80}]}]}\n"
		"status: {podIP: %s}\n",
		name, labels, node, ip);
}

static const char *policy_yaml(const char *name, const char *spec)
{
	return arena_printf(
		&arena,
		"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\n"
		"spec: {%s}\n",
		name, spec);
}

static const char *clause_text(const struct compiled *compiled, const struct clause *clause)
{
	char *text = arena_strdup(&arena, "");
	const uint32_t sets[] = { clause->peers, clause->pairs, clause->named };
	static const char *const words[] = { "peers", "pairs", "named" };

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (sets[i] != NO_SET)
			text = arena_printf(&arena, "%s %s(%zu)", text, words[i],
					    compiled->sets.items[sets[i]].elements.n);
	if (clause->ported)
		text = arena_printf(&arena, "%s %s", text, protocol_names[clause->protocol]);
	list_each(range, &clause->ports)
		text = arena_printf(&arena, "%s %u-%u", text, range->first, range->last);
	return *text ? text : " anything";
}

/* Groups, their pods and matches, on one line each. */
static const char *compiled_text(const struct compiled *compiled)
{
	char *text = arena_strdup(&arena, "");

	list_each(group, &compiled->groups) {
		text = arena_printf(&arena, "%s%s: %zu:", text, group->comment, group->pods.n);
		list_each(clause, &group->allows)
			text = arena_printf(&arena, "%s%s;", text, clause_text(compiled, clause));
		text = arena_printf(&arena, "%s\n", text);
	}
	return text;
}

static void compile_texts(const char *const *texts, size_t n, struct world *world,
			  struct compiled *compiled)
{
	check_str(world_read(world, texts, n), "");
	compile(world, symbol_find(&world->symbols, "n1"), &arena, compiled);
}

static const char *compiled_of(const char *pods, const char *policies)
{
	const char *texts[] = { pods, policies };
	struct compiled compiled;
	struct world world;

	compile_texts(texts, 2, &world, &compiled);
	return compiled_text(&compiled);
}

static const char *three_pods(void)
{
	return arena_printf(&arena, "%s%s%s", pod_yaml("a", "app: a", "n1", "10.0.0.1"),
			    pod_yaml("b", "app: b", "n1", "10.0.0.2"),
			    pod_yaml("c", "app: c", "n2", "10.0.0.3"));
}

TEST(rules_take_few_matches)
{
	static const struct {
		const char *spec, *text;
	} rows[] = {
		{ "ingress: []", "" },
		{ "ingress: [{}]", " anything;" },
		{ "ingress: [{}, {from: [{podSelector: {}}], ports: [{port: 80}]}]", " anything;" },
		{ "ingress: [{ports: [{port: 80}, {port: 81}, {port: 90, endPort: 99}]}]",
		  " TCP 80-81 90-99;" },
		{ "ingress: [{ports: [{port: 80}, {}, {protocol: UDP, port: 53}]}]",
		  " TCP; UDP 53-53;" },
		{ "ingress: [{from: [{podSelector: {}}]}]", " peers(3);" },
		{ "ingress: [{from: [{podSelector: {}}, {ipBlock: {cidr: 10.9.0.0/16}}]}]",
		  " peers(4);" },
		{ "ingress: [{from: [{podSelector: {}}], ports: [{protocol: SCTP}]}]",
		  " peers(3) SCTP;" },
		/* single ports of any number of rules: one set */
		{ "ingress: [{from: [{podSelector: {}}], ports: [{port: 80}, {port: 81}]},"
		  " {from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 82}]},"
		  " {from: [{ipBlock: {cidr: 10.9.0.0/16}}], ports: [{port: 82}]}]",
		  " pairs(8);" },
		{ "ingress: [{from: [{podSelector: {}}], ports: [{port: 1, endPort: 9}, {port: 5, endPort: 20}]}]",
		  " peers(3) TCP 1-20;" },
		{ "ingress: [{ports: [{port: http}]}]", " named(2);" },
		{ "ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]",
		  " peers(3) named(2);" },
		{ "ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}, {ports: [{}]}]",
		  " TCP;" },
		{ "policyTypes: [Egress], egress: [{ports: [{port: http}]}]", " pairs(3);" },
		{ "policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: c}}}], ports: [{port: http}]}]",
		  " pairs(1);" },
		{ "policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.2/31}}], ports: [{port: http}]}]",
		  " pairs(2);" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got = compiled_of(
			three_pods(), policy_yaml("p", arena_printf(&arena, "podSelector: {}, %s",
								    rows[i].spec)));

		check_str(got, arena_printf(&arena, "%s by default/p: 2:%s\n",
					    strstr(rows[i].spec, "Egress") ? "egress" : "ingress",
					    rows[i].text));
		arena_free(&arena);
	}
}

TEST(pods_with_the_same_policies_are_one_group)
{
	const char *policies = arena_printf(
		&arena, "%s%s",
		policy_yaml("all", "podSelector: {}, policyTypes: [Ingress, Egress]"),
		policy_yaml("b", "podSelector: {matchLabels: {app: b}}, ingress: [{}]"));

	check_str(compiled_of(three_pods(), policies),
		  "ingress by default/all: 1:\n"
		  "ingress by default/all default/b: 1: anything;\n"
		  "egress by default/all: 2:\n");
	arena_free(&arena);
}

static const struct set *set_of_kind(const struct compiled *compiled, enum set_kind kind)
{
	const struct set *found = NULL;

	list_each(set, &compiled->sets)
		if (set->kind == kind) {
			check(!found);
			found = set;
		}
	return found;
}

TEST(sets_of_one_selector_are_shared)
{
	const char *from = "ingress: [{from: [{podSelector: {matchExpressions: "
			   "[{key: app, operator: In, values: [c, a, a]}]}}]}]";
	const char *same = "ingress: [{from: [{podSelector: {matchExpressions: "
			   "[{key: app, operator: In, values: [a, c]}]}}]}]";
	const char *texts[] = {
		three_pods(),
		policy_yaml("a",
			    arena_printf(&arena, "podSelector: {matchLabels: {app: a}}, %s", from)),
		policy_yaml("b",
			    arena_printf(&arena, "podSelector: {matchLabels: {app: b}}, %s", same))
	};
	struct compiled compiled;
	struct world world;
	const struct set *set;

	compile_texts(texts, 3, &world, &compiled);
	set = set_of_kind(&compiled, SET_PODS);
	check(set);
	if (set) {
		check_str(set->comment, "pods \"app in (a,c)\" in namespace \"default\"");
		check_int(set->elements.n, 2);
		check(strlen(set->name) < 31);
	}
	check_int(compiled.groups.n, 2);
	arena_free(&arena);
}

/* Names and matches, without what is in the sets. */
static const char *shape(const struct compiled *compiled)
{
	char *text = arena_strdup(&arena, "");

	list_each(group, &compiled->groups) {
		check(strlen(group->name) <= 28);
		text = arena_printf(&arena, "%s%s %zu\n", text, group->name, group->allows.n);
	}
	list_each(set, &compiled->sets)
		text = arena_printf(&arena, "%s%s\n", text, set->name);
	return text;
}

TEST(a_pod_of_another_node_changes_elements_only)
{
	const char *policies = arena_printf(
		&arena, "%s%s",
		policy_yaml(
			"p",
			"podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}, {port: http}]},"
			" {from: [{podSelector: {}}, {ipBlock: {cidr: 10.9.0.0/16}}]}]"),
		policy_yaml(
			"q",
			"podSelector: {matchLabels: {app: a}}, egress: [{ports: [{port: http}]}]"));
	const char *before[] = { three_pods(), policies };
	/* In another order, too: names do not depend on it. */
	const char *after[] = { policies, pod_yaml("d", "app: d", "n2", "10.0.0.4"), three_pods() };
	struct compiled first, second;
	struct world world, other;

	compile_texts(before, 2, &world, &first);
	compile_texts(after, 3, &other, &second);
	check_str(shape(&second), shape(&first));
	check_int(set_of_kind(&first, SET_PEERS)->elements.n, 4);
	check_int(set_of_kind(&second, SET_PEERS)->elements.n, 5);
	arena_free(&arena);
}

TEST(many_peers_are_a_rule_over_a_shared_set)
{
	char *pods = arena_strdup(&arena, "");
	const char *text;
	size_t size;
	FILE *out = open_memstream(&pods, &size);

	for (int i = 0; i < 1100; i++)
		fprintf(out, "%s",
			pod_yaml(arena_printf(&arena, "p%d", i), i ? "x: y" : "app: a",
				 i ? "n2" : "n1",
				 arena_printf(&arena, "10.1.%d.%d", i / 256, i % 256)));
	fclose(out);
	text = compiled_of(
		pods,
		policy_yaml(
			"p",
			"podSelector: {matchLabels: {app: a}},"
			"ingress: [{from: [{podSelector: {}}], ports: [{port: 80}, {port: 82}]},"
			"{from: [{ipBlock: {cidr: 10.9.0.0/16}}], ports: [{port: 80}]},"
			"{from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 9}]}]"));
	check_str(
		text,
		"ingress by default/p: 1: peers(1101) TCP 80-80; peers(1100) TCP 82-82; pairs(1);\n");
	free(pods);
	arena_free(&arena);
}

TEST(no_element_of_a_set_lies_in_another)
{
	struct compiled compiled = { .arena = &arena, .names.arena = &arena };
	static const char *const all[] = { "10.1.2.3/32", "10.0.0.0/8",  "10.2.0.0/16",
					   "11.0.0.0/32", "fd00::/8",    "fd00::1/128",
					   "10.0.0.0/8",  "fe00::1/128", "10.0.0.0/9" };
	char text[CIDR_TEXT_SIZE];
	struct cidr cidr;
	struct set *set;
	bool fresh;
	uint32_t number = set_open(&compiled, SET_PAIRS, "x", &fresh);

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		check(cidr_parse(all[i], &cidr));
		set_add(&compiled, number, &cidr, PROTOCOL_TCP, 80);
	}
	check(cidr_parse("10.3.0.0/16", &cidr));
	set_add(&compiled, number, &cidr, PROTOCOL_TCP, 81);
	set_add(&compiled, number, &cidr, PROTOCOL_UDP, 80);
	set_finish(&compiled, number);
	set = &compiled.sets.items[number];
	check_int(set->elements.n, 6);
	check_str(cidr_format(&set->elements.items[0].cidr, text), "10.0.0.0/8");
	check_str(cidr_format(&set->elements.items[3].cidr, text), "11.0.0.0/32");
	check_str(cidr_format(&set->elements.items[4].cidr, text), "fd00::/8");
	check_str(cidr_format(&set->elements.items[5].cidr, text), "fe00::1/128");
	arena_free(&arena);
}

/* ---- which clause it is ---- */

static const char *decided(const struct compiled *compiled, const char *from, uint16_t port)
{
	struct packet packet = { .protocol = PROTOCOL_TCP, .port = port };
	struct decision decision;

	check(ip_parse(from, &packet.from) && ip_parse("10.0.0.1", &packet.to));
	compiled_decide(compiled, INGRESS, &packet, &decision);
	check_int(decision.accepted, compiled_allows(compiled, &packet));
	if (!decision.group)
		return "free";
	if (!decision.clause)
		return decision.accepted ? "end, accepted" : "end, denied";
	return arena_printf(&arena, "%s %d, %s",
			    decision.clauses == &decision.group->admin    ? "admin"
			    : decision.clauses == &decision.group->allows ? "allows"
									  : "baseline",
			    (int)(decision.clause - decision.clauses->items),
			    decision.accepted ? "accepted" : "denied");
}

TEST(a_decision_names_its_clause)
{
	static const char cluster[] =
		"---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n"
		"metadata: {name: c}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: ["
		"{action: Accept, from: [{pods: {podSelector: {matchLabels: {app: b}}}}]},"
		"{action: Deny, from: [{pods: {podSelector: {matchLabels: {app: c}}}}]}]}\n";
	const char *texts[] = { three_pods(), cluster,
				policy_yaml("p", "ingress: [{ports: [{port: 80}]}]") };
	struct compiled compiled;
	struct world world;

	compile_texts(texts, 2, &world, &compiled);
	check_str(decided(&compiled, "10.0.0.2", 80), "admin 0, accepted");
	check_str(decided(&compiled, "10.0.0.3", 80), "admin 1, denied");
	check_str(decided(&compiled, "192.0.2.1", 80), "end, accepted");
	compile_texts(texts, 3, &world, &compiled);
	check_str(decided(&compiled, "192.0.2.1", 80), "allows 0, accepted");
	check_str(decided(&compiled, "192.0.2.1", 81), "end, denied");
	compile_texts(texts, 1, &world, &compiled);
	check_str(decided(&compiled, "192.0.2.1", 81), "free");
	arena_free(&arena);
}
