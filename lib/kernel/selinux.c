/* SELinux without its library: it is files below /proc and a file system that is mounted when it is enabled. */
#include "kernel/selinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "base/file.h"

#define SELINUX_MOUNT "/sys/fs/selinux"
#define EXEC_LABEL    "/proc/thread-self/attr/exec"

/* The file of the label is there without SELinux, too, and AppArmor reads it in its own way. */
static bool enabled(void)
{
	struct statfs fs;

	return statfs(SELINUX_MOUNT, &fs) == 0 && (unsigned long)fs.f_type == SELINUX_MAGIC;
}

int selinux_exec_label(const char *label, struct error *err)
{
	int fd auto_close = -1;
	int r;

	if (!enabled())
		return fail(err, EOPNOTSUPP, "SELinux is not enabled on this node");
	fd = open(EXEC_LABEL, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, errno, "open " EXEC_LABEL);
	/* Nothing at all would not be a write: an empty label is one byte. */
	r = label ? fd_write_all(fd, label, strlen(label)) : fd_write_all(fd, "", 1);
	if (r == -EINVAL)
		return fail(err, EINVAL, "the policy has no context \"%s\"", label ? label : "");
	return r < 0 ? fail_errno(err, -r, "label \"%s\"", label ? label : "") : 0;
}
