/*
 * nf_tables, sets with many elements. A range in a set of one field is two elements in the kernel, its first value and,
 * marked, the one behind its last; where keys have several fields it is one element with two keys.
 */
#include "kernel/nft_elements.h"
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define FILL_SIZE 32768 /* bytes of elements in a message; a list is at most 64 KiB */
#define FILL_ROOM (FILL_SIZE + 1024)

static void fill_begin(struct nft_fill *fill)
{
	char text[256];

	fill->msg = nft_message(fill->nl, fill->gone ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
				fill->gone ? 0 : NLM_F_CREATE, fill->family,
				nft_label(text, fill->gone ? "remove from set" : "fill set",
					  fill->family, fill->table, fill->set->name));
	netlink_room(fill->nl, FILL_ROOM);
	nla_put_string(fill->msg, NFTA_SET_ELEM_LIST_TABLE, fill->table);
	nla_put_string(fill->msg, NFTA_SET_ELEM_LIST_SET, fill->set->name);
	fill->list = nla_nest_start(fill->msg, NLA_F_NESTED | NFTA_SET_ELEM_LIST_ELEMENTS);
	fill->size = nlmsg_hdr(fill->msg)->nlmsg_len;
}

void nft_fill_end(struct nft_fill *fill)
{
	if (fill->msg)
		nla_nest_end(fill->msg, fill->list);
	fill->msg = NULL;
}

static void put_key(struct nft_fill *fill, int type, const struct nft_value *value)
{
	nft_put_value(
		fill->msg, type, value->bytes,
		nft_value_size(nft_set_family(fill->family, fill->set), fill->set->key, value));
}

static void put_one(struct nft_fill *fill, const struct nft_element *element, uint32_t flags)
{
	struct nlattr *item = nla_nest_start(fill->msg, NLA_F_NESTED | NFTA_LIST_ELEM);

	if (flags)
		nla_put_u32(fill->msg, NFTA_SET_ELEM_FLAGS, htonl(flags));
	put_key(fill, NFTA_SET_ELEM_KEY, &element->key);
	if (element->last.size && fill->set->key[1])
		put_key(fill, NFTA_SET_ELEM_KEY_END, &element->last);
	if (!fill->gone)
		nft_put_element(fill->msg, fill->family, fill->set, element);
	nla_nest_end(fill->msg, item);
}

/* The value behind it; false: it is the last that there is. */
static bool value_next(enum nft_family family, const struct nft_set *set, struct nft_value *value)
{
	for (size_t i = nft_value_size(nft_set_family(family, set), set->key, value); i-- > 0;)
		if (++value->bytes[i])
			return true;
	return false;
}

void nft_fill_add(struct nft_fill *fill, const struct nft_element *element)
{
	struct nft_element end = { .key = element->last };

	if (fill->msg && nlmsg_hdr(fill->msg)->nlmsg_len - fill->size > FILL_SIZE)
		nft_fill_end(fill);
	if (!fill->msg)
		fill_begin(fill);
	put_one(fill, element, 0);
	if (element->last.size && !fill->set->key[1] &&
	    value_next(fill->family, fill->set, &end.key))
		put_one(fill, &end, NFT_SET_ELEM_INTERVAL_END);
}

/* A removal without a list is of all. */
void nft_queue_flush_set(struct netlink *nl, enum nft_family family, const char *table,
			 const char *set)
{
	char text[256];
	struct nl_msg *msg = nft_message(nl, NFT_MSG_DELSETELEM, 0, family,
					 nft_label(text, "flush set", family, table, set));

	nla_put_string(msg, NFTA_SET_ELEM_LIST_TABLE, table);
	nla_put_string(msg, NFTA_SET_ELEM_LIST_SET, set);
}

/* ---- reading ---- */

struct sets_dump {
	const char *table;
	struct arena *arena;
	nft_set_infos_t *sets;
};

/* Types of user data differ between sets and the rest. */
static const char *set_comment(struct arena *arena, struct nlattr *userdata)
{
	const uint8_t *data = userdata ? nla_data(userdata) : NULL;
	size_t left = userdata ? (size_t)nla_len(userdata) : 0;

	while (left >= 2 && data[1] <= left - 2) {
		if (data[0] == UDATA_SET_COMMENT)
			return arena_memdup(arena, data + 2,
					    strnlen((const char *)data + 2, data[1]));
		left -= 2 + (size_t)data[1];
		data += 2 + data[1];
	}
	return "";
}

static int read_set(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct sets_dump *dump = arg;
	struct nlattr *tb[NFTA_SET_MAX + 1];

	if (reply->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET))
		return 0;
	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb, NFTA_SET_MAX, NULL) <
	    0)
		return fail(err, EPROTO, "malformed set from the kernel");
	if (!tb[NFTA_SET_NAME] || !nft_says(tb[NFTA_SET_TABLE], dump->table))
		return 0;
	*list_add(dump->arena, dump->sets) = (struct nft_set_info){
		.name = nft_text(dump->arena, tb[NFTA_SET_NAME]),
		.comment = set_comment(dump->arena, tb[NFTA_SET_USERDATA]),
		.flags = nft_be32(tb[NFTA_SET_FLAGS]),
		.key_type = nft_be32(tb[NFTA_SET_KEY_TYPE]),
		.key_size = nft_be32(tb[NFTA_SET_KEY_LEN]),
	};
	return 0;
}

int nft_sets(struct netlink *nl, enum nft_family family, const char *table, struct arena *arena,
	     nft_set_infos_t *sets, struct error *err)
{
	char text[256];
	struct sets_dump dump = { table, arena, sets };
	struct nl_msg *msg =
		nft_message(nl, NFT_MSG_GETSET, 0, family,
			    nft_label(text, "list sets of table", family, table, NULL));

	nla_put_string(msg, NFTA_SET_TABLE, table);
	netlink_tolerate(nl, ENOENT);
	sets->n = 0;
	return netlink_dump(nl, read_set, &dump, err);
}

bool nft_set_is(const struct nft_set_info *info, enum nft_family family, const struct nft_set *set)
{
	uint32_t size = 0, type = nft_set_key_type(family, set, &size);

	return info->flags == nft_set_flags(set) && info->key_type == type &&
	       info->key_size == size;
}

int nft_each_element(struct netlink *nl, enum nft_family family, const char *table, const char *set,
		     struct arena *arena, nft_element_fn *fn, void *arg, struct error *err)
{
	char text[256];
	struct nft_walk walk = { arena, fn, arg };
	struct nl_msg *msg = nft_message(nl, NFT_MSG_GETSETELEM, 0, family,
					 nft_label(text, "list set", family, table, set));

	nla_put_string(msg, NFTA_SET_ELEM_LIST_TABLE, table);
	nla_put_string(msg, NFTA_SET_ELEM_LIST_SET, set);
	netlink_tolerate(nl, ENOENT);
	return netlink_dump(nl, nft_walk_elements, &walk, err);
}

struct kept {
	struct arena *arena;
	nft_elements_t *elements;
};

static void keep(const struct nft_element *element, void *arg)
{
	const struct kept *kept = arg;

	*list_add(kept->arena, kept->elements) = *element;
}

int nft_elements(struct netlink *nl, enum nft_family family, const char *table, const char *set,
		 struct arena *arena, nft_elements_t *elements, struct error *err)
{
	struct kept kept = { arena, elements };

	elements->n = 0;
	return nft_each_element(nl, family, table, set, arena, keep, &kept, err);
}
