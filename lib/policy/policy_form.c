/* See policy_form.h. */
#include "policy/policy_form.h"

#define AT(type, member) offsetof(struct type, member)
#define LIST_OF(key_, type, member, row)                                  \
	{                                                                 \
		(key_), FIELD_LIST, AT(type, member),                     \
			.element = FIELD_OBJECT, .fields = row,           \
			.size = sizeof(*((struct type *)0)->member.items) \
	}
#define WORDS(key_, type, member)                                                  \
	{                                                                          \
		(key_), FIELD_LIST, AT(type, member), .element = FIELD_STRING,     \
						      .size = sizeof(const char *) \
	}

static const struct field requirement_fields[] = {
	{ "key", FIELD_STRING, AT(requirement_form, key), FIELD_REQUIRED },
	{ "operator", FIELD_STRING, AT(requirement_form, op), FIELD_REQUIRED },
	WORDS("values", requirement_form, values),
	FIELDS_END,
};
const struct field selector_form_fields[] = {
	{ "matchLabels", FIELD_JSON, AT(selector_form, labels), FIELD_ANY_OBJECT },
	LIST_OF("matchExpressions", selector_form, expressions, requirement_fields),
	FIELDS_END,
};
static const struct field port_fields[] = {
	{ "protocol", FIELD_STRING, AT(port_form, protocol) },
	{ "port", FIELD_JSON, AT(port_form, port) },
	{ "endPort", FIELD_JSON, AT(port_form, end) },
	FIELDS_END,
};
static const struct field block_fields[] = {
	{ "cidr", FIELD_STRING, AT(block_form, cidr), FIELD_REQUIRED },
	WORDS("except", block_form, except),
	FIELDS_END,
};
static const struct field peer_fields[] = {
	{ "podSelector", FIELD_OBJECT, AT(peer_form, pods), .fields = selector_form_fields,
	  .seen = FIELD_SEEN(struct peer_form, pods.given) },
	{ "namespaceSelector", FIELD_OBJECT, AT(peer_form, spaces), .fields = selector_form_fields,
	  .seen = FIELD_SEEN(struct peer_form, spaces.given) },
	{ "ipBlock", FIELD_OBJECT, AT(peer_form, block), .fields = block_fields,
	  .seen = FIELD_SEEN(struct peer_form, block.given) },
	FIELDS_END,
};
static const struct field ingress_fields[] = {
	LIST_OF("ports", rule_form, ports, port_fields),
	LIST_OF("from", rule_form, peers, peer_fields),
	FIELDS_END,
};
static const struct field egress_fields[] = {
	LIST_OF("ports", rule_form, ports, port_fields),
	LIST_OF("to", rule_form, peers, peer_fields),
	FIELDS_END,
};
static const struct field spec_fields[] = {
	{ "podSelector", FIELD_OBJECT, AT(policy_form, pods), .fields = selector_form_fields },
	WORDS("policyTypes", policy_form, types),
	{ "ingress", FIELD_LIST, AT(policy_form, rules[INGRESS]), .element = FIELD_OBJECT,
	  .fields = ingress_fields, .size = sizeof(struct rule_form),
	  .seen = FIELD_SEEN(struct policy_form, given[INGRESS]) },
	{ "egress", FIELD_LIST, AT(policy_form, rules[EGRESS]), .element = FIELD_OBJECT,
	  .fields = egress_fields, .size = sizeof(struct rule_form),
	  .seen = FIELD_SEEN(struct policy_form, given[EGRESS]) },
	FIELDS_END,
};
const struct field policy_form_fields[] = {
	{ "apiVersion", FIELD_JSON, AT(policy_form, unread) },
	{ "kind", FIELD_JSON, AT(policy_form, unread) },
	{ "metadata", FIELD_JSON, AT(policy_form, unread) },
	{ "spec", FIELD_OBJECT, 0, .fields = spec_fields },
	{ "status", FIELD_JSON, AT(policy_form, unread) },
	FIELDS_END,
};
