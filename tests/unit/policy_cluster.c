/* ClusterNetworkPolicies: section 1.8 of the contract row by row, what is refused, and what they are compiled to. */
#include "policy_row.h"

#include "policy/limit.h"

#define HEAD(name)                                                                         \
	"---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n" \
	"metadata: {name: " name "}\n"
#define CNP(name, tier, priority, subject, rest) \
	HEAD(name)                               \
	"spec: {tier: " tier ", priority: " priority ", subject: {" subject "}, " rest "}\n"
#define EVERY              "namespaces: {}"
#define WEB                "pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}"
#define ANY                "[{namespaces: {}}]"
#define ADMIN(rest)        CNP("a", "Admin", "10", EVERY, rest)
#define BASE(rest)         CNP("b", "Baseline", "10", EVERY, rest)
#define IN(action, peers)  "ingress: [{action: " action ", from: " peers "}]"
#define OUT(action, peers) "egress: [{action: " action ", to: " peers "}]"
#define ON(protocols)      "ingress: [{action: Deny, from: " ANY ", protocols: [" protocols "]}]"
#define NP(name, rest)                                                                             \
	"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " name "}\n" \
	"spec: {podSelector: {matchLabels: {app: web}}, " rest "}\n"

static const struct row rows[] = {
	/* tiers */
	{ "Deny", ADMIN(IN("Deny", ANY)), "api", "web", "80", false },
	{ "in its direction", ADMIN(IN("Deny", ANY)), "web", "192.0.2.9", "80", true },
	{ "no implicit isolation", ADMIN(IN("Accept", "[{namespaces: {matchLabels: {team: b}}}]")),
	  "api", "web", "80", true },
	{ "no rules: no effect", ADMIN("ingress: [], egress: []"), "api", "web", "80", true },
	{ "Accept before a NetworkPolicy",
	  ADMIN(IN("Accept", ANY)) NP("n", "policyTypes: [Ingress]"), "api", "web", "80", true },
	{ "Deny before a NetworkPolicy", ADMIN(IN("Deny", ANY)) NP("n", "ingress: [{}]"), "api",
	  "web", "80", false },
	{ "Pass to one that denies", ADMIN(IN("Pass", ANY)) NP("n", "policyTypes: [Ingress]"),
	  "api", "web", "80", false },
	{ "Pass over what is behind it",
	  ADMIN("ingress: [{action: Pass, from: " ANY "}, {action: Deny, from: " ANY "}]"), "api",
	  "web", "80", true },
	{ "Pass over policies of the tier, too",
	  ADMIN(IN("Pass", ANY)) CNP("z", "Admin", "11", EVERY, IN("Deny", ANY)), "api", "web",
	  "80", true },
	{ "and on to Baseline", ADMIN(IN("Pass", ANY)) BASE(IN("Deny", ANY)), "api", "web", "80",
	  false },
	{ "Baseline denies", BASE(IN("Deny", ANY)), "api", "web", "80", false },
	{ "a NetworkPolicy is final", BASE(IN("Deny", ANY)) NP("n", "ingress: [{}]"), "api", "web",
	  "80", true },
	{ "also when it denies", BASE(IN("Accept", ANY)) NP("n", "policyTypes: [Ingress]"), "api",
	  "web", "80", false },
	{ "of its own direction only", BASE(OUT("Deny", ANY)) NP("n", "ingress: [{}]"), "web",
	  "api", "80", false },
	{ "Pass in Baseline: allowed",
	  BASE("ingress: [{action: Pass, from: " ANY "}, {action: Deny, from: " ANY "}]"), "api",
	  "web", "80", true },
	{ "each end is asked: Accept at one is no Accept at the other",
	  ADMIN(OUT("Accept", ANY)) NP("n", "policyTypes: [Ingress]"), "api", "web", "80", false },
	/* order */
	{ "rules: the first that matches",
	  ADMIN("ingress: [{action: Accept, from: " ANY "}, {action: Deny, from: " ANY "}]"), "api",
	  "web", "80", true },
	{ "priority: the lower first",
	  ADMIN(IN("Deny", ANY)) CNP("z", "Admin", "9", EVERY, IN("Accept", ANY)), "api", "web",
	  "80", true },
	{ "the same: by name",
	  CNP("y", "Admin", "10", EVERY, IN("Accept", ANY)) ADMIN(IN("Deny", ANY)), "api", "web",
	  "80", false },
	{ "priority 0 and 1000",
	  CNP("y", "Admin", "1000", EVERY, IN("Deny", ANY))
		  CNP("z", "Admin", "0", EVERY, IN("Accept", ANY)),
	  "api", "web", "80", true },
	{ "a rule that does not match is passed by",
	  ADMIN("ingress: [{action: Deny, from: [{namespaces: {matchLabels: {team: b}}}]},"
		" {action: Accept, from: " ANY "}, {action: Deny, from: " ANY "}]"),
	  "shop/db", "web", "80", false },
	/* subjects */
	{ "a subject by pods", CNP("a", "Admin", "1", WEB, IN("Deny", ANY)), "api", "web", "80",
	  false },
	{ "not others", CNP("a", "Admin", "1", WEB, IN("Deny", ANY)), "web", "api", "80", true },
	{ "pods without namespaceSelector are of all namespaces",
	  CNP("a", "Admin", "1", "pods: {podSelector: {matchLabels: {app: db}}}", IN("Deny", ANY)),
	  "web", "shop/db", "80", false },
	{ "a namespace by its name",
	  CNP("a", "Admin", "1", "namespaces: {matchLabels: {kubernetes.io/metadata.name: shop}}",
	      IN("Deny", ANY)),
	  "web", "shop/db", "80", false },
	{ "pods on the node's network are no subjects", ADMIN(IN("Deny", ANY)), "web", "host", "80",
	  true },
	/* peers */
	{ "namespaces are no outside hosts", ADMIN(IN("Deny", ANY)), "192.0.2.9", "web", "80",
	  true },
	{ "nor pods on a node's network", ADMIN(IN("Deny", ANY)), "host", "web", "80", true },
	{ "networks match pods, too", ADMIN(OUT("Deny", "[{networks: [10.0.0.0/8]}]")), "web",
	  "shop/db", "80", false },
	{ "of their family", ADMIN(OUT("Deny", "[{networks: [0.0.0.0/0]}]")), "fd00::1", "shop/six",
	  "80", true },
	{ "each of them", ADMIN(OUT("Deny", "[{networks: [10.9.0.0/16, '2001:db8::/32']}]")), "web",
	  "2001:db8::1", "80", false },
	{ "host bits do not count", ADMIN(OUT("Deny", "[{networks: [192.0.2.77/24]}]")), "web",
	  "192.0.2.9", "80", false },
	{ "nodes by labels", ADMIN(OUT("Deny", "[{nodes: {matchLabels: {role: front}}}]")), "api",
	  "192.0.2.1", "80", false },
	{ "not others", ADMIN(OUT("Deny", "[{nodes: {matchLabels: {role: front}}}]")), "web",
	  "192.0.2.2", "80", true },
	{ "any node", ADMIN(OUT("Deny", "[{nodes: {}}]")), "web", "192.0.2.2", "80", false },
	{ "nodes are no pods", ADMIN(OUT("Deny", "[{nodes: {}}]")), "web", "api", "80", true },
	/* what no policy is asked about */
	{ "a pod reaches itself", ADMIN(IN("Deny", ANY) ", " OUT("Deny", ANY)), "web", "web", "80",
	  true },
	{ "and its node", ADMIN(OUT("Deny", "[{networks: [0.0.0.0/0]}]")), "web", "192.0.2.1", "80",
	  true },
	/* protocols */
	{ "a port", ADMIN(ON("{tcp: {destinationPort: {number: 80}}}")), "api", "web", "80",
	  false },
	{ "another port", ADMIN(ON("{tcp: {destinationPort: {number: 80}}}")), "api", "web", "81",
	  true },
	{ "another protocol", ADMIN(ON("{udp: {destinationPort: {number: 80}}}")), "api", "web",
	  "80", true },
	{ "SCTP", ADMIN(ON("{sctp: {destinationPort: {number: 80}}}")), "api", "web", "80/sctp",
	  false },
	{ "a range: its end", ADMIN(ON("{tcp: {destinationPort: {range: {start: 70, end: 80}}}}")),
	  "api", "web", "80", false },
	{ "a range: behind it",
	  ADMIN(ON("{tcp: {destinationPort: {range: {start: 70, end: 80}}}}")), "api", "web", "81",
	  true },
	{ "no protocols: other protocols, too", ADMIN(IN("Deny", ANY)), "api", "web", "other",
	  false },
	{ "a name", ADMIN(ON("{destinationNamedPort: http}")), "api", "web", "80", false },
	{ "a name is a number at each pod", ADMIN(ON("{destinationNamedPort: http}")), "web", "api",
	  "80", true },
	{ "a name of the container's protocol", ADMIN(ON("{destinationNamedPort: dns}")), "api",
	  "web", "53/udp", false },
	{ "and of no other", ADMIN(ON("{destinationNamedPort: dns}")), "api", "web", "53", true },
	{ "a name of the peer",
	  ADMIN("egress: [{action: Deny, to: " ANY ", protocols: [{destinationNamedPort: http}]}]"),
	  "web", "api", "8080", false },
};

