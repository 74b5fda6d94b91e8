/* See denied.h. */
#include "policy/denied.h"

#include <netinet/in.h>
#include <stdio.h>

#include "base/text.h"
#include "policy/set.h"

#define AT(member)  offsetof(struct denied_flow, member)
#define ROW(member) offsetof(struct denied_row, member)

const struct field denied_fields[] = {
	{ "count", FIELD_UINT64, AT(count) },
	{ "from", FIELD_STRING, AT(from) },
	{ "fromPod", FIELD_STRING, AT(from_pod) },
	{ "to", FIELD_STRING, AT(to) },
	{ "toPod", FIELD_STRING, AT(to_pod) },
	{ "protocol", FIELD_STRING, AT(protocol) },
	{ "port", FIELD_INT, AT(port) },
	{ "direction", FIELD_STRING, AT(direction) },
	{ "group", FIELD_STRING, AT(group) },
	{ "policies", FIELD_LIST, AT(policies), FIELD_KEEP_EMPTY, .element = FIELD_STRING,
	  .size = sizeof(const char *) },
	FIELDS_END,
};
const struct field denied_row_fields[] = {
	{ "count", FIELD_UINT64, ROW(count) },
	{ "from", FIELD_STRING, ROW(from) },
	{ "to", FIELD_STRING, ROW(to) },
	{ "port", FIELD_STRING, ROW(port) },
	{ "direction", FIELD_STRING, ROW(direction) },
	{ "policies", FIELD_STRING, ROW(policies) },
	FIELDS_END,
};

void denied_init(struct denied *denied, const struct world *world, struct arena *arena)
{
	*denied = (struct denied){ .world = world, .arena = arena, .keys.arena = arena };
}

void denied_forget(struct denied *denied)
{
	struct arena *arena = denied->arena;
	uint64_t n_packets = denied->n_packets;

	if (denied->flows.n < DENIED_MAX)
		return;
	arena_free(arena);
	denied_init(denied, denied->world, arena);
	denied->n_packets = n_packets;
}

/* ---- names ---- */

static const char *protocol_text(const struct denied *denied, uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP: return protocol_names[PROTOCOL_TCP];
	case IPPROTO_UDP: return protocol_names[PROTOCOL_UDP];
	case IPPROTO_SCTP: return protocol_names[PROTOCOL_SCTP];
	case IPPROTO_ICMP: return "ICMP";
	case IPPROTO_ICMPV6: return "ICMPv6";
	default: return arena_printf(denied->arena, "IP %u", protocol);
	}
}

static const struct compiled *compiled_for(struct denied *denied, symbol_t node)
{
	struct compiled *made;

	list_each(compiled, &denied->nodes)
		if (compiled->node == node)
			return compiled;
	made = list_add(denied->arena, &denied->nodes);
	compile(denied->world, node, denied->arena, made);
	return made;
}

/* "ingress by a b" are two words. */
static void add_policies(struct denied *denied, const char *comment, struct denied_flow *flow)
{
	char *rest = arena_strdup(denied->arena, comment), *word;

	for (unsigned i = 0; (word = strsep(&rest, " ")); i++)
		if (i >= 2)
			*list_add(denied->arena, &flow->policies) = word;
}

/* The group is one of the subject's node, or the world is not that of whoever made the rules. */
static void find_group(struct denied *denied, enum direction direction, const struct pod *pod,
		       struct denied_flow *flow)
{
	flow->direction = direction_names[direction];
	if (!pod)
		return;
	list_each(group, &compiled_for(denied, pod->node)->groups)
		if (streq(group->name, flow->group))
			add_policies(denied, group->comment, flow);
}

/* A prefix begins with the group's name. */
static const char *group_of(const struct denied *denied, const char *prefix)
{
	return arena_memdup(denied->arena, prefix, strcspn(prefix, " :"));
}

static const char *pod_of(const struct denied *denied, const struct pod *pod)
{
	return pod ? pod_text(denied->world, pod, denied->arena) : NULL;
}

static void fill(struct denied *denied, const struct nflog_packet *packet, struct denied_flow *flow)
{
	const struct pod *from = world_pod_by_ip(denied->world, &packet->from);
	const struct pod *to = world_pod_by_ip(denied->world, &packet->to);
	char text[IP_TEXT_SIZE];

	flow->from = arena_strdup(denied->arena, ip_format(&packet->from, text));
	flow->to = arena_strdup(denied->arena, ip_format(&packet->to, text));
	flow->from_pod = pod_of(denied, from);
	flow->to_pod = pod_of(denied, to);
	flow->protocol = protocol_text(denied, packet->protocol);
	flow->port = packet->port;
	flow->group = group_of(denied, packet->prefix);
	for (int direction = 0; direction < DIRECTIONS; direction++)
		if (has_prefix(flow->group, group_words[direction]))
			find_group(denied, (enum direction)direction,
				   direction == INGRESS ? to : from, flow);
}

/* ---- counting ---- */

struct denied_flow *denied_add(struct denied *denied, const struct nflog_packet *packet)
{
	char key[NFLOG_PREFIX_SIZE + 2 * IP_TEXT_SIZE + 32], from[IP_TEXT_SIZE], to[IP_TEXT_SIZE];
	struct denied_flow *flow;
	symbol_t number;

	snprintf(key, sizeof(key), "%s %s %u %u %s", ip_format(&packet->from, from),
		 ip_format(&packet->to, to), packet->protocol, packet->port, packet->prefix);
	denied->n_packets++;
	number = symbol_find(&denied->keys, key);
	if (!number && denied->flows.n >= DENIED_MAX) {
		denied->n_other++;
		return NULL;
	}
	if (!number) {
		symbol_add(&denied->keys, key);
		flow = list_add(denied->arena, &denied->flows);
		fill(denied, packet, flow);
	} else {
		flow = &denied->flows.items[number - 1];
	}
	flow->count++;
	return flow;
}

/* ---- showing ---- */

struct denied_row denied_row_of(const struct denied_flow *flow, struct arena *arena)
{
	struct denied_row row = {
		.count = flow->count,
		.from = flow->from_pod ? flow->from_pod : flow->from,
		.to = flow->to_pod ? flow->to_pod : flow->to,
		.port = flow->port ? arena_printf(arena, "%s %d", flow->protocol, flow->port)
				   : flow->protocol,
		.direction = flow->direction,
		.policies = flow->policies.n ? "" : flow->group,
	};

	list_each(policy, &flow->policies)
		row.policies = arena_printf(arena, "%s%s%s", row.policies, *row.policies ? " " : "",
					    *policy);
	return row;
}

static int compare(uint64_t x, uint64_t y, const void *a, const void *b)
{
	return x != y ? (x < y) - (x > y) : (a > b) - (a < b);
}

static int compare_counts(const void *a, const void *b)
{
	const struct denied_flow *x = *(const struct denied_flow *const *)a;
	const struct denied_flow *y = *(const struct denied_flow *const *)b;

	return compare(x->count, y->count, x, y);
}

static int compare_news(const void *a, const void *b)
{
	const struct denied_flow *x = *(const struct denied_flow *const *)a;
	const struct denied_flow *y = *(const struct denied_flow *const *)b;

	return compare(x->count - x->shown, y->count - y->shown, x, y);
}

void denied_sort(const struct denied *denied, bool by_news, const struct denied_flow **sorted)
{
	size_t n = 0;

	list_each(flow, &denied->flows)
		sorted[n++] = flow;
	if (n)
		qsort(sorted, n, sizeof(*sorted), by_news ? compare_news : compare_counts);
}
