/*
 * What is in force, from the save program and ipset: groups and their clauses by the comments and matches of their
 * rules. What was understood is rendered again, and every rule that differs is a damage: so nothing has to be checked
 * while reading, and nothing that somebody has changed is missed.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/text.h"
#include "firewall/saved.h"
#include "kernel/addr.h"
#include "policy/iptables.h"
#include "policy/set.h"

#define SETS_OF_A_RULE 3

/* A rule's words as far as they say something. */
struct line {
	const char *comment, *target;
	const char *sets[SETS_OF_A_RULE], *sides[SETS_OF_A_RULE];
	size_t n_sets;
	const char *protocol, *ports;
	struct cidr address; /* of -s */
	unsigned nflog;
};

struct reader {
	struct arena *arena;
	struct found *found;
	struct symbols names; /* of found's sets: symbol - 1 = number */
	struct ipt_table *tables;
	size_t n_tables;
	const struct ipt_table *table; /* that is read */
};

static unsigned number_of(const char *word)
{
	char *end;
	unsigned long value = strtoul(word, &end, 10);

	return *end || value > UINT16_MAX ? 0 : (unsigned)value;
}

static void take_word(const char *option, const char **rest, struct arena *arena, struct line *line)
{
	const char *value = saved_word(rest, arena);

	if (streq(option, "-p"))
		line->protocol = value;
	else if (streq(option, "-s"))
		(void)!cidr_parse(value, &line->address);
	else if (streq(option, "-j") || streq(option, "-g"))
		line->target = value;
	else if (streq(option, "--comment"))
		line->comment = value;
	else if (streq(option, "--dports"))
		line->ports = value;
	else if (streq(option, "--nflog-group"))
		line->nflog = number_of(value);
	else if (streq(option, "--match-set") && line->n_sets < SETS_OF_A_RULE) {
		line->sets[line->n_sets] = value;
		line->sides[line->n_sets++] = saved_word(rest, arena);
	}
}

static struct line read_line(const char *text, struct arena *arena)
{
	struct line line = { .comment = "", .target = "", .protocol = "", .ports = "" };

	for (const char *word; *(word = saved_word(&text, arena));)
		if (*word == '-')
			take_word(word, &text, arena, &line);
	return line;
}

/* ---- the table ---- */

static struct ipt_chain *own_chain(struct ipt_table *table, const char *name, struct arena *arena)
{
	list_each(chain, &table->chains)
		if (streq(chain->name, name))
			return chain;
	list_add(arena, &table->chains)->name = name;
	return &table->chains.items[table->chains.n - 1];
}

static void read_rule(struct ipt_table *table, const char *text, bool *first, struct arena *arena)
{
	const char *chain = saved_word(&text, arena);
	bool forward = streq(chain, "FORWARD");

	text += strspn(text, " ");
	if (has_prefix(chain, IPT_PREFIX)) {
		*list_add(arena, &own_chain(table, chain, arena)->rules) = text;
	} else if (forward && has_prefix(read_line(text, arena).target, IPT_PREFIX)) {
		*list_add(arena, &table->hooks) = text;
		table->hooked = *first && streq(text, IPT_HOOK);
	}
	if (forward)
		*first = false;
}

/* Chains of a long table are found by walking through them; they are some tens. */
void ipt_table_of(char *text, bool v6, struct arena *arena, struct ipt_table *table)
{
	char *rest;
	bool first = true;

	*table = (struct ipt_table){ .v6 = v6 };
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (*line == ':' && has_prefix(line + 1, IPT_PREFIX)) {
			line[strcspn(line, " ")] = '\0';
			own_chain(table, line + 1, arena);
		} else if (has_prefix(line, "-A ")) {
			read_rule(table, line + 3, &first, arena);
		}
	}
	table->hooked = table->hooked && table->hooks.n == 1;
}

int ipt_read_table(enum iptables_kind kind, bool v6, struct arena *arena, struct ipt_table *table,
		   struct error *err)
{
	const char *program = iptables_program(arena, v6, kind, "save");
	char *text = NULL;
	int r;

