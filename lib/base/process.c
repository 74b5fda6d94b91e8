/*
 * Running a program: posix_spawn with a clean signal state and our descriptors closed; one event loop feeds its
 * stdin, collects stdout and stderr, and waits for its end or the deadline. The end is a pidfd becoming readable,
 * or SIGCHLD where the kernel has none (before 5.3). When the child is gone, what the pipes still hold is read, and
 * nothing is waited for: a grandchild that keeps them open cannot hold us up.
 */
#include "base/process.h"

#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define OUTPUT_MAX   ((size_t)1 << 20)
#define READY_CHUNKS 4  /* of 16 KiB, before the loop looks at everything else */
#define LAST_CHUNKS  64 /* as much as a pipe may hold */
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define SBIN_PATH    "/usr/local/sbin:/usr/sbin:/sbin"

#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
#define CLOSEFROM
#endif
#endif

enum { CHILD_INPUT, CHILD_OUTPUT, CHILD_ERRORS };
enum { CLOSE_AT_EXEC = 4 }; /* a flag of close_range(2), in Linux 5.11 and later */

struct sink {
	int fd; /* our end, -1 = not collected */
	char *data;
	size_t size, room, max;
};

struct run {
	const struct process *process;
	struct loop *loop;
	pid_t pid;
	int pidfd, input;
	size_t written;
	struct sink output, errors;
	int status;
	bool ended, killed;
};

/* What the caller's signal state was: SIGPIPE is blocked while we write, SIGCHLD must not be ignored, since then the
 * kernel would throw the child's status away. */
struct signals {
	sigset_t mask;
	struct sigaction child;
	bool child_ignored;
};

static void signals_prepare(struct signals *signals)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t pipe_only;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &signals->mask);
	sigaction(SIGCHLD, NULL, &signals->child);
	signals->child_ignored =
		signals->child.sa_handler == SIG_IGN || signals->child.sa_flags & SA_NOCLDWAIT;
	if (signals->child_ignored)
		sigaction(SIGCHLD, &standard, NULL);
}

static void signals_restore(struct signals *signals)
{
	struct timespec none = { 0 };
	sigset_t pipe_only;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	if (sigismember(&signals->mask, SIGPIPE) == 0)
		while (sigtimedwait(&pipe_only, NULL, &none) > 0)
			;
	pthread_sigmask(SIG_SETMASK, &signals->mask, NULL);
	if (signals->child_ignored)
		sigaction(SIGCHLD, &signals->child, NULL);
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool find_in(const char *folders, const char *name, char *path, size_t size)
{
	while (*folders) {
		size_t len = strcspn(folders, ":");
		int n = snprintf(path, size, "%.*s/%s", (int)len, folders, name);

		if (len > 0 && n > 0 && (size_t)n < size && is_program(path))
			return true;
		folders += len + (folders[len] == ':');
	}
	return false;
}

bool process_find(const char *name, char *path, size_t size)
{
	const char *folders = getenv("PATH");

	if (!*name || strchr(name, '/'))
		return false;
	return find_in(folders && *folders ? folders : DEFAULT_PATH, name, path, size) ||
	       find_in(SBIN_PATH, name, path, size);
}

/* What is beyond the maximum is read and thrown away, so that the child goes on. */
static void sink_append(struct sink *sink, const char *data, size_t size)
{
	if (size > sink->max - sink->size)
		size = sink->max - sink->size;
	if (sink->size + size > sink->room) {
		sink->room = 2 * (sink->size + size);
		sink->data = xrealloc(sink->data, sink->room);
	}
	if (size > 0)
		memcpy(sink->data + sink->size, data, size);
	sink->size += size;
}

/* Bounded, since who writes without end must not keep us from the deadline. */
static void sink_read(struct sink *sink, struct loop *loop, int max_chunks)
{
	char buffer[16384];

	for (int i = 0; i < max_chunks && sink->fd >= 0; i++) {
		ssize_t n = read(sink->fd, buffer, sizeof(buffer));

		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0) {
			sink_append(sink, buffer, (size_t)n);
		} else if (n == 0 || errno != EINTR) {
			loop_unwatch(loop, sink->fd);
			close(take_fd(&sink->fd));
		}
	}
}

