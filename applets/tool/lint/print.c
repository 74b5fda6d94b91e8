/* Findings as compilers print them, what it would do in words, and both as JSON. */
#include "lint.h"

#include "base/text.h"
#include "node/paint.h"

#include <stdio.h>

enum { LINT_VERSION = 1 };

struct lint_json {
	int version;
	struct list subjects, findings;
};

#define WORD(type_, key_, member)                                                      \
	{                                                                              \
		.key = (key_), .type = FIELD_STRING, .offset = offsetof(type_, member) \
	}

/* clang-format off */
static const struct field finding_fields[] = {
	WORD(struct finding, "file", file),
	{ .key = "line", .type = FIELD_INT64, .offset = offsetof(struct finding, line) },
	WORD(struct finding, "severity", severity),
	WORD(struct finding, "path", path),
	WORD(struct finding, "text", text),
	FIELDS_END
};
static const struct field subject_fields[] = {
	WORD(struct subject, "file", file),
	WORD(struct subject, "kind", kind),
	WORD(struct subject, "name", name),
	WORD(struct subject, "cniVersion", version),
	{ .key = "does", .type = FIELD_LIST, .offset = offsetof(struct subject, words), .element = FIELD_STRING,
	  .size = sizeof(char *), .flags = FIELD_KEEP_EMPTY },
	FIELDS_END
};
static const struct field json_fields[] = {
	{ .key = "version", .type = FIELD_INT, .offset = offsetof(struct lint_json, version) },
	{ .key = "files", .type = FIELD_LIST, .offset = offsetof(struct lint_json, subjects), .flags = FIELD_KEEP_EMPTY,
	  .element = FIELD_OBJECT, .size = sizeof(struct subject), .fields = subject_fields },
	{ .key = "findings", .type = FIELD_LIST, .offset = offsetof(struct lint_json, findings), .flags = FIELD_KEEP_EMPTY,
	  .element = FIELD_OBJECT, .size = sizeof(struct finding), .fields = finding_fields },
	FIELDS_END
};
/* clang-format on */

static int compare_findings(const void *a, const void *b)
{
	const struct finding *one = a, *other = b;

	if (one->line != other->line)
		return one->line < other->line ? -1 : 1;
	return (one->number > other->number) - (one->number < other->number);
}

void lint_sort(struct lint_session *session)
{
	struct finding *all = session->findings.items;

	for (size_t i = 0, end; i < session->findings.n; i = end) {
		for (end = i; end < session->findings.n && streq(all[end].file, all[i].file); end++)
			all[end].number = end;
		qsort(all + i, end - i, sizeof(*all), compare_findings);
	}
}

/* A file's bytes do not touch the terminal. */
static void print_masked(FILE *out, const char *text, struct arena *arena)
{
	char *line = arena_strdup(arena, text);

	text_mask(line);
	fputs(line, out);
}

static void print_finding(const struct lint_session *session, const struct finding *finding,
			  bool colour)
{
	FILE *out = session->call->out;
	bool is_error = streq(finding->severity, "error");

	print_masked(out, finding->file, session->arena);
	if (finding->line)
		fprintf(out, ":%lld", (long long)finding->line);
	fputs(": ", out);
	paint(out, colour, is_error ? PAINT_RED : PAINT_AMBER, finding->severity);
	fputs(": ", out);
	print_masked(out, finding->path, session->arena);
	fputs(*finding->path ? ": " : "", out);
	print_masked(out, finding->text, session->arena);
	fputc('\n', out);
}

static void print_subject(const struct lint_session *session, const struct subject *subject)
{
	FILE *out = session->call->out;

	print_masked(out, subject->file, session->arena);
	if (subject->name)
		fprintf(out, ": network %s, CNI %s", subject->name, subject->version);
	fputc('\n', out);
	list_each(word, &subject->words) {
		fputs("  ", out);
		print_masked(out, *word, session->arena);
		fputc('\n', out);
	}
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

void lint_print(const struct lint_session *session, bool explain)
{
	bool colour = session->call->colour;
	size_t n = session->n_errors, rest = session->findings.n - n;
	FILE *out = session->call->out;

	list_each(finding, &session->findings)
		print_finding(session, finding, colour);
	if (explain)
		list_each(subject, &session->subjects)
			print_subject(session, subject);
	if (session->findings.n)
		fprintf(out, "%zu error%s, %zu warning%s\n", n, plural(n), rest, plural(rest));
	else
		paint(out, colour, PAINT_GREEN, "nothing is wrong\n");
}

void lint_print_json(const struct lint_session *session)
{
	const struct lint_json whole = {
		.version = LINT_VERSION,
		.subjects = { session->subjects.items, session->subjects.n },
		.findings = { session->findings.items, session->findings.n },
	};
	auto_json struct json *json = json_encode(json_fields, &whole);

	fprintf(session->call->out, "%s\n", json_text(json, JSON_STYLE_INDENT, session->arena));
}
