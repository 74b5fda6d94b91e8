/*
 * The store's side: one thread, which waits for the engine and for the agent at once. What cannot be done now is tried again,
 * with a pause that grows to RETRY_MAX_MS and differs between nodes; meanwhile the agent goes on with what it knows.
 */
#include "lease/store.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "lease/changes.h"
#include "lease/snapshot.h"

enum {
	RETRY_MIN_MS = 100,
	RETRY_MAX_MS = 1000,
	KEEP_MS = LEASE_TTL_MS / 4,
	LEASES_AT_ONCE = 256,
	SETTLE_MS = 5000,
	HOLD_TRIES = 3,
	SAVE_MS = 10000, /* between snapshots */
};

struct serving {
	struct kv *kv;
	int fd;
	struct arena state; /* of what was told last */
	struct arena network_arena;
	const char *network; /* NULL = nothing was told yet */
	subnet_leases_t leases;
	bool told_leases, closed, pinged;
	char trouble[sizeof(
		((struct error *)0)->message)]; /* that was told last; "" = all is well */
	unsigned n_bad, told_bad;
	int64_t settle_at_ms; /* after the store was away; INT64_MAX = it still is */
	int64_t ends_at_ms;   /* when the first of the leases ends, unless its node keeps it */
	/* the node's own lease */
	struct arena wish;
	bool wanted, have;
	bool held;                  /* the agent has had it: no other will do */
	struct subnet_lease wished; /* as the agent asked */
	struct subnet_lease own;
	const char *written;
	int64_t keep_at_ms;
	struct kv_own given; /* what the store says of this node, as told; in given_arena */
	struct arena given_arena;
	bool ready, told_given, told_ready;    /* of them that wait */
	unsigned pause_ms;                     /* before the next try; 0 = all is well */
	const struct lease_snapshot *snapshot; /* NULL = none is kept */
	bool unsaved, remembered;
	int64_t save_at_ms;
};

static int tell(struct serving *serving, const struct lease_store_message *message)
{
	auto_arena struct arena arena = { 0 };

	serving->unsaved |= message->network || message->has_leases || message->own.value;
	if (frame_send(serving->fd, lease_store_message_text(message, &arena)) < 0)
		serving->closed = true;
	return serving->closed ? -EPIPE : 0;
}

/* The same again is not told again. */
static void trouble(struct serving *serving, const struct error *why)
{
	struct lease_store_message message = { .has_trouble = true, .trouble = why->message };

	if (streq(serving->trouble, why->message))
		return;
	snprintf(serving->trouble, sizeof(serving->trouble), "%s", why->message);
	(void)!tell(serving, &message);
}

static void well(struct serving *serving)
{
	struct lease_store_message message = { .has_trouble = true };

	serving->pause_ms = 0;
	if (*serving->trouble)
		(void)!tell(serving, &message);
	*serving->trouble = '\0';
}

/* ---- the network and its leases ---- */

static void keep_network(struct serving *serving, const char *text)
{
	arena_free(&serving->network_arena);
	serving->network = arena_strdup(&serving->network_arena, text);
}

static int look_at_network(struct serving *serving, struct network_config *config,
			   struct arena *arena, struct error *err)
{
	const char *text;
	int r = lease_config(serving->kv, arena, config, &text, err);

	if (r < 0)
		return r;
	if (serving->network && streq(serving->network, text))
		return 0;
	keep_network(serving, text);
	return tell(serving, &(struct lease_store_message){ .network = text });
}

static void log_bad(void *arg, const char *key, const struct error *why)
{
	struct serving *serving = arg;

	serving->n_bad++;
	log_debug("store: %s is passed over: %s", key, why->message);
}

static bool same_leases(const subnet_leases_t *a, const subnet_leases_t *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!subnet_lease_equal(&a->items[i], &b->items[i]))
			return false;
	return true;
}

/* Nobody tells of a lease that ends: its node is gone. */
static void find_end(struct serving *serving, const subnet_leases_t *leases)
{
	int64_t first = KV_LEFT_UNKNOWN;

	list_each(lease, leases)
		if (lease->left_ms >= 0 && lease->left_ms < first)
			first = lease->left_ms;
	serving->ends_at_ms = first == KV_LEFT_UNKNOWN ? INT64_MAX : clock_boot_ms() + first + 1;
}

