/* See live.h. */
#include "policy/live.h"

#include "policy/enforce.h"
#include "policy/follow.h"
#include "policy/live_object.h"

enum { WASTE_MIN = 4096 }; /* objects that were replaced, before a world is made anew */

/* What was compiled at once, and what has been followed since. */
struct generation {
	struct arena arena, indexes;
	struct compiled compiled;
	struct recipes recipes;
	struct follow follow;
};

struct live {
	struct live_options options;
	char *node_name;
	struct live_objects objects;
	struct arena arena; /* of the world */
	struct world world;
	symbol_t node;
	struct generation *now, *before; /* before: what was settled, while now is not */
	bool stale;                      /* it has to be compiled */
	bool broken;                     /* the world has to be made anew */
	size_t waste;
	cidrs_t close;
	struct arena close_arena;
	struct arena scratch; /* of the difference */
	struct difference difference;
	struct live_counts counts;
};

static const struct compiled nothing = { .known = NO_SET, .subjects = { NO_SET, NO_SET } };

/* ---- generations ---- */

static void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	follow_end(&generation->follow);
	arena_free(&generation->arena);
	arena_free(&generation->indexes);
	free(generation);
}

static struct generation *generation_new(struct live *live)
{
	struct generation *new = xrealloc(NULL, sizeof(*new));

	*new = (struct generation){ .recipes.arena = NULL };
	new->recipes.arena = &new->arena;
	live->world.indexes = &new->indexes;
	world_index(&live->world);
	compile_noting(&live->world, live->node, &new->arena, &new->compiled, &new->recipes);
	compiled_close(&new->compiled, &live->world, live->node, &live->close);
	follow_start(&new->follow, &live->world, &new->compiled, &new->recipes, &new->arena);
	live->counts.compiled++;
	return new;
}

/* ---- life ---- */

static void world_begin(struct live *live)
{
	world_init(&live->world, &live->arena);
	live->node = symbol_add(&live->world.symbols, live->node_name);
}

void live_open(struct live **live_, const struct live_options *options)
{
	struct live *live = xrealloc(NULL, sizeof(*live));

	*live = (struct live){ .options = *options, .stale = true };
	live->node_name = strdup(options->node);
	if (!live->node_name)
		out_of_memory();
	live_objects_init(&live->objects);
	world_begin(live);
	*live_ = live;
}

void live_close(struct live *live)
{
	if (!live)
		return;
	generation_free(live->now);
	generation_free(live->before);
	live_objects_free(&live->objects);
	arena_free(&live->arena);
	arena_free(&live->close_arena);
	arena_free(&live->scratch);
	free(live->node_name);
	free(live);
}

/* ---- objects into the world ---- */

static void say_nothing(void *arg unused, bool is_error unused, const char *object unused,
			const char *text unused)
{
}

static void read_object(struct live *live, const struct live_object *object)
{
	struct reader reader = { .world = &live->world, .report = say_nothing, .replace = true };
	auto_json struct json *json = json_parse(object->text, strlen(object->text), NULL);
	const struct object_meta meta = { object->space, object->name };

	if (!json)
		return;
	live_object_add_told(object, json);
	reader_read(&reader, object->kind, &meta, json);
}

static symbol_t pod_number(const struct live *live, const struct live_object *object)
{
	auto_arena struct arena scratch = { 0 };

	return symbol_find(&live->world.pod_names,
			   arena_printf(&scratch, "%s/%s", object->space, object->name));
}

static bool is_subject(const struct live *live, const struct pod *pod)
{
	return pod->node == live->node && pod->ips.n && pod_takes_part(pod);
}

/* A pod that has changed in the world. */
static void pod_changed(struct live *live, uint32_t number, const struct pod *before)
{
	if (live->stale)
		return;
	if (is_subject(live, before) || is_subject(live, &live->world.pods.items[number])) {
		live->stale = true;
		return;
	}
	live->counts.followed++;
	live->stale = !follow_pod(&live->now->follow, number, before);
}

/* Pods tell of their nodes' addresses, too. */
static size_t count_node_ips(const struct world *world)
{
	size_t n = 0;

	list_each(node, &world->nodes)
		n += node->ips.n;
	return n;
}

