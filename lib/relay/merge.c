/* Flows that are being put together, found by a hash of addresses and ports; a flow that is in another's way is written first. */
#include "relay/merge.h"

#include "relay/checksum.h"

enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_ACK = 0x10 };

/* What a packet looks like to the flows; header 0 = not one that is merged. */
struct shape {
	size_t transport, header, payload;
	bool udp, ports;
};

static bool has_transport(const struct packet *packet)
{
	return !packet->fragment && packet->header == (packet->v6 ? IPV6_HEADER : IPV4_HEADER) &&
	       (packet->protocol == IP_PROTOCOL_TCP || packet->protocol == IP_PROTOCOL_UDP) &&
	       packet->size >= (size_t)packet->header + UDP_HEADER;
}

static size_t tcp_header(const struct packet *packet)
{
	const uint8_t *tcp = packet->data + packet->header;
	size_t size;

	if (packet->size < (size_t)packet->header + TCP_HEADER)
		return 0;
	size = (size_t)(tcp[12] >> 4) * 4;
	if (size < TCP_HEADER || packet->header + size >= packet->size ||
	    (tcp[13] & ~(TCP_FIN | TCP_PSH)) != TCP_ACK || tcp[12] & 0x0f)
		return 0;
	return packet->header + size;
}

/* Without a checksum there is nothing to check it by. */
static size_t udp_header(const struct packet *packet)
{
	const uint8_t *udp = packet->data + packet->header;
	size_t size = packet->size - packet->header;

	if (load16(udp + 4) != size || size == UDP_HEADER || load16(udp + 6) == 0)
		return 0;
	return (size_t)packet->header + UDP_HEADER;
}

static struct shape shape_of(const struct merge *merge, const struct packet *packet)
{
	struct shape shape = { .transport = packet->header };

	if (!has_transport(packet))
		return shape;
	shape.ports = true;
	shape.udp = packet->protocol == IP_PROTOCOL_UDP;
	if (!shape.udp)
		shape.header = tcp_header(packet);
	else if (merge->udp)
		shape.header = udp_header(packet);
	shape.payload = shape.header ? packet->size - shape.header : 0;
	return shape;
}

static struct merge_flow *find_flow(struct merge *merge, const struct packet *packet)
{
	const uint8_t *ports = packet->data + packet->header;
	uint32_t hash = load32(ports) ^ load32(packet->source + (packet->v6 ? 12 : 0)) ^
			load32(packet->address + (packet->v6 ? 12 : 0)) ^ packet->protocol;

	return &merge->flows[hash * 2654435761u >> 28];
}
_Static_assert(MERGE_FLOWS == 16, "four bits of the hash");

/* ---- writing ---- */

static void finish(struct merge_flow *flow)
{
	bool udp = flow->packet.protocol == IP_PROTOCOL_UDP;
	uint8_t *transport = flow->packet.data + flow->transport;
	size_t size = flow->size - flow->transport;

	packet_set_size(&flow->packet, flow->size);
	if (udp)
		store16(transport + 4, (uint16_t)size);
	else
		transport[13] |= flow->flags & (TCP_FIN | TCP_PSH);
	store_checksum(transport + (udp ? 6 : 16),
		       checksum_fold(packet_pseudo(&flow->packet, flow->packet.protocol, size)));
	flow->tun = (struct tun_header){
		.flags = TUN_NEEDS_CSUM,
		.gso = udp               ? TUN_GSO_UDP
		       : flow->packet.v6 ? TUN_GSO_TCP6
					 : TUN_GSO_TCP4,
		.header_size = (uint16_t)flow->header,
		.gso_size = (uint16_t)flow->segment,
		.csum_start = (uint16_t)flow->transport,
		.csum_offset = udp ? 6 : 16,
	};
}

static void flow_write(struct merge *merge, struct merge_flow *flow)
{
	if (!flow->n)
		return;
	flow->tun = (struct tun_header){ 0 };
	if (flow->n > 1)
		finish(flow);
	flow->pieces[0] = (struct iovec){ &flow->tun, sizeof(flow->tun) };
	merge->write(merge->arg, flow->pieces, 1 + flow->n, flow->n);
	flow->n = 0;
}

