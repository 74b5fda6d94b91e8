/*
 * Files as state. Nothing here polls: a lock that is taken is waited for in flock(), and a timer's signal ends the
 * wait. What is written appears in one step, by rename.
 */
#include "base/file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define READ_STEP  ((size_t)65536)
#define LOCK_TRIES 16 /* times the lock file may be deleted under our eyes */

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* One read through EINTR and, for an inherited non-blocking stdin, EAGAIN. */
static ssize_t read_some(int fd, void *data, size_t size)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	for (;;) {
		ssize_t n = read(fd, data, size);

		if (n >= 0)
			return n;
		if (errno == EAGAIN)
			poll(&ready, 1, -1);
		else if (errno != EINTR)
			return -errno;
	}
}

int fd_read_all(int fd, size_t max, struct arena *arena, char **data, size_t *size,
		struct error *err)
{
	auto_free char *buffer = NULL;
	size_t have = 0, room = 0;
	ssize_t n;

	for (;;) {
		if (have == room) {
			room = room ? 2 * room : READ_STEP;
			buffer = xrealloc(buffer, room);
		}
		n = read_some(fd, buffer + have, room - have);
		if (n < 0)
			return fail_errno(err, (int)-n, "read");
		if (n == 0)
			break;
		have += (size_t)n;
		if (have > max)
			return fail(err, EFBIG, "larger than %zu bytes", max);
	}
	*data = arena_memdup(arena, buffer, have);
	if (size)
		*size = have;
	return 0;
}

int file_read(const char *path, size_t max, struct arena *arena, char **data, size_t *size,
	      struct error *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return fail_errno(err, errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return fail_errno(err, errno, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return fail(err, S_ISDIR(st.st_mode) ? EISDIR : EINVAL, "%s is not a regular file",
			    path);
	if (fd_read_all(fd, max, arena, data, size, err) < 0)
		return err ? wrap(err, "%s", path) : -EIO;
	return 0;
}

static int put_all(int fd, const void *data, size_t size, bool is_socket)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	const char *at = data;
	ssize_t n;

	while (size > 0) {
		n = is_socket ? send(fd, at, size, MSG_NOSIGNAL) : write(fd, at, size);
		if (n >= 0) {
			at += n;
			size -= (size_t)n;
		} else if (errno == EAGAIN) {
			poll(&ready, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int fd_write_all(int fd, const void *data, size_t size)
{
	return put_all(fd, data, size, false);
}

int socket_send_all(int fd, const void *data, size_t size)
{
	return put_all(fd, data, size, true);
}

/* Length of the path up to and including its last '/', 0 without one. */
static size_t folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

/* A new file beside path: ".<name>.<random>", so that a folder's readers can tell it by the dot. */
static int temp_open(const char *path, mode_t mode, char *temp, size_t size)
{
	size_t len = folder_len(path);
	uint64_t random;
	int fd, n;

	for (int i = 0; i < 100; i++) {
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return -errno;
		n = snprintf(temp, size, "%.*s.%.200s.%016llx", (int)len, path, path + len,
			     (unsigned long long)random);
		if (n < 0 || (size_t)n >= size)
			return -ENAMETOOLONG;
		fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (fd >= 0 || errno != EEXIST)
			return fd >= 0 ? fd : -errno;
	}
	return -EEXIST;
}

static int folder_sync(const char *path)
{
	char folder[4096];
	int n = snprintf(folder, sizeof(folder), "%.*s.", (int)folder_len(path), path);
	auto_close int fd = -1;

	if (n < 0 || (size_t)n >= sizeof(folder))
		return -ENAMETOOLONG;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int temp_fill(int fd, const void *data, size_t size, bool durable)
{
	int r = fd_write_all(fd, data, size);

	if (r < 0)
		return r;
	return durable && fsync(fd) < 0 ? -errno : 0;
}

int file_replace(const char *path, mode_t mode, const void *data, size_t size, bool durable,
		 struct error *err)
{
	char temp[4096];
	auto_close int fd = temp_open(path, mode, temp, sizeof(temp));
	int r;

	if (fd < 0)
		return fail_errno(err, -take_fd(&fd), "write %s", path);
	r = temp_fill(fd, data, size, durable);
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temp);
		return fail_errno(err, -r, "write %s", path);
	}
	r = durable ? folder_sync(path) : 0;
	return r < 0 ? fail_errno(err, -r, "write %s", path) : 0;
}

int file_put(const char *path, mode_t mode, const void *data, size_t size, bool durable,
	     struct error *err)
{
	char real[PATH_MAX];
	struct stat st;
	auto_close int fd = -1;
	int r;

	if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
		return file_replace(path, mode, data, size, durable, err);
	if (stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return file_replace(realpath(path, real) ? real : path, mode, data, size, durable,
				    err);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	r = fd < 0 ? -errno : fd_write_all(fd, data, size);
	return r < 0 ? fail_errno(err, -r, "write %s", path) : 1;
}

static int dir_make_one(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) < 0) /* a link that leads nowhere is there, too */
		return errno == ENOENT ? -ENOTDIR : -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* The usual case, all parents there, costs one call; otherwise they are made from the top. */
int dir_make(const char *path, mode_t mode, struct error *err)
{
	int r = dir_make_one(path, mode), of_parent = 0;
	auto_free char *part = NULL;

	if (r == -ENOENT) {
		part = memcpy(xrealloc(NULL, strlen(path) + 1), path, strlen(path) + 1);
		for (char *slash = part; of_parent == 0 && (slash = strchr(slash + 1, '/'));) {
			*slash = '\0';
			of_parent = dir_make_one(part, mode);
			*slash = '/';
		}
		r = dir_make_one(path, mode);
	}
	if (r == -ENOENT && of_parent < 0)
		r = of_parent;
	return r < 0 ? fail_errno(err, -r, "make directory %s", path) : 0;
}

static void wake_up(int signum)
{
	(void)signum;
}

/*
 * A timer that sends SIGALRM to this thread at the deadline, and every 10 ms from then on, since the first
 * may come just before flock() sleeps. Deleting it delivers what is pending before the old handler is back.
 */
static int alarm_start(int64_t wait_ms, timer_t *timer)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(wait_ms / 1000),
			      .tv_nsec = (long)(wait_ms % 1000) * 1000000 + 1 },
		.it_interval = { .tv_nsec = 10000000 },
	};

	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, timer) < 0)
		return -errno;
	return timer_settime(*timer, 0, &when, NULL) < 0 ? -errno : 0;
}

