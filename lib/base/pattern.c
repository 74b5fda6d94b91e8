/*
 * Go's regular expressions, without what nobody needs to know whether there is a match: greed and captures. They are
 * translated to steps, whose jumps are relative, so that a part can be moved or repeated as it is; all ways through them
 * are followed at once, letter by letter. Named groups, Unicode classes and the escapes of single letters are refused, with
 * what to write in their place.
 */
#include "base/pattern_internal.h"

#include <ctype.h>
#include <errno.h>

enum { STEPS_MAX = 5000, DEPTH_MAX = 100, REPEAT_MAX = 1000, NO_MAX = -1 };

enum { FOLD = 1, DOT_IS_ALL = 2, GREED = 4 };

struct reading {
	const char *in;
	struct pattern *pattern;
	int depth;
	unsigned flags;
	const char *advice; /* what to write instead of what is refused */
};

/* ---- sets of bytes ---- */

static void set_add(struct byte_set *set, unsigned char c)
{
	set->bits[c / 32] |= 1u << c % 32;
}

static void set_invert(struct byte_set *set)
{
	for (size_t i = 0; i < ARRAY_SIZE(set->bits); i++)
		set->bits[i] = ~set->bits[i];
}

static void set_add_if(struct byte_set *set, int (*is)(int))
{
	for (unsigned c = 0; c < 128; c++)
		if (is((int)c))
			set_add(set, (unsigned char)c);
}

/* In Go the vertical tab is none. */
static int is_blank(int c)
{
	return isspace(c) && c != '\v';
}

/* Letters of both cases where there is one of them. */
static void set_fold(struct byte_set *set)
{
	for (int letter = 'a'; letter <= 'z'; letter++) {
		unsigned char small = (unsigned char)letter,
			      capital = (unsigned char)toupper(letter);

		if (set_has(set, small) || set_has(set, capital)) {
			set_add(set, small);
			set_add(set, capital);
		}
	}
}

/* \d, \w, \s; in capitals everything else. */
static bool set_add_class(struct byte_set *set, char letter)
{
	struct byte_set members = { 0 };

	switch (tolower((unsigned char)letter)) {
	case 'd': set_add_if(&members, isdigit); break;
	case 'w': set_add_if(&members, is_word); break;
	case 's': set_add_if(&members, is_blank); break;
	default: return false;
	}
	if (isupper((unsigned char)letter))
		set_invert(&members);
	for (size_t i = 0; i < ARRAY_SIZE(members.bits); i++)
		set->bits[i] |= members.bits[i];
	return true;
}

/* "alpha" of "[:alpha:]". */
static bool set_add_named(struct byte_set *set, const char *name, size_t len)
{
	static const struct {
		const char *name;
		int (*is)(int);
	} classes[] = {
		{ "alnum", isalnum },   { "alpha", isalpha }, { "blank", isblank },
		{ "cntrl", iscntrl },   { "digit", isdigit }, { "graph", isgraph },
		{ "lower", islower },   { "print", isprint }, { "punct", ispunct },
		{ "space", isspace },   { "upper", isupper }, { "word", is_word },
		{ "xdigit", isxdigit },
	};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (strlen(classes[i].name) == len && !strncmp(classes[i].name, name, len)) {
			set_add_if(set, classes[i].is);
			return true;
		}
	return false;
}

/* ---- steps ---- */

static bool put(struct reading *reading, struct step step)
{
	struct pattern *pattern = reading->pattern;

	if (pattern->steps.n >= STEPS_MAX)
		return false;
	*list_add(pattern->arena, &pattern->steps) = step;
	return true;
}

/* In front of the part that begins at `at`. */
static bool put_before(struct reading *reading, size_t at, struct step step)
{
	struct step *steps;

	if (!put(reading, step))
		return false;
	steps = reading->pattern->steps.items;
	memmove(steps + at + 1, steps + at, (reading->pattern->steps.n - 1 - at) * sizeof(*steps));
	steps[at] = step;
	return true;
}

static bool put_again(struct reading *reading, const struct step *part, int len)
{
	for (int i = 0; i < len; i++)
		if (!put(reading, part[i]))
			return false;
	return true;
}

static bool put_optional(struct reading *reading, const struct step *part, int len)
{
	return put(reading, (struct step){ STEP_SPLIT, 1, len + 1 }) &&
	       put_again(reading, part, len);
}

/* Any number of times: back from its end when it is there already, else around it. */
static bool put_loop(struct reading *reading, const struct step *part, int len, bool is_there)
{
	if (is_there)
		return put(reading, (struct step){ STEP_SPLIT, -len, 1 });
	return put(reading, (struct step){ STEP_SPLIT, 1, len + 2 }) &&
	       put_again(reading, part, len) &&
	       put(reading, (struct step){ STEP_JUMP, -(len + 1), 0 });
}

