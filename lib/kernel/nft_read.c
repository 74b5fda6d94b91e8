/*
 * nf_tables, what stands in a rule: expressions are followed through the registers that they load and compare. The
 * plugins' own rules are understood whole, in the native form and in that of the iptables-nft programs, which write the
 * same expressions and wrap what has none in "match" and "target" (1.8.9; other releases use native forms for more
 * or for less of it, so all are read). A rule with anything else in it is marked unknown.
 */
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "kernel/nft_dump.h"
#include "kernel/nft_reader.h"

/* meta mark set mark & keep ^ value, or a number */
static void read_set_mark(struct rule_reader *reader, struct nlattr *attr)
{
	const struct load *from = reader_held(reader, attr);
	uint32_t keep;

	if (from->what == LOAD_VALUE && from->size == sizeof(keep)) {
		memcpy(&reader->info->set_mark, from->value, sizeof(keep));
		reader->info->set_bits = UINT32_MAX;
		return;
	}
	if (from->what != LOAD_MARK) {
		reader->info->unknown = true;
		return;
	}
	memcpy(&keep, from->mask, sizeof(keep));
	memcpy(&reader->info->set_mark, from->value, sizeof(keep));
	reader->info->set_bits = ~keep;
}

static void read_meta(struct rule_reader *reader, struct nlattr *data)
{
	static const struct load loads[] = {
		[NFT_META_NFPROTO] = { LOAD_NFPROTO },
		[NFT_META_PROTOCOL] = { LOAD_ETHERTYPE },
		[NFT_META_IIFNAME] = { LOAD_IIFNAME },
		[NFT_META_OIFNAME] = { LOAD_OIFNAME },
		[NFT_META_BRI_IIFNAME] = { LOAD_IN_BRIDGE },
		[NFT_META_L4PROTO] = { LOAD_PROTOCOL },
		[NFT_META_MARK] = { LOAD_MARK, .size = 4, .mask = { 0xff, 0xff, 0xff, 0xff } },
	};
	struct nlattr *tb[NFTA_META_MAX + 1];
	uint32_t key;

	if (nla_parse_nested(tb, NFTA_META_MAX, data, NULL) < 0) {
		reader->info->unknown = true;
		return;
	}
	key = nft_be32(tb[NFTA_META_KEY]);
	if (tb[NFTA_META_SREG] && key == NFT_META_MARK)
		read_set_mark(reader, tb[NFTA_META_SREG]);
	else
		reader_set(reader, tb[NFTA_META_DREG],
			   key < ARRAY_SIZE(loads) ? &loads[key] : &load_nothing);
}

static void read_payload(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_PAYLOAD_MAX + 1];
	struct load what = load_nothing;
	uint32_t base;

	if (nla_parse_nested(tb, NFTA_PAYLOAD_MAX, data, NULL) < 0) {
		reader->info->unknown = true;
		return;
	}
	base = nft_be32(tb[NFTA_PAYLOAD_BASE]);
	what.offset = nft_be32(tb[NFTA_PAYLOAD_OFFSET]);
	what.size = nft_be32(tb[NFTA_PAYLOAD_LEN]);
	if (base == NFT_PAYLOAD_NETWORK_HEADER && what.size <= sizeof(what.mask)) {
		what.what = LOAD_NETWORK;
		memset(what.mask, 0xff, what.size);
	} else if (base == NFT_PAYLOAD_LL_HEADER && what.offset == 6 && what.size == 6) {
		what.what = LOAD_SENDER;
	} else if (base == NFT_PAYLOAD_LL_HEADER && what.offset == 12 && what.size == 2) {
		what.what = LOAD_ETHERTYPE;
	} else if (base == NFT_PAYLOAD_TRANSPORT_HEADER && what.offset == 2 && what.size == 2) {
		what.what = LOAD_PORT;
	} else if (base == NFT_PAYLOAD_TRANSPORT_HEADER && !what.offset && what.size == 1) {
		what.what = LOAD_TYPE;
	}
	reader_set(reader, tb[NFTA_PAYLOAD_DREG], &what);
}

