/* Saved configurations of delegates, a file for each attachment of a container. */
#include "cni/saved.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <sys/xattr.h>

#define FILE_MAX  ((size_t)4 << 20)
#define ATTRIBUTE "user.cnibox.ifname"
#define SEPARATOR ':' /* in no container id and in no interface name */

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

static int write_file(const char *path, const char *text, const char *ifname, struct error *err)
{
	int r = file_replace(path, 0600, text, strlen(text), true, err);

	/* Without attributes a second interface finds a name that is taken: that does, too. */
	return r < 0 || setxattr(path, ATTRIBUTE, ifname, strlen(ifname), 0) < 0 ? r : 0;
}

int saved_write(const char *folder, const struct owner *owner, const char *text,
		struct arena *arena, struct saved *before, struct error *err)
{
	char *path = first_path(folder, owner, arena);

	*before = look(path, owner, noted_ifname(path, arena), arena);
	if (!may_be_first(before, owner->ifname)) {
		saved_release(before);
		*before = look(further_path(folder, owner, arena), owner, owner->ifname, arena);
	}
	if (dir_make(folder, 0700, err) < 0)
		return -err->errnum;
	return write_file(before->path, text, owner->ifname, err);
}

int saved_undo(const struct saved *before, struct error *err)
{
	if (before->text)
		return write_file(before->path, before->text, before->ifname ? before->ifname : "",
				  err);
	return unlink(before->path) < 0 && errno != ENOENT
		       ? fail_errno(err, errno, "remove %s", before->path)
		       : 0;
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

void saved_remove(const struct saved *saved)
{
	unlink(saved->path);
}

static void list_file(const char *folder, const char *name, struct arena *arena, saved_list_t *list)
{
	char *container = arena_strdup(arena, name), *ifname = strchr(container, SEPARATOR);
	struct saved saved = { .path = arena_printf(arena, "%s/%s", folder, name),
			       .container = container };

	if (ifname)
		*ifname++ = '\0';
	saved.ifname = ifname ? ifname : noted_ifname(saved.path, arena);
	read_config(&saved, arena);
	*list_add(arena, list) = saved;
}

/* No container id begins with a dot. */
void saved_list(const char *folder, struct arena *arena, saved_list_t *list)
{
	DIR *dir = opendir(folder);

	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
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
