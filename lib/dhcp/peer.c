/*
 * A peer is in one of three phases: its line is being read, it waits for its answer, or the answer is being written.
 * It ends by closing, by the deadline of the first or last phase, or with the last byte of the answer.
 */
#include "dhcp/peer.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/text.h"
#include "describe/json.h"

enum { PEERS_MAX = 1024, READ_STEP = 4096, READ_MS = 5000, WRITE_MS = 5000, FDS_MAX = 4 };

struct peer {
	struct peers *peers;
	struct peer *next;
	int fd, netns, timer;
	enum { PEER_READING, PEER_WAITING, PEER_WRITING } phase;
	char *in, *out;
	size_t in_size, in_room, out_size, out_done;
};

struct peers {
	struct loop *loop;
	int listening;
	struct peer_handler handler;
	struct peer *first;
	unsigned n;
};

static void peer_end(struct peer *peer)
{
	struct peer **at = &peer->peers->first;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	peer->peers->n--;
	loop_unwatch(peer->peers->loop, peer->fd);
	loop_cancel(peer->peers->loop, peer->timer);
	close(peer->fd);
	close_fd(&peer->netns);
	free(peer->in);
	free(peer->out);
	free(peer);
}

static void peer_late(struct loop *loop unused, void *arg)
{
	peer_end(arg);
}

static void set_deadline(struct peer *peer, unsigned ms)
{
	loop_cancel(peer->peers->loop, peer->timer);
	peer->timer = loop_after(peer->peers->loop, ms, peer_late, peer, NULL);
}

/* ---- writing ---- */

static void peer_flush(struct peer *peer);

static void peer_writable(struct loop *loop unused, void *arg)
{
	peer_flush(arg);
}

static void peer_flush(struct peer *peer)
{
	while (peer->out_done < peer->out_size) {
		ssize_t n = send(peer->fd, peer->out + peer->out_done,
				 peer->out_size - peer->out_done, MSG_NOSIGNAL);

		if (n > 0) {
			peer->out_done += (size_t)n;
		} else if (errno == EAGAIN) {
			if (loop_watch(peer->peers->loop, peer->fd, EPOLLOUT, peer_writable, peer,
				       NULL) < 0)
				break;
			return;
		} else if (errno != EINTR) {
			break;
		}
	}
	peer_end(peer);
}

static void peer_prepare(struct peer *peer, const char *text)
{
	peer->phase = PEER_WRITING;
	peer->out_size = strlen(text);
	peer->out = xrealloc(peer->out, peer->out_size + 1);
	memcpy(peer->out, text, peer->out_size + 1);
}

static const char *answer_line(const struct dhcp_answer *answer, struct arena *arena)
{
	struct dhcp_answer full = *answer;
	auto_json struct json *json = NULL;

	full.protocol = CALL_PROTOCOL;
	json = json_encode(dhcp_answer_fields, &full);
	if (!answer->has_lease)
		json_remove(json, "lease");
	return arena_printf(arena, "%s\n", json_text(json, JSON_STYLE_COMPACT, arena));
}

