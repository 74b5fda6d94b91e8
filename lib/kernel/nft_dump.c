/*
 * nf_tables, the reading half: dumps of rules and chains, and look-ups of chains. What stands in a rule is read by
 * nft_read.c; elements of sets by nft_set.c.
 */
#include "kernel/nft_internal.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "kernel/netlink_internal.h"
#include "kernel/nft_dump.h"
#include "kernel/nft_table.h"

/* What lines may have more is read, too. */
static void read_as_line(struct arena *arena, struct nlattr *list, int family,
			 struct nft_rule_info *info)
{
	struct nft_rule_info again = {
		.handle = info->handle, .comment = info->comment, .target = "", .verdict = INT_MAX
	};
	struct nft_line *line = arena_alloc(arena, sizeof(*line));

	*line = (struct nft_line){ .chain = "", .comment = "", .prefix = "", .counter = "" };
	nft_read_expressions(arena, list, family, &again, line);
	if (again.unknown || line->rate || line->types.last || !line->n_sets)
		return;
	again.unknown = true;
	again.reject |= line->refusal != NFT_REFUSE_NOT;
	again.line = line;
	*info = again;
}

struct rules_dump {
	const char *chain;
	struct arena *arena;
	nft_rules_t *rules;
};

static int read_rule(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct rules_dump *dump = arg;
	struct nlattr *tb[NFTA_RULE_MAX + 1];
	struct nft_rule_info *info;
	int family = ((const struct nfgenmsg *)NLMSG_DATA(reply))->nfgen_family;

	if (reply->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
		return 0;
	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX,
			NULL) < 0 ||
	    !tb[NFTA_RULE_HANDLE] || !tb[NFTA_RULE_CHAIN])
		return fail(err, EPROTO, "malformed rule from the kernel");
	if (!nft_says(tb[NFTA_RULE_CHAIN], dump->chain))
		return 0;
	info = list_add(dump->arena, dump->rules);
	*info = (struct nft_rule_info){ .handle = be64toh(nla_get_u64(tb[NFTA_RULE_HANDLE])),
					.comment = "",
					.target = "",
					.verdict = INT_MAX };
	if (tb[NFTA_RULE_USERDATA])
		info->comment = nft_comment_of(dump->arena, tb[NFTA_RULE_USERDATA]);
	if (tb[NFTA_RULE_EXPRESSIONS])
		nft_read_expressions(dump->arena, tb[NFTA_RULE_EXPRESSIONS], family, info, NULL);
	if (info->unknown)
		read_as_line(dump->arena, tb[NFTA_RULE_EXPRESSIONS], family, info);
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

static int found_one(const struct nlmsghdr *reply unused, void *arg, struct error *err unused)
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
	queue_look_up(nl, family, table, chain, found_one, found);
}

void nft_queue_find_table(struct netlink *nl, enum nft_family family, const char *table,
			  bool *found)
{
	char text[256];
	struct nl_msg *msg = nft_message(nl, NFT_MSG_GETTABLE, 0, family,
					 nft_label(text, "look for table", family, table, NULL));

	*found = false;
	nla_put_string(msg, NFTA_TABLE_NAME, table);
	netlink_tolerate(nl, ENOENT);
	netlink_expect(nl, found_one, found);
}

void nft_read_chain_info(struct nlattr *const *tb, struct nft_chain_info *info)
{
	struct nlattr *hook[NFTA_HOOK_MAX + 1];

	info->found = true;
	info->users = nft_be32(tb[NFTA_CHAIN_USE]);
	if (!tb[NFTA_CHAIN_TYPE] || !tb[NFTA_CHAIN_HOOK] ||
	    nla_parse_nested(hook, NFTA_HOOK_MAX, tb[NFTA_CHAIN_HOOK], NULL) < 0)
		return;
	nla_strlcpy(info->type, tb[NFTA_CHAIN_TYPE], sizeof(info->type));
	info->hook = (int)nft_be32(hook[NFTA_HOOK_HOOKNUM]);
	info->priority = (int)nft_be32(hook[NFTA_HOOK_PRIORITY]);
}

static int read_chain_info(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct nlattr *tb[NFTA_CHAIN_MAX + 1];

	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb, NFTA_CHAIN_MAX,
			NULL) < 0)
		return fail(err, EPROTO, "malformed chain from the kernel");
	nft_read_chain_info(tb, arg);
	return 0;
}

