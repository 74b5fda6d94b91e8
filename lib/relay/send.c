/*
 * From the TUN device to the peers. Packets are read as they come, with many segments in one where the kernel leaves them so, and
 * leave in as few calls as the kernel allows: equal datagrams to one peer in a row are one message (UDP_SEGMENT), messages of a
 * batch one call. Payload is never copied: headers are made beside it, and pieces named.
 */
#include <errno.h>
#include <sys/socket.h>

#include "relay/fragment.h"
#include "relay/worker.h"
#include "relay/segment.h"

enum {
	READS = 64, /* packets of a batch at most */
	READ_MAX = sizeof(struct tun_header) + IPV6_HEADER + PACKET_MAX,
	BUFFER = 4 * READ_MAX,
	MESSAGES = 64,
	HEADERS = 192,
	PIECES = 2 * HEADERS + READS,
	MESSAGE_MAX = 65507, /* that the kernel takes */
	MESSAGE_SEGMENTS = 64,
	SMALL = 2048,
	PACE_SLACK_US = 100,
	GONE_US = 500000,
	PACE_CREDIT_US =
		1000, /* a sleep that was too long is made good; a peer's buffer has room for that */
	MTU_AGAIN_MS = 10000,
};

/* Datagrams to one peer. */
struct message {
	const struct table_entry *to;
	struct packet about; /* the first of them, for ICMP */
	size_t segment, size;
	unsigned n;
	bool closed; /* a shorter one ends it */
	struct iovec *pieces;
	size_t n_pieces;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(uint16_t))];
	} control;
};

struct sender {
	struct worker *worker;
	int tun;
	uint64_t resume_us; /* not to read before */
	size_t used;        /* of the buffer */
	unsigned n_headers, n_messages;
	size_t n_pieces;
	struct message messages[MESSAGES];
	struct iovec pieces[PIECES];
	struct mmsghdr calls[MESSAGES];
	uint8_t headers[HEADERS][SEGMENT_HEADER_MAX];
	uint8_t buffer[BUFFER];
};

static struct relay_state *state_of(struct sender *sender, const struct table_entry *to)
{
	return &sender->worker->plane->setup.states[to->slot];
}

/* ---- sending ---- */

static int overhead(const struct table_entry *to)
{
	return (to->address.any.sa_family == AF_INET6 ? IPV6_HEADER : IPV4_HEADER) + UDP_HEADER;
}

/* What fits to the peer, when the kernel knows of something less than `size`; else 0. */
static uint32_t learn_mtu(struct sender *sender, const struct table_entry *to, size_t size)
{
	struct relay_state *state = state_of(sender, to);
	int mtu = tunnel_path_mtu(&to->address) - overhead(to);

	state->mtu = mtu > 0 && (size_t)mtu < size ? (uint32_t)mtu : 0;
	state->mtu_ms = worker_now_ms();
	return state->mtu;
}

static void fill_call(struct message *message, struct msghdr *call)
{
	*call = (struct msghdr){
		.msg_name = (void *)&message->to->address,
		.msg_namelen = message->to->address_size,
		.msg_iov = message->pieces,
		.msg_iovlen = message->n_pieces,
	};
	if (message->n < 2)
		return;
	message->control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(uint16_t)),
						   .cmsg_level = IPPROTO_UDP,
						   .cmsg_type = TUNNEL_SEGMENT };
	*(uint16_t *)(void *)CMSG_DATA(&message->control.align) = (uint16_t)message->segment;
	call->msg_control = &message->control;
	call->msg_controllen = sizeof(message->control);
}

/* A relay of ours says so when it is asked; IPv6 has no other. Asked as long as something is sent to it. */
static bool is_kin(struct sender *sender, const struct table_entry *to)
{
	return to->address.any.sa_family == AF_INET6 || state_is_kin(state_of(sender, to));
}

/* What goes to others is paid for with a pause of this queue of the device: nothing is lost there, and pods' windows adapt. */
static void pace(struct sender *sender, const struct message *message)
{
	unsigned mbit = sender->worker->plane->setup.spec.pace;
	uint64_t now;

	if (mbit || sender->worker->plane->setup.shortcut)
		worker_ask_kin(sender->worker, message->to);
	if (!mbit || is_kin(sender, message->to))
		return;
	now = worker_now_us();
	if (sender->resume_us + PACE_CREDIT_US < now)
		sender->resume_us = now - PACE_CREDIT_US;
	sender->resume_us += message->size * 8 / mbit;
}

uint64_t sender_pause_us(const struct sender *sender)
{
	uint64_t now;

	if (!sender->resume_us)
		return 0;
	now = worker_now_us();
	return sender->resume_us > now + PACE_SLACK_US ? sender->resume_us - now : 0;
}

