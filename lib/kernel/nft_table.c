/* nf_tables, what has a name in a table besides sets: counters and chains. */
#include "kernel/nft_table.h"
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

static struct nl_msg *counter_message(struct netlink *nl, int type, int flags,
				      enum nft_family family, const char *table, const char *name,
				      const char *verb)
{
	char text[256];
	struct nl_msg *msg =
		nft_message(nl, type, flags, family, nft_label(text, verb, family, table, name));

	nla_put_string(msg, NFTA_OBJ_TABLE, table);
	if (name)
		nla_put_string(msg, NFTA_OBJ_NAME, name);
	nla_put_u32(msg, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	return msg;
}

/* One that is there keeps its numbers. */
void nft_queue_counter(struct netlink *nl, enum nft_family family, const char *table,
		       const char *name)
{
	struct nl_msg *msg = counter_message(nl, NFT_MSG_NEWOBJ, NLM_F_CREATE, family, table, name,
					     "create counter");
	struct nlattr *data = nla_nest_start(msg, NLA_F_NESTED | NFTA_OBJ_DATA);

	nla_put_u64(msg, NFTA_COUNTER_BYTES, 0);
	nla_put_u64(msg, NFTA_COUNTER_PACKETS, 0);
	nla_nest_end(msg, data);
}

void nft_queue_del_counter(struct netlink *nl, enum nft_family family, const char *table,
			   const char *name)
{
	counter_message(nl, NFT_MSG_DELOBJ, 0, family, table, name, "delete counter");
}

struct counters_dump {
	const char *table;
	struct arena *arena;
	nft_counters_t *counters;
};

static uint64_t be64_of(const struct nlattr *attr)
{
	return attr && nla_len(attr) >= 8 ? be64toh(nla_get_u64(attr)) : 0;
}

static int read_object(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct counters_dump *dump = arg;
	struct nlattr *tb[NFTA_OBJ_MAX + 1], *data[NFTA_COUNTER_MAX + 1] = { 0 };

	if (reply->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWOBJ))
		return 0;
	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb, NFTA_OBJ_MAX, NULL) <
	    0)
		return fail(err, EPROTO, "malformed counter from the kernel");
	if (!tb[NFTA_OBJ_NAME] || !nft_says(tb[NFTA_OBJ_TABLE], dump->table))
		return 0;
	if (tb[NFTA_OBJ_DATA] &&
	    nla_parse_nested(data, NFTA_COUNTER_MAX, tb[NFTA_OBJ_DATA], NULL) < 0)
		memset(data, 0, sizeof(data));
	*list_add(dump->arena, dump->counters) = (struct nft_counter_info){
		.name = nft_text(dump->arena, tb[NFTA_OBJ_NAME]),
		.packets = be64_of(data[NFTA_COUNTER_PACKETS]),
		.bytes = be64_of(data[NFTA_COUNTER_BYTES]),
	};
	return 0;
}

int nft_counters(struct netlink *nl, enum nft_family family, const char *table, struct arena *arena,
		 nft_counters_t *counters, struct error *err)
{
	struct counters_dump dump = { table, arena, counters };

	counter_message(nl, NFT_MSG_GETOBJ, 0, family, table, NULL, "list counters of table");
	netlink_tolerate(nl, ENOENT);
	counters->n = 0;
	return netlink_dump(nl, read_object, &dump, err);
}

struct chains_dump {
	const char *table;
	struct arena *arena;
	nft_chain_entries_t *entries;
};

static int read_chain(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct chains_dump *dump = arg;
	struct nlattr *tb[NFTA_CHAIN_MAX + 1];
	struct nft_chain_entry *entry;

	if (reply->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN))
		return 0;
	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb, NFTA_CHAIN_MAX,
			NULL) < 0)
		return fail(err, EPROTO, "malformed chain from the kernel");
	if (!tb[NFTA_CHAIN_NAME] || !nft_says(tb[NFTA_CHAIN_TABLE], dump->table))
		return 0;
	entry = list_add(dump->arena, dump->entries);
	entry->name = nft_text(dump->arena, tb[NFTA_CHAIN_NAME]);
	entry->comment = "";
	if (tb[NFTA_CHAIN_USERDATA])
		entry->comment = nft_comment_of(dump->arena, tb[NFTA_CHAIN_USERDATA]);
	nft_read_chain_info(tb, &entry->info);
	return 0;
}

/* The kernel filters by family only. */
int nft_chain_entries(struct netlink *nl, enum nft_family family, const char *table,
		      struct arena *arena, nft_chain_entries_t *entries, struct error *err)
{
	char text[256];
	struct chains_dump dump = { table, arena, entries };

	nft_message(nl, NFT_MSG_GETCHAIN, 0, family,
		    nft_label(text, "list chains of table", family, table, NULL));
	entries->n = 0;
	return netlink_dump(nl, read_chain, &dump, err);
}
