/* Networks by themselves and with each other; lines of what is found. */
#include "lint.h"

#include "base/text.h"
#include "describe/json_where.h"

/* ---- lines ---- */

/* The parser's own "line 5, column 3: what" of a text that is no JSON, with what people take for it. */
static const char *parse_line(const char *text, struct arena *arena, unsigned *line)
{
	static const char *const hints[][2] = {
		{ "unexpected token near ']'", "; is there a comma behind the last one?" },
		{ "string or '}' expected near '}'", "; is there a comma behind the last one?" },
		{ "expected near '''", "; JSON has double quotes" },
		{ "'}' expected near '\"", "; is there no comma in front of it?" },
		{ "near '/'", "; JSON has no comments" },
		{ "near '#'", "; JSON has no comments" },
	};
	const char *hint = "";
	const char *column = strstr(text, ", column "), *what = strstr(text, ": ");

	if (!has_prefix(text, "line ") || !column || !what || what < column)
		return text;
	*line = (unsigned)strtoul(text + strlen("line "), NULL, 10);
	for (size_t i = 0; i < ARRAY_SIZE(hints) && !*hint; i++)
		if (strstr(text, hints[i][0]))
			hint = hints[i][1];
	return arena_printf(arena, "%s (%.*s)%s", what + 2, (int)(what - column - 2), column + 2,
			    hint);
}

static unsigned line_of(const struct source *source, unsigned line)
{
	if (!line)
		return 0;
	return source->line ? source->line + line - 1 : source->only;
}

static const char *whole_path(const struct source *source, const char *path, struct arena *arena)
{
	if (!source->inside)
		return path;
	return arena_printf(arena, "%s%s%s", source->inside, *path && *path != '[' ? "." : "",
			    path);
}

void lint_take(struct lint_session *session, const struct source *source,
	       const problems_t *problems)
{
	struct arena *arena = session->arena;
	LIST(struct json_place) places = { 0 };

	list_each(problem, problems)
		list_add(arena, &places)->path =
			arena_printf(arena, "%.*s", (int)problem->path_len, problem->text);
	if (source->text)
		json_find_lines(source->text, source->size, places.items, places.n);
	for (size_t i = 0; places.items && i < problems->n; i++) {
		const struct problem *problem = &problems->items[i];
		const char *path = places.items[i].path, *text = problem->text;
		unsigned line = *path ? places.items[i].line : 0;

		text += *path ? strlen(path) + 2 : 0;
		if (!*path)
			text = parse_line(text, arena, &line);
		lint_find(session, source->file, problem->is_error, text);
		session->findings.items[session->findings.n - 1].line = line_of(source, line);
		session->findings.items[session->findings.n - 1].path =
			whole_path(source, path, arena);
	}
}

/* ---- networks ---- */

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
