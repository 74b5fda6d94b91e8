/*
 * The etcd engine: flannel's keys and values under the prefix. The first list reads everything, a watch keeps it up to date, and
 * the next list is a look at that: a cluster of thousands costs etcd one event per change and node. Everything is read anew after
 * a gap (compaction, no member reachable), and once in a while to be sure.
 */
#include "remote/etcd_cache.h"
#include "remote/etcd_watch.h"
#include "remote/engines.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum {
	PAGE = 1000,
	CHECK_MS = 45 * 60 * 1000, /* all nodes together: not at the same time */
	FRESH_MS = 500,
	SHORT_LIFE_MS = 1000, /* a stream that ends sooner is trouble */
};

#define CONFIG  "config"
#define SUBNETS "subnets/"

struct kv_etcd {
	struct kv kv;
	struct etcd etcd;
	struct etcd_watch watch;
	const char *prefix, *config, *first, *end; /* "/coreos.com/network/", its keys and range */
	struct etcd_cache cache;
	bool synced;
	bool again;    /* something has come that nobody waited for */
	uint64_t seen; /* the watch resumes here */
	int64_t read_ms, check_ms;
	int64_t own_lease; /* that this process attached last */
};

static struct kv_etcd *etcd_of(struct kv *kv)
{
	return (struct kv_etcd *)kv;
}

static const char *full_key(const struct kv_etcd *self, const char *key, struct arena *arena)
{
	return arena_printf(arena, "%s%s", self->prefix, key);
}

/* ---- what is there ---- */

/* From a list, a watch, or a change of our own. */
static bool apply(struct kv_etcd *self, const etcd_kvs_t *kvs, bool own)
{
	bool changed = false;

	list_each(kv, kvs)
		if (has_prefix(kv->key, self->prefix))
			changed |= etcd_cache_apply(&self->cache, kv->key + strlen(self->prefix),
						    kv, own);
	return changed;
}

/* Pages of one revision, the first of them with the configuration. */
static int read_all(struct kv_etcd *self, struct error *err)
{
	struct etcd_range config = { .key = self->config };
	struct etcd_range subnets = { .key = self->first, .end = self->end, .limit = PAGE };
	auto_arena struct arena key = { 0 };
	bool more = true;

	while (more) {
		auto_arena struct arena arena = { 0 };
		bool first = !subnets.revision;
		const char *body = first ? etcd_ranges_text(&config, &subnets, &arena)
					 : etcd_range_text(&subnets, &arena);
		struct etcd_reply reply;
		int r = etcd_call(&self->etcd, first ? "kv/txn" : "kv/range", body, &arena, &reply,
				  err);

		if (r < 0)
			return r;
		if (first)
			subnets.revision = self->seen = reply.revision;
		apply(self, &reply.kvs, false);
		more = reply.more && reply.kvs.n;
		/* The next key there can be: a byte more, the smallest that base64 of text can carry. */
		if (more)
			subnets.key =
				arena_printf(&key, "%s\1", reply.kvs.items[reply.kvs.n - 1].key);
	}
	return 0;
}

static void drain(struct kv_etcd *self);

/* What was read is good for as long as it is watched, and for the calls that come right after it. */
static bool is_fresh(struct kv_etcd *self)
{
	if (self->synced && self->watch.stream)
		drain(self);
	return self->synced && (self->watch.stream || clock_ms() - self->read_ms < FRESH_MS);
}

static int sync_with_etcd(struct kv_etcd *self, struct error *err)
{
	int r = -ERANGE;

	if (is_fresh(self))
		return 0;
	self->synced = false;
	/* A compaction between two pages: from the start. */
	for (int i = 0; i < 3 && r == -ERANGE; i++) {
		etcd_cache_free(&self->cache);
		r = read_all(self, err);
	}
	if (r < 0)
		return r;
	self->cache.revision = self->seen++;
	self->synced = self->again = true;
	self->read_ms = clock_ms();
	self->check_ms = clock_ms() + CHECK_MS + random() % CHECK_MS;
	return 0;
}

static struct kv_entry entry_of(const struct etcd_cached *cached, struct arena *arena)
{
	return (struct kv_entry){
		.key = arena_strdup(arena, cached->key),
		.value = arena_memdup(arena, cached->value, cached->size),
		.size = cached->size,
		.revision = cached->revision,
		.left_ms = cached->lease ? KV_LEFT_UNKNOWN : -1,
	};
}

