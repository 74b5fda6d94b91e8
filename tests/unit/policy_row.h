/*
 * A row of a table of connections: in a cluster that is always the same, policies, a connection, and whether it is
 * allowed. It is asked of the objects and of what is compiled for the nodes; the two must agree.
 */
#ifndef UNIT_POLICY_ROW_H
#define UNIT_POLICY_ROW_H

#include "policy.h"

#include "policy/compiled.h"
#include "policy/end.h"

static const char row_cluster[] =
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {team: a}}\n---\n"
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: b}}\n---\n"
	"apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {role: front}}\n"
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

struct row {
	const char *section, *policies, *from, *to, *port;
	bool allowed;
};

/* As both nodes see it. */
static inline bool row_compiled_says(const struct world *world, const struct connection *connection)
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

static inline void row_check_with(const struct row *row, object_report_fn *report)
{
	const char *texts[] = { row_cluster, row->policies };
	struct connection connections[2];
	enum protocol protocol = PROTOCOL_OTHER;
	struct error err = { 0 };
	struct world world;
	struct end from, to;
	uint16_t port = 0;
	size_t n = 0;

	world_read_with(&world, texts, 2, report, &n);
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
			unit_check(row_compiled_says(&world, &connections[i]) == allowed, __FILE__,
				   __LINE__, "%s: compiled otherwise", row->section);
	}
	arena_free(&arena);
}

static void row_refuse(void *arg, bool is_error, const char *object, const char *text)
{
	(void)arg, (void)is_error;
	unit_check(false, __FILE__, __LINE__, "%s: %s", object, text);
}

static inline void row_check(const struct row *row)
{
	row_check_with(row, row_refuse);
}

#endif
