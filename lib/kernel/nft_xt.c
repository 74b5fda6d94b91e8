/*
 * nf_tables, rules in the form of the iptables-nft programs (bytes: iptables 1.8.9): what nf_tables has no expression
 * for, or these programs do not know of, are extensions of xtables wrapped in the expressions "match" and "target",
 * which every release of theirs reads.
 */
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_sctp.h>
#include <net/if.h>

#define EXTENSION_MAX 512 /* bytes of the largest structure */

/* NFTA_MATCH_* and NFTA_TARGET_* have the same numbers. Structures are filled up with zeros. */
static void put_extension(struct nft_rule *rule, const char *expression_name, const char *name,
			  unsigned revision, const void *data, size_t size)
{
	struct expression expression = nft_expression_begin(rule, expression_name);
	uint8_t filled[EXTENSION_MAX] = { 0 };

	memcpy(filled, data, size);
	nla_put_string(rule->msg, NFTA_MATCH_NAME, name);
	nla_put_u32(rule->msg, NFTA_MATCH_REV, htonl(revision));
	nla_put(rule->msg, NFTA_MATCH_INFO, XT_ALIGN(size), filled);
	nft_expression_end(rule, &expression);
}

void nft_xt_comment(struct nft_rule *rule, const char *comment)
{
	struct xt_comment_info info = { "" };

	memcpy(info.comment, comment, strnlen(comment, sizeof(info.comment) - 1));
	put_extension(rule, "match", "comment", 0, &info, sizeof(info));
}

void nft_xt_masquerade(struct nft_rule *rule, bool fully_random)
{
	unsigned flags = fully_random ? NF_NAT_RANGE_PROTO_RANDOM_FULLY : 0;
	union {
		struct nf_nat_ipv4_multi_range_compat v4;
		struct nf_nat_range v6;
	} info = { .v6 = { 0 } };

	if (rule->family == NFT_IP) {
		info.v4.rangesize = 1;
		info.v4.range[0].flags = flags;
	} else {
		info.v6.flags = flags;
	}
	put_extension(rule, "target", "MASQUERADE", 0, &info,
		      rule->family == NFT_IP ? sizeof(info.v4) : sizeof(info.v6));
}

void nft_xt_rule(struct nft_rule *rule)
{
	rule->xt = true;
}

/* A name without its end matches all that begin with it. */
void nft_xt_interface(struct nft_rule *rule, bool in, enum nft_op op, const char *name)
{
	size_t len = strnlen(name, IFNAMSIZ - 1);
	bool prefix = len && name[len - 1] == '+';

	nft_load_meta(rule, in ? NFT_META_IIFNAME : NFT_META_OIFNAME);
	nft_compare(rule, op, name, prefix ? len - 1 : len + 1);
}

/* What a new sctp match of iptables holds: no chunk type in any of the places for their flags. */
static void put_sctp(struct nft_rule *rule, const struct ports *ports)
{
	struct xt_sctp_info info = { .dpts = { ports->first, ports->last },
				     .flags = XT_SCTP_DEST_PORTS };

	for (size_t i = 0; i < XT_NUM_SCTP_FLAGS; i++)
		info.flag_info[i].chunktype = 0xff;
	put_extension(rule, "match", "sctp", 0, &info, sizeof(info));
}

/* Needs nft_match_protocol() before it. Of TCP and UDP the ports are matched without an extension. */
void nft_xt_port(struct nft_rule *rule, const struct ports *ports)
{
	uint16_t first = htons(ports->first), last = htons(ports->last);
	struct expression expression;

	if (rule->protocol != IPPROTO_TCP && rule->protocol != IPPROTO_UDP) {
		put_sctp(rule, ports);
		return;
	}
	if (first == last) {
		nft_match_port(rule, ports);
		return;
	}
	nft_load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
	expression = nft_expression_begin(rule, "range");
	nla_put_u32(rule->msg, NFTA_RANGE_SREG, htonl(NFT_REG_1));
	nla_put_u32(rule->msg, NFTA_RANGE_OP, htonl(NFT_RANGE_EQ));
	nft_put_value(rule->msg, NFTA_RANGE_FROM_DATA, &first, sizeof(first));
	nft_put_value(rule->msg, NFTA_RANGE_TO_DATA, &last, sizeof(last));
	nft_expression_end(rule, &expression);
}

/* A range takes two of the places. */
void nft_xt_multiport(struct nft_rule *rule, const struct ports *ports, size_t n)
{
	struct xt_multiport_v1 info = { .flags = XT_MULTIPORT_DESTINATION };

	for (size_t i = 0; i < n && info.count < XT_MULTI_PORTS; i++) {
		info.ports[info.count++] = ports[i].first;
		if (ports[i].last == ports[i].first || info.count == XT_MULTI_PORTS)
			continue;
		info.pflags[info.count - 1] = 1;
		info.ports[info.count++] = ports[i].last;
	}
	put_extension(rule, "match", "multiport", 1, &info, sizeof(info));
}

void nft_xt_local(struct nft_rule *rule)
{
	struct xt_addrtype_info_v1 info = { .dest = XT_ADDRTYPE_LOCAL };

	put_extension(rule, "match", "addrtype", 1, &info, sizeof(info));
}

/* States have the same bits as in nf_tables, but for untracked, which is not among ours. */
void nft_xt_state(struct nft_rule *rule, unsigned states)
{
	struct xt_conntrack_mtinfo3 info = { .match_flags = XT_CONNTRACK_STATE,
					     .state_mask = (uint16_t)states };

	put_extension(rule, "match", "conntrack", 3, &info, sizeof(info));
}

void nft_xt_set_mark(struct nft_rule *rule, uint32_t value, uint32_t bits)
{
	struct xt_mark_tginfo2 info = { .mark = value, .mask = bits };

	put_extension(rule, "target", "MARK", 2, &info, sizeof(info));
}

void nft_xt_dnat(struct nft_rule *rule, const struct ip *to, const struct ports *ports,
		 uint16_t base)
{
	struct nf_nat_range2 info = { .flags = NF_NAT_RANGE_MAP_IPS };

	memcpy(&info.min_addr, to->bytes, ip_size(to));
	memcpy(&info.max_addr, to->bytes, ip_size(to));
	if (ports->first)
		info.flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
	if (base)
		info.flags |= NF_NAT_RANGE_PROTO_OFFSET;
	info.min_proto.all = htons(ports->first);
	info.max_proto.all = htons(ports->last);
	info.base_proto.all = htons(base);
	put_extension(rule, "target", "DNAT", 2, &info, sizeof(info));
}