static void read_ct(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_CT_MAX + 1];
	struct load what = load_nothing;

	if (nla_parse_nested(tb, NFTA_CT_MAX, data, NULL) < 0 || !tb[NFTA_CT_DREG]) {
		reader->info->unknown = true;
		return;
	}
	if (nft_be32(tb[NFTA_CT_KEY]) == NFT_CT_STATE)
		what = (struct load){ LOAD_STATE, .size = 4 };
	reader_set(reader, tb[NFTA_CT_DREG], &what);
}

static void read_fib(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_FIB_MAX + 1];
	struct load what = load_nothing;

	if (nla_parse_nested(tb, NFTA_FIB_MAX, data, NULL) < 0) {
		reader->info->unknown = true;
		return;
	}
	if (nft_be32(tb[NFTA_FIB_RESULT]) == NFT_FIB_RESULT_ADDRTYPE &&
	    nft_be32(tb[NFTA_FIB_FLAGS]) == NFTA_FIB_F_DADDR)
		what.what = LOAD_ADDRTYPE;
	reader_set(reader, tb[NFTA_FIB_DREG], &what);
}

/* Addresses are masked, marks also changed, states tested. */
static void read_bitwise(struct rule_reader *reader, struct nlattr *data)
{
	static const uint8_t zero[16];
	struct nlattr *tb[NFTA_BITWISE_MAX + 1];
	struct load what;

	if (nla_parse_nested(tb, NFTA_BITWISE_MAX, data, NULL) < 0) {
		reader->info->unknown = true;
		return;
	}
	what = *reader_held(reader, tb[NFTA_BITWISE_SREG]);
	if ((what.what != LOAD_NETWORK && what.what != LOAD_MARK && what.what != LOAD_STATE) ||
	    nft_value_of(tb[NFTA_BITWISE_MASK], what.mask, sizeof(what.mask)) != what.size ||
	    nft_value_of(tb[NFTA_BITWISE_XOR], what.value, sizeof(what.value)) != what.size ||
	    (what.what != LOAD_MARK && memcmp(what.value, zero, what.size) != 0))
		what = load_nothing;
	reader_set(reader, tb[NFTA_BITWISE_DREG], &what);
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

static bool compare_family(struct rule_reader *reader, int family, const struct operand *with)
{
	if (reader->nfproto == NFPROTO_INET || reader->nfproto == NFPROTO_BRIDGE ||
	    reader->nfproto == NFPROTO_NETDEV)
		reader->info->only = (enum nft_family)family;
	else if (reader->nfproto != family)
		return false;
	reader->nfproto = family;
	return with->op == NFT_CMP_EQ;
}

static bool compare_ethertype(struct rule_reader *reader, const struct operand *with)
{
	int type = with->size == 2 ? with->value[0] << 8 | with->value[1] : 0;

	switch (type) {
	case ETH_P_IP: return compare_family(reader, NFPROTO_IPV4, with);
	case ETH_P_IPV6: return compare_family(reader, NFPROTO_IPV6, with);
	case ETH_P_ARP: return compare_family(reader, NFPROTO_ARP, with);
	default: return false;
	}
}

static bool compare_sender(struct nft_mac_match *match, const struct operand *with)
{
	if (match->mac.set || with->size != sizeof(match->mac.bytes) ||
	    (with->op != NFT_CMP_EQ && with->op != NFT_CMP_NEQ))
		return false;
	match->mac.set = true;
	memcpy(match->mac.bytes, with->value, sizeof(match->mac.bytes));
	match->op = with->op == NFT_CMP_EQ ? NFT_IS : NFT_IS_NOT;
	return true;
}

static bool compare_addr(struct rule_reader *reader, const struct load *load,
			 const struct operand *with)
{
	bool is_v4 = reader->nfproto == NFPROTO_IPV4;
	bool source = load->offset == (is_v4 ? 12 : 8);
	int prefix = mask_prefix(load);
	struct nft_addr_match *match = source ? &reader->info->source : &reader->info->destination;

	if ((!is_v4 && reader->nfproto != NFPROTO_IPV6) || with->size != load->size ||
	    (!source && load->offset != (is_v4 ? 16 : 24)) || prefix < 0 ||
	    prefix > (is_v4 ? 32 : 128) || match->cidr.ip.family)
		return false;
	match->op = with->op == NFT_CMP_EQ ? NFT_IS : NFT_IS_NOT;
	match->cidr = (struct cidr){ ip_make(is_v4 ? AF_INET : AF_INET6, with->value), prefix };
	return with->op == NFT_CMP_EQ || with->op == NFT_CMP_NEQ;
}

/* A name that is compared without its end matches all that begin with it. */
static bool compare_interface(struct nft_interface_match *match, const struct operand *with)
{
	size_t len = strnlen((const char *)with->value, with->size);

	if (*match->name || !len || len >= sizeof(match->name) ||
	    (with->op != NFT_CMP_EQ && with->op != NFT_CMP_NEQ))
		return false;
	memcpy(match->name, with->value, len);
	if (len == with->size && len < sizeof(match->name) - 1)
		match->name[len] = '+';
	match->op = with->op == NFT_CMP_EQ ? NFT_IS : NFT_IS_NOT;
	return true;
}

static bool compare_protocol(struct nft_rule_info *info, const struct operand *with)
{
	if (with->size != 1 || (info->protocol && info->protocol != with->value[0]) ||
	    (with->op != NFT_CMP_EQ && with->op != NFT_CMP_NEQ))
		return false;
	info->protocol = with->value[0];
	info->not_protocol = with->op == NFT_CMP_NEQ;
	return true;
}

/* Equal, or the one end of a range and then the other. */
static bool compare_port(struct rule_reader *reader, const struct operand *with)
{
	uint16_t port = with->value[0] << 8 | with->value[1];

	if (with->size != 2)
		return false;
	if (with->op == NFT_CMP_EQ)
		return reader_add_ports(reader, port, port);
	if (with->op == NFT_CMP_GTE) {
		reader->first_port = port;
		return true;
	}
	return with->op == NFT_CMP_LTE && reader_add_ports(reader, reader->first_port, port);
}

/* As ports are. */
static bool compare_type(struct rule_reader *reader, const struct operand *with)
{
	struct nft_line *line = reader->line;

	if (!line || with->size != 1 || line->types.last)
		return false;
	if (with->op == NFT_CMP_GTE)
		line->types.first = with->value[0];
	else if (with->op == NFT_CMP_LTE)
		line->types.last = with->value[0];
	return with->op == NFT_CMP_GTE || with->op == NFT_CMP_LTE;
}

static bool compare_number(struct nft_rule_info *info, const struct load *load,
			   const struct operand *with)
{
	uint32_t value, bits;

	if (with->size != sizeof(value))
		return false;
	memcpy(&value, with->value, sizeof(value));
	memcpy(&bits, load->mask, sizeof(bits));
	if (load->what == LOAD_ADDRTYPE) {
		info->local = true;
		return value == RTN_LOCAL && with->op == NFT_CMP_EQ;
	}
	if (load->what == LOAD_STATE) {
		info->states = bits;
		return value == 0 && with->op == NFT_CMP_NEQ && bits;
	}
	info->mark = value;
	info->mark_bits = bits;
	return with->op == NFT_CMP_EQ && memcmp(load->value, (uint32_t[]){ 0 }, 4) == 0;
}

static bool compare(struct rule_reader *reader, const struct load *load, const struct operand *with)
{
	switch (load->what) {
	case LOAD_NFPROTO: return with->size == 1 && compare_family(reader, with->value[0], with);
	case LOAD_ETHERTYPE: return compare_ethertype(reader, with);
	case LOAD_SENDER: return compare_sender(&reader->info->sender, with);
	case LOAD_IIFNAME: return compare_interface(&reader->info->in, with);
	case LOAD_OIFNAME: return compare_interface(&reader->info->out, with);
	case LOAD_PROTOCOL: return compare_protocol(reader->info, with);
	case LOAD_NETWORK: return compare_addr(reader, load, with);
	case LOAD_PORT: return compare_port(reader, with);
	case LOAD_TYPE: return compare_type(reader, with);
	case LOAD_ADDRTYPE:
	case LOAD_STATE:
	case LOAD_MARK: return compare_number(reader->info, load, with);
	case LOAD_IN_BRIDGE:
	case LOAD_OTHER:
	case LOAD_VALUE: break;
	}
	return false;
}

static void read_cmp(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_CMP_MAX + 1];
	struct operand with = { .size = 0 };

	if (nla_parse_nested(tb, NFTA_CMP_MAX, data, NULL) == 0) {
		with.op = nft_be32(tb[NFTA_CMP_OP]);
		with.size = nft_value_of(tb[NFTA_CMP_DATA], with.value, sizeof(with.value));
		if (compare(reader, reader_held(reader, tb[NFTA_CMP_SREG]), &with))
			return;
	}
	reader->info->unknown = true;
}

