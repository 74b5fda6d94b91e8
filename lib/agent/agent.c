/*
 * The loop. Whatever happens asks for a pass: at once for what the store tells, a moment later for what the kernel tells, but
 * not sooner than a while after the last one, so that many events of one cause are few passes; and after a pause for a pass
 * that failed.
 */
#include "agent/agent_internal.h"
#include "agent/leftover.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/notify.h"
#include "describe/duration.h"
#include "kernel/confine.h"
#include "kernel/monitor.h"
#include "lease/place.h"

enum { SOON_MS = 3, PACE_MS = 20, RETRY_MS = 1000, CLAIM_MS = 1000, RELEASE_MS = 3000 };
enum { MANY = 256, TIDY_MS = 1000 };

static void ask_soon(struct agent *agent)
{
	int64_t pause_ms = agent->passed_ms + PACE_MS - clock_ms();

	loop_alarm(agent->loop, &agent->pass, pause_ms > SOON_MS ? (unsigned)pause_ms : SOON_MS);
}

/* Memory of a pass over thousands of peers, once it is likely that no other pass needs it now. */
static void tidy(struct loop *loop unused, void *arg)
{
	struct agent *agent = arg;

	agent->tidy_timer = 0;
	memory_give_back();
}

static void tidy_later(struct agent *agent)
{
	if (agent->tidy_timer > 0)
		loop_cancel(agent->loop, agent->tidy_timer);
	agent->tidy_timer = loop_after(agent->loop, TIDY_MS, tidy, agent, NULL);
}

static void pass_failed(struct agent *agent, const struct error *err)
{
	if (agent->options->once && agent->have_leases)
		agent_end_with(agent, err);
	trouble_tell(&agent->pass_trouble, err->message);
	agent->counts.failed_passes++;
	agent->fine = false;
	notify_send("STATUS=not ready: %s", err->message);
	loop_alarm(agent->loop, &agent->pass, RETRY_MS);
}

/* What can be in place is: a supervisor need not wait for a peer that no way leads to. */
static void tell_done(const struct agent *agent)
{
	const char *unreached = agent->peer_trouble.text;
	size_t n = agent->leases.n;
	const char *many = n == 1 ? "" : "s";

	if (!agent->fine && *unreached)
		log_info("%zu lease%s; what can be is in place, but %s", n, many, unreached);
	else if (!agent->fine)
		log_info("%zu lease%s; everything is in place", n, many);
	if (!agent->fine || agent->news)
		notify_send("READY=1\nSTATUS=%zu lease%s; %s", n, many,
			    *unreached ? unreached : "everything is in place");
}

static void run_pass(struct loop *loop, void *arg)
{
	struct agent *agent = arg;
	struct error err = { 0 };
	int r;

	agent->counts.passes++;
	r = agent_pass(agent, &err);
	agent->passed_ms = clock_ms();
	if (r < 0) {
		pass_failed(agent, &err);
		return;
	}
	agent->pass_trouble = (struct trouble){ 0 };
	if ((!agent->have_own && !agent->options->observe) || !agent->have_leases || !agent->way)
		return;
	tell_done(agent);
	agent->fine = true;
	agent->news = false;
	if (!agent->told_ready)
		lease_store_ready(agent->store);
	agent->told_ready = true;
	if (agent->leases.n > MANY)
		tidy_later(agent);
	if (agent->options->once)
		loop_stop(loop, 0);
}

/* ---- the kernel ---- */

static bool is_on_ours(const struct agent *agent, int index)
{
	return index && (index == agent->external.index || index == agent->vtep.index ||
			 index == agent->vtep6.index || index == agent->tun.index ||
			 (agent->relay && relay_is_link(agent->relay, index)));
}

/* By whatever link: a neighbour may be none from then on, or be one again. */
static bool is_way_to_node(const void *arg, const struct cidr *dst)
{
	const struct agent *agent = arg;

	if (!agent->near_known || !dst->ip.family)
		return false;
	list_each(lease, &agent->leases)
		if (cidr_contains(dst, &lease->public_ip) || cidr_contains(dst, &lease->public_ip6))
			return true;
	return false;
}

