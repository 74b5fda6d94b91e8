/* See enforce.h. */
#include "policy/enforce.h"

#include "base/file.h"
#include "policy/set.h"

#define LOCK_FOLDER  "/run/cnibox"
#define LOCK_WAIT_MS 60000 /* an apply of ten thousand policies takes seconds */

bool treatment_equal(const struct treatment *a, const struct treatment *b)
{
	return a->reject == b->reject && a->accept == b->accept && a->nflog == b->nflog &&
	       a->established == b->established;
}

void compiled_close(struct compiled *compiled, const struct world *world, symbol_t node,
		    const cidrs_t *close)
{
	auto_arena struct arena scratch = { 0 };
	struct compiled alone = { .arena = compiled->arena, .names.arena = &scratch };
	bool fresh;
	uint32_t set;

	if (!close->n)
		return;
	list_each(cidr, close)
		*list_add(compiled->arena, &compiled->closed) = cidr_network(cidr);
	set = set_open(&alone, SET_KNOWN, "pods of this node", &fresh);
	list_each(pod, &world->pods)
		if (pod->node == node && pod_takes_part(pod))
			set_add_pod(&alone, set, pod, PROTOCOL_TCP, 0);
	set_finish(&alone, set);
	compiled->known = (uint32_t)compiled->sets.n;
	*list_add(compiled->arena, &compiled->sets) = alone.sets.items[set];
}

static int read_backend(const struct backend *backend, struct arena *arena, struct found *found,
			struct error *err)
{
	int r;

	*found = (struct found){ .compiled = { .arena = arena, .known = NO_SET } };
	for (int direction = 0; direction < DIRECTIONS; direction++)
		found->compiled.subjects[direction] = NO_SET;
	r = backend->read(arena, found, err);
	return r < 0 ? wrap(err, "read what %s has in force", backend->name) : 0;
}

int enforce_plan(struct enforcement *enforcement, const struct world *world, symbol_t node,
		 struct arena *arena, struct error *err)
{
	struct found *found = &enforcement->found;
	int r = read_backend(enforcement->backend, arena, found, err);

	if (r < 0)
		return r;
	if (enforcement->adopt && found->present) {
		enforcement->treatment = found->treatment;
		enforcement->close = found->compiled.closed;
	}
	compile(world, node, arena, &enforcement->wanted);
	compiled_close(&enforcement->wanted, world, node, &enforcement->close);
	difference_of(&found->compiled, &enforcement->wanted, arena, &enforcement->difference);
	enforcement->difference.damaged =
		!found->present || found->damages.n ||
		!treatment_equal(&found->treatment, &enforcement->treatment);
	return 0;
}

int enforce(const struct enforcement *enforcement, struct error *err)
{
	if (difference_is_empty(&enforcement->difference))
		return 0;
	return enforcement->backend->write(&enforcement->difference, &enforcement->treatment, err);
}

int enforce_rivals(const struct backend *backend, struct arena *arena, rivals_t *rivals,
		   struct error *err)
{
	for (size_t i = 0; backends[i]; i++) {
		struct rival rival = { .backend = backends[i] };
		int r = rival.backend == backend
				? 0
				: read_backend(rival.backend, arena, &rival.found, err);

		if (r < 0)
			return r;
		if (rival.found.present)
			*list_add(arena, rivals) = rival;
	}
	return 0;
}

int enforce_sweep(const rivals_t *rivals, struct error *err)
{
	list_each(rival, rivals)
		if (rival->backend->remove(err) < 0)
			return wrap(err, "remove what %s had in force", rival->backend->name);
	return 0;
}

int enforce_lock(int *fd, struct error *err)
{
	int r = dir_make(LOCK_FOLDER, 0755, err);

	return r < 0 ? r
		     : lock_take(LOCK_FOLDER "/policy-iptables.lock", 0600, LOCK_WAIT_MS, fd, err);
}
