/* lib/kernel: ipset's messages as they are built and read, and its errors in words. */
#include "fake_kernel.h"

#include "kernel/ipset_internal.h"

#include <arpa/inet.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>

static struct ipset_element element(const char *cidr, uint8_t protocol, uint16_t port)
{
	struct ipset_element parsed = { .protocol = protocol, .port = port };

	check(cidr_parse(cidr, &parsed.cidr));
	return parsed;
}

/* What `ipset add s fd00::/8,sctp:9` is. */
TEST(elements_travel_in_lists)
{
	/* clang-format off */
	static const uint8_t body[] = {
		2, 0, 0, 0, 5, 0, 1, 0, 7, 0, 0, 0, 6, 0, 2, 0, 's', 0, 0, 0,
		8, 0, 9, 0x40, 0, 0, 0, 1, /* line */
		64, 0, 8, 0x80, 60, 0, 7, 0x80, 24, 0, 1, 0x80, 20, 0, 2, 0x40, /* list, element, address */
		0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		5, 0, 3, 0, 8, 0, 0, 0, 5, 0, 7, 0, 132, 0, 0, 0, 6, 0, 4, 0x40, 0, 9, 0, 0,
		8, 0, 9, 0x40, 0, 0, 0, 1,
	};
	/* clang-format on */
	struct fake fake auto_fake = fake_open(NETLINK_NETFILTER);
	struct ipset_session session = { fake.nl, 7 };
	const struct ipset_element one = element("fd00::/8", IPPROTO_SCTP, 9);
	const struct nlmsghdr *sent;

	ipset_queue_add(&session, "s", &one, 1);
	netlink_queue(fake.nl, 0, 0, NULL, 0, "end");
	sent = netlink_queued(fake.nl, 0);
	check_int(sent->nlmsg_type, NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_ADD);
	check_int(sent->nlmsg_len, NLMSG_HDRLEN + sizeof(body));
	check(memcmp(NLMSG_DATA(sent), body, sizeof(body)) == 0);
}

TEST(many_elements_are_few_messages)
{
	struct fake fake auto_fake = fake_open(NETLINK_NETFILTER);
	struct ipset_session session = { fake.nl, 7 };
	struct ipset_element many[1000];

	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = element("fd00::/128", IPPROTO_TCP, (uint16_t)i);
		many[i].cidr.prefix = 127; /* as long as they get */
	}
	ipset_queue_del(&session, "s23456789012345678901234567890", many, ARRAY_SIZE(many));
	check(netlink_queued(fake.nl, 9) != NULL);
	check(netlink_queued(fake.nl, 11) == NULL);
	fake_ack(&fake, 11);
	check_ok(ipset_commit(&session, &fake.err), fake.err);
}

static int refused(int errnum, struct fake *fake)
{
	struct ipset_session session = { fake->nl, 7 };
	const struct ipset_element one = element("10.0.0.1/32", 0, 0);
	static uint32_t seq;

	fake_error(fake, ++seq, errnum, NULL);
	ipset_queue_add(&session, "pods4", &one, 1);
	return ipset_commit(&session, &fake->err);
}

TEST(errors_of_ipset_in_words)
{
	struct fake fake auto_fake = fake_open(NETLINK_NETFILTER);

	check_int(refused(IPSET_ERR_TYPE_SPECIFIC, &fake), -ENOSPC);
	check_str(fake.err.message, "add to set pods4: set is full");
	check_int(refused(IPSET_ERR_BUSY, &fake), -EBUSY);
	check_str(fake.err.message, "add to set pods4: set is in use");
	check_int(refused(IPSET_ERR_FIND_TYPE, &fake), -EOPNOTSUPP);
	check_str(fake.err.message, "add to set pods4: the kernel has no such type of set");
	check_int(refused(ENOENT, &fake), -ENOENT);
	check_str(fake.err.message, "add to set pods4: No such file or directory");
}

/* A set in two messages, one of another family, one of somebody else. */
TEST(a_set_comes_in_several_messages)
{
	auto_arena struct arena arena = { 0 };
	ipsets_t sets = { 0 };
	struct ipset_dump dump = { "cnibox-", &arena, &sets };
	struct fake fake auto_fake = fake_open(NETLINK_NETFILTER);
	static const char *const names[] = { "cnibox-a4", "cnibox-a4", "cnibox-b6", "theirs" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct nfgenmsg header = { .nfgen_family = AF_INET };
		struct nl_msg *msg = netlink_queue(fake.nl, NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_LIST,
						   0, &header, sizeof(header), "set");
		struct nlattr *list, *data, *address;
		uint32_t ip = htonl(0x0a000001 + (uint32_t)i);

		nla_put_string(msg, IPSET_ATTR_SETNAME, names[i]);
		nla_put_string(msg, IPSET_ATTR_TYPENAME, i == 2 ? "bitmap:port" : "hash:net");
		nla_put_u8(msg, IPSET_ATTR_FAMILY, i == 2 ? AF_INET6 : AF_INET);
		list = nla_nest_start(msg, IPSET_ATTR_ADT);
		data = nla_nest_start(msg, IPSET_ATTR_DATA);
		address = nla_nest_start(msg, IPSET_ATTR_IP);
		nla_put(msg, IPSET_ATTR_IPADDR_IPV4, 4, &ip);
		nla_nest_end(msg, address);
		nla_put_u8(msg, IPSET_ATTR_CIDR, (uint8_t)(24 + i));
		nla_nest_end(msg, data);
		nla_nest_end(msg, list);
		netlink_queue(fake.nl, 0, 0, NULL, 0, "end");
		check_ok(ipset_read(netlink_queued(fake.nl, i * 2), &dump, &fake.err), fake.err);
	}
	check_int(sets.n, 2);
	check_int(sets.items[0].type, IPSET_NET);
	check_int(sets.items[0].elements.n, 2);
	check_int(sets.items[0].elements.items[1].cidr.prefix, 25);
	check_int(sets.items[0].elements.items[1].cidr.ip.bytes[3], 2);
	check_int(sets.items[1].type, IPSET_OTHER);
	check_int(sets.items[1].elements.n, 0);
}
