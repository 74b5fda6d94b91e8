/* Links: each message read back attribute by attribute, and what the kernel sends, recorded. */
#include "fake_kernel.h"

#include <linux/if_bridge.h>
#include <linux/veth.h>

#include "kernel/link.h"

static const struct mac mac = { true, { 2, 1, 2, 3, 4, 5 } },
			peer_mac = { true, { 2, 9, 8, 7, 6, 5 } };

/* The header and the attributes of message n. */
static struct ifinfomsg read_back(struct fake *fake, size_t n, int type, int flags,
				  struct nlattr **attrs)
{
	const struct nlmsghdr *message = netlink_queued(fake->nl, n);
	struct ifinfomsg header;

	check_int(message->nlmsg_type, type);
	check_int(message->nlmsg_flags, NLM_F_REQUEST | flags);
	check_ok(netlink_parse(message, sizeof(header), attrs, IFLA_MAX, &fake->err), fake->err);
	memcpy(&header, NLMSG_DATA(message), sizeof(header));
	return header;
}

static unsigned n_attrs(struct nlattr **attrs, int max)
{
	unsigned n = 0;

	for (int i = 0; i <= max; i++)
		n += attrs[i] != NULL;
	return n;
}

TEST(link_create_bridge)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1], *data[IFLA_BR_MAX + 1];
	struct ifinfomsg header;

	link_queue_create(fake.nl, &(struct link_spec){ .kind = "bridge",
							.name = "cni0",
							.mtu = 9000,
							.up = true,
							.vlan_filtering = true });
	header = read_back(&fake, 0, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, attrs);
	check_int(header.ifi_index, 0);
	check_int(header.ifi_flags, LINK_UP);
	check_int(header.ifi_change, LINK_UP);
	check_str(nla_get_string(attrs[IFLA_IFNAME]), "cni0");
	check_int(attr_u32(attrs[IFLA_MTU], 0), 9000);
	check_int(n_attrs(attrs, IFLA_MAX), 3);
	netlink_parse_nested(attrs[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	check_str(nla_get_string(info[IFLA_INFO_KIND]), "bridge");
	netlink_parse_nested(info[IFLA_INFO_DATA], data, IFLA_BR_MAX);
	check_int(attr_u8(data[IFLA_BR_VLAN_FILTERING], 9), 1);
	check_str(netlink_label(fake.nl, 0), "create bridge cni0");

	link_queue_create(fake.nl, &(struct link_spec){
					   .kind = "dummy", .name = "d0", .netns = 7, .mac = mac });
	header = read_back(&fake, 1, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, attrs);
	check_int(header.ifi_change, 0);
	check_int(attr_u32(attrs[IFLA_NET_NS_FD], 0), 7);
	check(memcmp(nla_data(attrs[IFLA_ADDRESS]), mac.bytes, 6) == 0);
	netlink_parse_nested(attrs[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	check(info[IFLA_INFO_DATA] == NULL);
}

TEST(link_create_veth_with_its_peer_elsewhere)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1], *data[VETH_INFO_MAX + 1];
	struct nlattr *peer[IFLA_MAX + 1];
	struct ifinfomsg header;

	link_queue_create(fake.nl, &(struct link_spec){ .kind = "veth",
							.name = "veth1",
							.mtu = 1400,
							.master = 3,
							.up = true,
							.mac = mac,
							.peer = { "eth0", peer_mac, 1300, 9 } });
	header = read_back(&fake, 0, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, attrs);
	check_int(header.ifi_flags, LINK_UP);
	check_str(nla_get_string(attrs[IFLA_IFNAME]), "veth1");
	check_int(attr_u32(attrs[IFLA_MASTER], 0), 3);
	check(attrs[IFLA_NET_NS_FD] == NULL);
	netlink_parse_nested(attrs[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	check_str(nla_get_string(info[IFLA_INFO_KIND]), "veth");
	netlink_parse_nested(info[IFLA_INFO_DATA], data, VETH_INFO_MAX);
	check(data[VETH_INFO_PEER] != NULL);
	memcpy(&header, nla_data(data[VETH_INFO_PEER]), sizeof(header));
	check_int(header.ifi_flags | header.ifi_change | header.ifi_index, 0);
	check_int(nla_parse(peer, IFLA_MAX,
			    (struct nlattr *)((char *)nla_data(data[VETH_INFO_PEER]) +
					      sizeof(header)),
			    nla_len(data[VETH_INFO_PEER]) - (int)sizeof(header), NULL),
		  0);
	check_str(nla_get_string(peer[IFLA_IFNAME]), "eth0");
	check(memcmp(nla_data(peer[IFLA_ADDRESS]), peer_mac.bytes, 6) == 0);
	check_int(attr_u32(peer[IFLA_MTU], 0), 1300);
	check_int(attr_u32(peer[IFLA_NET_NS_FD], 0), 9);
	check_int(n_attrs(peer, IFLA_MAX), 4);
}

TEST(link_change_sends_only_what_is_marked)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[IFLA_MAX + 1];
	struct ifinfomsg header;
	struct link_change change = { .up = true,
				      .promisc = false,
				      .mtu = 1280,
				      .master = 0,
				      .netns = 5,
				      .mac = mac,
				      .new_name = "eth0",
				      .alias = "words" };

	change.what = LINK_SET_UP;
	link_queue_change(fake.nl, 4, NULL, &change, "set eth0 up");
	header = read_back(&fake, 0, RTM_NEWLINK, 0, attrs);
	check_int(header.ifi_index, 4);
	check_int(header.ifi_flags, LINK_UP);
	check_int(header.ifi_change, LINK_UP);
	check_int(n_attrs(attrs, IFLA_MAX), 0);
	check_str(netlink_label(fake.nl, 0), "set eth0 up");

	change.what = LINK_SET_MTU | LINK_SET_MAC | LINK_SET_MASTER | LINK_SET_PROMISC |
		      LINK_SET_NAME | LINK_SET_NETNS | LINK_SET_ALIAS;
	link_queue_change(fake.nl, 4, NULL, &change, "all");
	header = read_back(&fake, 1, RTM_NEWLINK, 0, attrs);
	check_int(header.ifi_flags, 0);
	check_int(header.ifi_change, LINK_PROMISC);
	check_int(attr_u32(attrs[IFLA_MTU], 0), 1280);
	check_int(attr_u32(attrs[IFLA_MASTER], 9), 0);
	check_int(attr_u32(attrs[IFLA_NET_NS_FD], 0), 5);
	check_str(nla_get_string(attrs[IFLA_IFNAME]), "eth0");
	check_int(nla_len(attrs[IFLA_IFALIAS]), 5);
	check_int(n_attrs(attrs, IFLA_MAX), 6);

	change.what = LINK_SET_MTU;
	link_queue_change(fake.nl, 0, "veth1", &change, "by name");
	header = read_back(&fake, 2, RTM_NEWLINK, 0, attrs);
	check_str(nla_get_string(attrs[IFLA_IFNAME]), "veth1");
	check_int(n_attrs(attrs, IFLA_MAX), 2);
}

TEST(link_port_options)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1], *data[IFLA_BRPORT_MAX + 1];

	link_queue_port(fake.nl, "veth1", &(struct link_port){ .hairpin = true });
	read_back(&fake, 0, RTM_NEWLINK, 0, attrs);
	check_str(nla_get_string(attrs[IFLA_IFNAME]), "veth1");
	netlink_parse_nested(attrs[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	check_str(nla_get_string(info[IFLA_INFO_SLAVE_KIND]), "bridge");
	netlink_parse_nested(info[IFLA_INFO_SLAVE_DATA], data, IFLA_BRPORT_MAX);
	check_int(attr_u8(data[IFLA_BRPORT_MODE], 9), 1);
	check_int(attr_u8(data[IFLA_BRPORT_ISOLATED], 9), 0);
}

static void check_vlan(struct fake *fake, size_t n, int type, const char *bytes, int size)
{
	struct nlattr *attrs[IFLA_MAX + 1];
	struct ifinfomsg header = read_back(fake, n, type, 0, attrs);

	check_int(header.ifi_family, AF_BRIDGE);
	check_int(header.ifi_index, 5);
	check(attrs[IFLA_AF_SPEC] != NULL);
	check_int(nla_len(attrs[IFLA_AF_SPEC]), size);
	check(memcmp(nla_data(attrs[IFLA_AF_SPEC]), bytes, (size_t)size) == 0);
}

/* The bytes of struct bridge_vlan_info are flags, then the id: PVID 2, UNTAGGED 4, BEGIN 8, END 16. */
TEST(link_vlans_to_the_byte)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);

	link_queue_vlan(fake.nl, 5, true,
			&(struct link_vlan){ .id = 100, .pvid = true, .untagged = true }, "add");
	link_queue_vlan(fake.nl, 5, true, &(struct link_vlan){ .id = 10, .last = 20 }, "range");
	link_queue_vlan(fake.nl, 5, false, &(struct link_vlan){ .id = 1, .last = 1, .pvid = true },
			"delete");
	link_queue_vlan(fake.nl, 5, false, &(struct link_vlan){ .id = 2, .last = 4094 },
			"delete range");
	check_vlan(&fake, 0, RTM_SETLINK, "\x08\0\x02\0\x06\0\x64\0", 8);
	check_vlan(&fake, 1, RTM_SETLINK,
		   "\x08\0\x02\0\x08\0\x0a\0"
		   "\x08\0\x02\0\x10\0\x14\0",
		   16);
	check_vlan(&fake, 2, RTM_DELLINK, "\x08\0\x02\0\0\0\x01\0", 8);
	check_vlan(&fake, 3, RTM_DELLINK,
		   "\x08\0\x02\0\x08\0\x02\0"
		   "\x08\0\x02\0\x10\0\xfe\x0f",
		   16);
}

