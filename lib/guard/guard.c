/* The guard's life: the loop, what leads to a pass, signals. */
#include "guard/guard.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/text.h"
#include "describe/duration.h"
#include "guard/source.h"
#include "kernel/confine.h"
#include "kernel/nft_monitor.h"

enum {
	CLAIM_MS = 3000, /* a predecessor may just be ending */
	PAUSE_MIN_MS = 200,
	PAUSE_MAX_MS = 10000,
	DAMAGE_MS = 50,     /* what others do comes in several messages */
	LOOK_MIN_MS = 1000, /* between looks that others cause */
	STATE_MS = 2000,    /* between two glances at what nobody tells of */
};

/* ---- passes ---- */

/* Before everything has been told once, what is in force is left alone. */
static bool is_synced(struct guard *guard)
{
	if (guard->synced)
		return true;
	guard->synced = (!guard->folder || folder_synced(guard->folder)) &&
			(!guard->cluster || cluster_synced(guard->cluster));
	if (guard->synced)
		told_read(guard);
	return guard->synced;
}

static void tell_ready(struct guard *guard)
{
	struct live_counts counts;

	if (guard->told_ready)
		return;
	guard->told_ready = true;
	live_count(guard->live, &counts);
	log_info("in force by %s: %zu policies, %zu pods, %zu of them here",
		 guard->options->backend->name, counts.policies, counts.pods, counts.local_pods);
	notify_send("READY=1\nSTATUS=%zu policies in force", counts.policies);
}

static void on_success(struct guard *guard)
{
	if (guard->trouble.n)
		log_info("well again");
	guard->trouble.n = 0;
	guard->pause_ms = 0;
	guard->fine = true;
	tell_ready(guard);
	if (guard->options->once)
		loop_stop(guard->loop, 0);
}

static void on_failure(struct guard *guard, const struct error *err)
{
	unsigned pause = guard->pause_ms ? guard->pause_ms * 2 : PAUSE_MIN_MS;

	guard->fine = false;
	if (guard->fatal.errnum)
		return;
	if (guard->options->once) {
		guard_end_with(guard, err);
		return;
	}
	trouble_tell(&guard->trouble, err->message);
	guard->pause_ms = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
	loop_alarm(guard->loop, &guard->pass, guard->pause_ms);
}

static void on_pass(struct loop *loop unused, void *arg)
{
	struct guard *guard = arg;
	struct error err = { 0 };

	if (!is_synced(guard))
		return;
	if (guard_pass(guard, &err) < 0)
		on_failure(guard, &err);
	else
		on_success(guard);
}

/* ---- what others do ---- */

/* Tables and chains that are ours, and those of others that lead to them. */
static void on_event(void *arg, const struct nft_event *event)
{
	bool *concerns = arg;
	bool ours = has_prefix(event->table, "cnibox") || has_prefix(event->chain, "CNIBOX") ||
		    has_prefix(event->chain, "cnibox");
	bool hook = event->gone && !*event->set &&
		    (!*event->chain || streq(event->chain, "FORWARD") ||
		     streq(event->chain, "INPUT") || streq(event->chain, "OUTPUT"));

	*concerns = *concerns || ours || hook;
}

static void on_events(struct loop *loop unused, void *arg)
{
	struct guard *guard = arg;
	struct error err = { 0 };
	bool concerns = false;
	int64_t pause;

	if (nft_monitor_read(guard->monitor, on_event, &concerns, &err) < 0)
		concerns = true; /* some were lost */
	if (!concerns || guard->first)
		return;
	pause = guard->looked_ms + LOOK_MIN_MS - clock_ms();
	guard_look(guard, pause > DAMAGE_MS ? (unsigned)pause : DAMAGE_MS);
}

static void on_glance(struct loop *loop, void *arg)
{
	struct guard *guard = arg;

	(void)!loop_after(loop, STATE_MS, on_glance, guard, NULL);
	if (!guard->first && guard->options->backend->state() != guard->state)
		guard_look(guard, DAMAGE_MS);
}

static void on_resync(struct loop *loop, void *arg)
{
	struct guard *guard = arg;

	guard->resync_timer = loop_after(loop, guard->options->resync_ms, on_resync, guard, NULL);
	guard_look(guard, 0);
}

/* ---- what it is asked ---- */

static void look_again(struct loop *loop unused, void *arg)
{
	struct guard *guard = arg;

	if (guard->folder)
		folder_read_again(guard->folder);
	if (guard->cluster)
		cluster_ask_again(guard->cluster);
	guard_look(guard, 0);
}