static void add_device(struct arena *arena, struct nft_base_chain *chain, const struct nlattr *name,
		       bool prefix)
{
	struct nft_interface_match *device = list_add(arena, &chain->devices);
	size_t len;

	*device = (struct nft_interface_match){ .op = NFT_IS };
	attr_text(name, device->name, sizeof(device->name));
	len = strlen(device->name);
	if (prefix && len < sizeof(device->name) - 1)
		device->name[len] = '+';
}

/* One, or a list, in which Linux 6.18 has beginnings of names, too. */
static void read_devices(struct arena *arena, struct nlattr *nest, struct nft_base_chain *chain)
{
	enum { DEVICE_NAME = 1, DEVICE_PREFIX = 2 };
	struct nlattr *hook[NFTA_HOOK_MAX + 1], *attr;
	int left;

	netlink_parse_nested(nest, hook, NFTA_HOOK_MAX);
	if (!hook[NFTA_HOOK_DEVS] && hook[NFTA_HOOK_DEV])
		add_device(arena, chain, hook[NFTA_HOOK_DEV], false);
	if (hook[NFTA_HOOK_DEVS])
		nla_for_each_nested(attr, hook[NFTA_HOOK_DEVS], left)
			if (nla_type(attr) == DEVICE_NAME || nla_type(attr) == DEVICE_PREFIX)
				add_device(arena, chain, attr, nla_type(attr) == DEVICE_PREFIX);
}

struct base_dump {
	struct arena *arena;
	nft_base_chains_t *chains;
};

static int read_base_chain(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct base_dump *dump = arg;
	const struct nfgenmsg *header = NLMSG_DATA(reply);
	struct nlattr *tb[NFTA_CHAIN_MAX + 1];
	struct nft_chain_info info = { .found = false };
	struct nft_base_chain *chain;
	int r;

	if (reply->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN))
		return 0;
	r = read_chain_info(reply, &info, err);
	if (r < 0 || !*info.type ||
	    nlmsg_parse((struct nlmsghdr *)reply, sizeof(*header), tb, NFTA_CHAIN_MAX, NULL) < 0 ||
	    !tb[NFTA_CHAIN_TABLE] || !tb[NFTA_CHAIN_NAME])
		return r;
	chain = list_add(dump->arena, dump->chains);
	*chain = (struct nft_base_chain){
		.family = header->nfgen_family,
		.table = arena_strdup(dump->arena, nla_get_string(tb[NFTA_CHAIN_TABLE])),
		.name = arena_strdup(dump->arena, nla_get_string(tb[NFTA_CHAIN_NAME])),
		.type = arena_strdup(dump->arena, info.type),
		.hook = info.hook,
		.priority = info.priority,
		.drops = tb[NFTA_CHAIN_POLICY] &&
			 nft_be32(tb[NFTA_CHAIN_POLICY]) == NFT_VERDICT_DROP,
	};
	read_devices(dump->arena, tb[NFTA_CHAIN_HOOK], chain);
	return 0;
}

int nft_base_chains(struct netlink *nl, struct arena *arena, nft_base_chains_t *chains,
		    struct error *err)
{
	struct nfgenmsg header = { .nfgen_family = 0 };
	struct base_dump dump = { arena, chains };

	netlink_queue(nl, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0, &header, sizeof(header),
		      "list chains");
	return netlink_dump(nl, read_base_chain, &dump, err);
}

void nft_queue_get_chain(struct netlink *nl, enum nft_family family, const char *table,
			 const char *chain, struct nft_chain_info *info)
{
	*info = (struct nft_chain_info){ .found = false };
	queue_look_up(nl, family, table, chain, read_chain_info, info);
}

static int read_generation(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	uint32_t *generation = arg;
	struct nlattr *tb[NFTA_GEN_MAX + 1];

	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nfgenmsg), tb, NFTA_GEN_MAX, NULL) <
	    0)
		return fail(err, EPROTO, "malformed generation from the kernel");
	*generation = nft_be32(tb[NFTA_GEN_ID]);
	return 0;
}

void nft_queue_get_generation(struct netlink *nl, uint32_t *generation)
{
	*generation = 0;
	nft_message(nl, NFT_MSG_GETGEN, 0, NFT_IP, "look at the generation of the rules");
	netlink_expect(nl, read_generation, generation);
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
	if (tb[NFTA_CHAIN_NAME] && nft_says(tb[NFTA_CHAIN_TABLE], dump->table))
		*list_add(dump->arena, dump->names) = nft_text(dump->arena, tb[NFTA_CHAIN_NAME]);
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
