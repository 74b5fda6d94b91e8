/*
 * The daemon's side of its socket: who connects, the line that comes, the lines that go. Nothing blocks, and everything
 * is bounded: how many there are, how long a line is, how long it may take. Root only (SO_PEERCRED).
 */
#ifndef DHCP_PEER_H
#define DHCP_PEER_H

#include "base/loop.h"
#include "dhcp/call.h"

struct peers;
struct peer;

struct peer_handler {
	void *arg;
	/* A call came; netns is a descriptor of the peer's, -1 = none, to be taken with take_fd(). */
	void (*call)(void *arg, struct peer *peer, const struct dhcp_call *call, int *netns);
	/* The peer has gone without its answer. */
	void (*gone)(void *arg, struct peer *peer);
};

/* Serve a listening socket, which it owns from then on. */
int peers_open(struct peers **peers, struct loop *loop, int listening,
	       const struct peer_handler *handler, struct error *err) must_check;
void peers_close(struct peers *peers);
/* "wait" line: the answer comes within this time. */
void peer_wait(struct peer *peer, int64_t wait_ms);
/* The answer; the peer is forgotten. protocol is filled in. */
void peer_answer(struct peer *peer, const struct dhcp_answer *answer);
void peer_answer_later(struct peer *peer, unsigned delay_ms, const struct dhcp_answer *answer);
void peer_error(struct peer *peer, const struct error *err);

#endif
