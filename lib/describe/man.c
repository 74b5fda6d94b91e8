/*
 * Manual pages, in the man(7) macros that every formatter has. The page of an applet is
 * cnibox-NAME(8). Its date is SOURCE_DATE_EPOCH's when that is set (reproducible builds), else
 * today's.
 */
#include "describe/help.h"

#include <ctype.h>

#include "base/clock.h"
#include "describe/help_text.h"
#include "describe/scan.h"

/* ---- troff ---- */

/* Text that comes out as it is: a leading dot or quote is no request, a hyphen is a hyphen that can
 * be pasted. */
static void roff(FILE *out, const char *text, size_t size)
{
	bool start = true;

	for (const char *p = text; p < text + size; p++) {
		if (start && (*p == '.' || *p == '\''))
			fputs("\\&", out);
		start = *p == '\n';
		switch (*p) {
		case '\\': fputs("\\(rs", out); break;
		case '-': fputs("\\-", out); break;
		case '\'': fputs("\\(aq", out); break;
		case '`': fputs("\\(ga", out); break;
		case '^': fputs("\\(ha", out); break;
		case '~': fputs("\\(ti", out); break;
		case '"': fputs("\\(dq", out); break;
		default: fputc(*p, out); break;
		}
	}
}

static void roff_line(FILE *out, const char *text)
{
	roff(out, text, strlen(text));
	fputc('\n', out);
}

/* "usage words" with the name in bold. */
static void synopsis(FILE *out, const char *name, const struct field *fields, struct arena *arena)
{
	const char *text = usage_text(name, fields, arena);

	fputs("\\fB", out);
	roff(out, text, strlen(name));
	fputs("\\fR", out);
	roff_line(out, text + strlen(name));
}

static void tagged(FILE *out, const char *tag, const char *text)
{
	fputs(".TP\n\\fB", out);
	roff(out, tag, strlen(tag));
	fputs("\\fR\n", out);
	roff_line(out, *text ? text : "-");
}

/* Paragraphs; those that begin with a space are shown as they are. first: a section's title stands
 * in front. */
static void paragraphs(FILE *out, const char *text, bool first)
{
	while (text && *text) {
		const char *end = strstr(text, "\n\n");
		size_t size = end ? (size_t)(end - text) : strlen(text);

		fputs(first ? "" : ".PP\n", out);
		fputs(*text == ' ' ? ".nf\n" : "", out);
		first = false;
		roff(out, text, size);
		fputs(*text == ' ' ? "\n.fi\n" : "\n", out);
		text = end ? end + 2 : NULL;
	}
}

/* Commands and configurations, which do not wrap: they begin further left than text. */
static void literal(FILE *out, const char *text)
{
	fputs(".nf\n.in 2n\n", out);
	for (const char *end; *text; text = *end ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		roff(out, text, (size_t)(end - text));
		fputs(end > text ? "\n" : "\\&\n", out);
	}
	fputs(".fi\n.in\n", out);
}

/* ---- sections ---- */

static void title(FILE *out, const struct applet_entry *entry, const char *version,
		  struct arena *arena)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	int64_t now = epoch && *epoch ? strtoll(epoch, NULL, 10) % (INT64_MAX / 1000) * 1000
				      : clock_wall_ms();
	char *name = arena_printf(arena, "CNIBOX-%s", entry->name), date[CLOCK_TEXT_SIZE];

	for (char *p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	fprintf(out, ".TH %s 8 %.10s \"cnibox %s\" \"System Administration\"\n", name,
		clock_format(now, date), version);
	/* Names of options and variables are not broken, and blanks not spread: they are searched for, and copied. */
	fprintf(out, ".nh\n.ad l\n.SH NAME\ncnibox\\-");
	roff(out, entry->name, strlen(entry->name));
	fputs(" \\- ", out);
	roff_line(out, entry->applet->summary);
}

static void options(FILE *out, const struct verb *verb, struct arena *arena)
{
	for (const struct field *field = verb->fields; field && field->type; field++) {
		const char *notes = field_notes(field, verb->defaults, true, arena), *forms;

		if (field->flags & FIELD_HIDDEN)
			continue;
		forms = field_is_option(field) ? option_forms(field, verb->defaults, arena)
					       : field_metavar(field, arena);
		tagged(out, forms + strspn(forms, " "), notes);
	}
}