static void count_sent(struct sender *sender, const struct message *message)
{
	count(sender->worker, message->to->slot, RELAY_SENT_PACKETS, message->n);
	count(sender->worker, message->to->slot, RELAY_SENT_BYTES, message->size);
	count(sender->worker, message->to->slot, RELAY_SENT_BY_PROCESS, message->n);
	pace(sender, message);
}

/* Datagram by datagram, for a kernel or a device that does not segment: pieces of each are found by their size. */
static int send_single(int fd, const struct message *message)
{
	struct msghdr call = { .msg_name = (void *)&message->to->address,
			       .msg_namelen = message->to->address_size };
	size_t size = 0, first = 0;

	for (size_t i = 0; i < message->n_pieces; i++) {
		size += message->pieces[i].iov_len;
		if (size < message->segment && i + 1 < message->n_pieces)
			continue;
		call.msg_iov = message->pieces + first;
		call.msg_iovlen = i + 1 - first;
		if (sendmsg(fd, &call, 0) < 0)
			return -errno;
		first = i + 1;
		size = 0;
	}
	return 0;
}

/* The kernel did not take it. */
static void message_failed(struct sender *sender, const struct message *message, int fd, int errnum)
{
	struct worker *worker = sender->worker;
	uint32_t slot = message->to->slot, mtu = 0;

	if (errnum == EMSGSIZE || errnum == EINVAL)
		mtu = learn_mtu(sender, message->to, message->segment);
	if (mtu) {
		count(worker, slot, RELAY_SEND_TOO_BIG, message->n);
		worker_answer(worker, &message->about, ICMP_TOO_BIG, mtu);
	} else if (message->n > 1 && (errnum == EINVAL || errnum == EIO) &&
		   send_single(fd, message) == 0) {
		count_sent(sender, message);
	} else {
		count(worker, slot, RELAY_SEND_FAILED, message->n);
		if (errnum == ENETUNREACH || errnum == EHOSTUNREACH)
			worker_answer(worker, &message->about, ICMP_NO_ROUTE, 0);
	}
}

/* Neighbours in the batch that go out of the same socket. */
static void send_run(struct sender *sender, unsigned first, unsigned n, int fd)
{
	while (n) {
		int sent = sendmmsg(fd, sender->calls + first, n, 0);

		if (sent < 0 && errno == EINTR)
			continue;
		for (int i = 0; i < sent; i++)
			count_sent(sender, &sender->messages[first + (unsigned)i]);
		if (sent <= 0) {
			message_failed(sender, &sender->messages[first], fd, errno);
			sent = 1;
		}
		first += (unsigned)sent;
		n -= (unsigned)sent;
	}
}

static void flush(struct sender *sender)
{
	const struct plane_setup *setup = &sender->worker->plane->setup;
	unsigned first = 0;

	for (unsigned i = 0; i < sender->n_messages; i++)
		fill_call(&sender->messages[i], &sender->calls[i].msg_hdr);
	for (unsigned i = 1; i <= sender->n_messages; i++) {
		int family = sender->messages[first].to->address.any.sa_family;

		if (i < sender->n_messages &&
		    sender->messages[i].to->address.any.sa_family == family)
			continue;
		send_run(sender, first, i - first,
			 setup->sockets[sender->worker->queue][family == AF_INET6]);
		first = i;
	}
	sender->n_messages = sender->n_headers = 0;
	sender->n_pieces = 0;
}

/* ---- what has been read ---- */

static struct message *message_for(struct sender *sender, const struct table_entry *to,
				   const struct packet *about, size_t size)
{
	struct message *message =
		sender->n_messages ? &sender->messages[sender->n_messages - 1] : NULL;

	if (message && message->to == to && !message->closed && size <= message->segment &&
	    message->n < MESSAGE_SEGMENTS && message->size + size <= MESSAGE_MAX)
		return message;
	if (sender->n_messages == MESSAGES)
		flush(sender);
	message = &sender->messages[sender->n_messages++];
	message->to = to;
	message->about = *about;
	message->segment = size;
	message->size = message->n_pieces = message->n = 0;
	message->closed = false;
	message->pieces = sender->pieces + sender->n_pieces;
	return message;
}

static void append(struct sender *sender, const struct table_entry *to, const struct packet *about,
		   const struct iovec *pieces, size_t n, size_t size)
{
	struct message *message = message_for(sender, to, about, size);

	memcpy(sender->pieces + sender->n_pieces, pieces, n * sizeof(*pieces));
	sender->n_pieces += n;
	message->n_pieces += n;
	message->size += size;
	message->n++;
	message->closed = size < message->segment;
}

static void append_segments(struct sender *sender, const struct table_entry *to,
			    struct segmenter *segmenter)
{
	struct iovec pieces[2];
	size_t size;

	for (;;) {
		if (sender->n_headers == HEADERS)
			flush(sender);
		size = segmenter_next(segmenter, sender->headers[sender->n_headers], pieces);
		if (!size)
			return;
		sender->n_headers++;
		append(sender, to, &segmenter->packet, pieces, ARRAY_SIZE(pieces), size);
	}
}

