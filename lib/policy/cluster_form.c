/* See cluster_form.h. */
#include "policy/cluster_form.h"

#define AT(type, member) offsetof(struct type, member)
#define SELECTOR(key_, type, member, ...)                                               \
	{                                                                               \
		(key_), FIELD_OBJECT, AT(type, member), .fields = selector_form_fields, \
							##__VA_ARGS__                   \
	}
#define VALUES(key_, type, member, ...)                                                            \
	{                                                                                          \
		(key_), FIELD_LIST, AT(type, member), .element = FIELD_JSON,                       \
						      .size = sizeof(struct json *), ##__VA_ARGS__ \
	}

static const struct field pods_fields[] = {
	SELECTOR("namespaceSelector", pods_form, spaces),
	SELECTOR("podSelector", pods_form, pods, .flags = FIELD_REQUIRED),
	FIELDS_END,
};
#define PEERS_OF_PODS                                                            \
	SELECTOR("namespaces", cluster_peer_form, spaces,                        \
		 .seen = FIELD_SEEN(struct cluster_peer_form, spaces.given)),    \
	{                                                                        \
		"pods", FIELD_OBJECT, AT(cluster_peer_form, pods),               \
			.fields = pods_fields,                                   \
			.seen = FIELD_SEEN(struct cluster_peer_form, pods.given) \
	}
static const struct field ingress_peer_fields[] = { PEERS_OF_PODS, FIELDS_END };
static const struct field egress_peer_fields[] = {
	PEERS_OF_PODS,
	SELECTOR("nodes", cluster_peer_form, nodes,
		 .seen = FIELD_SEEN(struct cluster_peer_form, nodes.given)),
	{ "networks", FIELD_LIST, AT(cluster_peer_form, networks), .element = FIELD_STRING,
	  .size = sizeof(char *), .seen = FIELD_SEEN(struct cluster_peer_form, has_networks) },
	{ "domainNames", FIELD_LIST, AT(cluster_peer_form, domains), .element = FIELD_STRING,
	  .size = sizeof(char *), .seen = FIELD_SEEN(struct cluster_peer_form, has_domains) },
	FIELDS_END,
};
const struct field *const cluster_peer_fields[] = { ingress_peer_fields, egress_peer_fields };

static const struct field range_fields[] = {
	{ "start", FIELD_INT, AT(range_form, start), FIELD_REQUIRED, .min = 1, .max = 65535 },
	{ "end", FIELD_INT, AT(range_form, end), FIELD_REQUIRED, .min = 1, .max = 65535 },
	FIELDS_END,
};
static const struct field number_fields[] = {
	{ "number", FIELD_INT, AT(number_form, number), .min = 1, .max = 65535,
	  .seen = FIELD_SEEN(struct number_form, numbered) },
	{ "range", FIELD_OBJECT, AT(number_form, range), .fields = range_fields,
	  .seen = FIELD_SEEN(struct number_form, range.given) },
	FIELDS_END,
};
static const struct field protocol_fields[] = {
	{ "destinationPort", FIELD_OBJECT, AT(protocol_form, port), FIELD_REQUIRED,
	  .fields = number_fields, .seen = FIELD_SEEN(struct protocol_form, port.given) },
	FIELDS_END,
};
#define PROTOCOL(key_, protocol)                                                      \
	{                                                                             \
		(key_), FIELD_OBJECT, AT(protocols_form, by[protocol]),               \
			.fields = protocol_fields,                                    \
			.seen = FIELD_SEEN(struct protocols_form, by[protocol].given) \
	}
const struct field protocols_form_fields[] = {
	PROTOCOL("tcp", PROTOCOL_TCP),
	PROTOCOL("udp", PROTOCOL_UDP),
	PROTOCOL("sctp", PROTOCOL_SCTP),
	{ "destinationNamedPort", FIELD_STRING, AT(protocols_form, name) },
	FIELDS_END,
};

#define RULE(peers_key)                                                                \
	{ "name", FIELD_STRING, AT(cluster_rule_form, name) },                         \
		{ "action", FIELD_ENUM, AT(cluster_rule_form, action), FIELD_REQUIRED, \
		  .names = action_names },                                             \
		VALUES(peers_key, cluster_rule_form, peers),                           \
		VALUES("protocols", cluster_rule_form, protocols,                      \
		       .seen = FIELD_SEEN(struct cluster_rule_form, has_protocols)),   \
		FIELDS_END
static const struct field ingress_fields[] = { RULE("from") };
static const struct field egress_fields[] = { RULE("to") };
static const struct field subject_fields[] = {
	SELECTOR("namespaces", cluster_form, subject.spaces,
		 .seen = FIELD_SEEN(struct cluster_form, subject.spaces.given)),
	{ "pods", FIELD_OBJECT, AT(cluster_form, subject.pods), .fields = pods_fields,
	  .seen = FIELD_SEEN(struct cluster_form, subject.pods.given) },
	FIELDS_END,
};
static const struct field spec_fields[] = {
	{ "tier", FIELD_ENUM, AT(cluster_form, tier), FIELD_REQUIRED, .names = tier_names },
	{ "priority", FIELD_INT, AT(cluster_form, priority), FIELD_REQUIRED, .min = 0,
	  .max = CLUSTER_PRIORITY_MAX },
	{ "subject", FIELD_OBJECT, 0, FIELD_REQUIRED, .fields = subject_fields },
	{ "ingress", FIELD_LIST, AT(cluster_form, rules[INGRESS]), .element = FIELD_OBJECT,
	  .fields = ingress_fields, .size = sizeof(struct cluster_rule_form) },
	{ "egress", FIELD_LIST, AT(cluster_form, rules[EGRESS]), .element = FIELD_OBJECT,
	  .fields = egress_fields, .size = sizeof(struct cluster_rule_form) },
	FIELDS_END,
};
const struct field cluster_form_fields[] = {
	{ "apiVersion", FIELD_JSON, AT(cluster_form, unread) },
	{ "kind", FIELD_JSON, AT(cluster_form, unread) },
	{ "metadata", FIELD_JSON, AT(cluster_form, unread) },
	{ "spec", FIELD_OBJECT, 0, FIELD_REQUIRED, .fields = spec_fields },
	{ "status", FIELD_JSON, AT(cluster_form, unread) },
	FIELDS_END,
};