/* Of destination ports only. */
static void read_range(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_RANGE_MAX + 1];
	uint8_t first[2], last[2];

	if (nla_parse_nested(tb, NFTA_RANGE_MAX, data, NULL) < 0 ||
	    reader_held(reader, tb[NFTA_RANGE_SREG])->what != LOAD_PORT ||
	    nft_be32(tb[NFTA_RANGE_OP]) != NFT_RANGE_EQ ||
	    nft_value_of(tb[NFTA_RANGE_FROM_DATA], first, 2) != 2 ||
	    nft_value_of(tb[NFTA_RANGE_TO_DATA], last, 2) != 2 ||
	    !reader_add_ports(reader, first[0] << 8 | first[1], last[0] << 8 | last[1]))
		reader->info->unknown = true;
}

static void read_verdict(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *value[NFTA_DATA_MAX + 1], *verdict[NFTA_VERDICT_MAX + 1];

	if (!data || nla_parse_nested(value, NFTA_DATA_MAX, data, NULL) < 0 ||
	    !value[NFTA_DATA_VERDICT] ||
	    nla_parse_nested(verdict, NFTA_VERDICT_MAX, value[NFTA_DATA_VERDICT], NULL) < 0) {
		reader->info->unknown = true;
		return;
	}
	reader->info->verdict = (int)nft_be32(verdict[NFTA_VERDICT_CODE]);
	reader->info->target = nft_text(reader->arena, verdict[NFTA_VERDICT_CHAIN]);
}