/* One line each, behind what is there by now. */
static void verbs_synopsis(FILE *out, const struct applet_entry *entry, bool first,
			   struct arena *arena)
{
	for (const struct verb *verb = entry->applet->verbs; verb && verb->name; verb++) {
		fputs(first ? "" : ".br\n", out);
		first = false;
		synopsis(out, arena_printf(arena, "cnibox %s %s", entry->name, verb->name),
			 verb->fields, arena);
	}
}

static void verbs_section(FILE *out, const struct applet *applet, struct arena *arena)
{
	if (!applet->verbs)
		return;
	fputs(".SH VERBS\n", out);
	for (const struct verb *verb = applet->verbs; verb->name; verb++) {
		fputs(".SS ", out);
		roff_line(out, verb->name);
		roff_line(out, verb->summary);
		options(out, verb, arena);
	}
}

static void man_tool(FILE *out, const struct applet_entry *entry, struct arena *arena)
{
	const struct applet *applet = entry->applet;

	fputs(".SH SYNOPSIS\n", out);
	if (applet->run)
		synopsis(out, arena_printf(arena, "cnibox %s", entry->name), applet->run->fields,
			 arena);
	verbs_synopsis(out, entry, true, arena);
	if (applet->about)
		fputs(".SH DESCRIPTION\n", out);
	paragraphs(out, applet->about, true);
	if (applet->run) {
		fputs(".SH OPTIONS\n", out);
		options(out, applet->run, arena);
		tagged(out, "-h, --help", "show a summary of this page");
		return;
	}
	verbs_section(out, applet, arena);
}

struct key_printer {
	FILE *out;
	struct arena *arena;
};

static void man_key(void *arg, const char *path, const struct field *field, const void *defaults)
{
	struct key_printer *printer = arg;
	const char *notes = field_notes(field, defaults, false, printer->arena);
	const char *type = field_type_name(field, printer->arena);

	fputs(".TP\n\\fB", printer->out);
	roff(printer->out, path, strlen(path));
	fprintf(printer->out, "\\fR (%s)\n", type);
	roff_line(printer->out, *notes ? notes : "-");
}

static void man_plugin(FILE *out, const struct applet_entry *entry,
		       const struct plugin_text *plugin, struct arena *arena)
{
	struct key_printer printer = { .out = out, .arena = arena };

	fprintf(out, ".SH SYNOPSIS\n\\fBCNI_COMMAND\\fR=\\fIcommand\\fR ... \\fB");
	roff(out, entry->name, strlen(entry->name));
	fputs("\\fR < \\fIconfiguration\\fR\n", out);
	verbs_synopsis(out, entry, false, arena);
	fputs(".SH DESCRIPTION\n", out);
	fputs("A CNI plugin: a container runtime runs it with the request in its environment and the\n"
	      "network configuration on standard input.\n",
	      out);
	paragraphs(out, entry->applet->about, false);
	if (plugin->fields && plugin->fields->type) {
		fputs(".SH CONFIGURATION\nBesides \\fBcniVersion\\fR, \\fBname\\fR and \\fBtype\\fR:\n",
		      out);
		rows_walk(plugin->fields, plugin->defaults, "", arena, man_key, &printer);
	}
	verbs_section(out, entry->applet, arena);
	if (plugin->versions) {
		fputs(".SH STANDARDS\nCNI specification, versions ", out);
		roff_line(out, plugin->versions);
	}
}

static void exit_status(FILE *out, bool plugin)
{
	fputs(".SH EXIT STATUS\n.TP\n0\nDone.\n.TP\n1\n", out);
	if (plugin) {
		fputs("Failed; the error object is on standard output.\n", out);
		return;
	}
	fputs("Failed; the reason is on standard error.\n.TP\n2\nUsage error.\n", out);
}

void help_man(FILE *out, const struct applet_entry *entry, const struct plugin_text *plugin,
	      const char *version)
{
	auto_arena struct arena arena = { 0 };

	title(out, entry, version, &arena);
	if (plugin)
		man_plugin(out, entry, plugin, &arena);
	else
		man_tool(out, entry, &arena);
	exit_status(out, plugin);
	if (entry->applet->example) {
		fputs(".SH EXAMPLES\n", out);
		literal(out, entry->applet->example);
	}
}
