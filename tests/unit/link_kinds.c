/* Kinds of links with data of their own: what is asked of the kernel, what it says of them, and whether it has them. */
#include "fake_kernel.h"

#include "kernel/link.h"

/* The data of message n: a link eth0 of that kind on parent 3. */
static void read_data(struct fake *fake, size_t n, const char *kind, struct nlattr **data, int max)
{
	const struct nlmsghdr *message = netlink_queued(fake->nl, n);
	struct nlattr *attrs[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];

	check_int(message->nlmsg_type, RTM_NEWLINK);
	check_int(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	check_ok(netlink_parse(message, sizeof(struct ifinfomsg), attrs, IFLA_MAX, &fake->err),
		 fake->err);
	check_int(attr_u32(attrs[IFLA_LINK], 0), 3);
	check_int(attr_u32(attrs[IFLA_NET_NS_FD], 0), 7);
	check_str(nla_get_string(attrs[IFLA_IFNAME]), "eth0");
	netlink_parse_nested(attrs[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	check_str(nla_get_string(info[IFLA_INFO_KIND]), kind);
	netlink_parse_nested(info[IFLA_INFO_DATA], data, max);
}

TEST(link_create_macvlan)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *data[IFLA_MACVLAN_MAX + 1];
	struct link_spec spec = { .kind = "macvlan", .name = "eth0", .link = 3, .netns = 7 };

	spec.mode = LINK_MACVLAN_VEPA;
	spec.queue_len = 2000;
	link_queue_create(fake.nl, &spec);
	read_data(&fake, 0, "macvlan", data, IFLA_MACVLAN_MAX);
	check_int(attr_u32(data[IFLA_MACVLAN_MODE], 0), MACVLAN_MODE_VEPA);
	check_int(attr_u32(data[IFLA_MACVLAN_BC_QUEUE_LEN], 0), 2000);

	spec.mode = LINK_MACVLAN_PASSTHRU;
	spec.queue_len = 0;
	link_queue_create(fake.nl, &spec);
	read_data(&fake, 1, "macvlan", data, IFLA_MACVLAN_MAX);
	check_int(attr_u32(data[IFLA_MACVLAN_MODE], 0), MACVLAN_MODE_PASSTHRU);
	check(data[IFLA_MACVLAN_BC_QUEUE_LEN] == NULL);
}

TEST(link_create_ipvlan_and_vlan)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nlattr *ipvlan[IFLA_IPVLAN_MAX + 1], *vlan[IFLA_VLAN_MAX + 1];
	struct link_spec spec = { .kind = "ipvlan", .name = "eth0", .link = 3, .netns = 7 };

	spec.mode = LINK_IPVLAN_L3S;
	link_queue_create(fake.nl, &spec);
	read_data(&fake, 0, "ipvlan", ipvlan, IFLA_IPVLAN_MAX);
	check_int(attr_u16(ipvlan[IFLA_IPVLAN_MODE], 0), IPVLAN_MODE_L3S);

	spec.kind = "vlan";
	spec.vlan = 4094;
	link_queue_create(fake.nl, &spec);
	read_data(&fake, 1, "vlan", vlan, IFLA_VLAN_MAX);
	check_int(attr_u16(vlan[IFLA_VLAN_ID], 0), 4094);
	check(vlan[IFLA_VLAN_PROTOCOL] == NULL); /* the kernel's default is 802.1Q */
}

/* A link of a kind with one attribute of its own, as the kernel tells it. */
static struct link told(const char *kind, uint16_t type, uint32_t value, uint16_t size)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct link link;
	struct {
		struct ifinfomsg header;
		struct nlattr info, kind;
		char name[8];
		struct nlattr data, attr;
		uint32_t value;
	} body = {
		.header = { .ifi_index = 9 },
		.info = { sizeof(body) - sizeof(body.header), IFLA_LINKINFO },
		.kind = { sizeof(body.kind) + sizeof(body.name), IFLA_INFO_KIND },
		.data = { sizeof(body.data) + sizeof(body.attr) + sizeof(body.value),
			  IFLA_INFO_DATA },
		.attr = { (uint16_t)(sizeof(body.attr) + size), type },
		.value = value,
	};

	memcpy(body.name, kind, strlen(kind));
	fake_reply(&fake, RTM_NEWLINK, 0, 1, &body, sizeof(body));
	fake_ack(&fake, 1);
	check_ok(link_get_index(fake.nl, 9, &link, &fake.err), fake.err);
	check_int(link.index, 9);
	check_str(link.kind, kind);
	return link;
}

TEST(link_kinds_are_read_back)
{
	check_int(told("macvlan", IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE, 4).mode,
		  LINK_MACVLAN_PRIVATE);
	check_int(told("macvlan", IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE, 4).mode,
		  LINK_MACVLAN_BRIDGE);
	check_int(told("ipvlan", IFLA_IPVLAN_MODE, IPVLAN_MODE_L3, 2).mode, LINK_IPVLAN_L3);
	check_int(told("vlan", IFLA_VLAN_ID, 100, 2).vlan, 100);
	check_int(told("macvlan", IFLA_MACVLAN_MODE, 8, 2).mode, 0); /* too short to be one */
	check_int(told("nokind", IFLA_VLAN_ID, 100, 2).vlan, 0);
}

TEST(link_kind_probe_makes_nothing)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	char data[1024];
	const struct nlmsghdr *sent;
	struct nlattr *attrs[IFLA_MAX + 1];
	ssize_t size;

	fake_error(&fake, 1, EOPNOTSUPP, "Unknown device type");
	check_int(link_kind_probe(fake.nl, "vlan", &fake.err), -EOPNOTSUPP);
	check_str(fake.err.message, "this kernel has no vlan links (try: modprobe 8021q)");
	size = fake_sent(&fake, data, sizeof(data));
	sent = fake_nth(data, size, 0);
	check_ok(netlink_parse(sent, sizeof(struct ifinfomsg), attrs, IFLA_MAX, &fake.err),
		 fake.err);
	check(memcmp(nla_data(attrs[IFLA_ADDRESS]), "\0\0\0\0\0\0", 6) == 0); /* none takes it */
	check(attrs[IFLA_LINK] == NULL);

	fake_error(&fake, 2, EADDRNOTAVAIL, NULL);
	check_int(link_kind_probe(fake.nl, "macvlan", &fake.err), 0);
	fake_error(&fake, 3, EINVAL, NULL);
	check_int(link_kind_probe(fake.nl, "ipvlan", &fake.err), 0);
	fake_error(&fake, 4, EPERM, NULL);
	check_int(link_kind_probe(fake.nl, "dummy", &fake.err), -EPERM);
}
