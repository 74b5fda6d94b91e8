/* Small text helpers: digests used in names, base64, nearest word. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdio.h>

#include "base/arena.h"

/* The first len lower-case hex digits of SHA-512 over the concatenated NULL-terminated list of parts.
 * out holds len + 1 bytes; len <= 128. Used for the reference plugins' derived names. */
void sha512_hex(char *out, size_t len, const char *first, ...) __attribute__((sentinel));

char *base64_encode(struct arena *arena, const void *data, size_t size);
/* NULL, and size 0, when the text is no base64 (RFC 4648, padding required). */
char *base64_decode(struct arena *arena, const char *text, size_t *size);

/* For a URL: everything but letters, digits and -._~ as %XX. */
char *url_escape(struct arena *arena, const char *text);

/* For a shell that it is pasted into: as it is, or quoted where that is needed. */
const char *shell_word(struct arena *arena, const char *text);

/* The candidate nearest to word (edit distance, at most a third of its length, at least 1), or NULL. */
const char *nearest_word(const char *word, const char *const *candidates, size_t n);
/* Is it among the words? They end with NULL. */
bool is_one_of(const char *word, const char *const *words);

/* Control characters become '?', in place: a name made by somebody else must not steer a terminal. */
void text_mask(char *text);

/* What stands behind `before` in text, up to `after` or the end; NULL when `before` is not there, or nothing is between. */
char *text_between(struct arena *arena, const char *text, const char *before, const char *after);

/* open_memstream(3) that cannot fail. */
FILE *text_stream(char **text, size_t *size);

/* Words to be looked up: sort them once, and then ask. */
typedef LIST(const char *) words_t;
void words_sort(words_t *words);
bool words_have(const words_t *words, const char *word);

bool has_prefix(const char *text, const char *prefix);
bool has_suffix(const char *text, const char *suffix);

#endif
