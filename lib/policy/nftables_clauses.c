/*
 * Rules as clauses. A clause is the rules with the same number for a comment: what it says is taken from the first of
 * them, and right if it makes all of them again.
 */
#include "policy/nftables_reader.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/text.h"
#include "policy/set.h"

struct chain_lines {
	const struct nft_line *items;
	size_t n;
};

/* They come chain by chain. */
static struct chain_lines lines_of(const struct netpol_reader *reader, const char *chain)
{
	struct chain_lines found = { NULL, 0 };

	list_each(line, &reader->lines) {
		if (!streq(line->chain, chain)) {
			if (found.n)
				break;
			continue;
		}
		if (!found.n)
			found.items = line;
		found.n++;
	}
	return found;
}

static struct netpol_plan plan_of(struct netpol_reader *reader)
{
	return (struct netpol_plan){ .compiled = &reader->found->compiled,
				     .treatment = &reader->found->treatment,
				     .arena = reader->arena };
}

static void damage_rule(struct netpol_reader *reader, const char *chain, size_t number,
			const char *what)
{
	netpol_damage(reader, chain, arena_printf(reader->arena, "rule %zu %s", number + 1, what));
}

/* ---- one clause ---- */

static uint32_t set_number(struct netpol_reader *reader, const struct nft_line_set *match)
{
	const struct compiled *compiled = &reader->found->compiled;
	size_t len = strlen(match->name);
	symbol_t number;

	if (len > 5 && streq(match->name + len - 5, "-nets"))
		len -= 5;
	number = symbol_find(&compiled->names, arena_printf(reader->arena, "%.*s",
							    (int)(len ? len - 1 : 0), match->name));
	return number ? number - 1 : NO_SET;
}

static void read_look_up(struct netpol_reader *reader, const struct nft_line_set *match,
			 struct clause *clause)
{
	uint32_t set = set_number(reader, match);

	if (set == NO_SET) {
		list_each(ports, &reader->ports)
			if (streq(ports->name, match->name))
				clause->ports = ports->ranges;
		return;
	}
	switch (reader->found->compiled.sets.items[set].kind) {
	case SET_PAIRS: clause->pairs = set; break;
	case SET_NAMED: clause->named = set; break;
	default: clause->peers = set;
	}
}

static enum action action_of(struct netpol_reader *reader, const struct group *group,
			     const struct nft_line *line)
{
	if (line->verdict == NFT_VERDICT_GOTO)
		return streq(line->target, netpol_chain_of(group, NETPOL_DENY, reader->arena))
			       ? ACTION_DENY
			       : ACTION_PASS;
	return strstr(line->comment, NETPOL_PASS) ? ACTION_PASS : ACTION_ACCEPT;
}

static struct clause clause_of(struct netpol_reader *reader, const struct group *group,
			       const struct nft_line *line)
{
	struct clause clause = { .action = action_of(reader, group, line),
				 .peers = NO_SET,
				 .pairs = NO_SET,
				 .named = NO_SET };

	clause.ported = line->protocol != 0;
	while (clause.protocol < PROTOCOL_OTHER &&
	       netpol_protocols[clause.protocol] != line->protocol && clause.ported)
		clause.protocol++;
	if (line->ports.last)
		*list_add(reader->arena, &clause.ports) = line->ports;
	for (unsigned i = 0; i < line->n_sets; i++)
		read_look_up(reader, &line->sets[i], &clause);
	return clause;
}

static bool same_lines(const struct netpol_plan *plan, const struct nft_line *lines, size_t n)
{
	if (plan->lines.n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!nft_line_equal(&plan->lines.items[i], &lines[i]))
			return false;
	return true;
}

/* ---- a group's chains ---- */

struct chain_reader {
	struct netpol_reader *reader;
	struct group *group;
	const char *chain;
	struct chain_lines lines;
	clauses_t *tier;
	bool admin;
};

static bool is_goto(struct chain_reader *chain, const struct nft_line *line, const char *suffix)
{
	struct nft_line expected = {
		.chain = chain->chain,
		.comment = "",
		.prefix = "",
		.counter = "",
		.verdict = NFT_VERDICT_GOTO,
		.target = netpol_chain_of(chain->group, suffix, chain->reader->arena),
	};

	return nft_line_equal(line, &expected);
}

/* The clause whose rules begin at i; returns how many those are. */
static size_t read_clause(struct chain_reader *chain, size_t i)
{
	struct netpol_plan plan = plan_of(chain->reader);
	const struct nft_line *line = &chain->lines.items[i];
	struct clause clause = clause_of(chain->reader, chain->group, line);
	struct netpol_place place = { .chain = chain->chain,
				      .number = (unsigned)strtoul(line->comment, NULL, 10),
				      .admin = chain->admin };
	size_t n = 1;

	while (i + n < chain->lines.n && streq(line[n].comment, line->comment) && *line->comment)
		n++;
	netpol_plan_clause(&plan, chain->group, &place, &clause);
	if (same_lines(&plan, line, n))
		*list_add(chain->reader->arena, chain->tier) = clause;
	else
		damage_rule(chain->reader, chain->chain, i, "is not ours");
	return n;
}

/* What an isolated chain ends its allows with stands at i. */
static bool is_isolation(struct chain_reader *chain, size_t i, size_t *n)
{
	struct netpol_plan plan = plan_of(chain->reader);

	netpol_plan_isolation(&plan, chain->group, chain->chain);
	*n = plan.lines.n;
	return i + *n <= chain->lines.n && same_lines(&plan, &chain->lines.items[i], *n);
}

