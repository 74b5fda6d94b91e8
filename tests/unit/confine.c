/* A process that is confined: what it may, and what it may no longer. */
#include "kernel/confine.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static int refused(long result)
{
	return result < 0 && errno == EPERM;
}

static int run(int (*look)(bool bpf), bool bpf)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(look(bpf));
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int child(bool bpf unused)
{
	return !refused(unshare(CLONE_NEWUSER));
}

/* The number of the first thing that is not as it should be. */
static int look(bool bpf)
{
	struct error err = { 0 };
	int fd;

	if (confine(NULL, 0, bpf, &err) < 0)
		return 1;
#ifndef __SANITIZE_ADDRESS__
	if (!refused(ptrace(PTRACE_TRACEME, 0, 0, 0)))
		return 2;
#endif
	if (!refused(unshare(CLONE_NEWUSER)))
		return 2;
	if (!refused(mount("x", "/", "x", 0, NULL)) || !refused(syscall(SYS_keyctl, 0, 0, 0, 0, 0)))
		return 3;
	if (!refused(syscall(SYS_io_uring_register, -1, 0, 0, 0)))
		return 4;
	if (!bpf && !refused(syscall(SYS_bpf, -1, 0, 0)))
		return 5;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || close(fd))
		return 6;
	return run(child, bpf) ? 7 : 0;
}

TEST(confined_processes_are_refused_what_no_agent_needs)
{
	check_int(run(look, false), 0);
	check_int(run(look, true), 0);
}