	*table = (struct ipt_table){ .v6 = v6 };
	if (kind == IPTABLES_LEGACY && !iptables_legacy_active(v6, "filter"))
		return 0;
	if (!program)
		return fail(err, ENOENT, "ip%stables-%s-save: not found", v6 ? "6" : "",
			    kind == IPTABLES_NFT ? "nft" : "legacy");
	r = iptables_save(program, "filter", arena, &text, err);
	if (r == 0)
		ipt_table_of(text, v6, arena, table);
	return r;
}

/* ---- groups ---- */

static uint32_t set_number(const struct reader *reader, const char *name)
{
	size_t len = strlen(name);
	const char *base = len ? arena_memdup(reader->arena, name, len - 1) : "";
	symbol_t number = symbol_find(&reader->names, base);

	return number ? number - 1 : NO_SET;
}

static void read_sets(const struct reader *reader, const struct line *line, struct clause *clause)
{
	clause->peers = clause->pairs = clause->named = NO_SET;
	for (size_t i = 0; i < line->n_sets; i++) {
		uint32_t set = set_number(reader, line->sets[i]);
		enum set_kind kind =
			set == NO_SET ? SET_PODS : reader->found->compiled.sets.items[set].kind;

		if (kind == SET_PAIRS)
			clause->pairs = set;
		else if (kind == SET_NAMED)
			clause->named = set;
		else
			clause->peers = set;
	}
}

static bool read_ports(const char *text, struct arena *arena, port_ranges_t *ports)
{
	char *rest = arena_strdup(arena, text);

	for (char *word; *text && (word = strsep(&rest, ","));) {
		char *colon = strchr(word, ':');
		unsigned first, last;

		if (colon)
			*colon = '\0';
		first = number_of(word);
		last = colon ? number_of(colon + 1) : first;
		if (!first || last < first)
			return false;
		*list_add(arena, ports) = (struct ports){ (uint16_t)first, (uint16_t)last };
	}
	return true;
}

static bool read_protocol(const char *word, enum protocol *protocol)
{
	static const char *const names[][2] = { { "tcp", "6" },
						{ "udp", "17" },
						{ "sctp", "132" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(word, names[i][0]) || streq(word, names[i][1])) {
			*protocol = (enum protocol)i;
			return true;
		}
	return false;
}

static bool same_but_ports(const struct clause *a, const struct clause *b)
{
	return a->action == b->action && a->peers == b->peers && a->pairs == b->pairs &&
	       a->named == b->named && a->ported == b->ported && a->protocol == b->protocol;
}

static int compare_ports(const void *a, const void *b)
{
	return ((const struct ports *)a)->first - ((const struct ports *)b)->first;
}

/* The rest of a clause with more ports than one rule takes; those of allows may stand anywhere. */
static bool join_clause(const struct reader *reader, clauses_t *clauses, bool any,
			const struct clause *clause)
{
	for (size_t i = clauses->n; i-- > 0;) {
		struct clause *other = &clauses->items[i];

		if (clause->ports.n && other->ports.n && same_but_ports(other, clause)) {
			list_each(range, &clause->ports)
				*list_add(reader->arena, &other->ports) = *range;
			qsort(other->ports.items, other->ports.n, sizeof(struct ports),
			      compare_ports);
			return true;
		}
		if (!any)
			break;
	}
	return false;
}

/* "allow accept", "admin deny +" */
static clauses_t *read_comment(struct group *group, const char *comment, enum action *action,
			       bool *more)
{
	static const char *const actions[] = { "accept", "deny", "pass" };
	const char *word = strchr(comment, ' ');
	size_t len = word ? (size_t)(word - comment) : 0;

	for (size_t i = 0; word && i < ARRAY_SIZE(actions); i++) {
		if (!has_prefix(word + 1, actions[i]))
			continue;
		*action = (enum action)i;
		*more = has_suffix(word, " +");
		if (strncmp(comment, "admin", len) == 0)
			return &group->admin;
		if (strncmp(comment, "allow", len) == 0)
			return &group->allows;
		if (strncmp(comment, "baseline", len) == 0)
			return &group->baseline;
	}
	return NULL;
}

static void read_clause(struct reader *reader, struct group *group, const char *text)
{
	const struct line line = read_line(text, reader->arena);
	struct clause clause = { 0 };
	clauses_t *tier;
	bool more = false;

	if (streq(line.comment, "isolated"))
		group->isolated = true;
	tier = read_comment(group, line.comment, &clause.action, &more);
	if (!tier)
		return;
	read_sets(reader, &line, &clause);
	clause.ported = *line.protocol;
	if ((clause.ported && !read_protocol(line.protocol, &clause.protocol)) ||
	    !read_ports(line.ports, reader->arena, &clause.ports))
		return;
	if ((!more && tier != &group->allows) ||
	    !join_clause(reader, tier, tier == &group->allows, &clause))
		*list_add(reader->arena, tier) = clause;
}

static bool has_group(const struct reader *reader, const char *name)
{
	list_each(group, &reader->found->compiled.groups)
		if (streq(group->name, name))
			return true;
	return false;
}

/* Its members' set has the group's hash in its name, whether the jump asks for it or for an address. */
static void read_group(struct reader *reader, enum direction direction, const struct line *jump)
{
	const char *names[] = { jump->target, arena_printf(reader->arena, "%sP", jump->target) };
	const char *members = set_name_of_group(SET_MEMBERS, jump->target, reader->arena);
	symbol_t number = symbol_find(&reader->names, members);
	struct group *group = list_add(reader->arena, &reader->found->compiled.groups);

	*group = (struct group){ .name = jump->target,
				 .comment = jump->comment,
				 .direction = direction,
				 .members = number ? number - 1 : NO_SET };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct ipt_chain *chain = ipt_chain_of(&reader->table->chains, names[i]);

		for (size_t j = 0; chain && j < chain->rules.n; j++)
			read_clause(reader, group, chain->rules.items[j]);
	}
}

