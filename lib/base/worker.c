/* See worker.h. */
#include "base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"

enum { RESTART_MS = 1000 };

struct worker {
	const char *name;
	struct loop *loop;
	struct worker_program program;
	struct worker_client client;
	pid_t pid;
	int fd;
	int restart; /* timer, 0 = none */
	struct frames frames;
	unsigned restarts;
};

static void run_program(const struct worker *worker, int fd)
{
	if (fd > STDERR_FILENO + 1)
		syscall(SYS_close_range, STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	syscall(SYS_close_range, (unsigned)fd + 1, ~0U, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_NAME, worker->name);
	signal(SIGPIPE, SIG_IGN);
	_exit(worker->program.run(worker->program.arg, fd));
}

static void unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int start_process(struct worker *worker, struct error *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return fail_errno(err, errno, "make the store's socket");
	worker->pid = fork();
	if (worker->pid == 0) {
		close(fds[0]);
		unblock_signals();
		run_program(worker, fds[1]);
	}
	close(fds[1]);
	worker->fd = fds[0];
	if (worker->pid < 0)
		return fail_errno(err, errno, "start the store's process");
	return fcntl(worker->fd, F_SETFL, O_NONBLOCK) ? fail_errno(err, errno, "the store's socket")
						      : 0;
}

/* It has nothing to put in order, and may be stopped, or stuck. */
static void stop_process(struct worker *worker)
{
	if (worker->fd >= 0) {
		loop_unwatch(worker->loop, worker->fd);
		close_fd(&worker->fd);
		worker->fd = -1;
	}
	if (worker->pid > 0) {
		kill(worker->pid, SIGKILL);
		waitpid(worker->pid, NULL, 0);
	}
	worker->pid = 0;
	worker->frames.size = 0;
}

static void restart(struct loop *loop, void *arg);

static void worker_lost(struct worker *worker, const char *why)
{
	log_debug("%s: %s", worker->name, why);
	stop_process(worker);
	worker->restarts++;
	worker->client.lost(worker->client.arg, why);
	worker->restart = loop_after(worker->loop, RESTART_MS, restart, worker, NULL);
}

static int take_messages(struct worker *worker, struct error *err)
{
	for (;;) {
		auto_arena struct arena arena = { 0 };
		char *text;
		size_t size;
		int r = frames_take(&worker->frames, FRAME_MAX, &arena, &text, &size, err);

		if (r <= 0)
			return r;
		r = worker->client.message(worker->client.arg, text, size, err);
		if (r < 0)
			return r;
	}
}

static void readable(struct loop *loop unused, void *arg)
{
	struct worker *worker = arg;
	struct error err = { 0 };
	int r = frames_read(&worker->frames, worker->fd);

	if (r < 0)
		worker_lost(worker, "the store's process has ended");
	else if (r > 0 && take_messages(worker, &err) < 0 && worker->fd >= 0)
		worker_lost(worker, err.message);
}

static int start(struct worker *worker, struct error *err)
{
	int r = start_process(worker, err);

	return r < 0 ? r : loop_watch(worker->loop, worker->fd, EPOLLIN, readable, worker, err);
}

static void restart(struct loop *loop unused, void *arg)
{
	struct worker *worker = arg;
	struct error err = { 0 };

	worker->restart = 0;
	if (start(worker, &err) < 0)
		worker_lost(worker, err.message);
	else if (worker->client.again)
		worker->client.again(worker->client.arg);
}

int worker_open(struct worker **worker, const char *name, struct loop *loop,
		const struct worker_program *program, const struct worker_client *client,
		struct error *err)
{
	*worker = xrealloc(NULL, sizeof(**worker));
	**worker = (struct worker){
		.name = name, .loop = loop, .program = *program, .client = *client, .fd = -1
	};
	if (start(*worker, err) == 0)
		return 0;
	worker_close(*worker);
	*worker = NULL;
	return -err->errnum;
}

void worker_close(struct worker *worker)
{
	if (!worker)
		return;
	if (worker->restart)
		loop_cancel(worker->loop, worker->restart);
	stop_process(worker);
	frames_free(&worker->frames);
	free(worker);
}

/* A small message to a process that reads: should it not, it is as good as gone. */
void worker_send(struct worker *worker, const char *text)
{
	if (worker->fd >= 0 && frame_send(worker->fd, text) < 0)
		worker_lost(worker, "the store's process does not listen");
}

int worker_pid(const struct worker *worker)
{
	return worker->pid;
}

unsigned worker_restarts(const struct worker *worker)
{
	return worker->restarts;
}

bool worker_wait(struct worker *worker, unsigned timeout_ms)
{
	struct pollfd fd = { worker->fd, POLLIN, 0 };

	if (worker->fd >= 0 && poll(&fd, 1, (int)timeout_ms) > 0)
		readable(worker->loop, worker);
	return worker->fd >= 0;
}