static size_t vlan_record(char *data, uint32_t seq, int index, const void *vlans, size_t size)
{
	struct {
		struct ifinfomsg header;
		struct nlattr master;
		uint32_t bridge;
		struct nlattr spec;
		char vlans[64];
	} body = {
		.header = { .ifi_family = AF_BRIDGE, .ifi_index = index },
		.master = { 8, IFLA_MASTER },
		.bridge = 9,
		.spec = { (uint16_t)(4 + size), IFLA_AF_SPEC },
	};

	memcpy(body.vlans, vlans, size);
	return fake_build(data, RTM_NEWLINK, NLM_F_MULTI, seq, &body,
			  offsetof(typeof(body), vlans) + size);
}

TEST(link_vlans_reads_ranges_of_one_port)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	auto_arena struct arena arena = { 0 };
	link_vlans_t vlans = { 0 };
	char data[1024];
	size_t size;

	size = vlan_record(data, 2, 4, "\x08\0\x02\0\x06\0\x07\0", 8);
	size += vlan_record(data + size, 2, 5,
			    "\x08\0\x02\0\x06\0\x01\0"
			    "\x08\0\x02\0\x08\0\x0a\0"
			    "\x08\0\x02\0\x10\0\x14\0",
			    24);
	size += fake_build(data + size, NLMSG_DONE, NLM_F_MULTI, 2, "\0\0\0", 4);
	fake_raw(&fake, data, size);
	check_ok(link_vlans(fake.nl, 5, &arena, &vlans, &fake.err), fake.err);
	check_int(vlans.n, 2);
	check_int(vlans.items[0].id, 1);
	check_int(vlans.items[0].last, 1);
	check(vlans.items[0].pvid && vlans.items[0].untagged);
	check_int(vlans.items[1].id, 10);
	check_int(vlans.items[1].last, 20);
	check(!vlans.items[1].pvid && !vlans.items[1].untagged);
	check_int(vlans.items[1].port, 5);
	check_int(vlans.items[1].bridge, 9);
}

