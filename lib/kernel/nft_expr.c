/*
 * nf_tables, what stands in a rule: each function adds the expressions that the nft program would write for it. A match
 * loads a register and compares it, or looks it up in a set.
 */
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "kernel/nft_set.h"

struct expression nft_expression_begin(struct nft_rule *rule, const char *name)
{
	struct expression expression;

	expression.element = nla_nest_start(rule->msg, NLA_F_NESTED | NFTA_LIST_ELEM);
	nla_put_string(rule->msg, NFTA_EXPR_NAME, name);
	expression.data = nla_nest_start(rule->msg, NLA_F_NESTED | NFTA_EXPR_DATA);
	return expression;
}

void nft_expression_end(struct nft_rule *rule, const struct expression *expression)
{
	nla_nest_end_keep_empty(rule->msg, expression->data);
	nla_nest_end(rule->msg, expression->element);
}

static void load_meta_to(struct nft_rule *rule, uint32_t key, uint32_t reg)
{
	struct expression expression = nft_expression_begin(rule, "meta");

	nla_put_u32(rule->msg, NFTA_META_KEY, htonl(key));
	nla_put_u32(rule->msg, NFTA_META_DREG, htonl(reg));
	nft_expression_end(rule, &expression);
}

void nft_load_meta(struct nft_rule *rule, uint32_t key)
{
	load_meta_to(rule, key, NFT_REG_1);
}

static void load_payload_to(struct nft_rule *rule, uint32_t base, uint32_t offset, uint32_t size,
			    uint32_t reg)
{
	struct expression expression = nft_expression_begin(rule, "payload");

	nla_put_u32(rule->msg, NFTA_PAYLOAD_DREG, htonl(reg));
	nla_put_u32(rule->msg, NFTA_PAYLOAD_BASE, htonl(base));
	nla_put_u32(rule->msg, NFTA_PAYLOAD_OFFSET, htonl(offset));
	nla_put_u32(rule->msg, NFTA_PAYLOAD_LEN, htonl(size));
	nft_expression_end(rule, &expression);
}

void nft_load_payload(struct nft_rule *rule, uint32_t base, uint32_t offset, uint32_t size)
{
	load_payload_to(rule, base, offset, size, NFT_REG_1);
}

static void load_ct(struct nft_rule *rule, uint32_t key)
{
	struct expression expression = nft_expression_begin(rule, "ct");

	nla_put_u32(rule->msg, NFTA_CT_KEY, htonl(key));
	nla_put_u32(rule->msg, NFTA_CT_DREG, htonl(NFT_REG_1));
	nft_expression_end(rule, &expression);
}

static void load_immediate(struct nft_rule *rule, uint32_t reg, const void *value, size_t size)
{
	struct expression expression = nft_expression_begin(rule, "immediate");

	nla_put_u32(rule->msg, NFTA_IMMEDIATE_DREG, htonl(reg));
	nft_put_value(rule->msg, NFTA_IMMEDIATE_DATA, value, size);
	nft_expression_end(rule, &expression);
}

/* In register 1. */
static void mask(struct nft_rule *rule, const void *bits, uint32_t size)
{
	static const uint8_t zero[16];
	struct expression expression = nft_expression_begin(rule, "bitwise");

	nla_put_u32(rule->msg, NFTA_BITWISE_SREG, htonl(NFT_REG_1));
	nla_put_u32(rule->msg, NFTA_BITWISE_DREG, htonl(NFT_REG_1));
	nla_put_u32(rule->msg, NFTA_BITWISE_LEN, htonl(size));
	nft_put_value(rule->msg, NFTA_BITWISE_MASK, bits, size);
	nft_put_value(rule->msg, NFTA_BITWISE_XOR, zero, size);
	nft_expression_end(rule, &expression);
}

void nft_compare_by(struct nft_rule *rule, uint32_t op, const void *value, size_t size)
{
	struct expression expression = nft_expression_begin(rule, "cmp");

	nla_put_u32(rule->msg, NFTA_CMP_SREG, htonl(NFT_REG_1));
	nla_put_u32(rule->msg, NFTA_CMP_OP, htonl(op));
	nft_put_value(rule->msg, NFTA_CMP_DATA, value, size);
	nft_expression_end(rule, &expression);
}

