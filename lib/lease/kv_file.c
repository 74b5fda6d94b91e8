/*
 * The folder engine. A revision is a digest of the file's content, so that no counter has to be kept in step with files that
 * people edit. inotify tells which files changed on this machine; where another machine may write into the folder, a look
 * every POLL_MS finds that. A folder that is gone is an error, not an empty network, and is watched again when it is back.
 */
#include "lease/kv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/inotify.h"
#include "base/text.h"
#include "describe/json.h"
#include "lease/kv_file_known.h"

enum { VALUE_MAX = 64 << 10, LOCK_TIMEOUT_MS = 10000, POLL_MS = 10000 };
enum { DIR, SUBNETS, WATCHED };

#define SUBNETS_PREFIX "subnets/"

struct kv_file {
	struct kv kv;
	char *paths[WATCHED]; /* of the folder, and of subnets in it */
	int events;           /* inotify */
	int watches[WATCHED]; /* -1 = not watched: the folder is gone */
	struct known_files subnets;
	bool known;        /* subnets has been looked through */
	bool makes;        /* its folders, as soon as it is opened; else what is put makes them */
	struct stat shape; /* of the subnets folder then: what a look compares with */
	int64_t next_look_ms; /* monotonic; INT64_MAX = inotify tells of everything */
};

static struct kv_file *file_of(struct kv *kv)
{
	return (struct kv_file *)kv;
}

static const char *path_of(struct kv_file *file, struct arena *arena, const char *key)
{
	return arena_printf(arena, "%s/%s", file->paths[DIR], key);
}

/* ---- watching ---- */

/* File systems that only this machine writes to (their numbers are in statfs(2)); of others no event may come. */
static bool is_local(const char *path)
{
	static const unsigned local[] = {
		0xef53,     /* ext */
		0x58465342, /* XFS */
		0x9123683e, /* Btrfs */
		0xf2f52010, /* F2FS */
		0x2fc12fc1, /* ZFS */
		0x01021994, /* tmpfs */
	};
	struct statfs fs;

	if (statfs(path, &fs))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		if ((unsigned)fs.f_type == local[i])
			return true;
	return false;
}

static void unwatch(struct kv_file *file)
{
	for (int i = 0; i < WATCHED; i++) {
		if (file->watches[i] >= 0)
			inotify_rm_watch(file->events, file->watches[i]);
		file->watches[i] = -1;
	}
	file->known = false;
}

/* By errno. Who only looks makes nothing; what was there once must not be gone. */
static bool may_lack_subnets(const struct kv_file *file)
{
	return errno == ENOENT && !file->makes && !file->subnets.n;
}

/* Also after the folder was away: everything in it is looked at again. */
static int watch(struct kv_file *file, struct error *err)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
			      IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

	for (int i = 0; i < WATCHED; i++) {
		if (file->watches[i] < 0)
			file->watches[i] = inotify_add_watch(file->events, file->paths[i],
							     file->makes ? mask : mask | IN_CREATE);
		if (file->watches[i] < 0 && !(i == SUBNETS && may_lack_subnets(file)))
			return fail_errno(err, errno, "watch store %s", file->paths[i]);
	}
	file->next_look_ms = is_local(file->paths[SUBNETS]) ? INT64_MAX : clock_ms() + POLL_MS;
	return 0;
}

/* What an event asks for: one file, or everything. */
static void heed(struct kv_file *file, const struct inotify_event *event)
{
	if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED))
		unwatch(file);
	else if (event->mask & IN_Q_OVERFLOW)
		file->known = false;
	else if (event->wd == file->watches[SUBNETS] && event->len && file->known &&
		 kv_file_valid_key(event->name))
		known_files_reload(&file->subnets, file->paths[SUBNETS], event->name);
}

struct heard {
	struct kv_file *file;
	bool any;
};

static void hear(void *arg, const struct inotify_event *event)
{
	struct heard *heard = arg;
	struct kv_file *file = heard->file;

	if (event->mask & IN_IGNORED && event->wd != file->watches[DIR] &&
	    event->wd != file->watches[SUBNETS])
		return; /* of a watch that we gave up */
	heed(file, event);
	heard->any |= !event->len || kv_file_valid_key(event->name);
}

/* Did anything happen? Temporary files and the lock do not count. */
static bool drain(struct kv_file *file)
{
	struct heard heard = { .file = file };

	inotify_drain(file->events, hear, &heard);
	return heard.any;
}

/* Bring what is known up to date. */
static int refresh(struct kv_file *file, struct error *err)
{
	struct stat shape;

	drain(file);
	if (file->watches[DIR] < 0 || file->watches[SUBNETS] < 0) {
		unwatch(file);
		if (watch(file, err))
			return -err->errnum;
	}
	if (file->known)
		return 0;
	if (file->watches[SUBNETS] < 0) /* nobody has put anything yet */
		return 0;
	if (stat(file->paths[SUBNETS], &shape))
		return fail_errno(err, errno, "look at store %s", file->paths[SUBNETS]);
	if (known_files_scan(&file->subnets, file->paths[SUBNETS], err))
		return -err->errnum;
	file->shape = shape;
	file->known = true;
	return 0;
}

/* ---- reading ---- */

static struct kv_entry entry_of(const struct known_file *known, const char *key,
				struct arena *arena)
{
	return (struct kv_entry){
		.key = arena_strdup(arena, key),
		.value = arena_memdup(arena, known->value, known->size),
		.size = known->size,
		.revision = known->revision,
		.left_ms = known_file_left(known),
	};
}

