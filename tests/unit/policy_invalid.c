/* What the API server refuses (section 1.7 of the contract), and how it is said; and what it takes. */
#include "policy.h"

#define HEAD        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n"
#define SPEC(text)  HEAD "spec: {" text "}\n"
#define PEER(text)  SPEC("ingress: [{from: [" text "]}]")
#define PORT(text)  SPEC("egress: [{ports: [{}, " text "]}]")
#define BLOCK(text) PEER("{ipBlock: {" text "}}")
#define TERM(text)  SPEC("podSelector: {matchExpressions: [" text "]}")
#define POD(text)   "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n" text "\n"

/* The error without "error: networkpolicy default/p: spec."; one that begins with '!' is the whole. NULL: taken. */
static const struct row {
	const char *yaml, *error;
} rows[] = {
	/* peers */
	{ PEER("{}"),
	  "ingress[0].from[0]: one of podSelector, namespaceSelector and ipBlock is required" },
	{ PEER("null"),
	  "ingress[0].from[0]: one of podSelector, namespaceSelector and ipBlock is required" },
	{ PEER("{podSelector: null}"),
	  "ingress[0].from[0]: one of podSelector, namespaceSelector and ipBlock is required" },
	{ PEER("{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}"),
	  "ingress[0].from[0]: ipBlock does not go with a selector" },
	{ PEER("{namespaceSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}"),
	  "ingress[0].from[0]: ipBlock does not go with a selector" },
	{ PEER("{podSelector: []}"),
	  "ingress[0].from[0].podSelector: expected an object, found list" },
	{ PEER("{podselector: {}}"),
	  "ingress[0].from[0].podselector: unknown key; did you mean \"podSelector\"?" },
	/* blocks */
	{ BLOCK(""), "ingress[0].from[0].ipBlock.cidr: required" },
	{ BLOCK("cidr: ''"), "ingress[0].from[0].ipBlock.cidr: required" },
	{ BLOCK("cidr: 10.0.0.0"), "ingress[0].from[0].ipBlock.cidr: \"10.0.0.0\" is not a CIDR" },
	{ BLOCK("cidr: 10.0.0.0/33"),
	  "ingress[0].from[0].ipBlock.cidr: \"10.0.0.0/33\" is not a CIDR" },
	{ BLOCK("cidr: 10"), "ingress[0].from[0].ipBlock.cidr: expected a string, found number" },
	{ BLOCK("cidr: 10.0.0.0/8, except: [10.0.0.0/8]"),
	  "ingress[0].from[0].ipBlock.except[0]: \"10.0.0.0/8\" is not a part of 10.0.0.0/8" },
	{ BLOCK("cidr: 10.0.0.0/8, except: [10.1.0.0/16, 0.0.0.0/0]"),
	  "ingress[0].from[0].ipBlock.except[1]: \"0.0.0.0/0\" is not a part of 10.0.0.0/8" },
	{ BLOCK("cidr: 10.0.0.0/8, except: [11.0.0.0/16]"),
	  "ingress[0].from[0].ipBlock.except[0]: \"11.0.0.0/16\" is not a part of 10.0.0.0/8" },
	{ BLOCK("cidr: 0.0.0.0/0, except: ['fd00::/8']"),
	  "ingress[0].from[0].ipBlock.except[0]: \"fd00::/8\" is not a part of 0.0.0.0/0" },
	{ BLOCK("cidr: 10.0.0.0/8, except: [x]"),
	  "ingress[0].from[0].ipBlock.except[0]: \"x\" is not a CIDR" },
	{ BLOCK("cidr: 10.0.0.0/8, except: 10.1.0.0/16"),
	  "ingress[0].from[0].ipBlock.except: expected a list, found string" },
	/* ports */
	{ PORT("{port: 0}"), "egress[0].ports[1].port: 0 is not within 1..65535" },
	{ PORT("{port: -1}"), "egress[0].ports[1].port: -1 is not within 1..65535" },
	{ PORT("{port: 65536}"), "egress[0].ports[1].port: 65536 is not within 1..65535" },
	{ PORT("{port: '80'}"),
	  "egress[0].ports[1].port: \"80\" is no port name (at most 15 of a-z, 0-9 and single '-', one a letter)" },
	{ PORT("{port: ''}"),
	  "egress[0].ports[1].port: \"\" is no port name (at most 15 of a-z, 0-9 and single '-', one a letter)" },
	{ PORT("{port: HTTP}"),
	  "egress[0].ports[1].port: \"HTTP\" is no port name (at most 15 of a-z, 0-9 and single '-', one a letter)" },
	{ PORT("{port: a--b}"),
	  "egress[0].ports[1].port: \"a--b\" is no port name (at most 15 of a-z, 0-9 and single '-', one a letter)" },
	{ PORT("{port: -a}"),
	  "egress[0].ports[1].port: \"-a\" is no port name (at most 15 of a-z, 0-9 and single '-', one a letter)" },
	{ PORT("{port: abcdefghijklmnop}"),
	  "egress[0].ports[1].port: \"abcdefghijklmnop\" is no port name (at most 15 of a-z, 0-9 and single '-', one a letter)" },
	{ PORT("{port: 80.0}"), "egress[0].ports[1].port: expected an integer" },
	{ PORT("{port: true}"), "egress[0].ports[1].port: expected an integer" },
	{ PORT("{port: [80]}"), "egress[0].ports[1].port: expected an integer" },
	{ PORT("{endPort: 80}"), "egress[0].ports[1].endPort: needs a port that is a number" },
	{ PORT("{port: http, endPort: 80}"),
	  "egress[0].ports[1].endPort: needs a port that is a number" },
	{ PORT("{port: 80, endPort: 79}"), "egress[0].ports[1].endPort: 79 is below the port 80" },
	{ PORT("{port: 80, endPort: 65536}"),
	  "egress[0].ports[1].endPort: 65536 is not within 1..65535" },
	{ PORT("{port: 80, endPort: http}"), "egress[0].ports[1].endPort: expected an integer" },
	{ PORT("{protocol: tcp}"), "egress[0].ports[1].protocol: \"tcp\" is not TCP, UDP or SCTP" },
	{ PORT("{protocol: ICMP}"),
	  "egress[0].ports[1].protocol: \"ICMP\" is not TCP, UDP or SCTP" },
	{ PORT("{protocol: ''}"), "egress[0].ports[1].protocol: \"\" is not TCP, UDP or SCTP" },
	{ PORT("{protocol: 6}"), "egress[0].ports[1].protocol: expected a string, found number" },
	/* types */
	{ SPEC("policyTypes: [ingress]"), "policyTypes[0]: \"ingress\" is not Ingress or Egress" },
	{ SPEC("policyTypes: [Ingress, null]"), "policyTypes[1]: \"\" is not Ingress or Egress" },
	{ SPEC("policyTypes: [Ingress, Egress, Egress]"), "policyTypes: there are two at most" },
	{ SPEC("policyTypes: Ingress"), "policyTypes: expected a list, found string" },
	/* selectors */
	{ TERM("{key: a, operator: Is}"),
	  "podSelector.matchExpressions[0].operator: \"Is\" is not In, NotIn, Exists or DoesNotExist" },
	{ TERM("{key: a, operator: In}"),
	  "podSelector.matchExpressions[0].values: required with the operator In" },
	{ TERM("{key: a, operator: NotIn, values: []}"),
	  "podSelector.matchExpressions[0].values: required with the operator NotIn" },
	{ TERM("{key: a, operator: Exists, values: [x]}"),
	  "podSelector.matchExpressions[0].values: not allowed with the operator Exists" },
	{ TERM("{key: a, operator: DoesNotExist, values: [x]}"),
	  "podSelector.matchExpressions[0].values: not allowed with the operator DoesNotExist" },
	{ TERM("{operator: Exists}"), "podSelector.matchExpressions[0].key: required" },
	{ TERM("{key: a}"), "podSelector.matchExpressions[0].operator: required" },
	{ TERM("{key: 'a b', operator: Exists}"),
	  "podSelector.matchExpressions[0].key: \"a b\" is no label key (at most 63 letters, digits, '-', '_' and '.')" },
	{ TERM("{key: A/a, operator: Exists}"),
	  "podSelector.matchExpressions[0].key: \"A/a\" is no label key: no DNS subdomain in front of the '/'" },
	{ TERM("{key: a, operator: In, values: [x, -x]}"),
	  "podSelector.matchExpressions[0].values[1]: \"-x\" is no label value (at most 63 letters, digits, '-', '_' and '.')" },
	{ SPEC("podSelector: {matchLabels: {a: 1}}"),
	  "podSelector.matchLabels.a: expected a string" },
	{ SPEC("podSelector: {matchLabels: {a: yes}}"),
	  "podSelector.matchLabels.a: expected a string" },
	{ SPEC("podSelector: {matchLabels: [a]}"), "podSelector.matchLabels: expected an object" },
	{ SPEC("podSelector: {matchLabels: {a/b/c: x}}"),
	  "podSelector.matchLabels: \"a/b/c\" is no label key (at most 63 letters, digits, '-', '_' and '.')" },
	{ SPEC("podSelector: {app: web}"), "podSelector.app: unknown key" },
	/* keys and types */
	{ SPEC("ingres: []"), "ingres: unknown key; did you mean \"ingress\"?" },
	{ SPEC("Ingress: []"), "Ingress: unknown key; did you mean \"ingress\"?" },
	{ SPEC("ingress: {}"), "ingress: expected a list, found object" },
	{ SPEC("ingress: [{to: []}]"), "ingress[0].to: unknown key" },
	{ SPEC("egress: [{from: []}]"), "egress[0].from: unknown key" },
	{ HEAD "spec: []\n",
	  "!error: networkpolicy default/p: spec: expected an object, found list" },
	{ HEAD "specs: {}\n",
	  "!error: networkpolicy default/p: specs: unknown key; did you mean \"spec\"?" },
	/* names */
	{ "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {}\n",
	  "!error: networkpolicy: metadata.name: required" },
	{ "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n",
	  "!error: networkpolicy: metadata: required" },
	{ "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: A}\n",
	  "!error: networkpolicy default/A: metadata.name: \"A\" is no DNS subdomain (at most 253 of a-z, 0-9, '-' and '.')" },
	{ "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a..b}\n",
	  "!error: networkpolicy default/a..b: metadata.name: \"a..b\" is no DNS subdomain (at most 253 of a-z, 0-9, '-' and '.')" },
	{ "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: x.y}\n",
	  "!error: networkpolicy x.y/a: metadata.namespace: \"x.y\" is no DNS label (at most 63 of a-z, 0-9 and '-')" },
	{ "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: a}\n",
	  "!error: networkpolicy default/a: apiVersion: \"extensions/v1beta1\" is not \"networking.k8s.io/v1\"" },
	{ "kind: NetworkPolicy\nmetadata: {name: a}\n",
	  "!error: networkpolicy: apiVersion: required" },
	{ "apiVersion: v1\nmetadata: {name: a}\n", "!error: object: kind: required" },
	{ "apiVersion: v1\nkind: NetworkPolcy\nmetadata: {name: a}\n",
	  "!error: object: kind: \"NetworkPolcy\" is unknown; did you mean \"NetworkPolicy\"?" },
	{ HEAD "---\n" HEAD, "!error: networkpolicy default/p: is there twice" },
	{ "[1]", "!error: object: expected an object, found list" },
	{ "kind: List\nitems: {}\n", "!error: list: items: expected a list of objects" },
	/* the other kinds */
	{ POD("status: {podIP: 10.0.0}"),
	  "!error: pod default/p: status.podIP: \"10.0.0\" is not an IP address" },
	{ POD("spec: {containers: [{ports: [{containerPort: 0}]}]}"),
	  "!error: pod default/p: spec.containers[0].ports[0].containerPort: 0 is out of range 1..65535" },
	{ POD("spec: {hostNetwork: maybe}"),
	  "!error: pod default/p: spec.hostNetwork: expected a boolean, found string" },
	{ POD("---\n" POD("")), "!error: pod default/p: is there twice" },
	{ "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: 1}}\n",
	  "!error: pod default/p: metadata.labels.a: expected a string" },
	{ "apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}\n",
	  "!error: namespace a.b: metadata.name: \"a.b\" is no DNS label (at most 63 of a-z, 0-9 and '-')" },
	{ "apiVersion: v2\nkind: Node\nmetadata: {name: n}\n",
	  "!error: node n: apiVersion: \"v2\" is not \"v1\"" },
	{ "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n",
	  "!warning: object: kind: \"Service\" has no part in policies: passed over" },
	/* what is taken */
	{ HEAD, NULL },
	{ HEAD "spec: null\nstatus: {conditions: []}\n", NULL },
	{ SPEC("podSelector: {matchLabels: {a: null, example.com/b: ''}}"), NULL },
	{ TERM("{key: a, operator: In, values: [null, A_b.c-d]}, {key: a, operator: Exists, values: []}"),
	  NULL },
	{ SPEC("policyTypes: [Egress, Egress], ingress: null, egress: [null, {to: null, ports: null}]"),
	  NULL },
	{ BLOCK("cidr: 10.0.0.77/24, except: [10.0.0.78/32]"), NULL },
	{ PORT("{port: null, endPort: null, protocol: null}"), NULL },
	{ PORT("{port: 1, endPort: 65535, protocol: SCTP}, {port: a-1}, {port: 1-a}"), NULL },
	{ "kind: NetworkPolicyList\napiVersion: networking.k8s.io/v1\nitems: [{metadata: {name: a}}]\n",
	  NULL },
	{ "kind: List\nitems: [{kind: List, items: [{kind: Node, apiVersion: v1, metadata: {name: a}}]}]\n",
	  NULL },
};