void nft_compare(struct nft_rule *rule, enum nft_op op, const void *value, size_t size)
{
	nft_compare_by(rule, op == NFT_IS ? NFT_CMP_EQ : NFT_CMP_NEQ, value, size);
}

/* One of the bits is set. */
static void compare_bits(struct nft_rule *rule, uint32_t bits)
{
	static const uint32_t none;

	mask(rule, &bits, sizeof(bits));
	nft_compare(rule, NFT_IS_NOT, &none, sizeof(none));
}

/* An inet rule says once which protocol its address matches are about, before the first of them. */
void nft_match_nfproto(struct nft_rule *rule, int family)
{
	uint8_t nfproto = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	if (rule->family != NFT_INET || rule->nfproto == nfproto)
		return;
	nft_load_meta(rule, NFT_META_NFPROTO);
	nft_compare(rule, NFT_IS, &nfproto, 1);
	rule->nfproto = nfproto;
}

static uint32_t addr_offset(int family, bool source)
{
	return family == AF_INET ? (source ? 12 : 16) : (source ? 8 : 24);
}

static void prefix_bits(unsigned prefix, uint8_t bits[16])
{
	memset(bits, 0, 16);
	for (unsigned bit = 0; bit < prefix; bit++)
		bits[bit / 8] |= 0x80 >> bit % 8;
}

/* Whole bytes of prefix are loaded and compared as they are; only another prefix needs a mask. */
void nft_match_addr(struct nft_rule *rule, bool source, enum nft_op op, const struct cidr *cidr)
{
	struct cidr network = cidr_network(cidr);
	uint32_t offset = addr_offset(network.ip.family, source);
	uint8_t bits[16];
	uint32_t size = network.prefix / 8;

	nft_match_nfproto(rule, network.ip.family);
	if (network.prefix % 8 == 0 && size > 0) {
		nft_load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, size);
		nft_compare(rule, op, network.ip.bytes, size);
		return;
	}
	prefix_bits(network.prefix, bits);
	size = ip_size(&network.ip);
	nft_load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, size);
	mask(rule, bits, size);
	nft_compare(rule, op, network.ip.bytes, size);
}

void nft_match_interface(struct nft_rule *rule, bool in, enum nft_op op, const char *name)
{
	char padded[IFNAMSIZ] = "";

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	nft_load_meta(rule, in ? NFT_META_IIFNAME : NFT_META_OIFNAME);
	nft_compare(rule, op, padded, sizeof(padded));
}

void nft_match_protocol(struct nft_rule *rule, enum nft_op op, uint8_t protocol)
{
	nft_load_meta(rule, NFT_META_L4PROTO);
	nft_compare(rule, op, &protocol, 1);
	rule->protocol = protocol;
	rule->not_protocol = op == NFT_IS_NOT;
}

void nft_match_port(struct nft_rule *rule, const struct ports *ports)
{
	uint16_t first = htons(ports->first), last = htons(ports->last);

	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
	nft_compare_by(rule, first == last ? NFT_CMP_EQ : NFT_CMP_GTE, &first, sizeof(first));
	if (first != last)
		nft_compare_by(rule, NFT_CMP_LTE, &last, sizeof(last));
}

void nft_match_local(struct nft_rule *rule)
{
	const uint32_t local = RTN_LOCAL;
	struct expression expression = nft_expression_begin(rule, "fib");

	nla_put_u32(rule->msg, NFTA_FIB_FLAGS, htonl(NFTA_FIB_F_DADDR));
	nla_put_u32(rule->msg, NFTA_FIB_RESULT, htonl(NFT_FIB_RESULT_ADDRTYPE));
	nla_put_u32(rule->msg, NFTA_FIB_DREG, htonl(NFT_REG_1));
	nft_expression_end(rule, &expression);
	nft_compare(rule, NFT_IS, &local, sizeof(local));
}

