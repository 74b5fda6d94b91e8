/*
 * nf_tables, sets and maps: written as nft does (its numbers of types, from which `nft list` knows what to print), and
 * read. A key of several fields is their values behind each other, each filled up to a multiple of 4 bytes.
 */
#include "kernel/nft_set.h"
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>

#define VERDICT_TYPE        0xffffff00u /* NFT_DATA_VERDICT */
#define TYPE_BITS           6           /* nft joins the types of a key's fields */
#define UDATA_SET_KEY_ORDER 0           /* NFTNL_UDATA_SET_KEYBYTEORDER */
#define ALIGNED(size)       (((size) + 3) & ~(size_t)3)

/* nft's number and the size of a field. */
static uint32_t field_type(enum nft_family family, enum nft_field field, size_t *size)
{
	switch (field) {
	case NFT_SOURCE:
	case NFT_DESTINATION: *size = family == NFT_IP6 ? 16 : 4; return family == NFT_IP6 ? 8 : 7;
	case NFT_PROTOCOL: *size = 1; return 12;
	case NFT_PORT: *size = 2; return 13;
	case NFT_IN_INTERFACE:
	case NFT_OUT_INTERFACE:
	case NFT_IN_BRIDGE: *size = IFNAMSIZ; return 41;
	case NFT_NUMBER: *size = 4; return 19; /* as a mark */
	case NFT_VERDICT:
	case NFT_NO_FIELD: break;
	}
	*size = 0;
	return VERDICT_TYPE;
}

/* Type and size of fields together. A single one is not filled up. */
static uint32_t fields_type(enum nft_family family, const enum nft_field fields[NFT_FIELDS],
			    uint32_t *size)
{
	uint32_t type = 0;
	size_t one = 0;

	*size = 0;
	for (unsigned i = 0; i < NFT_FIELDS && fields[i]; i++) {
		type = type << TYPE_BITS | field_type(family, fields[i], &one);
		*size += ALIGNED(one);
	}
	if (fields[0] == NFT_VERDICT)
		return VERDICT_TYPE;
	if (!fields[1])
		*size = one;
	return type;
}

size_t nft_field_room(enum nft_family family, enum nft_field field)
{
	size_t size;

	field_type(family, field, &size);
	return ALIGNED(size);
}

static void value_add(struct nft_value *value, const void *data, size_t size)
{
	if (value->size + ALIGNED(size) > sizeof(value->bytes))
		return;
	memset(value->bytes + value->size, 0, ALIGNED(size));
	memcpy(value->bytes + value->size, data, size);
	value->size += ALIGNED(size);
}

void nft_value_ip(struct nft_value *value, const struct ip *ip)
{
	value_add(value, ip->bytes, ip_size(ip));
}

void nft_value_protocol(struct nft_value *value, uint8_t protocol)
{
	value_add(value, &protocol, 1);
}

void nft_value_port(struct nft_value *value, uint16_t port)
{
	port = htons(port);
	value_add(value, &port, sizeof(port));
}

void nft_value_interface(struct nft_value *value, const char *name)
{
	char padded[IFNAMSIZ] = "";

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	value_add(value, padded, sizeof(padded));
}

void nft_value_number(struct nft_value *value, uint32_t number)
{
	number = htonl(number);
	value_add(value, &number, sizeof(number));
}

static void value_get(const struct nft_value *value, size_t *at, void *data, size_t size)
{
	memset(data, 0, size);
	if (*at + size <= value->size)
		memcpy(data, value->bytes + *at, size);
	*at += ALIGNED(size);
}

struct ip nft_value_get_ip(const struct nft_value *value, int family, size_t *at)
{
	uint8_t bytes[16];

	value_get(value, at, bytes, family == AF_INET ? 4 : 16);
	return ip_make(family, bytes);
}

uint8_t nft_value_get_protocol(const struct nft_value *value, size_t *at)
{
	uint8_t protocol;

	value_get(value, at, &protocol, sizeof(protocol));
	return protocol;
}

