/* Files: whole reads with a limit, replacing in one step, folders, locks with a deadline. */
#include "unit.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static char folder[64];
static char path_buffer[128];

static const char *in_folder(const char *name)
{
	snprintf(path_buffer, sizeof(path_buffer), "%s/%s", folder, name);
	return path_buffer;
}

static void folder_open(void)
{
	strcpy(folder, "/tmp/cnibox-unit-XXXXXX");
	check(mkdtemp(folder) != NULL);
}

static int folder_files(void)
{
	DIR *dir = opendir(folder);
	int n = -2;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void folder_remove(void)
{
	char path[512];
	struct dirent *entry;
	DIR *dir = opendir(folder);

	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		unlink(path);
	}
	closedir(dir);
	check_int(rmdir(folder), 0);
}

TEST(file_replace_and_read)
{
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };
	struct stat st;
	size_t size;
	char *data;

	folder_open();
	check_ok(file_replace(in_folder("a"), 0600, "one", 3, false, &err), err);
	check_ok(file_replace(in_folder("a"), 0600, "two two", 7, true, &err), err);
	check_ok(file_read(in_folder("a"), 7, &arena, &data, &size, &err), err);
	check_str(data, "two two");
	check_int(size, 7);
	stat(in_folder("a"), &st);
	check_int(st.st_mode & 07777, 0600);
	check_int(file_read(in_folder("a"), 6, &arena, &data, &size, &err), -EFBIG);
	check_int(file_read(in_folder("none"), 6, &arena, &data, &size, &err), -ENOENT);
	check_int(file_read(folder, 6, &arena, &data, &size, &err), -EISDIR);
	check_int(mkfifo(in_folder("fifo"), 0600), 0);
	check_int(file_read(in_folder("fifo"), 6, &arena, &data, &size, &err), -EINVAL);
	check_ok(file_replace(in_folder("empty"), 0644, "", 0, false, &err), err);
	check_ok(file_read(in_folder("empty"), 0, &arena, &data, &size, &err), err);
	check_str(data, "");
	check_int(file_replace(in_folder("no/x"), 0600, "x", 1, false, &err), -ENOENT);
	check_int(file_replace(folder, 0600, "x", 1, false, &err), -EISDIR);
	check_int(folder_files(), 3); /* a, fifo, empty: a failure leaves no temporary file */
	folder_remove();
}

TEST(file_put_replaces_files_and_nothing_else)
{
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };
	auto_close int pipe_end = -1;
	char text[4] = "";
	struct stat st;

	folder_open();
	check_int(file_put(in_folder("a"), 0644, "one", 3, false, &err), 0);
	check_int(symlink("a", in_folder("link")), 0);
	check_int(file_put(in_folder("link"), 0644, "two", 3, true, &err), 0);
	check(lstat(in_folder("link"), &st) == 0 && S_ISLNK(st.st_mode));
	pipe_end = open(in_folder("a"), O_RDONLY | O_CLOEXEC);
	check_int(read(pipe_end, text, 3), 3);
	check_str(text, "two");
	close(take_fd(&pipe_end));
	check_int(mkfifo(in_folder("fifo"), 0600), 0);
	pipe_end = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	check_int(file_put(in_folder("fifo"), 0644, "six", 3, false, &err), 1);
	check_int(read(pipe_end, text, 3), 3);
	check_str(text, "six");
	check(lstat(in_folder("fifo"), &st) == 0 && S_ISFIFO(st.st_mode));
	check_int(file_put(in_folder("no/x"), 0644, "x", 1, false, &err), -ENOENT);
	check_int(file_put(folder, 0644, "x", 1, false, &err), -EISDIR);
	check_int(folder_files(), 3);
	folder_remove();
}

