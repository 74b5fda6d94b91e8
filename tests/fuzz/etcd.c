/*
 * What etcd answers, what its watch tells, and what a tool is told by its store's process: whatever comes is either read or
 * refused with a word. What is read goes into the cache, which stays in order.
 *
 * Input: "reply", "watch" or "tool" on a line; the text, for a watch of several lines.
 */
#include "fuzz.h"

#include "lease/kv_remote.h"
#include "lease/subnet.h"
#include "remote/etcd_cache.h"

static void check_cache(const struct etcd_cache *cache)
{
	for (size_t i = 0; i < cache->n; i++) {
		fuzz_check(!i || strcmp(cache->items[i - 1].key, cache->items[i].key) < 0,
			   "out of order at %zu", i);
		fuzz_check(!cache->items[i].value ||
				   etcd_cache_find(cache, cache->items[i].key) == &cache->items[i],
			   "%s is not found", cache->items[i].key);
	}
}

static void keep(struct etcd_cache *cache, const etcd_kvs_t *kvs, struct arena *arena)
{
	list_each(kv, kvs) {
		struct subnet_lease lease = { 0 };

		fuzz_check(*kv->key, "an empty key");
		if (kv->value && subnet_key_parse(kv->key, &lease) == 0)
			(void)!subnet_value_parse(kv->value, kv->size, arena, &lease, NULL);
		etcd_cache_apply(cache, kv->key, kv, kv->revision % 2);
	}
	check_cache(cache);
}

static void read_watch(char *text, struct etcd_cache *cache, struct arena *arena)
{
	for (unsigned i = 0; *text && i < 64; i++) {
		const char *line = fuzz_line(&text);
		struct etcd_event event;
		struct error err = { 0 };

		if (etcd_event_parse(line, strlen(line), arena, &event, &err) < 0)
			fuzz_check(*err.message, "no word about what is wrong");
		else
			keep(cache, &event.kvs, arena);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size, *kind = fuzz_line(&text);
	struct etcd_cache cache = { 0 };
	struct etcd_reply reply;
	struct kv_remote_message message;
	struct error err = { 0 };

	if (streq(kind, "watch"))
		read_watch(text, &cache, &arena);
	else if (streq(kind, "tool") &&
		 kv_remote_parse(text, (size_t)(end - text), &arena, &message, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	else if (streq(kind, "reply") &&
		 etcd_reply_parse(text, (size_t)(end - text), &arena, &reply, &err) == 0)
		keep(&cache, &reply.kvs, &arena);
	etcd_cache_free(&cache);
	return 0;
}
