/*
 * Network namespaces as files: opened by path, entered and left, named by a bind mount as iproute2 does it.
 * A namespace is identified by device and inode of its file, wherever that file is mounted.
 * What is where, and who holds it, is in netns_list.c.
 */
#include "kernel/netns.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/file.h"

#define SELF "/proc/thread-self/ns/net"

int netns_open(const char *path, int *fd, struct error *err)
{
	struct statfs fs;
	int errnum = statfs(path, &fs) < 0 ? errno : 0;

	*fd = -1;
	if (errnum == ENOENT)
		return fail(err, ENOENT, "failed to Statfs \"%s\": no such file or directory",
			    path);
	if (errnum)
		return fail_errno(err, errnum, "failed to Statfs \"%s\"", path);
	if (fs.f_type != NSFS_MAGIC && fs.f_type != PROC_SUPER_MAGIC)
		return fail(err, EINVAL, "unknown FS magic on \"%s\": %lx", path,
			    (unsigned long)fs.f_type);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? fail_errno(err, errno, "open \"%s\"", path) : 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool netns_is_current(int fd)
{
	struct stat theirs, ours;

	return fstat(fd, &theirs) == 0 && stat(SELF, &ours) == 0 && same_file(&theirs, &ours);
}

/* Nothing to come back from when fd is the current namespace: *old is -1 then. */
int netns_enter(int fd, int *old, struct error *err)
{
	auto_close int self = -1;
	struct stat theirs, ours;

	*old = -1;
	self = open(SELF, O_RDONLY | O_CLOEXEC);
	if (self < 0)
		return fail_errno(err, errno, "open \"%s\"", SELF);
	if (fstat(fd, &theirs) < 0 || fstat(self, &ours) < 0)
		return fail_errno(err, errno, "enter network namespace");
	if (same_file(&theirs, &ours))
		return 0;
	if (setns(fd, CLONE_NEWNET) < 0)
		return fail_errno(err, errno, "enter network namespace");
	*old = take_fd(&self);
	return 0;
}

/* Going on in the wrong namespace would change the wrong host: a failure to return ends the process. */
void netns_leave(int *old)
{
	if (*old < 0)
		return;
	if (setns(*old, CLONE_NEWNET) < 0)
		abort();
	close(*old);
	*old = -1;
}

int netns_identity(int fd, dev_t *dev, ino_t *ino, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_errno(err, errno, "identify network namespace");
	*dev = st.st_dev;
	*ino = st.st_ino;
	return 0;
}

/* The path of a named namespace; the name is a file name, so nothing that leads elsewhere. */
static int name_path(const char *name, char *path, size_t size, struct error *err)
{
	if (!*name || strlen(name) > NAME_MAX || strchr(name, '/') || streq(name, ".") ||
	    streq(name, ".."))
		return fail(err, EINVAL, "\"%s\" is not a name for a network namespace%s", name,
			    strlen(name) > NAME_MAX ? " (longer than 255 bytes)"
			    : strchr(name, '/')     ? " (a name has no \"/\")"
						    : "");
	snprintf(path, size, "%s/%s", NETNS_RUN_DIR, name);
	return 0;
}

/*
 * A bind mount reaches the mount namespaces of others (daemons, containers started before) only when the folder
 * is a shared mount point, which it becomes by being bound over itself first; ip-netns(8) does the same. The lock
 * keeps two of us from stacking mounts.
 */
static int share_run_dir(struct error *err)
{
	auto_close int lock = -1;
	int r = dir_make(NETNS_RUN_DIR, 0755, err);

	if (r < 0)
		return r;
	lock = open(NETNS_RUN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return fail_errno(err, errno, "lock \"%s\"", NETNS_RUN_DIR);
	if (mount("", NETNS_RUN_DIR, "none", MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	if (errno != EINVAL) /* EINVAL: not a mount point yet */
		return fail_errno(err, errno, "share \"%s\"", NETNS_RUN_DIR);
	if (mount(NETNS_RUN_DIR, NETNS_RUN_DIR, "none", MS_BIND | MS_REC, NULL) < 0)
		return fail_errno(err, errno, "bind \"%s\" to itself", NETNS_RUN_DIR);
	if (mount("", NETNS_RUN_DIR, "none", MS_SHARED | MS_REC, NULL) < 0)
		return fail_errno(err, errno, "share \"%s\"", NETNS_RUN_DIR);
	return 0;
}

/* A new namespace can only be had by going there: go, pin it at path, come back. */
static int pin_new(const char *path, struct error *err)
{
	auto_close int self = open(SELF, O_RDONLY | O_CLOEXEC);
	int r = 0;

	if (self < 0)
		return fail_errno(err, errno, "open \"%s\"", SELF);
	if (unshare(CLONE_NEWNET) < 0)
		return fail_errno(err, errno, "unshare network namespace");
	if (mount(SELF, path, "none", MS_BIND, NULL) < 0)
		r = fail_errno(err, errno, "bind network namespace to \"%s\"", path);
	netns_leave(&self);
	return r;
}

int netns_add(const char *name, struct error *err)
{
	char path[sizeof(NETNS_RUN_DIR) + NAME_MAX + 1];
	int r = name_path(name, path, sizeof(path), err);

	if (r < 0)
		return r;
	for (const char *c = name; *c; c++)
		if (iscntrl((unsigned char)*c))
			return fail(err, EINVAL,
				    "\"%s\" is not a name for a network namespace"
				    " (it has control characters)",
				    name);
	r = share_run_dir(err);
	if (r == 0) {
		int file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);

		if (file < 0)
			return fail_errno(err, errno, "create network namespace \"%s\"", name);
		close(file);
		r = pin_new(path, err);
		if (r < 0)
			unlink(path);
	}
	if (r < 0)
		wrap(err, "create network namespace \"%s\"", name);
	return r;
}

/* The namespace itself lives on while a process or a descriptor holds it. */
int netns_del(const char *name, struct error *err)
{
	char path[sizeof(NETNS_RUN_DIR) + NAME_MAX + 1];
	int r = name_path(name, path, sizeof(path), err);

	if (r < 0)
		return r;
	if (umount2(path, MNT_DETACH) < 0 &&
	    errno != EINVAL) /* EINVAL: a file left without its mount */
		return fail_errno(err, errno, "remove network namespace \"%s\"", name);
	if (unlink(path) < 0)
		return fail_errno(err, errno, "remove network namespace \"%s\"", name);
	return 0;
}
