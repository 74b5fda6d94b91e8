/*
 * The programs, in pieces. Headers are read into the frame, in one row as they stand on the wire: outer IP, UDP, inner IP;
 * so that they are written in one go, too. Nothing is changed before it is sure that the packet can be carried.
 */
#include "kernel/tunnel_program.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <arpa/inet.h>

#include "kernel/bpf.h"
#include "kernel/bpf_line.h"

enum { UDP = 17, TCP = 6, FRAME_INSIDE = 143, UDP_SIZE = 8, OUTER_TTL = 64, CLOCK_SLACK_MS = 16 };
/* IPv6 and the frame's header. Ticks (1 to 10 ms) for which what is wrapped may still be on its way, with much to spare. */
enum { WRAP_SIZE = 40 + ETH_HLEN, IN_ORDER_TICKS = 32 };
enum { BECOMES_IPV6 = 1 << 8 }; /* BPF_F_ADJ_ROOM_DECAP_L3_IPV6, Linux 6.3 */
enum { DO_NOT_FRAGMENT = 0x4000, FRAGMENT_MASK = 0x3fff };

/* Places in the frame. */
enum {
	KEY = -128,  /* of peers */
	SLOT = -132, /* key of states */
	SCRATCH = -136,
	PACKETS = -144,
	BYTES = -152,
	FIB = -216, /* struct bpf_fib_lookup */
	HOP = -240, /* struct bpf_redir_neigh */
	TUPLE = -280,
};

enum {
	PASS = 1,
	DROP,
	LARGE,
	IS_UDP,
	SIZED,
	LOOK,
	ASK,
	SURE,
	FOUND,
	KNOWN,
	FRESH,
	WRAP,
	BARE,
	COUNT,
	HEARD,
	SAME
};

/* Kept: R6 the packet, R7 its size from the inner header on, R8 one segment's (out: with the outer headers, later whether the way
 * was looked up), R9 the state. */
struct build {
	const struct tunnel_program *spec;
	struct bpf_code *code;
	bool v6;
	int header;                          /* size of an IP header */
	int size, ttl, protocol, source, to; /* in it */
	int address;                         /* size */
	int outer, udp, inner;               /* places in the frame */
};

static struct build build_of(const struct tunnel_program *spec, struct bpf_code *code)
{
	bool v6 = spec->own.family == AF_INET6;
	int header = v6 ? 40 : 20;

	return (struct build){
		.spec = spec,
		.code = code,
		.v6 = v6,
		.header = header,
		.size = v6 ? 4 : 2,
		.ttl = v6 ? 7 : 8,
		.protocol = v6 ? 6 : 9,
		.source = v6 ? 8 : 12,
		.to = v6 ? 24 : 16,
		.address = v6 ? 16 : 4,
		.outer = -2 * header - UDP_SIZE,
		.udp = -header - UDP_SIZE,
		.inner = -header,
	};
}

#define EMIT(b, ...)                                                                 \
	do {                                                                         \
		const struct bpf_line lines_[] = { __VA_ARGS__ };                    \
		bpf_code_add((b)->code, lines_, sizeof(lines_) / sizeof(lines_[0])); \
	} while (0)

static uint16_t wire16(unsigned host)
{
	return htons((uint16_t)host);
}

/* ---- pieces of both ---- */

static void emit_copy(const struct build *b, int to, int from)
{
	for (int i = 0; i < b->address; i += 4)
		EMIT(b, LOAD32(R1, FRAME, from + i), STORE32(FRAME, to + i, R1));
}

static void emit_own(const struct build *b, int to)
{
	for (int i = 0; i < b->address; i += 4) {
		int32_t word;

		memcpy(&word, b->spec->own.bytes + i, sizeof(word));
		EMIT(b, PUT32(FRAME, to + i, word));
	}
}

