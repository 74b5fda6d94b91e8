/* Look-ups in sets, as the kernel makes them; see sets.h. */
#include "node/sets.h"

#include <arpa/inet.h>

/* false: the packet has no such field. */
static bool put_field(struct nft_value *key, enum nft_field field, const struct parcel *parcel,
		      const struct filter_question *question)
{
	switch (field) {
	case NFT_SOURCE: nft_value_ip(key, &parcel->src); return true;
	case NFT_DESTINATION: nft_value_ip(key, &parcel->dst); return true;
	case NFT_PROTOCOL: nft_value_protocol(key, parcel_protocol(parcel)); return true;
	case NFT_PORT: nft_value_port(key, parcel->port); return parcel->port;
	case NFT_IN_INTERFACE: nft_value_interface(key, question->in); return true;
	case NFT_OUT_INTERFACE: nft_value_interface(key, question->out); return true;
	case NFT_IN_BRIDGE:
		nft_value_interface(key, question->frame ? question->frame->bridge : "");
		return question->frame;
	case NFT_NUMBER: /* a state, in the order of bytes of this machine */
		nft_value_number(key, ntohl(filter_state(question)));
		return true;
	default: return false;
	}
}

/* Of a set of ranges of one field both ends are elements: the last one that is not behind the key decides. */
static const struct nft_element *find_range(const nft_elements_t *elements,
					    const struct nft_value *key)
{
	const struct nft_element *found = NULL;

	list_each(element, elements) {
		int order;

		if (element->key.size != key->size ||
		    memcmp(element->key.bytes, key->bytes, key->size) > 0)
			continue;
		order = found ? memcmp(element->key.bytes, found->key.bytes, key->size) : 1;
		if (order > 0 || (!order && found->closes))
			found = element;
	}
	return found && !found->closes ? found : NULL;
}

/* Every field between its ends; they are as wide as `key` has them. */
static bool in_ranges(const struct nft_element *element, const struct nft_value *key,
		      enum nft_family family, const enum nft_field fields[NFT_FIELDS])
{
	size_t at = 0;

	for (unsigned i = 0; i < NFT_FIELDS && fields[i]; i++) {
		size_t room = nft_field_room(family, fields[i]);

		if (at + room > key->size ||
		    memcmp(element->key.bytes + at, key->bytes + at, room) > 0 ||
		    memcmp(element->last.bytes + at, key->bytes + at, room) < 0)
			return false;
		at += room;
	}
	return at == key->size;
}

static const struct nft_element *find(const nft_elements_t *elements, const struct nft_value *key,
				      enum nft_family family, const enum nft_field *fields)
{
	list_each(element, elements)
		if (element->closes)
			return find_range(elements, key);
	list_each(element, elements)
		if (element->key.size == key->size &&
		    (element->last.size == key->size
			     ? in_ranges(element, key, family, fields)
			     : memcmp(element->key.bytes, key->bytes, key->size) == 0))
			return element;
	return NULL;
}

enum sets_fit sets_ask(struct netlink *nl, enum nft_family family, const char *table,
		       const struct nft_line *line, const struct parcel *parcel,
		       const struct filter_question *question, struct arena *arena,
		       const struct nft_element **element)
{
	enum nft_family own = parcel_family(parcel);

	*element = NULL;
	if (line->only && line->only != own)
		return SETS_NO;
	for (unsigned i = 0; i < line->n_sets; i++) {
		const struct nft_line_set *set = &line->sets[i];
		const struct nft_element *found;
		nft_elements_t elements = { 0 };
		struct nft_value key = { .size = 0 };

		for (unsigned n = 0; n < NFT_FIELDS && set->key[n]; n++)
			if (!put_field(&key, set->key[n], parcel, question))
				return SETS_NO;
		if (nft_elements(nl, family, table, set->name, arena, &elements, NULL) < 0)
			return SETS_UNKNOWN;
		found = find(&elements, &key, own, set->key);
		if (!found == !set->inverted)
			return SETS_NO;
		if (set->map)
			*element = found;
	}
	return SETS_YES;
}
