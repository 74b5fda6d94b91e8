/* lib/kernel: sets of nf_tables and tracked connections, written and read back. */
#include "fake_kernel.h"

#include "kernel/conntrack.h"
#include "kernel/nft_set.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

static const struct nft_set ports = { .name = "ports",
				      .key = { NFT_DESTINATION, NFT_PROTOCOL, NFT_PORT },
				      .data = { NFT_DESTINATION, NFT_PORT } },
			    verdicts = { .name = "verdicts",
					 .key = { NFT_IN_INTERFACE },
					 .data = { NFT_VERDICT } },
			    numbers = { .name = "numbers",
					.key = { NFT_PORT },
					.data = { NFT_NUMBER },
					.comment = "a set",
					.must_be_new = true };

static struct ip ip(const char *text)
{
	struct ip parsed = { 0 };

	check(ip_parse(text, &parsed));
	return parsed;
}

static uint32_t number(struct nlattr *const *attrs, int type)
{
	return ntohl(attr_u32(attrs[type], 0));
}

/* nft 1.0.6 declares `type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service` so. */
TEST(a_set_has_the_types_that_nft_gives_it)
{
	struct fake fake auto_fake = fake_open(NETLINK_NETFILTER);
	struct nlattr *attrs[NFTA_SET_MAX + 1];
	struct error err = { 0 };

	nft_queue_set(fake.nl, NFT_IP, "t", &ports);
	nft_queue_set(fake.nl, NFT_IP6, "t", &ports);
	nft_queue_set(fake.nl, NFT_IP, "t", &verdicts);
	nft_queue_set(fake.nl, NFT_IP, "t", &numbers);
	check_ok(netlink_parse(netlink_queued(fake.nl, 0), sizeof(struct nfgenmsg), attrs,
			       NFTA_SET_MAX, &err),
		 err);
	check_int(number(attrs, NFTA_SET_KEY_TYPE), 7 << 12 | 12 << 6 | 13);
	check_int(number(attrs, NFTA_SET_KEY_LEN), 12);
	check_int(number(attrs, NFTA_SET_DATA_TYPE), 7 << 6 | 13);
	check_int(number(attrs, NFTA_SET_DATA_LEN), 8);
	check_int(number(attrs, NFTA_SET_FLAGS), NFT_SET_MAP);
	check_ok(netlink_parse(netlink_queued(fake.nl, 1), sizeof(struct nfgenmsg), attrs,
			       NFTA_SET_MAX, &err),
		 err);
	check_int(number(attrs, NFTA_SET_KEY_TYPE), 8 << 12 | 12 << 6 | 13);
	check_int(number(attrs, NFTA_SET_KEY_LEN), 24);
	check_int(number(attrs, NFTA_SET_DATA_LEN), 20);
	check_ok(netlink_parse(netlink_queued(fake.nl, 2), sizeof(struct nfgenmsg), attrs,
			       NFTA_SET_MAX, &err),
		 err);
	check_int(number(attrs, NFTA_SET_KEY_LEN), 16);
	check_int(number(attrs, NFTA_SET_DATA_TYPE), 0xffffff00u);
	check_ok(netlink_parse(netlink_queued(fake.nl, 3), sizeof(struct nfgenmsg), attrs,
			       NFTA_SET_MAX, &err),
		 err);
	check_int(number(attrs, NFTA_SET_KEY_LEN), 2);
	check(attrs[NFTA_SET_USERDATA] != NULL);
	check(netlink_queued(fake.nl, 3)->nlmsg_flags & NLM_F_EXCL);
	netlink_discard(fake.nl);
}

static struct nft_element port_element(void)
{
	struct nft_element element = { .comment = "whose it is" };
	struct ip host = ip("192.0.2.1"), container = ip("10.1.0.5");

	nft_value_ip(&element.key, &host);
	nft_value_protocol(&element.key, IPPROTO_TCP);
	nft_value_port(&element.key, 8080);
	nft_value_ip(&element.data, &container);
	nft_value_port(&element.data, 80);
	return element;
}