TEST(link_vlans_reads_those_of_all_ports)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	auto_arena struct arena arena = { 0 };
	link_vlans_t vlans = { 0 };
	char data[1024];
	size_t size;

	size = vlan_record(data, 2, 4, "\x08\0\x02\0\x06\0\x07\0", 8);
	size += vlan_record(data + size, 2, 5, "\x08\0\x02\0\x06\0\x08\0", 8);
	size += fake_build(data + size, NLMSG_DONE, NLM_F_MULTI, 2, "\0\0\0", 4);
	fake_raw(&fake, data, size);
	check_ok(link_vlans(fake.nl, 0, &arena, &vlans, &fake.err), fake.err);
	check_int(vlans.n, 2);
	check_int(vlans.items[0].port, 4);
	check_int(vlans.items[0].id, 7);
	check_int(vlans.items[1].port, 5);
	check_int(vlans.items[1].id, 8);
}

/* Linux 6.18: veth01, port of a bridge with hairpin and isolated, peer in another namespace; cut behind the
 * queueing discipline. */
static const char port_recorded[] =
	"24040000100000000100000035300000000001000300000043100100000000000b000300766574683031000008000d00"
	"e80300000500100006000000050011000000000005004300000000000800040078050000080032004400000008003300"
	"ffff000008001b000000000008001e000100000008003d000100000008001f000200000008002800ffff000008002900"
	"0000010008003a000000010008003f0000000100080040000000010008003b00f8ff070008003c00ffff000008004200"
	"00000000080020000200000008000a000200000005002100010000000d001400616e20616c6961730000000008002300"
	"0200000008002f000100000008003000010000000600440000000000060045000000000005002700000000000a000100"
	"02112233446600000a000200ffffffffffff0000cc001700000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000064000700000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000000000000c002b000500020000000000"
	"6c0112000900010076657468000000000b00040062726964676500005001050005000100030000000600020020000000"
	"0800030002000000050004000100000005000500000000000500060000000000050007000000000005001c0000000000"
	"0500080001000000050009000100000005001b000100000005001e000100000005000a000000000005000c0000000000"
	"0c000d0080000211223344660c000e00800002112233446606000f000180000006001000000000000600110001800000"
	"06001200010000000500130000000000050014000000000005001d000000000006001f00000000000500200000000000"
	"0500230000000000050024000000000005002100010000000500270000000000050028000000000005002b0000000000"
	"0c00150000000000000000000c001600dc050000000000000c0017000000000000000000050019000100000008002500"
	"000200000800260000000000080029000000000008002a0000000000080025000000000008000500020000000c000600"
	"6e6f717565756500";

