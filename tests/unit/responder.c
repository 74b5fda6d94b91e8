/* Requests that probes send, whole, in pieces, and such that are none. */
#include "base/responder.h"
#include "unit.h"

static int parse(const char *text, struct arena *arena, struct responder_request *request)
{
	*request = (struct responder_request){ 0 };
	return responder_parse(text, strlen(text), arena, request);
}

TEST(request_is_a_line_and_an_end)
{
	static const struct {
		const char *text;
		int status;
		const char *path;
	} cases[] = {
		{ "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, "/healthz" },
		{ "GET /readyz?verbose HTTP/1.0\n\n", 200, "/readyz" },
		{ "HEAD / HTTP/1.1\r\n\r\n", 200, "/" },
		{ "GET /healthz HTTP/1.1\r\nHost: x\r\n", 0, NULL },
		{ "GET /heal", 0, NULL },
		{ "", 0, NULL },
		{ "POST / HTTP/1.1\r\n\r\n", 405, NULL },
		{ "GET http://x/ HTTP/1.1\r\n\r\n", 400, NULL },
		{ "GET / HTTP/2.0\r\n\r\n", 400, NULL },
		{ "GET /a b HTTP/1.1\r\n\r\n", 400, NULL },
		{ "GET /\r\n\r\n", 400, NULL },
		{ "\r\n\r\n", 400, NULL },
		{ "\x16\x03\x01", 400, NULL },
		{ "GET /\x7f", 400, NULL },
	};
	auto_arena struct arena arena = { 0 };
	struct responder_request request;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		check_int(parse(cases[i].text, &arena, &request), cases[i].status);
		if (cases[i].path)
			check_str(request.path, cases[i].path);
		check(request.head == (cases[i].text[0] == 'H'));
	}
}

TEST(request_without_end_is_too_long)
{
	auto_arena struct arena arena = { 0 };
	struct responder_request request;
	char text[RESPONDER_REQUEST_MAX];

	memset(text, 'a', sizeof(text));
	check_int(responder_parse(text, sizeof(text), &arena, &request), 431);
	check_int(responder_parse(text, sizeof(text) - 1, &arena, &request), 0);
}
