/*
 * Labels and selectors. A label is its key and the word "key=value", both as symbols; a selector is a list of
 * requirements that all have to hold, written down in one canonical text ("app=web,tier in (a,b),!old"), so that equal
 * selectors have the same symbol. The empty selector matches everything; its text is "".
 */
#ifndef POLICY_LABEL_H
#define POLICY_LABEL_H

#include "policy/symbol.h"

struct label {
	symbol_t key, pair;
};
typedef LIST(struct label) labels_t;

enum selector_op { SELECTOR_IN, SELECTOR_NOT_IN, SELECTOR_EXISTS, SELECTOR_DOES_NOT_EXIST };

struct requirement {
	enum selector_op op;
	symbol_t key;
	LIST(symbol_t) pairs; /* IN, NOT_IN: sorted, each once */
};

struct selector {
	LIST(struct requirement) requirements;
	symbol_t text;
};

/* The label key=value. */
struct label label_make(struct symbols *symbols, const char *key, const char *value);
const struct label *label_find(const labels_t *labels, symbol_t key);
/* NOT_IN and DOES_NOT_EXIST hold for what lacks the key. */
bool requirement_holds(const struct requirement *requirement, const labels_t *labels);
bool selector_matches(const struct selector *selector, const labels_t *labels);
/* Call when all requirements are there: puts them in order and writes the text. */
void selector_finish(struct selector *selector, struct symbols *symbols);
bool selector_is_empty(const struct selector *selector);

#endif
