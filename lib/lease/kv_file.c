/*
 * The folder engine. A revision is a digest of the file's content, so that no counter has to be kept in step with files that
 * people edit. inotify tells of changes on this machine; what another machine writes into a shared folder is found by a look
 * every POLL_MS.
 */
#include "lease/kv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "describe/json.h"

enum { VALUE_MAX = 64 << 10, LOCK_TIMEOUT_MS = 10000, POLL_MS = 10000, ENTRIES_MAX = 1 << 17 };

#define EXPIRES "Expires"

struct kv_file {
	struct kv kv;
	char *dir;
	int events;        /* inotify */
	char shape[2][17]; /* of config and subnets when last listed: what a look compares with */
	int64_t next_look_ms; /* monotonic */
};

static struct kv_file *file_of(struct kv *kv)
{
	return (struct kv_file *)kv;
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *path_of(struct kv_file *file, struct arena *arena, const char *key)
{
	return arena_printf(arena, "%s/%s", file->dir, key);
}

/* A key is one name, or one name in one folder. */
static bool valid_key(const char *key)
{
	const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;

	return *name && *name != '.' && !strchr(name, '/') && *key != '.' && strlen(key) < NAME_MAX;
}

static uint64_t revision_of(const char *data)
{
	char digest[17];

	sha512_hex(digest, 16, data, NULL);
	return strtoull(digest, NULL, 16) | 1; /* never 0 */
}

/* 2026-11-26T12:00:00Z */
static const char *format_time(int64_t ms, char text[32])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	return text;
}

static bool parse_time(const char *text, int64_t *ms)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	/* Fractions of a second do not matter here. */
	if (!end || (*end != 'Z' && *end != '.'))
		return false;
	*ms = (int64_t)timegm(&tm) * 1000;
	return true;
}

/*
 * The file's text into value and life. What is no JSON object is handed on as it is: config may be broken, and a lease
 * that cannot be read is the reader's to judge.
 */
static void split(const char *text, struct arena *arena, struct kv_entry *entry)
{
	auto_json struct json *json = json_parse(text, strlen(text), NULL);
	const char *expires = json_string(json_member(json, EXPIRES));
	int64_t at;

	entry->revision = revision_of(text);
	entry->value = text;
	entry->left_ms = -1;
	if (expires && parse_time(expires, &at)) {
		entry->left_ms = at > wall_ms() ? at - wall_ms() : 0;
		json_remove(json, EXPIRES);
		entry->value = json_text(json, JSON_STYLE_COMPACT, arena);
	}
	entry->size = strlen(entry->value);
}

static const char *join(const char *value, int64_t ttl_ms, struct arena *arena, struct error *err)
{
	auto_json struct json *json = NULL;
	char text[32];

	if (!ttl_ms)
		return value;
	json = json_parse(value, strlen(value), err);
	if (!json)
		return NULL;
	json_set(json, EXPIRES, json_new_string(format_time(wall_ms() + ttl_ms, text)));
	return json_text(json, JSON_STYLE_COMPACT, arena);
}

/* -ENOENT without text: not there, or at its end. */
static int read_entry(struct kv_file *file, const char *key, struct arena *arena,
		      struct kv_entry *entry, struct error *err)
{
	struct error why = { 0 };
	char *text;
	size_t size;

	if (!valid_key(key))
		return fail(err, EINVAL, "%s: no key of a store", key);
	if (file_read(path_of(file, arena, key), VALUE_MAX, arena, &text, &size, &why) < 0) {
		if (why.errnum != ENOENT && err)
			*err = why;
		return -why.errnum;
	}
	text[strcspn(text, "\r\n")] = '\0';
	*entry = (struct kv_entry){ .key = arena_strdup(arena, key) };
	split(text, arena, entry);
	return entry->left_ms == 0 ? -ENOENT : 0;
}

static int kv_file_get(struct kv *kv, const char *key, struct arena *arena, struct kv_entry *entry,
		       struct error *err)
{
	return read_entry(file_of(kv), key, arena, entry, err);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct kv_entry *)a)->key, ((const struct kv_entry *)b)->key);
}

/* Names, sizes and times of all files: enough to see that something has changed. */
static void look(struct kv_file *file, char shape[2][17])
{
	static const char *const what[] = { "config", "subnets" };
	auto_arena struct arena arena = { 0 };
	struct stat st;

	for (int i = 0; i < 2; i++) {
		char *text = arena_strdup(&arena, "");

		if (stat(path_of(file, &arena, what[i]), &st) == 0)
			text = arena_printf(&arena, "%lld %ld %lld", (long long)st.st_mtim.tv_sec,
					    st.st_mtim.tv_nsec, (long long)st.st_ino);
		sha512_hex(shape[i], 16, text, NULL);
	}
}

static int kv_file_list(struct kv *kv, const char *prefix, struct arena *arena,
			kv_entries_t *entries, struct error *err)
{
	struct kv_file *file = file_of(kv);
	DIR *stream = opendir(path_of(file, arena, "subnets"));

	if (!stream)
		return errno == ENOENT ? 0 : fail_errno(err, errno, "read %s/subnets", file->dir);
	look(file, file->shape);
	for (struct dirent *found; entries->n < ENTRIES_MAX && (found = readdir(stream));) {
		const char *key = arena_printf(arena, "subnets/%s", found->d_name);
		struct kv_entry entry;

		/* Unreadable ones are left out: one bad file must not cost all peers. */
		if (valid_key(key) && has_prefix(key, prefix) &&
		    read_entry(file, key, arena, &entry, NULL) == 0)
			*list_add(arena, entries) = entry;
	}
	closedir(stream);
	if (entries->n)
		qsort(entries->items, entries->n, sizeof(*entries->items), compare_entries);
	return 0;
}

