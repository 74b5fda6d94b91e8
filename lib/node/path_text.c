/* A path for people: hops with their facts, and what stops the packet. */
#include "node/paint.h"
#include "node/path.h"

enum { COLUMN = 13 };

static void print_fact(FILE *out, const struct path_fact *fact, bool colour)
{
	static const struct {
		const char *mark, *code;
	} levels[] = {
		[PATH_NOTE] = { "  !", PAINT_AMBER },
		[PATH_LARGE] = { " !!", PAINT_AMBER },
		[PATH_STOP] = { "  X", PAINT_RED },
	};

	if (fact->level == PATH_FACT) {
		fprintf(out, "    %-*s %s\n", COLUMN, fact->what, fact->text);
		return;
	}
	paint(out, colour, levels[fact->level].code, levels[fact->level].mark);
	fprintf(out, " %-*s ", COLUMN, fact->what);
	paint(out, colour, levels[fact->level].code, fact->text);
	fputc('\n', out);
	if (fact->why)
		fprintf(out, "    %-*s %s\n", COLUMN, "", fact->why);
	if (fact->remedy)
		fprintf(out, "    %-*s mend it: %s\n", COLUMN, "", fact->remedy);
}

void path_print(FILE *out, const struct path *path, bool colour)
{
	fprintf(out, "%s -> %s", path->from, path->to);
	if (path->protocol)
		fprintf(out, ", %s", path->protocol);
	if (path->port)
		fprintf(out, " port %u", path->port);
	fputs("\n\n", out);
	list_each(hop, &path->hops) {
		fputs(hop->answer ? "the answer: " : "", out);
		paint(out, colour, PAINT_BOLD, hop->place);
		fprintf(out, "%s%s\n", hop->device ? ", " : "", hop->device ? hop->device : "");
		list_each(fact, &hop->facts)
			print_fact(out, fact, colour);
	}
	fputc('\n', out);
	paint(out, colour, path->stopped ? PAINT_RED : PAINT_GREEN,
	      path->stopped ? "stopped: " : "ok: ");
	fprintf(out, "%s\n", path->verdict);
	if (path->token)
		fprintf(out, "go on there with: cnibox path --continue %s\n", path->token);
}