static void emit_read(const struct build *b, int offset, int to, int size)
{
	EMIT(b, MOVE(R1, R6), SET(R2, offset), MOVE(R3, FRAME), ADD(R3, to), SET(R4, size),
	     CALL(skb_load_bytes), IF_NE(R0, 0, PASS));
}

/* An inner header without options that has a hop left; its size to R7. */
static void emit_inner(const struct build *b)
{
	if (b->v6)
		EMIT(b, LOAD8(R1, FRAME, b->inner), AND(R1, 0xf0), IF_NE(R1, 0x60, PASS));
	else
		EMIT(b, LOAD8(R1, FRAME, b->inner), IF_NE(R1, 0x45, PASS));
	EMIT(b, LOAD8(R1, FRAME, b->inner + b->ttl), IF_LE(R1, 1, PASS),
	     LOAD16(R7, FRAME, b->inner + b->size), SWAP16(R7), ADD(R7, b->v6 ? b->header : 0),
	     IF_GT(R7, 65535 - b->header - UDP_SIZE, PASS));
}

/* R7: the peer whose subnet has the address at that place in the inner header; its state to R9, R8: the peer. */
static void emit_find_peer(const struct build *b, int address)
{
	EMIT(b, PUT32(FRAME, KEY, b->address * 8));
	emit_copy(b, KEY + 4, b->inner + address);
	EMIT(b, MAP(R1, b->spec->peers), MOVE(R2, FRAME), ADD(R2, KEY), CALL(map_lookup_elem),
	     IF_NULL(R0, PASS), MOVE(R8, R0));
}

static void emit_find_state(const struct build *b)
{
	EMIT(b, LOAD32(R1, R8, offsetof(struct tunnel_peer, slot)), STORE32(FRAME, SLOT, R1),
	     MAP(R1, b->spec->states), MOVE(R2, FRAME), ADD(R2, SLOT), CALL(map_lookup_elem),
	     IF_NULL(R0, PASS), MOVE(R9, R0));
}

/* What R7 bytes are on the wire, where the header behind the inner one is at `offset` of the packet: R8, PACKETS, BYTES. */
static void emit_sizes(const struct build *b, int offset)
{
	EMIT(b, MOVE(R8, R7), SET(R1, 1), STORE64(FRAME, PACKETS, R1), STORE64(FRAME, BYTES, R7),
	     LOAD32(R1, R6, offsetof(struct __sk_buff, gso_size)), IF_EQ(R1, 0, SIZED),
	     LOAD8(R1, FRAME, b->inner + b->protocol), IF_EQ(R1, UDP, IS_UDP),
	     IF_NE(R1, TCP, PASS));
	emit_read(b, offset + 12, SCRATCH, 1);
	EMIT(b, LOAD8(R3, FRAME, SCRATCH), SHIFT_RIGHT(R3, 4), SHIFT_LEFT(R3, 2),
	     ADD(R3, b->header), GOTO(LARGE), LABEL(IS_UDP), SET(R3, b->header + UDP_SIZE),
	     LABEL(LARGE));
	/* R3 header, R1 payload of a segment, R2 of all, R4 how many. */
	EMIT(b, LOAD32(R1, R6, offsetof(struct __sk_buff, gso_size)), MOVE(R8, R3), ADD_OF(R8, R1),
	     MOVE(R2, R7), SUB_OF(R2, R3), MOVE(R4, R2), ADD_OF(R4, R1), ADD(R4, -1),
	     DIV_OF(R4, R1), STORE64(FRAME, PACKETS, R4), MUL_OF(R4, R3), ADD_OF(R4, R2),
	     STORE64(FRAME, BYTES, R4), LABEL(SIZED));
}

