/* See object.h. Pods, namespaces and nodes have far more fields than what is read here; only those are looked at. */
#include "policy/object.h"

#include <stdio.h>
#include <strings.h>

#include "base/text.h"
#include "describe/path.h"
#include "policy/name.h"

#define TEXT_SIZE 1024
#define DEPTH_MAX 8 /* Lists in Lists */

/* ---- namespaces and nodes ---- */

/* The labels of metadata; the path begins at the document. */
static void read_labels(struct reader *reader, const struct json *json, labels_t *labels)
{
	static const struct path metadata = { .key = "metadata" };
	static const struct path path = { .parent = &metadata, .key = "labels" };

	reader_labels(reader, &path, json_member(json_member(json, "metadata"), "labels"), labels);
}

static void space_remove(struct world *world, const char *in unused, const char *name)
{
	symbol_t number = symbol_find(&world->space_names, name);
	struct space *space = number ? &world->spaces.items[number - 1] : NULL;

	if (!space)
		return;
	space->declared = false;
	space->labels.n = 1;
}

static void space_read(struct reader *reader, const struct object_meta *meta,
		       const struct json *json)
{
	uint32_t number = world_space(reader->world, meta->name);
	struct space *space = &reader->world->spaces.items[number];

	if (space->declared && !reader->replace)
		reader_complain(reader, NULL, "is there twice");
	space->declared = true;
	space->labels.n = 1; /* the name's own */
	read_labels(reader, json, &space->labels);
}

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

	if (node->declared && !reader->replace)
		reader_complain(reader, NULL, "is there twice");
	node->declared = true;
	node->labels.n = 0;
	read_labels(reader, json, &node->labels);
	if (!reader_decode(reader, json, node_form_fields, &form, &scratch))
		return;
	list_each(cidr, &form.pod_cidrs)
		*list_add(reader->world->arena, &node->pod_cidrs) = cidr_network(cidr);
	if (form.pod_cidr.ip.family && !form.pod_cidrs.n)
		*list_add(reader->world->arena, &node->pod_cidrs) = cidr_network(&form.pod_cidr);
	list_each(address, &form.addresses) {
		struct ip ip;

		if (address->ip && ip_parse(address->ip, &ip))
			add_ip(reader->world->arena, &node->ips, &ip);
	}
}

/* ---- pods ---- */

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
	symbol_t number = symbol_add(&world->pod_names, text);
	struct pod *pod;

	if (number <= world->pods.n && !reader->replace) {
		reader_complain(reader, NULL, "is there twice");
		return NULL;
	}
	pod = number <= world->pods.n ? &world->pods.items[number - 1]
				      : list_add(world->arena, &world->pods);
	*pod = (struct pod){ 0 };
	pod->name = symbol_add(&world->symbols, meta->name);
	pod->space = world_space(world, meta->space);
	return pod;
}

/* Its number stays: it takes no part, and has no address. */
static void pod_remove(struct world *world, const char *space, const char *name)
{
	auto_arena struct arena scratch = { 0 };
	symbol_t number =
		symbol_find(&world->pod_names, arena_printf(&scratch, "%s/%s", space, name));
	struct pod *pod = number ? &world->pods.items[number - 1] : NULL;

	if (pod)
		*pod = (struct pod){ .name = pod->name, .space = pod->space, .finished = true };
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

	if (!reader_decode(reader, json, pod_form_fields, &form, &scratch))
		return;
	read_labels(reader, json, &labels);
	pod = reader->failed ? NULL : pod_new(reader, meta);
	if (!pod)
		return;
	pod->labels = labels;
	pod_fill(reader, &form, pod);
}

/* ---- any object ---- */

/* In the order of object_kinds. Without remove: only a world made anew is without the object. */
static const struct {
	void (*read)(struct reader *reader, const struct object_meta *meta,
		     const struct json *json);
	void (*remove)(struct world *world, const char *space, const char *name);
} hands[] = {
	{ space_read, space_remove },
	{ node_read },
	{ pod_read, pod_remove },
	{ policy_read, policy_remove },
	{ cluster_policy_read, cluster_policy_remove },
};