static void read_immediate(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_IMMEDIATE_MAX + 1];
	struct load what = { LOAD_VALUE };

	if (nla_parse_nested(tb, NFTA_IMMEDIATE_MAX, data, NULL) < 0) {
		reader->info->unknown = true;
		return;
	}
	if (nft_be32(tb[NFTA_IMMEDIATE_DREG]) == NFT_REG_VERDICT) {
		read_verdict(reader, tb[NFTA_IMMEDIATE_DATA]);
		return;
	}
	what.size = nft_value_of(tb[NFTA_IMMEDIATE_DATA], what.value, sizeof(what.value));
	reader_set(reader, tb[NFTA_IMMEDIATE_DREG], &what);
}

static uint16_t port_in(struct rule_reader *reader, struct nlattr *attr)
{
	const struct load *load = reader_held(reader, attr);

	return load->what == LOAD_VALUE && load->size == 2 ? load->value[0] << 8 | load->value[1]
							   : 0;
}

/* Only to an address that stands in the rule. */
static void read_nat(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_NAT_MAX + 1];
	struct nft_rule_info *info = reader->info;
	const struct load *addr;
	int family;

	if (nla_parse_nested(tb, NFTA_NAT_MAX, data, NULL) < 0 ||
	    (addr = reader_held(reader, tb[NFTA_NAT_REG_ADDR_MIN]))->what != LOAD_VALUE ||
	    (addr->size != 4 && addr->size != 16)) {
		info->unknown = true;
		return;
	}
	family = addr->size == 4 ? AF_INET : AF_INET6;
	if (nft_be32(tb[NFTA_NAT_TYPE]) == NFT_NAT_SNAT) {
		info->from = ip_make(family, addr->value);
		return;
	}
	info->to = ip_make(family, addr->value);
	info->to_ports.first = port_in(reader, tb[NFTA_NAT_REG_PROTO_MIN]);
	info->to_ports.last = tb[NFTA_NAT_REG_PROTO_MAX]
				      ? port_in(reader, tb[NFTA_NAT_REG_PROTO_MAX])
				      : info->to_ports.first;
}

