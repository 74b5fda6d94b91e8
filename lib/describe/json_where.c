/* See json_where.h. The text is walked member by member; keys with escapes in them are not found. */
#include "describe/json_where.h"

#include <stdio.h>
#include <strings.h>

#include "describe/json_walk.h"
#include "describe/path.h"

struct visit {
	struct json_walk walk;
	const char *counted; /* up to here */
	unsigned line;
	void (*member)(struct visit *visit, const struct path *path, unsigned line);
	void (*object)(struct visit *visit, const struct path *path, char *const *keys, size_t n);
	void *arg;
};

typedef LIST(char *) keys_t;

static char next(struct visit *visit)
{
	struct json_walk *walk = &visit->walk;

	while (walk->at < walk->end && strchr(" \t\r\n,", *walk->at))
		walk->at++;
	return walk->at < walk->end ? *walk->at : '\0';
}

static void tell_member(struct visit *visit, const struct path *path, const char *at)
{
	for (; visit->counted < at; visit->counted++)
		visit->line += *visit->counted == '\n';
	if (visit->member)
		visit->member(visit, path, visit->line);
}

static void visit_value(struct visit *visit, const struct path *path);

static void visit_object(struct visit *visit, const struct path *path)
{
	struct json_walk *walk = &visit->walk;
	auto_arena struct arena arena = { 0 };
	keys_t keys = { 0 };

	while (next(visit) == '"') {
		struct path node = { .parent = path };
		const char *key = walk->at + 1;

		walk_skip_string(walk);
		node.key = arena_printf(&arena, "%.*s", (int)(walk->at - 1 - key), key);
		*list_add(&arena, &keys) = (char *)node.key;
		tell_member(visit, &node, key);
		if (!walk_find(walk, ':'))
			break;
		walk->at++;
		visit_value(visit, &node);
	}
	if (visit->object)
		visit->object(visit, path, keys.items, keys.n);
}

static void visit_list(struct visit *visit, const struct path *path)
{
	struct path node = { .parent = path };

	for (char c; (c = next(visit)) && c != ']' && c != '}'; node.index++) {
		tell_member(visit, &node, visit->walk.at);
		visit_value(visit, &node);
	}
}

static void visit_value(struct visit *visit, const struct path *path)
{
	char c = next(visit);

	if (c != '{' && c != '[') {
		walk_skip_value(&visit->walk);
		return;
	}
	visit->walk.at++;
	if (c == '{')
		visit_object(visit, path);
	else
		visit_list(visit, path);
	visit->walk.at += next(visit) != '\0'; /* its end */
}

static void visit_text(struct visit *visit, const char *text, size_t size)
{
	visit->walk = (struct json_walk){ text, text + size };
	visit->counted = text;
	visit->line = 1;
	visit_value(visit, NULL);
}

/* ---- lines ---- */

struct wanted {
	const char *path; /* less and less of a place's */
	struct json_place *place;
};
typedef LIST(struct wanted) wanted_t;

static int compare_paths(const void *a, const void *b)
{
	return strcasecmp(((const struct wanted *)a)->path, ((const struct wanted *)b)->path);
}

static void find_member(struct visit *visit, const struct path *path, unsigned line)
{
	const wanted_t *wanted = visit->arg;
	char text[PATH_TEXT_SIZE];
	const struct wanted key = { .path = path_text(path, text) };
	const struct wanted *found =
		bsearch(&key, wanted->items, wanted->n, sizeof(key), compare_paths);

	if (!found)
		return;
	while (found > wanted->items && compare_paths(found - 1, &key) == 0)
		found--;
	for (; found < wanted->items + wanted->n && compare_paths(found, &key) == 0; found++)
		found->place->line = line;
}

/* Without its last key or index; false: it was the whole already. */
static bool shorten(struct wanted *wanted, struct arena *arena)
{
	size_t len = strlen(wanted->path);

	if (!len)
		return false;
	while (len && !strchr(".[", wanted->path[len - 1]))
		len--;
	wanted->path = arena_printf(arena, "%.*s", (int)(len ? len - 1 : 0), wanted->path);
	return *wanted->path;
}

void json_find_lines(const char *text, size_t size, struct json_place *places, size_t n)
{
	auto_arena struct arena arena = { 0 };
	wanted_t wanted = { 0 };

	for (size_t i = 0; i < n; i++) {
		places[i].line = 0;
		*list_add(&arena, &wanted) = (struct wanted){ places[i].path, &places[i] };
	}
	while (wanted.n) {
		struct visit visit = { .member = find_member, .arg = &wanted };
		wanted_t left = { 0 };

		qsort(wanted.items, wanted.n, sizeof(*wanted.items), compare_paths);
		visit_text(&visit, text, size);
		list_each(one, &wanted)
			if (!one->place->line && shorten(one, &arena))
				*list_add(&arena, &left) = *one;
		wanted = left;
	}
	for (size_t i = 0; i < n; i++)
		places[i].line += !places[i].line;
}

/* ---- keys given twice ---- */

struct twice {
	json_twice_fn *fn;
	void *arg;
};

static int compare_keys(const void *a, const void *b)
{
	return strcasecmp(*(char *const *)a, *(char *const *)b);
}

static void find_twice(struct visit *visit, const struct path *path, char *const *keys, size_t n)
{
	const struct twice *twice = visit->arg;
	auto_arena struct arena arena = { 0 };
	char **sorted = arena_alloc(&arena, (n + 1) * sizeof(*sorted)), text[PATH_TEXT_SIZE];

	if (n)
		memcpy(sorted, keys, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_keys);
	for (size_t i = 1; i < n; i++) {
		const struct path node = { .parent = path, .key = sorted[i] };

		if (compare_keys(&sorted[i - 1], &sorted[i]) == 0 &&
		    (i + 1 == n || compare_keys(&sorted[i], &sorted[i + 1]) != 0))
			twice->fn(twice->arg, path_text(&node, text));
	}
}

void json_find_twice(const char *text, size_t size, json_twice_fn *fn, void *arg)
{
	struct twice twice = { fn, arg };
	struct visit visit = { .object = find_twice, .arg = &twice };

	visit_text(&visit, text, size);
}
