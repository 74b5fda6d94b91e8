/* The agent's side of a store: the process, its socket on the loop, and what comes from it. */
#include "lease/store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "lease/store_message.h"

enum { RESTART_MS = 1000, HEADER_SIZE = 4 };

struct lease_store {
	struct loop *loop;
	struct lease_store_program program;
	struct lease_store_client client;
	pid_t pid;
	int fd;
	int restart; /* timer, 0 = none */
	char *data;  /* what has come of messages */
	size_t size, room;
	struct arena parts; /* of the leases that are arriving */
	subnet_leases_t leases;
	struct arena wish;
	struct lease_words want; /* key NULL = nothing wanted yet */
	const char *written;
	bool released, ready, pinged;
	unsigned restarts;
};

static void lease_store_start(struct loop *loop, void *arg);

/* ---- the process ---- */

/* It dies with the agent, gains no right, and has nothing open of the agent's but the socket. */
static void run_program(const struct lease_store_program *program, int fd)
{
	if (fd > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	close_range((unsigned)fd + 1, ~0U, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_NAME, "cnibox-store");
	signal(SIGPIPE, SIG_IGN);
	_exit(program->run(program->arg, fd));
}

static void unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int start_process(struct lease_store *store, struct error *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return fail_errno(err, errno, "make the store's socket");
	store->pid = fork();
	if (store->pid == 0) {
		close(fds[0]);
		unblock_signals();
		run_program(&store->program, fds[1]);
	}
	close(fds[1]);
	store->fd = fds[0];
	if (store->pid < 0)
		return fail_errno(err, errno, "start the store's process");
	return fcntl(store->fd, F_SETFL, O_NONBLOCK) ? fail_errno(err, errno, "the store's socket")
						     : 0;
}

static void forget_parts(struct lease_store *store)
{
	arena_free(&store->parts);
	store->leases = (subnet_leases_t){ 0 };
}

static void stop_process(struct lease_store *store)
{
	if (store->fd >= 0) {
		loop_unwatch(store->loop, store->fd);
		close_fd(&store->fd);
		store->fd = -1;
	}
	/* It has nothing to put in order, and may be stopped, or stuck. */
	if (store->pid > 0) {
		kill(store->pid, SIGKILL);
		waitpid(store->pid, NULL, 0);
	}
	store->pid = 0;
	store->size = 0;
	forget_parts(store);
	store->pinged = false;
}

static void lease_store_lost(struct lease_store *store, const char *why)
{
	log_debug("store: %s", why);
	stop_process(store);
	store->restarts++;
	store->client.trouble(store->client.arg, why);
	store->restart = loop_after(store->loop, RESTART_MS, lease_store_start, store, NULL);
}

/* ---- messages ---- */

/* They come in parts; the last one says so, and all are handed on at once. */
static void give_leases(struct lease_store *store, const struct lease_store_message *message)
{
	list_each(lease, &message->leases) {
		struct subnet_lease *copy = list_add(&store->parts, &store->leases);

		*copy = *lease;
		copy->type = arena_strdup(&store->parts, lease->type);
	}
	if (!message->has_leases)
		return;
	store->client.leases(store->client.arg, &store->leases, message->n_bad);
	forget_parts(store);
}

/* A process that is started anew is asked for just this lease, even if that is gone by then. */
static void keep_wish(struct lease_store *store, const struct lease_words *own)
{
	if (!store->want.value)
		return;
	store->want.key = arena_strdup(&store->wish, own->key);
	store->written = arena_strdup(&store->wish, own->value);
}

static void give(struct lease_store *store, const struct lease_store_message *message,
		 struct arena *arena)
{
	const struct lease_store_client *client = &store->client;
	struct subnet_lease own;

	if (message->has_trouble)
		client->trouble(client->arg, message->trouble);
	if (message->has_node && client->node)
		client->node(client->arg,
			     &(struct lease_node){ .public_ip = message->node.public_ip,
						   .public_ip6 = message->node.public_ip6,
						   .value = message->node.value });
	if (message->network)
		client->network(client->arg, message->network, strlen(message->network));
	if (message->own.value && lease_words_read(&message->own, arena, &own, NULL) == 0) {
		keep_wish(store, &message->own);
		client->own(client->arg, &own);
	}
	if (message->has_leases || message->leases.n)
		give_leases(store, message);
	if (message->pong && client->pong)
		client->pong(client->arg, message->own.left_ms);
	store->pinged &= !message->pong;
	store->released |= message->released;
}

/* Bytes of the message at the front with its length, 0 = it is not whole yet. */
static size_t whole_message(const struct lease_store *store, struct error *err)
{
	uint32_t header;

	if (store->size < HEADER_SIZE)
		return 0;
	memcpy(&header, store->data, HEADER_SIZE);
	if (ntohl(header) > STORE_MESSAGE_MAX)
		fail(err, EPROTO, "the store's process sent %u bytes at once", ntohl(header));
	return store->size - HEADER_SIZE >= ntohl(header) ? ntohl(header) + HEADER_SIZE : 0;
}

static int take_messages(struct lease_store *store, struct error *err)
{
	for (size_t size; !err->errnum && (size = whole_message(store, err));) {
		auto_arena struct arena arena = { 0 };
		struct lease_store_message message;
		const char *text =
			arena_memdup(&arena, store->data + HEADER_SIZE, size - HEADER_SIZE);

		store->size -= size;
		memmove(store->data, store->data + size, store->size);
		if (lease_store_message_parse(text, size - HEADER_SIZE, &arena, &message, err) == 0)
			give(store, &message, &arena);
	}
	return -err->errnum;
}

static void lease_store_readable(struct loop *loop unused, void *arg)
{
	struct lease_store *store = arg;
	struct error err = { 0 };
	ssize_t n;

	if (store->room - store->size < 65536) {
		store->room = store->room * 2 + 65536;
		store->data = xrealloc(store->data, store->room);
	}
	n = read(store->fd, store->data + store->size, store->room - store->size);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lease_store_lost(store, "the store's process has ended");
		return;
	}
	store->size += (size_t)n;
	if (take_messages(store, &err) < 0)
		lease_store_lost(store, err.message);
}

