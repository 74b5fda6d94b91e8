/* The relay's process: threads, and what the agent tells. */
#include "relay/plane.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

enum { ICMP_PER_SECOND = 1000, ICMP_BURST = 50 };

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

static void keep_kin(struct worker *worker)
{
	uint32_t now = worker_now_ms();
	const struct table_entry *peer;

	worker->kin_due_ms = 0;
	for (int v6 = 0; v6 < 2; v6++)
		for (size_t i = 0; table_next(worker->scene->table, v6, &i, &peer);)
			keep_peer(worker, peer, now);
}

/* Until then nothing need be done but for packets; -1 = for ever. */
static int rest_ms(struct worker *worker)
{
	int32_t left = (int32_t)(worker->kin_due_ms - worker_now_ms());

	if (!worker->kin_due_ms)
		return -1;
	if (left > 0)
		return left;
	pthread_mutex_lock(&worker->lock);
	keep_kin(worker);
	pthread_mutex_unlock(&worker->lock);
	return worker->kin_due_ms ? KIN_ASK_MS : -1;
}

/* ---- what the agent tells ---- */

static void scene_free(struct scene *scene)
{
	if (scene)
		table_free(scene->table);
	free(scene);
}

/* Each thread takes the new one between two batches; then nobody has the old one any more. */
static void scene_replace(struct plane *plane, struct scene *scene)
{
	for (unsigned i = 0; i < plane->n_workers; i++) {
		pthread_mutex_lock(&plane->workers[i].lock);
		plane->workers[i].scene = scene;
		pthread_mutex_unlock(&plane->workers[i].lock);
	}
	scene_free(plane->scene);
	plane->scene = scene;
}

static struct scene *scene_make(const struct plane *plane, const struct plane_message *message,
				const struct relay_peer *peers)
{
	struct scene *scene = xrealloc(NULL, sizeof(*scene));

	*scene = (struct scene){
		.table = table_make(peers, message->n_peers, plane->setup.spec.port),
		.own = { message->own[0], message->own[1] },
		.shortcut = message->shortcut,
	};
	return scene;
}

/* false: the agent is gone. */
static bool take_message(struct plane *plane)
{
	struct plane_message told = { 0 };
	struct relay_peer *peers auto_free = NULL;

	if (!plane_message_receive(plane->setup.control, plane->setup.n_slots, &told, &peers))
		return false;
	scene_replace(plane, scene_make(plane, &told, peers));
	return true;
}

/* ---- threads ---- */

enum { SIDES = 3 };

/* What one thread serves: a queue of the device, and the sockets of that queue. */
struct sides {
	struct sender *sender;
	struct receiver *receivers[2]; /* of as many families as there are */
	int tun;
	struct pollfd fds[SIDES]; /* the device first; -1 = it is not to be read now */
	unsigned n;
};

static struct sides sides_of(struct worker *worker)
{
	const struct plane_setup *setup = &worker->plane->setup;
	struct sides sides = { .sender = sender_new(worker), .tun = setup->tun[worker->queue] };

	sides.fds[sides.n++] = (struct pollfd){ sides.tun, POLLIN, 0 };
	for (unsigned v6 = 0; v6 < 2; v6++) {
		int fd = setup->sockets[worker->queue][v6];

		if (fd < 0)
			continue;
		sides.receivers[sides.n - 1] = receiver_new(worker, v6);
		sides.fds[sides.n++] = (struct pollfd){ fd, POLLIN, 0 };
	}
	return sides;
}

/* A batch of each side that has something. */
static void work(struct sides *sides)
{
	for (unsigned i = 0; i < sides->n; i++) {
		if (!sides->fds[i].revents)
			continue;
		if (i == 0)
			sender_batch(sides->sender);
		else
			receiver_batch(sides->receivers[i - 1]);
	}
}

static int look(struct sides *sides, int timeout_ms)
{
	const uint64_t pause_us = sender_pause_us(sides->sender);
	const struct timespec pause = { (time_t)(pause_us / 1000000),
					(long)(pause_us % 1000000) * 1000 };

	sides->fds[0].fd = pause_us ? -1 : sides->tun;
	sides->fds[0].revents = 0;
	if (pause_us && timeout_ms)
		return ppoll(sides->fds, sides->n, &pause, NULL);
	return poll(sides->fds, sides->n, timeout_ms);
}

/* Look for packets a while, where that is wanted, then sleep until there are some. Others may have the processor meanwhile. */
static void wait_for_some(struct sides *sides, unsigned spin_us, int rest)
{
	uint64_t end;

	if (look(sides, spin_us ? 0 : rest) || !spin_us)
		return;
	end = worker_now_us() + spin_us;
	do {
		sched_yield();
		if (look(sides, 0))
			return;
	} while (worker_now_us() < end);
	look(sides, rest);
}

static void *worker_run(void *arg)
{
	struct worker *worker = arg;
	struct sides sides = sides_of(worker);

	for (;;) {
		wait_for_some(&sides, worker->plane->setup.spec.spin_us, rest_ms(worker));
		work(&sides);
	}
	return NULL;
}

static bool start(struct plane *plane, unsigned queue)
{
	struct worker *worker = &plane->workers[plane->n_workers++];
	char name[32];
	pthread_t thread;

	*worker = (struct worker){
		.plane = plane, .queue = queue, .scene = plane->scene, .icmp_left = ICMP_BURST
	};
	pthread_mutex_init(&worker->lock, NULL);
	if (pthread_create(&thread, NULL, worker_run, worker))
		return false;
	snprintf(name, sizeof(name), "relay-queue-%u", queue);
	pthread_setname_np(thread, name);
	return true;
}

int plane_run(const struct plane_setup *setup)
{
	static struct plane plane;

	plane.setup = *setup;
	plane.scene = scene_make(&plane, &(struct plane_message){ 0 }, NULL);
	for (unsigned queue = 0; queue < plane.setup.spec.queues; queue++)
		if (!start(&plane, queue))
			return 1;
	while (take_message(&plane))
		;
	return 0;
}