/* The part from `at` on is there once; afterwards min to max times. */
static bool repeat(struct reading *reading, size_t at, int min, int max)
{
	struct pattern *pattern = reading->pattern;
	size_t len = pattern->steps.n - at;
	struct step *part;
	bool good = true;

	if (!len)
		return true;
	part = arena_alloc(pattern->arena, len * sizeof(*part));
	memcpy(part, pattern->steps.items + at, len * sizeof(*part));
	pattern->steps.n = at;
	for (int i = 0; good && i < min; i++)
		good = put_again(reading, part, (int)len);
	for (int i = min; good && i < max; i++)
		good = put_optional(reading, part, (int)len);
	return good && (max != NO_MAX || put_loop(reading, part, (int)len, min > 0));
}

/* ---- reading ---- */

static bool put_set(struct reading *reading, const struct byte_set *set)
{
	return put(reading, (struct step){ .kind = STEP_BYTE, .set = *set });
}

static bool put_byte(struct reading *reading, char c)
{
	struct byte_set set = { 0 };

	set_add(&set, (unsigned char)c);
	if (reading->flags & FOLD)
		set_fold(&set);
	return put_set(reading, &set);
}

/* For a letter that means something in Go, behind a backslash or as a flag, and nothing here. */
static bool refuse_letter(struct reading *reading, char c)
{
	static const struct {
		const char *letters, *advice;
	} rows[] = {
		{ "pP", "write the letters that are meant in brackets, as [a-z]" },
		{ "Q", "put a backslash before each sign that stands for itself" },
		{ "afnrtvxC01234567", "write the character itself" },
	};

	for (size_t i = 0; c && i < ARRAY_SIZE(rows); i++)
		if (strchr(rows[i].letters, c))
			reading->advice = rows[i].advice;
	return false;
}

/* Behind a backslash, outside of brackets. */
static bool read_escape(struct reading *reading)
{
	struct byte_set set = { 0 };
	char c = *reading->in;

	if (!c)
		return false;
	reading->in++;
	switch (c) {
	case 'A': return put(reading, (struct step){ STEP_BEGIN });
	case 'z': return put(reading, (struct step){ STEP_END });
	case 'b': return put(reading, (struct step){ STEP_EDGE });
	case 'B': return put(reading, (struct step){ STEP_NO_EDGE });
	}
	if (set_add_class(&set, c))
		return put_set(reading, &set);
	return ispunct((unsigned char)c) ? put_byte(reading, c) : refuse_letter(reading, c);
}

/* One member of brackets that may begin or end a range; -1: it is none. */
static int read_member(struct reading *reading)
{
	unsigned char c = (unsigned char)*reading->in;

	if (c == '\\') {
		c = (unsigned char)reading->in[1];
		if (!ispunct(c)) {
			refuse_letter(reading, (char)c);
			return -1;
		}
		reading->in++;
	}
	if (!c || c > 127)
		return -1;
	reading->in++;
	return c;
}

static bool read_range(struct reading *reading, struct byte_set *set)
{
	int first = read_member(reading), last = first;

	if (first >= 0 && reading->in[0] == '-' && reading->in[1] != ']') {
		reading->in++;
		last = read_member(reading);
	}
	if (first < 0 || last < first)
		return false;
	for (int c = first; c <= last; c++)
		set_add(set, (unsigned char)c);
	return true;
}

/* "[:alpha:]", "\d", a letter or a range. */
static bool read_members(struct reading *reading, struct byte_set *set)
{
	const char *in = reading->in, *end;

	if (in[0] == '[' && in[1] == ':') {
		end = strstr(in + 2, ":]");
		if (!end || !set_add_named(set, in + 2, (size_t)(end - in - 2)))
			return false;
		reading->in = end + 2;
		return true;
	}
	if (in[0] == '\\' && set_add_class(set, in[1])) {
		reading->in += 2;
		return true;
	}
	return read_range(reading, set);
}

/* Behind the opening bracket. A ']' that comes first is a member. */
static bool read_bracket(struct reading *reading)
{
	struct byte_set set = { 0 };
	bool inverted = *reading->in == '^';

	reading->in += inverted;
	do {
		if (!read_members(reading, &set))
			return false;
	} while (*reading->in != ']');
	reading->in++;
	if (reading->flags & FOLD)
		set_fold(&set);
	if (inverted)
		set_invert(&set);
	return put_set(reading, &set);
}

static bool read_choice(struct reading *reading);

static unsigned flag_of(struct reading *reading, char c)
{
	switch (c) {
	case 'i': return FOLD;
	case 's': return DOT_IS_ALL;
	case 'U': return GREED;
	case 'm': reading->advice = "leave \"m\" out, there is only one line"; return 0;
	case 'P':
	case '<': reading->advice = "leave the group's name out: \"(\" alone"; return 0;
	default: return 0;
	}
}