/* ---- what is asked ---- */

static void ask(struct lease_store *store, const struct lease_store_message *message)
{
	auto_arena struct arena arena = { 0 };

	/* A small message to a process that reads: should it not, it is as good as gone. */
	if (store->fd >= 0 &&
	    lease_store_send(store->fd, lease_store_message_text(message, &arena)) < 0)
		lease_store_lost(store, "the store's process does not listen");
}

static void ask_for_wish(struct lease_store *store)
{
	if (store->want.value)
		ask(store, &(struct lease_store_message){ .want = store->want,
							  .written = store->written });
}

static void say_ready(struct lease_store *store)
{
	if (store->ready)
		ask(store, &(struct lease_store_message){ .ready = true });
}

static void lease_store_start(struct loop *loop, void *arg)
{
	struct lease_store *store = arg;
	struct error err = { 0 };

	store->restart = 0;
	if (start_process(store, &err) ||
	    loop_watch(loop, store->fd, EPOLLIN, lease_store_readable, store, &err)) {
		lease_store_lost(store, err.message);
	} else {
		ask_for_wish(store);
		say_ready(store);
	}
}

int lease_store_open(struct lease_store **store, struct loop *loop,
		     const struct lease_store_program *program,
		     const struct lease_store_client *client, struct error *err)
{
	*store = xrealloc(NULL, sizeof(**store));
	**store = (struct lease_store){
		.loop = loop, .program = *program, .client = *client, .fd = -1
	};
	if (start_process(*store, err) ||
	    loop_watch(loop, (*store)->fd, EPOLLIN, lease_store_readable, *store, err)) {
		lease_store_closep(store);
		return -err->errnum;
	}
	return 0;
}

void lease_store_close(struct lease_store *store)
{
	if (!store)
		return;
	if (store->restart)
		loop_cancel(store->loop, store->restart);
	stop_process(store);
	arena_free(&store->wish);
	free(store->data);
	free(store);
}

void lease_store_closep(struct lease_store **store)
{
	lease_store_close(*store);
	*store = NULL;
}

int lease_store_pid(const struct lease_store *store)
{
	return store->pid;
}

unsigned lease_store_restarts(const struct lease_store *store)
{
	return store->restarts;
}

void lease_store_ping(struct lease_store *store)
{
	if (store->pinged || store->fd < 0)
		return;
	store->pinged = true;
	ask(store, &(struct lease_store_message){ .ping = true });
}

void lease_store_want(struct lease_store *store, const struct subnet_lease *own,
		      const char *written)
{
	struct arena wish = { 0 };

	store->want = lease_words_of(own, &wish);
	store->written = arena_strdup(&wish, written);
	arena_free(&store->wish);
	store->wish = wish;
	ask_for_wish(store);
}

void lease_store_ready(struct lease_store *store)
{
	store->ready = true;
	say_ready(store);
}

int lease_store_release(struct lease_store *store, unsigned timeout_ms, struct error *err)
{
	int64_t deadline = clock_ms() + timeout_ms;

	store->want = (struct lease_words){ 0 };
	ask(store, &(struct lease_store_message){ .release = true });
	while (!store->released && store->fd >= 0 && clock_ms() < deadline) {
		struct pollfd fd = { store->fd, POLLIN, 0 };

		if (poll(&fd, 1, (int)(deadline - clock_ms())) > 0)
			lease_store_readable(store->loop, store);
	}
	return store->released ? 0 : fail(err, ETIMEDOUT, "the store did not take the lease back");
}
