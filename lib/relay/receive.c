/*
 * From the peers to the TUN device: datagrams come many in one message (UDP_GRO) and many messages in one call. Each packet
 * must come from a peer's address, and from that peer's subnet; then what belongs together is merged and written.
 */
#include <errno.h>
#include <sys/socket.h>

#include "base/control.h"
#include "relay/merge.h"
#include "relay/worker.h"

enum {
	MESSAGES = 16,
	MESSAGE_MAX = 65536,
	STRIDE = MESSAGE_MAX + 4096 + 256, /* so that the beginnings do not share cache sets */
};

struct receiver {
	struct worker *worker;
	int fd;
	bool v6;
	struct merge merge;
	struct mmsghdr calls[MESSAGES];
	struct iovec pieces[MESSAGES];
	union tunnel_address from[MESSAGES];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control[MESSAGES];
	uint8_t buffer[(size_t)MESSAGES * STRIDE];
};

/* Flows go back through the queue on which they come: spread them over all. */
static int queue_for(const struct plane_setup *setup, const struct iovec *packet)
{
	const uint8_t *data = packet->iov_base;
	size_t header = data[0] >> 4 == 6 ? IPV6_HEADER : (data[0] & 0x0fu) * 4u;
	uint32_t ports = packet->iov_len >= header + 4 ? load32(data + header) : 0;

	return setup->tun[(ports ^ ports >> 16) % setup->spec.queues];
}

static void write_packet(void *arg, struct iovec *pieces, size_t n, unsigned n_packets)
{
	struct receiver *receiver = arg;
	const struct plane_setup *setup = &receiver->worker->plane->setup;
	int tun = setup->spec.queues > 1 ? queue_for(setup, &pieces[1]) : setup->tun[0];

	if (writev(tun, pieces, (int)n) < 0)
		count(receiver->worker, 0, RELAY_RECEIVE_FAILED, n_packets);
}

/* Somebody who is no peer, or a peer with a source that is not its own. */
static void refuse(struct receiver *receiver, const union tunnel_address *from)
{
	struct worker *worker = receiver->worker;
	const struct table_entry *peer = table_find_peer(worker->scene->table, from);

	count(worker, peer ? peer->slot : 0, peer ? RELAY_RECEIVE_SOURCE : RELAY_RECEIVE_STRANGER,
	      1);
}

/* Datagrams of one sender: whose they are is looked up when the source changes. */
struct arrival {
	const union tunnel_address *from;
	const struct table_entry *peer;
	uint8_t source[16];
	unsigned n;
	size_t size;
};

/* Whose it is, when it may come from there; else NULL. */
static const struct table_entry *whose(struct receiver *receiver, const struct arrival *arrival,
				       const struct packet *packet)
{
	const struct table_entry *peer;

	if (packet->v6 != receiver->v6)
		return NULL;
	if (arrival->peer && memcmp(arrival->source, packet->source, packet->v6 ? 16 : 4) == 0)
		return arrival->peer;
	peer = table_find(receiver->worker->scene->table, packet->v6, packet->source);
	return peer && table_is_from(peer, arrival->from) ? peer : NULL;
}

static void count_arrival(struct receiver *receiver, struct arrival *arrival)
{
	if (arrival->n) {
		count(receiver->worker, arrival->peer->slot, RELAY_RECEIVED_PACKETS, arrival->n);
		count(receiver->worker, arrival->peer->slot, RELAY_RECEIVED_BYTES, arrival->size);
		count(receiver->worker, arrival->peer->slot, RELAY_RECEIVED_BY_PROCESS, arrival->n);
	}
	arrival->n = 0;
	arrival->size = 0;
}

static void arrival_is_of(struct receiver *receiver, struct arrival *arrival,
			  const struct table_entry *peer, const struct packet *packet)
{
	if (arrival->peer != peer) {
		count_arrival(receiver, arrival);
		worker_hear(receiver->worker, peer);
	}
	arrival->peer = peer;
	memcpy(arrival->source, packet->source, packet->v6 ? 16 : 4);
}

