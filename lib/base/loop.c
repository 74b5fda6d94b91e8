/*
 * Event loop: one epoll descriptor; a signalfd made with the first signal; timers are epoll_wait()'s time-out.
 * Callbacks may add and remove anything, themselves included: an event carries the generation of its watch, so
 * one that was queued for a watch removed since is dropped. Sizes are small (a daemon's few sockets and timers),
 * so look-ups walk arrays.
 */
#include "base/loop.h"

#include "base/arena.h"
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

struct watch {
	int fd;
	uint32_t generation;
	loop_fn *fn;
	void *arg;
};

struct timer {
	int id;
	int64_t due; /* CLOCK_MONOTONIC, ms */
	loop_fn *fn;
	void *arg;
};

struct signal_watch {
	loop_fn *fn;
	void *arg;
	bool was_blocked;
};

struct loop {
	int epoll, signals;
	struct watch *watches;
	size_t n_watches;
	struct timer *timers;
	size_t n_timers;
	uint32_t generation;
	int last_timer;
	sigset_t mask;
	struct signal_watch signal[NSIG];
	bool stopped;
	int result;
};

int loop_open(struct loop **loop, struct error *err)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	*loop = NULL;
	if (epoll < 0)
		return fail_errno(err, errno, "create event loop");
	*loop = xrealloc(NULL, sizeof(**loop));
	memset(*loop, 0, sizeof(**loop));
	(*loop)->epoll = epoll;
	(*loop)->signals = -1;
	sigemptyset(&(*loop)->mask);
	return 0;
}

/* Signals that came and were not read stay pending: they are taken off before they are let through again, since
 * their default action could end the process. */
static void signals_release(struct loop *loop)
{
	struct timespec none = { 0 };
	sigset_t unblock;

	if (sigisemptyset(&loop->mask))
		return;
	sigemptyset(&unblock);
	for (int i = 1; i < NSIG; i++) {
		if (sigismember(&loop->mask, i) == 1 && !loop->signal[i].was_blocked)
			sigaddset(&unblock, i);
	}
	while (sigtimedwait(&unblock, NULL, &none) > 0)
		;
	pthread_sigmask(SIG_UNBLOCK, &unblock, NULL);
	close_fd(&loop->signals);
}

void loop_close(struct loop *loop)
{
	if (!loop)
		return;
	signals_release(loop);
	close(loop->epoll);
	free(loop->watches);
	free(loop->timers);
	free(loop);
}

void loop_closep(struct loop **loop)
{
	loop_close(*loop);
}

static struct watch *watch_find(struct loop *loop, int fd)
{
	for (size_t i = 0; i < loop->n_watches; i++)
		if (loop->watches[i].fd == fd)
			return &loop->watches[i];
	return NULL;
}

int loop_watch(struct loop *loop, int fd, uint32_t events, loop_fn *fn, void *arg,
	       struct error *err)
{
	struct watch *watch = watch_find(loop, fd);
	uint32_t generation = ++loop->generation;
	struct epoll_event event = { .events = events,
				     .data.u64 = (uint64_t)generation << 32 | (uint32_t)fd };
	int r = watch ? epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) : -1;

	/* A descriptor that was closed without loop_unwatch() and opened again is new to the kernel. */
	if (r < 0 && (!watch || errno == ENOENT))
		r = epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
	if (r < 0)
		return fail_errno(err, errno, "watch descriptor %d", fd);
	if (!watch) {
		loop->watches = xrealloc(loop->watches, (loop->n_watches + 1) * sizeof(*watch));
		watch = &loop->watches[loop->n_watches++];
	}
	*watch = (struct watch){ .fd = fd, .generation = generation, .fn = fn, .arg = arg };
	return 0;
}

void loop_unwatch(struct loop *loop, int fd)
{
	struct watch *watch = watch_find(loop, fd);

	if (!watch)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
	*watch = loop->watches[--loop->n_watches];
}

int loop_after(struct loop *loop, unsigned delay_ms, loop_fn *fn, void *arg, struct error *err)
{
	if (loop->last_timer == INT_MAX)
		return fail(err, EOVERFLOW, "event loop: out of timer ids");
	loop->timers = xrealloc(loop->timers, (loop->n_timers + 1) * sizeof(*loop->timers));
	loop->timers[loop->n_timers++] = (struct timer){
		.id = ++loop->last_timer, .due = clock_ms() + delay_ms, .fn = fn, .arg = arg
	};
	return loop->last_timer;
}

