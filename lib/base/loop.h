/* Event loop: descriptors, timers and signals on one epoll descriptor. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/error.h"

struct loop;
typedef void loop_fn(struct loop *loop, void *arg);

int loop_open(struct loop **loop, struct error *err) must_check;
void loop_close(struct loop *loop);
void loop_closep(struct loop **loop);
#define auto_loop on_leave(loop_closep)

/* events: EPOLLIN and friends. A second call for the same fd replaces the first. */
int loop_watch(struct loop *loop, int fd, uint32_t events, loop_fn *fn, void *arg,
	       struct error *err) must_check;
void loop_unwatch(struct loop *loop, int fd);
/* Call fn once after delay_ms; returns an id > 0 for loop_cancel(), or -errno. */
int loop_after(struct loop *loop, unsigned delay_ms, loop_fn *fn, void *arg,
	       struct error *err) must_check;
void loop_cancel(struct loop *loop, int timer);
/* One call that many ask for: of their wishes the earliest counts. fn and arg are set once. */
struct alarm {
	loop_fn *fn;
	void *arg;
	int timer; /* > 0: it is due at due_ms of clock_ms() */
	int64_t due_ms;
};
void loop_alarm(struct loop *loop, struct alarm *alarm, unsigned delay_ms);
/* Deliver a signal to fn; it is blocked from then on, and unblocked again by loop_close(). */
int loop_signal(struct loop *loop, int signum, loop_fn *fn, void *arg,
		struct error *err) must_check;
/* Run until loop_stop(); returns its argument, or -errno. */
int loop_run(struct loop *loop, struct error *err) must_check;
void loop_stop(struct loop *loop, int result);

#endif
