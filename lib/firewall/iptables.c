/*
 * Rule sets to iptables by its programs: for the legacy variant, for tables that are not there yet, and whenever
 * nftables.c was refused. One iptables-restore per family, because each start of a program costs more than all of our
 * netlink work, and because its input is one transaction. With --noflush it leaves alone what the input does
 * not name; a line `:CHAIN - [0:0]` creates a chain, or empties it; `-N CHAIN` is refused when it is there.
 */
#include "firewall/iptables.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/process.h"
#include "kernel/nft.h"

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

static const char *protocol_name(uint8_t protocol, char text[4])
{
	switch (protocol) {
	case IPPROTO_TCP: return "tcp";
	case IPPROTO_UDP: return "udp";
	case IPPROTO_SCTP: return "sctp";
	}
	snprintf(text, 4, "%u", protocol);
	return text;
}

static void render_ports(FILE *out, const struct ports *ports)
{
	fprintf(out, "%u", ports->first);
	if (ports->last != ports->first)
		fprintf(out, ":%u", ports->last);
}

static void render_states(FILE *out, unsigned states)
{
	static const struct {
		unsigned state;
		const char *name;
	} names[] = { { NFT_STATE_INVALID, "INVALID" },
		      { NFT_STATE_NEW, "NEW" },
		      { NFT_STATE_RELATED, "RELATED" },
		      { NFT_STATE_ESTABLISHED, "ESTABLISHED" } };
	const char *between = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(states & names[i].state))
			continue;
		fprintf(out, "%s%s", between, names[i].name);
		between = ",";
	}
}

static void render_match(FILE *out, const struct rule *rule, const struct match *match)
{
	char text[CIDR_TEXT_SIZE];
	struct cidr network = cidr_network(&match->cidr);
	const struct match *protocol = rule_match(rule, MATCH_PROTOCOL);

	fputs(match->negated ? " !" : "", out);
	switch (match->kind) {
	case MATCH_SOURCE: fprintf(out, " -s %s", cidr_format(&network, text)); break;
	case MATCH_DESTINATION: fprintf(out, " -d %s", cidr_format(&network, text)); break;
	case MATCH_IN_INTERFACE: fprintf(out, " -i %s", match->name); break;
	case MATCH_OUT_INTERFACE: fprintf(out, " -o %s", match->name); break;
	case MATCH_ETHER_SOURCE:
		fprintf(out, " -m mac --mac-source %s", mac_format(&match->mac, text));
		break;
	case MATCH_PROTOCOL:
		fprintf(out, " -p %s", protocol_name((uint8_t)match->value, text));
		break;
	case MATCH_PORT:
		fprintf(out, " -m %s --dport ",
			protocol ? protocol_name((uint8_t)protocol->value, text) : "");
		render_ports(out, match->ports);
		break;
	case MATCH_MULTIPORT:
		fputs(" -m multiport --dports ", out);
		for (size_t i = 0; i < match->n_ports; i++) {
			fputs(i ? "," : "", out);
			render_ports(out, &match->ports[i]);
		}
		break;
	case MATCH_LOCAL: fputs(" -m addrtype --dst-type LOCAL", out); break;
	case MATCH_STATE:
		fputs(" -m conntrack --ctstate ", out);
		render_states(out, match->value);
		break;
	case MATCH_MARK:
		fprintf(out, " -m mark --mark 0x%x/0x%x", match->value, match->bits);
		break;
	case MATCH_WORDS: fprintf(out, " %s", match->name); break;
	case MATCH_NONE: break;
	}
}

/* Quoted when it holds anything that needs it, as the save programs do. */
static void render_comment(FILE *out, const char *comment)
{
	static const char plain[] = "_-0123456789"
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (!comment)
		return;
	fputs(" -m comment --comment ", out);
	if (*comment && !comment[strspn(comment, plain)]) {
		fputs(comment, out);
		return;
	}
	fputc('"', out);
	for (; *comment; comment++) {
		if (strchr("\"\\'", *comment))
			fputc('\\', out);
		fputc(*comment, out);
	}
	fputc('"', out);
}

static void render_dnat(FILE *out, const struct rule *rule)
{
	bool v6 = rule->to.ip.family == AF_INET6, port = rule->to.ports.first;
	char text[IP_TEXT_SIZE];

	fprintf(out, " -j DNAT --to-destination %s%s%s", v6 && port ? "[" : "",
		ip_format(&rule->to.ip, text), v6 && port ? "]" : "");
	if (port)
		fprintf(out, ":%u", rule->to.ports.first);
	if (rule->to.ports.last != rule->to.ports.first)
		fprintf(out, "-%u", rule->to.ports.last);
	if (rule->to.base)
		fprintf(out, "/%u", rule->to.base);
}

static void render_verdict(FILE *out, const struct rule *rule)
{
	switch (rule->verdict) {
	case RULE_JUMP: fprintf(out, " -j %s", rule->target); break;
	case RULE_GOTO: fprintf(out, " -g %s", rule->target); break;
	case RULE_DNAT: render_dnat(out, rule); break;
	case RULE_MARK:
		fprintf(out, " -j MARK --set-xmark 0x%x/0x%x", rule->mark, rule->mark_bits);
		break;
	default:
		fprintf(out, " -j %s%s", verdict_names[rule->verdict],
			rule->fully_random ? " --random-fully" : "");
	}
}

/* In the order and the words of the save programs, so that what they print can be compared. */
static void render_rule(FILE *out, const struct rule *rule)
{
	static const enum match_kind before[] = { MATCH_SOURCE, MATCH_DESTINATION,
						  MATCH_IN_INTERFACE, MATCH_OUT_INTERFACE,
						  MATCH_PROTOCOL },
				     after[] = { MATCH_PORT,  MATCH_MULTIPORT, MATCH_LOCAL,
						 MATCH_STATE, MATCH_MARK,      MATCH_ETHER_SOURCE,
						 MATCH_WORDS };
	const struct match *match;

	fprintf(out, "-%c %s", rule->insert ? 'I' : 'A', rule->chain);
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		if ((match = rule_match(rule, before[i])) &&
		    (match->kind > MATCH_DESTINATION || match->cidr.prefix || match->negated))
			render_match(out, rule, match);
	if (!rule->comment_last)
		render_comment(out, rule->comment);
	for (size_t i = 0; i < ARRAY_SIZE(after); i++)
		if ((match = rule_match(rule, after[i])))
			render_match(out, rule, match);
	if (rule->comment_last)
		render_comment(out, rule->comment);
	render_verdict(out, rule);
	fputc('\n', out);
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
		if (!chain->type)
			fprintf(out, chain->flush ? ":%s - [0:0]\n" : "-N %s\n", chain->name);
	list_each(rule, &set->rules)
		render_rule(out, rule);
	fputs("COMMIT\n", out);
	if (fclose(out))
		return fail_errno(err, errno, "prepare rules for iptables");
	*text = arena_strdup(arena, data);
	return 0;
}

const char *iptables_rule_text(const struct rule *rule, struct arena *arena)
{
	auto_free char *data = NULL;
	size_t size = 0;
	struct rule plain = *rule;
	FILE *out = open_memstream(&data, &size);

	if (!out)
		return rule->chain;
	plain.insert = false;
	render_rule(out, &plain);
	if (fclose(out) || !size)
		return rule->chain;
	data[size - 1] = '\0'; /* the end of the line */
	return arena_strdup(arena, data);
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
