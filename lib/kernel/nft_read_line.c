/* nf_tables, what stands in a rule: the expressions that only lines have (nft_line.c writes them). */
#include "kernel/nft_internal.h"

#include <endian.h>
#include <linux/netfilter/nf_tables.h>

#include "kernel/netlink_internal.h"
#include "kernel/nft_reader.h"

static bool mask_is_partial(const struct load *load)
{
	for (uint32_t i = 0; i < load->size && i < sizeof(load->mask); i++)
		if (load->mask[i] != 0xff)
			return true;
	return false;
}

/* What of a key a register was loaded with. */
static enum nft_field field_of(const struct load *load)
{
	switch (load->what) {
	case LOAD_NETWORK:
		if (mask_is_partial(load))
			return NFT_NO_FIELD;
		if (load->offset == (load->size == 4 ? 12u : 8u))
			return NFT_SOURCE;
		return load->offset == (load->size == 4 ? 16u : 24u) ? NFT_DESTINATION
								     : NFT_NO_FIELD;
	case LOAD_PROTOCOL: return NFT_PROTOCOL;
	case LOAD_PORT: return NFT_PORT;
	case LOAD_IIFNAME: return NFT_IN_INTERFACE;
	case LOAD_IN_BRIDGE: return NFT_IN_BRIDGE;
	case LOAD_OIFNAME: return NFT_OUT_INTERFACE;
	case LOAD_STATE: return NFT_NUMBER;
	default: return NFT_NO_FIELD;
	}
}

/* The fields that lie behind each other from a register on. Registers are not looked at twice. */
static bool read_key(struct rule_reader *reader, const struct load *load,
		     enum nft_field key[NFT_FIELDS])
{
	const struct load *end = reader->loads + READER_REGISTERS;

	for (unsigned n = 0; n < NFT_FIELDS && load < end; n++) {
		key[n] = field_of(load);
		if (!key[n])
			break;
		load += nft_field_room(load->size == 16 ? NFT_IP6 : NFT_IP, key[n]) / 4;
	}
	memset(reader->loads, 0, sizeof(reader->loads));
	return key[0] != NFT_NO_FIELD;
}

static bool read_lookup(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_LOOKUP_MAX + 1];
	struct nft_line *line = reader->line;
	struct nft_line_set *set = &line->sets[line->n_sets];

	if (nla_parse_nested(tb, NFTA_LOOKUP_MAX, data, NULL) < 0 ||
	    line->n_sets == NFT_LINE_SETS ||
	    (tb[NFTA_LOOKUP_DREG] && nft_be32(tb[NFTA_LOOKUP_DREG]) != NFT_REG_VERDICT))
		return false;
	line->n_sets++;
	set->name = nft_text(reader->arena, tb[NFTA_LOOKUP_SET]);
	set->map = tb[NFTA_LOOKUP_DREG] != NULL;
	set->inverted = nft_be32(tb[NFTA_LOOKUP_FLAGS]) & NFT_LOOKUP_F_INV;
	return read_key(reader, reader_held(reader, tb[NFTA_LOOKUP_SREG]), set->key);
}

static uint32_t be64_small(const struct nlattr *attr)
{
	uint64_t value = attr && nla_len(attr) >= 8 ? be64toh(nla_get_u64(attr)) : 0;

	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static bool read_limit(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_LIMIT_MAX + 1];

	if (nla_parse_nested(tb, NFTA_LIMIT_MAX, data, NULL) < 0)
		return false;
	reader->line->rate = be64_small(tb[NFTA_LIMIT_RATE]);
	reader->line->burst = nft_be32(tb[NFTA_LIMIT_BURST]);
	return be64_small(tb[NFTA_LIMIT_UNIT]) == 1 &&
	       nft_be32(tb[NFTA_LIMIT_TYPE]) == NFT_LIMIT_PKTS && !nft_be32(tb[NFTA_LIMIT_FLAGS]);
}

static bool read_log(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_LOG_MAX + 1];

	if (nla_parse_nested(tb, NFTA_LOG_MAX, data, NULL) < 0 || !tb[NFTA_LOG_GROUP] ||
	    nla_len(tb[NFTA_LOG_GROUP]) < 2)
		return false;
	reader->line->log = ntohs(nla_get_u16(tb[NFTA_LOG_GROUP]));
	reader->line->prefix = nft_text(reader->arena, tb[NFTA_LOG_PREFIX]);
	return true;
}

static bool read_counter(struct rule_reader *reader, struct nlattr *data unused)
{
	reader->line->counted = true;
	return true;
}

static bool read_objref(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_OBJREF_MAX + 1];

	if (nla_parse_nested(tb, NFTA_OBJREF_MAX, data, NULL) < 0 ||
	    nft_be32(tb[NFTA_OBJREF_IMM_TYPE]) != NFT_OBJECT_COUNTER)
		return false;
	reader->line->counted = true;
	reader->line->counter = nft_text(reader->arena, tb[NFTA_OBJREF_IMM_NAME]);
	return true;
}

static bool read_reject(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_REJECT_MAX + 1];
	uint32_t type;

	if (nla_parse_nested(tb, NFTA_REJECT_MAX, data, NULL) < 0)
		return false;
	type = nft_be32(tb[NFTA_REJECT_TYPE]);
	reader->line->refusal =
		type == NFT_REJECT_TCP_RST ? NFT_REFUSE_RESET : NFT_REFUSE_PROHIBITED;
	return type == NFT_REJECT_TCP_RST ||
	       (type == NFT_REJECT_ICMPX_UNREACH &&
		attr_u8(tb[NFTA_REJECT_ICMP_CODE], 0) == NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
}

bool reader_line(struct rule_reader *reader, const char *name, struct nlattr *data)
{
	static const struct {
		const char *name;
		bool (*read)(struct rule_reader *reader, struct nlattr *data);
	} known[] = {
		{ "lookup", read_lookup },   { "limit", read_limit },   { "log", read_log },
		{ "counter", read_counter }, { "objref", read_objref }, { "reject", read_reject },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (data && streq(name, known[i].name))
			return known[i].read(reader, data);
	return false;
}
