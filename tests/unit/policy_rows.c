/*
 * The rows of section 1 of the contract, one by one: in a cluster that is always the same, policies, a connection, and
 * whether it is allowed. Each is asked of the objects and of what is compiled for the nodes; the two must agree.
 */
#include "policy.h"

#include "policy/compiled.h"
#include "policy/end.h"

static const char cluster[] =
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {team: a}}\n---\n"
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: b}}\n---\n"
	"apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n"
	"status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: Hostname, address: n1}]}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web, empty: ''}}\n"
	"spec: {nodeName: n1, containers: [{ports: [{name: http, containerPort: 80}]},"
	" {ports: [{name: http, containerPort: 81}, {name: dns, containerPort: 53, protocol: UDP}]}]}\n"
	"status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: api, labels: {app: api}}\n"
	"spec: {nodeName: n2, containers: [{ports: [{name: http, containerPort: 8080}]}]}\n"
	"status: {phase: Pending, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}, {ip: 'fd00::2'}], hostIP: 192.0.2.2}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: shop, labels: {app: db}, deletionTimestamp: x}\n"
	"spec: {nodeName: n1}\nstatus: {podIP: 10.0.1.1, podIPs: [{ip: 10.0.1.1}]}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: six, namespace: shop, labels: {app: six}}\n"
	"spec: {nodeName: n2}\nstatus: {podIP: 'fd00::6'}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: ghost, labels: {app: web, was: here}}\n"
	"spec: {nodeName: n2}\nstatus: {phase: Succeeded, podIP: 10.0.1.1}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: host, labels: {app: web}}\n"
	"spec: {nodeName: n2, hostNetwork: true, containers: [{ports: [{name: http, containerPort: 80}]}]}\n"
	"status: {podIP: 192.0.2.2}\n---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: new, labels: {app: new}}\nspec: {}\n";

/* A policy on app=web, or on what SELECT says, of namespace default. */
#define POLICY(name, select, rest)                                                           \
	"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " name \
	"}\nspec: {" select ", " rest "}\n"
#define WEB         "podSelector: {matchLabels: {app: web}}"
#define ALL         "podSelector: {}"
#define IN(rules)   POLICY("in", WEB, "policyTypes: [Ingress], ingress: " rules)
#define OUT(rules)  POLICY("out", WEB, "policyTypes: [Egress], egress: " rules)
#define FROM(peers) IN("[{from: " peers "}]")
#define TO(peers)   OUT("[{to: " peers "}]")
#define DB          "{namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}"

