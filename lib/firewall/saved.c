/*
 * Lines of iptables-save, read into what a rule of nf_tables is read into, so that whoever looks for a rule need not
 * know where it is. An option is a row of a table; one that is not in it, or has another value than rules of plugins
 * have, makes the rule unknown.
 */
#include "firewall/saved.h"

#include <ctype.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/text.h"

struct reader {
	struct arena *arena;
	const char *rest;
	struct nft_rule_info *info;
	bool negated; /* "!" stood before the option */
};

/* The end of the word that begins at p: a space outside of quotes. */
static const char *word_end(const char *p)
{
	for (bool quoted = false; *p && (quoted || *p != ' '); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '\\' && p[1])
			p++;
	}
	return p;
}

const char *saved_word(const char **text, struct arena *arena)
{
	const char *p = *text + strspn(*text, " "), *end = word_end(p);
	char *word = arena_alloc(arena, (size_t)(end - p) + 1), *out = word;

	for (; p < end; p++)
		if (*p == '\\' && p + 1 < end)
			*out++ = *++p;
		else if (*p != '"')
			*out++ = *p;
	*text = end;
	return word;
}

static const char *next_word(struct reader *reader)
{
	return saved_word(&reader->rest, reader->arena);
}

static bool read_addr(struct reader *reader, const char *word, struct nft_addr_match *match)
{
	match->op = reader->negated ? NFT_IS_NOT : NFT_IS;
	if (!cidr_parse(word, &match->cidr)) {
		struct ip ip;

		if (!ip_parse(word, &ip))
			return false;
		match->cidr = cidr_host(&ip);
	}
	match->cidr = cidr_network(&match->cidr);
	reader->negated = false;
	return true;
}

static bool read_source(struct reader *reader, const char *word)
{
	return read_addr(reader, word, &reader->info->source);
}

static bool read_destination(struct reader *reader, const char *word)
{
	return read_addr(reader, word, &reader->info->destination);
}

static bool read_interface(struct reader *reader, const char *word,
			   struct nft_interface_match *match)
{
	if (strlen(word) >= sizeof(match->name))
		return false;
	memcpy(match->name, word, strlen(word) + 1);
	match->op = reader->negated ? NFT_IS_NOT : NFT_IS;
	reader->negated = false;
	return true;
}

static bool read_in(struct reader *reader, const char *word)
{
	return read_interface(reader, word, &reader->info->in);
}

static bool read_out(struct reader *reader, const char *word)
{
	return read_interface(reader, word, &reader->info->out);
}

/* Decimal or hexadecimal, up to max; *rest is behind it. */
static bool read_number(const char *word, unsigned long max, uint32_t *number, const char **rest)
{
	char *end;
	unsigned long value = isdigit((unsigned char)*word) ? strtoul(word, &end, 0) : ULONG_MAX;

	if (value > max)
		return false;
	*number = (uint32_t)value;
	*rest = end;
	return end > word;
}

static bool read_protocol(struct reader *reader, const char *word)
{
	static const struct {
		const char *name;
		uint8_t protocol;
	} names[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP } };
	uint32_t number;
	const char *rest;

	reader->info->not_protocol = reader->negated;
	reader->negated = false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(word, names[i].name)) {
			reader->info->protocol = names[i].protocol;
			return true;
		}
	if (!read_number(word, UINT8_MAX, &number, &rest) || *rest)
		return false;
	reader->info->protocol = (uint8_t)number;
	return true;
}

/* first, or first and last with that letter between. */
static bool read_range(const char *word, char between, struct ports *ports, const char **rest)
{
	uint32_t first, last;

	if (!read_number(word, UINT16_MAX, &first, rest))
		return false;
	last = first;
	if (**rest == between && !read_number(*rest + 1, UINT16_MAX, &last, rest))
		return false;
	*ports = (struct ports){ (uint16_t)first, (uint16_t)last };
	return true;
}

static bool read_ports(struct reader *reader, const char *word)
{
	struct ports *ports = arena_alloc(reader->arena, NFT_MULTIPORTS * sizeof(*ports));
	uint8_t n = 0;

	if (reader->info->n_ports)
		return false;
	do {
		if (n == NFT_MULTIPORTS || !read_range(word, ':', &ports[n++], &word))
			return false;
	} while (*word++ == ',');
	reader->info->ports = ports;
	reader->info->n_ports = n;
	return !word[-1];
}

static bool read_type(struct reader *reader, const char *word)
{
	reader->info->local = true;
	return streq(word, "LOCAL");
}

static bool read_states(struct reader *reader, const char *word)
{
	static const struct {
		const char *name;
		unsigned state;
	} names[] = { { "INVALID", NFT_STATE_INVALID },
		      { "NEW", NFT_STATE_NEW },
		      { "RELATED", NFT_STATE_RELATED },
		      { "ESTABLISHED", NFT_STATE_ESTABLISHED } };
	char *rest = arena_strdup(reader->arena, word);

	for (char *name; (name = strsep(&rest, ","));) {
		unsigned state = 0;

		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (streq(name, names[i].name))
				state = names[i].state;
		if (!state)
			return false;
		reader->info->states |= state;
	}
	return true;
}