/* Few bytes into an empty socket: they fit, or there is nobody. */
void peer_wait(struct peer *peer, int64_t wait_ms)
{
	auto_arena struct arena arena = { 0 };
	const char *line = answer_line(&(struct dhcp_answer){ .wait_ms = wait_ms }, &arena);

	if (send(peer->fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		return; /* the loop tells of its end */
}

void peer_answer(struct peer *peer, const struct dhcp_answer *answer)
{
	peer_answer_later(peer, 0, answer);
}

static void peer_due(struct loop *loop unused, void *arg)
{
	struct peer *peer = arg;

	set_deadline(peer, WRITE_MS);
	peer_flush(peer);
}

void peer_answer_later(struct peer *peer, unsigned delay_ms, const struct dhcp_answer *answer)
{
	auto_arena struct arena arena = { 0 };

	peer_prepare(peer, answer_line(answer, &arena));
	loop_cancel(peer->peers->loop, peer->timer);
	peer->timer = 0;
	if (delay_ms)
		peer->timer = loop_after(peer->peers->loop, delay_ms, peer_due, peer, NULL);
	if (peer->timer <= 0)
		peer_due(NULL, peer);
}

void peer_error(struct peer *peer, const struct error *err)
{
	peer_answer(peer, &(struct dhcp_answer){
				  .errnum = err->errnum,
				  .code = err->code,
				  .error = err->message,
				  .details = *err->details ? err->details : NULL,
			  });
}

/* ---- reading ---- */

/* Go's net/rpc opens with an HTTP request, and shows the status line of the answer to its user. */
static void answer_foreigner(struct peer *peer)
{
	peer_prepare(peer, "HTTP/1.0 501 this is the daemon of cnibox, which answers its own dhcp "
			   "plugin only\r\n\r\n");
	peer_due(NULL, peer);
}

static void handle_line(struct peer *peer, size_t size)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = NULL;
	struct dhcp_call call = { 0 };
	struct error err = { 0 };

	peer->in[size] = '\0';
	if (has_prefix(peer->in, "CONNECT ")) {
		answer_foreigner(peer);
		return;
	}
	json = json_parse(peer->in, size, &err);
	if (json && json_decode(json, dhcp_call_fields, &call, &arena, &err) >= 0 &&
	    call.protocol != CALL_PROTOCOL)
		fail(&err, EPROTO, "protocol %d is not spoken here, but %d", call.protocol,
		     CALL_PROTOCOL);
	if (err.errnum) {
		peer_error(peer, &err);
		return;
	}
	peer->phase = PEER_WAITING;
	loop_cancel(peer->peers->loop, peer->timer);
	peer->timer = 0;
	peer->peers->handler.call(peer->peers->handler.arg, peer, &call, &peer->netns);
}

/* The first descriptor is kept, others are closed. */
static void take_descriptors(struct peer *peer, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (peer->netns < 0)
				peer->netns = fd;
			else
				close(fd);
		}
	}
}

static ssize_t receive(struct peer *peer)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = peer->in + peer->in_size,
			     .iov_len = peer->in_room - peer->in_size };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(peer->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return -errno;
	take_descriptors(peer, &message);
	return n;
}

/* Who waits for an answer and becomes readable has gone, or says more than it should. */
static void peer_gone(struct peer *peer)
{
	if (peer->phase == PEER_WAITING)
		peer->peers->handler.gone(peer->peers->handler.arg, peer);
	peer_end(peer);
}

static void peer_readable(struct loop *loop unused, void *arg)
{
	struct peer *peer = arg;
	char *end;
	ssize_t n;

	if (peer->phase != PEER_READING) {
		peer_gone(peer);
		return;
	}
	if (peer->in_room - peer->in_size < READ_STEP) {
		peer->in_room = peer->in_room ? 2 * peer->in_room : READ_STEP;
		peer->in = xrealloc(peer->in, peer->in_room);
	}
	n = receive(peer);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0 || peer->in_size + (size_t)n > CALL_MAX) {
		peer_end(peer);
		return;
	}
	end = memchr(peer->in + peer->in_size, '\n', (size_t)n);
	peer->in_size += (size_t)n;
	if (end)
		handle_line(peer, (size_t)(end - peer->in));
}

/* ---- connections ---- */

static bool is_root(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == 0;
}

static void peer_begin(struct peers *peers, int fd)
{
	struct peer *peer = xrealloc(NULL, sizeof(*peer));

	*peer = (struct peer){ .peers = peers, .next = peers->first, .fd = fd, .netns = -1 };
	peers->first = peer;
	peers->n++;
	set_deadline(peer, READ_MS);
	if (!is_root(fd))
		peer_error(peer, &(struct error){ .errnum = EPERM,
						  .message = "the DHCP daemon answers root only" });
	else if (loop_watch(peers->loop, fd, EPOLLIN | EPOLLRDHUP, peer_readable, peer, NULL) < 0)
		peer_end(peer);
}

static void peers_accept(struct loop *loop unused, void *arg)
{
	struct peers *peers = arg;
	int fd = accept4(peers->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (peers->n >= PEERS_MAX)
		close(fd);
	else
		peer_begin(peers, fd);
}

int peers_open(struct peers **peers, struct loop *loop, int listening,
	       const struct peer_handler *handler, struct error *err)
{
	struct peers *new = xrealloc(NULL, sizeof(*new));

	*new = (struct peers){ .loop = loop, .listening = listening, .handler = *handler };
	if (loop_watch(loop, listening, EPOLLIN, peers_accept, new, err)) {
		free(new);
		return err ? -err->errnum : -EIO;
	}
	*peers = new;
	return 0;
}

void peers_close(struct peers *peers)
{
	if (!peers)
		return;
	for (struct peer *peer = peers->first, *next; peer; peer = next) {
		next = peer->next;
		peer_end(peer);
	}
	loop_unwatch(peers->loop, peers->listening);
	close(peers->listening);
	free(peers);
}