/* One hop less, as in RFC 1624. */
static void emit_hop(const struct build *b)
{
	EMIT(b, LOAD8(R1, FRAME, b->inner + b->ttl), ADD(R1, -1),
	     STORE8(FRAME, b->inner + b->ttl, R1));
	if (b->v6)
		return;
	EMIT(b, LOAD16(R1, FRAME, b->inner + 10), ADD(R1, wire16(0x0100)), MOVE(R2, R1), ADD(R2, 1),
	     SHIFT_RIGHT(R2, 16), ADD_OF(R1, R2), STORE16(FRAME, b->inner + 10, R1));
}

static void emit_write(const struct build *b, int offset, int from, int size)
{
	EMIT(b, MOVE(R1, R6), SET(R2, offset), MOVE(R3, FRAME), ADD(R3, from), SET(R4, size),
	     SET(R5, 0), CALL(skb_store_bytes), IF_NE(R0, 0, DROP));
}

static void emit_resize(const struct build *b, int by, int flags, int otherwise)
{
	EMIT(b, MOVE(R1, R6), SET(R2, by), SET(R3, BPF_ADJ_ROOM_MAC),
	     SET(R4, flags | BPF_F_ADJ_ROOM_FIXED_GSO), SET(R5, 0), CALL(skb_adjust_room),
	     IF_NE(R0, 0, otherwise));
}

static void emit_count(const struct build *b, int counter)
{
	EMIT(b, LOAD64(R1, FRAME, PACKETS), COUNT64(R9, counter, R1), LOAD64(R1, FRAME, BYTES),
	     COUNT64(R9, counter + 8, R1));
}

#define IN_HEARD(member) (b->spec->heard + (int)offsetof(struct tunnel_heard, member))

static void emit_heard(const struct build *b)
{
	EMIT(b, CALL(jiffies64), LOAD32(R1, R9, IN_HEARD(tick)), IF_OTHER(R1, R0, HEARD),
	     GOTO(SAME), LABEL(HEARD), STORE32(R9, IN_HEARD(tick), R0), CALL(ktime_get_ns),
	     DIV(R0, 1000000000), STORE32(R9, IN_HEARD(s), R0), LABEL(SAME));
}

static void emit_ends(const struct build *b)
{
	EMIT(b, EXIT, LABEL(PASS), SET(R0, TC_ACT_UNSPEC), EXIT, LABEL(DROP), SET(R0, TC_ACT_SHOT),
	     EXIT);
}

/* R0: the folded sum of the outer header of IPv4. */
static void emit_sum(const struct build *b)
{
	EMIT(b, LOAD32(R0, FRAME, b->outer));
	for (int i = 4; i < b->header; i += 4)
		EMIT(b, LOAD32(R1, FRAME, b->outer + i), ADD_OF(R0, R1));
	for (int i = 0; i < 3; i++)
		EMIT(b, MOVE(R1, R0), SHIFT_RIGHT(R1, 16), AND(R0, 0xffff), ADD_OF(R0, R1));
}

/* Is a process there that reads the socket, where a datagram of the peer at that place of the outer header would come to? Then
 * the packet is its. */
static void emit_reader(const struct build *b, int peer)
{
	const int ports = TUPLE + 2 * b->address;

	emit_copy(b, TUPLE, b->outer + peer);
	emit_own(b, TUPLE + b->address);
	EMIT(b, PUT16(FRAME, ports, wire16(b->spec->port)),
	     PUT16(FRAME, ports + 2, wire16(b->spec->port)), MOVE(R1, R6), MOVE(R2, FRAME),
	     ADD(R2, TUPLE), SET(R3, 2 * b->address + 4), SET(R4, BPF_F_CURRENT_NETNS), SET(R5, 0),
	     CALL(sk_lookup_udp), IF_NULL(R0, SURE), MOVE(R1, R0), CALL(sk_release), GOTO(PASS),
	     LABEL(SURE));
}

/* ---- out ---- */