/* -ENOENT without text: not there, or at its end. */
static int read_entry(struct kv_file *file, const char *key, struct arena *arena,
		      struct kv_entry *entry, struct error *err)
{
	auto_free struct known_file *read = NULL;
	const struct known_file *known = NULL;
	struct error why = { 0 };
	char *text;
	size_t size;

	if (!kv_file_valid_key(key))
		return fail(err, EINVAL, "%s: no key of a store", key);
	if (file_read(path_of(file, arena, key), VALUE_MAX, arena, &text, &size, &why) < 0) {
		if (why.errnum != ENOENT && err)
			*err = why;
		return -why.errnum;
	}
	read = known_file_new(key, text);
	if (has_prefix(key, SUBNETS_PREFIX))
		known = known_files_find(&file->subnets, key + strlen(SUBNETS_PREFIX));
	/* When it ends is reckoned from when it was seen first. */
	if (known && known->revision == read->revision)
		read->ends_ms = known->ends_ms;
	*entry = entry_of(read, key, arena);
	return entry->left_ms == 0 ? -ENOENT : 0;
}

static int kv_file_get(struct kv *kv, const char *key, struct arena *arena, struct kv_entry *entry,
		       struct error *err)
{
	int r = read_entry(file_of(kv), key, arena, entry, err);

	return r == -ENOENT ? fail(err, ENOENT, "%s", path_of(file_of(kv), arena, key)) : r;
}

static int kv_file_list(struct kv *kv, const char *prefix, struct arena *arena,
			kv_entries_t *entries, struct error *err)
{
	struct kv_file *file = file_of(kv);

	if (refresh(file, err))
		return -err->errnum;
	for (size_t i = 0; i < file->subnets.n; i++) {
		const struct known_file *known = file->subnets.items[i];
		const char *key;

		if (known_file_left(known) == 0)
			continue;
		key = arena_printf(arena, SUBNETS_PREFIX "%s", known->name);
		if (has_prefix(key, prefix))
			*list_add(arena, entries) = entry_of(known, key, arena);
	}
	return 0;
}

/* ---- writing ---- */

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

static const char *join(const char *value, int64_t ttl_ms, struct arena *arena, struct error *err)
{
	auto_json struct json *json = NULL;
	char text[CLOCK_TEXT_SIZE];

	if (!ttl_ms)
		return value;
	json = json_parse(value, strlen(value), err);
	if (!json)
		return NULL;
	json_set(json, KV_FILE_EXPIRES,
		 json_new_string(clock_format(clock_wall_ms() + ttl_ms, text)));
	return json_text(json, JSON_STYLE_COMPACT, arena);
}

static int write_file(struct kv_file *file, const char *key, const char *value, int64_t ttl_ms,
		      uint64_t *revision, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *text = join(value, ttl_ms, &arena, err);
	int r;

	if (!text)
		return -err->errnum;
	r = has_prefix(key, SUBNETS_PREFIX) ? dir_make(file->paths[SUBNETS], 0700, err) : 0;
	if (r == 0)
		r = file_replace(path_of(file, &arena, key), 0600, text, strlen(text), true, err);
	if (r == 0)
		*revision = kv_file_revision(text);
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

/* ---- waiting ---- */

/* What another machine did, in a folder that is shared. */
static bool looks_different(struct kv_file *file)
{
	struct stat now = { 0 };
	bool there = stat(file->paths[SUBNETS], &now) == 0;

	file->next_look_ms = clock_ms() + POLL_MS;
	if (there && now.st_ino == file->shape.st_ino &&
	    now.st_mtim.tv_sec == file->shape.st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == file->shape.st_mtim.tv_nsec)
		return false;
	file->known = false;
	if (!there || now.st_ino != file->shape.st_ino)
		unwatch(file); /* another folder has been put into its place */
	return true;
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
		if (poll(fds, 2,
			 until == INT64_MAX ? -1
			 : until > now      ? (int)(until - now)
					    : 0) < 0 &&
		    errno != EINTR)
			return fail_errno(err, errno, "wait for the store");
		if (fds[1].revents)
			return 2;
		if (drain(file))
			return 1;
		now = clock_ms();
		if (now >= file->next_look_ms && looks_different(file))
			return 1;
		if (now >= deadline)
			return 0;
	}
}

static void kv_file_close(struct kv *kv)
{
	struct kv_file *file = file_of(kv);

	close_fd(&file->events);
	known_files_forget(&file->subnets);
	free(file->paths[DIR]);
	free(file->paths[SUBNETS]);
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

int kv_file_open(struct kv **kv, const char *dir, bool make, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kv_file *file = xrealloc(NULL, sizeof(*file));

	*file = (struct kv_file){
		.kv = { &engine },
		.makes = make,
		.paths = { strdup(dir), strdup(arena_printf(&arena, "%s/subnets", dir)) },
		.events = -1,
		.watches = { -1, -1 },
	};
	*kv = &file->kv;
	if (make && dir_make(file->paths[SUBNETS], 0700, err) < 0) {
		kv_closep(kv);
		return wrap(err, "store %s", dir);
	}
	file->events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (file->events < 0)
		fail_errno(err, errno, "watch store %s", dir);
	if (file->events < 0 || watch(file, err)) {
		kv_closep(kv);
		return -err->errnum;
	}
	return 0;
}
