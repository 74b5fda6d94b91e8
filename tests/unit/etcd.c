/* What is said to etcd and what it answers, and the copy of it that a watch keeps. */
#include "unit.h"

#include "base/text.h"
#include "lease/kv_remote.h"
#include "remote/etcd_cache.h"
#include "remote/http.h"

#include <errno.h>

static struct arena arena;
static struct error err;

static struct etcd_reply reply_of(const char *text)
{
	struct etcd_reply reply = { 0 };

	check_ok(etcd_reply_parse(text, strlen(text), &arena, &reply, &err), err);
	return reply;
}

static struct etcd_event event_of(const char *text)
{
	struct etcd_event event = { 0 };

	check_ok(etcd_event_parse(text, strlen(text), &arena, &event, &err), err);
	return event;
}

/* As etcd 3.4.23 answered. */
TEST(etcd_replies)
{
	struct etcd_reply reply = reply_of(
		"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"9007199254740993\"},\"succeeded\":true,\"responses\":["
		"{\"response_range\":{\"header\":{},\"kvs\":[{\"key\":\"L24vY29uZmln\",\"mod_revision\":\"2\",\"value\":\"e30=\"}],\"count\":\"1\"}},"
		"{\"response_range\":{\"more\":true,\"kvs\":[{\"key\":\"L24vc3VibmV0cy8x\",\"mod_revision\":\"4\","
		"\"value\":\"eA==\",\"lease\":\"6834109186020068876\"},{\"key\":\"AAk=\",\"mod_revision\":\"5\"}]}}]}");

	check(reply.revision == 9007199254740993);
	check(reply.succeeded && reply.more && reply.kvs.n == 3 && !reply.code);
	check_str(reply.kvs.items[0].key, "/n/config");
	check_str(reply.kvs.items[0].value, "{}");
	check(reply.kvs.items[1].lease == 6834109186020068876);
	check_str(reply.kvs.items[2].key, "??"); /* no key of ours has control characters */
	check_str(reply.kvs.items[2].value, "");
	reply = reply_of("{\"result\":{\"header\":{},\"ID\":\"7\",\"TTL\":\"30\"}}\n");
	check(reply.id == 7 && reply.ttl == 30);
	reply = reply_of("{\"error\":\"a\",\"message\":\"b\",\"code\":16}");
	check_int(reply.code, 16);
	check_str(reply.message, "b");
	check_fails(etcd_reply_parse("<html>", 6, &arena, &reply, &err), err,
		    "this is no answer of etcd");
	check_fails(etcd_reply_parse("{\"kvs\":[{\"key\":\"*\"}]}", 21, &arena, &reply, &err), err,
		    "etcd: an entry that cannot be read");
	arena_free(&arena);
}

TEST(etcd_events)
{
	struct etcd_event event = event_of(
		"{\"result\":{\"header\":{\"revision\":\"3\"},\"events\":[{\"kv\":{\"key\":\"YQ==\",\"mod_revision\":\"3\","
		"\"value\":\"Yg==\"}},{\"type\":\"DELETE\",\"kv\":{\"key\":\"Yw==\",\"mod_revision\":\"3\"}}]}}");

	check(event.kvs.n == 2 && !event.canceled && event.revision == 3);
	check_str(event.kvs.items[0].value, "b");
	check_str(event.kvs.items[1].key, "c");
	check(event.kvs.items[1].value == NULL);
	check(event_of("{\"result\":{\"header\":{},\"created\":true,\"watch_id\":\"2\"}}").created);
	event = event_of("{\"result\":{\"canceled\":true,\"compact_revision\":\"11\"}}");
	check(event.canceled && event.compacted);
	event = event_of(
		"{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"transport is closing\"}}");
	check_int(event.code, 14);
	check_str(event.reason, "transport is closing");
	check(etcd_event_parse("{}", 2, &arena, &event, &err) == -EPROTO);
	arena_free(&arena);
}

