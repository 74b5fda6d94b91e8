/* A plugin folder in two hands; see plugin_dir.h for how. All names are relative to open folders. */
#include "cni/plugin_dir.h"

#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define STATE    ".cnibox"
#define NOW      "now"
#define BEFORE   "before"
#define FRESH    "new" /* what is about to be renamed into place */
#define COPY     "cnibox"
#define UPWARDS  "../../" /* from a set to the folder */
#define OWN_LINK STATE "/" NOW "/"

enum { LOCK_TIMEOUT_MS = 30000, BINARY_MAX = 256 << 20 };

struct folder {
	const struct plugin_dir *spec;
	int dir, state, before, lock;
	char set[8]; /* the set of ours that is being made: "a" or "b", whichever is not in use */
};

static void folder_close(struct folder *folder)
{
	close_fd(&folder->dir);
	close_fd(&folder->state);
	close_fd(&folder->before);
	close_fd(&folder->lock);
}

/* The target of a link, or "" when the name is none. */
static const char *link_target(int dir, const char *name, char target[PATH_MAX])
{
	ssize_t len = readlinkat(dir, name, target, PATH_MAX - 1);

	target[len > 0 ? len : 0] = '\0';
	return target;
}

static bool is_own_link(int dir, const char *name)
{
	char target[PATH_MAX];

	return has_prefix(link_target(dir, name, target), OWN_LINK) &&
	       streq(target + strlen(OWN_LINK), name);
}