/* The object as it is by now, or without it, in the world; which is made anew later where that cannot be done alone. */
static void apply(struct live *live, struct live_object *object, bool there)
{
	static const struct pod none = { .finished = true };
	bool pod = streq(object->kind->name, "Pod");
	symbol_t number = pod ? pod_number(live, object) : 0;
	struct pod before = number ? live->world.pods.items[number - 1] : none;
	size_t n_node_ips;

	live->waste++;
	live->broken = live->broken || !object_changes_alone(object->kind) ||
		       live->waste > WASTE_MIN + 2 * live->objects.items.n;
	if (live->broken) {
		live->stale = true;
		return;
	}
	n_node_ips = count_node_ips(&live->world);
	if (there)
		read_object(live, object);
	else
		object_remove(&live->world, object->kind, object->space, object->name);
	live->stale = live->stale || n_node_ips != count_node_ips(&live->world);
	number = pod ? pod_number(live, object) : 0;
	if (!pod)
		live->stale = true;
	else if (number)
		pod_changed(live, number - 1, &before);
}

static void make_anew(struct live *live)
{
	arena_free(&live->arena);
	world_begin(live);
	live_objects_tidy(&live->objects);
	list_each(object, &live->objects.items)
		if (object->text)
			read_object(live, object);
	live->broken = false;
	live->waste = 0;
	live->counts.made_anew++;
}

/* ---- objects that come ---- */

struct put {
	struct live *live;
	symbol_t source;
};

static char *uid_of(const struct json *json)
{
	const char *uid = json_string(json_member(json_member(json, "metadata"), "uid"));

	return uid && *uid ? strdup(uid) : NULL;
}

static void take(struct live *live, struct live_object *object, const struct json *trimmed,
		 const char *text)
{
	live->objects.n += !object->text;
	free(object->text);
	free(object->uid);
	object->text = strdup(text);
	object->uid = uid_of(trimmed);
	if (!object->text)
		out_of_memory();
	live_object_check_told(&live->objects, object, trimmed);
	apply(live, object, true);
}

/* In a world of its own: nothing of an object that is refused comes into ours. */
static bool is_valid(struct live *live, const struct object_kind *kind,
		     const struct object_meta *meta, const struct json *json)
{
	auto_arena struct arena scratch = { 0 };
	struct world world;
	struct reader reader = { .world = &world,
				 .report = live->options.report,
				 .arg = live->options.arg };

	world_init(&world, &scratch);
	reader_read(&reader, kind, meta, json);
	return !reader.n_refused;
}

static bool is_elsewhere(const struct put *put, const struct live_object *object)
{
	struct live *live = put->live;
	auto_arena struct arena scratch = { 0 };

	if (!object->source || object->source == put->source || !object->seen)
		return false;
	live->counts.elsewhere++;
	live->options.report(live->options.arg, true, object->key,
			     arena_printf(&scratch, "is in %s, too: that one counts",
					  symbol_text(&live->objects.names, object->source)));
	return true;
}

static bool on_object(void *arg, const struct object_kind *kind, const struct object_meta *meta,
		      const struct json *json)
{
	struct put *put = arg;
	struct live *live = put->live;
	auto_arena struct arena scratch = { 0 };
	auto_json struct json *trimmed = object_trim(kind, json);
	const char *text = json_text(trimmed, JSON_STYLE_COMPACT_SORTED, &scratch);
	struct live_object *object = live_object_open(
		&live->objects, kind, kind->in_space ? meta->space : "", meta->name);
	bool valid;

	if (is_elsewhere(put, object))
		return false;
	object->source = put->source;
	object->seen = true;
	valid = (object->text && !object->refused && streq(object->text, text)) ||
		is_valid(live, kind, meta, json);
	live_object_refuse(&live->objects, object, !valid);
	if (valid && !(object->text && streq(object->text, text)))
		take(live, object, trimmed, text);
	return false;
}

static void put_report(void *arg, bool is_error, const char *object, const char *text)
{
	const struct put *put = arg;

	put->live->options.report(put->live->options.arg, is_error, object, text);
}

void live_put(struct live *live, const char *source, const struct json *document,
	      const struct json *list)
{
	struct put put = { live, symbol_add(&live->objects.names, source) };
	struct reader reader = {
		.world = &live->world, .report = put_report, .arg = &put, .wanted = on_object
	};

	reader_add(&reader, document, list);
}

static void drop(struct live *live, struct live_object *object)
{
	if (object->text)
		apply(live, object, false);
	live_object_forget(&live->objects, object);
}

void live_remove(struct live *live, const char *kind_name, const char *space, const char *name)
{
	const struct object_kind *kind = object_kind_find(kind_name);
	struct live_object *object =
		kind ? live_object_find(&live->objects, kind, space, name) : NULL;

	if (object)
		drop(live, object);
}

