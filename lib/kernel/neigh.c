/* Neighbours, forwarding entries of bridges and VXLAN devices, and the announcement of an address. */
#include "kernel/neigh.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "kernel/netlink_internal.h"
#include "kernel/netns.h"

struct listing {
	struct arena *arena;
	neighs_t *neighs;
	int index;
	bool fdb;
};

/* Ethernet frames; everything in them is a byte, so that there is no padding. */
struct arp_frame {
	uint8_t to[6], from[6], type[2];
	uint8_t hardware[2], protocol[2], sizes[2], operation[2];
	uint8_t sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
};

struct advertisement_frame {
	uint8_t to[6], from[6], type[2];
	uint8_t version[4], length[2], next_header, hop_limit, source[16], destination[16];
	struct {
		uint8_t type, code, checksum[2], flags[4], target[16];
		uint8_t option, option_len, option_mac[6];
	} icmp;
};

static struct nl_msg *start(struct netlink *nl, int type, int flags, const struct neigh *neigh,
			    const char *verb)
{
	char ip[IP_TEXT_SIZE], mac[MAC_TEXT_SIZE];
	struct ndmsg header = {
		.ndm_family = neigh->fdb ? AF_BRIDGE : neigh->ip.family,
		.ndm_ifindex = neigh->index,
		.ndm_state = neigh->state ? neigh->state : NUD_PERMANENT,
		.ndm_flags = neigh->fdb ? NTF_SELF : 0,
	};
	struct nl_msg *msg =
		netlink_queue(nl, type, flags, &header, sizeof(header), "%s %s %s%s%s on link %d",
			      verb, neigh->fdb ? "forwarding entry" : "neighbour",
			      neigh->fdb ? mac_format(&neigh->mac, mac) : ip_format(&neigh->ip, ip),
			      neigh->fdb && neigh->ip.family ? " via " : "",
			      neigh->fdb ? ip_format(&neigh->ip, ip) : "", neigh->index);

	if (neigh->ip.family)
		nla_put(msg, NDA_DST, (int)ip_size(&neigh->ip), neigh->ip.bytes);
	if (neigh->mac.set)
		nla_put(msg, NDA_LLADDR, sizeof(neigh->mac.bytes), neigh->mac.bytes);
	return msg;
}

/* VXLAN keeps a list of remote ends for what is flooded: an entry for a group address or for 00:00:00:00:00:00
 * joins the others, and the kernel refuses to replace it. */
static bool is_flooded(const struct neigh *neigh)
{
	static const uint8_t zero[6];

	return neigh->fdb &&
	       (neigh->mac.bytes[0] & 1 || memcmp(neigh->mac.bytes, zero, sizeof(zero)) == 0);
}

void neigh_queue_set(struct netlink *nl, const struct neigh *neigh)
{
	start(nl, RTM_NEWNEIGH, NLM_F_CREATE | (is_flooded(neigh) ? NLM_F_APPEND : NLM_F_REPLACE),
	      neigh, "set");
}

void neigh_queue_del(struct netlink *nl, const struct neigh *neigh)
{
	start(nl, RTM_DELNEIGH, 0, neigh, "delete");
}

static struct neigh make_neigh(const struct ndmsg *header, struct nlattr **attrs)
{
	const struct nlattr *dst = attrs[NDA_DST], *mac = attrs[NDA_LLADDR];
	int size = dst ? nla_len(dst) : 0;
	struct neigh neigh = {
		.index = header->ndm_ifindex,
		.state = header->ndm_state,
		.fdb = header->ndm_family == AF_BRIDGE,
	};

	if (size == 4 || size == 16)
		neigh.ip = ip_make(size == 4 ? AF_INET : AF_INET6, nla_data(dst));
	if (mac && nla_len(mac) == sizeof(neigh.mac.bytes)) {
		neigh.mac.set = true;
		memcpy(neigh.mac.bytes, nla_data(mac), sizeof(neigh.mac.bytes));
	}
	return neigh;
}

/* Of forwarding entries those on the device itself; entries that a bridge keeps for its port are not. */
static int read_neigh(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	const struct listing *listing = arg;
	const struct ndmsg *header = NLMSG_DATA(reply);
	struct nlattr *attrs[NDA_MAX + 1];
	int r;

	if (reply->nlmsg_type != RTM_NEWNEIGH)
		return 0;
	r = netlink_parse(reply, sizeof(*header), attrs, NDA_MAX, err);
	if (r < 0)
		return r;
	if ((listing->index && header->ndm_ifindex != listing->index) ||
	    (listing->fdb ? header->ndm_family != AF_BRIDGE || !(header->ndm_flags & NTF_SELF)
			  : header->ndm_family != AF_INET && header->ndm_family != AF_INET6))
		return 0;
	*list_add(listing->arena, listing->neighs) = make_neigh(header, attrs);
	return 0;
}

