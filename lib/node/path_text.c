/* A path for people: hops with their facts, and what stops the packet. */
#include "node/path.h"

enum { COLUMN = 13 };

struct painting {
	FILE *out;
	bool colour;
};

static void paint(const struct painting *p, const char *code, const char *text)
{
	if (p->colour)
		fprintf(p->out, "\033[%sm%s\033[0m", code, text);
	else
		fputs(text, p->out);
}

static void print_fact(const struct painting *p, const struct path_fact *fact)
{
	static const char *const marks[] = {
		[PATH_FACT] = "   ", [PATH_NOTE] = "  !", [PATH_LARGE] = " !!", [PATH_STOP] = "  X"
	};
	static const char *const codes[] = {
		[PATH_FACT] = "0", [PATH_NOTE] = "33", [PATH_LARGE] = "1;33", [PATH_STOP] = "1;31"
	};
	const char *code = codes[fact->level];

	if (fact->level == PATH_FACT) {
		fprintf(p->out, "    %-*s %s\n", COLUMN, fact->what, fact->text);
		return;
	}
	paint(p, code, marks[fact->level]);
	fprintf(p->out, " %-*s ", COLUMN, fact->what);
	paint(p, code, fact->text);
	fputc('\n', p->out);
	if (fact->why)
		fprintf(p->out, "    %-*s %s\n", COLUMN, "", fact->why);
	if (fact->remedy)
		fprintf(p->out, "    %-*s mend it: %s\n", COLUMN, "", fact->remedy);
}

static void print_hop(const struct painting *p, const struct path_hop *hop)
{
	if (hop->answer)
		fputs("the answer: ", p->out);
	paint(p, "1", hop->place);
	if (hop->device)
		fprintf(p->out, ", %s", hop->device);
	fputc('\n', p->out);
	list_each(fact, &hop->facts)
		print_fact(p, fact);
}

void path_print(FILE *out, const struct path *path, bool colour)
{
	const struct painting p = { out, colour };

	fprintf(out, "%s -> %s", path->from, path->to);
	if (path->protocol)
		fprintf(out, ", %s", path->protocol);
	if (path->port)
		fprintf(out, " port %u", path->port);
	fputs("\n\n", out);
	list_each(hop, &path->hops)
		print_hop(&p, hop);
	fputc('\n', out);
	if (path->stopped)
		paint(&p, "1;31", "stopped: ");
	else
		paint(&p, "1;32", "ok: ");
	fprintf(out, "%s\n", path->verdict);
	if (path->token)
		fprintf(out, "go on there with: cnibox path --continue %s\n", path->token);
}
