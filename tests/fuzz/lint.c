/*
 * Configurations of any kind through the applet lint: each plugin's own checks, its words, and the lines of what is found.
 * The answer is JSON, and each finding is in a line that the file has.
 *
 * Input: the file's name on a line ("x.conf", "x.conflist", "net-conf.json", "x.yaml"); the file.
 */
#include "applets.h"
#include "scratch.h"

#include "base/text.h"
#include "cni/plugin.h"
#include "describe/json.h"
#include "describe/options.h"

static const struct cni_plugin *find_plugin(const char *name)
{
	const struct applet_entry *entry = fuzz_applet(name);

	return entry ? entry->applet->plugin : NULL;
}

static void check_answer(const char *answer, const char *text, const char *end, struct arena *arena)
{
	auto_json struct json *json = json_parse(answer, strlen(answer), NULL);
	const struct json *findings = json_member(json, "findings");
	int64_t lines = 1, line;

	for (const char *p = text; p < end; p++)
		lines += *p == '\n';
	fuzz_check(json_is_array(findings), "not an answer: %s", answer);
	for (size_t i = 0; i < json_length(findings); i++) {
		const struct json *finding = json_item(findings, i);

		if (json_int(json_member(finding, "line"), &line))
			fuzz_check(line >= 0 && line <= lines + 1, "line %lld of %lld",
				   (long long)line, (long long)lines);
		fuzz_check(json_string(json_member(finding, "text")), "no word: %s",
			   json_text(finding, JSON_STYLE_COMPACT, arena));
	}
}

static void lint(const char *path, FILE *out, struct arena *arena)
{
	const struct verb *run = fuzz_applet("lint")->applet->run;
	char *const argv[] = { (char *)path, "--json", "--path", "", NULL };
	void *options = arena_alloc(arena, run->size);
	struct invocation call = {
		.name = "lint",
		.version = "",
		.out = out,
		.arena = arena,
		.find_plugin = find_plugin,
		.applets = fuzz_applets,
		.n_applets = ARRAY_SIZE(fuzz_applets),
	};
	struct error err = { 0 };
	int r;

	memcpy(options, run->defaults, run->size);
	r = options_parse(run->fields, 4, argv, options, arena, &err);
	fuzz_check(r >= 0, "%s", err.message);
	r = run->run(&call, options, &err);
	fuzz_check(r == 0 || r == 1, "%d: %s", r, err.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size, *name = fuzz_line(&text);
	const char *path;
	auto_free char *answer = NULL;
	size_t answer_size;
	FILE *out;

	if (!*name || strchr(name, '/') || strlen(name) > 32 || *name == '.' || *name == '-')
		return 0;
	path = arena_printf(&arena, "%s/%s", scratch_empty(), name);
	scratch_write(path, text, (size_t)(end - text));
	out = text_stream(&answer, &answer_size);
	lint(path, out, &arena);
	fclose(out);
	check_answer(answer, text, end, &arena);
	return 0;
}
