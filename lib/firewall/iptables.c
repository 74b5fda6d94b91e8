/*
 * Rule sets to iptables by its programs: for the legacy variant, for tables that are not there yet, and whenever
 * nftables.c was refused. One iptables-restore per family, because each start of a program costs more than all of our
 * netlink work, and because its input is one transaction. With --noflush it leaves alone what the input does
 * not name; a line `:CHAIN - [0:0]` creates a chain of ours, or empties it.
 */
#include "firewall/iptables.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/process.h"

#define LOCK_SECONDS   "30" /* how long iptables-restore waits for the legacy lock */
#define RUN_TIMEOUT_MS 60000

static const char *const verdict_names[] = {
	[RULE_ACCEPT] = "ACCEPT",
	[RULE_DROP] = "DROP",
	[RULE_RETURN] = "RETURN",
	[RULE_MASQUERADE] = "MASQUERADE",
};

/* Everything in the input is a line of words, so a control character could end one and begin another. */
static bool is_clean(const char *text)
{
	for (; text && *text; text++)
		if (iscntrl((unsigned char)*text))
			return false;
	return true;
}

static void render_match(FILE *out, const struct match *match)
{
	char text[CIDR_TEXT_SIZE];
	struct cidr network = cidr_network(&match->cidr);

	fputs(match->negated ? " !" : "", out);
	switch (match->kind) {
	case MATCH_SOURCE: fprintf(out, " -s %s", cidr_format(&network, text)); break;
	case MATCH_DESTINATION: fprintf(out, " -d %s", cidr_format(&network, text)); break;
	case MATCH_IN_INTERFACE: fprintf(out, " -i %s", match->name); break;
	case MATCH_ETHER_SOURCE:
		fprintf(out, " -m mac --mac-source %s", mac_format(&match->mac, text));
		break;
	case MATCH_NONE: break;
	}
}

static void render_comment(FILE *out, const char *comment)
{
	if (!comment)
		return;
	fputs(" -m comment --comment \"", out);
	for (; *comment; comment++) {
		if (*comment == '"' || *comment == '\\')
			fputc('\\', out);
		fputc(*comment, out);
	}
	fputc('"', out);
}

static void render_rule(FILE *out, const struct rule *rule)
{
	fprintf(out, "-A %s", rule->chain);
	for (const struct match *m = rule->matches; m < rule->matches + RULE_MATCHES && m->kind;
	     m++)
		render_match(out, m);
	render_comment(out, rule->comment);
	if (rule->verdict == RULE_JUMP || rule->verdict == RULE_GOTO)
		fprintf(out, " -%c %s\n", rule->verdict == RULE_JUMP ? 'j' : 'g', rule->target);
	else
		fprintf(out, " -j %s\n", verdict_names[rule->verdict]);
}

bool iptables_clean(const struct ruleset *set)
{
	list_each(chain, &set->chains)
		if (!is_clean(chain->name))
			return false;
	list_each(rule, &set->rules) {
		if (!is_clean(rule->chain) || !is_clean(rule->target) || !is_clean(rule->comment))
			return false;
		for (size_t i = 0; i < RULE_MATCHES; i++)
			if (!is_clean(rule->matches[i].name))
				return false;
	}
	return true;
}

int iptables_render(const struct ruleset *set, struct arena *arena, const char **text,
		    struct error *err)
{
	auto_free char *data = NULL;
	size_t size;
	FILE *out;

	if (!iptables_clean(set))
		return fail(err, EINVAL, "a name for iptables holds a control character");
	out = open_memstream(&data, &size);
	if (!out)
		return fail_errno(err, errno, "prepare rules for iptables");
	fprintf(out, "*%s\n", set->table);
	list_each(chain, &set->chains)
		fprintf(out, ":%s - [0:0]\n", chain->name);
	list_each(rule, &set->rules)
		render_rule(out, rule);
	fputs("COMMIT\n", out);
	if (fclose(out))
		return fail_errno(err, errno, "prepare rules for iptables");
	*text = arena_strdup(arena, data);
	return 0;
}

/* Its last word on the matter, on one line. */
static const char *last_line(char *text)
{
	char *line;

	for (size_t len = strlen(text); len && isspace((unsigned char)text[len - 1]); len--)
		text[len - 1] = '\0';
	line = strrchr(text, '\n');
	return line ? line + 1 : text;
}

int iptables_restore(const char *program, const char *text, struct arena *arena, struct error *err)
{
	char path[PATH_MAX];
	const char *const argv[] = { program, "--noflush", "-w", LOCK_SECONDS, NULL };
	struct process process = { .path = path,
				   .argv = argv,
				   .input = text,
				   .input_size = strlen(text),
				   .timeout_ms = RUN_TIMEOUT_MS,
				   .keep_stderr = true };
	struct process_result result = { 0 };
	int r;

	if (!process_find(program, path, sizeof(path)))
		return fail(err, ENOENT, "%s: not found", program);
	r = process_run(&process, arena, &result, err);
	if (r < 0)
		return wrap(err, "%s", program);
	if (result.status)
		return fail(err, EIO, "%s: exit status %d: %s", program, result.status,
			    last_line(result.errors));
	return 0;
}

static const char *restore_program(enum rule_family family)
{
	return family == RULE_IP6 ? "ip6tables-restore" : "iptables-restore";
}

enum iptables_kind iptables_kind(enum rule_family family)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *base;

	if (!process_find(restore_program(family), path, sizeof(path)))
		return IPTABLES_NONE;
	if (!realpath(path, target))
		return IPTABLES_LEGACY;
	base = strrchr(target, '/');
	return strstr(base ? base : target, "nft") ? IPTABLES_NFT : IPTABLES_LEGACY;
}

int iptables_apply(const struct ruleset *set, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *text = "";
	int r = iptables_render(set, &arena, &text, err);

	return r < 0 ? r : iptables_restore(restore_program(set->family), text, &arena, err);
}
