/* The gate's messages, and the end of who asks. */
#include "policy/gate.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/frame.h"
#include "describe/json.h"

enum { AGAIN_MS = 100 }; /* until an agent that is just starting is asked again */

#define QUESTION(member) offsetof(struct gate_question, member)

static const struct field question_fields[] = {
	{ "container", FIELD_STRING, QUESTION(container) },
	{ "namespace", FIELD_STRING, QUESTION(space), FIELD_REQUIRED },
	{ "name", FIELD_STRING, QUESTION(name), FIELD_REQUIRED },
	{ "uid", FIELD_STRING, QUESTION(uid) },
	{ "ips", FIELD_LIST, QUESTION(ips), .element = FIELD_IP, .size = sizeof(struct ip) },
	{ "timeoutMs", FIELD_INT64, QUESTION(timeout_ms), .max = 3600000 },
	FIELDS_END,
};
static const struct field answer_fields[] = {
	{ "error", FIELD_STRING, offsetof(struct gate_answer, error) },
	FIELDS_END,
};

char *gate_question_text(const struct gate_question *question, struct arena *arena)
{
	auto_json struct json *json = json_encode(question_fields, question);

	return json_text(json, JSON_STYLE_COMPACT, arena);
}

int gate_question_parse(const char *text, size_t size, struct arena *arena,
			struct gate_question *question, struct error *err)
{
	auto_json struct json *json = json_parse(text, size, err);

	*question = (struct gate_question){ .container = "", .uid = "" };
	return json ? json_decode(json, question_fields, question, arena, err) : -err->errnum;
}

char *gate_answer_text(const struct gate_answer *answer, struct arena *arena)
{
	auto_json struct json *json = json_encode(answer_fields, answer);

	return json_text(json, JSON_STYLE_COMPACT, arena);
}

/* ---- asking ---- */

static int connect_to(const char *path, int *fd, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(err, ENAMETOOLONG, "the socket's path \"%s\" is too long", path);
	memcpy(address.sun_path, path, strlen(path));
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 || connect(*fd, (const struct sockaddr *)&address, sizeof(address)))
		return fail_errno(err, errno, "the agent of policies does not listen at %s", path);
	return 0;
}

int gate_answer_parse(const char *text, size_t size, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = json_parse(text, size, err);
	struct gate_answer answer = { 0 };

	if (!json || json_decode(json, answer_fields, &answer, &arena, err) < 0)
		return wrap(err, "the agent of policies");
	return answer.error ? fail(err, EACCES, "%s", answer.error) : 0;
}

static int await_answer(int fd, int64_t deadline, struct frames *frames, struct error *err)
{
	for (;;) {
		auto_arena struct arena arena = { 0 };
		struct pollfd poll_fd = { fd, POLLIN, 0 };
		int64_t left = deadline - clock_ms();
		size_t size = 0;
		char *text;
		int r;

		if (left <= 0)
			return fail(err, ETIMEDOUT, "no answer in time");
		if (poll(&poll_fd, 1, (int)left) <= 0)
			continue;
		r = frames_read(frames, fd);
		if (r < 0)
			return fail(err, EPIPE, "the agent of policies has hung up");
		r = frames_take(frames, GATE_MESSAGE_MAX, &arena, &text, &size, err);
		if (r < 0)
			return r;
		if (r > 0)
			return gate_answer_parse(text, size, err);
	}
}

static int ask_once(const char *socket_path, const char *text, int64_t deadline, struct error *err)
{
	struct frames frames on_leave(frames_free) = { 0 };
	auto_close int fd = -1;
	int r = connect_to(socket_path, &fd, err);

	if (r < 0)
		return r;
	r = frame_send(fd, text);
	if (r < 0)
		return fail_errno(err, -r, "ask the agent of policies");
	return await_answer(fd, deadline, &frames, err);
}

int gate_ask(const char *socket_path, const struct gate_question *question, struct error *err)
{
	int64_t deadline = clock_ms() + question->timeout_ms;

	for (;;) {
		auto_arena struct arena arena = { 0 };
		struct gate_question now = *question;
		struct error why = { 0 };
		int r;

		now.timeout_ms = deadline - clock_ms();
		r = ask_once(socket_path, gate_question_text(&now, &arena), deadline, &why);
		if (r == 0)
			return 0;
		if (r == -EACCES || r == -ENAMETOOLONG || clock_ms() + AGAIN_MS >= deadline) {
			if (err)
				*err = why;
			return r;
		}
		poll(NULL, 0, AGAIN_MS);
	}
}