static const struct row {
	const char *section, *policies, *from, *to, *port;
	bool allowed;
} rows[] = {
	/* 1.1: isolation, union, both ends */
	{ "no policy: open", "", "api", "web", "80", true },
	{ "a policy in its namespace isolates", IN("[]"), "api", "web", "80", false },
	{ "one of another namespace does not", IN("[]"), "web", "shop/db", "80", true },
	{ "ingress only: egress stays open", IN("[]"), "web", "shop/db", "80", true },
	{ "egress only: ingress stays open", OUT("[]"), "api", "web", "80", true },
	{ "egress of the source counts", OUT("[]"), "web", "api", "80", false },
	{ "union: one policy denies nothing", IN("[]") POLICY("b", ALL, "ingress: [{}]"), "api",
	  "web", "80", true },
	{ "peers and ports of one rule: both",
	  IN("[{from: [{podSelector: {}}], ports: [{port: 80}]}]"), "api", "web", "81", false },
	{ "peers of one rule, ports of another: no",
	  IN("[{from: [{ipBlock: {cidr: 10.9.0.0/16}}], ports: [{port: 80}]},"
	     " {from: [{podSelector: {}}], ports: [{port: 81}]}]"),
	  "api", "web", "80", false },
	{ "both ends must allow", POLICY("b", ALL, "policyTypes: [Ingress, Egress], egress: [{}]"),
	  "api", "web", "80", false },
	{ "both ends allow", POLICY("b", ALL, "ingress: [{}], egress: [{}]"), "api", "web", "80",
	  true },
	{ "outside to a pod: ingress alone", IN("[{}]") OUT("[]"), "203.0.113.1", "web", "80",
	  true },
	/* 1.2: selection and defaults */
	{ "podSelector missing: all", POLICY("b", "podSelector: null", "policyTypes: [Ingress]"),
	  "web", "api", "80", false },
	{ "podSelector {}: all of its namespace", POLICY("b", ALL, "ingress: []"), "web", "shop/db",
	  "80", true },
	{ "types missing: ingress", POLICY("b", WEB, "ingress: []"), "api", "web", "80", false },
	{ "types missing: egress without rules does not count", POLICY("b", WEB, "egress: []"),
	  "web", "api", "80", true },
	{ "types missing: egress with a rule counts",
	  POLICY("b", WEB, "egress: [{to: [{ipBlock: {cidr: 10.9.0.0/16}}]}]"), "web", "api", "80",
	  false },
	{ "types missing, only egress rules: ingress is isolated", POLICY("b", WEB, "egress: [{}]"),
	  "api", "web", "80", false },
	{ "types null", POLICY("b", WEB, "policyTypes: null, egress: [{}]"), "api", "web", "80",
	  false },
	{ "types empty", POLICY("b", WEB, "policyTypes: [], egress: [{}]"), "web", "api", "80",
	  true },
	{ "types alone decide", POLICY("b", WEB, "policyTypes: [Egress], ingress: []"), "api",
	  "web", "80", true },
	{ "types twice the same", POLICY("b", WEB, "policyTypes: [Ingress, Ingress]"), "api", "web",
	  "80", false },
	{ "section null: nothing", IN("null"), "api", "web", "80", false },
	{ "section with an empty rule: everything", IN("[{}]"), "203.0.113.1", "web", "80", true },
	{ "from null: anybody", IN("[{from: null, ports: [{port: 80}]}]"), "203.0.113.1", "web",
	  "80", true },
	{ "from empty: anybody", FROM("[]"), "203.0.113.1", "web", "80", true },
	{ "ports empty: SCTP, too", IN("[{ports: []}]"), "api", "web", "80/sctp", true },
	{ "ports empty: what is no TCP, UDP, SCTP, too", FROM("[{podSelector: {}}]"), "api", "web",
	  "other", true },
	{ "ports said: nothing else", IN("[{ports: [{}, {protocol: UDP}]}]"), "api", "web", "other",
	  false },
	{ "port {}: TCP, all", IN("[{ports: [{}]}]"), "api", "web", "9", true },
	{ "port {}: no UDP", IN("[{ports: [{}]}]"), "api", "web", "9/udp", false },
	{ "protocol missing: TCP", IN("[{ports: [{port: 53}]}]"), "api", "web", "53/udp", false },
	{ "port missing: all of the protocol", IN("[{ports: [{protocol: UDP}]}]"), "api", "web",
	  "53/udp", true },
	{ "podSelector: own namespace only", FROM("[{podSelector: {}}]"), "shop/db", "web", "80",
	  false },
	{ "podSelector: own namespace", FROM("[{podSelector: {}}]"), "api", "web", "80", true },
	{ "namespaceSelector: all its pods",
	  FROM("[{namespaceSelector: {matchLabels: {team: b}}}]"), "shop/db", "web", "80", true },
	{ "namespaceSelector: not others", FROM("[{namespaceSelector: {matchLabels: {team: b}}}]"),
	  "api", "web", "80", false },
	{ "both in one: and",
	  FROM("[{namespaceSelector: {matchLabels: {team: b}}, podSelector: {matchLabels: {app: six}}}]"),
	  "shop/db", "web", "80", false },
	{ "both in two: or",
	  FROM("[{namespaceSelector: {matchLabels: {team: b}}}, {podSelector: {matchLabels: {app: six}}}]"),
	  "shop/db", "web", "80", true },
	{ "{} is no outside address", FROM("[{podSelector: {}}, {namespaceSelector: {}}]"),
	  "203.0.113.1", "web", "80", false },
	{ "In needs the key",
	  FROM("[{podSelector: {matchExpressions: [{key: none, operator: In, values: ['']}]}}]"),
	  "api", "web", "80", false },
	{ "an empty value is a value",
	  POLICY("b", "podSelector: {matchLabels: {empty: ''}}", "ingress: []"), "api", "web", "80",
	  false },
	{ "an empty value needs the key",
	  POLICY("b", "podSelector: {matchLabels: {empty: ''}}", "ingress: []"), "web", "api", "80",
	  true },
	{ "NotIn matches what lacks the key",
	  FROM("[{podSelector: {matchExpressions: [{key: none, operator: NotIn, values: [x]}]}}]"),
	  "api", "web", "80", true },
	{ "NotIn does not match the value",
	  FROM("[{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [x, api]}]}}]"),
	  "api", "web", "80", false },
	{ "DoesNotExist",
	  FROM("[{podSelector: {matchExpressions: [{key: none, operator: DoesNotExist}]}}]"), "api",
	  "web", "80", true },
	{ "Exists", FROM("[{podSelector: {matchExpressions: [{key: none, operator: Exists}]}}]"),
	  "api", "web", "80", false },
	{ "labels and expressions: and",
	  FROM("[{podSelector: {matchLabels: {app: api}, matchExpressions: [{key: app, operator: NotIn, values: [api]}]}}]"),
	  "api", "web", "80", false },
	{ "a key twice: and",
	  FROM("[{podSelector: {matchExpressions: [{key: app, operator: In, values: [api]}, {key: app, operator: In, values: [web]}]}}]"),
	  "api", "web", "80", false },
	{ "every namespace has its name",
	  FROM("[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]"),
	  "shop/db", "web", "80", true },
	/* 1.3: ipBlock */
	{ "a block has pods in it", FROM("[{ipBlock: {cidr: 10.0.0.0/24}}]"), "10.0.0.2",
	  "10.0.0.1", "80", true },
	{ "and the outside", FROM("[{ipBlock: {cidr: 203.0.113.0/24}}]"), "203.0.113.1", "web",
	  "80", true },
	{ "and other nodes", FROM("[{ipBlock: {cidr: 192.0.2.0/24}}]"), "192.0.2.2", "web", "80",
	  true },
	{ "except", FROM("[{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.2/32]}}]"), "api", "web",
	  "80", false },
	{ "except is no denial: another block",
	  FROM("[{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/24]}}, {ipBlock: {cidr: 10.0.0.2/32}}]"),
	  "10.0.0.2", "10.0.0.1", "80", true },
	{ "except is no denial: another rule",
	  IN("[{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/24]}}]}, {from: [{podSelector: {}}]}]"),
	  "api", "web", "80", true },
	{ "except is no denial: another policy",
	  FROM("[{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/24]}}]")
		  POLICY("b", ALL, "ingress: [{}]"),
	  "api", "web", "80", true },
	{ "the same block with and without except: without",
	  FROM("[{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/24]}}, {ipBlock: {cidr: 10.0.0.0/8}}]"),
	  "10.0.0.2", "10.0.0.1", "80", true },
	{ "excepts in and beside each other",
	  FROM("[{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/25, 10.0.0.128/25, 10.0.0.0/30]}}]"),
	  "shop/db", "web", "80", true },
	{ "0.0.0.0/0 is IPv4", FROM("[{ipBlock: {cidr: 0.0.0.0/0}}]"), "fd00::2", "fd00::1", "80",
	  false },
	{ "::/0 is IPv6", FROM("[{ipBlock: {cidr: '::/0'}}]"), "10.0.0.2", "10.0.0.1", "80",
	  false },
	{ "::/0 is all of it", FROM("[{ipBlock: {cidr: '::/0'}}]"), "64:ff9b::1", "web", "80",
	  true },
	{ "host bits do not count", FROM("[{ipBlock: {cidr: 10.0.0.77/24}}]"), "10.0.0.2",
	  "10.0.0.1", "80", true },
	/* 1.4: ports */
	{ "a name is the number of the pod", IN("[{ports: [{port: http}]}]"), "api", "web", "80",
	  true },
	{ "the first container's", IN("[{ports: [{port: http}]}]"), "api", "web", "81", false },
	{ "egress: the number of the peer", OUT("[{ports: [{port: http}]}]"), "web", "api", "8080",
	  true },
	{ "egress: not the own number", OUT("[{ports: [{port: http}]}]"), "web", "api", "80",
	  false },
	{ "different pods, different numbers: no cross product",
	  POLICY("b", ALL, "ingress: [{ports: [{port: http}]}]"), "shop/db", "api", "80", false },
	{ "a name has a protocol", IN("[{ports: [{port: dns}]}]"), "api", "web", "53/udp", false },
	{ "the same protocol", IN("[{ports: [{port: dns, protocol: UDP}]}]"), "api", "web",
	  "53/udp", true },
	{ "a pod without the name",
	  POLICY("b", ALL, "ingress: [{ports: [{port: dns, protocol: UDP}]}]"), "web", "api",
	  "53/udp", false },
	{ "egress to a name without peers: not outside", OUT("[{ports: [{port: http}]}]"), "web",
	  "203.0.113.1", "80", false },
	{ "egress to a name in a block: pods in it that have it",
	  OUT("[{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: http}]}]"), "10.0.0.1",
	  "10.0.0.2", "8080", true },
	{ "egress to a name in a block: others do not",
	  OUT("[{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: http}]}]"), "web", "shop/db",
	  "8080", false },
	{ "endPort: first", IN("[{ports: [{port: 80, endPort: 90}]}]"), "api", "web", "80", true },
	{ "endPort: last", IN("[{ports: [{port: 80, endPort: 90}]}]"), "api", "web", "90", true },
	{ "endPort: behind", IN("[{ports: [{port: 80, endPort: 90}]}]"), "api", "web", "91",
	  false },
	{ "endPort: before", IN("[{ports: [{port: 80, endPort: 90}]}]"), "api", "web", "79",
	  false },
	{ "endPort with peers",
	  IN("[{from: [{podSelector: {}}], ports: [{port: 80, endPort: 65535}]}]"), "api", "web",
	  "65535", true },
	{ "SCTP is not TCP", IN("[{ports: [{port: 80, protocol: SCTP}]}]"), "api", "web", "80",
	  false },
	{ "SCTP isolates, and allows", IN("[{ports: [{port: 80, protocol: SCTP}]}]"), "api", "web",
	  "80/sctp", true },
	/* 1.5: traffic classes */
	{ "a pod reaches itself", IN("[]") OUT("[]"), "web", "web", "80", true },
	{ "its node reaches it", IN("[]"), "192.0.2.1", "web", "80", true },
	{ "whatever a block says", FROM("[{ipBlock: {cidr: 0.0.0.0/0, except: [192.0.2.0/24]}}]"),
	  "192.0.2.1", "web", "80", true },
	{ "it reaches its node", OUT("[]"), "web", "192.0.2.1", "80", true },
	{ "another node is an address", IN("[]"), "192.0.2.2", "web", "80", false },
	{ "to another node, too", OUT("[]"), "web", "192.0.2.2", "80", false },
	{ "a pod on the node's network is never a peer", FROM("[{podSelector: {}}]"), "host", "web",
	  "80", false },
	{ "but its address can be named", FROM("[{ipBlock: {cidr: 192.0.2.2/32}}]"), "host", "web",
	  "80", true },
	{ "nor a subject", IN("[]"), "api", "host", "80", true },
	{ "nor does it have names", OUT("[{ports: [{port: http}]}]"), "web", "host", "80", false },
	{ "its node's pods it reaches", POLICY("b", ALL, "ingress: []"), "host", "api", "80",
	  true },
	/* 1.6: life cycle */
	{ "a finished pod's address is another's by now",
	  FROM("[{podSelector: {matchLabels: {was: here}}}]"), "10.0.1.1", "web", "80", false },
	{ "a finished pod is no subject", IN("[]"), "web", "10.0.1.1", "80", true },
	{ "a pending pod with an address counts",
	  FROM("[{podSelector: {matchLabels: {app: api}}}]"), "api", "web", "80", true },
	{ "a terminating pod counts", FROM("[" DB "]"), "shop/db", "web", "80", true },
	{ "a pod without an address breaks nothing", FROM("[{podSelector: {}}]"), "new", "web",
	  "80", true },
	{ "all addresses count: IPv6", FROM("[{podSelector: {matchLabels: {app: api}}}]"),
	  "fd00::2", "fd00::1", "80", true },
	{ "only IPv6", FROM("[{namespaceSelector: {}, podSelector: {matchLabels: {app: six}}}]"),
	  "shop/six", "web", "80", true },
	{ "only IPv6 as subject", POLICY("b", ALL, "ingress: []"), "shop/six", "web", "80", false },
	{ "egress to a pod", TO("[" DB "]"), "web", "shop/db", "5432", true },
	{ "egress to others", TO("[" DB "]"), "web", "api", "5432", false },
};