TEST(etcd_requests)
{
	const struct etcd_range all = { "/n/subnets/", "/n/subnets0", 500, 7, false, false };

	check_str(
		etcd_range_text(&all, &arena),
		"{\"key\":\"L24vc3VibmV0cy8=\",\"range_end\":\"L24vc3VibmV0czA=\",\"limit\":\"500\",\"revision\":\"7\"}");
	check_str(
		etcd_change_text("k", 9, "v", 5, &arena),
		"{\"compare\":[{\"key\":\"aw==\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"9\"}],"
		"\"success\":[{\"request_put\":{\"key\":\"aw==\",\"value\":\"dg==\",\"lease\":\"5\"}}],"
		"\"failure\":[{\"request_range\":{\"key\":\"aw==\"}}]}");
	check(strstr(etcd_change_text("k", 9, NULL, 0, &arena), "request_delete_range") != NULL);
	check_str(etcd_login_text("a\"b", NULL, &arena), "{\"name\":\"a\\\"b\",\"password\":\"\"}");
	check_str(etcd_id_text(-1, &arena), "{\"ID\":\"-1\"}");
	arena_free(&arena);
}

static bool put(struct etcd_cache *cache, const char *key, const char *value, uint64_t revision,
		bool own)
{
	const struct etcd_kv kv = { .value = value,
				    .size = value ? strlen(value) : 0,
				    .revision = revision };

	return etcd_cache_apply(cache, key, &kv, own);
}

static const char *value_of(const struct etcd_cache *cache, const char *key)
{
	const struct etcd_cached *cached = etcd_cache_find(cache, key);

	return cached ? cached->value : "(none)";
}

TEST(etcd_cache_follows)
{
	struct etcd_cache cache = { 0 };

	check(put(&cache, "b", "1", 5, false) && put(&cache, "c", "1", 6, false) &&
	      put(&cache, "a", "1", 7, false));
	check_str(cache.items[0].key, "a");
	check_str(cache.items[2].key, "c");
	cache.revision = 7;
	check(!put(&cache, "b", "old", 4, false)); /* from before the list */
	check(!put(&cache, "d", "old", 7, false));
	check(put(&cache, "b", "own", 9, true));
	check(!put(&cache, "b", "late", 8, false)); /* what a watch tells of before that */
	check(!put(&cache, "b", "own", 9, false));  /* and of that */
	check_str(value_of(&cache, "b"), "own");
	check(put(&cache, "b", NULL, 10, true));
	check_str(value_of(&cache, "b"), "(none)");
	check(!put(&cache, "b", "late", 8, false));
	check(!put(&cache, "b", NULL, 10, false));
	check_int(cache.n, 2);
	check(put(&cache, "a", NULL, 11, false) && !put(&cache, "x", NULL, 12, false));
	check_int(cache.n, 1);
	etcd_cache_free(&cache);
}

TEST(kv_remote_messages)
{
	struct kv_remote_message message = { .verb = KV_REMOTE_PUT,
					     .entry = { "k", "dg==", 1ULL << 60, -1 },
					     .absent = true };
	const char *text = kv_remote_text(&message, &arena);

	check_ok(kv_remote_parse(text, strlen(text), &arena, &message, &err), err);
	check(message.verb == KV_REMOTE_PUT && message.absent && message.entry.left_ms == -1 &&
	      message.entry.revision == 1ULL << 60);
	check_str(message.entry.value, "dg==");
	check(kv_remote_parse("{\"verb\":\"dance\"}", 16, &arena, &message, &err) < 0);
	arena_free(&arena);
}

TEST(a_shown_url_has_no_password)
{
	check_str(http_host("https://etcd.test:2379/v3/kv/range", &arena), "etcd.test:2379");
	check_str(http_host("etcd.test", &arena), "etcd.test");
	check_str(http_host("http://root:word@[fd00::1]:2379/x?y", &arena), "[fd00::1]:2379");
	check_str(http_host("http://root:wo/rd@etcd.test:2379/x", &arena), "etcd.test:2379");
	check_str(http_host("http://root:w@r/d?#@etcd.test", &arena), "etcd.test");
}
