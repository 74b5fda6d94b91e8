/* Files of the tuning plugins; see backup.h. */
#include "cni/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/text.h"

#define FILE_MAX  ((size_t)1 << 20)
#define SUFFIX    ".json"
#define SEEN(m)   FIELD_SEEN(struct backup, m)
#define MEMBER(m) offsetof(struct backup, m)

/* In the reference's order. */
static const struct field fields[] = {
	{ "mac", FIELD_MAC, MEMBER(mac) },
	{ "promisc", FIELD_BOOL, MEMBER(promisc), .seen = SEEN(has_promisc) },
	{ "mtu", FIELD_INT, MEMBER(mtu) },
	{ "allmulti", FIELD_BOOL, MEMBER(allmulti), .seen = SEEN(has_allmulti) },
	{ "txQLen", FIELD_INT, MEMBER(txqlen), .seen = SEEN(has_txqlen) },
	{ "network", FIELD_STRING, MEMBER(network) },
	{ "sysctl", FIELD_JSON, MEMBER(sysctl) },
	FIELDS_END
};

static char *file_name(const struct owner *owner, struct arena *arena)
{
	return arena_printf(arena, "%s_%s" SUFFIX, owner->container, owner->ifname);
}

/* One name that can be derived, so that a DEL finds what a killed ADD left. */
static char *temp_path(const char *path, struct arena *arena)
{
	const char *slash = strrchr(path, '/');

	return arena_printf(arena, "%.*s/.%s", (int)(slash - path), path, slash + 1);
}

static int load(struct backup_file *file, struct arena *arena, struct backup *backup,
		struct error *err)
{
	struct error why = { 0 };
	size_t size;

	*backup = (struct backup){ 0 };
	if (file_read(file->path, FILE_MAX, arena, &file->text, &size, &why)) {
		file->text = NULL;
		return why.errnum == ENOENT || why.errnum == ENOTDIR
			       ? 0
			       : fail(err, why.errnum, "%s", why.message);
	}
	file->content = json_parse(file->text, size, NULL);
	if (!file->content || json_decode(file->content, fields, backup, arena, NULL) < 0)
		*backup = (struct backup){ 0 };
	if (!json_is_object(backup->sysctl))
		backup->sysctl = NULL;
	return 0;
}

int backup_read(struct backup_file *file, const char *folder, const struct owner *owner,
		struct arena *arena, struct backup *backup, struct error *err)
{
	*file = (struct backup_file){
		.path = arena_printf(arena, "%s/%s", folder, file_name(owner, arena)),
	};
	return load(file, arena, backup, err);
}

void backup_close(struct backup_file *file)
{
	json_release(take_ptr(file->content));
}

static int write_text(const char *path, const char *text, struct error *err)
{
	struct arena arena auto_arena = { 0 };
	const char *temp = temp_path(path, &arena);
	int fd auto_close = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return fail_errno(err, errno, "write %s", path);
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	unlink(temp);
	return fail_errno(err, -r, "write %s", path);
}

int backup_write(const struct backup_file *file, const struct backup *backup, struct arena *arena,
		 struct error *err)
{
	const char *slash = strrchr(file->path, '/');
	struct json *json auto_json = json_encode(fields, backup);

	if (dir_make(arena_printf(arena, "%.*s", (int)(slash - file->path), file->path), 0700, err))
		return -err->errnum;
	return write_text(file->path, json_text(json, JSON_STYLE_INDENT_ONE, arena), err);
}

static int remove_file(const char *path, struct error *err)
{
	return unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR
		       ? 0
		       : fail_errno(err, errno, "remove %s", path);
}

int backup_revert(const struct backup_file *file, struct error *err)
{
	return file->text ? write_text(file->path, file->text, err) : remove_file(file->path, err);
}

int backup_remove(const struct backup_file *file, struct error *err)
{
	struct arena arena auto_arena = { 0 };

	(void)unlink(temp_path(file->path, &arena));
	return remove_file(file->path, err);
}

/* ---- garbage ---- */

/* Container ids and interface names can both hold the separator: compare with what the valid ones are called. */
static bool is_valid(const char *name, const owners_t *valid, struct arena *arena)
{
	list_each(owner, valid)
		if (streq(name, file_name(owner, arena)))
			return true;
	return false;
}

static int collect_one(const char *folder, const char *name, const char *network,
		       struct arena *arena, struct error *err)
{
	struct backup_file file on_leave(backup_close) = {
		.path = arena_printf(arena, "%s/%s", folder, name),
	};
	struct backup backup;

	if (load(&file, arena, &backup, err))
		return -err->errnum;
	return backup.network && streq(backup.network, network) ? backup_remove(&file, err) : 0;
}

static void close_folder(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int backup_gc(const char *folder, const char *network, const owners_t *valid, struct error *err)
{
	struct arena arena auto_arena = { 0 };
	DIR *dir on_leave(close_folder) = opendir(folder);
	struct error later = { 0 };

	if (!dir)
		return errno == ENOENT ? 0 : fail_errno(err, errno, "open %s", folder);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.' || !has_suffix(entry->d_name, SUFFIX) ||
		    is_valid(entry->d_name, valid, &arena))
			continue;
		if (collect_one(folder, entry->d_name, network, &arena, &later))
			error_move(err, &later);
	}
	return err ? -err->errnum : 0;
}
