/* Messages, and the tool's end; the store's is at the bottom. */
#include "lease/kv_remote.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

#include "base/text.h"
#include "describe/json.h"
#include "lease/store.h"

/* ---- messages ---- */

static const char *const verbs[] = { "nothing", "get", "list", "put", "del", "wait", NULL };

#define ENTRY(member)   offsetof(struct kv_remote_entry, member)
#define MESSAGE(member) offsetof(struct kv_remote_message, member)

static const struct field entry_fields[] = { { "key", FIELD_STRING, ENTRY(key) },
					     { "value", FIELD_STRING, ENTRY(value) },
					     { "revision", FIELD_UINT64, ENTRY(revision) },
					     { "leftMs", FIELD_INT64, ENTRY(left_ms) },
					     FIELDS_END };

static const struct field fields[] = {
	{ "verb", FIELD_ENUM, MESSAGE(verb), .names = verbs },
	{ "entry", FIELD_OBJECT, MESSAGE(entry), .fields = entry_fields },
	{ "absent", FIELD_BOOL, MESSAGE(absent) },
	{ "exactLife", FIELD_BOOL, MESSAGE(exact_life) },
	{ "timeoutMs", FIELD_INT64, MESSAGE(timeout_ms) },
	{ "result", FIELD_INT64, MESSAGE(result) },
	{ "error", FIELD_STRING, MESSAGE(error) },
	{ "entries", FIELD_LIST, MESSAGE(entries), .element = FIELD_OBJECT,
	  .size = sizeof(struct kv_remote_entry), .fields = entry_fields },
	FIELDS_END
};

const char *kv_remote_text(const struct kv_remote_message *message, struct arena *arena)
{
	auto_json struct json *json = json_encode(fields, message);

	return json_text(json, JSON_STYLE_COMPACT, arena);
}

int kv_remote_parse(const char *text, size_t size, struct arena *arena,
		    struct kv_remote_message *message, struct error *err)
{
	auto_json struct json *json = json_parse(text, size, err);

	*message = (struct kv_remote_message){ 0 };
	return json ? json_decode(json, fields, message, arena, err) : -err->errnum;
}

/* Values are anybody's bytes: JSON would not carry all of them. */
static struct kv_remote_entry packed(const struct kv_entry *entry, struct arena *arena)
{
	return (struct kv_remote_entry){
		.key = entry->key,
		.value = base64_encode(arena, entry->value, entry->size),
		.revision = entry->revision,
		.left_ms = entry->left_ms,
	};
}

static int unpack(const struct kv_remote_entry *packed, struct arena *arena, struct kv_entry *entry,
		  struct error *err)
{
	*entry = (struct kv_entry){
		.key = packed->key ? packed->key : "",
		.revision = packed->revision,
		.left_ms = packed->left_ms,
	};
	entry->value = base64_decode(arena, packed->value ? packed->value : "", &entry->size);
	return entry->value ? 0 : fail(err, EPROTO, "a value from the store that cannot be read");
}

static int receive(int fd, struct arena *arena, struct kv_remote_message *message,
		   struct error *err)
{
	char *text;
	size_t size;
	int r = frame_receive(fd, arena, &text, &size, err);

	if (r < 0)
		return r;
	if (!text)
		return fail(err, EPIPE, "the store's process has ended");
	return kv_remote_parse(text, size, arena, message, err);
}

static int send_message(int fd, const struct kv_remote_message *message, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	int r = frame_send(fd, kv_remote_text(message, &arena));

	return r < 0 ? fail_errno(err, -r, "write to the store's socket") : 0;
}

/* ---- the tool's end ---- */

struct kv_remote {
	struct kv kv;
	int fd, pid;
};

static struct kv_remote *remote_of(struct kv *kv)
{
	return (struct kv_remote *)kv;
}

static int take_answer(struct kv_remote *remote, struct arena *arena,
		       struct kv_remote_message *answer, struct error *err)
{
	struct error why = { 0 };
	int r = receive(remote->fd, arena, answer, &why);

	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}
	if (answer->result < 0 && answer->error && *answer->error)
		fail(err, (int)-answer->result, "%s", answer->error);
	return (int)answer->result;
}

static int call(struct kv *kv, struct kv_remote_message *question, struct arena *arena,
		struct kv_remote_message *answer, struct error *err)
{
	question->exact_life = kv->exact_life;
	if (send_message(remote_of(kv)->fd, question, err) < 0)
		return -EPIPE;
	return take_answer(remote_of(kv), arena, answer, err);
}

static int kv_remote_get(struct kv *kv, const char *key, struct arena *arena,
			 struct kv_entry *entry, struct error *err)
{
	struct kv_remote_message question = { .verb = KV_REMOTE_GET, .entry = { .key = key } };
	struct kv_remote_message answer = { 0 };
	int r = call(kv, &question, arena, &answer, err);

	return r < 0 ? r : unpack(&answer.entry, arena, entry, err);
}

static int kv_remote_list(struct kv *kv, const char *prefix, struct arena *arena,
			  kv_entries_t *entries, struct error *err)
{
	struct kv_remote_message question = { .verb = KV_REMOTE_LIST, .entry = { .key = prefix } };
	struct kv_remote_message answer = { 0 };
	int r = call(kv, &question, arena, &answer, err);

	if (r < 0)
		return r;
	list_each(entry, &answer.entries)
		if (unpack(entry, arena, list_add(arena, entries), err) < 0)
			return -EPROTO;
	return 0;
}