static void append_fragments(struct sender *sender, const struct table_entry *to,
			     struct fragmenter *fragmenter)
{
	struct iovec pieces[2];
	size_t size;

	for (;;) {
		if (sender->n_headers == HEADERS)
			flush(sender);
		size = fragmenter_next(fragmenter, sender->headers[sender->n_headers], pieces);
		if (!size)
			return;
		sender->n_headers++;
		append(sender, to, &fragmenter->packet, pieces, ARRAY_SIZE(pieces), size);
	}
}

/* The way to it was too narrow a while ago: 0 = it is not known to be. */
static uint32_t mtu_of(struct sender *sender, const struct table_entry *to, size_t size)
{
	struct relay_state *state = state_of(sender, to);

	if (!state->mtu || size <= state->mtu)
		return 0;
	if (worker_now_ms() - state->mtu_ms > MTU_AGAIN_MS)
		return learn_mtu(sender, to, size);
	return state->mtu;
}

/* What does not fit: in fragments, or its sender is told what does. */
static bool send_narrow(struct sender *sender, struct packet *packet,
			const struct tun_header *header, const struct table_entry *to, uint32_t mtu)
{
	struct fragmenter fragmenter;

	if (!header->gso && fragmenter_start(&fragmenter, packet, mtu)) {
		if (!packet_complete(packet, header))
			return false;
		append_fragments(sender, to, &fragmenter);
		return true;
	}
	count(sender->worker, to->slot, RELAY_SEND_TOO_BIG, 1);
	worker_answer(sender->worker, packet, ICMP_TOO_BIG, mtu);
	return true;
}

/* false: what the kernel says of it makes no sense. */
static bool send_packet(struct sender *sender, struct packet *packet,
			const struct tun_header *header, const struct table_entry *to)
{
	struct segmenter segmenter;
	size_t size = packet->size;
	uint32_t mtu;

	if (header->gso && !segmenter_start(&segmenter, packet, header))
		return false;
	if (header->gso && segmenter.header + segmenter.segment < size)
		size = segmenter.header + segmenter.segment;
	mtu = mtu_of(sender, to, size);
	if (mtu)
		return send_narrow(sender, packet, header, to, mtu);
	if (header->gso) {
		append_segments(sender, to, &segmenter);
		return true;
	}
	if (!packet_complete(packet, header))
		return false;
	append(sender, to, packet, &(struct iovec){ packet->data, packet->size }, 1, packet->size);
	return true;
}

static void take(struct sender *sender, uint8_t *data, size_t size)
{
	struct worker *worker = sender->worker;
	const struct table_entry *to;
	struct tun_header header;
	struct packet packet;

	memcpy(&header, data, sizeof(header));
	if (!packet_parse(data + sizeof(header), size - sizeof(header), &packet)) {
		count(worker, 0, RELAY_SEND_MALFORMED, 1);
		return;
	}
	to = table_find(worker->scene->table, packet.v6, packet.address);
	if (!to) {
		count(worker, 0, RELAY_SEND_NO_PEER, 1);
		worker_answer(worker, &packet, ICMP_NO_ROUTE, 0);
	} else if (!packet_hop(&packet)) {
		count(worker, to->slot, RELAY_SEND_HOPS, 1);
		worker_answer(worker, &packet, ICMP_TIME_EXCEEDED, 0);
	} else if (!send_packet(sender, &packet, &header, to)) {
		count(worker, to->slot, RELAY_SEND_MALFORMED, 1);
	}
}

/* One more packet: its size, 0 = there is none. */
static size_t take_one(struct sender *sender)
{
	uint8_t *data = sender->buffer + sender->used;
	ssize_t size = read(sender->tun, data, READ_MAX);

	if (size < 0 && errno == EBADFD) /* the device has been deleted: the agent will see to it */
		sender->resume_us = worker_now_us() + GONE_US;
	if (size < (ssize_t)sizeof(struct tun_header))
		return 0;
	take(sender, data, (size_t)size);
	sender->used += ((size_t)size + 63) & ~(size_t)63;
	return (size_t)size;
}

/* A small packet that comes first leaves before the next is looked for; large ones fill messages together. */
void sender_batch(struct sender *sender)
{
	unsigned n = 0;
	size_t size;

	pthread_mutex_lock(&sender->worker->lock);
	sender->used = 0;
	do {
		size = take_one(sender);
		if (n++ == 0 && size <= SMALL)
			flush(sender);
	} while (size && n < READS && sender->used + READ_MAX <= BUFFER);
	flush(sender);
	pthread_mutex_unlock(&sender->worker->lock);
}

struct sender *sender_new(struct worker *worker)
{
	struct sender *sender = xrealloc(NULL, sizeof(*sender));

	memset(sender, 0, offsetof(struct sender, messages));
	sender->worker = worker;
	sender->tun = worker->plane->setup.tun[worker->queue];
	return sender;
}
