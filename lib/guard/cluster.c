/*
 * Objects of a Kubernetes API, told by cnibox-store: it has no right over this node, and is started again when it ends. What it
 * tells is listed anew then; until it has told all, nothing is taken for gone.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "guard/source.h"
#include "kernel/capability.h"
#include "policy/feed.h"

enum { KINDS_MAX = 16 };

struct cluster {
	struct guard *guard;
	struct worker *worker;
	int64_t heard_ms;
	bool told[KINDS_MAX];                     /* all objects of the kind have been told once */
	struct trouble troubles[KINDS_MAX], gone; /* of a kind; of the process */
};

/* ---- the process ---- */

static int run_store(void *arg, int fd)
{
	struct error err = { 0 };

	if (capability_keep_only(NULL, 0, &err) < 0)
		log_debug("%s", err.message);
	if (lease_place_become("objects", arg, fd, &err) < 0)
		log_error("%s", err.message);
	return 1;
}

/* ---- what it says ---- */

static void put_all(struct cluster *cluster, const struct object_kind *kind,
		    const struct json *objects)
{
	for (size_t i = 0; i < json_length(objects); i++)
		live_put(cluster->guard->live, kind->name, json_item(objects, i), NULL);
	guard_changed(cluster->guard, false);
}

static void remove_one(struct cluster *cluster, const struct object_kind *kind,
		       const struct feed_message *message)
{
	if (!message->name)
		return;
	live_remove(cluster->guard->live, kind->name,
		    kind->in_space && message->space ? message->space : "", message->name);
	guard_changed(cluster->guard, false);
}

static void end_list(struct cluster *cluster, const struct object_kind *kind)
{
	live_end(cluster->guard->live, kind->name);
	cluster->told[kind - object_kinds] = true;
	guard_changed(cluster->guard, false);
}

/* Mostly it is the whole server that is not reached: what holds for several kinds is said once. */
static void tell_trouble(struct cluster *cluster, struct trouble *trouble, const char *why)
{
	auto_arena struct arena arena = { 0 };
	const char *text = arena_printf(&arena, "the API server: %s", why);

	for (size_t i = 0; i < KINDS_MAX; i++) {
		const struct trouble *other = &cluster->troubles[i];

		if (other != trouble && other->n && streq(other->text, text) &&
		    clock_ms() < other->again_ms) {
			*trouble = *other;
			return;
		}
	}
	trouble_tell(trouble, text);
}

/* The same, when it is over. */
static void tell_well(struct cluster *cluster, const struct object_kind *kind)
{
	struct trouble *trouble = &cluster->troubles[kind - object_kinds];
	size_t left = 0, same = 0;

	trouble->n = 0;
	for (size_t i = 0; i < KINDS_MAX; i++) {
		const struct trouble *other = &cluster->troubles[i];

		left += other->n != 0;
		same += other->n && streq(other->text, trouble->text);
	}
	if (!same)
		log_info("the API server tells of %s again", left ? kind->plural : "everything");
}

static void hear_of_kind(struct cluster *cluster, const struct object_kind *kind,
			 const struct feed_message *message)
{
	switch (message->word) {
	case FEED_BEGIN: live_begin(cluster->guard->live, kind->name); break;
	case FEED_PUT: put_all(cluster, kind, message->objects); break;
	case FEED_END: end_list(cluster, kind); break;
	case FEED_REMOVE: remove_one(cluster, kind, message); break;
	case FEED_TROUBLE:
		tell_trouble(cluster, &cluster->troubles[kind - object_kinds],
			     message->why ? message->why : "no reason given");
		break;
	case FEED_WELL: tell_well(cluster, kind); break;
	default: break;
	}
	if (message->word != FEED_TROUBLE)
		cluster->heard_ms = clock_ms();
}

static int on_message(void *arg, const char *text, size_t size, struct error *err)
{
	struct cluster *cluster = arg;
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = NULL;
	struct feed_message message;
	int r = feed_parse(text, size, &arena, &json, &message, err);
	const struct object_kind *kind = r == 0 ? object_kind_find(message.kind) : NULL;

	if (r < 0)
		return r;
	cluster->gone.n = 0;
	if (kind && kind - object_kinds < KINDS_MAX)
		hear_of_kind(cluster, kind, &message);
	if (message.word == FEED_PONG && !cluster_trouble(cluster))
		cluster->heard_ms = clock_ms();
	return 0;
}

static void on_lost(void *arg, const char *why)
{
	struct cluster *cluster = arg;

	trouble_tell(&cluster->gone, why);
}

/* ---- for the guard ---- */

int cluster_open(struct cluster **cluster, struct guard *guard, struct error *err)
{
	const struct worker_program program = { run_store, (void *)guard->options->place };

	*cluster = xrealloc(NULL, sizeof(**cluster));
	**cluster = (struct cluster){ .guard = guard };
	return worker_open(
		&(*cluster)->worker, "cnibox-store", guard->loop, &program,
		&(struct worker_client){ .arg = *cluster, .message = on_message, .lost = on_lost },
		err);
}

void cluster_close(struct cluster *cluster)
{
	if (!cluster)
		return;
	worker_close(cluster->worker);
	free(cluster);
}

static void ask(struct cluster *cluster, enum feed_word word)
{
	auto_arena struct arena arena = { 0 };

	worker_send(cluster->worker,
		    feed_text(&(struct feed_message){ .word = (int)word }, &arena));
}

void cluster_ask_again(struct cluster *cluster)
{
	ask(cluster, FEED_AGAIN);
}

void cluster_ping(struct cluster *cluster)
{
	ask(cluster, FEED_PING);
}

bool cluster_synced(const struct cluster *cluster)
{
	for (const struct object_kind *kind = object_kinds; kind->name; kind++)
		if (!cluster->told[kind - object_kinds])
			return false;
	return true;
}

const char *cluster_trouble(const struct cluster *cluster)
{
	if (cluster->gone.n)
		return cluster->gone.text;
	for (size_t i = 0; i < KINDS_MAX; i++)
		if (cluster->troubles[i].n)
			return cluster->troubles[i].text;
	return NULL;
}

int64_t cluster_heard_ms(const struct cluster *cluster)
{
	return cluster->heard_ms;
}

unsigned cluster_restarts(const struct cluster *cluster)
{
	return worker_restarts(cluster->worker);
}