/* A reader beside a writer sees one of the two contents, never a part. */
TEST(file_replace_is_atomic)
{
	auto_arena struct arena arena = { 0 };
	static char a[20000], b[50000];
	struct error err = { 0 };
	pid_t writer;

	folder_open();
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	check_ok(file_replace(in_folder("f"), 0600, a, sizeof(a), false, &err), err);
	writer = fork();
	if (writer == 0)
		for (int i = 0;; i++)
			if (file_replace(in_folder("f"), 0600, i % 2 ? a : b,
					 i % 2 ? sizeof(a) : sizeof(b), false, NULL))
				_exit(1);
	for (int i = 0; i < 300; i++) {
		size_t size = 0;
		char *data = NULL;

		check_ok(file_read(in_folder("f"), sizeof(b), &arena, &data, &size, &err), err);
		if (size != sizeof(a) && size != sizeof(b))
			unit_check(false, __FILE__, __LINE__, "torn: %zu bytes", size);
		check(data && data[0] == data[size - 1]);
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	folder_remove();
}

TEST(dir_make_with_parents)
{
	struct error err = { 0 };
	struct stat st;

	folder_open();
	check_ok(dir_make(in_folder("x/y/z"), 0755, &err), err);
	check_ok(dir_make(in_folder("x/y/z"), 0755, &err), err);
	check_ok(dir_make(in_folder("x/y/z/w/"), 0755, &err), err);
	check(stat(in_folder("x/y/z/w"), &st) == 0 && S_ISDIR(st.st_mode));
	check_ok(file_replace(in_folder("file"), 0600, "", 0, false, &err), err);
	check_int(dir_make(in_folder("file"), 0755, &err), -ENOTDIR);
	check_int(dir_make(in_folder("file/x/y"), 0755, &err), -ENOTDIR);
	check_int(symlink("nowhere", in_folder("dangling")), 0);
	check_int(dir_make(in_folder("dangling"), 0755, &err), -ENOTDIR);
	check_int(symlink("loop", in_folder("loop")), 0);
	check_int(dir_make(in_folder("loop"), 0755, &err), -ELOOP);
	/* Why the parent cannot be made, not that it is missing. */
	check(dir_make("/sys/none/x", 0755, &err) < 0 && err.errnum != ENOENT);
	rmdir(in_folder("x/y/z/w"));
	rmdir(in_folder("x/y/z"));
	rmdir(in_folder("x/y"));
	rmdir(in_folder("x"));
	folder_remove();
}

/* A child that holds the lock until it is killed or for a number of milliseconds. */
static pid_t holder_start(unsigned hold_ms)
{
	struct timespec hold = { .tv_sec = hold_ms / 1000, .tv_nsec = hold_ms % 1000 * 1000000 };
	int ready[2];
	pid_t pid;
	char c;

	check_int(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = -1, r = lock_take(in_folder("lock"), 0640, 1000, &fd, NULL);

		if (r == 0 && write(ready[1], "x", 1) == 1)
			nanosleep(&hold, NULL);
		_exit(0);
	}
	close(ready[1]);
	check_int(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void on_alarm(int signum)
{
	(void)signum;
}

static int64_t elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

TEST(lock_times_out_and_leaves_no_trace)
{
	struct sigaction action = { .sa_handler = on_alarm }, old, now;
	struct error err = { 0 };
	struct timespec start;
	sigset_t block, mask, after;
	char want[256];
	int fd = -1;
	pid_t pid;

	folder_open();
	pid = holder_start(60000);
	sigaction(SIGALRM, &action, &old);
	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	sigprocmask(SIG_BLOCK, &block, &mask);
	clock_gettime(CLOCK_MONOTONIC, &start);
	check_int(lock_take(in_folder("lock"), 0640, 120, &fd, &err), -ETIMEDOUT);
	check(elapsed_ms(&start) >= 119);
	check_int(err.code, CNI_TRY_AGAIN_LATER);
	snprintf(want, sizeof(want), "lock %s: still held by another process after 120 ms",
		 in_folder("lock"));
	check_str(err.message, want);
	check_int(fd, -1);
	check_int(lock_take(in_folder("lock"), 0640, 0, &fd, &err), -ETIMEDOUT);
	sigaction(SIGALRM, NULL, &now);
	check(now.sa_handler == on_alarm);
	sigprocmask(SIG_SETMASK, &mask, &after);
	check(sigismember(&after, SIGALRM) == 1);
	sigaction(SIGALRM, &old, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check_ok(lock_take(in_folder("lock"), 0640, 1000, &fd, &err), err);
	check(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	folder_remove();
}

TEST(lock_is_handed_over_when_released)
{
	struct error err = { 0 };
	struct stat st;
	int fd = -1;
	pid_t pid;

	folder_open();
	pid = holder_start(60);
	check_ok(lock_take(in_folder("lock"), 0640, 30000, &fd, &err), err);
	stat(in_folder("lock"), &st);
	check_int(st.st_mode & 07777, 0640);
	waitpid(pid, NULL, 0);
	close(fd);
	check_int(lock_take(in_folder("none/lock"), 0640, 100, &fd, &err), -ENOENT);
	folder_remove();
}

/* The file is deleted and made anew while one waits: a lock on the old one would exclude nobody. */
TEST(lock_follows_the_path)
{
	struct error err = { 0 };
	struct stat held, named;
	int fd = -1;
	pid_t pid;

	folder_open();
	pid = holder_start(80);
	unlink(in_folder("lock"));
	close(open(in_folder("lock"), O_CREAT | O_WRONLY, 0640));
	check_ok(lock_take(in_folder("lock"), 0640, 30000, &fd, &err), err);
	check(fstat(fd, &held) == 0 && stat(in_folder("lock"), &named) == 0 &&
	      held.st_ino == named.st_ino);
	close(fd);
	waitpid(pid, NULL, 0);
	folder_remove();
}
