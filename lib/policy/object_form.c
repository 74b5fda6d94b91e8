/* See object_form.h. */
#include "policy/object_form.h"

/* ---- any object ---- */

static const struct field meta_fields[] = {
	{ "namespace", FIELD_STRING, offsetof(struct object_form, space) },
	{ "name", FIELD_STRING, offsetof(struct object_form, name), FIELD_REQUIRED },
	FIELDS_END,
};
const struct field object_form_fields[] = {
	{ "apiVersion", FIELD_STRING, offsetof(struct object_form, version) },
	{ "kind", FIELD_STRING, offsetof(struct object_form, kind) },
	{ "metadata", FIELD_OBJECT, 0, FIELD_REQUIRED, .fields = meta_fields },
	FIELDS_END,
};

/* ---- nodes ---- */

static const struct field address_fields[] = {
	{ "address", FIELD_STRING, offsetof(struct node_address, ip) },
	FIELDS_END,
};
static const struct field node_spec_fields[] = {
	{ "podCIDR", FIELD_CIDR, offsetof(struct node_form, pod_cidr) },
	{ "podCIDRs", FIELD_LIST, offsetof(struct node_form, pod_cidrs), .element = FIELD_CIDR,
	  .size = sizeof(struct cidr) },
	FIELDS_END,
};
static const struct field node_status_fields[] = {
	{ "addresses", FIELD_LIST, offsetof(struct node_form, addresses), .element = FIELD_OBJECT,
	  .fields = address_fields, .size = sizeof(struct node_address) },
	FIELDS_END,
};
const struct field node_form_fields[] = {
	{ "spec", FIELD_OBJECT, 0, .fields = node_spec_fields },
	{ "status", FIELD_OBJECT, 0, .fields = node_status_fields },
	FIELDS_END,
};

/* ---- pods ---- */

#define POD(member) offsetof(struct pod_form, member)

static const struct field container_port_fields[] = {
	{ "name", FIELD_STRING, offsetof(struct container_port_form, name) },
	{ "containerPort", FIELD_INT, offsetof(struct container_port_form, number), FIELD_REQUIRED,
	  .min = 1, .max = 65535 },
	{ "protocol", FIELD_ENUM, offsetof(struct container_port_form, protocol),
	  .names = protocol_names },
	FIELDS_END,
};
static const struct field container_fields[] = {
	{ "ports", FIELD_LIST, offsetof(struct container, ports), .element = FIELD_OBJECT,
	  .fields = container_port_fields, .size = sizeof(struct container_port_form) },
	FIELDS_END,
};
static const struct field pod_ip_fields[] = {
	{ "ip", FIELD_IP, offsetof(struct pod_ip, ip) },
	FIELDS_END,
};
static const struct field pod_spec_fields[] = {
	{ "nodeName", FIELD_STRING, POD(node) },
	{ "hostNetwork", FIELD_BOOL, POD(host_network) },
	{ "containers", FIELD_LIST, POD(containers), .element = FIELD_OBJECT,
	  .fields = container_fields, .size = sizeof(struct container) },
	FIELDS_END,
};
static const struct field pod_status_fields[] = {
	{ "phase", FIELD_STRING, POD(phase) },
	{ "podIP", FIELD_IP, POD(ip) },
	{ "podIPs", FIELD_LIST, POD(ips), .element = FIELD_OBJECT, .fields = pod_ip_fields,
	  .size = sizeof(struct pod_ip) },
	{ "hostIP", FIELD_IP, POD(host_ip) },
	{ "hostIPs", FIELD_LIST, POD(host_ips), .element = FIELD_OBJECT, .fields = pod_ip_fields,
	  .size = sizeof(struct pod_ip) },
	FIELDS_END,
};
const struct field pod_form_fields[] = {
	{ "spec", FIELD_OBJECT, 0, .fields = pod_spec_fields },
	{ "status", FIELD_OBJECT, 0, .fields = pod_status_fields },
	FIELDS_END,
};

/* ---- what is kept of them ---- */

static const struct field kept_meta_fields[] = {
	{ "namespace", FIELD_JSON },
	{ "name", FIELD_JSON },
	{ "uid", FIELD_JSON },
	{ "labels", FIELD_JSON },
	FIELDS_END,
};
static const struct field kept_always[] = {
	{ "metadata", FIELD_OBJECT, .fields = kept_meta_fields },
	FIELDS_END,
};
static const struct field kept_spec[] = { { "spec", FIELD_JSON }, FIELDS_END };
static const struct field kept_nothing[] = { FIELDS_END };

const struct object_kind object_kinds[] = {
	{ "Namespace", "namespace", "v1", "namespaces", .kept = kept_nothing },
	{ "Node", "node", "v1", "nodes", .kept = node_form_fields },
	{ "Pod", "pod", "v1", "pods", .in_space = true, .kept = pod_form_fields },
	{ "NetworkPolicy", "networkpolicy", "networking.k8s.io/v1", "networkpolicies",
	  .in_space = true, .kept = kept_spec },
	{ "ClusterNetworkPolicy", "clusternetworkpolicy", "policy.networking.k8s.io/v1alpha2",
	  "clusternetworkpolicies", .optional = true, .kept = kept_spec },
	{ 0 },
};

const struct object_kind *object_kind_find(const char *name)
{
	for (const struct object_kind *kind = object_kinds; name && kind->name; kind++)
		if (streq(kind->name, name))
			return kind;
	return NULL;
}

struct json *object_trim(const struct object_kind *kind, const struct json *object)
{
	struct json *trimmed = json_new_object();

	json_set(trimmed, "kind", json_new_string(kind->name));
	json_set(trimmed, "apiVersion", json_new_string(kind->version));
	json_project(object, kept_always, trimmed);
	json_project(object, kind->kept, trimmed);
	return trimmed;
}