void nft_match_state(struct nft_rule *rule, unsigned states)
{
	load_ct(rule, NFT_CT_STATE);
	compare_bits(rule, states);
}

void nft_match_translated(struct nft_rule *rule)
{
	load_ct(rule, NFT_CT_STATUS);
	compare_bits(rule, IPS_DST_NAT);
}

void nft_match_mark(struct nft_rule *rule, uint32_t value, uint32_t bits)
{
	nft_load_meta(rule, NFT_META_MARK);
	if (bits != UINT32_MAX)
		mask(rule, &bits, sizeof(bits));
	nft_compare(rule, NFT_IS, &value, sizeof(value));
}

void nft_match_ether_source(struct nft_rule *rule, enum nft_op op, const struct mac *mac)
{
	nft_load_payload(rule, NFT_PAYLOAD_LL_HEADER, 6, sizeof(mac->bytes));
	nft_compare(rule, op, mac->bytes, sizeof(mac->bytes));
}

void nft_verdict(struct nft_rule *rule, enum nft_verdict verdict, const char *chain)
{
	struct expression expression = nft_expression_begin(rule, "immediate");

	nla_put_u32(rule->msg, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	nft_put_verdict(rule->msg, NFTA_IMMEDIATE_DATA, verdict, chain);
	nft_expression_end(rule, &expression);
}

void nft_masquerade(struct nft_rule *rule, bool fully_random)
{
	struct expression expression = nft_expression_begin(rule, "masq");

	if (fully_random)
		nla_put_u32(rule->msg, NFTA_MASQ_FLAGS, htonl(NF_NAT_RANGE_PROTO_RANDOM_FULLY));
	nft_expression_end(rule, &expression);
}

static void put_nat(struct nft_rule *rule, uint32_t addr, uint32_t first, uint32_t last)
{
	struct expression expression = nft_expression_begin(rule, "nat");

	nla_put_u32(rule->msg, NFTA_NAT_TYPE, htonl(NFT_NAT_DNAT));
	nla_put_u32(rule->msg, NFTA_NAT_FAMILY, htonl(rule->family));
	nla_put_u32(rule->msg, NFTA_NAT_REG_ADDR_MIN, htonl(addr));
	if (first)
		nla_put_u32(rule->msg, NFTA_NAT_REG_PROTO_MIN, htonl(first));
	if (last != first)
		nla_put_u32(rule->msg, NFTA_NAT_REG_PROTO_MAX, htonl(last));
	nft_expression_end(rule, &expression);
}

void nft_dnat(struct nft_rule *rule, const struct ip *to, const struct ports *ports)
{
	uint16_t first = htons(ports->first), last = htons(ports->last);

	load_immediate(rule, NFT_REG_1, to->bytes, ip_size(to));
	if (first)
		load_immediate(rule, NFT_REG_2, &first, sizeof(first));
	if (last != first)
		load_immediate(rule, NFT_REG_3, &last, sizeof(last));
	put_nat(rule, NFT_REG_1, first ? NFT_REG_2 : 0,
		last != first ? NFT_REG_3
		: first       ? NFT_REG_2
			      : 0);
}

/* meta mark set mark & ~bits ^ value */
void nft_set_mark(struct nft_rule *rule, uint32_t value, uint32_t bits)
{
	struct expression expression;
	const uint32_t keep = ~bits;

	nft_load_meta(rule, NFT_META_MARK);
	expression = nft_expression_begin(rule, "bitwise");
	nla_put_u32(rule->msg, NFTA_BITWISE_SREG, htonl(NFT_REG_1));
	nla_put_u32(rule->msg, NFTA_BITWISE_DREG, htonl(NFT_REG_1));
	nla_put_u32(rule->msg, NFTA_BITWISE_LEN, htonl(sizeof(keep)));
	nft_put_value(rule->msg, NFTA_BITWISE_MASK, &keep, sizeof(keep));
	nft_put_value(rule->msg, NFTA_BITWISE_XOR, &value, sizeof(value));
	nft_expression_end(rule, &expression);
	expression = nft_expression_begin(rule, "meta");
	nla_put_u32(rule->msg, NFTA_META_KEY, htonl(NFT_META_MARK));
	nla_put_u32(rule->msg, NFTA_META_SREG, htonl(NFT_REG_1));
	nft_expression_end(rule, &expression);
}

void nft_counter(struct nft_rule *rule)
{
	struct expression expression = nft_expression_begin(rule, "counter");

	nla_put_u64(rule->msg, NFTA_COUNTER_BYTES, 0);
	nla_put_u64(rule->msg, NFTA_COUNTER_PACKETS, 0);
	nft_expression_end(rule, &expression);
}

/* The register at that many bytes from the first: of 16 bytes each where that fits, else of 4. */
static uint32_t register_at(size_t offset)
{
	return offset % 16 ? NFT_REG32_00 + offset / 4 : NFT_REG_1 + offset / 16;
}

static void load_key(struct nft_rule *rule, enum nft_field field, const struct nft_set *set,
		     uint32_t reg)
{
	int family = nft_set_family(rule->family, set) == NFT_IP6 ? AF_INET6 : AF_INET;
	uint32_t size = family == AF_INET ? 4 : 16;
	uint8_t bits[16];

	switch (field) {
	case NFT_SOURCE:
	case NFT_DESTINATION:
		nft_match_nfproto(rule, family);
		load_payload_to(rule, NFT_PAYLOAD_NETWORK_HEADER,
				addr_offset(family, field == NFT_SOURCE), size, reg);
		prefix_bits(set->source_prefix, bits);
		if (field == NFT_SOURCE && set->source_prefix && reg == NFT_REG_1)
			mask(rule, bits, size);
		break;
	case NFT_PROTOCOL: load_meta_to(rule, NFT_META_L4PROTO, reg); break;
	case NFT_PORT: load_payload_to(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg); break;
	case NFT_IN_INTERFACE: load_meta_to(rule, NFT_META_IIFNAME, reg); break;
	case NFT_OUT_INTERFACE: load_meta_to(rule, NFT_META_OIFNAME, reg); break;
	case NFT_IN_BRIDGE: load_meta_to(rule, NFT_META_BRI_IIFNAME, reg); break;
	case NFT_VERDICT:
	case NFT_NUMBER:
	case NFT_NO_FIELD: break;
	}
}

/* The key's fields side by side, and the look-up; reg: where the data goes, -1 = none. */
static void look_up(struct nft_rule *rule, const struct nft_set *set, enum nft_op op, int reg)
{
	struct expression expression;
	size_t offset = 0;

	for (unsigned i = 0; i < NFT_FIELDS && set->key[i]; i++) {
		load_key(rule, set->key[i], set, register_at(offset));
		offset += nft_field_room(nft_set_family(rule->family, set), set->key[i]);
	}
	expression = nft_expression_begin(rule, "lookup");
	nla_put_u32(rule->msg, NFTA_LOOKUP_SREG, htonl(NFT_REG_1));
	if (reg >= 0)
		nla_put_u32(rule->msg, NFTA_LOOKUP_DREG, htonl(reg));
	nla_put_string(rule->msg, NFTA_LOOKUP_SET, set->name);
	if (op == NFT_IS_NOT)
		nla_put_u32(rule->msg, NFTA_LOOKUP_FLAGS, htonl(NFT_LOOKUP_F_INV));
	nft_expression_end(rule, &expression);
}

void nft_match_set(struct nft_rule *rule, enum nft_op op, const struct nft_set *set)
{
	look_up(rule, set, op, -1);
}

void nft_verdict_map(struct nft_rule *rule, const struct nft_set *map)
{
	look_up(rule, map, NFT_IS, NFT_REG_VERDICT);
}

/* The port lies behind the address in what the map gives. */
void nft_dnat_map(struct nft_rule *rule, const struct nft_set *map)
{
	uint32_t port = register_at(nft_field_room(rule->family, NFT_DESTINATION));

	look_up(rule, map, NFT_IS, NFT_REG_1);
	put_nat(rule, NFT_REG_1, port, port);
}
