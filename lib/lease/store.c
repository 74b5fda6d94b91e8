/* The agent's side of a store: what comes from its process, and what is asked of it. */
#include "lease/store.h"

#include <errno.h>

#include "base/clock.h"
#include "lease/changes.h"
#include "lease/store_message.h"

struct lease_store {
	struct lease_store_client client;
	struct worker *worker;
	struct arena parts; /* of the leases that are arriving */
	subnet_leases_t arriving;
	struct arena known; /* of those that were handed on last */
	subnet_leases_t leases;
	struct arena wish;
	struct lease_words want; /* key NULL = nothing wanted yet */
	const char *written;
	bool held; /* the agent has been given a lease */
	bool released, ready, pinged;
};

static void forget_parts(struct lease_store *store)
{
	arena_free(&store->parts);
	store->arriving = (subnet_leases_t){ 0 };
}

/* ---- messages ---- */

/* All of them come in parts; the last one says so. */
static bool take_part(struct lease_store *store, const struct lease_store_message *message)
{
	list_each(lease, &message->leases)
		*list_add(&store->parts, &store->arriving) = subnet_copy(lease, &store->parts);
	if (!message->has_leases)
		return false;
	store->known = store->parts;
	store->leases = store->arriving;
	store->parts = (struct arena){ 0 };
	store->arriving = (subnet_leases_t){ 0 };
	return true;
}

static bool take_changes(struct lease_store *store, const struct lease_store_message *message)
{
	const struct lease_changes changes = { message->leases, message->gone };

	store->known = (struct arena){ 0 };
	lease_changes_apply(&store->leases, &changes, &store->known, &store->leases);
	return true;
}

static void give_leases(struct lease_store *store, const struct lease_store_message *message)
{
	struct arena was = store->known;

	if (!(message->changes ? take_changes(store, message) : take_part(store, message)))
		return;
	store->client.leases(store->client.arg, &store->leases, message->n_bad);
	arena_free(&was);
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
						   .told = message->node.told,
						   .told6 = message->node.told6,
						   .value = message->node.value });
	if (message->network)
		client->network(client->arg, message->network, strlen(message->network));
	if (message->own.value && lease_words_read(&message->own, arena, &own, NULL) == 0) {
		keep_wish(store, &message->own);
		store->held = true;
		client->own(client->arg, &own);
	}
	if (message->lost)
		client->lost(client->arg, message->lost);
	if (message->has_leases || message->leases.n)
		give_leases(store, message);
	if (message->pong && client->pong)
		client->pong(client->arg, message->own.left_ms);
	store->pinged &= !message->pong;
	store->released |= message->released;
}

static int on_message(void *arg, const char *text, size_t size, struct error *err)
{
	struct lease_store *store = arg;
	auto_arena struct arena arena = { 0 };
	struct lease_store_message message;
	int r = lease_store_message_parse(text, size, &arena, &message, err);

	if (r == 0)
		give(store, &message, &arena);
	return r;
}

static void on_lost(void *arg, const char *why)
{
	struct lease_store *store = arg;

	forget_parts(store);
	store->pinged = false;
	store->client.trouble(store->client.arg, why);
}

/* ---- what is asked ---- */

static void ask(struct lease_store *store, const struct lease_store_message *message)
{
	auto_arena struct arena arena = { 0 };

	worker_send(store->worker, lease_store_message_text(message, &arena));
}

static void ask_for_wish(struct lease_store *store)
{
	if (store->want.value)
		ask(store, &(struct lease_store_message){ .want = store->want,
							  .written = store->written,
							  .held = store->held });
}

static void say_ready(struct lease_store *store)
{
	if (store->ready)
		ask(store, &(struct lease_store_message){ .ready = true });
}

static void on_again(void *arg)
{
	ask_for_wish(arg);
	say_ready(arg);
}

int lease_store_open(struct lease_store **store, struct loop *loop,
		     const struct worker_program *program, const struct lease_store_client *client,
		     struct error *err)
{
	*store = xrealloc(NULL, sizeof(**store));
	**store = (struct lease_store){ .client = *client };
	if (worker_open(&(*store)->worker, "cnibox-store", loop, program,
			&(struct worker_client){ *store, on_message, on_again, on_lost }, err)) {
		lease_store_closep(store);
		return -err->errnum;
	}
	return 0;
}

void lease_store_close(struct lease_store *store)
{
	if (!store)
		return;
	worker_close(store->worker);
	arena_free(&store->parts);
	arena_free(&store->known);
	arena_free(&store->wish);
	free(store);
}

void lease_store_closep(struct lease_store **store)
{
	lease_store_close(*store);
	*store = NULL;
}

int lease_store_pid(const struct lease_store *store)
{
	return worker_pid(store->worker);
}

unsigned lease_store_restarts(const struct lease_store *store)
{
	return worker_restarts(store->worker);
}

void lease_store_ping(struct lease_store *store)
{
	if (store->pinged || !worker_pid(store->worker))
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
	while (!store->released && clock_ms() < deadline)
		if (!worker_wait(store->worker, (unsigned)(deadline - clock_ms())))
			break;
	return store->released ? 0 : fail(err, ETIMEDOUT, "the store did not take the lease back");
}
