/* See yaml_word.h. */
#include "describe/yaml_word.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "base/text.h"

static const char *const words_null[] = { "", "~", "null", "Null", "NULL", NULL };
static const char *const words_true[] = { "true", "True", "TRUE", "yes", "Yes",
					  "YES",  "on",   "On",   "ON",  NULL };
static const char *const words_false[] = { "false", "False", "FALSE", "no",  "No",
					   "NO",    "off",   "Off",   "OFF", NULL };
/* The digits without '_' between them; false when there is none, or one that the base does not have. */
static bool digits_of(const char *word, int base, char digits[64])
{
	size_t n = 0;

	for (; *word; word++) {
		if (*word == '_')
			continue;
		if (!isxdigit((unsigned char)*word) || n == 63)
			return false;
		if ((isdigit((unsigned char)*word) ? *word - '0' : 10) >= base)
			return false;
		digits[n++] = *word;
	}
	digits[n] = '\0';
	return n > 0;
}

static bool read_int(const char *word, int64_t *value)
{
	const char *rest = word + (*word == '-' || *word == '+');
	int base = 10;
	char digits[66];

	if (!isdigit((unsigned char)*rest))
		return false;
	if (rest[0] == '0' && rest[1]) {
		char kind = rest[1];

		base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
		rest += kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1;
	}
	digits[0] = *word == '-' ? '-' : '+';
	if (!digits_of(rest, base, digits + 1))
		return false;
	errno = 0;
	*value = strtoll(digits, NULL, base);
	return errno == 0;
}

/* Digits with a point or an exponent, nothing else that strtod() would take (infinity, hexadecimal). */
static bool read_real(const char *word, double *value)
{
	char *end;

	if (!strpbrk(word, "0123456789") || word[strspn(word, "0123456789+-.eE")] ||
	    isalpha((unsigned char)*word))
		return false;
	*value = strtod(word, &end);
	return !*end && isfinite(*value);
}

/* Infinity and what is no number have no place in JSON: they are strings, which no number's place takes. */
struct json *yaml_word(const char *word)
{
	int64_t number;
	double real;

	if (is_one_of(word, words_null))
		return json_new_null();
	if (is_one_of(word, words_true) || is_one_of(word, words_false))
		return json_new_bool(is_one_of(word, words_true));
	if (read_int(word, &number))
		return json_new_int(number);
	if (read_real(word, &real))
		return json_new_real(real);
	return json_new_string(word);
}