/* A link that goes down takes its routes along, and the kernel tells of none. */
static bool link_leads_to_node(const struct agent *agent, int index)
{
	return agent->near_known && near_leads(&agent->near, index, is_way_to_node, agent);
}

/* Routes of ours that appear are our own doing. */
static bool route_concerns(struct agent *agent, const struct monitor_event *event)
{
	bool is_external = event->index && event->index == agent->external.index;

	if (event->protocol == ROUTE_PROTOCOL_CNIBOX)
		return event->gone;
	if (is_external || is_way_to_node(agent, &event->dst)) {
		agent->near_known = false;
		return true;
	}
	return event->replaces;
}

/* What others do to what is ours. */
static void on_event(void *arg, const struct monitor_event *event)
{
	struct agent *agent = arg;
	bool concerns = is_on_ours(agent, event->index);

	if (event->kind == MONITOR_ROUTE)
		concerns = route_concerns(agent, event);
	else if (event->index == agent->external.index)
		agent->near_known = false;
	if (event->kind == MONITOR_LINK && link_leads_to_node(agent, event->index)) {
		agent->near_known = false;
		concerns = true;
	}
	if (event->kind == MONITOR_NEIGH)
		concerns = event->index && (event->index == agent->vtep.index ||
					    event->index == agent->vtep6.index);
	if (event->kind == MONITOR_LINK && !agent->fine)
		concerns = true; /* perhaps the interface that is missing */
	if (concerns)
		ask_soon(agent);
}

static void on_events(struct loop *loop unused, void *arg)
{
	struct agent *agent = arg;
	struct error err = { 0 };

	if (monitor_read(agent->monitor, on_event, agent, &err) < 0) {
		agent->near_known = false;
		ask_soon(agent); /* some were lost: look at everything */
	}
}

/* Once, when everything has been in place for a while: the other nodes have heard of this one's way by then. One that observes may
 * have a flanneld beside it. */
static void remove_leftovers(struct agent *agent)
{
	struct error err = { 0 };

	if (agent->fine_resyncs++ == 1 && !agent->options->observe &&
	    leftover_remove(agent, &err) < 0)
		log_warning("%s", err.message);
}

static void on_resync(struct loop *loop, void *arg)
{
	struct agent *agent = arg;

	agent->rules.due = agent->env_due = true;
	agent->near_known = false;
	agent->resync_timer = loop_after(loop, agent->options->resync_ms, on_resync, agent, NULL);
	ask_soon(agent);
	if (agent->fine)
		remove_leftovers(agent);
}

/* Look at everything again: the kernel, and the store. */
static void look_again(struct loop *loop unused, void *arg)
{
	struct agent *agent = arg;

	agent->rules.due = agent->env_due = true;
	agent->near_known = false;
	lease_store_ping(agent->store);
	loop_alarm(agent->loop, &agent->pass, 0);
}

static void tell_state(struct loop *loop unused, void *arg)
{
	agent_tell_state(arg);
}

/* The last trouble says best why. */
static void give_up(struct loop *loop unused, void *arg)
{
	struct agent *agent = arg;
	char after[DURATION_TEXT_SIZE];
	struct error err = { 0 };
	const char *why = agent->pass_trouble.n    ? agent->pass_trouble.text
			  : agent->store_trouble.n ? agent->store_trouble.text
			  : !agent->way            ? "the store has no network"
						   : "the store has not answered";

	fail(&err, ETIMEDOUT, "not in place after %s (--once-timeout): %s",
	     duration_format(agent->options->once_ms, after), why);
	agent_end_with(agent, &err);
}

/* ---- life ---- */

const char *agent_lock_file(const struct agent *agent, struct arena *arena)
{
	return arena_printf(arena, "%s.lock", agent->options->subnet_file);
}

