/* The relay's packet work: what is cut and put together again is what it was, checksums by a second opinion, errors by the RFCs'
 * rules, look-ups. */
#include "unit.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/file.h"
#include "relay/checksum.h"
#include "relay/fragment.h"
#include "relay/icmp.h"
#include "relay/kin.h"
#include "relay/merge.h"
#include "relay/plane_message.h"
#include "relay/segment.h"
#include "relay/table.h"

enum { PAYLOAD_MAX = 62000, PACKETS_MAX = 80 };

/* ---- a second opinion ---- */

static unsigned slow_sum(unsigned sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += (unsigned)data[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static bool transport_is_right(const uint8_t *packet, size_t size)
{
	bool v6 = packet[0] >> 4 == 6;
	size_t header = v6 ? 40 : 20;
	unsigned sum = slow_sum(0, packet + (v6 ? 8 : 12), v6 ? 32 : 8);

	sum += packet[v6 ? 6 : 9] + (unsigned)(size - header);
	return slow_sum(sum, packet + header, size - header) == 0xffff;
}

static bool header_is_right(const uint8_t *packet)
{
	return packet[0] >> 4 == 6 || slow_sum(0, packet, 20) == 0xffff;
}

/* ---- packets ---- */

static uint8_t big[PAYLOAD_MAX + 200];

/* A packet as the kernel would hand it over: TCP with 12 bytes of options, or UDP; its checksum is left out. */
static struct tun_header make_big(bool v6, bool udp, size_t payload, uint16_t segment)
{
	size_t header = v6 ? 40 : 20, transport = udp ? 8 : 32;
	struct packet packet;

	memset(big, 0, header + transport);
	big[0] = v6 ? 0x60 : 0x45;
	big[v6 ? 6 : 9] = udp ? IP_PROTOCOL_UDP : IP_PROTOCOL_TCP;
	big[v6 ? 7 : 8] = 63;
	if (!v6)
		big[6] = 0x40;
	for (size_t i = 0; i < (v6 ? 32 : 8); i++)
		big[(v6 ? 8 : 12) + i] = (uint8_t)(i + 1);
	store16(big + header, 1000);
	store16(big + header + 2, 2000);
	store32(big + header + 4, 0xfffffff0);
	if (udp) {
		store16(big + header + 4, (uint16_t)(8 + payload));
		store16(big + header + 6, 0);
	} else {
		big[header + 12] = 8 << 4;
		big[header + 13] = 0x18;
	}
	for (size_t i = 0; i < payload; i++)
		big[header + transport + i] = (uint8_t)(i * 7 + i / 251);
	store16(big + (v6 ? 4 : 2), (uint16_t)(transport + payload + (v6 ? 0 : header)));
	check(packet_parse(big, header + transport + payload, &packet));
	packet_set_size(&packet, packet.size);
	store_checksum(big + header + (udp ? 6 : 16),
		       checksum_fold(packet_pseudo(&packet, packet.protocol, transport + payload)));
	return (struct tun_header){
		.flags = TUN_NEEDS_CSUM,
		.gso = udp  ? TUN_GSO_UDP
		       : v6 ? TUN_GSO_TCP6
			    : TUN_GSO_TCP4,
		.gso_size = segment,
		.csum_start = (uint16_t)header,
		.csum_offset = udp ? 6 : 16,
	};
}

static uint8_t cut[PACKETS_MAX][2048];
static size_t cut_size[PACKETS_MAX];

/* Cut the big one: how many, each in one piece. */
static unsigned cut_big(const struct tun_header *header, size_t size)
{
	uint8_t headers[SEGMENT_HEADER_MAX];
	struct segmenter segmenter;
	struct iovec pieces[2];
	struct packet packet;
	unsigned n = 0;

	check(packet_parse(big, size, &packet));
	check(segmenter_start(&segmenter, &packet, header));
	for (; n < PACKETS_MAX; n++) {
		cut_size[n] = segmenter_next(&segmenter, headers, pieces);
		if (!cut_size[n])
			break;
		memcpy(cut[n], pieces[0].iov_base, pieces[0].iov_len);
		memcpy(cut[n] + pieces[0].iov_len, pieces[1].iov_base, pieces[1].iov_len);
	}
	return n;
}

/* ---- what a merge writes ---- */

static struct {
	unsigned n_writes, n_packets;
	struct tun_header tun;
	uint8_t data[PAYLOAD_MAX + 200];
	size_t size;
} written;

static void write_down(void *arg unused, struct iovec *pieces, size_t n, unsigned n_packets)
{
	written.n_writes++;
	written.n_packets += n_packets;
	memcpy(&written.tun, pieces[0].iov_base, sizeof(written.tun));
	written.size = 0;
	for (size_t i = 1; i < n; i++) {
		memcpy(written.data + written.size, pieces[i].iov_base, pieces[i].iov_len);
		written.size += pieces[i].iov_len;
	}
}

static struct merge merge = { .write = write_down, .udp = true };

static void merge_cut(unsigned first, unsigned n)
{
	struct packet packet;

	for (unsigned i = first; i < first + n; i++) {
		check(packet_parse(cut[i], cut_size[i], &packet));
		merge_add(&merge, &packet);
	}
}

static void forget(void)
{
	memset(&written, 0, sizeof(written));
}

TEST(checksum_of_any_size_and_place)
{
	uint8_t data[300];
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 255 - i / 3);
	for (size_t at = 0; at < 4; at++)
		for (size_t size = 0; at + size <= sizeof(data); size++) {
			uint16_t folded = checksum_fold(checksum_add(0, data + at, size));

			wrong += ntohs(folded) != slow_sum(0, data + at, size);
		}
	check_int(wrong, 0);
	memset(data, 0xff, sizeof(data));
	check_int(checksum_fold(checksum_add(UINT64_MAX, data, sizeof(data))), 0xffff);
}

TEST(segments_are_right_and_merge_to_what_was_cut)
{
	static const struct {
		bool v6, udp;
		size_t payload;
		uint16_t segment;
		unsigned n;
	} cases[] = {
		{ false, false, 60000, 1400, 43 }, { true, false, 60000, 1380, 44 },
		{ false, false, 2800, 1400, 2 },   { false, true, 6001, 100, 61 },
		{ true, true, 1999, 1000, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool v6 = cases[i].v6, udp = cases[i].udp;
		size_t header = (v6 ? 40 : 20) + (udp ? 8 : 32), size = header + cases[i].payload;
		struct tun_header tun = make_big(v6, udp, cases[i].payload, cases[i].segment);
		unsigned n = cut_big(&tun, size), wrong = 0;

		check_int(n, cases[i].n);
		for (unsigned k = 0; k < n; k++)
			wrong +=
				!transport_is_right(cut[k], cut_size[k]) ||
				!header_is_right(cut[k]) ||
				(!udp && (cut[k][header - 32 + 13] & 0x08) != (k + 1 == n ? 8 : 0));
		check_int(wrong, 0);
		if (!v6)
			check_int(load16(cut[n - 1] + 4), n - 1);
		forget();
		merge_cut(0, n);
		merge_flush(&merge);
		check_int(written.n_writes, 1);
		check_int(written.n_packets, n);
		check_int(written.size, size);
		check(memcmp(written.data, big, size) == 0);
		check_int(written.tun.gso, tun.gso);
		check_int(written.tun.gso_size, tun.gso_size);
		check_int(written.tun.csum_start, tun.csum_start);
		check_int(written.tun.flags, TUN_NEEDS_CSUM);
	}
}

TEST(a_segment_that_does_not_fit_is_not_merged_and_stays_as_it_was)
{
	/* A byte of the second segment: in its payload, in TCP (acknowledgement, options), in the IP header. */
	static const size_t places[] = { 100, 28, 45, 20, 1, 8 };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct tun_header tun = make_big(false, false, 4200, 1400);
		unsigned n = cut_big(&tun, 52 + 4200);

		check_int(n, 3);
		cut[1][places[i]] ^= 0x11;
		forget();
		merge_cut(0, 3);
		merge_flush(&merge);
		check_int(written.n_writes, 3);
		check_int(written.n_packets, 3);
	}
}

TEST(acknowledgements_fragments_and_odd_flags_pass_alone)
{
	struct tun_header tun = make_big(false, false, 4200, 1400);
	unsigned n = cut_big(&tun, 52 + 4200);
	struct packet packet;

	check_int(n, 3);
	forget();
	check(packet_parse(cut[0], cut_size[0], &packet));
	merge_add(&merge, &packet);
	check_int(written.n_writes, 0);
	packet_set_size(&packet,
			52); /* an acknowledgement of the same flow: what waits comes first */
	merge_add(&merge, &packet);
	check_int(written.n_writes, 2);
	cut[1][6] = 0x20; /* more fragments */
	merge_cut(1, 1);
	check_int(written.n_writes, 3);
	cut[2][20 + 13] |= 0x02; /* SYN */
	merge_cut(2, 1);
	check_int(written.n_writes, 4);
	merge_flush(&merge);
	check_int(written.n_writes, 4);
	check_int(written.tun.flags, 0);
}

TEST(what_the_kernel_says_of_a_packet_must_fit_it)
{
	struct tun_header tun = make_big(false, false, 4200, 1400), bad;
	struct segmenter segmenter;
	struct packet packet;

	check(packet_parse(big, 52 + 4200, &packet));
	bad = tun, bad.gso_size = 0;
	check(!segmenter_start(&segmenter, &packet, &bad));
	bad = tun, bad.gso = TUN_GSO_TCP6;
	check(!segmenter_start(&segmenter, &packet, &bad));
	bad = tun, bad.csum_start = 4240;
	check(!segmenter_start(&segmenter, &packet, &bad));
	bad = tun, bad.csum_start = 4250;
	check(!packet_complete(&packet, &bad));
	bad = tun, bad.flags = 0;
	check(!segmenter_start(&segmenter, &packet, &bad));
	check(packet_complete(&packet, &bad));
	check(packet_complete(&packet, &tun));
	check(transport_is_right(big, packet.size));
}

TEST(a_hop_less_until_the_last)
{
	struct packet packet;

	make_big(false, false, 10, 10);
	check(packet_parse(big, 62, &packet));
	for (int ttl = 62; ttl >= 1; ttl--) {
		check(packet_hop(&packet));
		check_int(big[8], ttl);
		check(header_is_right(big));
	}
	check(!packet_hop(&packet));
	make_big(true, false, 10, 10);
	check(packet_parse(big, 82, &packet));
	check(packet_hop(&packet));
	check_int(big[7], 62);
}

TEST(what_is_no_packet_is_none)
{
	struct packet packet;

	make_big(false, false, 10, 10);
	check(!packet_parse(big, 0, &packet));
	check(!packet_parse(big, 19, &packet));
	check(!packet_parse(big, 61, &packet));
	check(packet_parse(big, 70, &packet));
	check_int(packet.size, 62);
	big[0] = 0x44;
	check(!packet_parse(big, 62, &packet));
	big[0] =
		0x4f; /* a header of 60 bytes is there; one of 20 in a packet of 30 is not all of it */
	check(packet_parse(big, 62, &packet));
	store16(big + 2, 30);
	check(!packet_parse(big, 62, &packet));
	make_big(true, true, 10, 10);
	check(!packet_parse(big, 57, &packet));
	check(!packet_parse(big, 39, &packet));
	big[0] = 0x50;
	check(!packet_parse(big, 58, &packet));
}

TEST(icmp_errors_and_where_there_are_none)
{
	uint8_t message[ICMP_ERROR_MAX];
	struct packet packet;
	size_t size;

	make_big(false, true, 1000, 1000);
	check(packet_parse(big, 1028, &packet));
	size = icmp_error_make(&packet, ICMP_TOO_BIG, 1300, message);
	check_int(size, 8 + 548);
	check_int(message[0], 3);
	check_int(message[1], 4);
	check_int(load16(message + 6), 1300);
	check_int(slow_sum(0, message, size), 0xffff);
	check(memcmp(message + 8, big, 548) == 0);
	size = icmp_error_make(&packet, ICMP_TIME_EXCEEDED, 0, message);
	check_int(message[0] << 8 | message[1], 11 << 8);
	store16(big + 6, 0x0001); /* a later fragment */
	check_int(icmp_error_make(&packet, ICMP_NO_ROUTE, 0, message), 0);
	store16(big + 6, 0x2000);
	check(icmp_error_make(&packet, ICMP_NO_ROUTE, 0, message) != 0);
	big[16] = 224;
	check_int(icmp_error_make(&packet, ICMP_NO_ROUTE, 0, message), 0);
	big[16] = 10;
	big[9] = packet.protocol = IP_PROTOCOL_ICMP;
	big[20] = 8;
	check(icmp_error_make(&packet, ICMP_NO_ROUTE, 0, message) != 0);
	big[20] = 3;
	check_int(icmp_error_make(&packet, ICMP_NO_ROUTE, 0, message), 0);
	make_big(true, true, 3000, 3000);
	check(packet_parse(big, 3048, &packet));
	size = icmp_error_make(&packet, ICMP_TOO_BIG, 1400, message);
	check_int(size, 1240);
	check_int(message[0], 2);
	check_int(load32(message + 4), 1400);
	big[8] = 0xff;
	check_int(icmp_error_make(&packet, ICMP_TOO_BIG, 1400, message), 0);
}

TEST(kin_ask_and_answer_in_pings)
{
	static const struct {
		bool v6;
		size_t size, header;
		uint8_t request, reply;
	} cases[] = { { false, KIN_SIZE, 20, 8, 0 }, { true, KIN_SIZE6, 40, 128, 129 } };
	const uint8_t us[16] = { 10, 5, 1, 0 }, them[16] = { 10, 5, 2, 0, 9 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t header = cases[i].header, address = cases[i].v6 ? 16 : 4;
		uint8_t data[KIN_SIZE6];
		struct packet packet;
		uint64_t pseudo;

		check_int(kin_make(data, cases[i].v6, us, them, KIN_QUESTION), cases[i].size);
		check(packet_parse(data, cases[i].size, &packet));
		check(cases[i].v6 || header_is_right(data));
		pseudo = cases[i].v6 ? packet_pseudo(&packet, IP_PROTOCOL_ICMP6, 24) : 0;
		check_int(checksum_fold(checksum_add(pseudo, data + header, 24)), 0xffff);
		check_int(data[header], cases[i].request);
		check_int(kin_word_of(&packet), KIN_QUESTION);
		check(memcmp(packet.source, us, address) == 0);
		check(memcmp(packet.address, them, address) == 0);
		data[header] = cases[i].reply; /* as a kernel answers */
		check_int(kin_word_of(&packet), KIN_OTHER);
		kin_make(data, cases[i].v6, them, us, KIN_ANSWER);
		check_int(kin_word_of(&packet), KIN_ANSWER);
		check_int(data[header], cases[i].reply);
		kin_make(data, cases[i].v6, them, us, KIN_SHORTCUT);
		check_int(kin_word_of(&packet), KIN_SHORTCUT);
		packet.size--;
		check_int(kin_word_of(&packet), KIN_NONE);
	}
}

TEST(tables_are_walked_and_compared)
{
	struct relay_peer peers[] = {
		{ .subnet = { ip_make(AF_INET, (const uint8_t[]){ 10, 5, 1, 0 }), 24 },
		  .ip = ip_make(AF_INET, (const uint8_t[]){ 192, 0, 2, 1 }),
		  .slot = 1 },
		{ .subnet = { ip_make(AF_INET, (const uint8_t[]){ 10, 5, 2, 0 }), 24 },
		  .ip = ip_make(AF_INET, (const uint8_t[]){ 192, 0, 2, 2 }),
		  .slot = 2 },
		{ .subnet = { ip_make(AF_INET, (const uint8_t[]){ 10, 5, 2, 0 }), 25 },
		  .ip = ip_make(AF_INET, (const uint8_t[]){ 192, 0, 2, 3 }),
		  .slot = 3 },
	};
	struct table *table = table_make(peers, 3, 8285), *fewer = table_make(peers, 2, 8285);
	const struct table_entry *entry;
	unsigned slots = 0, n = 0;

	for (size_t i = 0; table_next(table, false, &i, &entry); n++) {
		const struct table_entry *twin = table_at(fewer, false, entry->key, entry->prefix);

		slots |= 1u << entry->slot;
		check(table_at(table, false, entry->key, entry->prefix) == entry);
		check(entry->slot == 3 ? !twin : twin && twin->slot == entry->slot);
	}
	check_int(n, 3);
	check_int(slots, 0xe);
	check(!table_next(table, true, &(size_t){ 0 }, &entry));
	table_free(table);
	table_free(fewer);
}

TEST(fragments_have_all_of_it_in_order)
{
	uint8_t headers[IPV4_HEADER], whole[1028];
	struct fragmenter fragmenter;
	struct iovec pieces[2];
	struct packet packet;
	size_t size, at = 0;
	unsigned n = 0;

	make_big(false, true, 1000, 1000);
	memcpy(whole, big, sizeof(whole));
	big[6] = 0x40;
	check(packet_parse(big, sizeof(whole), &packet));
	check(!fragmenter_start(&fragmenter, &packet, 500)); /* it says that it is not to be */
	store16(big + 6, 0x2010); /* a fragment itself, from 128, with more behind */
	check(packet_parse(big, sizeof(whole), &packet));
	check(fragmenter_start(&fragmenter, &packet, 500));
	for (; (size = fragmenter_next(&fragmenter, headers, pieces)); n++) {
		check(size <= 500);
		check_int(load16(headers + 2), size);
		check_int((load16(headers + 6) & 0x1fff) * 8, 128 + at);
		check(load16(headers + 6) & 0x2000);
		check(header_is_right(headers));
		check(memcmp(pieces[1].iov_base, whole + IPV4_HEADER + at, pieces[1].iov_len) == 0);
		at += pieces[1].iov_len;
	}
	check_int(n, 3);
	check_int(at, 1008);
	store16(big + 6, 0);
	check(packet_parse(big, sizeof(whole), &packet));
	check(fragmenter_start(&fragmenter, &packet, 900));
	check_int(fragmenter_next(&fragmenter, headers, pieces), 900);
	check_int(load16(headers + 6), 0x2000);
	check_int(fragmenter_next(&fragmenter, headers, pieces), 20 + 128);
	check_int(load16(headers + 6), 110);
	check(!fragmenter_start(&fragmenter, &packet, 27));
}

/* ---- look-ups ---- */

static struct cidr cidr_of(const char *text)
{
	struct cidr cidr = { 0 };

	check(cidr_parse(text, &cidr));
	return cidr;
}

static uint32_t slot_of(const struct table *table, const char *text)
{
	const struct table_entry *entry;
	struct ip ip = { 0 };

	check(ip_parse(text, &ip));
	entry = table_find(table, ip.family == AF_INET6, ip.bytes);
	return entry ? entry->slot : 0;
}

TEST(the_longest_prefix_wins)
{
	const struct relay_peer peers[] = {
		{ cidr_of("10.5.0.0/16"), cidr_of("fd00:5::/48"), cidr_of("192.0.2.1/32").ip,
		  cidr_of("fd77::1/128").ip, 1 },
		{ .subnet = cidr_of("10.5.7.0/24"), .ip = cidr_of("192.0.2.2/32").ip, .slot = 2 },
		{ cidr_of("10.5.7.9/32"), cidr_of("fd00:5:0:7::/64"), cidr_of("192.0.2.3/32").ip,
		  cidr_of("fd77::3/128").ip, 3 },
		{ .subnet6 = cidr_of("fd00:6::/64"), .slot = 4 }, /* nowhere */
	};
	struct table *table = table_make(peers, ARRAY_SIZE(peers), 8285);
	union tunnel_address from;

	check_int(slot_of(table, "10.5.1.1"), 1);
	check_int(slot_of(table, "10.5.7.8"), 2);
	check_int(slot_of(table, "10.5.7.9"), 3);
	check_int(slot_of(table, "10.6.0.0"), 0);
	check_int(slot_of(table, "fd00:5:0:7::1"), 3);
	check_int(slot_of(table, "fd00:5:0:8::1"), 1);
	check_int(slot_of(table, "fd00:6::1"), 0);
	tunnel_address_of(&peers[1].ip, 4711, &from);
	check_int(table_find_peer(table, &from)->slot, 2);
	tunnel_address_of(&peers[2].ip6, 1, &from);
	check_int(table_find_peer(table, &from)->slot, 3);
	from.v6.sin6_addr.s6_addr[15] = 9;
	check(!table_find_peer(table, &from));
	table_free(table);
}

TEST(two_thousand_peers)
{
	struct relay_peer *peers auto_free = calloc(2000, sizeof(*peers));
	struct table *table;
	unsigned wrong = 0;

	for (uint32_t i = 0; i < 2000; i++)
		peers[i] = (struct relay_peer){
			.subnet.ip = ip_make(AF_INET,
					     (uint8_t[]){ 10, (uint8_t)(i >> 8), (uint8_t)i, 0 }),
			.subnet.prefix = 24,
			.ip = ip_make(AF_INET,
				      (uint8_t[]){ 192, 0, (uint8_t)(i >> 8), (uint8_t)i }),
			.slot = i + 1,
		};
	table = table_make(peers, 2000, 8285);
	for (uint32_t i = 0; i < 2000; i++) {
		const uint8_t address[] = { 10, (uint8_t)(i >> 8), (uint8_t)i, 77 };
		const struct table_entry *entry = table_find(table, false, address);

		wrong += !entry || entry->slot != i + 1;
	}
	check_int(wrong, 0);
	table_free(table);
}

/* What the process makes of it: all of it that was written, or nothing. */
static bool is_told(const struct plane_message *message, size_t size,
		    const struct relay_peer *peers, size_t n_peers)
{
	auto_close int file = memfd_create("peers", MFD_CLOEXEC);
	struct iovec piece = { (void *)message, size };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)),
				 .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS } };
	struct msghdr header = { .msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = peers ? &control : NULL,
				 .msg_controllen = peers ? sizeof(control) : 0 };
	struct relay_peer *got auto_free = NULL;
	struct plane_message told;
	int ends[2];
	bool is;

	memcpy(CMSG_DATA(&control.align), &file, sizeof(file));
	check_int(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	check_int(fd_write_all(file, peers, n_peers * sizeof(*peers)), 0);
	check_int(sendmsg(ends[0], &header, 0), (ssize_t)size);
	is = plane_message_receive(ends[1], 8, &told, &got);
	check(is ? got && told.n_peers == message->n_peers : !got);
	close(ends[0]);
	close(ends[1]);
	return is;
}