/* To whichever port, or to one that is all by chance; a range of ports is unknown. */
static void read_masq(struct rule_reader *reader, struct nlattr *data)
{
	struct nlattr *tb[NFTA_MASQ_MAX + 1] = { 0 };
	uint32_t flags = 0;

	if (data && nla_parse_nested(tb, NFTA_MASQ_MAX, data, NULL) == 0)
		flags = nft_be32(tb[NFTA_MASQ_FLAGS]);
	reader->info->masquerade = true;
	reader->info->fully_random = flags & NF_NAT_RANGE_PROTO_RANDOM_FULLY;
	if (tb[NFTA_MASQ_REG_PROTO_MIN])
		reader->info->unknown = true;
}

static void read_reject(struct rule_reader *reader, struct nlattr *data unused)
{
	reader->info->reject = true;
}

static void read_nothing(struct rule_reader *reader unused, struct nlattr *data unused)
{
}

static void read_expression(struct rule_reader *reader, struct nlattr *element)
{
	static const struct {
		const char *name;
		void (*read)(struct rule_reader *reader, struct nlattr *data);
	} known[] = {
		{ "meta", read_meta },       { "payload", read_payload },
		{ "cmp", read_cmp },         { "counter", read_nothing },
		{ "match", reader_match },   { "immediate", read_immediate },
		{ "bitwise", read_bitwise }, { "target", reader_target },
		{ "masq", read_masq },       { "ct", read_ct },
		{ "fib", read_fib },         { "range", read_range },
		{ "nat", read_nat },         { "reject", read_reject },
	};
	struct nlattr *tb[NFTA_EXPR_MAX + 1];

	if (nla_parse_nested(tb, NFTA_EXPR_MAX, element, NULL) == 0 && tb[NFTA_EXPR_NAME]) {
		if (reader->line && reader_line(reader, nft_text(reader->arena, tb[NFTA_EXPR_NAME]),
						tb[NFTA_EXPR_DATA]))
			return;
		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			if (nft_says(tb[NFTA_EXPR_NAME], known[i].name) &&
			    (tb[NFTA_EXPR_DATA] || known[i].read == read_masq)) {
				known[i].read(reader, tb[NFTA_EXPR_DATA]);
				return;
			}
	}
	reader->info->unknown = true;
}

void nft_read_expressions(struct arena *arena, struct nlattr *list, int family,
			  struct nft_rule_info *info, struct nft_line *line)
{
	struct rule_reader reader = {
		.arena = arena, .info = info, .line = line, .nfproto = family
	};
	struct nlattr *element;
	int rest;

	nla_for_each_nested(element, list, rest)
		read_expression(&reader, element);
	if (line && reader.nfproto != NFPROTO_INET && reader.nfproto != NFPROTO_BRIDGE)
		line->only = (enum nft_family)reader.nfproto;
}