/* Has the peer these programs? */
static void emit_proof(const struct build *b)
{
	EMIT(b, CALL(ktime_get_ns), DIV(R0, 1000000), LOAD32(R1, R9, b->spec->taken),
	     IF_EQ(R1, 0, ASK), SUB32_OF(R0, R1), ADD32(R0, CLOCK_SLACK_MS),
	     IF_LE(R0, b->spec->keep_ms, SURE), LABEL(ASK));
	emit_reader(b, b->to);
}

#define IN_FIB(member) (FIB + (int)offsetof(struct bpf_fib_lookup, member))
#define IN_WAY(member) (b->spec->way + (int)offsetof(struct tunnel_way, member))

/* Is the way known, and this packet not too large for it? */
static void emit_known_way(const struct build *b)
{
	EMIT(b, ADD(R8, b->header + UDP_SIZE), IF_GT(R8, 65535, PASS), CALL(jiffies64),
	     LOAD32(R1, R9, IN_WAY(tick)), IF_OTHER(R1, R0, LOOK), LOAD32(R1, R9, IN_WAY(mtu)),
	     IF_ABOVE(R8, R1, LOOK), SET(R8, 0), GOTO(KNOWN), LABEL(LOOK));
}

/* The way to the peer as the node's tables have it, narrow places known, out of the underlay. */
static void emit_way(const struct build *b)
{
	const struct tunnel_program *spec = b->spec;

	for (int i = 0; i < (int)sizeof(struct bpf_fib_lookup); i += 8)
		EMIT(b, PUT64(FRAME, FIB + i, 0));
	emit_own(b, IN_FIB(ipv4_src));
	emit_copy(b, IN_FIB(ipv4_dst), b->outer + b->to);
	EMIT(b, STORE16(FRAME, IN_FIB(tot_len), R8), PUT8(FRAME, IN_FIB(family), spec->own.family),
	     PUT8(FRAME, IN_FIB(l4_protocol), UDP), PUT16(FRAME, IN_FIB(sport), wire16(spec->port)),
	     PUT16(FRAME, IN_FIB(dport), wire16(spec->port)),
	     PUT32(FRAME, IN_FIB(ifindex), spec->device), MOVE(R1, R6), MOVE(R2, FRAME),
	     ADD(R2, FIB), SET(R3, sizeof(struct bpf_fib_lookup)), SET(R4, 0), CALL(fib_lookup),
	     STORE32(FRAME, SCRATCH, R0), IF_EQ(R0, BPF_FIB_LKUP_RET_SUCCESS, FOUND),
	     IF_NE(R0, BPF_FIB_LKUP_RET_NO_NEIGH, PASS), LABEL(FOUND),
	     LOAD32(R1, FRAME, IN_FIB(ifindex)), IF_NE(R1, spec->underlay, PASS),
	     LOAD8(R1, FRAME, IN_FIB(family)), STORE32(FRAME, HOP, R1));
	for (int i = 0; i < 16; i += 4)
		EMIT(b, LOAD32(R1, FRAME, IN_FIB(ipv6_dst) + i), STORE32(FRAME, HOP + 4 + i, R1));
}

/* A way whose end answers is good for this tick. */
static void emit_keep_way(const struct build *b)
{
	EMIT(b, SET(R8, 1), LOAD32(R1, FRAME, SCRATCH), IF_NE(R1, BPF_FIB_LKUP_RET_SUCCESS, KNOWN));
	for (int i = 0; i < 12; i += 4)
		EMIT(b, LOAD32(R1, FRAME, IN_FIB(smac) + i), STORE32(R9, IN_WAY(from) + i, R1));
	EMIT(b, LOAD16(R1, FRAME, IN_FIB(mtu_result)), STORE32(R9, IN_WAY(mtu), R1),
	     CALL(jiffies64), STORE32(R9, IN_WAY(tick), R0), LABEL(KNOWN));
}

