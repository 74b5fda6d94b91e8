/*
 * Probes over HTTP, for whoever supervises the agent: /healthz says that the process runs, /readyz that everything is in place and the
 * store is heard, /metrics the figures behind it. Texts are flannel's where it has some (flannel.md, section 7).
 */
#include "agent/agent_internal.h"
#include "base/loop.h"
#include "base/responder.h"

enum { SIGNS_IN_SILENCE = 3, SIGN_MIN_MS = 500 };

struct health {
	struct agent *agent;
	struct responder *responder;
	int timer;
};

static void tell_readiness(const struct agent *agent, struct arena *arena,
			   struct responder_answer *answer)
{
	const char *why = NULL, *name = agent->options->name;
	bool ready = agent_is_ready(agent, arena, &why);

	answer->status = ready ? 200 : 503;
	answer->text = ready ? arena_printf(arena, "%s is ready", name)
			     : arena_printf(arena, "%s is not ready yet: %s\n", name, why);
}

static void on_request(void *arg, const struct responder_request *request, struct arena *arena,
		       struct responder_answer *answer)
{
	const struct health *health = arg;
	const struct agent *agent = health->agent;

	if (streq(request->path, "/healthz")) {
		answer->status = 200;
		answer->text = arena_printf(arena, "%s is running", agent->options->name);
	} else if (streq(request->path, "/readyz")) {
		tell_readiness(agent, arena, answer);
	} else if (streq(request->path, "/metrics") &&
		   (request->local || !agent->options->health.local_metrics)) {
		answer->status = 200;
		answer->text = agent_metrics(agent, arena);
	}
}

/* So often that a store which lives is never taken for one that does not. */
static void ask_for_sign(struct loop *loop, void *arg)
{
	struct health *health = arg;
	unsigned pause_ms = health->agent->options->health.silence_ms / SIGNS_IN_SILENCE;

	lease_store_ping(health->agent->store);
	health->timer = loop_after(loop, pause_ms > SIGN_MIN_MS ? pause_ms : SIGN_MIN_MS,
				   ask_for_sign, health, NULL);
}

int health_open(struct health **health, struct agent *agent, struct error *err)
{
	const struct agent_health *options = &agent->options->health;

	*health = NULL;
	if (!options->port)
		return 0;
	*health = xrealloc(NULL, sizeof(**health));
	**health = (struct health){ .agent = agent };
	if (responder_open(&(*health)->responder, agent->loop, &options->ip,
			   (uint16_t)options->port, on_request, *health, err))
		return wrap(err, "health");
	if (options->silence_ms)
		ask_for_sign(agent->loop, *health);
	return 0;
}

void health_close(struct health *health)
{
	if (!health)
		return;
	responder_close(health->responder);
	if (health->timer)
		loop_cancel(health->agent->loop, health->timer);
	free(health);
}
