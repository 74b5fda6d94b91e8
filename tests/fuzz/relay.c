/*
 * Packets as peers and pods may send them. The first byte says which: datagrams that a peer sent, of equal size, are merged as the
 * receiver does it; or a packet with the kernel's header in front is cut, or fragmented, as the sender does it. Nothing is lost or
 * made up on the way, and every packet that comes out is one. 'A': what the agent tells the process, a message and the peers' file.
 */
#include "fuzz.h"

#include "relay/fragment.h"
#include "relay/icmp.h"
#include "relay/kin.h"
#include "relay/merge.h"
#include "relay/plane_message.h"
#include "relay/segment.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOTS = 256 };

struct tally {
	unsigned packets;
	size_t bytes;
};

static void written(void *arg, struct iovec *pieces, size_t n, unsigned n_packets)
{
	struct tally *tally = arg;
	struct tun_header tun;
	struct packet packet;
	uint8_t data[70000];
	size_t size = 0;

	memcpy(&tun, pieces[0].iov_base, sizeof(tun));
	for (size_t i = 1; i < n; i++) {
		fuzz_check(size + pieces[i].iov_len <= sizeof(data), "%zu bytes", size);
		memcpy(data + size, pieces[i].iov_base, pieces[i].iov_len);
		size += pieces[i].iov_len;
	}
	fuzz_check(packet_parse(data, size, &packet) && packet.size == size, "no packet");
	fuzz_check((n_packets > 1) == (tun.gso != 0), "%u packets", n_packets);
	fuzz_check(!tun.gso || tun.csum_start + tun.csum_offset + 2u <= size, "checksum");
	tally->packets += n_packets;
	tally->bytes += size;
}

static void merge(uint8_t *data, size_t size, size_t segment)
{
	static struct merge merge = { .write = written, .udp = true };
	struct tally in = { 0 }, out = { 0 };
	uint8_t message[ICMP_ERROR_MAX];
	struct packet packet;

	merge.arg = &out;
	for (size_t at = 0; at < size; at += segment) {
		size_t left = size - at < segment ? size - at : segment;

		if (!packet_parse(data + at, left, &packet) || !packet_hop(&packet))
			continue;
		icmp_error_make(&packet, (enum icmp_error)(at % 3), 1300, message);
		fuzz_check(kin_word_of(&packet) == KIN_NONE ||
				   packet.size == (packet.v6 ? KIN_SIZE6 : KIN_SIZE),
			   "kin");
		in.packets++;
		in.bytes += packet.size;
		merge_add(&merge, &packet);
	}
	merge_flush(&merge);
	fuzz_check(in.packets == out.packets, "%u of %u", out.packets, in.packets);
	fuzz_check(out.bytes <= in.bytes, "%zu of %zu", out.bytes, in.bytes);
}

static void check_piece(const struct iovec pieces[2], size_t size)
{
	uint8_t data[70000];
	struct packet packet;

	memcpy(data, pieces[0].iov_base, pieces[0].iov_len);
	memcpy(data + pieces[0].iov_len, pieces[1].iov_base, pieces[1].iov_len);
	fuzz_check(pieces[0].iov_len + pieces[1].iov_len == size, "%zu", size);
	fuzz_check(packet_parse(data, size, &packet) && packet.size == size, "no packet");
}

static void cut(struct packet *packet, const struct tun_header *header)
{
	uint8_t head[SEGMENT_HEADER_MAX];
	struct segmenter segmenter;
	struct iovec pieces[2];
	size_t size, payload = 0;

	if (!segmenter_start(&segmenter, packet, header))
		return;
	while ((size = segmenter_next(&segmenter, head, pieces))) {
		check_piece(pieces, size);
		payload += pieces[1].iov_len;
	}
	fuzz_check(payload == packet->size - segmenter.header, "%zu", payload);
}

static void fragment(struct packet *packet, size_t mtu)
{
	struct fragmenter fragmenter;
	uint8_t head[IPV4_HEADER];
	struct iovec pieces[2];
	size_t size, payload = 0;

	if (!fragmenter_start(&fragmenter, packet, mtu))
		return;
	while ((size = fragmenter_next(&fragmenter, head, pieces))) {
		check_piece(pieces, size);
		fuzz_check(size <= mtu, "%zu", size);
		payload += pieces[1].iov_len;
	}
	fuzz_check(payload == packet->size - IPV4_HEADER, "%zu", payload);
}

/* What the process then knows: each peer is found where it is. */
static void know(const struct relay_peer *peers, size_t n)
{
	struct table *table = table_make(peers, n, 8285);
	const struct table_entry *entry;
	size_t known = 0;

	for (int v6 = 0; v6 < 2; v6++)
		for (size_t i = 0; table_next(table, v6, &i, &entry); known++) {
			fuzz_check(entry->slot < SLOTS, "slot %u", entry->slot);
			fuzz_check(table_find(table, v6, (const uint8_t *)entry->key), "lost");
			fuzz_check(table_find_peer(table, &entry->address), "nowhere");
		}
	fuzz_check(known <= 2 * n, "%zu of %zu", known, n);
	table_free(table);
}

static void tell(const uint8_t *data, size_t size)
{
	size_t told = size < sizeof(struct plane_message) ? size : sizeof(struct plane_message);
	int file auto_close = memfd_create("fuzz", MFD_CLOEXEC);
	struct iovec piece = { (void *)data, told };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)),
				 .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS } };
	struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1 };
	struct relay_peer *peers auto_free = NULL;
	struct plane_message message = { 0 };
	int ends[2];

	if (file < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return;
	memcpy(CMSG_DATA(&control.align), &file, sizeof(file));
	if (size > told) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
	}
	fuzz_check(write(file, data + told, size - told) == (ssize_t)(size - told), "no file");
	fuzz_check(sendmsg(ends[1], &header, 0) == (ssize_t)told, "it is not sent");
	close(ends[1]);
	if (plane_message_receive(ends[0], SLOTS, &message, &peers))
		know(peers, message.n_peers);
	else
		fuzz_check(!peers, "peers of no message");
	close(ends[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	uint8_t *copy = (uint8_t *)arena_memdup(&arena, data, size);
	struct tun_header header;
	struct packet packet;

	if (size && data[0] == 'A')
		tell(copy + 1, size - 1);
	if (size < 1 + sizeof(header) || data[0] == 'A')
		return 0;
	if (data[0] & 1) {
		merge(copy + 3, size - 3, 1 + load16(copy + 1) % 2000);
		return 0;
	}
	memcpy(&header, copy + 1, sizeof(header));
	if (!packet_parse(copy + 1 + sizeof(header), size - 1 - sizeof(header), &packet))
		return 0;
	cut(&packet, &header);
	fragment(&packet, header.gso_size);
	packet_complete(&packet, &header);
	return 0;
}
