/*
 * Legacy iptables: the table as iptables-legacy-save prints it is read line by line, and what has to go is written
 * as one iptables-legacy-restore input: empty our chains, delete the jumps just as they were printed, delete the chains.
 */
#include "firewall/legacy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "firewall/iptables.h"

#define SAVE_MAX        (64 << 20)
#define SAVE_TIMEOUT_MS 60000

struct rule_line {
	const char *text; /* behind "-A " */
	const char *chain, *target, *comment;
};

struct table {
	LIST(const char *) chains;
	LIST(struct rule_line) rules;
};

typedef LIST(const char *) names_t;

bool legacy_active(enum rule_family family)
{
	auto_arena struct arena arena = { 0 };
	char *names, *rest;
	size_t size;

	if (file_read(family == RULE_IP6 ? "/proc/self/net/ip6_tables_names"
					 : "/proc/self/net/ip_tables_names",
		      4096, &arena, &names, &size, NULL) < 0)
		return false;
	for (char *name = strtok_r(names, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest))
		if (streq(name, "nat"))
			return true;
	return false;
}

/* iptables-legacy-save, or the plain name where that is not the nf_tables variant. */
static const char *legacy_program(struct arena *arena, enum rule_family family, const char *verb)
{
	const char *six = family == RULE_IP6 ? "6" : "";
	char path[PATH_MAX], target[PATH_MAX];
	const char *name = arena_printf(arena, "ip%stables-legacy-%s", six, verb);

	if (process_find(name, path, sizeof(path)))
		return name;
	name = arena_printf(arena, "ip%stables-%s", six, verb);
	if (!process_find(name, path, sizeof(path)) || !realpath(path, target) ||
	    strstr(target, "nft"))
		return NULL;
	return name;
}

/* One word of a saved line: bare, or quoted with backslashes. *rest moves behind it. */
static const char *next_word(struct arena *arena, const char **rest)
{
	const char *p = *rest + strspn(*rest, " ");
	char *word = arena_alloc(arena, strlen(p) + 1), *out = word;
	bool quoted = false;

	for (; *p && (quoted || *p != ' '); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '\\' && p[1])
			*out++ = *++p;
		else
			*out++ = *p;
	}
	*rest = p;
	return word;
}

/* Only the words that matter are copied. */
static struct rule_line read_rule(struct arena *arena, const char *text)
{
	const char *rest = text, *p;
	struct rule_line rule = { .text = text, .target = "", .comment = "" };

	rule.chain = next_word(arena, &rest);
	p = strstr(rest, " --comment ");
	if (p) {
		p += strlen(" --comment ");
		rule.comment = next_word(arena, &p);
	}
	p = strstr(p ? p : rest, " -j ");
	if (p) {
		p += strlen(" -j ");
		rule.target = next_word(arena, &p);
	}
	return rule;
}

static void read_table(struct arena *arena, char *text, struct table *table)
{
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (*line == ':')
			*list_add(arena, &table->chains) =
				(line[strcspn(line, " ")] = '\0', line + 1);
		else if (has_prefix(line, "-A "))
			*list_add(arena, &table->rules) = read_rule(arena, line + 3);
	}
}

/* 0 with an empty table when there is no program to ask. */
static int save(enum rule_family family, struct arena *arena, struct table *table,
		struct error *err)
{
	const char *program = legacy_program(arena, family, "save");
	const char *const argv[] = { program, "-t", "nat", NULL };
	struct process process = { .path = program,
				   .argv = argv,
				   .output_max = SAVE_MAX,
				   .timeout_ms = SAVE_TIMEOUT_MS,
				   .keep_stderr = true };
	struct process_result result = { 0 };
	char path[PATH_MAX];
	int r;

	if (!program || !process_find(program, path, sizeof(path)))
		return 0;
	process.path = path;
	r = process_run(&process, arena, &result, err);
	if (r < 0)
		return wrap(err, "%s", program);
	if (result.status)
		return fail(err, EIO, "%s: exit status %d: %.200s", program, result.status,
			    result.errors);
	read_table(arena, result.output, table);
	return 0;
}

static bool has_name(const names_t *names, const char *name)
{
	list_each(known, names)
		if (streq(*known, name))
			return true;
	return false;
}

static void add_name(struct arena *arena, names_t *names, const char *name)
{
	if (!has_name(names, name))
		*list_add(arena, names) = name;
}

static void find_doomed(struct arena *arena, const struct table *table, legacy_doomed_fn *doomed,
			void *arg, names_t *names)
{
	list_each(chain, &table->chains)
		if (doomed(*chain, "", arg))
			add_name(arena, names, *chain);
	list_each(rule, &table->rules) {
		if (doomed(rule->chain, rule->comment, arg))
			add_name(arena, names, rule->chain);
		if (streq(rule->chain, "POSTROUTING") && doomed(rule->target, rule->comment, arg))
			add_name(arena, names, rule->target);
	}
}

static int render_removal(struct arena *arena, const struct table *table, const names_t *names,
			  const char **text, struct error *err)
{
	auto_free char *data = NULL;
	size_t size;
	FILE *out = open_memstream(&data, &size);

	if (!out)
		return fail_errno(err, errno, "prepare rules for iptables");
	fputs("*nat\n", out);
	list_each(name, names)
		fprintf(out, ":%s - [0:0]\n", *name);
	list_each(rule, &table->rules)
		if (streq(rule->chain, "POSTROUTING") && has_name(names, rule->target))
			fprintf(out, "-D %s\n", rule->text);
	list_each(name, names)
		fprintf(out, "-X %s\n", *name);
	fputs("COMMIT\n", out);
	if (fclose(out))
		return fail_errno(err, errno, "prepare rules for iptables");
	*text = arena_strdup(arena, data);
	return 0;
}

int legacy_remove(enum rule_family family, legacy_doomed_fn *doomed, void *arg, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct table table = { 0 };
	names_t names = { 0 };
	const char *text = "", *program;
	int r = save(family, &arena, &table, err);

	if (r < 0)
		return r;
	find_doomed(&arena, &table, doomed, arg, &names);
	program = legacy_program(&arena, family, "restore");
	if (!names.n || !program)
		return 0;
	r = render_removal(&arena, &table, &names, &text, err);
	return r < 0 ? r : iptables_restore(program, text, &arena, err);
}

/* What iptables_render() writes for a rule is what the save program prints for it. */
int legacy_missing(const struct ruleset *set, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct table table = { 0 };
	const char *text = "";
	char *rest;
	int missing = 0, r = save(set->family, &arena, &table, err);

	if (r == 0)
		r = iptables_render(set, &arena, &text, err);
	if (r < 0)
		return r;
	for (char *line = strtok_r(arena_strdup(&arena, text), "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		bool found = !has_prefix(line, "-A ");

		list_each(rule, &table.rules)
			found = found || streq(rule->text, line + 3);
		missing += !found;
	}
	return missing;
}