uint16_t nft_value_get_port(const struct nft_value *value, size_t *at)
{
	uint16_t port;

	value_get(value, at, &port, sizeof(port));
	return ntohs(port);
}

uint32_t nft_value_get_number(const struct nft_value *value, size_t *at)
{
	uint32_t number;

	value_get(value, at, &number, sizeof(number));
	return ntohl(number);
}

const char *nft_value_get_interface(const struct nft_value *value, struct arena *arena, size_t *at)
{
	char name[IFNAMSIZ];

	value_get(value, at, name, sizeof(name));
	return arena_memdup(arena, name, strnlen(name, sizeof(name)));
}

/* Numbers of this machine, as nft has names of interfaces and marks; several fields side by side it never asks for. */
static bool is_host_order(const struct nft_set *set)
{
	return !set->key[1] &&
	       (set->key[0] == NFT_IN_INTERFACE || set->key[0] == NFT_OUT_INTERFACE ||
		set->key[0] == NFT_IN_BRIDGE || set->key[0] == NFT_NUMBER);
}

/* For nft only: without the order it does not know how to print such a key. */
static void put_set_userdata(struct nl_msg *msg, const struct nft_set *set)
{
	uint8_t data[2 + sizeof(uint32_t) + 2 + NFT_COMMENT_MAX + 1];
	const uint32_t host_order = 1;
	size_t size = 0, len = set->comment ? strnlen(set->comment, NFT_COMMENT_MAX) : 0;

	if (is_host_order(set)) {
		data[size++] = UDATA_SET_KEY_ORDER;
		data[size++] = sizeof(host_order);
		memcpy(data + size, &host_order, sizeof(host_order));
		size += sizeof(host_order);
	}
	if (len) {
		data[size++] = UDATA_SET_COMMENT;
		data[size++] = (uint8_t)(len + 1);
		memcpy(data + size, set->comment, len);
		size += len;
		data[size++] = '\0';
	}
	if (size)
		nla_put(msg, NFTA_SET_USERDATA, (int)size, data);
}

uint32_t nft_set_flags(const struct nft_set *set)
{
	return (set->data[0] ? NFT_SET_MAP : 0) | (set->ranges ? NFT_SET_INTERVAL : 0) |
	       (set->ranges && set->key[1] ? NFT_SET_CONCAT : 0);
}

uint32_t nft_set_key_type(enum nft_family family, const struct nft_set *set, uint32_t *size)
{
	return fields_type(nft_set_family(family, set), set->key, size);
}

/* Where ranges are found field by field, the kernel has to know how long each is. */
static void put_description(struct nl_msg *msg, enum nft_family family, const struct nft_set *set)
{
	struct nlattr *description, *fields, *field;
	size_t size;

	if (!(nft_set_flags(set) & NFT_SET_CONCAT))
		return;
	description = nla_nest_start(msg, NLA_F_NESTED | NFTA_SET_DESC);
	fields = nla_nest_start(msg, NLA_F_NESTED | NFTA_SET_DESC_CONCAT);
	for (unsigned i = 0; i < NFT_FIELDS && set->key[i]; i++) {
		field_type(nft_set_family(family, set), set->key[i], &size);
		field = nla_nest_start(msg, NLA_F_NESTED | NFTA_LIST_ELEM);
		nla_put_u32(msg, NFTA_SET_FIELD_LEN, htonl((uint32_t)size));
		nla_nest_end(msg, field);
	}
	nla_nest_end(msg, fields);
	nla_nest_end(msg, description);
}

