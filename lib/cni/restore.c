/* The verb restore over all that a runtime remembers; each attachment by itself, whatever becomes of the others. */
#include "cni/restore.h"

#include "describe/table.h"
#include "kernel/netns.h"

#include <errno.h>

#define MESSAGE_SIZE (sizeof(((struct error *)0)->message) + 64)

#define ROW(key_, kind, member, ...)                                                           \
	{                                                                                      \
		.key = (key_), .type = (kind), .offset = offsetof(struct restore_row, member), \
		##__VA_ARGS__                                                                  \
	}

/* clang-format off */
static const struct field row_fields[] = {
	ROW("container", FIELD_STRING, container),
	ROW("ifname",    FIELD_STRING, ifname),
	ROW("network",   FIELD_STRING, network),
	ROW("outcome",   FIELD_STRING, outcome),
	ROW("notOurs",   FIELD_LIST,   foreign, .element = FIELD_STRING, .size = sizeof(char *)),
	ROW("message",   FIELD_STRING, message),
	FIELDS_END
};
/* clang-format on */

/* One attachment: the caller's chain, and what its steps tell. */
struct restore {
	const struct chain *parent;
	struct restore_row *row;
};

static void note_step(void *arg, const struct chain_step *step)
{
	struct restore *restore = arg;
	const struct chain *parent = restore->parent;

	if (step->error && step->error->errnum == ENOTSUP)
		*list_add(parent->arena, &restore->row->foreign) =
			arena_strdup(parent->arena, step->type);
	if (parent->step)
		parent->step(parent->arg, step);
}

/* The list that ADD ran, as remembered; an old libcni did not keep it, then it is the one of that name today. */
static int find_list(struct networks *networks, const struct cached *cached,
		     struct network *network, struct error *err)
{
	const struct network *found = NULL;
	int r;

	if (cached->config_size)
		r = networks_add_text(networks, cached->config, cached->config_size, &found, err);
	else
		r = networks_find(networks, cached->network, &found, err);
	if (r >= 0)
		*network = *found;
	return r;
}

static int restore_one(const struct chain *parent, struct networks *networks,
		       const struct cached *cached, struct restore_row *row, struct error *err)
{
	struct restore restore = { .parent = parent, .row = row };
	struct chain chain = *parent;
	struct network network;
	int r = find_list(networks, cached, &network, err);

	chain.step = note_step;
	chain.arg = &restore;
	if (r < 0)
		return r;
	if (!cached->result)
		return fail(err, ENODATA, "%s holds no result", cached->file);
	return chain_restore(&chain, &network, cached, err);
}

/* Where nobody noted the namespace, nobody knows that it has gone: the plugins will say. */
static bool is_gone(const struct cached *cached)
{
	auto_close int fd = -1;

	return cached->netns && *cached->netns && netns_open(cached->netns, &fd, NULL) < 0;
}

static void add_row(const struct chain *chain, struct networks *networks,
		    const struct cached *cached, restore_rows_t *rows, bool *failed)
{
	struct restore_row *row = list_add(chain->arena, rows);
	struct error err = { 0 };

	row->container = cached->container;
	row->ifname = cached->ifname;
	row->network = cached->network;
	row->outcome = "restored";
	if (is_gone(cached)) {
		row->outcome = "gone";
		row->message = arena_printf(chain->arena, "no namespace %s", cached->netns);
	} else if (restore_one(chain, networks, cached, row, &err) < 0) {
		row->outcome = "failed";
		row->message =
			error_line(&err, arena_alloc(chain->arena, MESSAGE_SIZE), MESSAGE_SIZE);
		*failed = true;
	}
}

int restore_attachments(const struct chain *chain, struct networks *networks, const char *network,
			restore_rows_t *rows, bool *failed, struct error *err)
{
	auto_cached_list cached_list_t all = { 0 };
	auto_cached_list cached_list_t good = { 0 };
	/* A damaged one is a failure, but must not keep the others from being restored. */
	int damaged = cache_list(chain->cache_folder, true, chain->arena, &all, err);
	int r = cache_list(chain->cache_folder, false, chain->arena, &good, NULL);

	*failed = false;
	list_each(cached, &good)
		if (!network || streq(network, cached->network))
			add_row(chain, networks, cached, rows, failed);
	return damaged < 0 ? damaged : r;
}

void restore_print(const restore_rows_t *rows, FILE *out, bool as_json)
{
	table_print(out, row_fields, rows->items, rows->n, sizeof(struct restore_row), as_json);
}