TEST(every_row_of_tiers)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		row_check(&rows[i]);
}

/* ---- what is refused ---- */

#define SPEC(text)     HEAD("p") "spec: {" text "}\n"
#define RULES(text)    SPEC("tier: Admin, priority: 1, subject: {namespaces: {}}, " text)
#define PEER(text)     RULES("egress: [{action: Deny, to: [" text "]}]")
#define ACCEPT(text)   RULES("egress: [{action: Accept, to: [" text "]}]")
#define FROM(text)     RULES("ingress: [{action: Deny, from: [" text "]}]")
#define PROTOCOL(text) RULES("ingress: [{action: Deny, from: " ANY ", protocols: [" text "]}]")
#define FIVE           "{}, {}, {}, {}, {}, "
#define TWENTYFIVE     FIVE FIVE FIVE FIVE FIVE

/* "W" in front: a warning, and the policy is taken. */
static const struct {
	const char *yaml, *said;
} refused[] = {
	{ HEAD("p"), "spec: required" },
	{ SPEC("priority: 1, subject: {namespaces: {}}"), "spec.tier: required" },
	{ SPEC("tier: Admin, subject: {namespaces: {}}"), "spec.priority: required" },
	{ SPEC("tier: Admin, priority: 1"), "spec.subject: required" },
	{ SPEC("tier: NetworkPolicy, priority: 1, subject: {namespaces: {}}"),
	  "spec.tier: \"NetworkPolicy\" is not one of Admin, Baseline" },
	{ SPEC("tier: Admin, priority: 1001, subject: {namespaces: {}}"),
	  "spec.priority: 1001 is out of range 0..1000" },
	{ SPEC("tier: Admin, priority: -1, subject: {namespaces: {}}"),
	  "spec.priority: -1 is out of range 0..1000" },
	{ SPEC("tier: Admin, priority: 1, subject: {}"),
	  "spec.subject: one of namespaces and pods is required" },
	{ SPEC("tier: Admin, priority: 1, subject: {namespaces: {}, pods: {podSelector: {}}}"),
	  "spec.subject: one of namespaces and pods is required" },
	{ SPEC("tier: Admin, priority: 1, subject: {pods: {}}"),
	  "spec.subject.pods.podSelector: required" },
	{ SPEC("tier: Admin, priority: 1, subject: {nodes: {}}"),
	  "spec.subject.nodes: unknown key" },
	{ SPEC("tier: Admin, priority: 1, subject: {namespaces: {matchLabels: {a: '-'}}}"),
	  "spec.subject.namespaces.matchLabels.a: \"-\" is no label value (at most 63 letters,"
	  " digits, '-', '_' and '.')" },
	{ RULES("ingres: []"), "spec.ingres: unknown key; did you mean \"ingress\"?" },
	{ RULES("egress: [" TWENTYFIVE "{}]"), "spec.egress[0].action: required" },
	{ RULES("egress: [{action: Allow, to: " ANY "}]"),
	  "spec.egress[0].action: \"Allow\" is not one of Accept, Deny, Pass" },
	{ RULES("egress: [{action: Deny}]"),
	  "spec.egress[0].to: there are 0, and have to be 1 to 25" },
	{ PEER(TWENTYFIVE "{}"), "spec.egress[0].to: there are 26, and have to be 1 to 25" },
	{ PEER("{}"), "spec.egress[0].to[0]: is empty, and must not be" },
	{ PEER("x"), "spec.egress[0].to[0]: expected an object" },
	{ PEER("{namespaces: {}, nodes: {}}"),
	  "spec.egress[0].to[0]: only one of its keys may be there" },
	{ PEER("{namespaces: null}"), "spec.egress[0].to[0].namespaces: is null" },
	{ PEER("{namespace: {}}"),
	  "spec.egress[0].to[0].namespace: unknown key; did you mean \"namespaces\"?" },
	{ PEER("{pods: {namespaceSelector: {}}}"),
	  "spec.egress[0].to[0].pods.podSelector: required" },
	{ PEER("{pods: {podSelector: {a: b}}}"),
	  "spec.egress[0].to[0].pods.podSelector.a: unknown key" },
	{ PEER("{networks: []}"),
	  "spec.egress[0].to[0].networks: there are 0, and have to be 1 to 25" },
	{ PEER("{networks: [10.0.0.0]}"),
	  "spec.egress[0].to[0].networks[0]: \"10.0.0.0\" is not a CIDR" },
	{ PEER("{networks: [10.0.0.0/8, 10.0.0.0/8]}"),
	  "spec.egress[0].to[0].networks[1]: \"10.0.0.0/8\" is there twice" },
	{ PEER("{domainNames: [a.b]}"),
	  "spec.egress[0].to[0].domainNames: only with the action Accept" },
	{ ACCEPT("{domainNames: [a]}"),
	  "spec.egress[0].to[0].domainNames[0]: \"a\" is no domain name (labels with dots between,"
	  " \"*.\" in front)" },
	{ FROM("{networks: [10.0.0.0/8]}"), "spec.ingress[0].from[0].networks: only for egress" },
	{ FROM("{nodes: {}}"), "spec.ingress[0].from[0].nodes: only for egress" },
	{ RULES("ingress: [{action: Deny, from: " ANY ", protocols: []}]"),
	  "spec.ingress[0].protocols: there are 0, and have to be 1 to 25" },
	{ PROTOCOL("{}"), "spec.ingress[0].protocols[0]: is empty, and must not be" },
	{ PROTOCOL("{tcp: {}}"), "spec.ingress[0].protocols[0].tcp.destinationPort: required" },
	{ PROTOCOL("{tcp: {destinationPort: {}}}"),
	  "spec.ingress[0].protocols[0].tcp.destinationPort: one of number and range is required" },
	{ PROTOCOL("{tcp: {destinationPort: {number: 0}}}"),
	  "spec.ingress[0].protocols[0].tcp.destinationPort.number: 0 is out of range 1..65535" },
	{ PROTOCOL("{udp: {destinationPort: {range: {start: 5, end: 5}}}}"),
	  "spec.ingress[0].protocols[0].udp.destinationPort.range: 5 is not below 5" },
	{ PROTOCOL("{udp: {destinationPort: {range: {start: 5}}}}"),
	  "spec.ingress[0].protocols[0].udp.destinationPort.range.end: required" },
	{ PROTOCOL("{destinationNamedPort: '80'}"),
	  "spec.ingress[0].protocols[0].destinationNamedPort: \"80\" is no port name (at most 15 of"
	  " a-z, 0-9 and single '-', one a letter)" },
	{ RULES("egress: [{action: Deny, to: [{networks: [10.0.0.0/8]}],"
		" protocols: [{destinationNamedPort: http}]}]"),
	  "spec.egress[0].protocols[0].destinationNamedPort: does not go with networks, nodes or"
	  " domainNames, which have no names" },
	{ RULES("ingress: []")
		  HEAD("p") "spec: {tier: Admin, priority: 2, subject: {namespaces: {}}}\n",
	  "is there twice" },
	/* later versions */
	{ PEER("{services: {}}"),
	  "Wspec.egress[0].to[0].services: it is of a kind that is not known here: the rule fails"
	  " closed, and denies everything" },
	{ ACCEPT("{namespaces: {}}, {services: {}}"),
	  "Wspec.egress[0].to[1].services: it is of a kind that is not known here: the rule fails"
	  " closed, and accepts nothing" },
	{ PROTOCOL("{quic: {}}"),
	  "Wspec.ingress[0].protocols[0].quic: it is of a kind that is not known here: the rule"
	  " fails closed, and denies everything" },
	{ ACCEPT("{domainNames: ['*.example.com', kubernetes.io.]}"),
	  "Wspec.egress[0].to[0].domainNames: names of hosts are not supported: the rule fails"
	  " closed, and accepts nothing" },
	/* taken */
	{ RULES("ingress: null, egress: [{name: x, action: Pass, to: [{networks: ['::/0', 0.0.0.0/0]}],"
		" protocols: [{tcp: {destinationPort: {range: {start: 1, end: 65535}}}}]}]"),
	  "" },
	{ "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicyList\nitems:"
	  " [{metadata: {name: p}, spec: {tier: Baseline, priority: 0, subject: {pods: {podSelector: {}}}}}]\n",
	  "" },
	{ "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: ClusterNetworkPolicy\nmetadata: {name: p}\n",
	  "apiVersion: \"policy.networking.k8s.io/v1alpha1\" is not"
	  " \"policy.networking.k8s.io/v1alpha2\"" },
};

