/*
 * nf_tables, the reading half: dumps of rules and chains. Rules are understood as far as the plugins' own need it:
 * addresses, verdict, masquerade, comment. The iptables-nft programs write the same expressions, except for their
 * comment and MASQUERADE, which are xtables extensions wrapped in "match" and "target" (1.8.9; other releases use
 * the native forms, so both are read). What is not understood is skipped.
 */
#include "kernel/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#define UDATA_COMMENT 0

struct rules_dump {
	const char *chain;
	struct arena *arena;
	nft_rules_t *rules;
};

/* The register as the expressions so far left it. */
struct load {
	enum { LOAD_OTHER, LOAD_NFPROTO, LOAD_NETWORK, LOAD_IIFNAME } what;
	uint32_t offset, size;
	uint8_t mask[16];
};

struct rule_reader {
	struct arena *arena;
	struct nft_rule_info *info;
	struct load load;
	int nfproto;
};

static uint32_t get_be32(struct nlattr *attr)
{
	return attr && nla_len(attr) >= 4 ? ntohl(nla_get_u32(attr)) : 0;
}

/* A string attribute, its NUL missing or not. */
static const char *get_text(struct arena *arena, struct nlattr *attr)
{
	return attr ? arena_memdup(arena, nla_data(attr), strnlen(nla_data(attr), nla_len(attr)))
		    : "";
}

static bool names(struct nlattr *attr, const char *name)
{
	size_t size = strlen(name) + 1;

	return attr && (size_t)nla_len(attr) >= size - 1 &&
	       strncmp(nla_data(attr), name, nla_len(attr)) == 0;
}

static size_t get_value(struct nlattr *attr, uint8_t value[16])
{
	struct nlattr *tb[NFTA_DATA_MAX + 1];
	size_t size;

	if (!attr || nla_parse_nested(tb, NFTA_DATA_MAX, attr, NULL) < 0 || !tb[NFTA_DATA_VALUE])
		return 0;
	size = nla_len(tb[NFTA_DATA_VALUE]);
	if (size > 16)
		return 0;
	memcpy(value, nla_data(tb[NFTA_DATA_VALUE]), size);
	return size;
}

static const char *user_comment(struct arena *arena, struct nlattr *attr)
{
	const uint8_t *data = nla_data(attr);
	size_t left = nla_len(attr);

	while (left >= 2 && data[1] <= left - 2) {
		if (data[0] == UDATA_COMMENT)
			return arena_memdup(arena, data + 2,
					    strnlen((const char *)data + 2, data[1]));
		left -= 2 + data[1];
		data += 2 + data[1];
	}
	return "";
}

static void read_meta(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_META_MAX + 1];

	reader->load = (struct load){ LOAD_OTHER };
	if (nla_parse_nested(tb, NFTA_META_MAX, data, NULL) < 0 || !tb[NFTA_META_KEY])
		return;
	if (get_be32(tb[NFTA_META_KEY]) == NFT_META_NFPROTO)
		reader->load.what = LOAD_NFPROTO;
	else if (get_be32(tb[NFTA_META_KEY]) == NFT_META_IIFNAME)
		reader->load.what = LOAD_IIFNAME;
}

static void read_payload(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_PAYLOAD_MAX + 1];
	struct load *load = &reader->load;

	*load = (struct load){ LOAD_OTHER };
	if (nla_parse_nested(tb, NFTA_PAYLOAD_MAX, data, NULL) < 0 || !tb[NFTA_PAYLOAD_BASE] ||
	    get_be32(tb[NFTA_PAYLOAD_BASE]) != NFT_PAYLOAD_NETWORK_HEADER)
		return;
	load->offset = get_be32(tb[NFTA_PAYLOAD_OFFSET]);
	load->size = get_be32(tb[NFTA_PAYLOAD_LEN]);
	if (load->size > sizeof(load->mask))
		return;
	load->what = LOAD_NETWORK;
	memset(load->mask, 0xff, load->size);
}

static void read_bitwise(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_BITWISE_MAX + 1];
	struct load *load = &reader->load;

	if (nla_parse_nested(tb, NFTA_BITWISE_MAX, data, NULL) < 0 ||
	    get_value(tb[NFTA_BITWISE_MASK], load->mask) != load->size)
		load->what = LOAD_OTHER;
}

/* Leading ones, or -1 when others follow a zero. */
static int mask_prefix(const struct load *load)
{
	unsigned prefix = 0, bits = load->size * 8;

	while (prefix < bits && load->mask[prefix / 8] & 0x80 >> prefix % 8)
		prefix++;
	for (unsigned bit = prefix; bit < bits; bit++)
		if (load->mask[bit / 8] & 0x80 >> bit % 8)
			return -1;
	return prefix;
}