static void read_tiers(struct chain_reader *chain)
{
	size_t n;

	for (size_t i = 0; i < chain->lines.n; i++)
		chain->group->isolated |= is_goto(chain, &chain->lines.items[i], NETPOL_DENY);
	chain->tier = chain->group->isolated ? &chain->group->allows : &chain->group->baseline;
	for (size_t i = 0; i < chain->lines.n;) {
		if (is_isolation(chain, i, &n)) {
			chain->tier = &chain->group->baseline;
			i += n;
		} else {
			i += read_clause(chain, i);
		}
	}
}

static void read_admin(struct chain_reader *chain)
{
	size_t i = 0;

	chain->tier = &chain->group->admin;
	chain->admin = true;
	while (i < chain->lines.n && !is_goto(chain, &chain->lines.items[i], NETPOL_NEXT))
		i += read_clause(chain, i);
	if (i + 1 != chain->lines.n)
		damage_rule(chain->reader, chain->chain, i,
			    i < chain->lines.n ? "does not end it" : "is missing");
}

static void read_group(struct netpol_reader *reader, struct group *group)
{
	const char *next = netpol_chain_of(group, NETPOL_NEXT, reader->arena);
	struct chain_reader chain = { .reader = reader,
				      .group = group,
				      .chain = group->name,
				      .lines = lines_of(reader, group->name) };

	for (size_t i = 0; i < reader->chains.n; i++)
		if (streq(reader->chains.items[i].name, next)) {
			read_admin(&chain);
			chain = (struct chain_reader){ .reader = reader,
						       .group = group,
						       .chain = next,
						       .lines = lines_of(reader, next) };
			break;
		}
	read_tiers(&chain);
}

/* ---- around the groups ---- */

/* How packets are treated and what is closed, as the rules say it; whether they say it rightly is seen by comparing. */
static void read_treatment(struct netpol_reader *reader)
{
	struct found *found = reader->found;
	struct treatment *treatment = &found->treatment;
	struct chain_lines forward = lines_of(reader, "forward");

	for (size_t i = 0; i < forward.n; i++) {
		const struct nft_line *line = &forward.items[i];

		treatment->established |= line->states == NFT_STATE_INVALID;
		if (line->source.ip.family)
			*list_add(reader->arena, &found->compiled.closed) = line->source;
	}
	treatment->accept = forward.n && !forward.items[forward.n - 1].states &&
			    forward.items[forward.n - 1].verdict == NFT_VERDICT_ACCEPT;
	list_each(line, &reader->lines) {
		if (streq(line->chain, "refuse"))
			treatment->reject |= line->refusal != NFT_REFUSE_NOT;
		if (streq(line->chain, NETPOL_CLOSED NETPOL_DENY) && line->log)
			treatment->nflog = line->log;
	}
}

static void compare_chain(struct netpol_reader *reader, const char *chain,
			  const struct nft_line *wanted, size_t n)
{
	struct chain_lines there = lines_of(reader, chain);

	for (size_t i = 0; i < n || i < there.n; i++) {
		if (i < n && i < there.n && nft_line_equal(&wanted[i], &there.items[i]))
			continue;
		damage_rule(reader, chain, i, i < there.n ? "is not ours" : "is missing");
		return;
	}
}

static void compare_plan(struct netpol_reader *reader, const struct netpol_plan *plan)
{
	size_t i, end;

	list_each(chain, &plan->chains) {
		for (i = 0; i < plan->lines.n && !streq(plan->lines.items[i].chain, chain->name);)
			i++;
		for (end = i;
		     end < plan->lines.n && streq(plan->lines.items[end].chain, chain->name);)
			end++;
		compare_chain(reader, chain->name, plan->lines.items + i, end - i);
	}
}

static bool is_base(const struct nft_chain_entry *chain)
{
	return streq(chain->info.type, "filter") && chain->info.hook == NFT_FORWARD &&
	       !chain->info.priority;
}

/* Every chain and counter has its place in the plan, and the other way round. */
static void compare_names(struct netpol_reader *reader, const struct netpol_plan *plan)
{
	struct symbols wanted = { .arena = reader->arena }, there = { .arena = reader->arena };

	list_each(chain, &plan->chains)
		symbol_add(&wanted, chain->name);
	list_each(counter, &plan->counters)
		symbol_add(&wanted, *counter);
	list_each(chain, &reader->chains) {
		symbol_add(&there, chain->name);
		if (!symbol_find(&wanted, chain->name))
			netpol_damage(reader, chain->name, "is no chain of ours");
		else if (streq(chain->name, "forward") ? !is_base(chain) : *chain->info.type)
			netpol_damage(reader, chain->name, "is not hooked in as it should be");
	}
	list_each(counter, &reader->counters)
		if (!symbol_find(&wanted, counter->name))
			netpol_damage(reader, counter->name, "is no counter of ours");
	list_each(chain, &plan->chains)
		if (!symbol_find(&there, chain->name))
			netpol_damage(reader, chain->name, "is missing");
}

void netpol_read_chains(struct netpol_reader *reader)
{
	struct netpol_plan plan = plan_of(reader), names;

	read_treatment(reader);
	list_each(group, &reader->found->compiled.groups) {
		read_group(reader, group);
		netpol_plan_denial(&plan, group->name, group->comment);
	}
	netpol_plan_around(&plan);
	compare_plan(reader, &plan);
	names = plan;
	list_each(group, &reader->found->compiled.groups)
		netpol_plan_group(&names, group);
	compare_names(reader, &names);
	list_each(ports, &reader->ports) {
		bool used = false;

		list_each(wanted, &names.ports)
			used |= streq(wanted->name, ports->name);
		if (!used)
			netpol_damage(reader, ports->name, "is no set that a rule asks for");
	}
}