void nft_queue_set(struct netlink *nl, enum nft_family family, const char *table,
		   const struct nft_set *set)
{
	static uint32_t id; /* within a transaction only */
	char text[256];
	int flags = NLM_F_CREATE | (set->must_be_new ? NLM_F_EXCL : 0);
	struct nl_msg *msg = nft_message(nl, NFT_MSG_NEWSET, flags, family,
					 nft_label(text, "create set", family, table, set->name));
	uint32_t size, type = fields_type(nft_set_family(family, set), set->key, &size);

	nla_put_string(msg, NFTA_SET_TABLE, table);
	nla_put_string(msg, NFTA_SET_NAME, set->name);
	nla_put_u32(msg, NFTA_SET_FLAGS, htonl(nft_set_flags(set)));
	nla_put_u32(msg, NFTA_SET_KEY_TYPE, htonl(type));
	nla_put_u32(msg, NFTA_SET_KEY_LEN, htonl(size));
	if (set->data[0]) {
		type = fields_type(family, set->data, &size);
		nla_put_u32(msg, NFTA_SET_DATA_TYPE, htonl(type));
		nla_put_u32(msg, NFTA_SET_DATA_LEN, htonl(size));
	}
	nla_put_u32(msg, NFTA_SET_ID, htonl(++id));
	put_description(msg, family, set);
	put_set_userdata(msg, set);
}

void nft_queue_del_set(struct netlink *nl, enum nft_family family, const char *table,
		       const char *set)
{
	char text[256];
	struct nl_msg *msg = nft_message(nl, NFT_MSG_DELSET, 0, family,
					 nft_label(text, "delete set", family, table, set));

	nla_put_string(msg, NFTA_SET_TABLE, table);
	nla_put_string(msg, NFTA_SET_NAME, set);
}

static int found_set(const struct nlmsghdr *reply unused, void *arg, struct error *err unused)
{
	*(bool *)arg = true;
	return 0;
}

void nft_queue_find_set(struct netlink *nl, enum nft_family family, const char *table,
			const char *set, bool *found)
{
	char text[256];
	struct nl_msg *msg = nft_message(nl, NFT_MSG_GETSET, 0, family,
					 nft_label(text, "look for set", family, table, set));

	*found = false;
	nla_put_string(msg, NFTA_SET_TABLE, table);
	nla_put_string(msg, NFTA_SET_NAME, set);
	netlink_tolerate(nl, ENOENT);
	netlink_expect(nl, found_set, found);
}

/* A value of one field has that field's size, without what it was filled up with. */
size_t nft_value_size(enum nft_family family, const enum nft_field fields[NFT_FIELDS],
		      const struct nft_value *value)
{
	uint32_t size;

	fields_type(family, fields, &size);
	return size <= value->size ? size : value->size;
}

void nft_put_element(struct nl_msg *msg, enum nft_family family, const struct nft_set *set,
		     const struct nft_element *element)
{
	if (set->data[0] == NFT_VERDICT)
		nft_put_verdict(msg, NFTA_SET_ELEM_DATA, element->verdict, element->chain);
	else if (set->data[0])
		nft_put_value(msg, NFTA_SET_ELEM_DATA, element->data.bytes,
			      nft_value_size(family, set->data, &element->data));
	nft_put_comment(msg, NFTA_SET_ELEM_USERDATA, element->comment);
}

/* A message about one element: its key, and element (NULL = no more than that). */
static void queue_element(struct netlink *nl, int type, int flags, enum nft_family family,
			  const char *table, const struct nft_set *set, const struct nft_value *key,
			  const struct nft_element *element, const char *label)
{
	struct nl_msg *msg = nft_message(nl, type, flags, family, label);
	struct nlattr *list, *item;

	nla_put_string(msg, NFTA_SET_ELEM_LIST_TABLE, table);
	nla_put_string(msg, NFTA_SET_ELEM_LIST_SET, set->name);
	list = nla_nest_start(msg, NLA_F_NESTED | NFTA_SET_ELEM_LIST_ELEMENTS);
	item = nla_nest_start(msg, NLA_F_NESTED | NFTA_LIST_ELEM);
	nft_put_value(msg, NFTA_SET_ELEM_KEY, key->bytes,
		      nft_value_size(nft_set_family(family, set), set->key, key));
	if (element)
		nft_put_element(msg, family, set, element);
	nla_nest_end(msg, item);
	nla_nest_end(msg, list);
}

void nft_queue_element(struct netlink *nl, enum nft_family family, const char *table,
		       const struct nft_set *set, const struct nft_element *element, bool exclusive,
		       const char *label)
{
	queue_element(nl, NFT_MSG_NEWSETELEM, NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0), family,
		      table, set, &element->key, element, label);
}

