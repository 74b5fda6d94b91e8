/*
 * verify: is in force what the objects say? What is read back from the kernel is held against what is compiled, piece by
 * piece, and its verdicts against the objects' own, connection by connection.
 */
#include "change.h"

#include "policy/bridged.h"

const struct field verb_verify_fields[] = {
	ROW_FILE,    ROW_NODE,
	ROW_BACKEND, ROW("repair", FIELD_BOOL, repair, "put right what is wrong"),
	ROW_PORTS,   ROW_ADDRESSES,
	ROW_JSON,    FIELDS_END,
};

struct verification {
	const char *backend, *node;
	bool right;
	damages_t damages;
	connection_changes_t connections; /* that are not judged as the objects say */
	int64_t asked, wrong;             /* connections */
	bool repaired;
};

#define OF(member) offsetof(struct verification, member)

static const struct field verification_fields[] = {
	{ "backend", FIELD_STRING, OF(backend) },
	{ "node", FIELD_STRING, OF(node) },
	{ "right", FIELD_BOOL, OF(right), FIELD_KEEP_EMPTY },
	{ "damages", FIELD_LIST, OF(damages), FIELD_KEEP_EMPTY, .element = FIELD_OBJECT,
	  .fields = damage_fields, .size = sizeof(struct damage) },
	{ "connections", FIELD_LIST, OF(connections), FIELD_KEEP_EMPTY, .element = FIELD_OBJECT,
	  .fields = connection_fields, .size = sizeof(struct connection_change) },
	{ "asked", FIELD_INT64, OF(asked), FIELD_KEEP_EMPTY },
	{ "wrong", FIELD_INT64, OF(wrong), FIELD_KEEP_EMPTY },
	{ "repaired", FIELD_BOOL, OF(repaired) },
	FIELDS_END,
};

/* ---- what is damaged ---- */

static void add_damage(struct arena *arena, struct verification *verification, const char *place,
		       const char *what)
{
	*list_add(arena, &verification->damages) = (struct damage){ place, what };
}

static void add_elements(struct arena *arena, struct verification *verification,
			 const struct thing_change *set)
{
	list_each(element, &set->more)
		add_damage(arena, verification, set->name,
			   arena_printf(arena, "%s is missing", *element));
	list_each(element, &set->gone)
		add_damage(arena, verification, set->name,
			   arena_printf(arena, "%s does not belong there", *element));
}

static void add_things(struct arena *arena, struct verification *verification,
		       const thing_changes_t *things)
{
	list_each(thing, things) {
		if (streq(thing->change, "new"))
			add_damage(arena, verification, thing->name, "is missing");
		else if (streq(thing->change, "gone"))
			add_damage(arena, verification, thing->name, "nothing needs it");
		else if (thing->more.n || thing->gone.n)
			add_elements(arena, verification, thing);
		else
			add_damage(arena, verification, thing->name, "its rules are others");
	}
}

static void find_damages(const struct job *job, const rivals_t *rivals,
			 struct verification *verification)
{
	const struct enforcement *enforcement = &job->enforcement;
	struct arena *arena = job->session.call->arena;
	struct error unseen = { 0 };
	struct change change;

	change_of(job, rivals, &change);
	if (!enforcement->found.present) {
		add_damage(arena, verification, enforcement->backend->name, "nothing is in force");
		return;
	}
	list_each(damage, &change.damages)
		add_damage(arena, verification, damage->place, damage->what);
	add_things(arena, verification, &change.chains);
	add_things(arena, verification, &change.sets);
	if (enforcement->difference.closed)
		add_damage(arena, verification, enforcement->backend->name,
			   "the closed addresses are others");
	if (bridged_check(&job->session.world, job->node, false, &unseen) < 0)
		add_damage(arena, verification, "br_netfilter",
			   arena_strdup(arena, unseen.message));
	list_each(name, &change.removed)
		add_damage(arena, verification, *name, "has rules of ours, too");
}

/* ---- the whole ---- */

static int look(struct job *job, const struct options *options, const rivals_t *rivals,
		struct verification *verification, struct error *err)
{
	struct enforcement *enforcement = &job->enforcement;
	struct arena *arena = job->session.call->arena;
	struct flips flips = { .max = CONNECTIONS_MAX };
	struct matrix matrix;
	int r = job_matrix(job, options, true, &matrix, err);

	call_step(job->session.call, "reading what is in force, and asking it");
	if (r == 0)
		r = enforce_plan(enforcement, &job->session.world, job->node, arena, err);
	if (r < 0)
		return r;
	*verification = (struct verification){ .backend = enforcement->backend->name,
					       .node = job->node_name };
	find_damages(job, rivals, verification);
	flips_of_model(&enforcement->found.compiled, &enforcement->wanted, &matrix, &flips);
	change_connections(&flips, arena, &verification->connections);
	verification->asked = (int64_t)flips.n;
	verification->wrong = (int64_t)(flips.n_allowed + flips.n_denied);
	verification->right = !verification->damages.n && !verification->wrong;
	return 0;
}

static void print_verification(struct invocation *call, const struct options *options,
			       const struct verification *verification)
{
	FILE *out = call->out;

	call_step(call, NULL);
	if (options->json) {
		print_json(call, verification_fields, verification);
		return;
	}
	list_each(damage, &verification->damages)
		fprintf(out, "%s: %s\n", damage->place, damage->what);
	change_print_connections(out, &verification->connections, verification->wrong,
				 "should be allowed, is denied", "should be denied, is allowed");
	fprintf(out, "%s on %s: %zu damages, %lld of %lld connections wrong%s\n",
		verification->backend, verification->node, verification->damages.n,
		(long long)verification->wrong, (long long)verification->asked,
		verification->repaired ? "; repaired" : "");
}

static int repair(struct job *job, const struct options *options, rivals_t *rivals,
		  struct verification *verification, struct error *err)
{
	struct verification after = { 0 };
	int r = enforce(&job->enforcement, err);

	if (r == 0)
		r = enforce_sweep(rivals, err);
	rivals->n = 0;
	if (r == 0)
		r = look(job, options, rivals, &after, err);
	if (r < 0)
		return r;
	verification->repaired = after.right;
	if (!after.right)
		*verification = after;
	return 0;
}

int verb_verify(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct verification verification = { 0 };
	struct job job;
	rivals_t rivals = { 0 };
	auto_close int lock = -1;
	int r = job_start(&job, call, options, err);

	job.enforcement.adopt = true;
	if (r == 0)
		r = enforce_lock(&lock, err);
	if (r == 0)
		r = enforce_rivals(job.enforcement.backend, call->arena, &rivals, err);
	if (r == 0)
		r = look(&job, options, &rivals, &verification, err);
	if (r == 0 && options->repair && !verification.right)
		r = repair(&job, options, &rivals, &verification, err);
	if (r < 0)
		return r;
	print_verification(call, options, &verification);
	return verification.right || verification.repaired ? 0 : STATUS_DIFFERS;
}