TEST(what_the_api_server_refuses)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *texts[] = { rows[i].yaml }, *error = rows[i].error;
		struct world world;
		char *said = arena_strdup(&arena, world_read(&world, texts, 1));

		said[strcspn(said, "\n")] = '\0'; /* one mistake may lead to another */
		if (!error)
			error = "";
		else if (*error == '!')
			error++;
		else
			error = arena_printf(&arena, "error: networkpolicy default/p: spec.%s",
					     error);
		check_str(said, error);
		if (*error && !strstr(error, "twice"))
			check_int(world.policies.n, 0);
		arena_free(&arena);
	}
}

TEST(every_mistake_of_an_object_is_said)
{
	const char *texts[] = { SPEC(
		"policyTypes: [x], ingress: [{from: [{}], ports: [{port: 0}]}], y: 1") };
	struct world world;

	check_str(
		world_read(&world, texts, 1),
		"error: networkpolicy default/p: spec.y: unknown key\n"
		"error: networkpolicy default/p: spec.policyTypes[0]: \"x\" is not Ingress or Egress\n"
		"error: networkpolicy default/p: spec.ingress[0].from[0]: "
		"one of podSelector, namespaceSelector and ipBlock is required\n"
		"error: networkpolicy default/p: spec.ingress[0].ports[0].port: 0 is not within 1..65535");
	arena_free(&arena);
}