/* Only for who wants to know: a call for each. */
static int ask_life(struct kv_etcd *self, int64_t lease, struct kv_entry *entry, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct etcd_reply reply;

	if (!self->kv.exact_life || !lease)
		return 0;
	if (etcd_call(&self->etcd, "lease/timetolive", etcd_id_text(lease, &arena), &arena, &reply,
		      err) < 0)
		return -err->errnum;
	entry->left_ms = reply.ttl > 0 ? reply.ttl * 1000 : 0;
	return 0;
}

/* The entry as it is by now; -ENOENT without text: there is none. */
static int look_up(struct kv_etcd *self, const char *key, const struct etcd_cached **cached,
		   struct error *err)
{
	int r = sync_with_etcd(self, err);

	*cached = r < 0 ? NULL : etcd_cache_find(&self->cache, key);
	return r < 0 ? r : *cached ? 0 : -ENOENT;
}

static int kv_etcd_get(struct kv *kv, const char *key, struct arena *arena, struct kv_entry *entry,
		       struct error *err)
{
	struct kv_etcd *self = etcd_of(kv);
	const struct etcd_cached *cached;
	int r = look_up(self, key, &cached, err);

	if (r == -ENOENT)
		return fail(err, ENOENT, "key %s of etcd %s (etcdctl put)",
			    full_key(self, key, arena),
			    http_host(self->etcd.urls.items[self->etcd.current], arena));
	if (r < 0)
		return r;
	*entry = entry_of(cached, arena);
	return ask_life(self, cached->lease, entry, err);
}

static int kv_etcd_list(struct kv *kv, const char *prefix, struct arena *arena,
			kv_entries_t *entries, struct error *err)
{
	struct kv_etcd *self = etcd_of(kv);

	if (sync_with_etcd(self, err) < 0)
		return -err->errnum;
	for (size_t i = 0; i < self->cache.n; i++) {
		const struct etcd_cached *cached = &self->cache.items[i];
		struct kv_entry *entry;

		if (!cached->value || !has_prefix(cached->key, prefix))
			continue;
		entry = list_add(arena, entries);
		*entry = entry_of(cached, arena);
		if (ask_life(self, cached->lease, entry, err) < 0)
			return -err->errnum;
	}
	return 0;
}

/* ---- changes ---- */

/* What became of the key: as we made it, or as somebody else did. */
static int change(struct kv_etcd *self, const char *key, uint64_t revision, const char *value,
		  int64_t lease, uint64_t *now, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct etcd_kv kv = { .key = full_key(self, key, &arena), .value = value, .lease = lease };
	struct etcd_reply reply;

	if (etcd_call(&self->etcd, "kv/txn",
		      etcd_change_text(kv.key, revision, value, lease, &arena), &arena, &reply,
		      err) < 0)
		return -err->errnum;
	*now = kv.revision = reply.revision;
	kv.size = value ? strlen(value) : 0;
	if (reply.succeeded) {
		etcd_cache_apply(&self->cache, key, &kv, true);
		return 0;
	}
	kv.value = NULL;
	if (!reply.kvs.n)
		etcd_cache_apply(&self->cache, key, &kv, true);
	apply(self, &reply.kvs, true);
	return reply.kvs.n ? -EEXIST : -ENOENT;
}

/* -ENOENT without text: there is no such lease any more, or it is shorter than wanted. */
static int keep_lease(struct kv_etcd *self, int64_t lease, int64_t ttl_ms, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct etcd_reply reply;

	if (etcd_call(&self->etcd, "lease/keepalive", etcd_id_text(lease, &arena), &arena, &reply,
		      err) < 0)
		return -err->errnum;
	return reply.ttl * 2000 >= ttl_ms ? 0 : -ENOENT;
}

/* Only ours: a lease of somebody else may have more keys. */
static void drop_lease(struct kv_etcd *self, int64_t lease)
{
	auto_arena struct arena arena = { 0 };
	struct etcd_reply reply;

	if (lease && etcd_call(&self->etcd, "lease/revoke", etcd_id_text(lease, &arena), &arena,
			       &reply, NULL) < 0)
		log_debug("etcd: a lease that nobody uses stays until it ends");
}

