/* Requests are made as text, replies are read by member: both are small and fixed. */
#include "remote/etcd_json.h"

#include <errno.h>
#include <inttypes.h>

#include "base/text.h"
#include "describe/json.h"

/* ---- replies ---- */

static int64_t number_of(const struct json *object, const char *name)
{
	const struct json *json = json_member(object, name);
	const char *text = json_string(json);
	int64_t value = 0;

	if (text)
		return strtoll(text, NULL, 10);
	return json_int(json, &value) ? value : 0;
}

static const char *text_of(const struct json *object, const char *name, struct arena *arena)
{
	return arena_strdup(arena, json_string(json_member(object, name)));
}

/* A missing value is an empty one. */
static char *bytes_of(const struct json *object, const char *name, struct arena *arena,
		      size_t *size)
{
	const char *text = json_string(json_member(object, name));

	*size = 0;
	return text ? base64_decode(arena, text, size) : arena_strdup(arena, "");
}

static int read_kv(const struct json *json, bool deleted, struct arena *arena, etcd_kvs_t *kvs,
		   struct error *err)
{
	size_t key_size, size;
	char *key = bytes_of(json, "key", arena, &key_size);
	char *value = bytes_of(json, "value", arena, &size);

	if (!key || !value || !key_size)
		return fail(err, EPROTO, "etcd: an entry that cannot be read");
	for (size_t i = 0; i < key_size; i++)
		if ((unsigned char)key[i] < ' ' || key[i] == 0x7f)
			key[i] = '?';
	*list_add(arena, kvs) = (struct etcd_kv){
		.key = key,
		.value = deleted ? NULL : value,
		.size = deleted ? 0 : size,
		.revision = (uint64_t)number_of(json, "mod_revision"),
		.lease = number_of(json, "lease"),
	};
	return 0;
}

static int read_range(const struct json *json, struct arena *arena, struct etcd_reply *reply,
		      struct error *err)
{
	const struct json *kvs = json_member(json, "kvs");

	reply->more |= json_true(json_member(json, "more"));
	for (size_t i = 0; i < json_length(kvs); i++)
		if (read_kv(json_item(kvs, i), false, arena, &reply->kvs, err) < 0)
			return -err->errnum;
	return 0;
}

static int read_ranges(const struct json *json, struct arena *arena, struct etcd_reply *reply,
		       struct error *err)
{
	const struct json *responses = json_member(json, "responses");
	int r = read_range(json, arena, reply, err);

	for (size_t i = 0; r == 0 && i < json_length(responses); i++)
		r = read_range(json_member(json_item(responses, i), "response_range"), arena, reply,
			       err);
	return r;
}

int etcd_reply_parse(const char *text, size_t size, struct arena *arena, struct etcd_reply *reply,
		     struct error *err)
{
	auto_json struct json *json = json_parse(text, size, NULL);
	const struct json *body = json_member(json, "result"); /* of a lease that is kept alive */

	*reply = (struct etcd_reply){ 0 };
	if (!json_is_object(json))
		return fail(err, EPROTO, "this is no answer of etcd");
	if (!body)
		body = json;
	reply->revision = (uint64_t)number_of(json_member(body, "header"), "revision");
	reply->succeeded = json_true(json_member(body, "succeeded"));
	reply->id = number_of(body, "ID");
	reply->ttl = number_of(body, "TTL");
	reply->token = text_of(body, "token", arena);
	reply->code = (int)number_of(json, "code");
	reply->message = text_of(json, "message", arena);
	if (!reply->message)
		reply->message = text_of(json, "error", arena);
	return read_ranges(body, arena, reply, err);
}

int etcd_event_parse(const char *text, size_t size, struct arena *arena, struct etcd_event *event,
		     struct error *err)
{
	auto_json struct json *json = json_parse(text, size, NULL);
	const struct json *result = json_member(json, "result"),
			  *error = json_member(json, "error");
	const struct json *events = json_member(result, "events");