static void output_ready(struct loop *loop, void *arg)
{
	sink_read(&((struct run *)arg)->output, loop, READY_CHUNKS);
}

static void errors_ready(struct loop *loop, void *arg)
{
	sink_read(&((struct run *)arg)->errors, loop, READY_CHUNKS);
}

/* A child that does not read its input to the end is no error: its status says what it thinks of it. One that got a
 * part of it for another reason must not be believed: iptables-restore is content with nothing. */
static void input_ready(struct loop *loop, void *arg)
{
	struct run *run = arg;
	const char *data = run->process->input;

	while (run->written < run->process->input_size) {
		ssize_t n = write(run->input, data + run->written,
				  run->process->input_size - run->written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EPIPE)
			loop_stop(loop, -errno);
		if (n < 0)
			break;
		run->written += (size_t)n;
	}
	loop_unwatch(loop, run->input);
	close(take_fd(&run->input));
}

/* Both a pidfd and SIGCHLD only say "look": somebody else's child, or a stopped one, is not ours ending. */
static void child_ended(struct loop *loop, void *arg)
{
	struct run *run = arg;
	pid_t pid = waitpid(run->pid, &run->status, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR))
		return;
	run->ended = true;
	sink_read(&run->output, loop, LAST_CHUNKS);
	sink_read(&run->errors, loop, LAST_CHUNKS);
	loop_stop(loop, pid < 0 ? -errno : 0);
}

static void deadline_passed(struct loop *loop, void *arg)
{
	struct run *run = arg;

	run->killed = true;
	loop_stop(loop, -ETIMEDOUT);
}

/* Away from 0, 1 and 2: when ours are closed, a pipe's end must not be where the child's other one goes. */
static int move_up(int *fd)
{
	int moved;

	if (*fd > CHILD_ERRORS)
		return 0;
	moved = fcntl(*fd, F_DUPFD_CLOEXEC, CHILD_ERRORS + 1);
	if (moved < 0)
		return -errno;
	close(*fd);
	*fd = moved;
	return 0;
}

/* A pipe whose end `ours` (0 = reading, 1 = writing) does not block. */
static int pipe_open(int fds[2], int ours, struct error *err)
{
	if (pipe2(fds, O_CLOEXEC) < 0 || move_up(&fds[0]) < 0 || move_up(&fds[1]) < 0)
		return fail_errno(err, errno, "create pipe");
	if (fcntl(fds[ours], F_SETFL, O_NONBLOCK | (ours ? O_WRONLY : O_RDONLY)) < 0)
		return fail_errno(err, errno, "create pipe");
	return 0;
}

/* What a runtime left open for us without close-on-exec is not the child's business either. An errno: a child that lacks one of
 * these has our own input and output. */
static int actions_set(posix_spawn_file_actions_t *actions, int in, int out, int errors)
{
	int r = posix_spawn_file_actions_adddup2(actions, in, CHILD_INPUT);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, out, CHILD_OUTPUT);
	if (r == 0 && errors >= 0)
		r = posix_spawn_file_actions_adddup2(actions, errors, CHILD_ERRORS);
#ifdef CLOSEFROM
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, CHILD_ERRORS + 1);
#else
	syscall(SYS_close_range, CHILD_ERRORS + 1, ~0U, CLOSE_AT_EXEC);
#endif
	return r;
}