static void read_addr(struct rule_reader *reader, enum nft_op op, const uint8_t *value)
{
	bool is_v4 = reader->nfproto == NFPROTO_IPV4;
	uint32_t offset = reader->load.offset;
	bool source = offset == (is_v4 ? 12 : 8);
	int prefix = mask_prefix(&reader->load);
	struct nft_addr_match match = { .op = op };

	if ((!is_v4 && reader->nfproto != NFPROTO_IPV6) ||
	    (!source && offset != (is_v4 ? 16 : 24)) || prefix < 0 || prefix > (is_v4 ? 32 : 128))
		return;
	match.cidr = (struct cidr){ ip_make(is_v4 ? AF_INET : AF_INET6, value), prefix };
	*(source ? &reader->info->source : &reader->info->destination) = match;
}

static void read_cmp(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_CMP_MAX + 1];
	uint8_t value[16] = { 0 };
	size_t size;
	uint32_t op;

	if (nla_parse_nested(tb, NFTA_CMP_MAX, data, NULL) < 0)
		return;
	op = get_be32(tb[NFTA_CMP_OP]);
	size = get_value(tb[NFTA_CMP_DATA], value);
	if (reader->load.what == LOAD_NFPROTO && size == 1 && op == NFT_CMP_EQ)
		reader->nfproto = value[0];
	if (reader->load.what == LOAD_IIFNAME && op == NFT_CMP_EQ)
		memcpy(reader->info->in_interface, value, sizeof(reader->info->in_interface) - 1);
	if (reader->load.what == LOAD_NETWORK && size == reader->load.size &&
	    (op == NFT_CMP_EQ || op == NFT_CMP_NEQ))
		read_addr(reader, op == NFT_CMP_EQ ? NFT_IS : NFT_IS_NOT, value);
}

static void read_immediate(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_IMMEDIATE_MAX + 1], *value[NFTA_DATA_MAX + 1],
		*verdict[NFTA_VERDICT_MAX + 1];

	if (nla_parse_nested(tb, NFTA_IMMEDIATE_MAX, data, NULL) < 0 || !tb[NFTA_IMMEDIATE_DATA] ||
	    nla_parse_nested(value, NFTA_DATA_MAX, tb[NFTA_IMMEDIATE_DATA], NULL) < 0 ||
	    !value[NFTA_DATA_VERDICT] ||
	    nla_parse_nested(verdict, NFTA_VERDICT_MAX, value[NFTA_DATA_VERDICT], NULL) < 0)
		return;
	reader->info->verdict = (int)get_be32(verdict[NFTA_VERDICT_CODE]);
	reader->info->target = get_text(reader->arena, verdict[NFTA_VERDICT_CHAIN]);
}

static void read_match(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_MATCH_MAX + 1];

	if (nla_parse_nested(tb, NFTA_MATCH_MAX, data, NULL) == 0 &&
	    names(tb[NFTA_MATCH_NAME], "comment"))
		reader->info->comment = get_text(reader->arena, tb[NFTA_MATCH_INFO]);
}

static void read_masq(struct rule_reader *reader, struct nlattr *data unused)
{
	reader->info->masquerade = true;
}

static void read_target(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_TARGET_MAX + 1];

	if (nla_parse_nested(tb, NFTA_TARGET_MAX, data, NULL) == 0 &&
	    names(tb[NFTA_TARGET_NAME], "MASQUERADE"))
		reader->info->masquerade = true;
}

static void read_expression(struct rule_reader *reader, struct nlattr *element)
{
	static const struct {
		const char *name;
		void (*read)(struct rule_reader *reader, struct nlattr *data);
	} known[] = {
		{ "meta", read_meta },           { "payload", read_payload },
		{ "bitwise", read_bitwise },     { "cmp", read_cmp },
		{ "immediate", read_immediate }, { "masq", read_masq },
		{ "match", read_match },         { "target", read_target },
	};
	struct nlattr *tb[NFTA_EXPR_MAX + 1];

	if (nla_parse_nested(tb, NFTA_EXPR_MAX, element, NULL) < 0 || !tb[NFTA_EXPR_NAME])
		return;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (names(tb[NFTA_EXPR_NAME], known[i].name) &&
		    (tb[NFTA_EXPR_DATA] || known[i].read == read_masq))
			known[i].read(reader, tb[NFTA_EXPR_DATA]);
}

static int read_rule(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct rules_dump *dump = arg;
	struct nlattr *tb[NFTA_RULE_MAX + 1], *element;
	struct rule_reader reader = { .arena = dump->arena };
	int rest;

	if (reply->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
		return 0;
	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX,
			NULL) < 0 ||
	    !tb[NFTA_RULE_HANDLE] || !tb[NFTA_RULE_CHAIN])
		return fail(err, EPROTO, "malformed rule from the kernel");
	if (!names(tb[NFTA_RULE_CHAIN], dump->chain))
		return 0;
	reader.info = list_add(dump->arena, dump->rules);
	*reader.info = (struct nft_rule_info){ .handle = be64toh(nla_get_u64(tb[NFTA_RULE_HANDLE])),
					       .comment = "",
					       .target = "",
					       .verdict = INT_MAX };
	reader.nfproto = ((const struct nfgenmsg *)NLMSG_DATA(reply))->nfgen_family;
	if (tb[NFTA_RULE_USERDATA])
		reader.info->comment = user_comment(dump->arena, tb[NFTA_RULE_USERDATA]);
	if (tb[NFTA_RULE_EXPRESSIONS])
		nla_for_each_nested(element, tb[NFTA_RULE_EXPRESSIONS], rest)
			read_expression(&reader, element);
	return 0;
}