static size_t unhex(const char *hex, uint8_t *bytes)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
		sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
	return n;
}

TEST(link_read_from_a_recorded_reply)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	uint8_t data[2048];
	size_t size = unhex(port_recorded, data);
	struct link link;
	char text[MAC_TEXT_SIZE];

	memcpy(data, &(uint32_t){ (uint32_t)size }, 4);
	fake_raw(&fake, data, size);
	fake_ack(&fake, 1);
	check_ok(link_get(fake.nl, "veth01", &link, &fake.err), fake.err);
	check_int(link.index, 3);
	check_str(link.name, "veth01");
	check_str(link.kind, "veth");
	check_str(mac_format(&link.mac, text), "02:11:22:33:44:66");
	check_int(link.mtu, 1400);
	check_int(link.txqlen, 1000);
	check_int(link.operstate, LINK_OPER_UP);
	check_int(link.flags & (LINK_UP | LINK_LOOPBACK | LINK_PROMISC), LINK_UP);
	check_int(link.master, 2);
	check_int(link.peer, 2);
	check_int(link.peer_netns, 0);
	check_int(link.promiscuity, 1);
	check_str(link.alias, "an alias");
	check(link.is_port && link.hairpin && link.isolated);
	check_int(link.port_state, LINK_PORT_FORWARDING);
}

