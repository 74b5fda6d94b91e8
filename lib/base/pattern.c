/*
 * Go's regular expressions (RE2 syntax) as POSIX extended ones. Groups that do not capture, lazy repetition, the
 * classes \d \w \s and quoted punctuation differ in spelling only; flags, named groups, Unicode classes and the other
 * escapes are refused.
 */
#include "base/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>

#define DIGITS "0-9"
#define WORDS  "0-9A-Za-z_"
#define SPACES "\t\n\f\r "

struct translation {
	const char *in;
	char *out;
	bool repeated; /* the last step was a repetition, which Go lets nobody repeat again */
};

static void put(struct translation *t, const char *text)
{
	size_t len = strlen(text);

	memcpy(t->out, text, len);
	t->out += len;
}

static void put_char(struct translation *t, char c)
{
	*t->out++ = c;
}

/* The members of \d, \w, \s; NULL for any other letter. */
static const char *class_members(char c)
{
	return c == 'd' ? DIGITS : c == 'w' ? WORDS : c == 's' ? SPACES : NULL;
}

/* \D is everything that is not in \d. */
static bool put_class(struct translation *t, char c)
{
	const char *members = class_members((char)tolower((unsigned char)c));

	if (!members)
		return false;
	put(t, isupper((unsigned char)c) ? "[^" : "[");
	put(t, members);
	put(t, "]");
	return true;
}

/* Behind a backslash, outside of brackets. */
static bool escape(struct translation *t)
{
	char c = *t->in++;

	if (c == 'A' || c == 'z') {
		put_char(t, c == 'A' ? '^' : '$');
		return true;
	}
	if (isalpha((unsigned char)c))
		return put_class(t, c);
	if (!ispunct((unsigned char)c))
		return false;
	if (strchr(".[]()*+?{}|^$\\", c))
		put_char(t, '\\');
	put_char(t, c);
	return true;
}

/* Behind a backslash, inside: there POSIX takes it for itself. Places would matter for the three refused. */
static bool bracket_escape(struct translation *t)
{
	char c = *t->in++;
	const char *members = class_members(c);

	if (members) {
		put(t, members);
		return true;
	}
	if (!ispunct((unsigned char)c) || strchr("]^-[", c))
		return false;
	put_char(t, c);
	return true;
}

/* "[:alpha:]" inside of brackets is the same in both; "[." and "[=" mean something in POSIX only. */
static bool bracket_class(struct translation *t)
{
	const char *end = *t->in == ':' ? strstr(t->in, ":]") : NULL;

	if (*t->in == '.' || *t->in == '=' || (*t->in == ':' && !end))
		return false;
	put_char(t, '[');
	while (end && t->in < end + 2)
		put_char(t, *t->in++);
	return true;
}

/* Behind the opening bracket, up to the closing one. A ']' that comes first is a member. */
static bool bracket(struct translation *t)
{
	bool good = true;

	put_char(t, '[');
	if (*t->in == '^')
		put_char(t, *t->in++);
	if (*t->in == ']')
		put_char(t, *t->in++);
	while (good && *t->in && *t->in != ']') {
		char c = *t->in++;

		if (c == '\\')
			good = bracket_escape(t);
		else if (c == '[')
			good = bracket_class(t);
		else
			put_char(t, c);
	}
	if (!good || !*t->in)
		return false;
	put_char(t, *t->in++);
	return true;
}

/* How greedy a repetition is does not matter to whether there is a match. */
static bool repetition(struct translation *t, const char *operator, size_t len)
{
	if (t->repeated)
		return false;
	while (len-- > 0)
		put_char(t, *operator++);
	if (*t->in == '?')
		t->in++;
	t->repeated = true;
	return true;
}

/* Behind the opening brace: numbers up to a closing one are a repetition, anything else stands for itself. */
static bool brace(struct translation *t)
{
	const char *begin = t->in - 1;
	size_t len = strspn(t->in, "0123456789,");

	if (len == 0 || t->in[len] != '}') {
		put(t, "\\{");
		t->repeated = false;
		return true;
	}
	t->in += len + 1;
	return repetition(t, begin, len + 2);
}

static bool group(struct translation *t)
{
	put_char(t, '(');
	if (*t->in != '?')
		return true;
	if (t->in[1] != ':')
		return false;
	t->in += 2;
	return true;
}

static bool step(struct translation *t)
{
	char c = *t->in++;

	if (c == '{')
		return brace(t);
	if (c == '*' || c == '+' || c == '?')
		return repetition(t, &c, 1);
	t->repeated = false;
	switch (c) {
	case '\\': return escape(t);
	case '[': return bracket(t);
	case '(': return group(t);
	default: put_char(t, c); return true;
	}
}

/* A step puts at most as much as the longest class for two characters. */
char *pattern_posix(const char *pattern, struct arena *arena, struct error *err)
{
	char *out = arena_alloc(arena, strlen(pattern) * (sizeof(WORDS) + 2) + 1);
	struct translation t = { pattern, out };

	while (*t.in) {
		const char *at = t.in;

		if (step(&t))
			continue;
		fail(err, EINVAL, "\"%s\" is no pattern that is understood here, from \"%s\" on",
		     pattern, at);
		return NULL;
	}
	return out;
}

int pattern_match(const char *pattern, const char *text, bool *matches, struct error *err)
{
	struct arena arena auto_arena = { 0 };
	char *posix = pattern_posix(pattern, &arena, err), why[128];
	regex_t regex;
	int r;

	*matches = false;
	if (!posix)
		return -EINVAL;
	r = regcomp(&regex, posix, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, &regex, why, sizeof(why));
		return fail(err, EINVAL, "\"%s\" is no pattern: %s", pattern, why);
	}
	*matches = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return 0;
}
