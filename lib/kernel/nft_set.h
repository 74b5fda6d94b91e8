/*
 * Sets and maps of nf_tables with their elements. A key, and what a map gives, is one field or several side by side;
 * elements are found by hash, so that neither a look-up nor an addition depends on how many there are. An element
 * carries a comment, which says whose it is.
 */
#ifndef KERNEL_NFT_SET_H
#define KERNEL_NFT_SET_H

#include "kernel/nft.h"

#define NFT_FIELDS     4
#define NFT_VALUE_SIZE 64 /* all fields of a key */

enum nft_field {
	NFT_NO_FIELD,
	NFT_SOURCE,        /* address; of the table's family, or what `addresses` says */
	NFT_DESTINATION,   /* address */
	NFT_PROTOCOL,      /* of transport */
	NFT_PORT,          /* of the destination */
	NFT_IN_INTERFACE,  /* name */
	NFT_OUT_INTERFACE, /* name */
	NFT_IN_BRIDGE,     /* name of the bridge that a frame came into; tables of bridges only */
	NFT_VERDICT,       /* what a verdict map gives */
	NFT_NUMBER         /* 32 bits, what a map gives that no rule looks at */
};

struct nft_set {
	const char *name;
	enum nft_field key[NFT_FIELDS]; /* up to the first NFT_NO_FIELD */
	enum nft_field
		data[NFT_FIELDS]; /* of a map; for an address and a port: DESTINATION, PORT */
	enum nft_family
		addresses; /* in a table for inet: of the first field of its key; 0 = the table's */
	uint8_t source_prefix; /* rules look at these bits of the source only; 0 = all */
	const char *comment;
	bool must_be_new; /* -EEXIST where it is there already */
	bool ranges;      /* elements may be ranges, which are found by a tree, or field by field */
};

/* Fields in order, built with nft_value_*(). */
struct nft_value {
	size_t size;
	uint8_t bytes[NFT_VALUE_SIZE];
};
void nft_value_ip(struct nft_value *value, const struct ip *ip);
void nft_value_protocol(struct nft_value *value, uint8_t protocol);
void nft_value_port(struct nft_value *value, uint16_t port);
void nft_value_interface(struct nft_value *value, const char *name);
void nft_value_number(struct nft_value *value, uint32_t number);
/* And taken apart again: the field at *at, which moves behind it; zeroes when the value is too short. */
struct ip nft_value_get_ip(const struct nft_value *value, int family, size_t *at);
uint8_t nft_value_get_protocol(const struct nft_value *value, size_t *at);
uint16_t nft_value_get_port(const struct nft_value *value, size_t *at);
uint32_t nft_value_get_number(const struct nft_value *value, size_t *at);
const char *nft_value_get_interface(const struct nft_value *value, struct arena *arena, size_t *at);

struct nft_element {
	struct nft_value key, data;
	struct nft_value last; /* of a range, of which key is the first; size 0 = none */
	bool closes; /* as read from a set of ranges of one field: the range ends in front of key */
	int verdict; /* in a verdict map: enum nft_verdict */
	const char *chain;   /* of JUMP and GOTO */
	const char *comment; /* "" or NULL = none; cut at NFT_COMMENT_MAX */
};
typedef LIST(struct nft_element) nft_elements_t;

/* The bytes that a field takes in a key: a multiple of 4. */
size_t nft_field_room(enum nft_family family, enum nft_field field);

/* Creating a set that is there already is fine when it has the same key and data, else -EEXIST. */
void nft_queue_set(struct netlink *nl, enum nft_family family, const char *table,
		   const struct nft_set *set);
/* As nft_queue_find_chain() does. */
void nft_queue_find_set(struct netlink *nl, enum nft_family family, const char *table,
			const char *set, bool *found);
void nft_queue_del_set(struct netlink *nl, enum nft_family family, const char *table,
		       const char *set);
/* exclusive: -EEXIST when the key is there; else only other data is refused, -EBUSY, and a comment is kept. */
void nft_queue_element(struct netlink *nl, enum nft_family family, const char *table,
		       const struct nft_set *set, const struct nft_element *element, bool exclusive,
		       const char *label);
/* -ENOENT when it is not there. */
void nft_queue_del_element(struct netlink *nl, enum nft_family family, const char *table,
			   const struct nft_set *set, const struct nft_value *key,
			   const char *label);
/* Queue a look-up, as nft_queue_find_chain() does. arena is where the answer's texts go. */
struct nft_lookup {
	struct arena *arena;
	bool found;
	struct nft_element element;
};
void nft_queue_get_element(struct netlink *nl, enum nft_family family, const char *table,
			   const struct nft_set *set, const struct nft_value *key,
			   struct nft_lookup *lookup);
/* Each element, in no order; a missing table or set has none. In a set of ranges of one field, both ends come alone (closes). */
typedef void nft_element_fn(const struct nft_element *element, void *arg);
int nft_each_element(struct netlink *nl, enum nft_family family, const char *table, const char *set,
		     struct arena *arena, nft_element_fn *fn, void *arg,
		     struct error *err) must_check;
/* All of them. */
int nft_elements(struct netlink *nl, enum nft_family family, const char *table, const char *set,
		 struct arena *arena, nft_elements_t *elements, struct error *err) must_check;

#endif
