/* Children: input, output, status, deadline, signal state. */
#include "unit.h"

#include "base/process.h"

#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <time.h>

#define RUN(request, ...)                                                                          \
	process_run(                                                                               \
		&(struct process){ .path = "sh",                                                   \
				   ##__VA_ARGS__,                                                  \
				   .argv = (const char *const[]){ "sh", "-c", (request), NULL } }, \
		&arena, &result, &err)

TEST(process_output_status_and_input)
{
	auto_arena struct arena arena = { 0 };
	struct process_result result;
	struct error err = { 0 };

	check_ok(RUN("cat; echo done; exit 3", .input = "hello\n", .input_size = 6), err);
	check_int(result.status, 3);
	check_str(result.output, "hello\ndone\n");
	check_int(result.output_size, 11);
	check_str(result.errors, "");
	check_ok(RUN("echo out; echo err >&2; kill -TERM $$", .keep_stderr = true), err);
	check_int(result.status, 128 + SIGTERM);
	check_str(result.output, "out\n");
	check_str(result.errors, "err\n");
}

TEST(process_large_input_and_output_both_ways)
{
	auto_arena struct arena arena = { 0 };
	struct process_result result;
	struct error err = { 0 };
	size_t size = 700000;
	char *data = arena_alloc(&arena, size);

	for (size_t i = 0; i < size; i++)
		data[i] = (char)('a' + i % 23);
	check_ok(RUN("cat", .input = data, .input_size = size), err);
	check_int(result.output_size, size);
	check(result.output_size == size && memcmp(result.output, data, size) == 0);
	check_ok(RUN("cat", .input = data, .input_size = size, .output_max = 1000), err);
	check_int(result.output_size, 1000);
	check_int(result.status, 0);
}

TEST(process_that_ignores_its_input_does_not_kill_us)
{
	auto_arena struct arena arena = { 0 };
	struct process_result result;
	struct error err = { 0 };
	size_t size = 700000;
	sigset_t pending;

	check_ok(RUN("exec <&-; echo ok", .input = arena_alloc(&arena, size), .input_size = size),
		 err);
	check_str(result.output, "ok\n");
	sigpending(&pending);
	check(!sigismember(&pending, SIGPIPE));
}

TEST(process_deadline_kills_and_reaps)
{
	auto_arena struct arena arena = { 0 };
	struct process_result result;
	struct error err = { 0 };
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	check_int(RUN("exec sleep 60", .timeout_ms = 100), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &after);
	check(after.tv_sec - before.tv_sec < 30);
	check_str(err.message, "sh: killed after 100 ms without an end");
	check_ok(RUN("echo quick", .timeout_ms = 60000), err);
	check_str(result.output, "quick\n");
}

TEST(process_that_writes_without_end_meets_its_deadline)
{
	auto_arena struct arena arena = { 0 };
	struct process_result result;
	struct error err = { 0 };

	check_int(RUN("exec yes", .timeout_ms = 100), -ETIMEDOUT);
	check_ok(RUN("yes & echo $!; sleep 0.05", .timeout_ms = 20000), err);
	check(atoi(result.output) > 1 || strstr(result.output, "y\n"));
}

TEST(process_grandchild_that_keeps_the_pipe_is_not_waited_for)
{
	auto_arena struct arena arena = { 0 };
	struct process_result result;
	struct error err = { 0 };
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	check_ok(RUN("sleep 20 & echo $!"), err);
	clock_gettime(CLOCK_MONOTONIC, &after);
	check(after.tv_sec - before.tv_sec < 15);
	check(atoi(result.output) > 1 && kill(atoi(result.output), SIGKILL) == 0);
}

TEST(process_child_has_clean_signals_and_descriptors)
{
	auto_arena struct arena arena = { 0 };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old, now;
	struct process_result result;
	struct error err = { 0 };
	sigset_t mask, old_mask;
	auto_close int fd = open("/dev/null", O_RDONLY); /* not close-on-exec */

	sigfillset(&mask);
	sigprocmask(SIG_SETMASK, &mask, &old_mask);
	sigaction(SIGPIPE, &ignore, &old);
	/* 32 and 33 belong to the C library, which lets nobody reset them. */
	check_ok(RUN("grep -E '^Sig(Blk|Ign):' /proc/self/status | sed s/180000000/000000000/;"
		     "ls /proc/self/fd | wc -l"),
		 err);
	check_str(result.output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n4\n");
	sigaction(SIGPIPE, NULL, &now);
	check(now.sa_handler == SIG_IGN);
	sigaction(SIGPIPE, &old, NULL);
	sigprocmask(SIG_SETMASK, &old_mask, &mask);
	check(sigismember(&mask, SIGUSR1) == 1);
}

TEST(process_status_survives_an_ignored_sigchld)
{
	auto_arena struct arena arena = { 0 };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old, now;
	struct process_result result;
	struct error err = { 0 };

	sigaction(SIGCHLD, &ignore, &old);
	check_ok(RUN("exit 7"), err);
	check_int(result.status, 7);
	sigaction(SIGCHLD, &old, &now);
	check(now.sa_handler == SIG_IGN);
}

TEST(process_not_found)
{
	auto_arena struct arena arena = { 0 };
	const char *const argv[] = { "x", NULL };
	struct process process = { .path = "no-such-program", .argv = argv };
	struct process_result result;
	struct error err = { 0 };
	char path[100];

	check_int(process_run(&process, &arena, &result, &err), -ENOENT);
	check_str(err.message, "run no-such-program: not found in PATH");
	process.path = "/no/such/program";
	check_int(process_run(&process, &arena, &result, &err), -ENOENT);
	check_str(err.message, "run /no/such/program: No such file or directory");
	check(process_find("sh", path, sizeof(path)));
	check(!process_find("sh", path, 3));
	check(!process_find("", path, sizeof(path)));
}
