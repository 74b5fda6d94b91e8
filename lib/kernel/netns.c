/*
 * Network namespaces as files: opened by path, entered and left, named by a bind mount as iproute2 does it.
 * A namespace is identified by device and inode of its file, wherever that file is mounted.
 * What is where, and who holds it, is in netns_list.c.
 */
#include "kernel/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
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
		return fail(err, ENOENT, "failed to Statfs \"%s\": no such file or directory", path);
	if (errnum)
		return fail_errno(err, errnum, "failed to Statfs \"%s\"", path);
	if (fs.f_type != NSFS_MAGIC && fs.f_type != PROC_SUPER_MAGIC)
		return fail(err, EINVAL, "unknown FS magic on \"%s\": %lx", path, (unsigned long)fs.f_type);
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