TEST(what_is_refused_of_a_cluster_policy)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const char *texts[] = { refused[i].yaml }, *want = refused[i].said;
		bool warning = *want == 'W', second = streq(want, "is there twice");
		struct world world;
		char *said = arena_strdup(&arena, world_read(&world, texts, 1));

		said[strcspn(said, "\n")] = '\0';
		if (*want)
			want = arena_printf(&arena, "%s: clusternetworkpolicy p: %s",
					    warning ? "warning" : "error", want + warning);
		check_str(said, want);
		check_int(world.clusters.n, warning || second || !*want);
		arena_free(&arena);
	}
}

/* ---- fail closed ---- */

static const struct row closed_rows[] = {
	{ "an Accept of an unknown kind",
	  ADMIN(OUT("Accept", "[{namespaces: {}}, {x: {}}]")) NP("n", "policyTypes: [Egress]"),
	  "web", "api", "80", false },
	{ "a Deny", ADMIN(OUT("Deny", "[{x: {}}]")), "web", "192.0.2.9", "80", false },
	{ "a Pass", ADMIN(OUT("Pass", "[{x: {}}]")), "web", "192.0.2.9", "80", false },
	{ "in its order",
	  ADMIN("egress: [{action: Accept, to: " ANY "}, {action: Deny, to: [{x: {}}]}]"), "web",
	  "api", "80", true },
	{ "names of hosts",
	  ADMIN("egress: [{action: Accept, to: [{domainNames: [a.b]}]},"
		" {action: Deny, to: [{networks: [0.0.0.0/0]}]}]"),
	  "web", "192.0.2.9", "80", false },
};

