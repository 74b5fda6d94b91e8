/*
 * What a runtime hands to a plugin: environment and configuration, through decoding and validation of every plugin,
 * up to the verbs, which are replaced. What was decoded is encoded and decoded again, and must stay the same.
 *
 * Input: the plugin's name; "COMMAND CONTAINERID IFNAME"; CNI_ARGS, each on a line; the configuration.
 */
#include "applets.h"

#include "cni/plugin.h"

static const struct cni_plugin *plugin;

static char *encode(const void *conf, struct arena *arena)
{
	auto_json struct json *json = json_encode(plugin->fields, conf);

	return json_text(json, JSON_STYLE_COMPACT_SORTED, arena);
}

/* Encode, decode, encode: the two texts are the same. */
static void round_trip(void *conf, struct arena *arena)
{
	char *text = plugin->fields ? encode(conf, arena) : NULL, *again;
	auto_json struct json *json = text ? json_parse(text, strlen(text), NULL) : NULL;
	struct error err = { 0 };
	void *copy = arena_alloc(arena, plugin->size + 1);

	if (!text)
		return;
	fuzz_check(json, "not JSON: %s", text);
	if (plugin->defaults)
		memcpy(copy, plugin->defaults, plugin->size);
	if (json_decode(json, plugin->fields, copy, arena, &err) < 0)
		fuzz_check(strstr(err.message, "required"), "%s: %s", err.message, text);
	else
		fuzz_check(streq(text, again = encode(copy, arena)), "%s\n%s", text, again);
}

static int add(struct cni_request *request, void *conf, unused struct cni_result *result,
	       unused struct error *err)
{
	round_trip(conf, request->arena);
	return 0;
}

static int other(struct cni_request *request, void *conf, unused struct error *err)
{
	round_trip(conf, request->arena);
	return 0;
}

static void set_environment(char *line, char *args)
{
	static const char *const names[] = { "CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *word = strsep(&line, " ");

		setenv(names[i], word ? word : "", 1);
	}
	setenv("CNI_ARGS", args, 1);
	setenv("CNI_NETNS", "/nonexistent", 1);
	setenv("CNI_PATH", "/nonexistent", 1);
}

static void report(unused void *arg, unused bool is_error, const char *text)
{
	fuzz_check(*text, "empty report");
}

/* The linter's way through the same document: all errors, unknown keys. */
static void lint(const struct cni_request *request)
{
	const struct field *tables[] = { cni_common_fields, plugin->fields };
	void *outs[] = { arena_alloc(request->arena, sizeof(struct cni_common)),
			 arena_alloc(request->arena, plugin->size + 1) };

	if (json_check(request->config, tables, plugin->fields ? 2 : 1, outs, request->arena,
		       report, NULL) < 0)
		return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size;
	const struct applet_entry *entry = fuzz_applet(fuzz_line(&text));
	char *environment = fuzz_line(&text), *args = fuzz_line(&text);
	struct cni_request request = { .arena = &arena };
	struct cni_result result = { 0 };
	struct error err = { 0 };
	struct cni_plugin harmless;
	bool unset;

	plugin = entry ? entry->applet->plugin : NULL;
	if (!plugin)
		return 0;
	harmless = *plugin;
	harmless.add = add;
	harmless.del = harmless.check = harmless.gc = harmless.status = other;
	set_environment(environment, args);
	request.config_text = text;
	request.config_size = (size_t)(end - text);
	if (request_from_environment(&request, &unset, &err) >= 0 &&
	    request_decode(&request, &err) >= 0) {
		if (request.command < CNI_VERSION &&
		    plugin_call(&harmless, &request, &result, &err) < 0)
			plugin_error_text(&err, request_version(&request), &arena);
		if (request_prev_result(&request, &result, &err) < 0)
			plugin_error_text(&err, NULL, &arena);
		lint(&request);
	}
	request_release(&request);
	return 0;
}