/* Queue the element in one session, hand the message to another as the kernel's answer to a dump. */
static struct nft_element read_back(struct arena *arena, const struct nft_set *set,
				    const struct nft_element *element)
{
	struct fake writer auto_fake = fake_open(NETLINK_NETFILTER),
			   reader auto_fake = fake_open(NETLINK_NETFILTER);
	const struct nlmsghdr *message;
	nft_elements_t elements = { 0 };
	struct error err = { 0 };

	nft_queue_element(writer.nl, NFT_IP, "t", set, element, true, "add it");
	message = netlink_queued(writer.nl, 0);
	check(message->nlmsg_flags & NLM_F_EXCL);
	fake_reply(&reader, message->nlmsg_type, NLM_F_MULTI, 2, NLMSG_DATA(message),
		   message->nlmsg_len - NLMSG_HDRLEN);
	fake_reply(&reader, NLMSG_DONE, NLM_F_MULTI, 2, &(int){ 0 }, sizeof(int));
	check_ok(nft_elements(reader.nl, NFT_IP, "t", set->name, arena, &elements, &err), err);
	check_int(elements.n, 1);
	netlink_discard(writer.nl);
	return elements.n ? elements.items[0] : (struct nft_element){ .comment = "", .chain = "" };
}

TEST(elements_are_read_as_they_were_written)
{
	auto_arena struct arena arena = { 0 };
	struct nft_element element = port_element(), there = read_back(&arena, &ports, &element);
	struct ip host = ip("192.0.2.1"), container = ip("10.1.0.5"), found;
	size_t at = 0;

	check_str(there.comment, "whose it is");
	found = nft_value_get_ip(&there.key, AF_INET, &at);
	check(ip_equal(&found, &host));
	check_int(nft_value_get_protocol(&there.key, &at), IPPROTO_TCP);
	check_int(nft_value_get_port(&there.key, &at), 8080);
	check_int(at, there.key.size);
	at = 0;
	found = nft_value_get_ip(&there.data, AF_INET, &at);
	check(ip_equal(&found, &container));
	check_int(nft_value_get_port(&there.data, &at), 80);
	check_int(nft_value_get_port(&there.data, &at), 0); /* behind the end */
}

TEST(elements_of_verdict_maps_and_of_single_fields)
{
	auto_arena struct arena arena = { 0 };
	struct nft_element element = { .verdict = NFT_VERDICT_JUMP, .chain = "there" }, found;
	size_t at = 0;

	nft_value_interface(&element.key, "cni0");
	found = read_back(&arena, &verdicts, &element);
	check_int(found.verdict, NFT_VERDICT_JUMP);
	check_str(found.chain, "there");
	check_str(nft_value_get_interface(&found.key, &arena, &at), "cni0");
	check_str(found.comment, "");

	element = (struct nft_element){ .comment = NULL };
	nft_value_port(&element.key, 53);
	nft_value_number(&element.data, 7);
	found = read_back(&arena, &numbers, &element);
	at = 0;
	check_int(nft_value_get_port(&found.key, &at), 53);
	at = 0;
	check_int(nft_value_get_number(&found.data, &at), 7);
}

TEST(a_value_takes_no_more_than_fits)
{
	struct nft_value value = { 0 };
	struct ip six = ip("fd00::5");

	for (unsigned i = 0; i < 10; i++)
		nft_value_ip(&value, &six);
	check_int(value.size, NFT_VALUE_SIZE);
}

TEST(an_element_that_is_not_there_is_no_error)
{
	auto_arena struct arena arena = { 0 };
	struct fake fake auto_fake = fake_open(NETLINK_NETFILTER);
	struct nft_element element = port_element();
	struct nft_lookup lookup = { .arena = &arena, .found = true };

	nft_queue_get_element(fake.nl, NFT_IP, "t", &ports, &element.key, &lookup);
	fake_error(&fake, 1, ENOENT, NULL);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	check(!lookup.found);
}

/* ---- connections ---- */

