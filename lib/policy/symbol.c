/* See symbol.h. */
#include "policy/symbol.h"

#include <sys/random.h>
#include <time.h>

#define SLOTS_MIN 1024

/* ---- the hash ---- */

static uint64_t turn(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = turn(v[1], 13) ^ v[0];
	v[3] = turn(v[3], 16) ^ v[2];
	v[0] = turn(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = turn(v[1], 17) ^ v[2];
	v[3] = turn(v[3], 21) ^ v[0];
	v[2] = turn(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

/* SipHash (Aumasson and Bernstein, 2012) with one round for a word and three at the end. */
static uint32_t hash_of(const struct symbols *symbols, const char *text)
{
	size_t len = strlen(text), rest = len % 8;
	uint64_t v[4] = { symbols->secret[0] ^ 0x736f6d6570736575,
			  symbols->secret[1] ^ 0x646f72616e646f6d,
			  symbols->secret[0] ^ 0x6c7967656e657261,
			  symbols->secret[1] ^ 0x7465646279746573 };
	uint64_t word;

	for (const char *at = text; at < text + len - rest; at += 8) {
		memcpy(&word, at, 8);
		sip_word(v, word);
	}
	word = 0;
	memcpy(&word, text + len - rest, rest);
	sip_word(v, word | (uint64_t)len << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	word = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t)(word ^ word >> 32);
}

/* A kernel that is not yet sure of its numbers has the time, which nobody knows to the nanosecond. */
static void choose_secret(struct symbols *symbols)
{
	struct timespec now;

	if (getrandom(symbols->secret, sizeof(symbols->secret), GRND_NONBLOCK) ==
	    sizeof(symbols->secret))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	symbols->secret[0] = (uint64_t)now.tv_nsec ^ (uintptr_t)symbols;
	symbols->secret[1] = (uint64_t)now.tv_sec;
}

/* ---- the table ---- */

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
	if (!symbols->n_slots)
		choose_secret(symbols);
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
	uint32_t hash, *slot;
	symbol_t found;

	if (symbols->texts.n * 2 >= symbols->n_slots)
		grow(symbols);
	hash = hash_of(symbols, text);
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
	return symbols->n_slots ? *slot_of(symbols, text, hash_of(symbols, text)) : 0;
}

const char *symbol_text(const struct symbols *symbols, symbol_t symbol)
{
	return symbol ? symbols->texts.items[symbol].text : "";
}
