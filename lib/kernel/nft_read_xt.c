/*
 * nf_tables, extensions of xtables in rules of the iptables-nft programs. Only the revisions that they write are known,
 * and only the options that rules of plugins have: anything else makes a rule unknown.
 */
#include "kernel/nft_internal.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_sctp.h>
#include <linux/netfilter/xt_tcpudp.h>

#include "kernel/nft_reader.h"

/* The extension's structure: false when it is shorter than that. */
static bool take(struct nlattr *info, void *to, size_t size)
{
	if ((size_t)nla_len(info) < size)
		return false;
	memcpy(to, nla_data(info), size);
	return true;
}

static bool read_comment(struct rule_reader *reader, struct nlattr *info)
{
	reader->info->comment = nft_text(reader->arena, info);
	return true;
}

static bool read_multiport(struct rule_reader *reader, struct nlattr *info)
{
	struct xt_multiport_v1 multi;
	struct ports *ports = arena_alloc(reader->arena, XT_MULTI_PORTS * sizeof(*ports));
	uint8_t n = 0;

	if (reader->info->n_ports || !take(info, &multi, sizeof(multi)) ||
	    multi.flags != XT_MULTIPORT_DESTINATION || multi.invert || multi.count > XT_MULTI_PORTS)
		return false;
	for (unsigned i = 0; i < multi.count; i++) {
		uint16_t first = multi.ports[i];

		if (multi.pflags[i] && i + 1 < multi.count)
			i++;
		ports[n++] = (struct ports){ first, multi.ports[i] };
	}
	reader->info->ports = ports;
	reader->info->n_ports = n;
	return true;
}

static bool read_addrtype(struct rule_reader *reader, struct nlattr *info)
{
	struct xt_addrtype_info_v1 type;

	reader->info->local = true;
	return take(info, &type, sizeof(type)) && type.dest == XT_ADDRTYPE_LOCAL && !type.source &&
	       !type.flags;
}

static bool read_conntrack(struct rule_reader *reader, struct nlattr *info)
{
	struct xt_conntrack_mtinfo3 ct;

	if (!take(info, &ct, sizeof(ct)) || ct.match_flags != XT_CONNTRACK_STATE || ct.invert_flags)
		return false;
	reader->info->states = ct.state_mask;
	return true;
}

static bool read_tcp(struct rule_reader *reader, struct nlattr *info)
{
	struct xt_tcp tcp;

	return take(info, &tcp, sizeof(tcp)) && !tcp.spts[0] && tcp.spts[1] == UINT16_MAX &&
	       !tcp.option && !tcp.flg_mask && !tcp.invflags &&
	       reader_add_ports(reader, tcp.dpts[0], tcp.dpts[1]);
}

static bool read_udp(struct rule_reader *reader, struct nlattr *info)
{
	struct xt_udp udp;

	return take(info, &udp, sizeof(udp)) && !udp.spts[0] && udp.spts[1] == UINT16_MAX &&
	       !udp.invflags && reader_add_ports(reader, udp.dpts[0], udp.dpts[1]);
}

static bool read_sctp(struct rule_reader *reader, struct nlattr *info)
{
	struct xt_sctp_info sctp;

	return take(info, &sctp, sizeof(sctp)) && sctp.flags == XT_SCTP_DEST_PORTS &&
	       !sctp.invflags && reader_add_ports(reader, sctp.dpts[0], sctp.dpts[1]);
}

static bool read_mark(struct rule_reader *reader, struct nlattr *info)
{
	struct xt_mark_mtinfo1 mark;

	if (!take(info, &mark, sizeof(mark)) || mark.invert)
		return false;
	reader->info->mark = mark.mark;
	reader->info->mark_bits = mark.mask;
	return true;
}

static bool read_set_mark(struct rule_reader *reader, struct nlattr *info)
{
	struct xt_mark_tginfo2 mark;

	if (!take(info, &mark, sizeof(mark)))
		return false;
	reader->info->set_mark = mark.mark;
	reader->info->set_bits = mark.mask;
	return true;
}

/* IPv4's structure has a number in front; a range of ports is unknown. */
static bool read_masquerade(struct rule_reader *reader, struct nlattr *info)
{
	struct nf_nat_ipv4_multi_range_compat v4;
	struct nf_nat_range v6;
	unsigned flags;

	if (reader->nfproto == NFPROTO_IPV4 ? !take(info, &v4, sizeof(v4))
					    : !take(info, &v6, sizeof(v6)))
		return false;
	flags = reader->nfproto == NFPROTO_IPV4 ? v4.range[0].flags : v6.flags;
	reader->info->masquerade = true;
	reader->info->fully_random = flags & NF_NAT_RANGE_PROTO_RANDOM_FULLY;
	return !(flags & NF_NAT_RANGE_PROTO_SPECIFIED);
}