static void emit_outer(const struct build *b)
{
	const int udp = b->udp, outer = b->outer, ethernet = outer - ETH_HLEN;

	for (int i = 0; i < 6; i += 2)
		EMIT(b, LOAD16(R1, R9, IN_WAY(to) + i), STORE16(FRAME, ethernet + i, R1),
		     LOAD16(R1, R9, IN_WAY(from) + i), STORE16(FRAME, ethernet + 6 + i, R1));
	EMIT(b, PUT16(FRAME, ethernet + 12, wire16(b->v6 ? ETH_P_IPV6 : ETH_P_IP)));
	EMIT(b, MOVE(R1, R7), ADD(R1, UDP_SIZE), SWAP16(R1), STORE16(FRAME, udp + 4, R1));
	if (b->v6) {
		EMIT(b, PUT32(FRAME, outer, htonl(0x60000000)),
		     STORE16(FRAME, outer + b->size, R1));
	} else {
		EMIT(b, MOVE(R1, R7), ADD(R1, b->header + UDP_SIZE), SWAP16(R1),
		     PUT16(FRAME, outer, wire16(0x4500)), STORE16(FRAME, outer + b->size, R1),
		     PUT16(FRAME, outer + 4, 0), PUT16(FRAME, outer + 6, wire16(DO_NOT_FRAGMENT)),
		     PUT16(FRAME, outer + 10, 0));
	}
	EMIT(b, PUT8(FRAME, outer + b->ttl, OUTER_TTL), PUT8(FRAME, outer + b->protocol, UDP),
	     PUT16(FRAME, udp, wire16(b->spec->port)), PUT16(FRAME, udp + 2, wire16(b->spec->port)),
	     PUT16(FRAME, udp + 6, 0));
	emit_own(b, outer + b->source);
	if (b->v6)
		return;
	emit_sum(b);
	EMIT(b, INVERT(R0), STORE16(FRAME, outer + 10, R0));
}

static void emit_egress(const struct build *b)
{
	const int all = 2 * b->header + UDP_SIZE;

	emit_read(b, 0, b->inner, b->header);
	emit_inner(b);
	EMIT(b, LOAD32(R1, R6, offsetof(struct __sk_buff, len)), IF_OTHER(R1, R7, PASS));
	emit_find_peer(b, b->to);
	for (int i = 0; i < b->address; i += 4)
		EMIT(b, LOAD32(R1, R8, (int)offsetof(struct tunnel_peer, ip) + i),
		     STORE32(FRAME, b->outer + b->to + i, R1));
	emit_find_state(b);
	emit_sizes(b, b->header);
	emit_known_way(b);
	emit_way(b);
	EMIT(b, LOAD32(R1, FRAME, SCRATCH), IF_NE(R1, BPF_FIB_LKUP_RET_SUCCESS, ASK));
	emit_proof(b);
	emit_keep_way(b);
	emit_outer(b);
	emit_hop(b);
	emit_resize(b, b->header + UDP_SIZE,
		    BPF_F_ADJ_ROOM_ENCAP_L4_UDP |
			    (b->v6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV4),
		    PASS);
	EMIT(b, MOVE(R1, R6), SET(R2, ETH_HLEN), SET(R3, 0), CALL(skb_change_head),
	     IF_NE(R0, 0, DROP));
	emit_write(b, 0, b->outer - ETH_HLEN, ETH_HLEN + all);
	emit_count(b, b->spec->sent);
	EMIT(b, SET(R1, b->spec->underlay), IF_NE(R8, 0, FRESH), SET(R2, 0), CALL(redirect), EXIT,
	     LABEL(FRESH), MOVE(R2, FRAME), ADD(R2, HOP), SET(R3, sizeof(struct bpf_redir_neigh)),
	     SET(R4, 0), CALL(redirect_neigh));
	emit_ends(b);
}

/* ---- in ---- */