int nft_rules(struct netlink *nl, enum nft_family family, const char *table, const char *chain,
	      struct arena *arena, nft_rules_t *rules, struct error *err)
{
	struct nfgenmsg header = { .nfgen_family = family };
	struct rules_dump dump = { chain, arena, rules };
	struct nl_msg *msg =
		netlink_queue(nl, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, 0, &header,
			      sizeof(header), "list chain %s %s", table, chain);

	nla_put_string(msg, NFTA_RULE_TABLE, table);
	nla_put_string(msg, NFTA_RULE_CHAIN, chain);
	rules->n = 0;
	return netlink_dump(nl, read_rule, &dump, err);
}

static int found_chain(const struct nlmsghdr *reply unused, void *arg, struct error *err unused)
{
	*(bool *)arg = true;
	return 0;
}

static void queue_look_up(struct netlink *nl, enum nft_family family, const char *table,
			  const char *chain, netlink_reply_fn *fn, void *arg)
{
	struct nfgenmsg header = { .nfgen_family = family };
	struct nl_msg *msg =
		netlink_queue(nl, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0, &header,
			      sizeof(header), "look for chain %s %s", table, chain);

	nla_put_string(msg, NFTA_CHAIN_TABLE, table);
	nla_put_string(msg, NFTA_CHAIN_NAME, chain);
	netlink_tolerate(nl, ENOENT);
	netlink_expect(nl, fn, arg);
}

void nft_queue_find_chain(struct netlink *nl, enum nft_family family, const char *table,
			  const char *chain, bool *found)
{
	*found = false;
	queue_look_up(nl, family, table, chain, found_chain, found);
}

static int read_chain_info(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct nft_chain_info *info = arg;
	struct nlattr *tb[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];

	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb, NFTA_CHAIN_MAX,
			NULL) < 0)
		return fail(err, EPROTO, "malformed chain from the kernel");
	info->found = true;
	if (!tb[NFTA_CHAIN_TYPE] || !tb[NFTA_CHAIN_HOOK] ||
	    nla_parse_nested(hook, NFTA_HOOK_MAX, tb[NFTA_CHAIN_HOOK], NULL) < 0)
		return 0;
	nla_strlcpy(info->type, tb[NFTA_CHAIN_TYPE], sizeof(info->type));
	info->hook = (int)get_be32(hook[NFTA_HOOK_HOOKNUM]);
	info->priority = (int)get_be32(hook[NFTA_HOOK_PRIORITY]);
	return 0;
}

void nft_queue_get_chain(struct netlink *nl, enum nft_family family, const char *table,
			 const char *chain, struct nft_chain_info *info)
{
	*info = (struct nft_chain_info){ .found = false };
	queue_look_up(nl, family, table, chain, read_chain_info, info);
}

struct chains_dump {
	const char *table;
	struct arena *arena;
	nft_names_t *names;
};

static int read_chain(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct chains_dump *dump = arg;
	struct nlattr *tb[NFTA_CHAIN_MAX + 1];

	if (reply->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN))
		return 0;
	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb, NFTA_CHAIN_MAX,
			NULL) < 0)
		return fail(err, EPROTO, "malformed chain from the kernel");
	if (tb[NFTA_CHAIN_NAME] && names(tb[NFTA_CHAIN_TABLE], dump->table))
		*list_add(dump->arena, dump->names) = get_text(dump->arena, tb[NFTA_CHAIN_NAME]);
	return 0;
}

/* The kernel filters by family only. */
int nft_chains(struct netlink *nl, enum nft_family family, const char *table, struct arena *arena,
	       nft_names_t *names, struct error *err)
{
	struct nfgenmsg header = { .nfgen_family = family };
	struct chains_dump dump = { table, arena, names };

	netlink_queue(nl, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0, &header, sizeof(header),
		      "list chains of table %s", table);
	names->n = 0;
	return netlink_dump(nl, read_chain, &dump, err);
}

/* One exchange tells; a kernel without the subsystem answers EINVAL. */
int nft_open(struct netlink **nl, struct error *err)
{
	struct nfgenmsg header = { .nfgen_family = AF_UNSPEC };
	int r = netlink_open(nl, NETLINK_NETFILTER, -1, err);

	if (r == 0) {
		netlink_queue(*nl, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, 0, &header,
			      sizeof(header), "look for nf_tables");
		r = netlink_commit(*nl, err);
	}
	if (r == 0)
		return 0;
	netlink_closep(nl);
	if (r != -EINVAL && r != -EPROTONOSUPPORT)
		return r;
	if (err)
		*err = (struct error){ 0 };
	return fail(err, EOPNOTSUPP, "this kernel has no nf_tables");
}
