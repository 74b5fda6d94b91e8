/* See set.h. ipset takes 31 characters, of which the renderer needs one; iptables 28 for a chain. */
#include "policy/set.h"

#include <sys/socket.h>

#include "base/text.h"

static const char *const words[] = {
	[SET_PODS] = "cnibox-pods-",     [SET_NODES] = "cnibox-nodes-",
	[SET_BLOCKS] = "cnibox-nets-",   [SET_PEERS] = "cnibox-peers-",
	[SET_PAIRS] = "cnibox-pairs-",   [SET_NAMED] = "cnibox-ports-",
	[SET_MEMBERS] = "cnibox-group-", [SET_SUBJECTS] = "cnibox-isol-",
	[SET_KNOWN] = "cnibox-known-",
};

const char *const group_words[] = { "CNIBOX-IN-", "CNIBOX-OUT-" };
const char *const subjects_comments[] = { "subject for ingress", "subject for egress" };

const char *set_name_of_group(enum set_kind kind, const char *group, struct arena *arena)
{
	size_t len = strlen(group);

	return arena_printf(arena, "%s%s", words[kind],
			    group + (len > NAME_HASH_LEN ? len - NAME_HASH_LEN : 0));
}

bool set_kind_of(const char *name, enum set_kind *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!has_prefix(name, words[i]))
			continue;
		*kind = (enum set_kind)i;
		return true;
	}
	return false;
}

const char *name_of(const char *word, const char *text, struct arena *arena)
{
	char hash[NAME_HASH_LEN + 1];

	sha512_hex(hash, NAME_HASH_LEN, text, NULL);
	return arena_printf(arena, "%s%s", word, hash);
}

uint32_t set_open(struct compiled *compiled, enum set_kind kind, const char *comment, bool *fresh)
{
	const char *name = name_of(words[kind], comment, compiled->arena);
	symbol_t number = symbol_add(&compiled->names, name);

	*fresh = number > compiled->sets.n;
	if (*fresh)
		*list_add(compiled->arena, &compiled->sets) = (struct set){
			.name = name,
			.comment = arena_strdup(compiled->arena, comment),
			.kind = kind,
		};
	return number - 1;
}

static void add(struct compiled *compiled, uint32_t set, const struct cidr *cidr,
		enum protocol protocol, uint16_t port)
{
	*list_add(compiled->arena, &compiled->sets.items[set].elements) =
		(struct element){ *cidr, (uint8_t)protocol, port };
}

/* No hash of ipset takes a whole family, so that no set has one: it is two halves. */
void set_add(struct compiled *compiled, uint32_t set, const struct cidr *cidr,
	     enum protocol protocol, uint16_t port)
{
	struct cidr half = { .ip.family = cidr->ip.family, .prefix = 1 };

	if (cidr->prefix) {
		add(compiled, set, cidr, protocol, port);
		return;
	}
	add(compiled, set, &half, protocol, port);
	half.ip.bytes[0] = 0x80;
	add(compiled, set, &half, protocol, port);
}

void set_add_pod(struct compiled *compiled, uint32_t set, const struct pod *pod,
		 enum protocol protocol, uint16_t port)
{
	list_each(ip, &pod->ips) {
		struct cidr cidr = cidr_host(ip);

		set_add(compiled, set, &cidr, protocol, port);
	}
}

int element_compare(const void *a, const void *b)
{
	const struct element *x = a, *y = b;
	int order = x->cidr.ip.family - y->cidr.ip.family;

	if (!order)
		order = x->cidr.prefix - y->cidr.prefix;
	if (!order)
		order = memcmp(x->cidr.ip.bytes, y->cidr.ip.bytes, sizeof(x->cidr.ip.bytes));
	if (!order)
		order = x->protocol - y->protocol;
	return order ? order : x->port - y->port;
}

/* By the first n elements. */
static bool is_covered(const struct set *set, size_t n, const struct element *element)
{
	list_each(length, &set->lengths[element->cidr.ip.family == AF_INET6]) {
		struct element wider = *element;

		if (*length >= element->cidr.prefix)
			break;
		wider.cidr.prefix = *length;
		wider.cidr = cidr_network(&wider.cidr);
		if (bsearch(&wider, set->elements.items, n, sizeof(wider), element_compare))
			return true;
	}
	return false;
}

bool set_covers(const struct set *set, const struct element *element)
{
	return is_covered(set, set->elements.n, element);
}

bool set_has_length(const struct set *set, const struct cidr *cidr)
{
	size_t low = 0, high = set->elements.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct cidr *there = &set->elements.items[middle].cidr;

		if (there->ip.family == cidr->ip.family && there->prefix == cidr->prefix)
			return true;
		if (there->ip.family < cidr->ip.family ||
		    (there->ip.family == cidr->ip.family && there->prefix < cidr->prefix))
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

void set_finish(struct compiled *compiled, uint32_t number)
{
	struct set *set = &compiled->sets.items[number];
	struct element *items = set->elements.items;
	size_t n = 0;

	if (!set->elements.n)
		return;
	qsort(items, set->elements.n, sizeof(*items), element_compare);
	for (size_t i = 0; i < set->elements.n; i++) {
		bool v6 = items[i].cidr.ip.family == AF_INET6;
		uint8_t prefix = items[i].cidr.prefix;

		if ((n && !element_compare(&items[n - 1], &items[i])) ||
		    is_covered(set, n, &items[i]))
			continue;
		items[n++] = items[i];
		if (!set->lengths[v6].n || set->lengths[v6].items[set->lengths[v6].n - 1] != prefix)
			*list_add(compiled->arena, &set->lengths[v6]) = prefix;
	}
	set->elements.n = n;
}

bool set_has(const struct set *set, const struct ip *ip, enum protocol protocol, uint16_t port)
{
	if (!ip->family || !set->elements.n)
		return false;
	list_each(length, &set->lengths[ip->family == AF_INET6]) {
		struct cidr cidr = { *ip, *length };
		struct element element = { cidr_network(&cidr), (uint8_t)protocol, port };

		if (bsearch(&element, set->elements.items, set->elements.n, sizeof(element),
			    element_compare))
			return true;
	}
	return false;
}