static int grant(struct kv_etcd *self, int64_t ttl_ms, int64_t *lease, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct etcd_reply reply;

	if (etcd_call(&self->etcd, "lease/grant", etcd_grant_text((ttl_ms + 999) / 1000, &arena),
		      &arena, &reply, err) < 0)
		return wrap(err, "get a lease from etcd");
	*lease = reply.id;
	return reply.id ? 0 : fail(err, EPROTO, "etcd: a lease without number");
}

/* The etcd lease for an entry: the one that it has, alive anew, or a new one, which is then *granted. */
static int lease_for(struct kv_etcd *self, const struct kv_put *put, int64_t *lease,
		     int64_t *granted, struct error *err)
{
	const struct etcd_cached *cached = etcd_cache_find(&self->cache, put->key);
	int r = -ENOENT;

	*lease = *granted = 0;
	if (!put->ttl_ms)
		return 0;
	if (put->when == KV_REVISION && cached && cached->lease) {
		*lease = cached->lease;
		r = keep_lease(self, *lease, put->ttl_ms, err);
	}
	if (r != -ENOENT)
		return r;
	r = grant(self, put->ttl_ms, granted, err);
	*lease = *granted;
	return r;
}

static int kv_etcd_put(struct kv *kv, const struct kv_put *put, uint64_t *revision,
		       struct error *err)
{
	struct kv_etcd *self = etcd_of(kv);
	int64_t lease, granted;
	int r = lease_for(self, put, &lease, &granted, err);

	if (r < 0)
		return r;
	r = change(self, put->key, put->when == KV_REVISION ? put->revision : 0, put->value, lease,
		   revision, err);
	if (r == -EEXIST || r == -ENOENT) {
		/* Not for lack of an answer: nothing hangs on it. */
		if (!err || !err->errnum)
			drop_lease(self, granted);
		return err && err->errnum ? r : -EEXIST;
	}
	if (r == 0)
		self->own_lease = lease;
	return r;
}

static int kv_etcd_del(struct kv *kv, const char *key, uint64_t revision, struct error *err)
{
	struct kv_etcd *self = etcd_of(kv);
	const struct etcd_cached *cached = etcd_cache_find(&self->cache, key);
	int64_t lease = cached ? cached->lease : 0;
	uint64_t now;
	int r = change(self, key, revision, NULL, 0, &now, err);

	if (r == 0 && lease == self->own_lease)
		drop_lease(self, lease);
	return r;
}

static int kv_etcd_keep(struct kv *kv, const char *key, int64_t ttl_ms, struct error *err)
{
	struct kv_etcd *self = etcd_of(kv);
	const struct etcd_cached *cached;
	int r = look_up(self, key, &cached, err);

	if (r < 0)
		return r;
	return cached->lease ? keep_lease(self, cached->lease, ttl_ms, err) : 0;
}

/* ---- changes of others ---- */

/* An etcd that was made anew from a backup has revisions of before: a watch of it would be silent until there are as many again.
 * A member alone may just be behind the others, so all of them are asked. */
static int check_revision(struct kv_etcd *self, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const struct etcd_range range = { .key = self->config, .count_only = true };
	struct etcd_reply reply = { 0 };
	int r;

	if (self->watch.revision + 1 >= self->seen)
		return 0;
	r = etcd_call(&self->etcd, "kv/range", etcd_range_text(&range, &arena), &arena, &reply,
		      err);
	if (r < 0 || reply.revision + 1 >= self->seen)
		return r;
	return fail(err, ERANGE, "etcd's revisions have gone back");
}

static int open_watch(struct kv_etcd *self, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct etcd_range range = { .key = self->first, .end = self->end };
	int r = etcd_watch_open(&self->watch, &self->etcd,
				etcd_watch_text(self->config, &range, self->seen, &arena), err);

	if (r == 0)
		r = check_revision(self, err);
	if (r < 0)
		etcd_watch_close(&self->watch);
	return r;
}

/* 1 = something has changed; else as etcd_watch_next(). */
static int next_event(struct kv_etcd *self, int fd, int timeout_ms, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct etcd_event event = { 0 };
	int r = etcd_watch_next(&self->watch, &self->etcd, self->config, fd, timeout_ms, &arena,
				&event, err);

	if (r != 1)
		return r;
	list_each(kv, &event.kvs)
		if (kv->revision > self->seen)
			self->seen = kv->revision;
	return apply(self, &event.kvs, false) ? 1 : 3;
}