static void ignore_warnings(void *arg, bool is_error, const char *object, const char *text)
{
	(void)arg, (void)object;
	unit_check(!is_error, __FILE__, __LINE__, "%s", text);
}

TEST(what_is_not_known_fails_closed)
{
	for (size_t i = 0; i < ARRAY_SIZE(closed_rows); i++)
		row_check_with(&closed_rows[i], ignore_warnings);
}

/* ---- what they are compiled to ---- */

static const char *clauses_text(const struct compiled *compiled, const clauses_t *clauses)
{
	char *text = arena_strdup(&arena, "");

	list_each(clause, clauses) {
		text = arena_printf(&arena, "%s %s", text, action_names[clause->action]);
		if (clause->peers != NO_SET)
			text = arena_printf(&arena, "%s peers(%zu)", text,
					    compiled->sets.items[clause->peers].elements.n);
		if (clause->pairs != NO_SET)
			text = arena_printf(&arena, "%s pairs(%zu)", text,
					    compiled->sets.items[clause->pairs].elements.n);
		if (clause->named != NO_SET)
			text = arena_printf(&arena, "%s named", text);
		text = arena_printf(&arena, "%s;", text);
	}
	return text;
}

static const char *group_of(const char *policies)
{
	const char *texts[] = { row_cluster, policies };
	char *text = arena_strdup(&arena, "");
	struct compiled compiled;
	struct world world;

	check_str(world_read(&world, texts, 2), "");
	compile(&world, symbol_find(&world.symbols, "n1"), &arena, &compiled);
	list_each(group, &compiled.groups)
		text = arena_printf(&arena, "%s%s: %zu%s:%s |%s |%s\n", text, group->comment,
				    group->pods.n, group->isolated ? " isolated" : "",
				    clauses_text(&compiled, &group->admin),
				    clauses_text(&compiled, &group->allows),
				    clauses_text(&compiled, &group->baseline));
	return text;
}