static void write_alone(struct merge *merge, const struct packet *packet)
{
	struct tun_header tun = { 0 };
	struct iovec pieces[] = { { &tun, sizeof(tun) }, { packet->data, packet->size } };

	merge->write(merge->arg, pieces, ARRAY_SIZE(pieces), 1);
}

/* ---- merging ---- */

static bool same_flow(const struct packet *a, const struct packet *b)
{
	return a->v6 == b->v6 && a->protocol == b->protocol &&
	       memcmp(a->source, b->source, a->v6 ? 32 : 8) == 0 &&
	       memcmp(a->data + a->header, b->data + b->header, 4) == 0;
}

/* TOS, flow label, TTL, DF: what every segment will have again. */
static bool same_ip(const struct packet *a, const struct packet *b)
{
	if (a->v6)
		return memcmp(a->data, b->data, 4) == 0 && a->data[7] == b->data[7];
	return a->data[1] == b->data[1] && a->data[8] == b->data[8] && a->data[6] == b->data[6];
}

/* Acknowledgement, window and options are the same; only PSH and FIN may come with the last. */
static bool continues_tcp(const struct merge_flow *flow, const struct packet *packet)
{
	const uint8_t *a = flow->packet.data + flow->transport, *b = packet->data + flow->transport;

	return load32(b + 4) == flow->next && memcmp(a + 8, b + 8, 5) == 0 &&
	       memcmp(a + 14, b + 14, 2) == 0 &&
	       memcmp(a + TCP_HEADER, b + TCP_HEADER,
		      flow->header - flow->transport - TCP_HEADER) == 0;
}

static bool is_right(const struct packet *packet, size_t transport)
{
	size_t size = packet->size - transport;
	uint64_t sum = packet_pseudo(packet, packet->protocol, size);

	if (!packet->v6 && checksum_fold(checksum_add(0, packet->data, packet->header)) != 0xffff)
		return false;
	return checksum_fold(checksum_add(sum, packet->data + transport, size)) == 0xffff;
}

static bool continues(const struct merge_flow *flow, const struct packet *packet,
		      const struct shape *shape)
{
	return shape->header == flow->header && shape->payload <= flow->segment &&
	       flow->size + shape->payload <= PACKET_MAX && flow->n < MERGE_SEGMENTS &&
	       same_ip(&flow->packet, packet) && (shape->udp || continues_tcp(flow, packet)) &&
	       (flow->n > 1 || is_right(&flow->packet, flow->transport)) &&
	       is_right(packet, flow->transport);
}

/* A short segment ends a merge, and so does one that is to be delivered at once. */
static void flow_add(struct merge *merge, struct merge_flow *flow, const struct packet *packet,
		     const struct shape *shape)
{
	size_t skip = flow->n ? shape->header : 0;

	flow->pieces[1 + flow->n++] = (struct iovec){ packet->data + skip, packet->size - skip };
	flow->size += packet->size - skip;
	flow->flags = 0;
	if (!shape->udp) {
		flow->flags = packet->data[shape->transport + 13];
		flow->next = load32(packet->data + shape->transport + 4) + (uint32_t)shape->payload;
	}
	if (shape->payload < flow->segment || flow->flags & (TCP_FIN | TCP_PSH))
		flow_write(merge, flow);
}

static void flow_begin(struct merge_flow *flow, const struct packet *packet,
		       const struct shape *shape)
{
	flow->packet = *packet;
	flow->transport = shape->transport;
	flow->header = shape->header;
	flow->segment = shape->payload;
	flow->size = 0;
}

void merge_add(struct merge *merge, const struct packet *packet)
{
	struct shape shape = shape_of(merge, packet);
	struct merge_flow *flow;

	if (!shape.ports) {
		write_alone(merge, packet);
		return;
	}
	flow = find_flow(merge, packet);
	if (flow->n && !(same_flow(&flow->packet, packet) && continues(flow, packet, &shape)))
		flow_write(merge, flow);
	if (!shape.header) {
		write_alone(merge, packet);
		return;
	}
	if (!flow->n)
		flow_begin(flow, packet, &shape);
	flow_add(merge, flow, packet, &shape);
}

void merge_flush(struct merge *merge)
{
	for (size_t i = 0; i < MERGE_FLOWS; i++)
		flow_write(merge, &merge->flows[i]);
}