void loop_cancel(struct loop *loop, int timer)
{
	for (size_t i = 0; i < loop->n_timers; i++) {
		if (loop->timers[i].id == timer) {
			loop->timers[i] = loop->timers[--loop->n_timers];
			return;
		}
	}
}

static void ring(struct loop *loop, void *arg)
{
	struct alarm *alarm = arg;

	alarm->timer = 0;
	alarm->fn(loop, alarm->arg);
}

void loop_alarm(struct loop *loop, struct alarm *alarm, unsigned delay_ms)
{
	int64_t due_ms = clock_ms() + delay_ms;

	if (alarm->timer > 0 && alarm->due_ms <= due_ms)
		return;
	if (alarm->timer > 0)
		loop_cancel(loop, alarm->timer);
	alarm->due_ms = due_ms;
	alarm->timer = loop_after(loop, delay_ms, ring, alarm, NULL);
}

static void signals_read(struct loop *loop, void *arg)
{
	struct signalfd_siginfo info;

	(void)arg;
	while (!loop->stopped &&
	       read(loop->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		struct signal_watch *watch = &loop->signal[info.ssi_signo % NSIG];

		if (watch->fn)
			watch->fn(loop, watch->arg);
	}
}

int loop_signal(struct loop *loop, int signum, loop_fn *fn, void *arg, struct error *err)
{
	bool known = sigismember(&loop->mask, signum) == 1;
	sigset_t one, old;
	int fd;

	if (signum < 1 || signum >= NSIG)
		return fail(err, EINVAL, "no such signal: %d", signum);
	sigemptyset(&one);
	sigaddset(&one, signum);
	sigaddset(&loop->mask, signum);
	pthread_sigmask(SIG_BLOCK, &one, &old);
	if (!known)
		loop->signal[signum].was_blocked = sigismember(&old, signum) == 1;
	loop->signal[signum].fn = fn;
	loop->signal[signum].arg = arg;
	fd = signalfd(loop->signals, &loop->mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return fail_errno(err, errno, "watch signal %d", signum);
	if (loop->signals >= 0)
		return 0;
	loop->signals = fd;
	return loop_watch(loop, fd, EPOLLIN, signals_read, NULL, err);
}

/* The timer that is due first, the older of equals; NULL = none. */
static struct timer *timer_first(struct loop *loop)
{
	struct timer *first = NULL;

	for (size_t i = 0; i < loop->n_timers; i++) {
		struct timer *timer = &loop->timers[i];

		if (!first || timer->due < first->due ||
		    (timer->due == first->due && timer->id < first->id))
			first = timer;
	}
	return first;
}

static int wait_ms(struct loop *loop)
{
	struct timer *first = timer_first(loop);
	int64_t now = clock_ms();

	if (!first)
		return -1;
	if (first->due <= now)
		return 0;
	return first->due - now >= INT_MAX ? INT_MAX : (int)(first->due - now);
}

/* Those due when the round began, so that a timer set again with no delay does not starve descriptors. */
static void timers_run(struct loop *loop)
{
	int64_t now = clock_ms();
	int newest = loop->last_timer;
	struct timer *first;

	while (!loop->stopped && (first = timer_first(loop)) && first->due <= now &&
	       first->id <= newest) {
		struct timer timer = *first;

		loop_cancel(loop, timer.id);
		timer.fn(loop, timer.arg);
	}
}

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
	struct watch *watch = watch_find(loop, (int)(uint32_t)event->data.u64);

	if (watch && watch->generation == (uint32_t)(event->data.u64 >> 32))
		watch->fn(loop, watch->arg);
}

int loop_run(struct loop *loop, struct error *err)
{
	struct epoll_event events[16];
	int n;

	while (!loop->stopped) {
		n = epoll_wait(loop->epoll, events, ARRAY_SIZE(events), wait_ms(loop));
		if (n < 0 && errno != EINTR)
			return fail_errno(err, errno, "wait for events");
		for (int i = 0; i < n && !loop->stopped; i++)
			dispatch(loop, &events[i]);
		timers_run(loop);
	}
	loop->stopped = false;
	return loop->result;
}

void loop_stop(struct loop *loop, int result)
{
	loop->stopped = true;
	loop->result = result;
}