#define TCP(port) "{tcp: {destinationPort: {number: " port "}}}"

TEST(tiers_take_few_clauses)
{
	/* rules of one action, over several policies: one set of pairs */
	check_str(group_of(CNP("a", "Admin", "1", WEB,
			       "ingress: [{action: Deny, from: " ANY
			       ", protocols: [" TCP("80") "]},"
							  " {action: Deny, from: " ANY
							  ", protocols: [" TCP("81") "]}]")
				   CNP("b", "Admin", "2", WEB,
				       "ingress: [{action: Deny, from: " ANY ", protocols: [" TCP(
					       "82") "]}, {action: Accept, from: " ANY
						     "}, {action: Pass, from: " ANY "}]")
					   CNP("c", "Baseline", "2", WEB, IN("Deny", ANY))),
		  "ingress by Admin:a Admin:b Baseline:c: 1: Deny pairs(18); Accept peers(6); | |"
		  " Deny peers(6);\n");
	/* a NetworkPolicy: no baseline; the group's name is of all of them */
	check_str(
		group_of(CNP("c", "Baseline", "2", WEB, IN("Deny", ANY)) NP("n", "ingress: [{}]")),
		"ingress by Baseline:c default/n: 1 isolated: | Accept; |\n");
	arena_free(&arena);
}

