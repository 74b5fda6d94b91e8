/* nf_tables, attributes: values and verdicts as they are written, and those of replies, read with their length checked. */
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>

void nft_put_value(struct nl_msg *msg, int type, const void *value, size_t size)
{
	struct nlattr *nest = nla_nest_start(msg, NLA_F_NESTED | type);

	nla_put(msg, NFTA_DATA_VALUE, size, value);
	nla_nest_end(msg, nest);
}

void nft_put_verdict(struct nl_msg *msg, int type, enum nft_verdict verdict, const char *chain)
{
	struct nlattr *data = nla_nest_start(msg, NLA_F_NESTED | type);
	struct nlattr *nest = nla_nest_start(msg, NLA_F_NESTED | NFTA_DATA_VERDICT);

	nla_put_u32(msg, NFTA_VERDICT_CODE, htonl(verdict));
	if (verdict == NFT_VERDICT_JUMP || verdict == NFT_VERDICT_GOTO)
		nla_put_string(msg, NFTA_VERDICT_CHAIN, chain);
	nla_nest_end(msg, nest);
	nla_nest_end(msg, data);
}

uint32_t nft_be32(const struct nlattr *attr)
{
	return attr && nla_len(attr) >= 4 ? ntohl(nla_get_u32(attr)) : 0;
}

/* A string attribute, its NUL missing or not. */
const char *nft_text(struct arena *arena, struct nlattr *attr)
{
	return attr ? arena_memdup(arena, nla_data(attr), strnlen(nla_data(attr), nla_len(attr)))
		    : "";
}

bool nft_says(struct nlattr *attr, const char *name)
{
	size_t size = strlen(name) + 1;

	return attr && (size_t)nla_len(attr) >= size - 1 &&
	       strncmp(nla_data(attr), name, nla_len(attr)) == 0;
}

size_t nft_value_of(struct nlattr *attr, void *value, size_t size)
{
	struct nlattr *tb[NFTA_DATA_MAX + 1];
	size_t n;

	if (!attr || nla_parse_nested(tb, NFTA_DATA_MAX, attr, NULL) < 0 || !tb[NFTA_DATA_VALUE])
		return 0;
	n = nla_len(tb[NFTA_DATA_VALUE]);
	if (n > size)
		return 0;
	memcpy(value, nla_data(tb[NFTA_DATA_VALUE]), n);
	return n;
}

const char *nft_comment_of(struct arena *arena, struct nlattr *userdata)
{
	const uint8_t *data = nla_data(userdata);
	size_t left = nla_len(userdata);

	while (left >= 2 && data[1] <= left - 2) {
		if (data[0] == UDATA_COMMENT)
			return arena_memdup(arena, data + 2,
					    strnlen((const char *)data + 2, data[1]));
		left -= 2 + data[1];
		data += 2 + data[1];
	}
	return "";
}
