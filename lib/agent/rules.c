/*
 * Masquerade and forward rules of the agent: when to look at them, and in which form they are. nf_tables tells of every change, of
 * iptables-nft's, too; events are read in bulk, with pauses, and only those about our rules lead to a look. Legacy tables tell
 * nothing: how many rules they have is asked now and then.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "agent/agent_internal.h"
#include "base/log.h"
#include "firewall/iptables.h"
#include "firewall/overlay.h"
#include "kernel/nft_monitor.h"

/* Between two readings of events; the longer one after a repair, lest two who disagree keep each other busy. */
enum { SOON_MS = 20, PAUSE_MS = 200, REPAIRED_PAUSE_MS = 500 };

/* ---- events ---- */

static void on_change(void *arg, const struct nft_event *event)
{
	struct agent *agent = arg;

	if (!*event->set && overlay_concerns(event->table, event->chain, event->gone))
		agent->rules.due = true;
}

static void listen_again(struct loop *loop, void *arg);

static void on_changes(struct loop *loop, void *arg)
{
	struct agent *agent = arg;
	struct agent_rules *rules = &agent->rules;
	struct error err = { 0 };

	if (nft_monitor_read(rules->monitor, on_change, agent, &err) < 0)
		rules->due = true; /* some were lost */
	loop_unwatch(loop, netlink_fd(rules->monitor));
	rules->pause = loop_after(loop, rules->repaired ? REPAIRED_PAUSE_MS : PAUSE_MS,
				  listen_again, agent, NULL);
	rules->repaired = false;
	if (rules->due)
		loop_alarm(agent->loop, &agent->pass, SOON_MS);
}

static void listen_again(struct loop *loop, void *arg)
{
	struct agent *agent = arg;
	struct error err = { 0 };

	agent->rules.pause = 0;
	if (loop_watch(loop, netlink_fd(agent->rules.monitor), EPOLLIN, on_changes, agent, &err))
		log_warning("%s", err.message);
}

static void look_at_legacy(struct loop *loop, void *arg)
{
	struct agent *agent = arg;
	struct agent_rules *rules = &agent->rules;

	rules->legacy_timer =
		loop_after(loop, agent->options->rules.legacy_ms, look_at_legacy, agent, NULL);
	if (overlay_legacy_state() == rules->legacy_state)
		return;
	rules->due = true;
	loop_alarm(agent->loop, &agent->pass, SOON_MS);
}

/* From the first look on. Without nf_tables there is nothing to hear. */
static int listen_first(struct agent *agent, struct error *err)
{
	struct agent_rules *rules = &agent->rules;
	struct error why = { 0 };
	int r;

	if (rules->listening)
		return 0;
	r = rules->monitor ? 0 : nft_monitor_open(&rules->monitor, &why);
	if (r < 0 && r != -EOPNOTSUPP)
		return fail(err, why.errnum, "%s", why.message);
	if (r == 0 &&
	    loop_watch(agent->loop, netlink_fd(rules->monitor), EPOLLIN, on_changes, agent, err))
		return -err->errnum;
	rules->listening = true;
	return 0;
}

void agent_rules_close(struct agent *agent)
{
	netlink_close(agent->rules.monitor);
}

/* ---- the rules ---- */

/* The network says which form; without the program of iptables there is only one. Kept until the agent ends. */
static int choose(struct agent *agent, struct error *err)
{
	struct agent_rules *rules = &agent->rules;
	enum iptables_kind kind = iptables_kind(agent->config.v4.enabled ? RULE_IP : RULE_IP6);

	if (rules->chosen)
		return 0;
	if (firewall_choose(agent->config.nftables ? "nftables" : NULL, &rules->form, err))
		return -err->errnum;
	if (rules->form == FIREWALL_NFTABLES && !agent->config.nftables)
		log_info("there is no iptables here: rules are in nftables' form");
	if (rules->form == FIREWALL_IPTABLES && kind == IPTABLES_LEGACY &&
	    agent->options->rules.legacy_ms)
		rules->legacy_timer = loop_after(agent->loop, agent->options->rules.legacy_ms,
						 look_at_legacy, agent, NULL);
	rules->chosen = true;
	return 0;
}

static struct overlay wanted(const struct agent *agent)
{
	const struct agent_rules_options *options = &agent->options->rules;
	struct overlay overlay = {
		.masquerade = options->masquerade,
		.fully_random = options->fully_random,
		.forward = options->forward,
		.forward_first = options->forward_first,
	};

	if (!agent->rules.in_place)
		overlay.was = agent->recalled_networks;

	if (agent->config.v4.enabled)
		overlay.v4 = (struct overlay_family){ agent->config.v4.network, agent->own.subnet };
	if (agent->config.v6.enabled)
		overlay.v6 =
			(struct overlay_family){ agent->config.v6.network, agent->own.subnet6 };
	return overlay;
}

static void report(struct agent *agent, const struct overlay_done *done)
{
	struct agent_rules *rules = &agent->rules;

	if (done->shadowed)
		log_warning("%s: FORWARD drops everything before flannel's rules can accept it;"
			    " --iptables-forward-position=first puts them before",
			    done->shadowed);
	if (done->changed)
		log_info("masquerade and forward rules: %s",
			 rules->in_place ? "repaired" : "put in place");
	agent->counts.rules += done->changed && rules->in_place;
	rules->repaired |= done->changed;
	rules->in_place = true;
}

int agent_ensure_rules(struct agent *agent, struct error *err)
{
	struct agent_rules *rules = &agent->rules;
	struct overlay overlay = wanted(agent);
	struct overlay_done done;
	struct error why = { 0 };

	if (!rules->due || !agent->have_own)
		return 0;
	if (listen_first(agent, err) || choose(agent, err))
		return -err->errnum;
	rules->due = false;
	if (overlay_ensure(&overlay, rules->form, !rules->in_place, &done, &why) == 0) {
		report(agent, &done);
		if (rules->legacy_timer)
			rules->legacy_state = overlay_legacy_state();
		return 0;
	}
	/* Where nothing filters there need not be a rule that accepts. */
	if (why.errnum == EOPNOTSUPP && !overlay.masquerade) {
		log_warning("%s", why.message);
		return 0;
	}
	rules->due = true;
	return fail(err, why.errnum, "%s", why.message);
}