/* In parts, so that neither side needs memory for all of it at once. */
static int tell_all(struct serving *serving, const subnet_leases_t *leases)
{
	size_t i = 0;

	do {
		size_t n = leases->n - i < LEASES_AT_ONCE ? leases->n - i : LEASES_AT_ONCE;
		struct lease_store_message message = {
			.leases = { leases->items + i, n },
			.has_leases = i + n == leases->n,
			.n_bad = serving->n_bad,
		};

		if (tell(serving, &message))
			return -EPIPE;
		i += n;
	} while (i < leases->n);
	memory_give_back();
	return 0;
}

/* What is different from what was told last, if that is little. */
static int tell_leases(struct serving *serving, const subnet_leases_t *leases)
{
	auto_arena struct arena arena = { 0 };
	struct lease_store_message message = { .has_leases = true,
					       .changes = true,
					       .n_bad = serving->n_bad };
	struct lease_changes changes;

	if (!serving->told_leases ||
	    !lease_changes_find(&serving->leases, leases, LEASES_AT_ONCE, &arena, &changes))
		return tell_all(serving, leases);
	message.leases = changes.now;
	message.gone = changes.gone;
	return tell(serving, &message);
}

/* A store that comes back empty is filled again by its nodes: until then no peer is taken for gone. */
static void keep_for_now(struct serving *serving, subnet_leases_t *leases, struct arena *arena)
{
	if (serving->settle_at_ms == INT64_MAX)
		serving->settle_at_ms = clock_boot_ms() + SETTLE_MS;
	if (clock_boot_ms() >= serving->settle_at_ms)
		return;
	list_each(known, &serving->leases) {
		if (subnet_find(leases, known) ||
		    (serving->wanted && subnet_same(known, &serving->own)))
			continue;
		*list_add(arena, leases) = subnet_copy(known, arena);
	}
}

static int look_at_leases(struct serving *serving, struct error *err)
{
	struct arena arena = { 0 };
	subnet_leases_t leases = { 0 };
	int r;

	serving->n_bad = 0;
	r = lease_list_since(serving->kv, &serving->leases, &arena, &leases, log_bad, serving, err);
	if (r == 0) {
		find_end(serving, &leases);
		keep_for_now(serving, &leases, &arena);
	}
	if (r < 0 || (serving->told_leases && serving->n_bad == serving->told_bad &&
		      same_leases(&leases, &serving->leases))) {
		arena_free(&arena);
		return r;
	}
	r = tell_leases(serving, &leases);
	arena_free(&serving->state);
	serving->state = arena;
	serving->leases = leases;
	serving->told_bad = serving->n_bad;
	serving->told_leases = true;
	return r;
}

/* ---- the node's own ---- */

static bool same_given(const struct kv_own *a, const struct kv_own *b)
{
	return ip_equal(&a->public_ip, &b->public_ip) && ip_equal(&a->public_ip6, &b->public_ip6) &&
	       ip_equal(&a->told, &b->told) && ip_equal(&a->told6, &b->told6) &&
	       streq(a->value ? a->value : "", b->value ? b->value : "");
}

/* What a store that has nodes says of this one. */
static int look_at_node(struct serving *serving, struct error *err)
{
	struct arena arena = { 0 };
	struct lease_store_message message = { 0 };
	struct kv_own given = { 0 };
	int r;

	if (!serving->kv->engine->own)
		return 0;
	r = serving->kv->engine->own(serving->kv, &arena, &given, err);
	if (r == -ENOENT)
		serving->told_ready = false; /* a node that comes back is another one */
	if (r < 0 || (serving->told_given && same_given(&given, &serving->given))) {
		arena_free(&arena);
		return r;
	}
	arena_free(&serving->given_arena);
	serving->given_arena = arena;
	serving->given = given;
	serving->told_given = true;
	message.has_node = true;
	message.node = (struct node_words){ given.public_ip, given.public_ip6, given.told,
					    given.told6, given.value };
	return tell(serving, &message);
}

/* Those that wait for this node's network, once it works. */
static int tell_ready(struct serving *serving, struct error *err)
{
	int r;

	if (!serving->ready || serving->told_ready || !serving->kv->engine->ready)
		return 0;
	r = serving->kv->engine->ready(serving->kv, err);
	serving->told_ready = r >= 0;
	return r;
}

static int tell_own(struct serving *serving)
{
	auto_arena struct arena arena = { 0 };
	struct lease_store_message message = { .own = lease_words_of(&serving->own, &arena) };

	return tell(serving, &message);
}

/* A store that says what a node has is asked again each time: it may say otherwise by now. */
static bool is_held(const struct serving *serving)
{
	const struct subnet_lease *there = subnet_find(&serving->leases, &serving->own);

	return serving->have && !serving->kv->engine->own && there &&
	       subnet_lease_equal(there, &serving->own);
}