/* A datagram for the tunnel, at first sight. */
static void emit_is_for_us(const struct build *b)
{
	emit_read(b, ETH_HLEN, b->outer, 2 * b->header + UDP_SIZE);
	EMIT(b, LOAD8(R1, FRAME, b->outer + b->protocol), IF_NE(R1, UDP, PASS),
	     LOAD16(R1, FRAME, b->udp + 2), IF_NE(R1, wire16(b->spec->port), PASS),
	     LOAD32(R1, R6, offsetof(struct __sk_buff, pkt_type)), IF_NE(R1, 0, PASS),
	     LOAD32(R1, R6, offsetof(struct __sk_buff, vlan_present)), IF_NE(R1, 0, PASS));
	for (int i = 0; i < b->address; i += 4) {
		int32_t word;

		memcpy(&word, b->spec->own.bytes + i, sizeof(word));
		EMIT(b, LOAD32(R1, FRAME, b->outer + b->to + i), IF_NE(R1, word, PASS));
	}
}

/* The outer headers say of themselves what the inner one says, no more and no less. */
static void emit_check_outer(const struct build *b)
{
	EMIT(b, LOAD16(R1, FRAME, b->udp + 4), SWAP16(R1), ADD(R1, -UDP_SIZE),
	     IF_OTHER(R1, R7, PASS), LOAD16(R1, FRAME, b->outer + b->size), SWAP16(R1),
	     ADD(R1, -UDP_SIZE - (b->v6 ? 0 : b->header)), IF_OTHER(R1, R7, PASS),
	     LOAD32(R1, R6, offsetof(struct __sk_buff, len)),
	     ADD(R1, -ETH_HLEN - b->header - UDP_SIZE), IF_OTHER(R1, R7, PASS));
	if (b->v6)
		return;
	EMIT(b, LOAD8(R1, FRAME, b->outer), IF_NE(R1, 0x45, PASS), LOAD16(R1, FRAME, b->outer + 6),
	     AND(R1, wire16(FRAGMENT_MASK)), IF_NE(R1, 0, PASS));
	emit_sum(b);
	EMIT(b, IF_NE(R0, 0xffff, PASS));
}

/* ---- unwrapping ---- */

struct ip tunnel_wrap_address(void)
{
	static const uint8_t bytes[16] = { 0xfe, 0x80, [10] = 'c', 'n', 'i', 'b', 'o', 'x' };

	return ip_make(AF_INET6, bytes);
}

/* The headers that segments are wrapped into, which end at that place in the frame. */
static void emit_wrap_headers(const struct build *b, int end)
{
	const struct ip address = tunnel_wrap_address();
	uint16_t words[WRAP_SIZE / 2] = { htons(0x6000), [3] = htons(FRAME_INSIDE << 8 |
								     OUTER_TTL) };
	uint8_t *bytes = (uint8_t *)words;

	memcpy(bytes + 8, address.bytes, 16);
	memcpy(bytes + 24, address.bytes, 16);
	memcpy(bytes + 40, b->spec->wrap_to.bytes, 6);
	memcpy(bytes + 46, b->spec->wrap_from.bytes, 6);
	words[26] = wire16(b->v6 ? ETH_P_IPV6 : ETH_P_IP);
	for (int i = 0; i < WRAP_SIZE / 2; i++)
		EMIT(b, PUT16(FRAME, end - WRAP_SIZE + 2 * i, words[i]));
	EMIT(b, MOVE(R1, R7), ADD(R1, ETH_HLEN), SWAP16(R1),
	     STORE16(FRAME, end - WRAP_SIZE + 4, R1));
}

/* What comes behind wrapped segments takes their way for a while, not to be there before them. Falls through to BARE for what
 * is not wrapped, and where the kernel cannot. */
