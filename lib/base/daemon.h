/*
 * What all processes that stay have in common: signals, the service manager's watchdog, and a log that tells what they
 * do. SIGTERM and SIGINT end the loop with 0.
 */
#ifndef BASE_DAEMON_H
#define BASE_DAEMON_H

#include "base/loop.h"

struct daemon_calls {
	void *arg;
	loop_fn *again; /* SIGHUP: look at everything again */
	loop_fn *state; /* SIGUSR1: log how it is */
};

/* What a daemon does is told, unless somebody has said how much ($CNIBOX_LOG): it has no other way to show it. */
void daemon_raise_log_level(void);
/* calls has to live as long as the loop. */
int daemon_hear(struct loop *loop, const struct daemon_calls *calls, struct error *err) must_check;

#endif
