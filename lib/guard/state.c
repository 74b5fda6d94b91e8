/* The guard's state in words: one line for a probe, a few for a person, Prometheus' text format; and the probes themselves. */
#include "base/clock.h"
#include "base/log.h"
#include "base/responder.h"
#include "guard/source.h"

enum { SIGNS_IN_SILENCE = 3, SIGN_MIN_MS = 500 };

static int64_t silence_ms(const struct guard *guard)
{
	return guard->cluster && cluster_heard_ms(guard->cluster)
		       ? clock_ms() - cluster_heard_ms(guard->cluster)
		       : 0;
}

static const char *source_trouble(const struct guard *guard)
{
	const char *why = guard->folder ? folder_trouble(guard->folder) : NULL;

	return why || !guard->cluster ? why : cluster_trouble(guard->cluster);
}

bool guard_is_ready(const struct guard *guard, struct arena *arena, const char **why)
{
	unsigned limit = guard->options->health.silence_ms;
	const char *trouble = source_trouble(guard);

	*why = NULL;
	if (!guard->synced)
		*why = trouble ? trouble : "not all objects have been told yet";
	else if (guard->trouble.n)
		*why = guard->trouble.text;
	else if (!guard->fine)
		*why = "not everything is in force yet";
	else if (guard->bridges.n)
		*why = guard->bridges.text;
	else if (guard->folder && folder_trouble(guard->folder))
		*why = folder_trouble(guard->folder);
	else if (limit && silence_ms(guard) > limit)
		*why = arena_printf(arena, "the API server was heard last %lld s ago%s%s",
				    (long long)silence_ms(guard) / 1000, trouble ? ": " : "",
				    trouble ? trouble : "");
	return !*why;
}

void guard_tell_state(const struct guard *guard)
{
	auto_arena struct arena arena = { 0 };
	const struct guard_counts *counts = &guard->counts;
	struct live_counts live = { 0 };
	struct gate_counts gate = { 0 };
	const char *why;
	bool ready = guard_is_ready(guard, &arena, &why);

	live_count(guard->live, &live);
	gate_count(guard->gate, &gate);
	log_info("state: %s%s%s; node %s, by %s", ready ? "ready" : "not ready", ready ? "" : ": ",
		 ready ? "" : why, guard->options->node, guard->options->backend->name);
	log_info("state: %zu policies, %zu pods, %zu of them here; %zu objects, %zu refused",
		 live.policies, live.pods, live.local_pods, live.objects, live.refused);
	log_info("state: %llu passes, %llu failed, %llu writes, %llu repairs; compiled %llu times,"
		 " %llu pods followed",
		 (unsigned long long)counts->passes, (unsigned long long)counts->failed,
		 (unsigned long long)counts->writes, (unsigned long long)counts->repairs,
		 (unsigned long long)live.compiled, (unsigned long long)live.followed);
	log_info("state: %u pods wait at the gate, %llu were let in, %llu too late", gate.waiting,
		 (unsigned long long)gate.let_in, (unsigned long long)gate.late);
}

/* ---- for Prometheus ---- */

struct text {
	struct arena *arena;
	const char *so_far;
};

static void add(struct text *text, const char *name, const char *type, const char *help,
		double value)
{
	text->so_far = arena_printf(text->arena,
				    "%s# HELP cnibox_policy_%s %s\n# TYPE cnibox_policy_%s %s\n"
				    "cnibox_policy_%s %.15g\n",
				    text->so_far, name, help, name, type, name, value);
}

static void add_objects(struct text *text, const struct guard *guard)
{
	struct live_counts live = { 0 };

	live_count(guard->live, &live);
	add(text, "objects", "gauge", "objects that were told", (double)live.objects);
	add(text, "refused_objects", "gauge", "objects that are refused as they are",
	    (double)live.refused);
	add(text, "policies", "gauge", "NetworkPolicies in force", (double)live.policies);
	add(text, "pods", "gauge", "pods with an address", (double)live.pods);
	add(text, "local_pods", "gauge", "of those, on this node", (double)live.local_pods);
	add(text, "compiled_total", "counter", "times that all was compiled",
	    (double)live.compiled);
	add(text, "followed_total", "counter", "changes of other nodes' pods, elements alone",
	    (double)live.followed);
}