static bool read_reject(struct rule_reader *reader, struct nlattr *info unused)
{
	reader->info->reject = true;
	return true;
}

static bool read_nat(struct rule_reader *reader, struct nlattr *info, struct ip *ip)
{
	struct nf_nat_range2 range = { .flags = 0 };
	bool is_v4 = reader->nfproto == NFPROTO_IPV4;

	/* Revision 1 is the same without the base. */
	if (!take(info, &range, sizeof(range)) && !take(info, &range, sizeof(struct nf_nat_range)))
		return false;
	if (!(range.flags & NF_NAT_RANGE_MAP_IPS) ||
	    memcmp(range.min_addr.all, range.max_addr.all, sizeof(range.min_addr.all)) != 0)
		return false;
	*ip = ip_make(is_v4 ? AF_INET : AF_INET6, &range.min_addr);
	if (ip == &reader->info->from)
		return true;
	if (range.flags & NF_NAT_RANGE_PROTO_SPECIFIED)
		reader->info->to_ports =
			(struct ports){ ntohs(range.min_proto.all), ntohs(range.max_proto.all) };
	if (range.flags & NF_NAT_RANGE_PROTO_OFFSET)
		reader->info->to_base = ntohs(range.base_proto.all);
	return true;
}

static bool read_dnat(struct rule_reader *reader, struct nlattr *info)
{
	return read_nat(reader, info, &reader->info->to);
}

static bool read_snat(struct rule_reader *reader, struct nlattr *info)
{
	return read_nat(reader, info, &reader->info->from);
}

/* The target's first revision, for IPv4: what iptables writes for one address. */
static bool read_nat_0(struct rule_reader *reader, struct nlattr *info, struct ip *ip)
{
	struct nf_nat_ipv4_multi_range_compat compat;

	if (!take(info, &compat, sizeof(compat)) || compat.rangesize != 1 ||
	    compat.range[0].min_ip != compat.range[0].max_ip ||
	    !(compat.range[0].flags & NF_NAT_RANGE_MAP_IPS))
		return false;
	*ip = ip_make(AF_INET, &compat.range[0].min_ip);
	if (ip == &reader->info->to && compat.range[0].flags & NF_NAT_RANGE_PROTO_SPECIFIED)
		reader->info->to_ports = (struct ports){ ntohs(compat.range[0].min.all),
							 ntohs(compat.range[0].max.all) };
	return true;
}

struct extension {
	const char *name;
	uint32_t revision;
	bool (*read)(struct rule_reader *reader, struct nlattr *info);
};

/* NFTA_MATCH_* and NFTA_TARGET_* have the same numbers. */
static void read_extension(struct rule_reader *reader, struct nlattr *data,
			   const struct extension *known)
{
	struct nlattr *tb[NFTA_MATCH_MAX + 1];

	if (nla_parse_nested(tb, NFTA_MATCH_MAX, data, NULL) == 0 && tb[NFTA_MATCH_INFO])
		for (; known->name; known++)
			if (nft_says(tb[NFTA_MATCH_NAME], known->name) &&
			    nft_be32(tb[NFTA_MATCH_REV]) == known->revision &&
			    known->read(reader, tb[NFTA_MATCH_INFO]))
				return;
	reader->info->unknown = true;
}

void reader_match(struct rule_reader *reader, struct nlattr *data)
{
	static const struct extension known[] = { { "comment", 0, read_comment },
						  { "multiport", 1, read_multiport },
						  { "addrtype", 1, read_addrtype },
						  { "conntrack", 3, read_conntrack },
						  { "tcp", 0, read_tcp },
						  { "udp", 0, read_udp },
						  { "sctp", 0, read_sctp },
						  { "mark", 1, read_mark },
						  { NULL } };

	read_extension(reader, data, known);
}

static bool read_dnat_0(struct rule_reader *reader, struct nlattr *info)
{
	return read_nat_0(reader, info, &reader->info->to);
}

static bool read_snat_0(struct rule_reader *reader, struct nlattr *info)
{
	return read_nat_0(reader, info, &reader->info->from);
}

void reader_target(struct rule_reader *reader, struct nlattr *data)
{
	static const struct extension known[] = { { "MASQUERADE", 0, read_masquerade },
						  { "MARK", 2, read_set_mark },
						  { "REJECT", 0, read_reject },
						  { "DNAT", 2, read_dnat },
						  { "DNAT", 1, read_dnat },
						  { "DNAT", 0, read_dnat_0 },
						  { "SNAT", 2, read_snat },
						  { "SNAT", 1, read_snat },
						  { "SNAT", 0, read_snat_0 },
						  { NULL } };

	read_extension(reader, data, known);
}