static int take_lock(struct kv_file *file, int *lock, struct error *err)
{
	auto_arena struct arena arena = { 0 };

	return lock_take(path_of(file, &arena, "lock"), 0600, LOCK_TIMEOUT_MS, lock, err);
}

/* Under the lock. */
static int check_condition(struct kv_file *file, const char *key, enum kv_when when,
			   uint64_t revision, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kv_entry entry = { 0 };
	int r = read_entry(file, key, &arena, &entry, err);

	if (r == -ENOENT)
		return when == KV_ABSENT ? 0 : -EEXIST;
	if (r < 0)
		return r;
	return when == KV_REVISION && entry.revision == revision ? 0 : -EEXIST;
}

static int write_file(struct kv_file *file, const char *key, const char *value, int64_t ttl_ms,
		      uint64_t *revision, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *text = join(value, ttl_ms, &arena, err);
	int r;

	if (!text)
		return -err->errnum;
	r = file_replace(path_of(file, &arena, key), 0600, text, strlen(text), true, err);
	if (r == 0)
		*revision = revision_of(text);
	return r;
}

static int kv_file_put(struct kv *kv, const struct kv_put *put, uint64_t *revision,
		       struct error *err)
{
	struct kv_file *file = file_of(kv);
	auto_close int lock = -1;
	int r = take_lock(file, &lock, err);

	if (r == 0)
		r = check_condition(file, put->key, put->when, put->revision, err);
	return r < 0 ? r : write_file(file, put->key, put->value, put->ttl_ms, revision, err);
}

static int kv_file_del(struct kv *kv, const char *key, uint64_t revision, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kv_file *file = file_of(kv);
	auto_close int lock = -1;
	int r = take_lock(file, &lock, err);

	if (r == 0)
		r = check_condition(file, key, KV_REVISION, revision, err);
	if (r < 0)
		return r;
	if (unlink(path_of(file, &arena, key)))
		return errno == ENOENT ? -ENOENT : fail_errno(err, errno, "delete %s", key);
	return 0;
}

static int kv_file_keep(struct kv *kv, const char *key, int64_t ttl_ms, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kv_file *file = file_of(kv);
	auto_close int lock = -1;
	struct kv_entry entry = { .value = "" };
	uint64_t revision;
	int r = take_lock(file, &lock, err);

	if (r == 0)
		r = read_entry(file, key, &arena, &entry, err);
	if (r < 0 || entry.left_ms < 0)
		return r;
	return write_file(file, key, entry.value, ttl_ms, &revision, err);
}

static bool drain(struct kv_file *file)
{
	char events[4096];
	bool any = false;

	while (read(file->events, events, sizeof(events)) > 0)
		any = true;
	return any;
}

static bool looks_different(struct kv_file *file)
{
	char shape[2][17];

	look(file, shape);
	return memcmp(shape, file->shape, sizeof(shape)) != 0;
}

static int kv_file_wait(struct kv *kv, int fd, int timeout_ms, struct error *err)
{
	struct kv_file *file = file_of(kv);
	int64_t deadline = timeout_ms < 0 ? INT64_MAX : clock_ms() + timeout_ms;

	for (;;) {
		struct pollfd fds[] = { { file->events, POLLIN, 0 }, { fd, POLLIN, 0 } };
		int64_t now = clock_ms(), until = file->next_look_ms;

		if (until > deadline)
			until = deadline;
		if (poll(fds, 2, until > now ? (int)(until - now) : 0) < 0 && errno != EINTR)
			return fail_errno(err, errno, "wait for the store");
		if (fds[1].revents)
			return 2;
		if (drain(file))
			return 1;
		now = clock_ms();
		if (now >= file->next_look_ms) {
			file->next_look_ms = now + POLL_MS;
			if (looks_different(file))
				return 1;
		}
		if (now >= deadline)
			return 0;
	}
}

static void kv_file_close(struct kv *kv)
{
	struct kv_file *file = file_of(kv);

	close_fd(&file->events);
	free(file->dir);
	free(file);
}

static const struct kv_engine engine = {
	.get = kv_file_get,
	.list = kv_file_list,
	.put = kv_file_put,
	.del = kv_file_del,
	.keep = kv_file_keep,
	.wait = kv_file_wait,
	.close = kv_file_close,
};

int kv_file_open(struct kv **kv, const char *dir, struct error *err)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
	auto_arena struct arena arena = { 0 };
	struct kv_file *file = xrealloc(NULL, sizeof(*file));

	*file = (struct kv_file){ .kv = { &engine }, .events = -1, .dir = strdup(dir) };
	*kv = &file->kv;
	file->next_look_ms = clock_ms() + POLL_MS;
	if (dir_make(path_of(file, &arena, "subnets"), 0700, err) < 0) {
		kv_closep(kv);
		return wrap(err, "store %s", dir);
	}
	file->events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (file->events < 0 || inotify_add_watch(file->events, dir, mask) < 0 ||
	    inotify_add_watch(file->events, path_of(file, &arena, "subnets"), mask) < 0) {
		fail_errno(err, errno, "watch store %s", dir);
		kv_closep(kv);
		return -err->errnum;
	}
	return 0;
}