/* Whatever byte is wrong, nothing is read outside the message (the sanitizers watch) and the call comes back. */
TEST(link_survives_every_damaged_length)
{
	uint8_t good[2048], data[2048];
	size_t size = unhex(port_recorded, good);
	struct link link;

	memcpy(good, &(uint32_t){ (uint32_t)size }, 4);
	for (size_t i = NLMSG_SPACE(sizeof(struct ifinfomsg)); i < size; i += 4) {
		auto_fake struct fake fake = fake_open(NETLINK_ROUTE);

		memcpy(data, good, size);
		data[i] = (uint8_t)(i & 4 ? 0xff : 1);
		fake_raw(&fake, data, size);
		fake_ack(&fake, 1);
		if (link_get(fake.nl, "veth01", &link, &fake.err) < 0)
			check_int(fake.err.errnum, EPROTO);
	}
}

TEST(link_get_says_what_users_know)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[IFLA_MAX + 1];
	struct link link = { .index = 9 };

	fake_error(&fake, 1, ENODEV, NULL);
	check_int(link_get(fake.nl, "nope", &link, &fake.err), -ENODEV);
	check_str(fake.err.message, "Link not found");
	check_int(link.index, 0);

	link_queue_get(fake.nl, "eth0", &link);
	netlink_tolerate(fake.nl, ENODEV);
	read_back(&fake, 0, RTM_GETLINK, 0, attrs);
	check_str(nla_get_string(attrs[IFLA_IFNAME]), "eth0");
	check_int(attr_u32(attrs[IFLA_EXT_MASK], 0), RTEXT_FILTER_SKIP_STATS);
	fake_error(&fake, 2, ENODEV, NULL);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	check_int(link.index, 0);
	check_int(link.peer_netns, -1);
}

/* A look-up by a name that is too long for one is for an alternative name. */
TEST(link_get_by_alternative_name)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[IFLA_MAX + 1];
	struct link link;

	link_queue_get(fake.nl, "fifteen-letters", &link);
	read_back(&fake, 0, RTM_GETLINK, 0, attrs);
	check_str(nla_get_string(attrs[IFLA_IFNAME]), "fifteen-letters");
	check(attrs[IFLA_ALT_IFNAME] == NULL);
	link_queue_get(fake.nl, "sixteen-letters-", &link);
	read_back(&fake, 1, RTM_GETLINK, 0, attrs);
	check(attrs[IFLA_IFNAME] == NULL);
	check_str(nla_get_string(attrs[IFLA_ALT_IFNAME]), "sixteen-letters-");
}

/* One message moves, renames and marks. */
TEST(link_change_that_moves)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *attrs[IFLA_MAX + 1];
	struct ifinfomsg header;

	link_queue_change(fake.nl, 4, NULL,
			  &(struct link_change){ .what = LINK_SET_UP | LINK_SET_NETNS |
							 LINK_SET_NAME | LINK_SET_ALIAS |
							 LINK_SET_INDEX,
						 .netns = 5,
						 .new_name = "eth1",
						 .alias = "",
						 .new_index = 9 },
			  "move");
	header = read_back(&fake, 0, RTM_NEWLINK, 0, attrs);
	check_int(header.ifi_index, 4);
	check_int(header.ifi_flags, 0);
	check_int(header.ifi_change, LINK_UP);
	check_int(attr_u32(attrs[IFLA_NET_NS_FD], 0), 5);
	check_int(attr_u32(attrs[IFLA_NEW_IFINDEX], 0), 9);
	check_str(nla_get_string(attrs[IFLA_IFNAME]), "eth1");
	check_int(nla_len(attrs[IFLA_IFALIAS]), 0);
	check_int(n_attrs(attrs, IFLA_MAX), 4);
}
