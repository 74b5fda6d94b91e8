/* Lint's guess at what a selector that finds nothing was meant to say. */
#include "policy/lint_internal.h"

#include "base/text.h"

#define WORD_MIN 2 /* letters; shorter ones are all alike */

/* All labels of pods, or of namespaces. */
struct guess {
	const struct world *world;
	bool spaces;
	struct arena *arena;
	const char **words;
	size_t n;
	bool *seen;      /* by symbol */
	symbol_t key;    /* 0: keys are wanted; else pairs of this one */
	symbol_t wanted; /* and whether this is among them */
	bool there;
};

/* A key; or, of a pair, the value: long keys would make all pairs look alike. */
static const char *word_of(const struct guess *guess, symbol_t symbol)
{
	const char *text = symbol_text(&guess->world->symbols, symbol);

	return guess->key ? strchr(text, '=') + 1 : text;
}

static void take(struct guess *guess, const labels_t *labels)
{
	list_each(label, labels) {
		symbol_t word = guess->key ? label->pair : label->key;

		if (guess->key && label->key != guess->key)
			continue;
		guess->there = guess->there || word == guess->wanted;
		if (!guess->seen[word])
			guess->words[guess->n++] = word_of(guess, word);
		guess->seen[word] = true;
	}
}

static void look(struct guess *guess, symbol_t key, symbol_t wanted)
{
	size_t n = guess->world->symbols.texts.n;

	guess->seen = arena_alloc(guess->arena, n * sizeof(*guess->seen));
	guess->words = arena_alloc(guess->arena, n * sizeof(*guess->words));
	guess->n = 0;
	guess->key = key;
	guess->wanted = wanted;
	guess->there = false;
	if (guess->spaces)
		list_each(space, &guess->world->spaces)
			take(guess, &space->labels);
	else
		list_each(pod, &guess->world->pods)
			if (pod_takes_part(pod))
				take(guess, &pod->labels);
}

/* The word that is there and most like the one that is not; NULL: none is, or the word is there. */
static const char *like(struct guess *guess, symbol_t key, symbol_t wanted)
{
	const char *word;

	look(guess, key, wanted);
	word = word_of(guess, wanted);
	return guess->there || strlen(word) < WORD_MIN ? NULL
						       : nearest_word(word, guess->words, guess->n);
}

const char *lint_hint(struct lint *lint, const struct selector *selector, bool spaces)
{
	auto_arena struct arena scratch = { 0 };
	struct guess guess = { .world = lint->world, .spaces = spaces, .arena = &scratch };

	list_each(requirement, &selector->requirements) {
		const char *word = NULL;

		if (requirement->op != SELECTOR_IN && requirement->op != SELECTOR_EXISTS)
			continue;
		word = like(&guess, 0, requirement->key);
		if (!word && guess.there && requirement->pairs.n == 1)
			word = like(&guess, requirement->key, requirement->pairs.items[0]);
		if (word)
			return arena_printf(lint->arena, "; did you mean \"%s\"?", word);
	}
	return "";
}
