/* The event loop: order of timers, descriptors that come and go, signals. */
#include "unit.h"

#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>

static char trace[64];
static int victim = -1;

static void note(struct loop *loop, void *arg)
{
	(void)loop;
	strcat(trace, arg);
}

static void stop(struct loop *loop, void *arg)
{
	strcat(trace, arg);
	loop_stop(loop, 42);
}

static void cancel(struct loop *loop, void *arg)
{
	loop_cancel(loop, *(int *)arg);
}

TEST(loop_timers_in_order_and_cancelled)
{
	struct error err = { 0 };
	int cancelled;

	auto_loop struct loop *loop = NULL;
	trace[0] = '\0';
	check_ok(loop_open(&loop, &err), err);
	check(loop_after(loop, 30, stop, (void *)"4", &err) > 0);
	check(loop_after(loop, 10, note, (void *)"2", &err) > 0);
	check(loop_after(loop, 0, note, (void *)"1", &err) > 0);
	check(loop_after(loop, 10, note, (void *)"3", &err) > 0);
	cancelled = loop_after(loop, 20, note, (void *)"X", &err);
	check(loop_after(loop, 15, cancel, &cancelled, &err) > 0);
	check(loop_after(loop, 60000, note, (void *)"late", &err) > 0);
	check_int(loop_run(loop, &err), 42);
	check_str(trace, "1234");
}

TEST(loop_alarm_takes_the_earliest_wish)
{
	struct alarm alarm = { .fn = note, .arg = (void *)"a" };
	struct error err = { 0 };
	int64_t due_ms;

	auto_loop struct loop *loop = NULL;
	trace[0] = '\0';
	check_ok(loop_open(&loop, &err), err);
	loop_alarm(loop, &alarm, 60000);
	loop_alarm(loop, &alarm, 5);
	due_ms = alarm.due_ms;
	loop_alarm(loop, &alarm, 30);
	check_int(alarm.due_ms, due_ms);
	check(loop_after(loop, 60, stop, (void *)"s", &err) > 0);
	check_int(loop_run(loop, &err), 42);
	check_str(trace, "as");
	check_int(alarm.timer, 0);
	loop_alarm(loop, &alarm, 0);
	check(loop_after(loop, 20, stop, (void *)"s", &err) > 0);
	check_int(loop_run(loop, &err), 42);
	check_str(trace, "asas");
}

static void read_one(struct loop *loop, void *arg)
{
	char c;

	(void)loop;
	check_int(read(*(int *)arg, &c, 1), 1);
	strcat(trace, "r");
	if (victim >= 0)
		loop_unwatch(loop, victim);
}

TEST(loop_drops_events_of_a_watch_removed_in_the_same_round)
{
	struct error err = { 0 };
	int a[2], b[2];

	auto_loop struct loop *loop = NULL;
	trace[0] = '\0';
	check(pipe(a) == 0 && pipe(b) == 0);
	check_ok(loop_open(&loop, &err), err);
	check_int(write(a[1], "x", 1), 1);
	check_int(write(b[1], "x", 1), 1);
	check_ok(loop_watch(loop, a[0], EPOLLIN, note, (void *)"old", &err), err);
	check_ok(loop_watch(loop, a[0], EPOLLIN, read_one, &a[0], &err), err);
	check_ok(loop_watch(loop, b[0], EPOLLIN, note, (void *)"b", &err), err);
	victim = b[0];
	check(loop_after(loop, 20, stop, (void *)"!", &err) > 0);
	check_int(loop_run(loop, &err), 42);
	check_str(trace, "r!");
	victim = -1;
	/* closed without unwatch, then the number is used again */
	close(a[0]);
	check_int(dup2(b[0], a[0]), a[0]);
	check_ok(loop_watch(loop, a[0], EPOLLIN, read_one, &a[0], &err), err);
	check(loop_after(loop, 20, stop, (void *)"!", &err) > 0);
	check_int(loop_run(loop, &err), 42);
	check_str(trace, "r!r!");
	check_int(loop_watch(loop, 9999, EPOLLIN, note, NULL, &err), -EBADF);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void raise_signal(struct loop *loop, void *arg)
{
	(void)loop;
	(void)arg;
	raise(SIGTERM);
	raise(SIGHUP);
}

TEST(loop_signals_are_delivered_and_unblocked_after)
{
	struct error err = { 0 };
	struct loop *loop = NULL;
	sigset_t mask;

	trace[0] = '\0';
	check_ok(loop_open(&loop, &err), err);
	check_ok(loop_signal(loop, SIGTERM, note, (void *)"t", &err), err);
	check_ok(loop_signal(loop, SIGHUP, note, (void *)"h", &err), err);
	check_int(loop_signal(loop, 1000, note, NULL, &err), -EINVAL);
	check(loop_after(loop, 0, raise_signal, NULL, &err) > 0);
	check(loop_after(loop, 20, stop, (void *)"!", &err) > 0);
	check_int(loop_run(loop, &err), 42);
	check(streq(trace, "ht!") || streq(trace, "th!"));
	raise(SIGTERM); /* never read: must not end us when the loop closes */
	loop_close(loop);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	check(!sigismember(&mask, SIGTERM) && !sigismember(&mask, SIGHUP));
}
