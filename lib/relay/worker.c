/* What the two directions of a worker share: the time, answers to who sent, and who of the peers is of our kind. */
#include "relay/worker.h"

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

enum { ICMP_PER_SECOND = 1000 };

uint32_t worker_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) | 1;
}

uint64_t worker_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* As the kernel limits its own (icmp_msgs_per_sec, icmp_msgs_burst). */
static bool may_answer(struct worker *worker)
{
	uint32_t now = worker_now_ms(), passed = now - worker->icmp_since_ms;
	uint64_t more = (uint64_t)passed * ICMP_PER_SECOND / 1000;

	if (more) {
		worker->icmp_since_ms = now;
		worker->icmp_left = more + worker->icmp_left > ICMP_BURST
					    ? ICMP_BURST
					    : worker->icmp_left + (unsigned)more;
	}
	return worker->icmp_left && worker->icmp_left--;
}

void worker_answer(struct worker *worker, const struct packet *about, enum icmp_error error,
		   unsigned mtu)
{
	uint8_t message[ICMP_ERROR_MAX];
	size_t size = icmp_error_make(about, error, mtu, message);
	struct ip to = ip_make(about->v6 ? AF_INET6 : AF_INET, about->source);

	if (size && may_answer(worker) &&
	    tunnel_icmp_send(worker->plane->setup.icmp[about->v6], &worker->scene->own[about->v6],
			     &to, message, size) < 0)
		worker->icmp_left++;
}

void worker_hear(struct worker *worker, const struct table_entry *peer)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	__atomic_store_n(&worker->plane->setup.states[peer->slot].heard.s, (uint32_t)now.tv_sec,
			 __ATOMIC_RELAXED);
}

/* ---- kin ---- */

bool state_is_kin(const struct relay_state *state)
{
	return state->kin_ms && worker_now_ms() - state->kin_ms < KIN_KEEP_MS;
}

/* The earlier of two wishes wins. */
static void keep_kin_in(struct worker *worker, uint32_t delay_ms)
{
	uint32_t due_ms = (worker_now_ms() + delay_ms) | 1;

	if (worker->plane->setup.shortcut &&
	    (!worker->kin_due_ms || (int32_t)(worker->kin_due_ms - due_ms) > 0))
		worker->kin_due_ms = due_ms;
}

void worker_ask_kin(struct worker *worker, const struct table_entry *peer)
{
	const struct plane_setup *setup = &worker->plane->setup;
	struct relay_state *state = &setup->states[peer->slot];
	bool v6 = peer->address.any.sa_family == AF_INET6;
	const struct ip *own = &worker->scene->own[v6];
	uint32_t now = worker_now_ms(), v4 = (uint32_t)peer->key[0];
	uint8_t question[KIN_SIZE6];
	size_t size;

	if (!own->family || (state->asked_ms && now - state->asked_ms < KIN_ASK_MS))
		return;
	state->asked_ms = now;
	size = kin_make(question, v6, own->bytes,
			v6 ? (const uint8_t *)peer->key : (const uint8_t *)&v4, KIN_QUESTION);
	sendto(setup->sockets[worker->queue][v6], question, size, MSG_DONTWAIT, &peer->address.any,
	       peer->address_size);
	if (state->short_ms)
		keep_kin_in(worker, KIN_WAIT_MS);
}

void worker_hear_kin(struct worker *worker, const struct table_entry *peer, enum kin_word word)
{
	struct relay_state *state = &worker->plane->setup.states[peer->slot];
	uint32_t now = worker_now_ms();

	state->kin_ms = word == KIN_OTHER ? 0 : now;
	__atomic_store_n(&state->short_ms, word == KIN_SHORTCUT ? now : 0, __ATOMIC_RELAXED);
	if (word == KIN_SHORTCUT)
		keep_kin_in(worker, KIN_ASK_MS);
}

/* The other agent may have ended, and its kernel goes on: silence changes nothing. */
static bool is_silent(const struct relay_state *state, uint32_t now)
{
	return state->asked_ms && now - state->asked_ms >= KIN_WAIT_MS &&
	       (int32_t)(state->asked_ms - state->kin_ms) > 0;
}

/* Packets that the kernel carries are not seen here, only counted. A peer that has none is not asked, and some time later not
 * looked at any more: then the next packet comes here. */
static void keep_peer(struct worker *worker, const struct table_entry *peer, uint32_t now)
{
	struct relay_state *state = &worker->plane->setup.states[peer->slot];
	uint64_t sent = __atomic_load_n(&state->counters[RELAY_SENT_PACKETS], __ATOMIC_RELAXED);

	if (!state->short_ms)
		return;
	if (sent != state->seen) {
		state->seen = sent;
		if (is_silent(state, now))
			__atomic_store_n(&state->short_ms, now, __ATOMIC_RELAXED);
		worker_ask_kin(worker, peer);
	}
	if (now - state->short_ms < KIN_SHORT_MS)
		keep_kin_in(worker, KIN_ASK_MS);
}

void worker_keep_kin(struct worker *worker)
{
	uint32_t now = worker_now_ms();
	const struct table_entry *peer;

	worker->kin_due_ms = 0;
	for (int v6 = 0; v6 < 2; v6++)
		for (size_t i = 0; table_next(worker->scene->table, v6, &i, &peer);)
			keep_peer(worker, peer, now);
}