static bool is_there(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Put a link in the place of whatever is called name, in one step. */
static int link_put(const struct folder *folder, int dir, const char *name, const char *target,
		    struct error *err)
{
	unlinkat(folder->state, FRESH, 0);
	if (symlinkat(target, folder->state, FRESH) || renameat(folder->state, FRESH, dir, name))
		return fail_errno(err, errno, "link %s to %s", name, target);
	return 0;
}

static int open_folder(int dir, const char *name, int *fd, struct error *err)
{
	*fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *fd < 0 ? fail_errno(err, errno, "open folder %s%s", name,
				    dir == AT_FDCWD ? " (--dir names another)" : "")
		       : 0;
}

static int make_folder(int dir, const char *name, int *fd, struct error *err)
{
	if (mkdirat(dir, name, 0755) && errno != EEXIST)
		return fail_errno(err, errno, "make folder %s", name);
	return open_folder(dir, name, fd, err);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a folder, sorted, hidden ones left out. */
static int list_names(int dir, struct arena *arena, strings_t *names, struct error *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream) {
		fail_errno(err, errno, "read the folder");
		close_fd(&fd);
		return -err->errnum;
	}
	for (struct dirent *entry; (entry = readdir(stream));)
		if (*entry->d_name != '.')
			*list_add(arena, names) = arena_strdup(arena, entry->d_name);
	closedir(stream);
	if (names->n)
		qsort(names->items, names->n, sizeof(*names->items), compare_names);
	return 0;
}

/* A set with all that is in it; not there is fine. */
static void remove_set(const struct folder *folder, const char *set)
{
	auto_close int fd = -1;
	strings_t names = { 0 };

	if (open_folder(folder->state, set, &fd, NULL) < 0 ||
	    list_names(fd, folder->spec->arena, &names, &(struct error){ 0 }) < 0)
		return;
	list_each(name, &names)
		unlinkat(fd, *name, 0);
	unlinkat(folder->state, set, AT_REMOVEDIR);
}

static int folder_open(struct folder *folder, bool create, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *path = folder->spec->path;
	char now[PATH_MAX];
	int r = create ? dir_make(path, 0755, err) : 0;

	if (r == 0)
		r = open_folder(AT_FDCWD, path, &folder->dir, err);
	if (r == 0 && !create && !is_there(folder->dir, STATE))
		return -ENOENT;
	if (r < 0 || make_folder(folder->dir, STATE, &folder->state, err) ||
	    lock_take(arena_printf(&arena, "%s/" STATE "/lock", path), 0600, LOCK_TIMEOUT_MS,
		      &folder->lock, err) ||
	    make_folder(folder->state, BEFORE, &folder->before, err))
		return wrap(err, "%s", path);
	if (!*link_target(folder->state, NOW, now) &&
	    link_put(folder, folder->state, NOW, BEFORE, err))
		return wrap(err, "%s", path);
	snprintf(folder->set, sizeof(folder->set), "%s", streq(now, "a") ? "b" : "a");
	return 0;
}

/* What a name is in the folder, as runtimes see it; a link of ours stands for what was kept. */
static enum plugin_was look_at(const struct folder *folder, const char *name)
{
	char target[PATH_MAX], now[PATH_MAX];

	if (!is_there(folder->dir, name))
		return PLUGIN_WAS_ABSENT;
	if (streq(link_target(folder->dir, name, target), folder->spec->binary))
		return PLUGIN_WAS_OURS;
	if (!is_own_link(folder->dir, name))
		return PLUGIN_WAS_FOREIGN;
	if (!streq(link_target(folder->state, NOW, now), BEFORE))
		return PLUGIN_WAS_OURS;
	return is_there(folder->before, name) ? PLUGIN_WAS_FOREIGN : PLUGIN_WAS_ABSENT;
}

/* Keep what stands under the name, as it is; a relative link leads to the same from two folders further down. */
static int keep(const struct folder *folder, const char *name, struct error *err)
{
	struct arena *arena = folder->spec->arena;
	char target[PATH_MAX];

	if (*link_target(folder->dir, name, target) && *target != '/')
		return link_put(folder, folder->before, name,
				arena_printf(arena, UPWARDS "%s", target), err);
	unlinkat(folder->state, FRESH, 0);
	if (linkat(folder->dir, name, folder->state, FRESH, 0) ||
	    renameat(folder->state, FRESH, folder->before, name))
		return fail_errno(err, errno, "keep %s", name);
	/* Renaming between two names of one file does nothing. */
	unlinkat(folder->state, FRESH, 0);
	return 0;
}

/* From here on the name goes where `now` goes. */
static int take_name(const struct folder *folder, const char *name, struct error *err)
{
	auto_arena struct arena arena = { 0 };

	if (is_own_link(folder->dir, name))
		return 0;
	if (look_at(folder, name) == PLUGIN_WAS_FOREIGN && keep(folder, name, err))
		return -err->errnum;
	return link_put(folder, folder->dir, name, arena_printf(&arena, OWN_LINK "%s", name), err);
}

static int put_copy(const struct folder *folder, int set, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_close int fd = openat(set, COPY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	char *data;
	size_t size;
	int r;

	if (fd < 0)
		return fail_errno(err, errno, "copy %s", folder->spec->binary);
	if (file_read(folder->spec->binary, BINARY_MAX, &arena, &data, &size, err))
		return -err->errnum;
	r = fd_write_all(fd, data, size);
	if (r == 0 && (fchmod(fd, 0755) || fsync(fd)))
		r = -errno;
	return r < 0 ? fail_errno(err, -r, "copy %s", folder->spec->binary) : 0;
}

static bool has_name(const strings_t *names, const char *wanted)
{
	list_each(name, names)
		if (streq(*name, wanted))
			return true;
	return false;
}

/* A set of ours: our names lead to the binary; others that were kept (another version had them) to what they were. */
static int make_set(const struct folder *folder, const strings_t *names, struct error *err)
{
	struct arena *arena = folder->spec->arena;
	const char *target = folder->spec->copy ? COPY : folder->spec->binary;
	strings_t kept = { 0 };
	auto_close int set = -1;

	remove_set(folder, folder->set);
	if (make_folder(folder->state, folder->set, &set, err) ||
	    (folder->spec->copy && put_copy(folder, set, err)) ||
	    list_names(folder->before, arena, &kept, err))
		return -err->errnum;
	list_each(name, names)
		if (symlinkat(target, set, *name))
			return fail_errno(err, errno, "link %s to %s", *name, target);
	list_each(name, &kept)
		if (!has_name(names, *name) &&
		    symlinkat(arena_printf(arena, "../" BEFORE "/%s", *name), set, *name))
			return fail_errno(err, errno, "link %s", *name);
	return 0;
}

/* The one step. What is reached through it is on disk before, and it is on disk after. */
static int turn_over(const struct folder *folder, const char *set, struct error *err)
{
	if (syncfs(folder->state))
		return fail_errno(err, errno, "write the folder");
	if (link_put(folder, folder->state, NOW, set, err))
		return -err->errnum;
	return fsync(folder->state) ? fail_errno(err, errno, "write the folder") : 0;
}

/* Links of ours that are not in the set by now: names that this version does not have. */
static void drop_unknown(const struct folder *folder, const strings_t *there)
{
	auto_arena struct arena arena = { 0 };

	list_each(name, there)
		if (is_own_link(folder->dir, *name) &&
		    !is_there(folder->state, arena_printf(&arena, NOW "/%s", *name)))
			unlinkat(folder->dir, *name, 0);
}

int plugin_dir_take(const struct plugin_dir *dir, const strings_t *names, plugin_dir_rows_t *rows,
		    struct error *err)
{
	struct folder folder on_leave(folder_close) = { dir, -1, -1, -1, -1, "" };
	strings_t there = { 0 };

	if (!dir->dry_run && folder_open(&folder, true, err))
		return -err->errnum;
	if (dir->dry_run && open_folder(AT_FDCWD, dir->path, &folder.dir, err))
		return -err->errnum;
	if (dir->dry_run)
		folder.state = openat(folder.dir, STATE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	list_each(name, names)
		*list_add(dir->arena, rows) =
			(struct plugin_dir_row){ *name, look_at(&folder, *name) };
	if (dir->dry_run)
		return 0;
	list_each(name, names)
		if (take_name(&folder, *name, err))
			return wrap(err, "%s", dir->path);
	if (make_set(&folder, names, err) || turn_over(&folder, folder.set, err) ||
	    list_names(folder.dir, dir->arena, &there, err))
		return wrap(err, "%s", dir->path);
	drop_unknown(&folder, &there);
	remove_set(&folder, streq(folder.set, "a") ? "b" : "a");
	return 0;
}

/* What was kept goes back to its name, without a moment in which there is none. */
static int return_name(const struct folder *folder, const char *name, enum plugin_was *was,
		       struct error *err)
{
	char target[PATH_MAX];
	int r = 0;

	*was = is_there(folder->before, name) ? PLUGIN_WAS_FOREIGN : PLUGIN_WAS_ABSENT;
	if (*was == PLUGIN_WAS_ABSENT)
		r = unlinkat(folder->dir, name, 0);
	else if (has_prefix(link_target(folder->before, name, target), UPWARDS))
		return link_put(folder, folder->dir, name, target + strlen(UPWARDS), err);
	else
		r = renameat(folder->before, name, folder->dir, name);
	return r ? fail_errno(err, errno, "return %s", name) : 0;
}

static void forget_state(const struct folder *folder)
{
	static const char *const files[] = { NOW, FRESH, "lock" };

	remove_set(folder, "a");
	remove_set(folder, "b");
	remove_set(folder, BEFORE);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(folder->state, files[i], 0);
	unlinkat(folder->dir, STATE, AT_REMOVEDIR);
}

int plugin_dir_give_back(const struct plugin_dir *dir, plugin_dir_rows_t *rows, struct error *err)
{
	struct folder folder on_leave(folder_close) = { dir, -1, -1, -1, -1, "" };
	strings_t there = { 0 };
	int r = folder_open(&folder, false, err);

	if (r == -ENOENT && !err->errnum)
		return 0;
	if (r == 0 && !dir->dry_run)
		r = turn_over(&folder, BEFORE, err);
	if (r == 0)
		r = list_names(folder.dir, dir->arena, &there, err);
	list_each(name, &there) {
		enum plugin_was was = PLUGIN_WAS_ABSENT;

		if (r < 0 || !is_own_link(folder.dir, *name))
			continue;
		if (dir->dry_run)
			was = is_there(folder.before, *name) ? PLUGIN_WAS_FOREIGN
							     : PLUGIN_WAS_ABSENT;
		else
			r = return_name(&folder, *name, &was, err);
		*list_add(dir->arena, rows) = (struct plugin_dir_row){ *name, was };
	}
	if (r < 0)
		return wrap(err, "%s", dir->path);
	if (!dir->dry_run)
		forget_state(&folder);
	return 0;
}
