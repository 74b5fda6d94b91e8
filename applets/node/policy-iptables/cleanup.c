/* cleanup: everything that is ours goes, of every back end, and nothing else. */
#include "change.h"

const struct field verb_cleanup_fields[] = { ROW_JSON, FIELDS_END };

struct cleanup {
	words_t removed;
};

static const struct field cleanup_fields[] = {
	{ "removed", FIELD_LIST, offsetof(struct cleanup, removed), FIELD_KEEP_EMPTY,
	  .element = FIELD_STRING, .size = sizeof(char *) },
	FIELDS_END,
};

/* What cannot be read may be there all the same. */
static int clean(const struct backend *backend, struct arena *arena, struct cleanup *cleanup,
		 struct error *err)
{
	struct found found = { 0 };
	bool there = backend->read(arena, &found, NULL) < 0 || found.present;

	if (!there)
		return 0;
	*list_add(arena, &cleanup->removed) = backend->name;
	return backend->remove(err) < 0 ? wrap(err, "remove what %s has in force", backend->name)
					: 0;
}

int verb_cleanup(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct cleanup cleanup = { 0 };
	auto_close int lock = -1;
	int r = enforce_lock(&lock, err);

	for (size_t i = 0; backends[i] && r == 0; i++)
		r = clean(backends[i], call->arena, &cleanup, err);
	if (r < 0)
		return r;
	if (options->json) {
		print_json(call, cleanup_fields, &cleanup);
		return 0;
	}
	list_each(name, &cleanup.removed)
		fprintf(call->out, "%s: removed\n", *name);
	return 0;
}