static void attributes_set(posix_spawnattr_t *attributes)
{
	sigset_t all, none;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static int spawn(struct run *run, const char *path, int in, int out, int errors, struct error *err)
{
	const struct process *process = run->process;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	attributes_set(&attributes);
	r = actions_set(&actions, in, out, errors);
	if (r == 0)
		r = posix_spawn(&run->pid, path, &actions, &attributes,
				(char *const *)process->argv,
				process->envp ? (char *const *)process->envp : environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r ? fail_errno(err, r, "run %s", path) : 0;
}

/* Make the pipes and start the child; the child's ends are closed here again. */
static int run_start(struct run *run, const char *path, struct error *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, errors[2] = { -1, -1 }, r;

	r = pipe_open(in, 1, err);
	if (r == 0)
		r = pipe_open(out, 0, err);
	if (r == 0 && run->process->keep_stderr)
		r = pipe_open(errors, 0, err);
	if (r == 0)
		r = spawn(run, path, in[0], out[1], errors[1], err);
	close_fd(&in[0]);
	close_fd(&out[1]);
	close_fd(&errors[1]);
	run->input = in[1];
	run->output.fd = out[0];
	run->errors.fd = errors[0];
	return r;
}

static int watch_end(struct run *run, struct error *err)
{
	int r;

#ifdef SYS_pidfd_open
	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
#endif
	if (run->pidfd >= 0)
		return loop_watch(run->loop, run->pidfd, EPOLLIN, child_ended, run, err);
	r = loop_signal(run->loop, SIGCHLD, child_ended, run, err);
	if (r == 0)
		child_ended(run->loop, run); /* it may have ended before the signal was watched */
	return r;
}

static int watch_all(struct run *run, struct error *err)
{
	int r = loop_watch(run->loop, run->output.fd, EPOLLIN, output_ready, run, err);

	if (r == 0)
		r = loop_watch(run->loop, run->input, EPOLLOUT, input_ready, run, err);
	if (r == 0 && run->errors.fd >= 0)
		r = loop_watch(run->loop, run->errors.fd, EPOLLIN, errors_ready, run, err);
	if (r == 0 && run->process->timeout_ms)
		r = loop_after(run->loop, run->process->timeout_ms, deadline_passed, run, err);
	return r < 0 ? r : watch_end(run, err);
}

static int run_wait(struct run *run, struct error *err)
{
	int r = watch_all(run, err);

	if (r == 0)
		r = loop_run(run->loop, err);
	if (!run->ended) {
		kill(run->pid, SIGKILL);
		while (waitpid(run->pid, &run->status, 0) < 0 && errno == EINTR)
			;
	}
	if (run->killed)
		return fail(err, ETIMEDOUT, "%s: killed after %u ms without an end",
			    run->process->argv[0], run->process->timeout_ms);
	return r < 0 && err && !err->errnum
		       ? fail_errno(err, -r, "wait for %s", run->process->argv[0])
		       : r;
}

static void run_close(struct run *run)
{
	close_fd(&run->input);
	close_fd(&run->output.fd);
	close_fd(&run->errors.fd);
	close_fd(&run->pidfd);
	free(run->output.data);
	free(run->errors.data);
	loop_close(run->loop);
}

static void result_fill(const struct run *run, struct arena *arena, struct process_result *result)
{
	*result = (struct process_result){
		.status = WIFEXITED(run->status) ? WEXITSTATUS(run->status)
						 : 128 + WTERMSIG(run->status),
		.output = arena_memdup(arena, run->output.data, run->output.size),
		.output_size = run->output.size,
		.errors = arena_memdup(arena, run->errors.data, run->errors.size),
	};
}

static int run_all(struct run *run, const char *path, struct error *err)
{
	int r = loop_open(&run->loop, err);

	if (r == 0)
		r = run_start(run, path, err);
	return r == 0 ? run_wait(run, err) : r;
}

int process_run(const struct process *process, struct arena *arena, struct process_result *result,
		struct error *err)
{
	size_t max = process->output_max ? process->output_max : OUTPUT_MAX;
	struct run run = {
		.process = process,
		.pidfd = -1,
		.input = -1,
		.output = { .fd = -1, .max = max },
		.errors = { .fd = -1, .max = max },
	};
	struct signals signals;
	char found[4096];
	int r;

	*result = (struct process_result){ .output = (char *)"", .errors = (char *)"" };
	if (!strchr(process->path, '/') && !process_find(process->path, found, sizeof(found)))
		return fail(err, ENOENT, "run %s: not found in PATH", process->path);
	signals_prepare(&signals);
	r = run_all(&run, strchr(process->path, '/') ? process->path : found, err);
	if (r == 0)
		result_fill(&run, arena, result);
	run_close(&run);
	signals_restore(&signals);
	return r;
}