static void put_tuple(struct nl_msg *msg, int type, const char *from, const char *to,
		      uint16_t sport, uint16_t dport)
{
	struct nlattr *nest = nla_nest_start(msg, type), *part = nla_nest_start(msg, CTA_TUPLE_IP);
	struct ip source = ip(from), destination = ip(to);

	nla_put(msg, CTA_IP_V4_SRC, 4, source.bytes);
	nla_put(msg, CTA_IP_V4_DST, 4, destination.bytes);
	nla_nest_end(msg, part);
	part = nla_nest_start(msg, CTA_TUPLE_PROTO);
	nla_put_u8(msg, CTA_PROTO_NUM, IPPROTO_UDP);
	nla_put_u16(msg, CTA_PROTO_SRC_PORT, htons(sport));
	nla_put_u16(msg, CTA_PROTO_DST_PORT, htons(dport));
	nla_nest_end(msg, part);
	nla_nest_end(msg, nest);
}

/* 192.0.2.2:5000 to 192.0.2.1:8053, which answers as 10.1.0.5:53. */
static void reply_flow(struct fake *fake, const char *container)
{
	struct nfgenmsg header = { .nfgen_family = AF_INET };
	struct nl_msg *msg = nlmsg_alloc();

	nlmsg_put(msg, 0, 2, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, 0, NLM_F_MULTI);
	nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO);
	put_tuple(msg, CTA_TUPLE_ORIG, "192.0.2.2", "192.0.2.1", 5000, 8053);
	put_tuple(msg, CTA_TUPLE_REPLY, container, "192.0.2.2", 53, 5000);
	nla_put_u32(msg, CTA_ID, 77);
	fake_raw(fake, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
	nlmsg_free(msg);
}

TEST(connections_are_read_and_filtered)
{
	auto_arena struct arena arena = { 0 };
	struct fake fake auto_fake = fake_open(NETLINK_NETFILTER);
	const struct flow_filter filter = { .family = AF_INET, .reply_source = ip("10.1.0.5") };
	flows_t flows = { 0 };

	reply_flow(&fake, "10.1.0.5");
	reply_flow(&fake, "10.1.0.6"); /* what a kernel sends that knows no filter */
	fake_reply(&fake, NLMSG_DONE, NLM_F_MULTI, 2, &(int){ 0 }, sizeof(int));
	check_ok(conntrack_list(fake.nl, &filter, &arena, &flows, &fake.err), fake.err);
	check_int(flows.n, 1);
	check_int(flows.items[0].protocol, IPPROTO_UDP);
	check_int(flows.items[0].source_port, 5000);
	check_int(flows.items[0].destination_port, 8053);
	check_int(flows.items[0].reply_port, 53);
	check_int(flows.items[0].id, 77);
}

TEST(a_connection_is_removed_by_what_it_is_and_its_id)
{
	struct fake fake auto_fake = fake_open(NETLINK_NETFILTER);
	const struct flow flow = { .protocol = IPPROTO_UDP,
				   .source = ip("192.0.2.2"),
				   .destination = ip("192.0.2.1"),
				   .source_port = 5000,
				   .destination_port = 8053,
				   .id = 77,
				   .zone = 3 };
	struct nlattr *attrs[CTA_MAX + 1];

	conntrack_queue_del(fake.nl, &flow);
	check_ok(netlink_parse(netlink_queued(fake.nl, 0), sizeof(struct nfgenmsg), attrs, CTA_MAX,
			       &fake.err),
		 fake.err);
	check_int(netlink_queued(fake.nl, 0)->nlmsg_type,
		  NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE);
	check(attrs[CTA_TUPLE_ORIG] && !attrs[CTA_TUPLE_REPLY]);
	check_int(attr_u32(attrs[CTA_ID], 0), 77);
	check_int(ntohs(attr_u16(attrs[CTA_ZONE], 0)), 3);
	check_str(netlink_label(fake.nl, 0), "forget a connection to 192.0.2.1 port 8053");
	fake_error(&fake, 1, ENOENT, NULL);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
}
