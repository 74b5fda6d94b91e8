/*
 * Requests that probes, and anybody else, send to an agent's port. Whole or in pieces, what is asked is the same; a path is
 * printable, and has no query in it.
 */
#include "base/responder.h"
#include "fuzz.h"

/* In a buffer of its own, so that reading past its end is seen. */
static int parse(const uint8_t *data, size_t size, struct arena *arena,
		 struct responder_request *request)
{
	char *copy = xrealloc(NULL, size ? size : 1);
	int status;

	memcpy(copy, data, size);
	status = responder_parse(copy, size, arena, request);
	free(copy);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	struct responder_request request = { 0 }, early = { 0 };
	int status, before = 0;

	if (size > RESPONDER_REQUEST_MAX)
		size = RESPONDER_REQUEST_MAX;
	status = parse(data, size, &arena, &request);
	fuzz_check(!status || status == 200 || status == 400 || status == 405 || status == 431,
		   "status %d", status);
	fuzz_check(status || size < RESPONDER_REQUEST_MAX, "a request without end");
	if (status == 200) {
		fuzz_check(request.path && *request.path == '/' && !strchr(request.path, '?'),
			   "path");
		for (const char *p = request.path; *p; p++)
			fuzz_check(*p > ' ' && *p < 0x7f, "path");
	}
	/* As it comes, a piece after the other: nothing is decided that more of it would change. */
	for (size_t n = 0; n < size && !before; n += 1 + n / 8)
		before = parse(data, n, &arena, &early);
	fuzz_check(!before || before == status, "status %d, then %d", before, status);
	return 0;
}
