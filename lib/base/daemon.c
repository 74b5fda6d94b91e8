/* Signals and watchdog of a process that stays. See daemon.h. */
#include "base/daemon.h"

#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/notify.h"

void daemon_raise_log_level(void)
{
	if (!getenv("CNIBOX_LOG") && log_level < LOG_INFO)
		log_level = LOG_INFO;
}

static void on_end(struct loop *loop, void *calls unused)
{
	notify_send("STOPPING=1");
	loop_stop(loop, 0);
}

static void on_hangup(struct loop *loop, void *calls_)
{
	const struct daemon_calls *calls = calls_;

	log_info("looking at everything again");
	calls->again(loop, calls->arg);
}

static void on_question(struct loop *loop, void *calls_)
{
	const struct daemon_calls *calls = calls_;

	calls->state(loop, calls->arg);
}

static void on_watchdog(struct loop *loop, void *arg)
{
	struct error err = { 0 };

	notify_send("WATCHDOG=1");
	if (loop_after(loop, notify_watchdog_ms(), on_watchdog, arg, &err) < 0)
		log_warning("%s", err.message);
}

int daemon_hear(struct loop *loop, const struct daemon_calls *calls, struct error *err)
{
	static const struct {
		int signum;
		loop_fn *fn;
	} signals[] = {
		{ SIGTERM, on_end },
		{ SIGINT, on_end },
		{ SIGHUP, on_hangup },
		{ SIGUSR1, on_question },
	};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		int r = loop_signal(loop, signals[i].signum, signals[i].fn, (void *)calls, err);

		if (r < 0)
			return r;
	}
	if (notify_watchdog_ms())
		on_watchdog(loop, NULL);
	return 0;
}
