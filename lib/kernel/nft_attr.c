/* nf_tables: attributes of replies, read with their length checked. */
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>

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