TEST(peers_are_told_whole_or_not_at_all)
{
	const struct relay_peer good = { .subnet = { ip_make(AF_INET, "\12\5\1\0"), 24 },
					 .ip = ip_make(AF_INET, "\300\0\2\1"),
					 .slot = 7 };
	struct relay_peer peers[2] = { good, good };
	struct plane_message message = { .n_peers = 2, .shortcut = 1 };
	const size_t size = sizeof(message);

	check(is_told(&message, size, peers, 2));
	check(!is_told(&message, size - 1, peers, 2));
	check(!is_told(&message, size, peers, 1));
	check(!is_told(&message, size, NULL, 0));
	message.n_peers = (size_t)1 << 60;
	check(!is_told(&message, size, peers, 2));
	message = (struct plane_message){ .n_peers = 0 };
	check(is_told(&message, size, NULL, 0));
	message.own[1] = ip_make(AF_INET, "\12\5\0\0");
	check(!is_told(&message, size, NULL, 0));
}

TEST(peers_that_are_none_are_not_taken)
{
	const struct relay_peer good = { .subnet6 = { ip_make(AF_INET6, "fd00:5:0:1::1234"), 64 },
					 .ip6 = ip_make(AF_INET6, "2001:db8::::1234"),
					 .slot = 1 };
	const struct plane_message message = { .n_peers = 1 };
	struct relay_peer peer = good;

	check(is_told(&message, sizeof(message), &peer, 1));
	peer.slot = 8;
	check(!is_told(&message, sizeof(message), &peer, 1));
	peer = good;
	peer.subnet6.prefix = 129;
	check(!is_told(&message, sizeof(message), &peer, 1));
	peer = good;
	peer.subnet = good.subnet6;
	check(!is_told(&message, sizeof(message), &peer, 1));
	peer = good;
	peer.ip6.family = AF_INET;
	check(!is_told(&message, sizeof(message), &peer, 1));
	peer = good;
	peer.ip.family = 200;
	check(!is_told(&message, sizeof(message), &peer, 1));
}

TEST(what_the_agent_tells_arrives)
{
	const struct relay_peer peers[] = { { .subnet = { ip_make(AF_INET, "\12\5\1\0"), 24 },
					      .slot = 3 } };
	const struct plane_message message = { .n_peers = 1, .shortcut = 1 };
	struct relay_peer *got auto_free = NULL;
	struct plane_message told = { 0 };
	struct error err = { 0 };
	int ends[2];

	check_int(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	check_ok(plane_message_send(ends[0], &message, peers, &err), err);
	check(plane_message_receive(ends[1], 8, &told, &got));
	check_int(told.shortcut, 1);
	check(got && cidr_equal(&got->subnet, &peers->subnet) && got->slot == 3);
	close(ends[0]);
	free(got);
	check(!plane_message_receive(ends[1], 8, &told, &got)); /* the agent is gone */
	close(ends[1]);
}