static bool as_told(const struct serving *serving, const struct subnet_lease *own)
{
	return serving->have && serving->kv->engine->own && subnet_lease_equal(own, &serving->own);
}

static int tell_lost(struct serving *serving, struct error *err)
{
	int r = tell(serving, &(struct lease_store_message){ .lost = err->message });

	serving->wanted = serving->have = false;
	*err = (struct error){ 0 };
	return r;
}

/* Taken at first, and again when it is gone or changed (D10). 1: it has been written. */
static int hold_own(struct serving *serving, const struct network_config *config, struct error *err)
{
	struct subnet_lease own = serving->kv->engine->own ? serving->wished : serving->own;
	int r;

	if (!serving->wanted || is_held(serving))
		return 0;
	if (serving->held && !serving->kv->engine->own)
		r = lease_hold(serving->kv, &serving->leases, serving->written, &own, err);
	else
		r = lease_acquire_among(serving->kv, config, &serving->leases, serving->written,
					&own, err);
	if (r == -EXDEV)
		return tell_lost(serving, err);
	if (r < 0)
		return r;
	if (as_told(serving, &own))
		return own.revision != 0;
	serving->own = own;
	serving->written = arena_strdup(&serving->wish, subnet_value(&own, &serving->wish));
	serving->have = serving->held = true;
	serving->keep_at_ms = clock_boot_ms() + KEEP_MS;
	r = tell_own(serving);
	return r < 0 ? r : 1;
}

static int tell_life(struct serving *serving, int64_t left_ms)
{
	return tell(serving, &(struct lease_store_message){ .pong = true, .own.left_ms = left_ms });
}

static int keep_own(struct serving *serving, struct error *err)
{
	int r;

	if (!serving->have || clock_boot_ms() < serving->keep_at_ms)
		return 0;
	r = lease_keep(serving->kv, &serving->own, err);
	if (r < 0 && r != -ENOENT)
		return r;
	serving->keep_at_ms = clock_boot_ms() + KEEP_MS;
	serving->have = r == 0; /* gone: hold_own() comes next */
	return r < 0 ? 0 : tell_life(serving, serving->own.left_ms);
}

/* Everything once: the state is told where it changed. When only the agent has spoken, what was listed last will do. */
static int look(struct serving *serving, bool heard, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct network_config config;
	bool listed = heard && serving->told_leases && !serving->pause_ms;
	int tries = serving->kv->engine->own ? 1 : HOLD_TRIES, r;

	if (look_at_node(serving, err) || look_at_network(serving, &config, &arena, err) ||
	    keep_own(serving, err) || (!listed && look_at_leases(serving, err))) {
		serving->settle_at_ms = serving->told_leases ? INT64_MAX : 0;
		return -err->errnum;
	}
	/* With our own in it, or somebody has taken it away meanwhile: nothing will tell of that once more. */
	for (r = 1; r > 0 && tries > 0; tries--) {
		r = hold_own(serving, &config, err);
		if (r > 0 && look_at_leases(serving, err) < 0)
			return -err->errnum;
	}
	return r < 0 ? r : tell_ready(serving, err);
}

/* ---- what is remembered over a boot ---- */

static void save(struct serving *serving)
{
	auto_arena struct arena arena = { 0 };
	struct lease_store_message state = {
		.network = serving->network,
		.leases = serving->leases,
		.has_leases = true,
	};
	struct error err = { 0 };

	/* Without the node's own it would be of little use, and keep a better one away for a while. */
	if (!serving->snapshot || !serving->unsaved || !serving->told_leases || !serving->have ||
	    clock_boot_ms() < serving->save_at_ms)
		return;
	state.own = lease_words_of(&serving->own, &arena);
	if (lease_snapshot_save(serving->snapshot, &state, &err) < 0)
		log_debug("store: %s", err.message);
	serving->unsaved = false;
	serving->save_at_ms = clock_boot_ms() + SAVE_MS;
	memory_give_back();
}

/* Nothing is known yet, and the store does not answer. The devices become as peers know them: the node's own is among these. */
static void remember(struct serving *serving, const struct error *why)
{
	auto_arena struct arena arena = { 0 };
	struct lease_store_message state;
	struct error err = { 0 };

	/* A store that answers knows better, even when it has nothing. */
	if (!serving->snapshot || serving->remembered || serving->network || why->errnum == ENOENT)
		return;
	serving->remembered = true;
	if (lease_snapshot_load(serving->snapshot, &arena, &state, &err) == 0 && state.network) {
		keep_network(serving, state.network);
		(void)!tell(serving, &state);
		serving->unsaved = false;
	} else if (err.errnum) {
		log_debug("store: %s", err.message);
	}
}

