/* The files of a store's folder, as last read; see kv_file_known.h. */
#include "lease/kv_file_known.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "describe/json.h"

enum { VALUE_MAX = 64 << 10, FILES_MAX = 1 << 17 };

bool kv_file_valid_key(const char *key)
{
	const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;

	return *name && *name != '.' && !strchr(name, '/') && *key != '.' && strlen(key) < NAME_MAX;
}

uint64_t kv_file_revision(const char *text)
{
	char digest[17];

	sha512_hex(digest, 16, text, NULL);
	return strtoull(digest, NULL, 16) | 1;
}

/* ---- one file ---- */

/*
 * The value without its end, and that. What is no JSON object is handed on as it is: config may be broken, and a lease that
 * cannot be read is the reader's to judge.
 */
static const char *split(const char *text, struct arena *arena, int64_t *ends_ms)
{
	auto_json struct json *json = NULL;
	const char *expires;
	int64_t at;

	*ends_ms = INT64_MAX;
	if (!strcasestr(text, "\"" KV_FILE_EXPIRES "\""))
		return text;
	json = json_parse(text, strlen(text), NULL);
	expires = json_string(json_member(json, KV_FILE_EXPIRES));
	if (!expires || !clock_parse(expires, &at))
		return text;
	*ends_ms = at - clock_wall_ms() + clock_boot_ms();
	json_remove(json, KV_FILE_EXPIRES);
	return json_text(json, JSON_STYLE_COMPACT, arena);
}

struct known_file *known_file_new(const char *name, const char *text)
{
	auto_arena struct arena arena = { 0 };
	int64_t ends_ms;
	const char *value = split(text, &arena, &ends_ms);
	size_t len = strlen(name) + 1, size = strlen(value);
	struct known_file *known = xrealloc(NULL, sizeof(*known) + len + size + 1);

	*known = (struct known_file){
		.revision = kv_file_revision(text),
		.ends_ms = ends_ms,
		.size = size,
		.value = known->name + len,
	};
	memcpy(known->name, name, len);
	memcpy(known->name + len, value, size + 1);
	return known;
}

int64_t known_file_left(const struct known_file *known)
{
	int64_t left;

	if (known->ends_ms == INT64_MAX)
		return -1;
	left = known->ends_ms - clock_boot_ms();
	return left > 0 ? left : 0;
}

static struct known_shape shape_of(const struct stat *st)
{
	return (struct known_shape){ st->st_ino, st->st_size, st->st_mtim, st->st_ctim };
}

/* In one read, where there are thousands: what is larger is no lease. */
static int read_file(int dir, const char *name, struct known_file **known)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char text[VALUE_MAX + 1];
	size_t size = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size >= VALUE_MAX)
		return -EINVAL;
	do {
		n = read(fd, text + size, VALUE_MAX - size);
		size += n > 0 ? (size_t)n : 0;
	} while (n > 0 && size < (size_t)st.st_size);
	if (n < 0)
		return -errno;
	text[size] = '\0';
	*known = known_file_new(name, text);
	(*known)->as = shape_of(&st);
	return 0;
}

/* ---- all of them ---- */

/* Where the name is, or belongs. */
static size_t place_of(const struct known_files *files, const char *name)
{
	size_t low = 0, high = files->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(files->items[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct known_file *known_files_find(const struct known_files *files, const char *name)
{
	size_t at = place_of(files, name);

	return at < files->n && streq(files->items[at]->name, name) ? files->items[at] : NULL;
}

static void insert(struct known_files *files, size_t at, struct known_file *known)
{
	if (files->n == files->room) {
		files->room = files->room ? 2 * files->room : 16;
		files->items = xrealloc(files->items, files->room * sizeof(*files->items));
	}
	memmove(files->items + at + 1, files->items + at, (files->n - at) * sizeof(*files->items));
	files->items[at] = known;
	files->n++;
}

static void drop(struct known_files *files, size_t at)
{
	free(files->items[at]);
	files->n--;
	memmove(files->items + at, files->items + at + 1, (files->n - at) * sizeof(*files->items));
}

static void reload(struct known_files *files, int dir, const char *name)
{
	size_t at = place_of(files, name);
	bool there = at < files->n && streq(files->items[at]->name, name);
	struct known_file *known = NULL;
	int r = read_file(dir, name, &known);

	if (there && known && known->revision == files->items[at]->revision)
		known->ends_ms = files->items[at]->ends_ms;
	if (there && (known || r == -ENOENT))
		drop(files, at);
	if (known && files->n < FILES_MAX)
		insert(files, at, known);
	else
		free(known);
}

/* It is not kept open: a folder that is deleted would tell of it only when it is closed. */
static int open_folder(const char *dir)
{
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void known_files_reload(struct known_files *files, const char *dir, const char *name)
{
	auto_close int fd = open_folder(dir);

	if (fd >= 0)
		reload(files, fd, name);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_unchanged(const struct known_shape *was, const struct stat *st)
{
	const struct known_shape is = shape_of(st);

	return was->inode == is.inode && was->size == is.size &&
	       same_time(&was->modified, &is.modified) && same_time(&was->changed, &is.changed);
}

/* One that has not been known yet goes to `added`; the scan sorts. */
static void scan_one(struct known_files *files, struct known_files *added, int dir,
		     const char *name)
{
	struct known_file *known = known_files_find(files, name);
	struct stat st;

	if (!known) {
		if (files->n + added->n < FILES_MAX && read_file(dir, name, &known) == 0)
			insert(added, added->n, known);
		return;
	}
	if (fstatat(dir, name, &st, 0) == 0 && !is_unchanged(&known->as, &st))
		reload(files, dir, name);
	known = known_files_find(files, name);
	if (known)
		known->seen = true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(struct known_file *const *)a)->name,
		      (*(struct known_file *const *)b)->name);
}

static void drop_unseen(struct known_files *files)
{
	size_t n = 0;

	for (size_t i = 0; i < files->n; i++) {
		if (!files->items[i]->seen) {
			free(files->items[i]);
			continue;
		}
		files->items[i]->seen = false;
		files->items[n++] = files->items[i];
	}
	files->n = n;
}

int known_files_scan(struct known_files *files, const char *dir, struct error *err)
{
	struct known_files added = { 0 };
	int fd = open_folder(dir);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream)
		return fail_errno(err, errno, "read %s", dir);
	for (struct dirent *found; (found = readdir(stream));)
		if (kv_file_valid_key(found->d_name))
			scan_one(files, &added, fd, found->d_name);
	closedir(stream);
	drop_unseen(files);
	for (size_t i = 0; i < added.n; i++)
		insert(files, files->n, added.items[i]);
	free(added.items);
	if (files->n)
		qsort(files->items, files->n, sizeof(*files->items), compare_names);
	return 0;
}

void known_files_forget(struct known_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->items[i]);
	free(files->items);
	*files = (struct known_files){ 0 };
}