int neigh_list(struct netlink *nl, int index, bool fdb, struct arena *arena, neighs_t *neighs,
	       struct error *err)
{
	struct ndmsg header = { .ndm_family = fdb ? AF_BRIDGE : AF_UNSPEC };
	struct listing listing = { arena, neighs, index, fdb };
	struct nl_msg *msg = netlink_queue(nl, RTM_GETNEIGH, 0, &header, sizeof(header), "list %s",
					   fdb ? "forwarding entries" : "neighbours");

	if (index)
		nla_put_u32(msg, NDA_IFINDEX, (uint32_t)index);
	return netlink_dump(nl, read_neigh, &listing, err);
}

/* RFC 5227 section 3: a request from and for the address, to everybody. */
static size_t arp_announcement(const struct mac *mac, const struct ip *ip, void *frame)
{
	struct arp_frame arp = {
		.to = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		.type = { 0x08, 0x06 },
		.hardware = { 0, 1 },
		.protocol = { 0x08, 0x00 },
		.sizes = { 6, 4 },
		.operation = { 0, 1 },
	};

	memcpy(arp.from, mac->bytes, 6);
	memcpy(arp.sender_mac, mac->bytes, 6);
	memcpy(arp.sender_ip, ip->bytes, 4);
	memcpy(arp.target_ip, ip->bytes, 4);
	memcpy(frame, &arp, sizeof(arp));
	return sizeof(arp);
}

/* Sum of 16-bit words in network order (RFC 1071); size is even. */
static uint32_t add_words(uint32_t sum, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

/* RFC 4861 sections 4.4 and 7.2.6: to all nodes, override, not solicited, with our link-layer address. */
static size_t neighbour_advertisement(const struct mac *mac, const struct ip *ip, void *frame)
{
	enum { ICMP6 = 58, NEIGHBOUR_ADVERTISEMENT = 136, TARGET_LINK_LAYER = 2, OVERRIDE = 0x20 };
	struct advertisement_frame na = {
		.to = { 0x33, 0x33, 0, 0, 0, 1 },
		.type = { 0x86, 0xdd },
		.version = { 0x60 },
		.length = { 0, sizeof(na.icmp) },
		.next_header = ICMP6,
		.hop_limit = 255,
		.destination = { 0xff, 0x02, [15] = 1 },
		.icmp = { .type = NEIGHBOUR_ADVERTISEMENT,
			  .flags = { OVERRIDE },
			  .option = TARGET_LINK_LAYER,
			  .option_len = 1 },
	};
	uint32_t sum;

	memcpy(na.from, mac->bytes, 6);
	memcpy(na.source, ip->bytes, 16);
	memcpy(na.icmp.target, ip->bytes, 16);
	memcpy(na.icmp.option_mac, mac->bytes, 6);
	sum = add_words(sizeof(na.icmp) + ICMP6, na.source,
			sizeof(na.source) + sizeof(na.destination));
	sum = add_words(sum, &na.icmp, sizeof(na.icmp));
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	na.icmp.checksum[0] = (uint8_t)(sum >> 8);
	na.icmp.checksum[1] = (uint8_t)sum;
	memcpy(frame, &na, sizeof(na));
	return sizeof(na);
}

size_t neigh_announcement(const struct mac *mac, const struct ip *ip,
			  uint8_t frame[NEIGH_FRAME_MAX])
{
	_Static_assert(sizeof(struct advertisement_frame) == NEIGH_FRAME_MAX, "frame size");
	_Static_assert(sizeof(struct arp_frame) == 42, "frame size");

	return ip->family == AF_INET ? arp_announcement(mac, ip, frame)
				     : neighbour_advertisement(mac, ip, frame);
}

int neigh_announce(int netns, int index, const struct mac *mac, const struct ip *ip)
{
	uint8_t frame[NEIGH_FRAME_MAX];
	size_t size = neigh_announcement(mac, ip, frame);
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ip->family == AF_INET ? ETH_P_ARP : ETH_P_IPV6),
		.sll_ifindex = index,
		.sll_halen = ETH_ALEN,
	};
	auto_netns int back = -1;
	auto_close int fd = -1;
	int r = netns < 0 ? 0 : netns_enter(netns, &back, NULL);

	if (r < 0)
		return r;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: it receives nothing */
	memcpy(to.sll_addr, frame, ETH_ALEN);
	if (fd < 0 || sendto(fd, frame, size, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}