static void emit_wrap(const struct build *b)
{
	if (!b->spec->wrap_to.set)
		return;
	EMIT(b, CALL(jiffies64), LOAD32(R1, R6, offsetof(struct __sk_buff, gso_size)),
	     IF_EQ(R1, 0, LOOK), STORE32(R9, b->spec->wrapped, R0), GOTO(WRAP), LABEL(LOOK),
	     LOAD32(R1, R9, b->spec->wrapped), SUB32_OF(R0, R1), IF_GT(R0, IN_ORDER_TICKS, BARE),
	     LABEL(WRAP));
	emit_wrap_headers(b, b->inner);
	emit_resize(b, -1, BECOMES_IPV6, BARE);
	emit_resize(b, WRAP_SIZE - b->header - UDP_SIZE + 1, 0, DROP);
	emit_write(b, ETH_HLEN, b->inner - WRAP_SIZE, WRAP_SIZE + b->header);
	EMIT(b, GOTO(COUNT), LABEL(BARE));
}

/* A frame whose header is unknown to the kernel as yet: it stands where the IP header should. Another one in front of it, and it is
 * what is in between. */
static void emit_unwrap(const struct build *b)
{
	emit_read(b, 0, b->inner, ETH_HLEN);
	for (int i = 0; i < 6; i += 2) {
		uint16_t to, from;

		memcpy(&to, b->spec->wrap_to.bytes + i, 2);
		memcpy(&from, b->spec->wrap_from.bytes + i, 2);
		EMIT(b, LOAD16(R1, FRAME, b->inner + i), IF_NE(R1, to, DROP),
		     LOAD16(R1, FRAME, b->inner + 6 + i), IF_NE(R1, from, DROP));
	}
	EMIT(b, MOVE(R1, R6), SET(R2, ETH_HLEN), SET(R3, 0), CALL(skb_change_head),
	     IF_NE(R0, 0, DROP));
	emit_resize(b, -ETH_HLEN, 0, DROP);
	EMIT(b, SET(R1, b->spec->device), SET(R2, BPF_F_INGRESS), CALL(redirect));
	emit_ends(b);
}

static void emit_ingress(const struct build *b)
{
	const int shift = ETH_HLEN + b->header + UDP_SIZE;
	const int hop = b->ttl; /* with the checksum, in IPv4 */

	emit_is_for_us(b);
	emit_inner(b);
	emit_check_outer(b);
	emit_find_peer(b, b->source);
	for (int i = 0; i < b->address; i += 4)
		EMIT(b, LOAD32(R1, R8, (int)offsetof(struct tunnel_peer, ip) + i),
		     LOAD32(R2, FRAME, b->outer + b->source + i), IF_OTHER(R1, R2, PASS));
	emit_find_state(b);
	EMIT(b, LOAD16(R1, FRAME, b->udp + 6), IF_EQ(R1, 0, SURE));
	emit_reader(b, b->source);
	emit_sizes(b, shift + b->header);
	emit_hop(b);
	emit_wrap(b);
	emit_resize(b, -b->header - UDP_SIZE, 0, PASS);
	emit_write(b, ETH_HLEN + hop, b->inner + hop, b->v6 ? 1 : 4);
	EMIT(b, LABEL(COUNT));
	emit_count(b, b->spec->received);
	emit_heard(b);
	EMIT(b, SET(R1, b->spec->device), SET(R2, BPF_F_INGRESS), CALL(redirect));
	emit_ends(b);
}

int tunnel_program_load(const struct tunnel_program *program, enum tunnel_hook hook, int *fd,
			struct error *err)
{
	static const struct {
		const char *name;
		void (*emit)(const struct build *b);
	} programs[] = {
		[TUNNEL_OUT] = { "cnibox_out", emit_egress },
		[TUNNEL_IN] = { "cnibox_in", emit_ingress },
		[TUNNEL_UNWRAP] = { "cnibox_unwrap", emit_unwrap },
	};
	struct bpf_code *code auto_bpf_code = bpf_code_new();
	const struct build b = build_of(program, code);

	EMIT(&b, MOVE(R6, R1));
	programs[hook].emit(&b);
	return bpf_code_load(code, programs[hook].name, fd, err);
}