/* Two agents that keep one node's state would undo each other's work. A predecessor may just be ending. */
int agent_claim(struct agent *agent, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *path = agent_lock_file(agent, &arena);
	int r = agent_make_folder(agent, err);

	if (r == 0)
		r = lock_take(path, 0600, CLAIM_MS, &agent->claim, err);
	return r == -ETIMEDOUT ? fail(err, EBUSY,
				      "another agent is at work for this node: it holds %s", path)
			       : r;
}

/* The others drop their ways to this node at once. A reservation is the node's for good. */
static void give_back(const struct agent *agent)
{
	const char *snapshot = agent->options->place ? agent->options->place->snapshot : NULL;
	char key[SUBNET_KEY_SIZE];
	struct error err = { 0 };

	if (!agent->have_own || agent->own.left_ms < 0)
		return;
	if (lease_store_release(agent->store, RELEASE_MS, &err) < 0) {
		log_warning("the lease stays in the store until it ends: %s", err.message);
		return;
	}
	/* A boot without the store must not bring back what was given up. */
	if (snapshot)
		(void)!unlink(snapshot);
	log_info("this node has given %s back", subnet_key(&agent->own, key));
}

static void agent_end(struct agent *agent)
{
	agent_rules_close(agent);
	health_close(agent->health);
	relay_close(agent->relay);
	lease_store_close(agent->store);
	netlink_close(agent->monitor);
	netlink_close(agent->nl);
	loop_close(agent->loop);
	arena_free(&agent->network_arena);
	arena_free(&agent->own_arena);
	arena_free(&agent->recalled_arena);
	arena_free(&agent->external_arena);
	arena_free(&agent->near_arena);
	close_fd(&agent->claim);
}

static int listen_to_all(struct agent *agent, struct error *err)
{
	const struct lease_store_client client = agent_store_client(agent);

	agent->calls = (struct daemon_calls){ agent, look_again, tell_state };
	if (loop_open(&agent->loop, err) || daemon_hear(agent->loop, &agent->calls, err) ||
	    netlink_open(&agent->nl, NETLINK_SESSION_ROUTE, -1, err) ||
	    monitor_open(&agent->monitor, err) ||
	    loop_watch(agent->loop, netlink_fd(agent->monitor), EPOLLIN, on_events, agent, err))
		return -err->errnum;
	if (agent->options->resync_ms)
		on_resync(agent->loop, agent);
	if (agent->options->once && agent->options->once_ms &&
	    loop_after(agent->loop, agent->options->once_ms, give_up, agent, err) < 0)
		return -err->errnum;
	if (lease_store_open(&agent->store, agent->loop, &agent->options->store, &client, err))
		return -err->errnum;
	return health_open(&agent->health, agent, err);
}

/* Links, routes, rules and packets; keys and stores that are other users' files; the kernel's part of a relay. */
static int agent_confine(struct error *err)
{
	static const enum capability keep[] = { CAPABILITY_DAC_READ_SEARCH, CAPABILITY_NET_ADMIN,
						CAPABILITY_NET_RAW, CAPABILITY_BPF };

	return confine(keep, ARRAY_SIZE(keep), true, err);
}

int agent_run(const struct agent_options *options, struct error *err)
{
	struct agent agent on_leave(agent_end) = { .options = options, .claim = -1, .left_ms = -1 };
	int r;

	agent.pass = (struct alarm){ .fn = run_pass, .arg = &agent };
	daemon_raise_log_level();
	umask(0022); /* subnet.env is everybody's to read */
	r = agent_claim(&agent, err);
	if (r == 0)
		r = agent_confine(err);
	if (r == 0)
		r = listen_to_all(&agent, err);
	if (r < 0)
		return r;
	agent_recall(&agent);
	r = loop_run(agent.loop, err);
	if (r == 0 && options->release)
		give_back(&agent);
	if (r < 0 && agent.fatal.errnum && err)
		*err = agent.fatal;
	return r < 0 ? r : 0;
}
