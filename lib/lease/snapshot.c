/* Two lines: what the file is of, and a message as the store would send it. */
#include "lease/snapshot.h"

#include <errno.h>
#include <time.h>

#include "base/file.h"
#include "lease/acquire.h"
#include "lease/store.h"

struct head {
	const char *origin;
	int64_t at; /* seconds since 1970 */
};

static const struct field head_fields[] = { { "origin", FIELD_STRING,
					      offsetof(struct head, origin) },
					    { "at", FIELD_INT64, offsetof(struct head, at) },
					    FIELDS_END };

static int make_folder(const char *path, struct arena *arena, struct error *err)
{
	char *folder = arena_strdup(arena, path), *slash = strrchr(folder, '/');

	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return dir_make(folder, 0700, err);
}

int lease_snapshot_save(const struct lease_snapshot *snapshot,
			const struct lease_store_message *state, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct head head = { snapshot->origin, time(NULL) };
	auto_json struct json *json = json_encode(head_fields, &head);
	const char *text =
		arena_printf(&arena, "%s\n%s\n", json_text(json, JSON_STYLE_COMPACT, &arena),
			     lease_store_message_text(state, &arena));

	if (make_folder(snapshot->path, &arena, err))
		return -err->errnum;
	return file_replace(snapshot->path, 0600, text, strlen(text), true, err);
}

static int read_head(const char *text, size_t size, struct arena *arena, struct head *head,
		     struct error *err)
{
	auto_json struct json *json = json_parse(text, size, err);

	return json ? json_decode(json, head_fields, head, arena, err) : -err->errnum;
}

static bool has_ended(int64_t left_ms)
{
	return left_ms >= 0 && left_ms != KV_LASTING;
}

static void drop_ended(struct lease_store_message *state)
{
	size_t n = 0;

	list_each(lease, &state->leases)
		if (!has_ended(lease->left_ms))
			state->leases.items[n++] = *lease;
	state->leases.n = n;
	if (has_ended(state->own.left_ms))
		state->own = (struct lease_words){ 0 };
}

int lease_snapshot_load(const struct lease_snapshot *snapshot, struct arena *arena,
			struct lease_store_message *state, struct error *err)
{
	struct head head = { .origin = "" };
	struct error why = { 0 };
	int64_t age;
	char *text, *rest;
	size_t size;

	if (file_read(snapshot->path, FRAME_MAX, arena, &text, &size, &why) < 0)
		return -ENOENT;
	rest = memchr(text, '\n', size);
	if (!rest)
		return fail(err, EINVAL, "%s: no snapshot", snapshot->path);
	if (read_head(text, (size_t)(rest - text), arena, &head, err) ||
	    lease_store_message_parse(rest + 1, (size_t)(text + size - rest - 1), arena, state,
				      err))
		return wrap(err, "%s", snapshot->path);
	if (!streq(head.origin, snapshot->origin))
		return -ENOENT;
	age = time(NULL) - head.at;
	if (age < 0 || age > LEASE_TTL_MS / 1000)
		drop_ended(state);
	return 0;
}