static int flock_until(int fd, int operation, int64_t deadline)
{
	struct sigaction action = { .sa_handler = wake_up }, old_action;
	sigset_t mask, old_mask;
	int64_t now = clock_ms();
	timer_t timer;
	int r;

	if (now >= deadline)
		return -ETIMEDOUT;
	sigemptyset(&mask);
	sigaddset(&mask, SIGALRM);
	sigaction(SIGALRM, &action, &old_action);
	pthread_sigmask(SIG_UNBLOCK, &mask, &old_mask);
	r = alarm_start(deadline - now, &timer);
	if (r == 0) {
		while ((r = flock(fd, operation) < 0 ? -errno : 0) == -EINTR &&
		       clock_ms() < deadline)
			;
		timer_delete(timer);
	}
	pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
	sigaction(SIGALRM, &old_action, NULL);
	return r == -EINTR ? -ETIMEDOUT : r;
}

static int flock_or_wait(int fd, int operation, int64_t deadline)
{
	int r = flock(fd, operation | LOCK_NB) < 0 ? -errno : 0;

	return r == -EWOULDBLOCK || r == -EINTR ? flock_until(fd, operation, deadline) : r;
}

/* 1 when the lock is held on the file that path names, 0 when that file is gone by now. */
static int lock_try(const char *path, mode_t mode, int64_t deadline, int *fd)
{
	auto_close int lock = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
	struct stat st;
	int r;

	if (lock < 0)
		return -errno;
	r = flock_or_wait(lock, LOCK_EX, deadline);
	if (r < 0)
		return r;
	if (fstat(lock, &st) < 0)
		return -errno;
	*fd = take_fd(&lock);
	if (st.st_nlink > 0)
		return 1;
	close_fd(fd);
	return 0;
}

int lock_hold(int fd, unsigned timeout_ms)
{
	return flock_or_wait(fd, LOCK_EX, clock_ms() + timeout_ms);
}

int lock_share(int fd, unsigned timeout_ms)
{
	return flock_or_wait(fd, LOCK_SH, clock_ms() + timeout_ms);
}

int lock_take(const char *path, mode_t mode, unsigned timeout_ms, int *fd, struct error *err)
{
	int64_t deadline = clock_ms() + timeout_ms;
	int r = 0;

	for (int i = 0; i < LOCK_TRIES && r == 0; i++)
		r = lock_try(path, mode, deadline, fd);
	if (r > 0)
		return 0;
	*fd = -1;
	if (r == -ETIMEDOUT)
		return fail_code(err, CNI_TRY_AGAIN_LATER, ETIMEDOUT,
				 "lock %s: still held by another process after %u ms", path,
				 timeout_ms);
	return fail_errno(err, r < 0 ? -r : ESTALE, "lock %s", path);
}
