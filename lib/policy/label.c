/* See label.h. */
#include "policy/label.h"

#include <stdio.h>

#include "base/text.h"
#include <stdlib.h>

struct label label_make(struct symbols *symbols, const char *key, const char *value)
{
	char small[512], *pair = small;
	size_t size = strlen(key) + strlen(value) + 2;
	struct label label;

	if (size > sizeof(small))
		pair = xrealloc(NULL, size);
	stpcpy(stpcpy(stpcpy(pair, key), "="), value);
	label = (struct label){ .key = symbol_add(symbols, key),
				.pair = symbol_add(symbols, pair) };
	if (pair != small)
		free(pair);
	return label;
}

const struct label *label_find(const labels_t *labels, symbol_t key)
{
	list_each(label, labels)
		if (label->key == key)
			return label;
	return NULL;
}

bool requirement_holds(const struct requirement *requirement, const labels_t *labels)
{
	const struct label *label = label_find(labels, requirement->key);
	bool among = false;

	if (requirement->op == SELECTOR_EXISTS)
		return label;
	if (requirement->op == SELECTOR_DOES_NOT_EXIST)
		return !label;
	list_each(pair, &requirement->pairs)
		among = among || (label && *pair == label->pair);
	return among == (requirement->op == SELECTOR_IN);
}

bool selector_matches(const struct selector *selector, const labels_t *labels)
{
	list_each(requirement, &selector->requirements)
		if (!requirement_holds(requirement, labels))
			return false;
	return true;
}

bool selector_is_empty(const struct selector *selector)
{
	return !selector->requirements.n;
}

/* ---- the canonical text ---- */

static int compare_symbols(const void *a, const void *b, void *symbols)
{
	return strcmp(symbol_text(symbols, *(const symbol_t *)a),
		      symbol_text(symbols, *(const symbol_t *)b));
}

static void sort_pairs(struct requirement *requirement, struct symbols *symbols)
{
	symbol_t *pairs = requirement->pairs.items;
	size_t n = 0;

	if (!requirement->pairs.n)
		return;
	qsort_r(pairs, requirement->pairs.n, sizeof(*pairs), compare_symbols, symbols);
	for (size_t i = 0; i < requirement->pairs.n; i++)
		if (!n || pairs[n - 1] != pairs[i])
			pairs[n++] = pairs[i];
	requirement->pairs.n = n;
}

/* "key in (a,b)" */
static const char *values_text(const struct requirement *requirement, const char *key,
			       const struct symbols *symbols, struct arena *arena)
{
	auto_free char *text = NULL;
	size_t size = 0;
	FILE *out = text_stream(&text, &size);

	fprintf(out, "%s %s (", key, requirement->op == SELECTOR_IN ? "in" : "notin");
	list_each(pair, &requirement->pairs)
		fprintf(out, "%s%s", pair == requirement->pairs.items ? "" : ",",
			symbol_text(symbols, *pair) + strlen(key) + 1);
	fputc(')', out);
	fclose(out);
	return arena_strdup(arena, text);
}

/* Keys and values hold none of the characters that stand between them. */
static const char *requirement_text(const struct requirement *requirement,
				    const struct symbols *symbols, struct arena *arena)
{
	const char *key = symbol_text(symbols, requirement->key), *pair;

	if (requirement->op == SELECTOR_EXISTS)
		return key;
	if (requirement->op == SELECTOR_DOES_NOT_EXIST)
		return arena_printf(arena, "!%s", key);
	if (requirement->pairs.n != 1)
		return values_text(requirement, key, symbols, arena);
	pair = symbol_text(symbols, requirement->pairs.items[0]);
	if (requirement->op == SELECTOR_IN)
		return pair;
	return arena_printf(arena, "%s!=%s", key, pair + strlen(key) + 1);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void selector_finish(struct selector *selector, struct symbols *symbols)
{
	auto_arena struct arena scratch = { 0 };
	LIST(const char *) texts = { 0 };
	const char *last = "";
	char *text, *end;
	size_t size = 1;

	list_each(requirement, &selector->requirements) {
		sort_pairs(requirement, symbols);
		*list_add(&scratch, &texts) = requirement_text(requirement, symbols, &scratch);
	}
	if (texts.n)
		qsort(texts.items, texts.n, sizeof(*texts.items), compare_texts);
	list_each(part, &texts)
		size += strlen(*part) + 1;
	end = text = arena_alloc(&scratch, size);
	list_each(part, &texts) {
		if (!streq(*part, last))
			end = stpcpy(stpcpy(end, end == text ? "" : ","), *part);
		last = *part;
	}
	selector->text = texts.n ? symbol_add(symbols, text) : 0;
}