/* ---- the agent ---- */

/* When the look that was asked for has succeeded. */
static int answer_ping(struct serving *serving, struct error *err)
{
	int64_t left_ms = -1;
	int r = 0;

	if (serving->pinged && serving->have)
		r = lease_life(serving->kv, &serving->own, &left_ms, err);
	if (!serving->pinged || r < 0)
		return r;
	serving->pinged = false;
	return tell_life(serving, left_ms);
}

static int take_wish(struct serving *serving, const struct lease_store_message *message,
		     struct error *err)
{
	struct subnet_lease own;

	arena_free(&serving->wish);
	if (lease_words_read(&message->want, &serving->wish, &own, err))
		return -err->errnum;
	serving->own = serving->wished = own;
	serving->written = message->written && *message->written
				   ? arena_strdup(&serving->wish, message->written)
				   : NULL;
	serving->wanted = true;
	serving->have = false;
	serving->held = message->held;
	return 0;
}

static int give_back(struct serving *serving, struct error *err)
{
	int r = serving->have ? lease_release(serving->kv, &serving->own, err) : 0;

	serving->wanted = serving->have = false;
	return r < 0 ? r : tell(serving, &(struct lease_store_message){ .released = true });
}

static int hear(struct serving *serving, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct lease_store_message message;
	char *text;
	size_t size;

	if (frame_receive(serving->fd, &arena, &text, &size, err) < 0 || !text) {
		serving->closed = true;
		return 0;
	}
	if (lease_store_message_parse(text, size, &arena, &message, err))
		return -err->errnum;
	serving->pinged |= message.ping;
	if (message.want.value && take_wish(serving, &message, err))
		return -err->errnum;
	serving->ready |= message.ready;
	return message.release ? give_back(serving, err) : 0;
}

/* Until the next try, the next renewal, or the end of a lease that nobody renews. */
static int patience(const struct serving *serving)
{
	int64_t now = clock_boot_ms(), until = serving->ends_at_ms, left;

	if (serving->pause_ms)
		return (int)serving->pause_ms;
	if (serving->have && serving->keep_at_ms < until)
		until = serving->keep_at_ms;
	if (serving->settle_at_ms > now && serving->settle_at_ms < until)
		until = serving->settle_at_ms;
	if (serving->snapshot && serving->unsaved && serving->have && serving->save_at_ms < until)
		until = serving->save_at_ms;
	left = until - now;
	return until == INT64_MAX || left > INT_MAX ? INT_MAX : left < 0 ? 0 : (int)left;
}

static void fall_back(struct serving *serving, const struct error *why)
{
	trouble(serving, why);
	remember(serving, why);
	serving->pause_ms = clock_next_pause(serving->pause_ms, RETRY_MIN_MS, RETRY_MAX_MS);
}

/* While the store is in trouble only the agent is heard; the engine is asked again after the pause. */
static int wait_for_something(struct serving *serving, struct error *err)
{
	struct pollfd fd = { serving->fd, POLLIN, 0 };

	if (!serving->pause_ms)
		return serving->kv->engine->wait(serving->kv, serving->fd, patience(serving), err);
	return poll(&fd, 1, patience(serving)) > 0 ? 2 : 0;
}

static void serving_end(struct serving *serving)
{
	arena_free(&serving->state);
	arena_free(&serving->wish);
	arena_free(&serving->given_arena);
	arena_free(&serving->network_arena);
}

int lease_store_serve(struct kv *kv, int fd, const struct lease_snapshot *snapshot,
		      struct error *err)
{
	struct serving serving on_leave(serving_end) = {
		.kv = kv, .fd = fd, .ends_at_ms = INT64_MAX, .snapshot = snapshot
	};
	int r = 1;

	srandom((unsigned)getpid());
	while (!serving.closed) {
		struct error why = { 0 };
		bool heard = r == 2;

		r = heard ? hear(&serving, &why) : 0;
		if (r == 0)
			r = look(&serving, heard && !serving.pinged, &why);
		if (r == 0)
			r = answer_ping(&serving, &why);
		if (r < 0 && !serving.closed)
			fall_back(&serving, &why);
		else
			well(&serving);
		if (!serving.pause_ms)
			save(&serving);
		if (!serving.closed)
			r = wait_for_something(&serving, err);
	}
	return 0;
}