static void add_passes(struct text *text, const struct guard *guard)
{
	const struct guard_counts *counts = &guard->counts;

	add(text, "passes_total", "counter", "passes", (double)counts->passes);
	add(text, "failed_passes_total", "counter", "of those, not brought to their end",
	    (double)counts->failed);
	add(text, "looks_total", "counter", "times that the kernel was read",
	    (double)counts->looks);
	add(text, "writes_total", "counter", "differences written", (double)counts->writes);
	add(text, "repairs_total", "counter", "of those, of what others had damaged",
	    (double)counts->repairs);
	add(text, "elements_added_total", "counter", "elements written to sets that stayed",
	    (double)counts->elements_added);
	add(text, "elements_removed_total", "counter", "and taken from them",
	    (double)counts->elements_removed);
	add(text, "groups_written_total", "counter", "chains made, changed and removed",
	    (double)counts->groups);
	add(text, "last_pass_seconds", "gauge", "what the last pass took",
	    (double)counts->last_ms / 1000);
	add(text, "last_update_seconds", "gauge",
	    "from the last change that was written being heard of to its being in force",
	    (double)counts->update_ms / 1000);
}

static void add_gate(struct text *text, const struct guard *guard)
{
	struct gate_counts gate = { 0 };

	gate_count(guard->gate, &gate);
	add(text, "gate_waiting", "gauge", "pods that wait until they are in force", gate.waiting);
	add(text, "gate_let_in_total", "counter", "pods that were in force in time",
	    (double)gate.let_in);
	add(text, "gate_late_total", "counter", "pods that were not", (double)gate.late);
}

static const char *metrics(const struct guard *guard, struct arena *arena)
{
	struct text text = { arena, "" };
	const char *why;

	add(&text, "ready", "gauge", "1 when everything is in force and its source is heard",
	    guard_is_ready(guard, arena, &why));
	add_objects(&text, guard);
	add_passes(&text, guard);
	add_gate(&text, guard);
	if (guard->cluster) {
		add(&text, "source_trouble", "gauge", "1 while the API server cannot be asked",
		    cluster_trouble(guard->cluster) != NULL);
		add(&text, "source_contact_age_seconds", "gauge",
		    "since the API server was heard last", (double)silence_ms(guard) / 1000);
		add(&text, "source_restarts_total", "counter",
		    "starts of the source's process after one ended",
		    cluster_restarts(guard->cluster));
	}
	return text.so_far;
}

/* ---- probes ---- */

struct probes {
	struct guard *guard;
	struct responder *responder;
};

static void on_request(void *arg, const struct responder_request *request, struct arena *arena,
		       struct responder_answer *answer)
{
	const struct probes *probes = arg;
	const char *why;

	if (streq(request->path, "/healthz")) {
		answer->status = 200;
		answer->text = "policy-iptables is running";
	} else if (streq(request->path, "/readyz")) {
		bool ready = guard_is_ready(probes->guard, arena, &why);

		answer->status = ready ? 200 : 503;
		answer->text =
			ready ? "policy-iptables is ready"
			      : arena_printf(arena, "policy-iptables is not ready yet: %s\n", why);
	} else if (streq(request->path, "/metrics")) {
		answer->status = 200;
		answer->text = metrics(probes->guard, arena);
	}
}

/* So often that a source which lives is never taken for one that does not. */
static void ask_for_sign(struct loop *loop, void *arg)
{
	struct probes *probes = arg;
	unsigned pause_ms = probes->guard->options->health.silence_ms / SIGNS_IN_SILENCE;

	cluster_ping(probes->guard->cluster);
	(void)!loop_after(loop, pause_ms > SIGN_MIN_MS ? pause_ms : SIGN_MIN_MS, ask_for_sign,
			  probes, NULL);
}

int probes_open(struct probes **probes, struct guard *guard, struct error *err)
{
	const struct guard_options *options = guard->options;

	*probes = NULL;
	if (!options->health.port)
		return 0;
	*probes = xrealloc(NULL, sizeof(**probes));
	**probes = (struct probes){ .guard = guard };
	if (responder_open(&(*probes)->responder, guard->loop, &options->health.ip,
			   (uint16_t)options->health.port, on_request, *probes, err))
		return wrap(err, "health");
	if (options->health.silence_ms && guard->cluster)
		ask_for_sign(guard->loop, *probes);
	return 0;
}

void probes_close(struct probes *probes)
{
	if (!probes)
		return;
	responder_close(probes->responder);
	free(probes);
}
