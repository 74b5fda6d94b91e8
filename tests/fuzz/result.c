/*
 * Results of other plugins: prevResult, the answer of a delegate, a runtime's cache. What can be read is written in
 * every version, read back and written again: the texts must be the same.
 *
 * Input: the version of the configuration on a line; the result.
 */
#include "fuzz.h"

#include "cni/result.h"
#include "describe/json.h"

/* NULL when the version cannot express the result. */
static char *write_as(const struct cni_result *result, const char *version, struct arena *arena)
{
	struct error err = { 0 };
	char *text;

	if (result_encode(result, version, arena, &text, &err) < 0) {
		fuzz_check(*err.message, "no word about why %s does not do", version);
		return NULL;
	}
	return text;
}

static void round_trip(const struct cni_result *result, const char *version, struct arena *arena)
{
	char *text = write_as(result, version, arena), *again;
	auto_json struct json *json = text ? json_parse(text, strlen(text), NULL) : NULL;
	struct cni_result copy = { 0 };
	struct error err = { 0 };

	if (!text)
		return;
	fuzz_check(json, "%s is not JSON: %s", version, text);
	if (result_decode(json, version, true, arena, &copy, &err) < 0)
		fuzz_check(false, "%s cannot be read back: %s: %s", version, err.message, text);
	again = write_as(&copy, version, arena);
	fuzz_check(again && streq(text, again), "%s is not stable:\n%s\n%s", version, text,
		   again ? again : "nothing");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size,
	     *version = fuzz_line(&text);
	auto_json struct json *json = json_parse(text, (size_t)(end - text), NULL);
	struct error err = { 0 };

	for (int strict = 0; json && strict < 2; strict++) {
		struct cni_result result = { 0 };

		if (result_decode(json, version, strict, &arena, &result, &err) < 0)
			continue;
		for (size_t i = 0; i < cni_n_versions; i++)
			round_trip(&result, cni_versions[i], &arena);
	}
	return 0;
}