void nft_queue_del_element(struct netlink *nl, enum nft_family family, const char *table,
			   const struct nft_set *set, const struct nft_value *key,
			   const char *label)
{
	queue_element(nl, NFT_MSG_DELSETELEM, 0, family, table, set, key, NULL, label);
}

/* A value, aligned as we build them, or a verdict. */
static void read_data(struct arena *arena, struct nlattr *attr, struct nft_element *element)
{
	struct nlattr *tb[NFTA_DATA_MAX + 1], *verdict[NFTA_VERDICT_MAX + 1];

	element->data.size =
		ALIGNED(nft_value_of(attr, element->data.bytes, sizeof(element->data.bytes)));
	if (nla_parse_nested(tb, NFTA_DATA_MAX, attr, NULL) < 0 || !tb[NFTA_DATA_VERDICT] ||
	    nla_parse_nested(verdict, NFTA_VERDICT_MAX, tb[NFTA_DATA_VERDICT], NULL) < 0)
		return;
	element->verdict = (int)nft_be32(verdict[NFTA_VERDICT_CODE]);
	element->chain = nft_text(arena, verdict[NFTA_VERDICT_CHAIN]);
}

static bool read_element(struct arena *arena, struct nlattr *attr, struct nft_element *element)
{
	struct nlattr *tb[NFTA_SET_ELEM_MAX + 1];

	*element = (struct nft_element){ .verdict = INT_MAX, .chain = "", .comment = "" };
	if (nla_parse_nested(tb, NFTA_SET_ELEM_MAX, attr, NULL) < 0 || !tb[NFTA_SET_ELEM_KEY])
		return false;
	element->key.size = ALIGNED(nft_value_of(tb[NFTA_SET_ELEM_KEY], element->key.bytes,
						 sizeof(element->key.bytes)));
	element->last.size = ALIGNED(nft_value_of(tb[NFTA_SET_ELEM_KEY_END], element->last.bytes,
						  sizeof(element->last.bytes)));
	element->closes = nft_be32(tb[NFTA_SET_ELEM_FLAGS]) & NFT_SET_ELEM_INTERVAL_END;
	if (tb[NFTA_SET_ELEM_DATA])
		read_data(arena, tb[NFTA_SET_ELEM_DATA], element);
	if (tb[NFTA_SET_ELEM_USERDATA])
		element->comment = nft_comment_of(arena, tb[NFTA_SET_ELEM_USERDATA]);
	return true;
}

int nft_walk_elements(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct nft_walk *walk = arg;
	struct nlattr *tb[NFTA_SET_ELEM_LIST_MAX + 1], *item;
	struct nft_element element;
	int rest;

	if (reply->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
		return 0;
	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb,
			NFTA_SET_ELEM_LIST_MAX, NULL) < 0)
		return fail(err, EPROTO, "malformed set element from the kernel");
	if (tb[NFTA_SET_ELEM_LIST_ELEMENTS])
		nla_for_each_nested(item, tb[NFTA_SET_ELEM_LIST_ELEMENTS], rest)
			if (read_element(walk->arena, item, &element))
				walk->fn(&element, walk->arg);
	return 0;
}

static void keep_first(const struct nft_element *element, void *arg)
{
	struct nft_lookup *lookup = arg;

	if (!lookup->found)
		lookup->element = *element;
	lookup->found = true;
}

static int read_lookup(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct nft_lookup *lookup = arg;
	struct nft_walk walk = { lookup->arena, keep_first, lookup };

	return nft_walk_elements(reply, &walk, err);
}

void nft_queue_get_element(struct netlink *nl, enum nft_family family, const char *table,
			   const struct nft_set *set, const struct nft_value *key,
			   struct nft_lookup *lookup)
{
	char text[256];

	lookup->found = false;
	queue_element(nl, NFT_MSG_GETSETELEM, 0, family, table, set, key, NULL,
		      nft_label(text, "look into set", family, table, set->name));
	netlink_tolerate(nl, ENOENT);
	netlink_expect(nl, read_lookup, lookup);
}
