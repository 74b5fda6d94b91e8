/* What is found, and on which line. */
#include "lint.h"

#include "base/text.h"
#include "describe/json_where.h"

void lint_find(struct lint_session *session, const char *file, bool is_error, const char *text)
{
	struct finding *finding = list_add(session->arena, &session->findings);

	*finding = (struct finding){ .file = file,
				     .severity = is_error ? "error" : "warning",
				     .path = "",
				     .text = arena_strdup(session->arena, text) };
	session->n_errors += is_error;
}

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
