/* See object.h. Pods, namespaces and nodes have far more fields than what is read here; only those are looked at. */
#include "policy/object.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/text.h"
#include "describe/path.h"
#include "policy/name.h"

#define TEXT_SIZE 1024
#define DEPTH_MAX 8 /* Lists in Lists */

/* ---- what is said ---- */

void reader_complain(struct reader *reader, const struct path *path, const char *format, ...)
{
	char where[PATH_TEXT_SIZE], text[TEXT_SIZE];
	size_t len = 0;
	va_list args;

	if (*path_text(path, where))
		len = (size_t)snprintf(text, sizeof(text), "%s: ", where);
	va_start(args, format);
	vsnprintf(text + len, sizeof(text) - len, format, args);
	va_end(args);
	reader->failed = true;
	text_mask(text);
	reader->report(reader->arg, true, reader->object, text);
}

static void report_json(void *arg, bool is_error, const char *text)
{
	struct reader *reader = arg;
	char masked[TEXT_SIZE];

	snprintf(masked, sizeof(masked), "%s", text);
	text_mask(masked);
	reader->failed |= is_error;
	reader->report(reader->arg, is_error, reader->object, masked);
}

bool reader_decode_strict(struct reader *reader, const struct json *json,
			  const struct field *fields, void *out, struct arena *arena)
{
	return json_decode_strict(json, fields, out, arena, report_json, reader) >= 0;
}

/* As json_decode(), the error reported. */
static bool decode(struct reader *reader, const struct json *json, const struct field *fields,
		   void *out, struct arena *arena)
{
	struct error err = { 0 };

	if (json_decode(json, fields, out, arena, &err) >= 0)
		return true;
	report_json(reader, true, err.message);
	return false;
}

/* ---- labels ---- */

/* null is "", as Go reads it into a string. */
static void read_label(struct reader *reader, const struct path *path, const char *key,
		       const struct json *json, labels_t *labels)
{
	struct path node = { .parent = path, .key = key };
	const char *value = json_is_null(json) ? "" : json_string(json);
	const char *wrong = name_wrong_label_key(key);
	struct label label;

	if (wrong) {
		reader_complain(reader, path, "\"%s\" %s", key, wrong);
		return;
	}
	if (!value) {
		reader_complain(reader, &node, "expected a string");
		return;
	}
	wrong = name_wrong_label_value(value);
	if (wrong) {
		reader_complain(reader, &node, "\"%s\" %s", value, wrong);
		return;
	}
	label = label_make(&reader->world->symbols, key, value);
	if (!label_find(labels, label.key))
		*list_add(reader->world->arena, labels) = label;
}

void reader_labels(struct reader *reader, const struct path *path, const struct json *json,
		   labels_t *labels)
{
	if (!json || json_is_null(json))
		return;
	if (!json_is_object(json)) {
		reader_complain(reader, path, "expected an object");
		return;
	}
	for (void *i = json_first(json); i; i = json_next(json, i))
		read_label(reader, path, json_iter_key(i), json_iter_value(i), labels);
}

/* ---- namespaces and nodes ---- */

/* The labels of metadata; the path begins at the document. */
static void read_labels(struct reader *reader, const struct json *json, labels_t *labels)
{
	static const struct path metadata = { .key = "metadata" };
	static const struct path path = { .parent = &metadata, .key = "labels" };

	reader_labels(reader, &path, json_member(json_member(json, "metadata"), "labels"), labels);
}

static void space_read(struct reader *reader, const struct object_meta *meta,
		       const struct json *json)
{
	uint32_t number = world_space(reader->world, meta->name);
	struct space *space = &reader->world->spaces.items[number];

	if (space->declared)
		reader_complain(reader, NULL, "is there twice");
	space->declared = true;
	read_labels(reader, json, &space->labels); /* the name's own label is there, and stays */
}

struct address {
	const char *ip;
};

struct node_form {
	LIST(struct address) addresses;
};

static const struct field address_fields[] = {
	{ "address", FIELD_STRING, offsetof(struct address, ip) },
	FIELDS_END,
};
static const struct field node_status_fields[] = {
	{ "addresses", FIELD_LIST, offsetof(struct node_form, addresses), .element = FIELD_OBJECT,
	  .fields = address_fields, .size = sizeof(struct address) },
	FIELDS_END,
};
static const struct field node_fields[] = {
	{ "status", FIELD_OBJECT, 0, .fields = node_status_fields },
	FIELDS_END,
};

static void add_ip(struct arena *arena, ips_t *ips, const struct ip *ip)
{
	list_each(own, ips)
		if (ip_equal(own, ip))
			return;
	*list_add(arena, ips) = *ip;
}

/* Addresses of nodes are host names, too: those are passed over. */
static void node_read(struct reader *reader, const struct object_meta *meta,
		      const struct json *json)
{
	auto_arena struct arena scratch = { 0 };
	struct node_form form = { 0 };
	struct node *node = world_node(reader->world, meta->name);

	if (!decode(reader, json, node_fields, &form, &scratch))
		return;
	list_each(address, &form.addresses) {
		struct ip ip;

		if (address->ip && ip_parse(address->ip, &ip))
			add_ip(reader->world->arena, &node->ips, &ip);
	}
}

