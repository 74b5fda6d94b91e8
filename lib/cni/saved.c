/* Saved configurations of delegates, a file for each attachment of a container. */
#include "cni/saved.h"

#include "base/file.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>

#define FILE_MAX  ((size_t)4 << 20)
#define ATTRIBUTE "user.cnibox.ifname"
#define SEPARATOR ':' /* in no container id and in no interface name */
#define DRAFT     '.' /* no container id begins with it */

static char *first_path(const char *folder, const struct owner *owner, struct arena *arena)
{
	return arena_printf(arena, "%s/%s", folder, owner->container);
}

static char *further_path(const char *folder, const struct owner *owner, struct arena *arena)
{
	return arena_printf(arena, "%s/%s%c%s", folder, owner->container, SEPARATOR, owner->ifname);
}

/* Whose the file without an interface in its name is; NULL = nobody noted it. */
static const char *noted_ifname(const char *path, struct arena *arena)
{
	char ifname[16] = "";
	ssize_t len = getxattr(path, ATTRIBUTE, ifname, sizeof(ifname) - 1);

	return len > 0 ? arena_strdup(arena, ifname) : NULL;
}

static void read_config(struct saved *saved, struct arena *arena)
{
	char *text;
	size_t size;

	if (file_read(saved->path, FILE_MAX, arena, &text, &size, NULL) < 0)
		return;
	saved->text = text;
	saved->config = json_parse(text, size, NULL);
	if (!json_is_object(saved->config))
		json_release(take_ptr(saved->config));
}

/* A file may be used when it is ours or nobody knows whose it is. */
static bool is_other(const char *path, const char *ifname, struct arena *arena)
{
	const char *noted = noted_ifname(path, arena);

	return noted && !streq(noted, ifname);
}

/* The first attachment has the name that the reference looks for. A good file that lies there already and is not known
 * to be ours, stays: it may be that of another interface. */
static bool may_be_first(const struct saved *there, const char *ifname)
{
	return there->ifname ? streq(there->ifname, ifname) : !there->config;
}

static struct saved look(char *path, const struct owner *owner, const char *ifname,
			 struct arena *arena)
{
	struct saved saved = { .path = path, .container = owner->container, .ifname = ifname };

	read_config(&saved, arena);
	return saved;
}

/* Where the text is written before it gets its name. Nobody else writes for this attachment at the same time, and DEL
 * knows the name. */
static char *draft_path(const char *folder, const struct owner *owner, struct arena *arena)
{
	return arena_printf(arena, "%s/%c%s%c%s", folder, DRAFT, owner->container, SEPARATOR,
			    owner->ifname);
}

/* Without attributes a second interface finds a name that is taken: that does, too. */
static int write_draft(int fd, const char *text, const char *ifname)
{
	int r = fd_write_all(fd, text, strlen(text));

	if (r < 0)
		return r;
	if (*ifname && fsetxattr(fd, ATTRIBUTE, ifname, strlen(ifname), 0) < 0)
		log_debug("no attributes for kept configurations: %s", strerror(errno));
	return fsync(fd) < 0 ? -errno : 0;
}

static int folder_sync(const char *folder)
{
	auto_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_file(const char *folder, const char *draft, const char *path, const char *text,
		      const char *ifname)
{
	auto_close int fd =
		open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : write_draft(fd, text, ifname);

	if (r == 0 && rename(draft, path) < 0)
		r = -errno;
	if (r == 0)
		return folder_sync(folder);
	if (fd >= 0)
		unlink(draft);
	return r;
}

int saved_write(const char *folder, const struct owner *owner, const char *text,
		struct arena *arena, struct saved *before, struct error *err)
{
	char *path = first_path(folder, owner, arena);
	int r;

	*before = look(path, owner, noted_ifname(path, arena), arena);
	if (!may_be_first(before, owner->ifname)) {
		saved_release(before);
		*before = look(further_path(folder, owner, arena), owner, owner->ifname, arena);
	}
	if (dir_make(folder, 0700, err) < 0)
		return -err->errnum;
	before->folder = folder;
	before->draft = draft_path(folder, owner, arena);
	r = write_file(folder, before->draft, before->path, text, owner->ifname);
	if (r == 0)
		return 0;
	(void)!saved_undo(before, NULL);
	return fail_errno(err, -r, "write %s", before->path);
}

int saved_undo(const struct saved *before, struct error *err)
{
	int r = 0;

	if (before->text)
		r = write_file(before->folder, before->draft, before->path, before->text,
			       before->ifname ? before->ifname : "");
	else if (unlink(before->path) < 0 && errno != ENOENT)
		r = -errno;
	return r < 0 ? fail_errno(err, -r, "put back %s", before->path) : 0;
}

bool saved_find(const char *folder, const struct owner *owner, struct arena *arena,
		struct saved *saved)
{
	char *further = further_path(folder, owner, arena),
	     *path = first_path(folder, owner, arena);

	*saved = (struct saved){ .container = owner->container, .ifname = owner->ifname };
	if (access(further, F_OK) == 0)
		saved->path = further;
	else if (access(path, F_OK) == 0 && !is_other(path, owner->ifname, arena))
		saved->path = path;
	else
		return false;
	read_config(saved, arena);
	return true;
}

void saved_sweep(const char *folder, const struct owner *owner, struct arena *arena)
{
	unlink(draft_path(folder, owner, arena));
}

void saved_remove(const struct saved *saved)
{
	unlink(saved->path);
}

static void list_file(const char *folder, const char *name, struct arena *arena, saved_list_t *list)
{
	bool draft = *name == DRAFT;
	char *container = arena_strdup(arena, name + draft), *ifname = strchr(container, SEPARATOR);
	struct saved saved = { .path = arena_printf(arena, "%s/%s", folder, name),
			       .container = container };

	if (ifname)
		*ifname++ = '\0';
	saved.ifname = ifname ? ifname : noted_ifname(saved.path, arena);
	if (!draft)
		read_config(&saved, arena);
	*list_add(arena, list) = saved;
}

void saved_list(const char *folder, struct arena *arena, saved_list_t *list)
{
	DIR *dir = opendir(folder);

	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
			list_file(folder, entry->d_name, arena, list);
	closedir(dir);
}

void saved_release(struct saved *saved)
{
	json_release(take_ptr(saved->config));
}

void saved_list_release(saved_list_t *list)
{
	list_each(saved, list)
		saved_release(saved);
}