static bool read_bits(const char *word, uint32_t *value, uint32_t *bits)
{
	*bits = UINT32_MAX;
	if (!read_number(word, UINT32_MAX, value, &word))
		return false;
	return !*word || (*word == '/' && read_number(word + 1, UINT32_MAX, bits, &word) && !*word);
}

static bool read_mark(struct reader *reader, const char *word)
{
	return read_bits(word, &reader->info->mark, &reader->info->mark_bits);
}

static bool read_set_mark(struct reader *reader, const char *word)
{
	return read_bits(word, &reader->info->set_mark, &reader->info->set_bits);
}

static bool read_comment(struct reader *reader, const char *word)
{
	reader->info->comment = word;
	return true;
}

/* 10.1.0.5, 10.1.0.5:80, 10.1.0.5:80-90, 10.1.0.5:80-90/8080, [fd00::5]:80 */
static bool read_to(struct reader *reader, const char *word)
{
	bool bracket = *word == '[';
	const char *colon = strchr(word += bracket, ':');
	char text[IP_TEXT_SIZE] = "";
	uint32_t base = 0;
	size_t len = strcspn(word, bracket ? "]" : ":");

	/* An IPv6 address without brackets is all there is. */
	if (!bracket && colon && strchr(colon + 1, ':'))
		len = strlen(word);
	if (len >= sizeof(text) || (bracket && word[len] != ']'))
		return false;
	memcpy(text, word, len);
	word += len + (word[len] == ']');
	if (!ip_parse(text, &reader->info->to))
		return false;
	if (*word == ':' && !read_range(word + 1, '-', &reader->info->to_ports, &word))
		return false;
	if (*word == '/' && !read_number(word + 1, UINT16_MAX, &base, &word))
		return false;
	reader->info->to_base = (uint16_t)base;
	return !*word;
}

static bool read_from(struct reader *reader, const char *word)
{
	return ip_parse(word, &reader->info->from);
}

static bool read_verdict(struct reader *reader, const char *word)
{
	static const struct {
		const char *name;
		int verdict;
	} verdicts[] = { { "ACCEPT", NFT_VERDICT_ACCEPT },
			 { "DROP", NFT_VERDICT_DROP },
			 { "RETURN", NFT_VERDICT_RETURN } };

	if (streq(word, "MASQUERADE")) {
		reader->info->masquerade = true;
		return true;
	}
	if (streq(word, "REJECT")) {
		reader->info->reject = true;
		return true;
	}
	if (streq(word, "DNAT") || streq(word, "SNAT") || streq(word, "MARK"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if (streq(word, verdicts[i].name)) {
			reader->info->verdict = verdicts[i].verdict;
			return true;
		}
	reader->info->verdict = NFT_VERDICT_JUMP;
	reader->info->target = word;
	return true;
}

static bool read_goto(struct reader *reader, const char *word)
{
	reader->info->verdict = NFT_VERDICT_GOTO;
	reader->info->target = word;
	return true;
}

/* The name of a match says nothing that its options do not. */
static bool read_match(struct reader *reader unused, const char *word unused)
{
	return true;
}

static bool read_random(struct reader *reader, const char *word unused)
{
	reader->info->fully_random = true;
	return true;
}

static const struct {
	const char *option;
	bool (*read)(struct reader *reader, const char *word);
	bool alone; /* it has no value */
} options[] = {
	{ "-s", read_source },
	{ "-d", read_destination },
	{ "-i", read_in },
	{ "-o", read_out },
	{ "-p", read_protocol },
	{ "-m", read_match },
	{ "--dport", read_ports },
	{ "--dports", read_ports },
	{ "--dst-type", read_type },
	{ "--ctstate", read_states },
	{ "--mark", read_mark },
	{ "--comment", read_comment },
	{ "-j", read_verdict },
	{ "-g", read_goto },
	{ "--set-xmark", read_set_mark },
	{ "--to-destination", read_to },
	{ "--to-source", read_from },
	{ "--reject-with", read_match },
	{ "--random-fully", read_random, true },
};

static bool read_option(struct reader *reader, const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (streq(option, options[i].option))
			return options[i].read(reader, options[i].alone ? "" : next_word(reader)) &&
			       !reader->negated;
	return false;
}

const char *saved_rule(const char *text, struct arena *arena, struct nft_rule_info *info)
{
	struct reader reader = { .arena = arena, .rest = text, .info = info };
	const char *chain = next_word(&reader), *word;

	*info = (struct nft_rule_info){ .comment = "", .target = "", .verdict = INT_MAX };
	while (*(word = next_word(&reader))) {
		if (streq(word, "!"))
			reader.negated = true;
		else if (!read_option(&reader, word))
			info->unknown = true;
	}
	return chain;
}