/* ---- pods ---- */

struct pod_ip {
	struct ip ip;
};
typedef LIST(struct pod_ip) pod_ips_t;

struct port_form {
	const char *name;
	int number;
	int protocol;
};

struct container {
	LIST(struct port_form) ports;
};

struct pod_form {
	const char *node, *phase;
	bool host_network;
	LIST(struct container) containers;
	struct ip ip, host_ip;
	pod_ips_t ips, host_ips;
};

#define POD(member) offsetof(struct pod_form, member)

static const struct field container_port_fields[] = {
	{ "name", FIELD_STRING, offsetof(struct port_form, name) },
	{ "containerPort", FIELD_INT, offsetof(struct port_form, number), FIELD_REQUIRED, .min = 1,
	  .max = 65535 },
	{ "protocol", FIELD_ENUM, offsetof(struct port_form, protocol), .names = protocol_names },
	FIELDS_END,
};
static const struct field container_fields[] = {
	{ "ports", FIELD_LIST, offsetof(struct container, ports), .element = FIELD_OBJECT,
	  .fields = container_port_fields, .size = sizeof(struct port_form) },
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
static const struct field pod_fields[] = {
	{ "spec", FIELD_OBJECT, 0, .fields = pod_spec_fields },
	{ "status", FIELD_OBJECT, 0, .fields = pod_status_fields },
	FIELDS_END,
};

static void add_ips(struct arena *arena, ips_t *ips, const struct ip *ip, const pod_ips_t *more)
{
	if (ip->family)
		add_ip(arena, ips, ip);
	list_each(item, more)
		if (item->ip.family)
			add_ip(arena, ips, &item->ip);
}

/* A name that two containers have is the first one's, as for a Service. */
static void read_ports(struct reader *reader, const struct pod_form *form, struct pod *pod)
{
	list_each(container, &form->containers)
		list_each(port, &container->ports) {
			bool named = port->name && *port->name;

			*list_add(reader->world->arena, &pod->ports) = (struct container_port){
				.name = named ? symbol_add(&reader->world->symbols, port->name) : 0,
				.protocol = (enum protocol)port->protocol,
				.port = (uint16_t)port->number,
			};
		}
}

static struct pod *pod_new(struct reader *reader, const struct object_meta *meta)
{
	struct world *world = reader->world;
	auto_arena struct arena scratch = { 0 };
	const char *text = arena_printf(&scratch, "%s/%s", meta->space, meta->name);
	struct pod *pod;

	if (symbol_add(&world->pod_names, text) <= world->pods.n) {
		reader_complain(reader, NULL, "is there twice");
		return NULL;
	}
	pod = list_add(world->arena, &world->pods);
	pod->name = symbol_add(&world->symbols, meta->name);
	pod->space = world_space(world, meta->space);
	return pod;
}

/* What a pod says of its node's addresses is as good as what the node says. */
static void pod_fill(struct reader *reader, const struct pod_form *form, struct pod *pod)
{
	struct world *world = reader->world;
	bool placed = form->node && *form->node;
	struct node *node = placed ? world_node(world, form->node) : NULL;

	pod->node = placed ? node->name : 0;
	pod->host_network = form->host_network;
	pod->finished =
		form->phase && (streq(form->phase, "Succeeded") || streq(form->phase, "Failed"));
	add_ips(world->arena, &pod->ips, &form->ip, &form->ips);
	read_ports(reader, form, pod);
	if (placed && !pod->finished)
		add_ips(world->arena, &node->ips, &form->host_ip, &form->host_ips);
	if (placed && pod->host_network && !pod->finished)
		add_ips(world->arena, &node->ips, &form->ip, &form->ips);
}

static void pod_read(struct reader *reader, const struct object_meta *meta, const struct json *json)
{
	auto_arena struct arena scratch = { 0 };
	struct pod_form form = { 0 };
	labels_t labels = { 0 };
	struct pod *pod;

	if (!decode(reader, json, pod_fields, &form, &scratch))
		return;
	read_labels(reader, json, &labels);
	pod = reader->failed ? NULL : pod_new(reader, meta);
	if (!pod)
		return;
	pod->labels = labels;
	pod_fill(reader, &form, pod);
}

/* ---- any object ---- */

struct object_form {
	const char *version, *kind;
	const char *space, *name;
};

static const struct field meta_fields[] = {
	{ "namespace", FIELD_STRING, offsetof(struct object_form, space) },
	{ "name", FIELD_STRING, offsetof(struct object_form, name), FIELD_REQUIRED },
	FIELDS_END,
};
static const struct field object_fields[] = {
	{ "apiVersion", FIELD_STRING, offsetof(struct object_form, version) },
	{ "kind", FIELD_STRING, offsetof(struct object_form, kind) },
	{ "metadata", FIELD_OBJECT, 0, FIELD_REQUIRED, .fields = meta_fields },
	FIELDS_END,
};

static const struct kind {
	const char *name, *word, *version;
	bool in_space;
	void (*read)(struct reader *reader, const struct object_meta *meta,
		     const struct json *json);
} kinds[] = {
	{ "Namespace", "namespace", "v1", false, space_read },
	{ "Node", "node", "v1", false, node_read },
	{ "Pod", "pod", "v1", true, pod_read },
	{ "NetworkPolicy", "networkpolicy", "networking.k8s.io/v1", true, policy_read },
};

static const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

/* Another kind is none of ours to judge, but what looks like a slip of ours is. */
static void other_kind(struct reader *reader, const char *name)
{
	const char *names[ARRAY_SIZE(kinds)], *nearest;
	char text[TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		names[i] = kinds[i].name;
	nearest = nearest_word(name, names, ARRAY_SIZE(names));
	if (nearest) {
		reader_complain(reader, NULL, "kind: \"%s\" is unknown; did you mean \"%s\"?", name,
				nearest);
		return;
	}
	snprintf(text, sizeof(text), "kind: \"%s\" has no part in policies: passed over", name);
	text_mask(text);
	reader->report(reader->arg, false, reader->object, text);
}

static bool check_names(struct reader *reader, const struct kind *kind,
			const struct object_meta *meta)
{
	static const struct path metadata = { .key = "metadata" };
	static const struct path name = { .parent = &metadata, .key = "name" };
	static const struct path space = { .parent = &metadata, .key = "namespace" };
	const char *wrong = kind->read == space_read ? name_wrong_namespace(meta->name)
						     : name_wrong_object(meta->name);

	if (wrong)
		reader_complain(reader, &name, "\"%s\" %s", meta->name, wrong);
	wrong = kind->in_space ? name_wrong_namespace(meta->space) : NULL;
	if (wrong)
		reader_complain(reader, &space, "\"%s\" %s", meta->space, wrong);
	return !reader->failed;
}

static void read_kind(struct reader *reader, const struct kind *kind, const char *version,
		      const struct object_meta *meta, const struct json *json)
{
	auto_arena struct arena scratch = { 0 };
	char *object = kind->in_space ? arena_printf(&scratch, "%s %s/%s", kind->word, meta->space,
						     meta->name)
				      : arena_printf(&scratch, "%s %s", kind->word, meta->name);

	text_mask(object);
	reader->object = object;
	if (!streq(version, kind->version))
		reader_complain(reader, NULL, "apiVersion: \"%s\" is not \"%s\"", version,
				kind->version);
	else if (check_names(reader, kind, meta))
		kind->read(reader, meta, json);
	reader->object = "object";
}

/* The kind, or that of the list that it is in; API answers leave it away there. */
static void read_one(struct reader *reader, const struct json *json, const struct kind *listed)
{
	auto_arena struct arena scratch = { 0 };
	struct object_form form = { .version = listed ? listed->version : NULL,
				    .kind = listed ? listed->name : NULL };
	const char *named = json_string(json_member(json, "kind"));
	const struct kind *kind = named ? kind_find(named) : listed;
	struct object_meta meta;

	if (named && !kind) {
		other_kind(reader, named);
		return;
	}
	reader->object = kind ? kind->word : "object";
	if (!decode(reader, json, object_fields, &form, &scratch))
		return;
	if (!form.kind || !form.version) {
		reader_complain(reader, NULL, "%s: required", form.kind ? "apiVersion" : "kind");
		return;
	}
	meta = (struct object_meta){ .space = form.space && *form.space ? form.space : "default",
				     .name = form.name };
	read_kind(reader, kind, form.version, &meta, json);
}

/* PodList and the like; NULL = not one of those. */
static const struct kind *list_kind(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(kinds); i++)
		if (has_prefix(name, kinds[i].name) && streq(name + strlen(kinds[i].name), "List"))
			return &kinds[i];
	return NULL;
}

static void read_document(struct reader *reader, const struct json *json, const struct kind *listed,
			  unsigned depth)
{
	const char *name = json_string(json_member(json, "kind"));
	const struct kind *items = list_kind(name);
	const struct json *list = json_member(json, "items");

	if (!items && !(name && streq(name, "List"))) {
		reader->failed = false;
		reader->object = "object";
		read_one(reader, json, listed);
		reader->n_refused += reader->failed;
		return;
	}
	if (depth > DEPTH_MAX || (list && !json_is_null(list) && !json_is_array(list))) {
		reader->object = "list";
		reader_complain(reader, NULL, "items: expected a list of objects");
		reader->n_refused++;
		return;
	}
	for (size_t i = 0; json_is_array(list) && i < json_length(list); i++)
		read_document(reader, json_item(list, i), items, depth + 1);
}

void reader_add(struct reader *reader, const struct json *document, const struct json *list)
{
	const char *name = json_string(json_member(list, "kind"));
	const struct kind *listed = list_kind(name);

	reader->object = "list";
	if (name && !listed && !streq(name, "List") && !json_member(document, "kind"))
		other_kind(reader, name);
	else
		read_document(reader, document, listed, 0);
}