bool object_changes_alone(const struct object_kind *kind)
{
	return hands[kind - object_kinds].remove;
}

void object_remove(struct world *world, const struct object_kind *kind, const char *space,
		   const char *name)
{
	hands[kind - object_kinds].remove(world, space, name);
}

/* Another kind is none of ours to judge, but what looks like a slip of ours is. */
static void other_kind(struct reader *reader, const char *name)
{
	const char *names[ARRAY_SIZE(hands)], *nearest;
	char text[TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(hands); i++)
		names[i] = object_kinds[i].name;
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

static bool check_names(struct reader *reader, const struct object_kind *kind,
			const struct object_meta *meta)
{
	static const struct path metadata = { .key = "metadata" };
	static const struct path name = { .parent = &metadata, .key = "name" };
	static const struct path space = { .parent = &metadata, .key = "namespace" };
	const char *wrong = streq(kind->name, "Namespace") ? name_wrong_namespace(meta->name)
							   : name_wrong_object(meta->name);

	if (wrong)
		reader_complain(reader, &name, "\"%s\" %s", meta->name, wrong);
	wrong = kind->in_space ? name_wrong_namespace(meta->space) : NULL;
	if (wrong)
		reader_complain(reader, &space, "\"%s\" %s", meta->space, wrong);
	return !reader->failed;
}

static void read_kind(struct reader *reader, const struct object_kind *kind, const char *version,
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
	else if (check_names(reader, kind, meta) &&
		 (!reader->wanted || reader->wanted(reader->arg, kind, meta, json)))
		hands[kind - object_kinds].read(reader, meta, json);
	reader->object = "object";
}

void reader_read(struct reader *reader, const struct object_kind *kind,
		 const struct object_meta *meta, const struct json *json)
{
	reader->failed = false;
	read_kind(reader, kind, kind->version, meta, json);
	reader->n_refused += reader->failed;
}

/* The kind, or that of the list that it is in; API answers leave it away there. */
static void read_one(struct reader *reader, const struct json *json,
		     const struct object_kind *listed)
{
	auto_arena struct arena scratch = { 0 };
	struct object_form form = { .version = listed ? listed->version : NULL,
				    .kind = listed ? listed->name : NULL };
	const char *named = json_string(json_member(json, "kind"));
	const struct object_kind *kind = named ? object_kind_find(named) : listed;
	struct object_meta meta;

	if (named && !kind) {
		other_kind(reader, named);
		return;
	}
	reader->object = kind ? kind->word : "object";
	if (!reader_decode(reader, json, object_form_fields, &form, &scratch))
		return;
	if (!kind || !form.kind || !form.version) {
		reader_complain(reader, NULL, "%s: required", form.kind ? "apiVersion" : "kind");
		return;
	}
	meta = (struct object_meta){ .space = form.space && *form.space ? form.space : "default",
				     .name = form.name };
	read_kind(reader, kind, form.version, &meta, json);
}

/* PodList and the like; NULL = not one of those. */
static const struct object_kind *list_kind(const char *name)
{
	for (const struct object_kind *kind = object_kinds; name && kind->name; kind++)
		if (has_prefix(name, kind->name) && streq(name + strlen(kind->name), "List"))
			return kind;
	return NULL;
}

static void read_document(struct reader *reader, const struct json *json,
			  const struct object_kind *listed, unsigned depth)
{
	const char *name = json_string(json_member(json, "kind"));
	const struct object_kind *items = list_kind(name);
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
	const struct object_kind *listed = list_kind(name);

	reader->object = "list";
	if (name && !listed && !streq(name, "List") && !json_member(document, "kind"))
		other_kind(reader, name);
	else
		read_document(reader, document, listed, 0);
}