/* As both nodes see it. */
static bool compiled_says(const struct world *world, const struct connection *connection)
{
	const struct pod *pods[] = { connection->from.pod, connection->to.pod };
	bool allowed = true;

	for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
		struct packet packet = { connection->from.ip, connection->to.ip,
					 connection->protocol, connection->port };
		struct compiled compiled;

		if (!pods[i])
			continue;
		packet.own = node_has_ip(world, pods[i]->node, &packet.from) ||
			     node_has_ip(world, pods[i]->node, &packet.to);
		compile(world, pods[i]->node, &arena, &compiled);
		allowed = allowed && compiled_allows(&compiled, &packet);
	}
	return allowed;
}

static void check_row(const struct row *row)
{
	const char *texts[] = { cluster, row->policies };
	struct connection connections[2];
	enum protocol protocol = PROTOCOL_OTHER;
	struct error err = { 0 };
	struct world world;
	struct end from, to;
	uint16_t port = 0;
	size_t n;

	check_str(world_read(&world, texts, 2), "");
	check_ok(end_find(&world, row->from, &arena, &from, &err), err);
	check_ok(end_find(&world, row->to, &arena, &to, &err), err);
	if (!streq(row->port, "other"))
		check_ok(end_port(row->port, &protocol, &port, &err), err);
	n = end_connections(&from, &to, protocol, port, connections);
	unit_check(n > 0, __FILE__, __LINE__, "%s: no connection", row->section);
	for (size_t i = 0; i < n; i++) {
		struct verdict verdict;
		bool allowed;

		verdict_of(&world, &connections[i], &verdict);
		allowed = verdict.allowed;
		unit_check(allowed == row->allowed, __FILE__, __LINE__, "%s: %s", row->section,
			   allowed ? "allowed" : "denied");
		if (connections[i].from.ip.family)
			unit_check(compiled_says(&world, &connections[i]) == allowed, __FILE__,
				   __LINE__, "%s: compiled otherwise", row->section);
	}
	arena_free(&arena);
}

TEST(every_row_of_the_contract)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i]);
}