static int kv_remote_put(struct kv *kv, const struct kv_put *put, uint64_t *revision,
			 struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kv_entry entry = { .key = put->key,
				  .value = put->value,
				  .size = strlen(put->value),
				  .revision = put->revision,
				  .left_ms = put->ttl_ms };
	struct kv_remote_message question = { .verb = KV_REMOTE_PUT,
					      .entry = packed(&entry, &arena),
					      .absent = put->when == KV_ABSENT };
	struct kv_remote_message answer = { 0 };
	int r = call(kv, &question, &arena, &answer, err);

	*revision = answer.entry.revision;
	return r;
}

static int kv_remote_del(struct kv *kv, const char *key, uint64_t revision, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kv_remote_message question = { .verb = KV_REMOTE_DEL,
					      .entry = { .key = key, .revision = revision } };
	struct kv_remote_message answer = { 0 };

	return call(kv, &question, &arena, &answer, err);
}

/* A pending wait is ended by another request; a change that it saw nevertheless is not lost. */
static int kv_remote_wait(struct kv *kv, int fd, int timeout_ms, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kv_remote_message question = { .verb = KV_REMOTE_WAIT, .timeout_ms = timeout_ms };
	struct kv_remote_message answer = { 0 }, nothing = { .verb = KV_REMOTE_NOTHING };
	struct kv_remote *remote = remote_of(kv);
	struct pollfd fds[] = { { remote->fd, POLLIN, 0 }, { fd, POLLIN, 0 } };
	int r;

	if (send_message(remote->fd, &question, err) < 0)
		return -EPIPE;
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (fds[0].revents)
		return take_answer(remote, &arena, &answer, err);
	if (send_message(remote->fd, &nothing, err) < 0)
		return -EPIPE;
	r = take_answer(remote, &arena, &answer, err);
	return take_answer(remote, &arena, &answer, NULL) < 0 ? -EPIPE : r;
}

static void kv_remote_close(struct kv *kv)
{
	struct kv_remote *remote = remote_of(kv);

	close(remote->fd);
	if (remote->pid > 0)
		waitpid(remote->pid, NULL, 0);
	free(remote);
}

static const struct kv_engine engine = {
	.get = kv_remote_get,
	.list = kv_remote_list,
	.put = kv_remote_put,
	.del = kv_remote_del,
	.wait = kv_remote_wait,
	.close = kv_remote_close,
};

int kv_remote_open(struct kv **kv, int fd, int pid, struct error *err)
{
	struct kv_remote *remote = xrealloc(NULL, sizeof(*remote));

	(void)err;
	*remote = (struct kv_remote){ .kv = { .engine = &engine }, .fd = fd, .pid = pid };
	*kv = &remote->kv;
	return 0;
}

/* ---- the store's end ---- */

static int do_put(struct kv *kv, const struct kv_remote_message *question, struct arena *arena,
		  struct kv_remote_message *answer, struct error *err)
{
	struct kv_entry entry;

	if (unpack(&question->entry, arena, &entry, err) < 0)
		return -err->errnum;
	return kv->engine->put(kv,
			       &(struct kv_put){ .key = entry.key,
						 .value = entry.value,
						 .when = question->absent ? KV_ABSENT : KV_REVISION,
						 .revision = entry.revision,
						 .ttl_ms = entry.left_ms },
			       &answer->entry.revision, err);
}

static int do_get(struct kv *kv, const char *key, struct arena *arena,
		  struct kv_remote_message *answer, struct error *err)
{
	struct kv_entry entry;
	int r = kv->engine->get(kv, key, arena, &entry, err);

	if (r == 0)
		answer->entry = packed(&entry, arena);
	return r;
}

static int do_list(struct kv *kv, const char *prefix, struct arena *arena,
		   struct kv_remote_message *answer, struct error *err)
{
	kv_entries_t entries = { 0 };
	int r = kv->engine->list(kv, prefix, arena, &entries, err);

	list_each(entry, &entries)
		*list_add(arena, &answer->entries) = packed(entry, arena);
	return r;
}

static int perform(struct kv *kv, int fd, const struct kv_remote_message *question,
		   struct arena *arena, struct kv_remote_message *answer, struct error *err)
{
	const char *key = question->entry.key ? question->entry.key : "";

	kv->exact_life = question->exact_life;
	switch (question->verb) {
	case KV_REMOTE_GET: return do_get(kv, key, arena, answer, err);
	case KV_REMOTE_LIST: return do_list(kv, key, arena, answer, err);
	case KV_REMOTE_PUT: return do_put(kv, question, arena, answer, err);
	case KV_REMOTE_DEL: return kv->engine->del(kv, key, question->entry.revision, err);
	case KV_REMOTE_WAIT: return kv->engine->wait(kv, fd, (int)question->timeout_ms, err);
	default: return 0;
	}
}

int kv_remote_serve(struct kv *kv, int fd, const struct error *why, struct error *err)
{
	for (;;) {
		auto_arena struct arena arena = { 0 };
		struct kv_remote_message question = { 0 }, answer = { 0 };
		struct error fault = why ? *why : (struct error){ 0 };

		if (receive(fd, &arena, &question, err) < 0)
			break;
		answer.result =
			kv ? perform(kv, fd, &question, &arena, &answer, &fault) : -fault.errnum;
		answer.error = fault.message;
		if (send_message(fd, &answer, err) < 0)
			break;
	}
	if (err->errnum != EPIPE)
		return -err->errnum;
	*err = (struct error){ 0 };
	return 0;
}
