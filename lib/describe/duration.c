/*
 * Durations: the text form of FIELD_DURATION. The units are those of Go's time.ParseDuration down
 * to the millisecond, plus days, since lease times are given to us in either notation.
 */
#include "describe/duration.h"

#include <ctype.h>
#include <stdio.h>

/* clang-format off */
static const struct unit {
	const char *name;
	int64_t     ms;
} units[] = {       /* from long to short: the order in which they are printed */
	{ "d",  86400000 },
	{ "h",  3600000  },
	{ "m",  60000    },
	{ "s",  1000     },
	{ "ms", 1        },
};
/* clang-format on */

/* Take the unit at *text; the end of the text means seconds, which only a bare number may leave
 * out. */
static const struct unit *take_unit(const char **text, bool bare)
{
	size_t len = strspn(*text, "abcdefghijklmnopqrstuvwxyz");

	if (!len)
		return bare && !**text ? &units[3] : NULL;
	for (const struct unit *unit = units; unit < units + ARRAY_SIZE(units); unit++) {
		if (strlen(unit->name) == len && !strncmp(*text, unit->name, len)) {
			*text += len;
			return unit;
		}
	}
	return NULL;
}

/* Digits as a number; false when there are none or too many. */
static bool take_digits(const char **text, int64_t *value)
{
	const char *start = *text;

	for (*value = 0; isdigit((unsigned char)**text); (*text)++) {
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, **text - '0', value))
			return false;
	}
	return *text > start;
}

static bool take_part(const char **text, bool first, int64_t *total)
{
	int64_t whole, fraction = 0, scale = 1, ms;
	const struct unit *unit;

	if (!take_digits(text, &whole))
		return false;
	if (**text == '.') {
		const char *start = ++*text;

		if (!take_digits(text, &fraction) || *text - start > 9)
			return false;
		for (const char *p = start; p < *text; p++)
			scale *= 10;
	}
	unit = take_unit(text, first);
	if (!unit || fraction * unit->ms % scale)
		return false;
	return !__builtin_mul_overflow(whole, unit->ms, &ms) &&
	       !__builtin_add_overflow(ms, fraction * unit->ms / scale, &ms) &&
	       !__builtin_add_overflow(*total, ms, total);
}

bool duration_parse(const char *text, int64_t *ms)
{
	bool negative = *text == '-';
	int64_t total = 0;
	bool first = true;

	text += negative;
	do {
		if (!take_part(&text, first, &total))
			return false;
		first = false;
	} while (*text);
	*ms = negative ? -total : total;
	return true;
}

const char *duration_format(int64_t ms, char text[DURATION_TEXT_SIZE])
{
	uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	size_t len = 0;

	if (!ms)
		return memcpy(text, "0s", sizeof("0s"));
	if (ms < 0)
		text[len++] = '-';
	for (const struct unit *unit = units; unit < units + ARRAY_SIZE(units); unit++) {
		uint64_t count = left / (uint64_t)unit->ms;

		left %= (uint64_t)unit->ms;
		if (count)
			len += (size_t)snprintf(text + len, DURATION_TEXT_SIZE - len, "%llu%s",
						(unsigned long long)count, unit->name);
	}
	return text;
}