	*event = (struct etcd_event){ 0 };
	if (!json_is_object(result) && !json_is_object(error))
		return fail(err, EPROTO, "etcd: a watch says what cannot be read");
	event->revision = (uint64_t)number_of(json_member(result, "header"), "revision");
	event->created = json_true(json_member(result, "created"));
	event->canceled = json_true(json_member(result, "canceled"));
	event->compacted = number_of(result, "compact_revision") != 0;
	event->reason = text_of(result, "cancel_reason", arena);
	if (error) {
		event->code = (int)number_of(error, "grpc_code");
		event->code += !event->code;
		event->reason = text_of(error, "message", arena);
	}
	for (size_t i = 0; i < json_length(events); i++) {
		const struct json *item = json_item(events, i);
		const char *type = json_string(json_member(item, "type"));

		if (read_kv(json_member(item, "kv"), type && streq(type, "DELETE"), arena,
			    &event->kvs, err) < 0)
			return -err->errnum;
	}
	return 0;
}

/* ---- requests ---- */

static const char *base64(const char *text, struct arena *arena)
{
	return base64_encode(arena, text, strlen(text));
}

const char *etcd_range_text(const struct etcd_range *range, struct arena *arena)
{
	const char *end = "", *limit = "", *revision = "";

	if (range->end)
		end = arena_printf(arena, ",\"range_end\":\"%s\"", base64(range->end, arena));
	if (range->limit)
		limit = arena_printf(arena, ",\"limit\":\"%u\"", range->limit);
	if (range->revision)
		revision = arena_printf(arena, ",\"revision\":\"%" PRIu64 "\"", range->revision);
	return arena_printf(arena, "{\"key\":\"%s\"%s%s%s%s%s}", base64(range->key, arena), end,
			    limit, revision, range->serializable ? ",\"serializable\":true" : "",
			    range->count_only ? ",\"count_only\":true" : "");
}

const char *etcd_ranges_text(const struct etcd_range *a, const struct etcd_range *b,
			     struct arena *arena)
{
	return arena_printf(arena, "{\"success\":[{\"request_range\":%s},{\"request_range\":%s}]}",
			    etcd_range_text(a, arena), etcd_range_text(b, arena));
}

const char *etcd_change_text(const char *key, uint64_t revision, const char *value, int64_t lease,
			     struct arena *arena)
{
	const char *key64 = base64(key, arena), *change;

	if (value)
		change = arena_printf(
			arena,
			"\"request_put\":{\"key\":\"%s\",\"value\":\"%s\",\"lease\":\"%" PRId64
			"\"}",
			key64, base64(value, arena), lease);
	else
		change = arena_printf(arena, "\"request_delete_range\":{\"key\":\"%s\"}", key64);
	return arena_printf(arena,
			    "{\"compare\":[{\"key\":\"%s\",\"target\":\"MOD\",\"result\":\"EQUAL\","
			    "\"mod_revision\":\"%" PRIu64 "\"}],\"success\":[{%s}],"
			    "\"failure\":[{\"request_range\":{\"key\":\"%s\"}}]}",
			    key64, revision, change, key64);
}

const char *etcd_grant_text(int64_t ttl_s, struct arena *arena)
{
	return arena_printf(arena, "{\"TTL\":\"%" PRId64 "\"}", ttl_s);
}

const char *etcd_id_text(int64_t id, struct arena *arena)
{
	return arena_printf(arena, "{\"ID\":\"%" PRId64 "\"}", id);
}

const char *etcd_login_text(const char *name, const char *password, struct arena *arena)
{
	auto_json struct json *json = json_new_object();

	json_set(json, "name", json_new_string(name));
	json_set(json, "password", json_new_string(password ? password : ""));
	return json_text(json, JSON_STYLE_COMPACT, arena);
}

const char *etcd_watch_text(const char *key, const struct etcd_range *range, uint64_t revision,
			    struct arena *arena)
{
	return arena_printf(arena,
			    "{\"create_request\":{\"key\":\"%s\",\"start_revision\":\"%" PRIu64
			    "\",\"watch_id\":\"1\"}}\n"
			    "{\"create_request\":{\"key\":\"%s\",\"range_end\":\"%s\","
			    "\"start_revision\":\"%" PRIu64 "\",\"watch_id\":\"2\"}}\n",
			    base64(key, arena), revision, base64(range->key, arena),
			    base64(range->end, arena), revision);
}
