/*
 * apply: policies into force on this node. Read, compile, compare, write; what is refused leaves what is in force. With
 * --dry-run nothing is written, and what would be is said: rules, sets, and connections that would flip.
 */
#include "change.h"

#include "policy/bridged.h"
#include "policy/cut.h"

const struct field verb_apply_fields[] = {
	ROW_FILE,
	ROW_NODE,
	ROW_BACKEND,
	ROWS_TREATMENT,
	ROW_CLOSE,
	ROW_BRIDGE_NETFILTER,
	ROW_CUT,
	ROW("dryRun", FIELD_BOOL, dry_run,
	    "only say what would change, and which connections would flip; status 3: something would",
	    .letter = 'n'),
	ROW_PORTS,
	ROW_ADDRESSES,
	ROW_JSON,
	FIELDS_END,
};

static void print_change(struct invocation *call, const struct options *options,
			 const struct change *change)
{
	FILE *out = call->out;

	call_step(call, NULL);
	if (options->json) {
		print_json(call, change_fields, change);
		return;
	}
	if (options->dry_run) {
		change_print(out, change);
		change_print_connections(out, &change->connections,
					 change->allowed + change->denied, "would be allowed",
					 "would be denied");
	}
	fprintf(out, "%s on %s: ", change->backend, change->node);
	if (change->changed)
		change_print_sum(out, change);
	else
		fprintf(out, "nothing to do");
	if (options->dry_run && change->changed)
		fprintf(out, "; %lld connection%s would be denied, %lld allowed",
			(long long)change->denied, change->denied == 1 ? "" : "s",
			(long long)change->allowed);
	if (options->cut)
		fprintf(out, "; %lld connection%s cut", (long long)change->cut,
			change->cut == 1 ? "" : "s");
	fputc('\n', out);
}

/* What is in force until now: of this back end, or of another that it takes over from. */
static int find_flips(const struct job *job, const struct options *options, const rivals_t *rivals,
		      struct flips *flips, struct error *err)
{
	const struct enforcement *enforcement = &job->enforcement;
	struct difference difference = enforcement->difference;
	struct arena *arena = job->session.call->arena;
	struct matrix matrix;
	int r = job_matrix(job, options, true, &matrix, err);

	if (r < 0)
		return r;
	call_step(job->session.call, "asking which connections would flip");
	if (!enforcement->found.present && rivals->n)
		difference_of(&rivals->items[0].found.compiled, &enforcement->wanted, arena,
			      &difference);
	flips->max = CONNECTIONS_MAX;
	flips_of(&difference, &matrix, flips);
	return 0;
}

static int dry_run(struct job *job, const struct options *options, const rivals_t *rivals,
		   struct change *change, struct error *err)
{
	struct flips flips = { 0 };
	int r = find_flips(job, options, rivals, &flips, err);

	if (r < 0)
		return r;
	change->denied = (int64_t)flips.n_denied;
	change->allowed = (int64_t)flips.n_allowed;
	change_connections(&flips, job->session.call->arena, &change->connections);
	print_change(job->session.call, options, change);
	return change->changed ? STATUS_DIFFERS : 0;
}

static int carry_out(struct job *job, const struct options *options, const rivals_t *rivals,
		     struct change *change, struct error *err)
{
	size_t n_cut = 0;
	int r = bridged_check(&job->session.world, job->node, options->bridge_netfilter, err);

	call_step(job->session.call, "writing");
	if (r == 0)
		r = enforce(&job->enforcement, err);
	if (r == 0)
		r = enforce_sweep(rivals, err);
	if (r == 0 && options->cut)
		r = flows_cut(&job->enforcement.wanted, &n_cut, err);
	if (r < 0)
		return r;
	change->cut = (int64_t)n_cut;
	print_change(job->session.call, options, change);
	return 0;
}

int verb_apply(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct change change;
	struct job job;
	rivals_t rivals = { 0 };
	auto_close int lock = -1;
	int r = job_start(&job, call, options, err);

	if (r == 0)
		r = enforce_lock(&lock, err);
	call_step(call, "compiling, and reading what is in force");
	if (r == 0)
		r = enforce_plan(&job.enforcement, &job.session.world, job.node, call->arena, err);
	if (r == 0)
		r = enforce_rivals(job.enforcement.backend, call->arena, &rivals, err);
	if (r < 0)
		return r;
	change_of(&job, &rivals, &change);
	return options->dry_run ? dry_run(&job, options, &rivals, &change, err)
				: carry_out(&job, options, &rivals, &change, err);
}
