/*
 * Legacy iptables: a table as iptables-legacy-save prints it is read line by line, and what has to go is written
 * as one iptables-legacy-restore input: empty the chains, delete the rules just as they were printed, delete the chains.
 */
#include "firewall/legacy.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "firewall/iptables.h"
#include "firewall/saved.h"

bool legacy_active(enum rule_family family, const char *table)
{
	return iptables_legacy_active(family == RULE_IP6, table);
}

/* iptables-legacy-save, or the plain name where that is not the nf_tables variant. */
static const char *legacy_program(struct arena *arena, enum rule_family family, const char *verb)
{
	return iptables_program(arena, family == RULE_IP6, IPTABLES_LEGACY, verb);
}

void legacy_parse(struct arena *arena, char *text, struct legacy_table *table)
{
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct legacy_rule *rule;

		if (*line == ':') {
			const char *policy = line + strcspn(line, " ");
			bool drops = has_prefix(policy, " DROP ");

			line[strcspn(line, " ")] = '\0';
			*list_add(arena, &table->chains) = line + 1;
			if (drops)
				*list_add(arena, &table->dropping) = line + 1;
		} else if (has_prefix(line, "-A ")) {
			rule = list_add(arena, &table->rules);
			rule->text = line + 3;
			rule->chain = saved_rule(rule->text, arena, &rule->info);
			rule->info.handle = table->rules.n - 1;
		}
	}
}

int legacy_read(enum rule_family family, const char *name, struct arena *arena,
		struct legacy_table *table, struct error *err)
{
	const char *program = legacy_program(arena, family, "save");
	char *text = NULL;
	int r;

	*table = (struct legacy_table){ .name = name, .family = family };
	if (!program)
		return 0;
	r = iptables_save(program, name, arena, &text, err);
	if (r == 0)
		legacy_parse(arena, text, table);
	return r;
}

bool legacy_has_chain(const struct legacy_table *table, const char *chain)
{
	list_each(known, &table->chains)
		if (streq(*known, chain))
			return true;
	return false;
}

bool legacy_chain_drops(const struct legacy_table *table, const char *chain)
{
	list_each(known, &table->dropping)
		if (streq(*known, chain))
			return true;
	return false;
}

void legacy_rules(const struct legacy_table *table, const char *chain, struct arena *arena,
		  nft_rules_t *rules)
{
	rules->n = 0;
	list_each(rule, &table->rules)
		if (streq(rule->chain, chain))
			*list_add(arena, rules) = rule->info;
}

static bool has_name(const legacy_names_t *names, const char *name)
{
	list_each(known, names)
		if (streq(*known, name))
			return true;
	return false;
}

static int render_removal(struct arena *arena, const struct legacy_table *table,
			  const legacy_handles_t *rules, const legacy_names_t *chains,
			  const char **text, struct error *err)
{
	auto_free char *data = NULL;
	size_t size;
	FILE *out = open_memstream(&data, &size);

	if (!out)
		return fail_errno(err, errno, "prepare rules for iptables");
	fprintf(out, "*%s\n", table->name);
	list_each(name, chains)
		fprintf(out, ":%s - [0:0]\n", *name);
	list_each(handle, rules)
		if (!has_name(chains, table->rules.items[*handle].chain))
			fprintf(out, "-D %s\n", table->rules.items[*handle].text);
	list_each(name, chains)
		fprintf(out, "-X %s\n", *name);
	fputs("COMMIT\n", out);
	if (fclose(out))
		return fail_errno(err, errno, "prepare rules for iptables");
	*text = arena_strdup(arena, data);
	return 0;
}

int legacy_remove(const struct legacy_table *table, const legacy_handles_t *rules,
		  const legacy_names_t *chains, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *text = "", *program = legacy_program(&arena, table->family, "restore");
	int r;

	if (!program || (!rules->n && !chains->n))
		return 0;
	r = render_removal(&arena, table, rules, chains, &text, err);
	return r < 0 ? r : iptables_restore(program, text, &arena, err);
}
