/* Small text helpers: digests used in names, base64, nearest word. */
#include "base/text.h"

#include <ctype.h>
#include <sha512.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WORD_MAX 63 /* longer words have no near one */

static const char base64_letters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sha512_hex(char *out, size_t len, const char *first, ...)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[SHA512_DIGEST_LENGTH];
	SHA512_CTX context;
	va_list parts;

	SHA512Init(&context);
	va_start(parts, first);
	for (const char *part = first; part; part = va_arg(parts, const char *))
		SHA512Update(&context, (const uint8_t *)part, strlen(part));
	va_end(parts);
	SHA512Final(digest, &context);
	len = len > 2 * sizeof(digest) ? 2 * sizeof(digest) : len;
	for (size_t i = 0; i < len; i++)
		out[i] = digits[i % 2 ? digest[i / 2] & 15 : digest[i / 2] >> 4];
	out[len] = '\0';
}

char *base64_encode(struct arena *arena, const void *data, size_t size)
{
	const uint8_t *in = data;
	char *text, *out;

	text = out = arena_alloc(arena, (size / 3 + 1) * 4 + 1);
	for (size_t i = 0; i < size; i += 3) {
		uint8_t group[3] = { 0 };

		memcpy(group, in + i, size - i < 3 ? size - i : 3);
		*out++ = base64_letters[group[0] >> 2];
		*out++ = base64_letters[(group[0] & 3) << 4 | group[1] >> 4];
		*out++ = i + 1 < size ? base64_letters[(group[1] & 15) << 2 | group[2] >> 6] : '=';
		*out++ = i + 2 < size ? base64_letters[group[2] & 63] : '=';
	}
	return text;
}

static int base64_value(char c)
{
	const char *at = c ? strchr(base64_letters, c) : NULL;

	return at ? (int)(at - base64_letters) : -1;
}

/* Four letters to at most three bytes; the number of bytes, or -1. Bits that padding leaves over must be zero. */
static int base64_group(const char *in, bool last, char *out)
{
	int v[4], n = 3;

	if (last && in[3] == '=')
		n = in[2] == '=' ? 1 : 2;
	for (int i = 0; i < 4; i++) {
		v[i] = i > n ? 0 : base64_value(in[i]);
		if (v[i] < 0)
			return -1;
	}
	if ((n == 1 && v[1] & 15) || (n == 2 && v[2] & 3))
		return -1;
	out[0] = (char)(v[0] << 2 | v[1] >> 4);
	if (n > 1)
		out[1] = (char)(v[1] << 4 | v[2] >> 2);
	if (n > 2)
		out[2] = (char)(v[2] << 6 | v[3]);
	return n;
}

char *base64_decode(struct arena *arena, const char *text, size_t *size)
{
	size_t len = strlen(text), done = 0;
	char *out;

	*size = 0;
	if (len % 4)
		return NULL;
	out = arena_alloc(arena, len / 4 * 3 + 1);
	for (size_t i = 0; i < len; i += 4) {
		int n = base64_group(text + i, i + 4 == len, out + done);

		if (n < 0)
			return NULL;
		done += (size_t)n;
	}
	*size = done;
	return out;
}

const char *shell_word(struct arena *arena, const char *text)
{
	static const char bare[] = "%+,-./:=@_"
				   "0123456789"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char *word, *to;

	if (*text && !text[strspn(text, bare)])
		return text;
	word = to = arena_alloc(arena, 4 * strlen(text) + 3);
	*to++ = '\'';
	for (; *text; text++) {
		if (*text == '\'')
			to = stpcpy(to, "'\\'");
		*to++ = *text;
	}
	stpcpy(to, "'");
	return word;
}

char *url_escape(struct arena *arena, const char *text)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	char *out = arena_alloc(arena, strlen(text) * 3 + 1), *end = out;

	for (; *text; text++) {
		if (strchr(plain, *text))
			*end++ = *text;
		else
			end += sprintf(end, "%%%02X", (unsigned char)*text);
	}
	return out;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/*
 * Edit distance without regard to case, both words at most WORD_MAX long. Two neighbours that changed places count as
 * one edit: the most frequent slip of fingers.
 */
static unsigned word_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2], *spare;
	size_t len = strlen(b);

	for (unsigned j = 0; j <= len; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		spare = before;
		before = above;
		above = row;
		row = spare;
		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			row[j] = min3(above[j] + 1, row[j - 1] + 1,
				      above[j - 1] + !same_letter(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				row[j] = min3(row[j], row[j], before[j - 2] + 1);
		}
	}
	return row[len];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strlen(word);
	unsigned best = len < 6 ? 1 : (unsigned)len / 3, distance;
	const char *nearest = NULL;

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (strlen(candidates[i]) > WORD_MAX)
			continue;
		distance = word_distance(word, candidates[i]);
		if (distance < best || (distance == best && !nearest)) {
			best = distance;
			nearest = candidates[i];
		}
	}
	return nearest;
}

/* Terminals take the C1 controls (U+0080 to U+009F, two bytes in UTF-8) for ESC and a letter. */
void text_mask(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			*p++ = '?', *p = '?';
		else if (iscntrl(*p))
			*p = '?';
	}
}

char *text_between(struct arena *arena, const char *text, const char *before, const char *after)
{
	const char *start = strstr(text, before), *end;

	if (!start)
		return NULL;
	start += strlen(before);
	end = *after ? strstr(start, after) : NULL;
	if (!end)
		end = start + strlen(start);
	return end > start ? arena_printf(arena, "%.*s", (int)(end - start), start) : NULL;
}

FILE *text_stream(char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);

	if (!out)
		out_of_memory();
	return out;
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void words_sort(words_t *words)
{
	if (words->n)
		qsort(words->items, words->n, sizeof(*words->items), compare_words);
}

bool words_have(const words_t *words, const char *word)
{
	return words->n &&
	       bsearch(&word, words->items, words->n, sizeof(*words->items), compare_words);
}

bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (streq(word, *words))
			return true;
	return false;
}

bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text), suffix_len = strlen(suffix);

	return len >= suffix_len && streq(text + len - suffix_len, suffix);
}