/* Elements are never those of a rule that did something else: a set of pairs is named after what its rules say. */
TEST(pairs_of_another_action_are_another_set)
{
	static const char *const actions[] = { "Deny", "Deny", "Accept" };
	const char *names[ARRAY_SIZE(actions)];

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		const char *texts[] = {
			row_cluster,
			arena_printf(&arena,
				     HEAD("a") "spec: {tier: Admin, priority: %zu, subject: {" WEB
					       "}, ingress: [{action: %s, from: " ANY
					       ", protocols: [" TCP("80") "]}]}\n",
				     i, actions[i]),
		};
		struct compiled compiled;
		struct world world;

		check_str(world_read(&world, texts, 2), "");
		compile(&world, symbol_find(&world.symbols, "n1"), &arena, &compiled);
		names[i] = compiled.sets.items[compiled.groups.items[0].admin.items[0].pairs].name;
	}
	check_str(names[0], names[1]);
	check(!streq(names[1], names[2]));
	arena_free(&arena);
}

/* ---- the limit ---- */

static bool says(const struct world *world, const char *from, const char *to, const char *port)
{
	struct connection connections[2];
	enum protocol protocol = PROTOCOL_TCP;
	struct error err = { 0 };
	struct verdict verdict;
	struct end ends[2];
	uint16_t number = 0;

	check_ok(end_find(world, from, &arena, &ends[0], &err), err);
	check_ok(end_find(world, to, &arena, &ends[1], &err), err);
	check_ok(end_port(port, &protocol, &number, &err), err);
	check(end_connections(&ends[0], &ends[1], protocol, number, connections) > 0);
	verdict_of(world, connections, &verdict);
	check_int(row_compiled_says(world, connections), verdict.allowed);
	return verdict.allowed;
}

