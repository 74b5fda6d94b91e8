/* Networks by themselves and with each other. */
#include "lint.h"

#include "base/text.h"
#include "describe/json_where.h"

struct blamed {
	struct arena *arena;
	struct network *network;
};

static void add_twice(void *arg, const char *path)
{
	const struct blamed *blamed = arg;

	network_blame(blamed->arena, blamed->network, false, path,
		      "given twice: what comes last counts");
}

/* Where the addresses of a network are said. */
static const char *ipam_path(const struct network *network, struct arena *arena)
{
	for (size_t i = 0; i < network->plugins.n; i++)
		if (network->plugins.items[i] != network->document &&
		    json_member(network->plugins.items[i], "ipam"))
			return arena_printf(arena, "plugins[%zu].ipam", i);
	return "ipam";
}

static void add_conflict(void *arg, const struct network_conflict *conflict)
{
	const struct lint_session *session = arg;
	struct arena *arena = session->arena;
	struct network *second = (struct network *)conflict->second;
	char one[CIDR_TEXT_SIZE], other[CIDR_TEXT_SIZE];

	cidr_format(&conflict->one->subnet, one);
	cidr_format(&conflict->other->subnet, other);
	network_blame(
		arena, second, false, ipam_path(second, arena),
		conflict->bridge
			? arena_printf(arena,
				       "bridge %s has %s from network %s in %s already, not %s",
				       conflict->bridge, one, conflict->first->name,
				       conflict->first->file, other)
			: arena_printf(
				  arena,
				  "%s overlaps %s of network %s in %s: addresses are given out twice",
				  other, one, conflict->first->name, conflict->first->file));
}

static void add_subject(struct lint_session *session, const struct network *network)
{
	struct subject *subject;

	if (network->unusable)
		return;
	subject = list_add(session->arena, &session->subjects);
	*subject = (struct subject){ .file = network->file,
				     .kind = "network",
				     .name = network->name,
				     .version = network->version };
	list_each(word, &network->words)
		*list_add(session->arena, &subject->words) = *word;
}

void lint_networks(struct lint_session *session)
{
	struct networks *networks = &session->networks;

	list_each(network, &networks->all) {
		struct blamed blamed = { session->arena, network };

		if (network->document)
			json_find_twice(network->source, network->source_size, add_twice, &blamed);
		network_lint(networks, network, &session->how);
	}
	networks_conflicts(networks, session->arena, add_conflict, session);
	for (size_t i = 0; i < networks->all.n; i++) {
		lint_take(session, &session->sources.items[i], &networks->all.items[i].problems);
		add_subject(session, &networks->all.items[i]);
	}
}
