/* See symbol.h. */
#include "policy/symbol.h"

#define SLOTS_MIN 1024

/* FNV-1a, mixed once more, since the lower bits choose the slot. */
static uint32_t hash_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return (uint32_t)(hash ^ hash >> 32);
}

/* The slot that holds the text, or the free one where it would go. */
static uint32_t *slot_of(const struct symbols *symbols, const char *text, uint32_t hash)
{
	size_t i = hash & (symbols->n_slots - 1);

	for (;; i = (i + 1) & (symbols->n_slots - 1)) {
		uint32_t *slot = &symbols->slots[i];
		const struct symbol_text *found = &symbols->texts.items[*slot];

		if (!*slot || (found->hash == hash && streq(found->text, text)))
			return slot;
	}
}

static void grow(struct symbols *symbols)
{
	symbols->n_slots = symbols->n_slots ? 4 * symbols->n_slots : SLOTS_MIN;
	symbols->slots = arena_alloc(symbols->arena, symbols->n_slots * sizeof(*symbols->slots));
	if (!symbols->texts.n)
		list_add(symbols->arena, &symbols->texts);
	for (uint32_t i = 1; i < symbols->texts.n; i++) {
		const struct symbol_text *text = &symbols->texts.items[i];

		*slot_of(symbols, text->text, text->hash) = i;
	}
}

symbol_t symbol_add(struct symbols *symbols, const char *text)
{
	uint32_t hash = hash_of(text), *slot;
	symbol_t found;

	if (symbols->texts.n * 2 >= symbols->n_slots)
		grow(symbols);
	slot = slot_of(symbols, text, hash);
	found = *slot;
	if (found)
		return found;
	*slot = (uint32_t)symbols->texts.n;
	*list_add(symbols->arena, &symbols->texts) =
		(struct symbol_text){ .text = arena_strdup(symbols->arena, text), .hash = hash };
	return *slot;
}

symbol_t symbol_find(const struct symbols *symbols, const char *text)
{
	return symbols->n_slots ? *slot_of(symbols, text, hash_of(text)) : 0;
}

const char *symbol_text(const struct symbols *symbols, symbol_t symbol)
{
	return symbol ? symbols->texts.items[symbol].text : "";
}