static const char *const limited[] = {
	row_cluster,
	NP("n", "ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}, {port: 81}]}]"),
	NP("other", "ingress: [{ports: [{port: 82}]}]"),
	CNP("a", "Admin", "1", "namespaces: {matchLabels: {team: b}}",
	    "ingress: [{action: Accept, from: " ANY
	    ", protocols: [" TCP("1") ", " TCP("2") "]}, {action: Pass, from: " ANY "}]"),
};

/* All pods have eight addresses: 8 + 2 * (2 + 8), and with another rule 8 + (2 + 8). */
TEST(a_policy_over_the_limit_is_closed_and_others_are_not)
{
	char *said = arena_strdup(&arena, "");
	struct world world;

	check_str(world_read(&world, limited, ARRAY_SIZE(limited)), "");
	check(says(&world, "api", "web", "80") && says(&world, "api", "web", "82"));
	check(says(&world, "api", "shop/db", "1") && says(&world, "api", "shop/db", "3"));

	world.expansion_max = world.policies.items[0].expansion;
	world_index(&world);
	limit_report(&world, policy_report, &said);
	check_str(said,
		  arena_printf(&arena,
			       "error: clusternetworkpolicy a: spec: it comes to %llu elements, "
			       "over the limit of %llu: its rules fail closed",
			       (unsigned long long)world.clusters.items[0].expansion,
			       (unsigned long long)world.expansion_max));
	check(says(&world, "api", "web", "80"));
	check(!says(&world, "api", "shop/db", "3")); /* a Pass denies everything */

	world.expansion_max--;
	world_index(&world);
	check(!says(&world, "api", "web", "80") && says(&world, "api", "web", "82"));
	check(says(&world, "web", "api", "80"));

	world.expansion_max = EXPANSION_MAX;
	world_index(&world);
	check(says(&world, "api", "web", "80") && says(&world, "api", "shop/db", "3"));
	arena_free(&arena);
}

/* What is counted: prefixes of holes, addresses of nodes, kinds of peers for each port. */
TEST(a_policys_expansion)
{
	static const struct {
		const char *policy;
		unsigned expansion;
	} sizes[] = {
		{ NP("n", "ingress: []"), 0 },
		{ NP("n", "ingress: [{}]"), 1 },
		{ NP("n", "ingress: [{ports: [{port: 1}, {port: 2}]}]"), 2 },
		{ NP("n", "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]"), 3 },
		{ NP("n", "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16,"
			  " 10.2.3.4/32]}}]}]"),
		  67 },
		/* the direction that is not isolated costs nothing */
		{ NP("n", "policyTypes: [Egress], ingress: [{}, {}], egress: [{}]"), 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const char *texts[] = { row_cluster, sizes[i].policy };
		struct world world;

		check_str(world_read(&world, texts, 2), "");
		check_int(world.policies.items[0].expansion, sizes[i].expansion);
	}
	arena_free(&arena);
}
