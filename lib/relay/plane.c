/* The relay's process: threads, and what the agent tells. */
#include "relay/plane.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
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
	};
	return scene;
}

static int receive_file(const struct msghdr *message)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (control && control->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(control), sizeof(fd));
	return fd;
}

/* false: the agent is gone. */
static bool take_message(struct plane *plane)
{
	struct plane_message told = { 0 };
	struct iovec piece = { &told, sizeof(told) };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(plane->setup.control, &message, MSG_CMSG_CLOEXEC);
	int fd auto_close = got > 0 ? receive_file(&message) : -1;
	size_t size = told.n_peers * sizeof(struct relay_peer);
	void *peers = NULL;

	if (got <= 0)
		return false;
	if (size)
		peers = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (got != sizeof(told) || peers == MAP_FAILED)
		return false;
	scene_replace(plane, scene_make(plane, &told, peers));
	if (size)
		munmap(peers, size);
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
	uint64_t pause_us = sender_pause_us(sides->sender);
	struct timespec pause = { (time_t)(pause_us / 1000000), (long)(pause_us % 1000000) * 1000 };

	sides->fds[0].fd = pause_us ? -1 : sides->tun;
	sides->fds[0].revents = 0;
	if (pause_us && timeout_ms < 0)
		return ppoll(sides->fds, sides->n, &pause, NULL);
	return poll(sides->fds, sides->n, timeout_ms);
}

/* Look for packets a while, where that is wanted, then sleep until there are some. Others may have the processor meanwhile. */
static void wait_for_some(struct sides *sides, unsigned spin_us)
{
	uint64_t end;

	if (look(sides, spin_us ? 0 : -1) || !spin_us)
		return;
	end = worker_now_us() + spin_us;
	do {
		sched_yield();
		if (look(sides, 0))
			return;
	} while (worker_now_us() < end);
	look(sides, -1);
}

static void *worker_run(void *arg)
{
	struct worker *worker = arg;
	struct sides sides = sides_of(worker);

	for (;;) {
		wait_for_some(&sides, worker->plane->setup.spec.spin_us);
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