void live_begin(struct live *live, const char *source)
{
	symbol_t number = symbol_add(&live->objects.names, source);

	list_each(object, &live->objects.items)
		if (object->source == number)
			object->seen = false;
}

void live_end(struct live *live, const char *source)
{
	symbol_t number = symbol_add(&live->objects.names, source);

	list_each(object, &live->objects.items)
		if (object->key && object->source == number && !object->seen)
			drop(live, object);
}

/* ---- what a pod is told ---- */

static bool knows(const struct pod *pod, const ips_t *ips)
{
	list_each(ip, ips)
		if (!pod_has_ip(pod, ip))
			return false;
	return true;
}

/* An address that is another's by now has gone from who was told of it before. */
static void take_from_others(struct live *live, const struct live_object *owner, const ips_t *ips)
{
	if (!live->objects.n_told)
		return;
	list_each(object, &live->objects.items)
		if (object != owner && live_object_was_told(object, ips)) {
			live_object_tell(&live->objects, object, NULL, NULL);
			apply(live, object, true);
		}
}

bool live_tell(struct live *live, const struct live_pod *pod)
{
	struct live_object *object;
	symbol_t number;

	if (live->broken)
		make_anew(live);
	object = live_object_find(&live->objects, object_kind_find("Pod"), pod->space, pod->name);
	if (!object || !object->text || live_object_is_another(object, pod->uid))
		return false;
	number = pod_number(live, object);
	if (!number || live->world.pods.items[number - 1].finished)
		return false;
	take_from_others(live, object, &pod->ips);
	if (knows(&live->world.pods.items[number - 1], &pod->ips))
		return true;
	live_object_tell(&live->objects, object, &pod->ips, pod->uid);
	apply(live, object, true);
	return true;
}

void live_told(const struct live *live, struct arena *arena, live_pods_t *pods)
{
	pods->n = 0;
	if (!live->objects.n_told)
		return;
	list_each(object, &live->objects.items)
		if (object->told.n)
			*list_add(arena, pods) =
				(struct live_pod){ object->space, object->name,
						   object->told_uid ? object->told_uid : "",
						   object->told };
}

/* ---- what it comes to ---- */

static bool same_cidrs(const cidrs_t *a, const cidrs_t *b)
{
	for (size_t i = 0; a->n == b->n && i < a->n; i++)
		if (!cidr_equal(&a->items[i], &b->items[i]))
			return false;
	return a->n == b->n;
}

void live_close_addresses(struct live *live, const cidrs_t *cidrs)
{
	if (same_cidrs(&live->close, cidrs))
		return;
	arena_free(&live->close_arena);
	live->close = (cidrs_t){ 0 };
	list_each(cidr, cidrs)
		*list_add(&live->close_arena, &live->close) = *cidr;
	live->stale = true;
}

const cidrs_t *live_pod_cidrs(struct live *live)
{
	static const cidrs_t none = { 0 };
	symbol_t number;

	if (live->broken)
		make_anew(live);
	number = symbol_find(&live->world.node_names, live->node_name);
	return number ? &live->world.nodes.items[number - 1].pod_cidrs : &none;
}

static void compile_anew(struct live *live)
{
	struct generation *old = live->now;

	if (live->broken)
		make_anew(live);
	if (old)
		follow_revert(&old->follow);
	live->now = generation_new(live);
	live->stale = false;
	difference_of(old ? &old->compiled : &nothing, &live->now->compiled, &live->scratch,
		      &live->difference);
	generation_free(live->before);
	live->before = old;
}

const struct difference *live_update(struct live *live)
{
	arena_free(&live->scratch);
	if (live->stale)
		compile_anew(live);
	else
		follow_difference(&live->now->follow, &live->scratch, &live->difference);
	return &live->difference;
}

const struct compiled *live_compiled(const struct live *live)
{
	return &live->now->compiled;
}

const struct world *live_world(const struct live *live, symbol_t *node)
{
	*node = live->node;
	return &live->world;
}

void live_settle(struct live *live)
{
	generation_free(live->before);
	live->before = NULL;
	if (live->now)
		follow_settle(&live->now->follow);
}

void live_count(const struct live *live, struct live_counts *counts)
{
	*counts = live->counts;
	counts->objects = live->objects.n;
	counts->refused = live->objects.n_refused;
	list_each(pod, &live->world.pods)
		counts->pods += pod_takes_part(pod) && pod->ips.n;
	list_each(pod, &live->world.pods)
		counts->local_pods += is_subject(live, pod);
	list_each(policy, &live->world.policies)
		counts->policies += !policy->gone;
}
