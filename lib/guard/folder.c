/*
 * Objects in files and folders. inotify tells that something has changed; then the files that are others by now are read, all of
 * them before what they no longer have goes, since an object may have moved from one to another. A file that cannot be read, or is
 * no JSON or YAML, leaves what it had.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "describe/documents.h"
#include "guard/source.h"
#include "policy/input.h"

enum {
	GATHER_MAX_MS = 200, /* who writes several files is let finish, but not for ever */
	AGAIN_MS = 1000
};

/* A file as it was when it was read. A change within the tick of the clock in which it was read does not show. */
#define TICK_MS 100

struct seen {
	const char *path;
	struct stat status; /* st_ino 0: it has to be read */
};
typedef LIST(struct seen) seen_files_t;
typedef LIST(struct seen *) seen_list_t;

struct folder {
	struct guard *guard;
	int events;
	int timer;
	int64_t first_ms;   /* of what has not been read: when it was written; 0 = there is none */
	bool synced, whole; /* whole: read all, whether it has changed or not */
	struct arena arena; /* of files */
	seen_files_t files;
	struct trouble trouble;
};

/* ---- reading ---- */

struct sink {
	struct guard *guard;
	const char *file;
};

static void put_document(void *arg, const struct json *document, const struct json *list)
{
	const struct sink *sink = arg;

	live_put(sink->guard->live, sink->file, document, list);
}

static int read_file(struct guard *guard, const char *path, struct error *err)
{
	auto_arena struct arena scratch = { 0 };
	struct sink sink = { guard, path };
	char *text;
	size_t size;
	int r = file_read(path, INPUT_SIZE_MAX, &scratch, &text, &size, err);

	if (r < 0)
		return r;
	r = documents_each(text, size, put_document, &sink, err);
	return r < 0 ? wrap(err, "%s", path) : 0;
}

