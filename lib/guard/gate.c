/*
 * The gate's socket: plugins ask whether their pod is in force, and are answered when it is. Before a pass, pods that wait are told
 * the addresses that their plugins know; after one that has succeeded, they are in force with them.
 */
#include "policy/gate.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "guard/guard_internal.h"

enum { CLIENTS_MAX = 256, BACKLOG = 64, TIMEOUT_MAX_MS = 600000, QUESTION_MS = 5000 };

struct client {
	struct gate *gate;
	int fd; /* -1 = this place is free */
	int deadline;
	struct frames frames;
	struct arena arena;
	struct gate_question question; /* name NULL = it is still coming */
	bool told;                     /* the pod has its addresses */
};

struct gate {
	struct guard *guard;
	int fd;
	const char *path; /* the options' */
	struct client clients[CLIENTS_MAX];
	struct gate_counts counts;
};

/* ---- one who asks ---- */

static void drop(struct client *client)
{
	struct loop *loop = client->gate->guard->loop;

	if (client->fd < 0)
		return;
	loop_unwatch(loop, client->fd);
	loop_cancel(loop, client->deadline);
	close(client->fd);
	frames_free(&client->frames);
	arena_free(&client->arena);
	*client = (struct client){ .gate = client->gate, .fd = -1 };
}

/* A short text into a socket that was not written to: it fits, or nobody reads. */
static void answer(struct client *client, const char *error)
{
	auto_arena struct arena arena = { 0 };
	const struct gate_answer said = { error };

	if (frame_send(client->fd, gate_answer_text(&said, &arena)) < 0)
		log_debug("gate: who asked has gone");
	drop(client);
}

static const char *pod_word(const struct client *client, struct arena *arena)
{
	return arena_printf(arena, "pod %s/%s", client->question.space, client->question.name);
}

static void on_deadline(struct loop *loop unused, void *arg)
{
	struct client *client = arg;
	auto_arena struct arena arena = { 0 };
	const struct guard *guard = client->gate->guard;
	const char *why = !guard->synced     ? "not all objects have been told yet"
			  : guard->trouble.n ? guard->trouble.text
					     : (client->told ? "what it comes to is not written yet"
							     : "the agent has not heard of it");

	if (!client->question.name) {
		drop(client);
		return;
	}
	client->gate->counts.late++;
	log_warning("gate: %s is not in force in time: %s", pod_word(client, &arena), why);
	answer(client, why);
}

static int set_deadline(struct client *client, int64_t timeout_ms)
{
	struct loop *loop = client->gate->guard->loop;

	loop_cancel(loop, client->deadline);
	client->deadline = loop_after(loop, (unsigned)timeout_ms, on_deadline, client, NULL);
	return client->deadline;
}

/* The plugin gives up by itself a moment later: the answer says why. */
static void take_question(struct client *client, const char *text, size_t size)
{
	struct error err = { 0 };
	int64_t timeout_ms;

	if (gate_question_parse(text, size, &client->arena, &client->question, &err) < 0) {
		client->gate->counts.refused++;
		answer(client, err.message);
		return;
	}
	timeout_ms = client->question.timeout_ms;
	if (timeout_ms <= 0 || timeout_ms > TIMEOUT_MAX_MS)
		timeout_ms = TIMEOUT_MAX_MS;
	(void)set_deadline(client, timeout_ms - timeout_ms / 20);
	loop_alarm(client->gate->guard->loop, &client->gate->guard->pass,
		   client->gate->guard->pause_ms);
}

static void on_readable(struct loop *loop unused, void *arg)
{
	struct client *client = arg;
	int r = frames_read(&client->frames, client->fd);
	char *text;
	size_t size = 0;

	if (r == 0)
		return;
	if (r < 0) {
		drop(client);
		return;
	}
	if (client->question.name || client->frames.size > GATE_MESSAGE_MAX) {
		drop(client); /* it had asked already, or never ends */
		return;
	}
	r = frames_take(&client->frames, GATE_MESSAGE_MAX, &client->arena, &text, &size, NULL);
	if (r < 0)
		drop(client);
	else if (r > 0)
		take_question(client, text, size);
}

/* ---- all of them ---- */

static struct client *find_place(struct gate *gate)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (gate->clients[i].fd < 0)
			return &gate->clients[i];
	return NULL;
}

static void on_connection(struct loop *loop, void *arg)
{
	struct gate *gate = arg;
	int fd = accept4(gate->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client = fd >= 0 ? find_place(gate) : NULL;

	if (!client) {
		if (fd >= 0)
			close(fd);
		return;
	}
	*client = (struct client){ .gate = gate, .fd = fd };
	if (set_deadline(client, QUESTION_MS) < 0 ||
	    loop_watch(loop, fd, EPOLLIN, on_readable, client, NULL) < 0)
		drop(client);
}

void gate_tell(struct gate *gate)
{
	for (struct client *client = gate->clients; client < gate->clients + CLIENTS_MAX;
	     client++) {
		const struct gate_question *question = &client->question;

		if (client->fd >= 0 && question->name && !client->told)
			client->told =
				live_tell(gate->guard->live,
					  &(struct live_pod){ question->space, question->name,
							      question->uid, question->ips });
	}
}

void gate_answer(struct gate *gate)
{
	for (struct client *client = gate->clients; client < gate->clients + CLIENTS_MAX;
	     client++) {
		if (client->fd < 0 || !client->told)
			continue;
		gate->counts.let_in++;
		answer(client, NULL);
	}
}

void gate_count(const struct gate *gate, struct gate_counts *counts)
{
	*counts = gate->counts;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		counts->waiting += gate->clients[i].fd >= 0 && gate->clients[i].question.name;
}

/* The lock beside it is ours: a socket that is there is a dead one's. */
static int bind_to(struct gate *gate, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int r;

	if (strlen(gate->path) >= sizeof(address.sun_path))
		return fail(err, ENAMETOOLONG, "the socket's path \"%s\" is too long", gate->path);
	memcpy(address.sun_path, gate->path, strlen(gate->path));
	gate->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (gate->fd < 0)
		return fail_errno(err, errno, "make the gate's socket");
	unlink(gate->path);
	mask = umask(0177);
	r = bind(gate->fd, (const struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (r || listen(gate->fd, BACKLOG))
		return fail_errno(err, errno, "listen at %s", gate->path);
	return 0;
}

int gate_open(struct gate **gate, struct guard *guard, struct error *err)
{
	int r;

	*gate = xrealloc(NULL, sizeof(**gate));
	**gate = (struct gate){ .guard = guard, .fd = -1, .path = guard->options->socket };
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		(*gate)->clients[i] = (struct client){ .gate = *gate, .fd = -1 };
	r = bind_to(*gate, err);
	return r < 0 ? r : loop_watch(guard->loop, (*gate)->fd, EPOLLIN, on_connection, *gate, err);
}

/* Who waits sees the connection end: nobody is there to say that it is in force. */
void gate_close(struct gate *gate)
{
	if (!gate)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		drop(&gate->clients[i]);
	if (gate->fd >= 0)
		unlink(gate->path);
	close_fd(&gate->fd);
	free(gate);
}