static void tell_state(struct loop *loop unused, void *arg)
{
	guard_tell_state(arg);
}

/* ---- life ---- */

static void give_up(struct loop *loop unused, void *arg)
{
	auto_arena struct arena arena = { 0 };
	struct guard *guard = arg;
	char after[DURATION_TEXT_SIZE];
	struct error err = { 0 };
	const char *why;

	(void)guard_is_ready(guard, &arena, &why);
	fail(&err, ETIMEDOUT, "not in force after %s (--once-timeout): %s",
	     duration_format(guard->options->once_ms, after), why ? why : "nothing has changed");
	guard_end_with(guard, &err);
}

static void on_report(void *arg unused, bool is_error, const char *object, const char *text)
{
	if (is_error)
		log_warning("refused: %s: %s; what was in force of it stays", object, text);
	else
		log_debug("%s: %s", object, text);
}

/* The folder of the gate's socket, and the lock beside it. */
static int claim(struct guard *guard, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *path = arena_printf(&arena, "%s.lock", guard->options->socket);
	char *folder = arena_strdup(&arena, path), *slash = strrchr(folder, '/');
	int r;

	if (slash && slash != folder) {
		*slash = '\0';
		r = dir_make(folder, 0755, err);
		if (r < 0)
			return r;
	}
	r = lock_take(path, 0600, CLAIM_MS, &guard->claim, err);
	return r == -ETIMEDOUT
		       ? fail(err, EBUSY, "another process keeps this node's policies: it holds %s",
			      path)
		       : r;
}

static int open_sources(struct guard *guard, struct error *err)
{
	int r = 0;

	if (guard->options->files.n)
		r = folder_open(&guard->folder, guard, err);
	if (r == 0 && guard->options->place)
		r = cluster_open(&guard->cluster, guard, err);
	return r;
}

static int listen_to_others(struct guard *guard, struct error *err)
{
	struct error why = { 0 };

	if (nft_monitor_open(&guard->monitor, &why) < 0) {
		log_debug("%s: what others do to rules is seen by looking", why.message);
		return 0;
	}
	return loop_watch(guard->loop, netlink_fd(guard->monitor), EPOLLIN, on_events, guard, err);
}

static int start(struct guard *guard, struct error *err)
{
	const struct live_options options = { guard->options->node, on_report, guard };

	live_open(&guard->live, &options);
	guard->calls = (struct daemon_calls){ guard, look_again, tell_state };
	if (loop_open(&guard->loop, err) || daemon_hear(guard->loop, &guard->calls, err) ||
	    listen_to_others(guard, err) || gate_open(&guard->gate, guard, err) ||
	    open_sources(guard, err) || probes_open(&guard->probes, guard, err))
		return -err->errnum;
	if (guard->options->resync_ms)
		guard->resync_timer =
			loop_after(guard->loop, guard->options->resync_ms, on_resync, guard, NULL);
	if (guard->options->backend->state)
		(void)!loop_after(guard->loop, STATE_MS, on_glance, guard, NULL);
	if (guard->options->once && guard->options->once_ms &&
	    loop_after(guard->loop, guard->options->once_ms, give_up, guard, err) < 0)
		return -err->errnum;
	loop_alarm(guard->loop, &guard->pass, 0);
	return 0;
}

static void guard_end(struct guard *guard)
{
	probes_close(guard->probes);
	gate_close(guard->gate);
	folder_close(guard->folder);
	cluster_close(guard->cluster);
	netlink_close(guard->monitor);
	loop_close(guard->loop);
	live_close(guard->live);
	free(guard->told);
	close_fd(&guard->claim);
}

/* Rules and sets, and objects and keys that are other users' files. */
static int guard_confine(struct error *err)
{
	static const enum capability keep[] = { CAPABILITY_DAC_READ_SEARCH, CAPABILITY_NET_ADMIN,
						CAPABILITY_NET_RAW };

	return confine(keep, ARRAY_SIZE(keep), false, err);
}

int guard_run(const struct guard_options *options, struct error *err)
{
	struct guard guard on_leave(
		guard_end) = { .options = options, .claim = -1, .look = true, .first = true };
	int r;

	guard.pass = (struct alarm){ .fn = on_pass, .arg = &guard };
	daemon_raise_log_level();
	r = claim(&guard, err);
	if (r == 0)
		r = guard_confine(err);
	if (r == 0)
		r = start(&guard, err);
	if (r < 0)
		return r;
	r = loop_run(guard.loop, err);
	if (r < 0 && guard.fatal.errnum && err)
		*err = guard.fatal;
	return r < 0 ? r : 0;
}
