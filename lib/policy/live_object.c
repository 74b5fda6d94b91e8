/* See live_object.h. */
#include "policy/live_object.h"

void live_objects_init(struct live_objects *objects)
{
	*objects = (struct live_objects){ 0 };
	objects->keys.arena = objects->names.arena = &objects->arena;
}

static void empty(struct live_objects *objects, struct live_object *object)
{
	objects->n -= object->text != NULL;
	objects->n_refused -= object->refused;
	objects->n_told -= object->told.n > 0;
	free(object->key);
	free(object->text);
	free(object->uid);
	free(object->told.items);
	free(object->told_uid);
	*object = (struct live_object){ 0 };
}

void live_objects_free(struct live_objects *objects)
{
	list_each(object, &objects->items)
		empty(objects, object);
	arena_free(&objects->arena);
}

static const char *key_of(const struct object_kind *kind, const char *space, const char *name,
			  struct arena *arena)
{
	return kind->in_space ? arena_printf(arena, "%s %s/%s", kind->word, space, name)
			      : arena_printf(arena, "%s %s", kind->word, name);
}

struct live_object *live_object_find(struct live_objects *objects, const struct object_kind *kind,
				     const char *space, const char *name)
{
	auto_arena struct arena scratch = { 0 };
	symbol_t number = symbol_find(&objects->keys, key_of(kind, space, name, &scratch));
	struct live_object *object = number ? &objects->items.items[number - 1] : NULL;

	return object && object->key ? object : NULL;
}

/* Space and name are parts of the key, with a NUL of their own. */
static void name_object(struct live_object *object, const struct object_kind *kind,
			const char *space, const char *name, const char *key)
{
	size_t key_size = strlen(key) + 1, space_size = strlen(space) + 1;
	size_t name_size = strlen(name) + 1;
	char *text = xrealloc(NULL, key_size + space_size + name_size);

	object->key = memcpy(text, key, key_size);
	object->space = memcpy(text + key_size, space, space_size);
	object->name = memcpy(text + key_size + space_size, name, name_size);
	object->kind = kind;
}

struct live_object *live_object_open(struct live_objects *objects, const struct object_kind *kind,
				     const char *space, const char *name)
{
	auto_arena struct arena scratch = { 0 };
	const char *key = key_of(kind, space, name, &scratch);
	symbol_t number = symbol_add(&objects->keys, key);
	struct live_object *object = number > objects->items.n
					     ? list_add(&objects->arena, &objects->items)
					     : &objects->items.items[number - 1];

	if (!object->key)
		name_object(object, kind, space, name, key);
	return object;
}

void live_object_forget(struct live_objects *objects, struct live_object *object)
{
	empty(objects, object);
}

void live_object_refuse(struct live_objects *objects, struct live_object *object, bool refused)
{
	objects->n_refused += refused;
	objects->n_refused -= object->refused;
	object->refused = refused;
}

/* ---- what a pod is told ---- */

void live_object_tell(struct live_objects *objects, struct live_object *object, const ips_t *ips,
		      const char *uid)
{
	objects->n_told -= object->told.n > 0;
	object->told.n = 0;
	if (!ips)
		return;
	object->told.items = xrealloc(object->told.items, ips->n * sizeof(*ips->items));
	memcpy(object->told.items, ips->items, ips->n * sizeof(*ips->items));
	object->told.n = ips->n;
	objects->n_told += object->told.n > 0;
	free(object->told_uid);
	object->told_uid = *uid ? strdup(uid) : object->uid ? strdup(object->uid) : NULL;
}

bool live_object_was_told(const struct live_object *object, const ips_t *ips)
{
	list_each(told, &object->told)
		list_each(ip, ips)
			if (ip_equal(ip, told))
				return true;
	return false;
}

static bool differs(const char *a, const char *b)
{
	return a && b && *a && *b && !streq(a, b);
}

bool live_object_is_another(const struct live_object *object, const char *uid)
{
	return differs(object->uid, uid);
}

void live_object_check_told(struct live_objects *objects, struct live_object *object,
			    const struct json *json)
{
	const struct json *ips = json_member(json_member(json, "status"), "podIPs");
	bool known = differs(object->told_uid, object->uid);

	for (size_t i = 0; i < json_length(ips) && !known; i++) {
		const char *word = json_string(json_member(json_item(ips, i), "ip"));
		struct ip ip;

		known = word && ip_parse(word, &ip) &&
			live_object_was_told(object, &(const ips_t){ .items = &ip, .n = 1 });
	}
	if (known)
		live_object_tell(objects, object, NULL, NULL);
}

void live_object_add_told(const struct live_object *object, struct json *json)
{
	struct json *status = json_member(json, "status"), *ips;
	char text[IP_TEXT_SIZE];

	if (!object->told.n)
		return;
	if (!json_is_object(status)) {
		status = json_new_object();
		json_set(json, "status", status);
	}
	ips = json_member(status, "podIPs");
	if (!json_is_array(ips)) {
		ips = json_new_array();
		json_set(status, "podIPs", ips);
	}
	list_each(ip, &object->told) {
		struct json *item = json_new_object();

		json_set(item, "ip", json_new_string(ip_format(ip, text)));
		json_append(ips, item);
	}
}

/* ---- names ---- */

void live_objects_tidy(struct live_objects *objects)
{
	struct live_objects tidy;

	live_objects_init(&tidy);
	for (size_t i = 1; i < objects->names.texts.n; i++)
		symbol_add(&tidy.names, objects->names.texts.items[i].text);
	list_each(object, &objects->items) {
		if (!object->key)
			continue;
		symbol_add(&tidy.keys, object->key);
		*list_add(&tidy.arena, &tidy.items) = *object;
	}
	tidy.n = objects->n;
	tidy.n_refused = objects->n_refused;
	tidy.n_told = objects->n_told;
	arena_free(&objects->arena);
	*objects = tidy;
	objects->keys.arena = objects->names.arena = &objects->arena;
}