/* Behind "(?", up to the sign that ends them: ")" leaves them on in the rest of the group around. */
static bool read_flags(struct reading *reading)
{
	bool off = false, unfinished = false;

	for (; *reading->in != ')' && *reading->in != ':'; reading->in++) {
		unsigned flag = flag_of(reading, *reading->in);

		if (*reading->in == '-' && !off) {
			off = unfinished = true;
			continue;
		}
		if (!flag)
			return false;
		reading->flags = off ? reading->flags & ~flag : reading->flags | flag;
		unfinished = false;
	}
	return !unfinished;
}

static bool is_operator(const char *in);

static bool read_group(struct reading *reading)
{
	unsigned outside = reading->flags;

	if (*reading->in == '?') {
		reading->in++;
		if (!read_flags(reading))
			return false;
		if (*reading->in++ == ')')
			return !is_operator(reading->in);
	}
	if (++reading->depth > DEPTH_MAX || !read_choice(reading) || *reading->in != ')')
		return false;
	reading->flags = outside;
	reading->depth--;
	reading->in++;
	return true;
}

static bool read_any(struct reading *reading)
{
	struct byte_set set = { 0 };

	if (!(reading->flags & DOT_IS_ALL))
		set_add(&set, '\n');
	set_invert(&set);
	return put_set(reading, &set);
}

/* A number that is too large is REPEAT_MAX + 1. */
static bool read_number(const char **in, int *number)
{
	const char *start = *in;

	*number = 0;
	for (; isdigit((unsigned char)**in); ++*in)
		if (*number <= REPEAT_MAX)
			*number = *number * 10 + (**in - '0');
	return *in > start;
}

/* "{2}", "{2,}", "{2,3}"; what looks otherwise is none, and stands for itself. */
static bool read_counts(const char **in, int *min, int *max)
{
	const char *p = *in + 1;

	if (**in != '{' || !read_number(&p, min))
		return false;
	*max = *min;
	if (*p == ',') {
		p++;
		if (!read_number(&p, max))
			*max = NO_MAX;
	}
	if (*p != '}')
		return false;
	*in = p + 1;
	return true;
}

static bool read_operator(const char **in, int *min, int *max)
{
	if (!**in || !strchr("*+?", **in))
		return read_counts(in, min, max);
	*min = **in == '+';
	*max = **in == '?' ? 1 : NO_MAX;
	++*in;
	return true;
}

static bool is_operator(const char *in)
{
	int min, max;

	return read_operator(&in, &min, &max);
}

static bool read_atom(struct reading *reading)
{
	char c = *reading->in;

	if (is_operator(reading->in))
		return false; /* it would repeat nothing */
	reading->in++;
	switch (c) {
	case '\\': return read_escape(reading);
	case '[': return read_bracket(reading);
	case '(': return read_group(reading);
	case '.': return read_any(reading);
	case '^': return put(reading, (struct step){ STEP_BEGIN });
	case '$': return put(reading, (struct step){ STEP_END });
	default: return put_byte(reading, c);
	}
}

/* Go lets nobody repeat a repetition; how greedy one is does not matter. */
static bool read_repeated(struct reading *reading)
{
	size_t at = reading->pattern->steps.n;
	int min, max;

	if (!read_atom(reading))
		return false;
	if (!read_operator(&reading->in, &min, &max))
		return true;
	if (min > REPEAT_MAX || max > REPEAT_MAX || (max != NO_MAX && max < min) ||
	    !repeat(reading, at, min, max))
		return false;
	reading->in += *reading->in == '?';
	return !is_operator(reading->in);
}

static bool read_sequence(struct reading *reading)
{
	while (*reading->in && *reading->in != '|' && *reading->in != ')')
		if (!read_repeated(reading))
			return false;
	return true;
}

/* a|b|c: split to a or behind the jump that ends it. */
static bool read_choice(struct reading *reading)
{
	size_t at = reading->pattern->steps.n, jump;
	int len;

	if (!read_sequence(reading))
		return false;
	while (*reading->in == '|') {
		reading->in++;
		len = (int)(reading->pattern->steps.n - at);
		if (!put_before(reading, at, (struct step){ STEP_SPLIT, 1, len + 2 }))
			return false;
		jump = reading->pattern->steps.n;
		if (!put(reading, (struct step){ STEP_JUMP }) || !read_sequence(reading))
			return false;
		reading->pattern->steps.items[jump].to = (int)(reading->pattern->steps.n - jump);
	}
	return true;
}

struct pattern *pattern_read(const char *text, struct arena *arena, struct error *err)
{
	struct pattern *pattern = arena_alloc(arena, sizeof(*pattern));
	struct reading reading = { .in = text, .pattern = pattern };

	pattern->arena = arena;
	if (read_choice(&reading) && !*reading.in && put(&reading, (struct step){ STEP_FOUND }))
		return pattern;
	fail(err, EINVAL, "\"%s\" is no pattern that is understood here, up to \"%.*s\"%s%s", text,
	     (int)(reading.in - text), text, reading.advice ? ": " : "",
	     reading.advice ? reading.advice : "");
	return NULL;
}
