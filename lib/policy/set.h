/* Sets of a compiled node: made once for each identity, filled, and put in order. */
#ifndef POLICY_SET_H
#define POLICY_SET_H

#include "policy/compiled.h"

#define NAME_HASH_LEN 16

/* The number of the set with this comment; *fresh when it is new, and to be filled and finished. */
uint32_t set_open(struct compiled *compiled, enum set_kind kind, const char *comment, bool *fresh);
void set_add(struct compiled *compiled, uint32_t set, const struct cidr *cidr,
	     enum protocol protocol, uint16_t port);
void set_add_pod(struct compiled *compiled, uint32_t set, const struct pod *pod,
		 enum protocol protocol, uint16_t port); /* all its addresses */
/* A shorter prefix of the set has the element, with the same protocol and port. */
bool set_covers(const struct set *set, const struct element *element);
/* It has elements of that family and length. */
bool set_has_length(const struct set *set, const struct cidr *cidr);
void set_finish(struct compiled *compiled, uint32_t number);
extern const char *const group_words[];       /* before the hash, by direction: names of chains */
extern const char *const subjects_comments[]; /* of the sets, by direction */
/* The set of a group that has the same comment. */
const char *set_name_of_group(enum set_kind kind, const char *group, struct arena *arena);
/* By its name, whatever stands behind; false: it is no set of ours. */
bool set_kind_of(const char *name, enum set_kind *kind);
/* Family, prefix length, address, protocol, port: one length's elements stand together. */
int element_compare(const void *a, const void *b);
/* A hash of an unambiguous text behind a readable word: "cnibox-pods-0123456789abcdef". */
const char *name_of(const char *word, const char *text, struct arena *arena);

#endif