/* ---- around them ---- */

static void read_dispatch(struct reader *reader, enum direction direction)
{
	const struct ipt_chain *chain =
		ipt_chain_of(&reader->table->chains, ipt_dispatch[direction]);

	for (size_t i = 0; chain && i < chain->rules.n; i++) {
		const struct line line = read_line(chain->rules.items[i], reader->arena);

		if (line.nflog)
			reader->found->treatment.nflog = (uint16_t)line.nflog;
		if (strstr(chain->rules.items[i], "--ctstate INVALID"))
			reader->found->treatment.established = true;
		if (has_prefix(line.target, group_words[direction]) &&
		    !has_group(reader, line.target))
			read_group(reader, direction, &line);
	}
}

static void read_closed(struct reader *reader, const struct line *line)
{
	struct compiled *compiled = &reader->found->compiled;

	if (!line->address.ip.family || line->n_sets != 1)
		return;
	*list_add(reader->arena, &compiled->closed) = line->address;
	compiled->known = set_number(reader, line->sets[0]);
}

static void read_top(struct reader *reader)
{
	const struct ipt_chain *chain = ipt_chain_of(&reader->table->chains, IPT_TOP);
	struct compiled *compiled = &reader->found->compiled;

	for (size_t i = 0; chain && i < chain->rules.n; i++) {
		const struct line line = read_line(chain->rules.items[i], reader->arena);

		if (streq(line.target, "ACCEPT"))
			reader->found->treatment.accept = true;
		if (streq(line.target, IPT_CLOSED))
			read_closed(reader, &line);
		for (int j = 0; j < DIRECTIONS && !reader->table->v6; j++)
			if (streq(line.target, ipt_dispatch[j]) && line.n_sets == 1)
				compiled->subjects[j] = set_number(reader, line.sets[0]);
	}
}

static void read_deny(struct reader *reader)
{
	const struct ipt_chain *chain = ipt_chain_of(&reader->table->chains, IPT_DENY);

	for (size_t i = 0; chain && i < chain->rules.n; i++)
		if (streq(read_line(chain->rules.items[i], reader->arena).target, "REJECT"))
			reader->found->treatment.reject = true;
}

/* ---- what is not as it should be ---- */

static const char *place(const struct ipt_table *table, const char *chain, struct arena *arena)
{
	return arena_printf(arena, "%s %s", table->v6 ? "ip6tables" : "iptables", chain);
}

static bool has_rule(const ipt_rules_t *rules, const char *text)
{
	list_each(rule, rules)
		if (streq(*rule, text))
			return true;
	return false;
}