static int list_files(const struct folder *folder, struct arena *arena, input_files_t *files,
		      struct error *err)
{
	list_each(path, &folder->guard->options->files) {
		int r = input_files(*path, arena, files, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static const struct seen *among(const seen_files_t *files, const char *path)
{
	list_each(file, files)
		if (streq(file->path, path))
			return file;
	return NULL;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_unchanged(const struct folder *folder, const struct seen *now)
{
	const struct seen *before = among(&folder->files, now->path);

	return before && before->status.st_ino && now->status.st_ino &&
	       before->status.st_dev == now->status.st_dev &&
	       before->status.st_ino == now->status.st_ino &&
	       before->status.st_size == now->status.st_size &&
	       same_time(&before->status.st_mtim, &now->status.st_mtim) &&
	       same_time(&before->status.st_ctim, &now->status.st_ctim);
}

static void look_at(struct seen *file)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (stat(file->path, &file->status) || !S_ISREG(file->status.st_mode) ||
	    (now.tv_sec - file->status.st_ctim.tv_sec) * 1000 +
			    (now.tv_nsec - file->status.st_ctim.tv_nsec) / 1000000 <
		    TICK_MS)
		file->status.st_ino = 0;
}

/* An object that was in another file already may count by now: then all are read the next time. */
static uint64_t elsewhere(const struct folder *folder)
{
	struct live_counts counts;

	live_count(folder->guard->live, &counts);
	return counts.elsewhere;
}

/* Of all files, those to be read; gone: those that there were. */
static void choose(const struct folder *folder, seen_files_t *all, struct arena *arena,
		   seen_list_t *changed, seen_list_t *gone)
{
	list_each(file, all) {
		look_at(file);
		if (folder->whole || !is_unchanged(folder, file))
			*list_add(arena, changed) = file;
	}
	list_each(file, &folder->files)
		if (!among(all, file->path))
			*list_add(arena, gone) = file;
}

/* First all begin, so that an object may go from one to another. */
static int read_files(const struct folder *folder, const seen_list_t *changed,
		      const seen_list_t *gone, struct error *err)
{
	struct live *live = folder->guard->live;
	int result = 0;

	list_each(file, gone)
		live_begin(live, (*file)->path);
	list_each(file, changed)
		live_begin(live, (*file)->path);
	list_each(file, changed) {
		struct error why = { 0 };
		int r = read_file(folder->guard, (*file)->path, &why);

		if (r == 0)
			live_end(live, (*file)->path);
		else
			(*file)->status.st_ino = 0;
		if (r < 0 && result == 0) {
			result = r;
			*err = why;
		}
	}
	list_each(file, gone)
		live_end(live, (*file)->path);
	return result;
}

static int read_all(struct folder *folder, struct error *err)
{
	auto_arena struct arena scratch = { 0 };
	struct arena arena = { 0 };
	input_files_t paths = { 0 };
	seen_files_t files = { 0 };
	seen_list_t changed = { 0 }, gone = { 0 };
	uint64_t before = elsewhere(folder);
	int r = list_files(folder, &arena, &paths, err);

	if (r < 0) {
		arena_free(&arena);
		return r;
	}
	list_each(path, &paths)
		list_add(&arena, &files)->path = *path;
	choose(folder, &files, &scratch, &changed, &gone);
	r = read_files(folder, &changed, &gone, err);
	folder->whole = elsewhere(folder) != before;
	arena_free(&folder->arena);
	folder->arena = arena;
	folder->files = files;
	return r;
}

/* ---- watching ---- */

/* A file is watched by its folder: editors put another one in its place. */
static int watch(const struct folder *folder, const char *path)
{
	const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
			      IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
	auto_arena struct arena scratch = { 0 };
	char *folder_path = arena_strdup(&scratch, path);
	struct stat status;

	if (stat(path, &status) || !S_ISDIR(status.st_mode)) {
		char *slash = strrchr(folder_path, '/');

		if (slash)
			slash[slash == folder_path] = '\0';
		else
			folder_path = arena_strdup(&scratch, ".");
	}
	return inotify_add_watch(folder->events, folder_path, mask);
}

static void read_soon(struct folder *folder, unsigned delay_ms);

static void on_time(struct loop *loop unused, void *arg)
{
	struct folder *folder = arg;
	struct error err = { 0 };
	bool watched = true;
	int r;

	folder->timer = 0;
	folder->first_ms = 0;
	list_each(path, &folder->guard->options->files)
		watched = watch(folder, *path) >= 0 && watched;
	r = read_all(folder, &err);
	if (r < 0 && folder->guard->options->once) {
		guard_end_with(folder->guard, &err);
		return;
	}
	if (r < 0)
		trouble_tell(&folder->trouble, err.message);
	else
		folder->trouble.n = 0;
	if (r < 0 || !watched)
		read_soon(folder, AGAIN_MS);
	folder->synced = folder->synced || r == 0;
	guard_changed(folder->guard, true);
}

static void read_soon(struct folder *folder, unsigned delay_ms)
{
	if (folder->timer)
		loop_cancel(folder->guard->loop, folder->timer);
	folder->timer = loop_after(folder->guard->loop, delay_ms, on_time, folder, NULL);
}

static void on_events(struct loop *loop unused, void *arg)
{
	struct folder *folder = arg;
	char data[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	while (read(folder->events, data, sizeof(data)) > 0)
		;
	guard_heard(folder->guard);
	if (!folder->first_ms)
		folder->first_ms = clock_ms();
	if (!folder->timer || clock_ms() - folder->first_ms < GATHER_MAX_MS)
		read_soon(folder, folder->guard->options->delay_ms);
}

int folder_open(struct folder **folder, struct guard *guard, struct error *err)
{
	*folder = xrealloc(NULL, sizeof(**folder));
	**folder = (struct folder){ .guard = guard };
	(*folder)->events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if ((*folder)->events < 0)
		return fail_errno(err, errno, "watch files");
	read_soon(*folder, 0);
	return loop_watch(guard->loop, (*folder)->events, EPOLLIN, on_events, *folder, err);
}

void folder_close(struct folder *folder)
{
	if (!folder)
		return;
	close_fd(&folder->events);
	arena_free(&folder->arena);
	free(folder);
}

void folder_read_again(struct folder *folder)
{
	folder->whole = true;
	read_soon(folder, 0);
}

bool folder_synced(const struct folder *folder)
{
	return folder->synced;
}

const char *folder_trouble(const struct folder *folder)
{
	return folder->trouble.n ? folder->trouble.text : NULL;
}