/* A relay asks, or has answered: that is not for the kernel. */
static bool hear_kin(struct receiver *receiver, const struct table_entry *peer,
		     const struct packet *packet)
{
	const struct scene *scene = receiver->worker->scene;
	const struct ip *own = &scene->own[packet->v6];
	enum kin_word word = kin_word_of(packet);
	uint8_t answer[KIN_SIZE6];
	size_t size;

	if (word == KIN_NONE || !own->family ||
	    memcmp(packet->address, own->bytes, packet->v6 ? 16 : 4) != 0)
		return false;
	if (word != KIN_QUESTION) {
		worker_hear_kin(receiver->worker, peer, word);
		return true;
	}
	size = kin_make(answer, packet->v6, own->bytes, packet->source,
			scene->shortcut ? KIN_SHORTCUT : KIN_ANSWER);
	sendto(receiver->fd, answer, size, MSG_DONTWAIT, &peer->address.any, peer->address_size);
	return true;
}

static void take(struct receiver *receiver, struct arrival *arrival, uint8_t *data, size_t size)
{
	struct worker *worker = receiver->worker;
	const struct table_entry *peer;
	struct packet packet;

	if (!packet_parse(data, size, &packet)) {
		count(worker, 0, RELAY_RECEIVE_MALFORMED, 1);
		return;
	}
	peer = whose(receiver, arrival, &packet);
	if (!peer) {
		refuse(receiver, arrival->from);
		return;
	}
	arrival_is_of(receiver, arrival, peer, &packet);
	if (hear_kin(receiver, peer, &packet))
		return;
	if (!packet_hop(&packet)) {
		count(worker, peer->slot, RELAY_RECEIVE_HOPS, 1);
		worker_answer(worker, &packet, ICMP_TIME_EXCEEDED, 0);
		return;
	}
	arrival->n++;
	arrival->size += packet.size;
	merge_add(&receiver->merge, &packet);
}

static size_t segment_of(struct msghdr *call, size_t size)
{
	int segment = 0;

	return control_read(call, IPPROTO_UDP, TUNNEL_GRO, &segment, sizeof(segment)) &&
			       segment > 0 && (size_t)segment < size
		       ? (size_t)segment
		       : size;
}

static void take_message(struct receiver *receiver, unsigned i)
{
	struct msghdr *call = &receiver->calls[i].msg_hdr;
	size_t size = receiver->calls[i].msg_len, segment = segment_of(call, size);
	uint8_t *data = receiver->pieces[i].iov_base;
	struct arrival arrival = { .from = &receiver->from[i] };

	if (call->msg_flags & MSG_TRUNC || !size) {
		count(receiver->worker, 0, RELAY_RECEIVE_MALFORMED, 1);
		return;
	}
	for (size_t at = 0; at < size; at += segment)
		take(receiver, &arrival, data + at, size - at < segment ? size - at : segment);
	count_arrival(receiver, &arrival);
}

static void prepare(struct receiver *receiver)
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		receiver->pieces[i] =
			(struct iovec){ receiver->buffer + (size_t)i * STRIDE, MESSAGE_MAX };
		receiver->calls[i].msg_hdr = (struct msghdr){
			.msg_name = &receiver->from[i],
			.msg_namelen = sizeof(receiver->from[i]),
			.msg_iov = &receiver->pieces[i],
			.msg_iovlen = 1,
			.msg_control = &receiver->control[i],
			.msg_controllen = sizeof(receiver->control[i]),
		};
	}
}

/* The calls say where to put things, and what has come there. */
static void renew(struct receiver *receiver, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		receiver->calls[i].msg_hdr.msg_namelen = sizeof(receiver->from[i]);
		receiver->calls[i].msg_hdr.msg_controllen = sizeof(receiver->control[i]);
		receiver->calls[i].msg_hdr.msg_flags = 0;
	}
}

void receiver_batch(struct receiver *receiver)
{
	int n = recvmmsg(receiver->fd, receiver->calls, MESSAGES, MSG_DONTWAIT, NULL);

	if (n <= 0)
		return;
	pthread_mutex_lock(&receiver->worker->lock);
	for (unsigned i = 0; i < (unsigned)n; i++)
		take_message(receiver, i);
	merge_flush(&receiver->merge);
	pthread_mutex_unlock(&receiver->worker->lock);
	renew(receiver, (unsigned)n);
}

struct receiver *receiver_new(struct worker *worker, bool v6)
{
	const struct plane_setup *setup = &worker->plane->setup;
	struct receiver *receiver = xrealloc(NULL, sizeof(*receiver));

	memset(receiver, 0, offsetof(struct receiver, buffer));
	receiver->worker = worker;
	receiver->v6 = v6;
	receiver->fd = setup->sockets[worker->queue][v6];
	receiver->merge.write = write_packet;
	receiver->merge.arg = receiver;
	receiver->merge.udp = setup->gso_udp;
	prepare(receiver);
	return receiver;
}
