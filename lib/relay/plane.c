/* The relay's process: threads, and what the agent tells. */
#include "relay/plane.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

/* Until then nothing need be done but for packets; -1 = for ever. */
static int rest_ms(struct worker *worker)
{
	int32_t left = (int32_t)(worker->kin_due_ms - worker_now_ms());

	if (!worker->kin_due_ms)
		return -1;
	if (left > 0)
		return left;
	pthread_mutex_lock(&worker->lock);
	worker_keep_kin(worker);
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