static bool same_rules(const ipt_rules_t *a, const ipt_rules_t *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!streq(a->items[i], b->items[i]))
			return false;
	return true;
}

static void compare_chain(struct reader *reader, const struct ipt_chain *wanted,
			  const struct ipt_chain *there)
{
	damages_t *damages = &reader->found->damages;
	const char *where = place(reader->table, wanted->name, reader->arena);
	size_t before = damages->n;

	if (!there) {
		damage_add(reader->arena, damages, where, "chain is missing");
		return;
	}
	if (same_rules(&wanted->rules, &there->rules))
		return;
	list_each(rule, &wanted->rules)
		if (!has_rule(&there->rules, *rule))
			damage_add(reader->arena, damages, where,
				   arena_printf(reader->arena, "rule \"%s\" is missing", *rule));
	list_each(rule, &there->rules)
		if (!has_rule(&wanted->rules, *rule))
			damage_add(reader->arena, damages, where,
				   arena_printf(reader->arena, "rule %zu is not ours: \"%s\"",
						(size_t)(rule - there->rules.items) + 1, *rule));
	if (damages->n == before)
		damage_add(reader->arena, damages, where, "rules are in another order, or twice");
}

static void compare_table(struct reader *reader, const struct ipt_form *form)
{
	damages_t *damages = &reader->found->damages;
	ipt_chains_t wanted = { 0 };

	ipt_render(&reader->found->compiled, form, reader->table->v6, reader->arena, &wanted);
	list_each(chain, &wanted)
		compare_chain(reader, chain, ipt_chain_of(&reader->table->chains, chain->name));
	list_each(chain, &reader->table->chains)
		if (!ipt_chain_of(&wanted, chain->name))
			damage_add(reader->arena, damages,
				   place(reader->table, chain->name, reader->arena),
				   "chain is not in use");
	if (!reader->table->hooked)
		damage_add(reader->arena, damages, place(reader->table, "FORWARD", reader->arena),
			   "jump to " IPT_TOP " is not its first rule");
}

static bool has_hairpin(const struct ipt_table *table)
{
	list_each(chain, &table->chains)
		list_each(rule, &chain->rules)
			if (has_prefix(*rule, IPT_BPF))
				return true;
	return false;
}

static void read_tables(struct reader *reader)
{
	for (size_t i = 0; i < reader->n_tables; i++) {
		reader->table = &reader->tables[i];
		read_top(reader);
		if (i)
			continue;
		read_deny(reader);
		for (int direction = 0; direction < DIRECTIONS; direction++)
			read_dispatch(reader, (enum direction)direction);
	}
}

void ipt_understand(struct ipt_table *tables, size_t n_tables, const struct ipt_sets *sets,
		    struct arena *arena, struct found *found)
{
	auto_arena struct arena scratch = { 0 };
	struct reader reader = { .arena = arena,
				 .found = found,
				 .names.arena = &scratch,
				 .tables = tables,
				 .n_tables = n_tables };
	struct ipt_form form;

	found->compiled = sets->compiled;
	list_each(set, &found->compiled.sets)
		symbol_add(&reader.names, set->name);
	found->present = sets->orphans;
	for (size_t i = 0; i < n_tables; i++)
		found->present = found->present || tables[i].chains.n;
	read_tables(&reader);
	form = (struct ipt_form){ found->treatment,
				  has_hairpin(&tables[0]) || has_hairpin(&tables[n_tables - 1]) };
	for (size_t i = 0; i < n_tables && found->present; i++) {
		reader.table = &tables[i];
		compare_table(&reader, &form);
	}
}

int ipt_read(enum iptables_kind kind, struct arena *arena, struct found *found, struct error *err)
{
	const size_t n_tables = addr_has_ipv6() ? 2 : 1;
	struct ipt_table tables[2] = { 0 };
	struct ipt_sets sets;
	int r = 0;

	*found = (struct found){ 0 };
	for (size_t i = 0; i < n_tables && r == 0; i++)
		r = ipt_read_table(kind, i == 1, arena, &tables[i], err);
	if (r == 0)
		r = ipt_read_sets(arena, &sets, &found->damages, err);
	if (r == 0)
		ipt_understand(tables, n_tables, &sets, arena, found);
	return r;
}