/* Is it worth another stream at once? */
static bool may_resume(const struct kv_etcd *self)
{
	return clock_ms() - self->watch.opened_ms >= SHORT_LIFE_MS;
}

static int milliseconds(int64_t until)
{
	int64_t left = until - clock_ms();

	return left < 0 ? 0 : left > 1 << 30 ? 1 << 30 : (int)left;
}

/* What comes together is one change. */
static void drain(struct kv_etcd *self)
{
	int r;

	while (self->watch.stream && (r = next_event(self, -1, 0, NULL)) % 2 == 1)
		self->again |= r == 1;
}

static int wait_for_change(struct kv_etcd *self, int fd, int64_t deadline, struct error *err)
{
	for (;;) {
		int64_t until = self->check_ms < deadline ? self->check_ms : deadline;
		int r = self->watch.stream ? 0 : open_watch(self, err);

		if (r == 0)
			r = next_event(self, fd, milliseconds(until), err);
		if (r == 1) {
			drain(self);
			self->again = false;
		}
		if (r == 1 || r == 2)
			return r;
		if (r < 0 && (r == -ERANGE || !self->watch.opened_ms || !may_resume(self)))
			return r;
		if (r < 0 && err)
			log_debug("etcd: %s; the watch goes on elsewhere", err->message);
		if (r < 0 && err)
			*err = (struct error){ 0 };
		if (r == 0 && clock_ms() >= self->check_ms)
			return -ERANGE;
		if (r == 0 && clock_ms() >= deadline)
			return 0;
	}
}

static int kv_etcd_wait(struct kv *kv, int fd, int timeout_ms, struct error *err)
{
	struct kv_etcd *self = etcd_of(kv);
	int64_t deadline = timeout_ms < 0 ? INT64_MAX : clock_ms() + timeout_ms;
	struct error why = { 0 };
	int r;

	/* What came with a call in between counts, too. */
	if (!self->synced || self->again) {
		self->again = false;
		return 1;
	}
	r = wait_for_change(self, fd, deadline, &why);
	if (r >= 0)
		return r;
	self->synced = false;
	etcd_watch_close(&self->watch);
	/* A gap, or time for a look at everything: nothing that is wrong. */
	if (r == -ERANGE)
		return 1;
	if (err)
		*err = why;
	return r;
}

static void kv_etcd_close(struct kv *kv)
{
	struct kv_etcd *self = etcd_of(kv);

	etcd_watch_close(&self->watch);
	etcd_cache_free(&self->cache);
	etcd_close(&self->etcd);
	free(self);
}

static const struct kv_engine engine = {
	.get = kv_etcd_get,
	.list = kv_etcd_list,
	.put = kv_etcd_put,
	.del = kv_etcd_del,
	.keep = kv_etcd_keep,
	.wait = kv_etcd_wait,
	.close = kv_etcd_close,
};

/* As flannel joins keys: the prefix as it was given, with one slash wherever there are some, and one behind it. */
static const char *joined(const char *prefix, struct arena *arena)
{
	char *text = arena_printf(arena, "%s/", prefix), *end = text;

	for (const char *p = *prefix ? text : text + 1; *p; p++)
		if (*p != '/' || end == text || end[-1] != '/')
			*end++ = *p;
	*end = '\0';
	return text;
}

static void set_keys(struct kv_etcd *self, const char *prefix)
{
	struct arena *arena = &self->etcd.arena;

	self->prefix = joined(prefix, arena);
	self->config = arena_printf(arena, "%s" CONFIG, self->prefix);
	self->first = arena_printf(arena, "%s" SUBNETS, self->prefix);
	self->end = arena_printf(arena, "%ssubnets0", self->prefix);
}

int kv_etcd_open(struct kv **kv, const struct lease_place *place, struct error *err)
{
	struct kv_etcd *self = xrealloc(NULL, sizeof(*self));
	int r;

	*self = (struct kv_etcd){ .kv = { .engine = &engine } };
	*kv = &self->kv;
	srandom((unsigned)(clock_ms() ^ getpid()));
	r = etcd_open(&self->etcd, place, err);
	if (r < 0)
		kv_closep(kv);
	else
		set_keys(self, place->etcd_prefix);
	return r;
}
