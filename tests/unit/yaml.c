/* YAML as Kubernetes' tools read it, and texts of several documents. */
#include "unit.h"

#include "describe/documents.h"
#include "describe/yaml.h"

static struct arena arena;

static void add_text(void *arg, const struct json *document, const struct json *list)
{
	char **text = arg;

	*text = arena_printf(&arena, "%s%s%s%s", *text, **text ? "\n" : "",
			     json_text(document, JSON_STYLE_COMPACT, &arena),
			     list ? json_text(list, JSON_STYLE_COMPACT, &arena) : "");
}

/* All documents, one a line; a list's members stand behind its items. */
static const char *read_all(const char *text)
{
	char *all = arena_strdup(&arena, "");
	struct error err = { 0 };

	if (documents_each(text, strlen(text), add_text, &all, &err) < 0)
		return arena_printf(&arena, "%s%s%s", all, *all ? "\n" : "", err.message);
	return all;
}

TEST(yaml_words_are_what_kubectl_takes_them_for)
{
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{ "", "null" },
		{ "~", "null" },
		{ "null", "null" },
		{ "nULL", "\"nULL\"" },
		{ "true", "true" },
		{ "yes", "true" },
		{ "On", "true" },
		{ "no", "false" },
		{ "OFF", "false" },
		{ "y", "\"y\"" },
		{ "'yes'", "\"yes\"" },
		{ "\"1\"", "\"1\"" },
		{ "!!str 1", "\"1\"" },
		{ "!!int 1", "1" },
		{ "80", "80" },
		{ "-1", "-1" },
		{ "+1", "1" },
		{ "0x1F", "31" },
		{ "017", "15" },
		{ "0o17", "15" },
		{ "0b101", "5" },
		{ "1_000", "1000" },
		{ "08", "8.0" },
		{ "9223372036854775808", "9.2233720368547758e18" },
		{ "1.5", "1.5" },
		{ "1e3", "1000.0" },
		{ "1.2.3", "\"1.2.3\"" },
		{ "10.0.0.1", "\"10.0.0.1\"" },
		{ "10.0.0.0/8", "\"10.0.0.0/8\"" },
		{ "-", "[null]" },
		{ "1-2", "\"1-2\"" },
		{ ".inf", "\".inf\"" },
		{ ".nan", "\".nan\"" },
		{ "infinity", "\"infinity\"" },
		{ "0x", "\"0x\"" },
		{ "2026-01-01T00:00:00Z", "\"2026-01-01T00:00:00Z\"" },
		{ "a: b", "{\"a\":\"b\"}" },
		{ "{a: [1, x]}", "{\"a\":[1,\"x\"]}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *want = arena_printf(&arena, "{\"v\":%s}", rows[i].json);

		check_str(read_all(arena_printf(&arena, "v:\n  %s\n", rows[i].yaml)), want);
	}
	arena_free(&arena);
}

TEST(yaml_of_several_documents_with_anchors)
{
	check_str(read_all("a: 1\n---\n---\n# nothing\n---\nb: 2\n...\n"), "{\"a\":1}\n{\"b\":2}");
	check_str(read_all(""), "");
	check_str(read_all("base: &b {x: 1, y: 2}\nuse: *b\nmore: {<<: *b, y: 3, z: 4}\n"),
		  "{\"base\":{\"x\":1,\"y\":2},\"use\":{\"x\":1,\"y\":2},"
		  "\"more\":{\"y\":3,\"z\":4,\"x\":1}}");
	check_str(read_all("more: {<<: [{x: 1}, {x: 2, y: 2}]}\n"), "{\"more\":{\"x\":1,\"y\":2}}");
	check_str(read_all("a: &x 1\n---\nb: *x\n"),
		  "{\"a\":1}\nline 3, column 4: an alias without its anchor in front of it");
	arena_free(&arena);
}

TEST(yaml_that_is_refused)
{
	static const struct {
		const char *yaml, *error;
	} rows[] = {
		{ "a: 1\na: 2\n", "line 2, column 1: a key that comes twice" },
		{ "a: [1\n", "line 2, column 1: did not find expected ',' or ']'" },
		{ "? [a]\n: 1\n", "line 1, column 3: a key that is no string" },
		{ "a: !mine 1\n", "line 1, column 4: a value with a tag of its own" },
		{ "a: \"x\\0y\"\n", "line 1, column 4: a NUL in a string" },
		{ "\"x\\0y\": 1\n", "line 1, column 1: a NUL in a key" },
		{ "a: &a [*a]\n", "line 1, column 8: an alias without its anchor in front of it" },
		{ "<<: 1\n", "line 1, column 1: << takes a mapping or a list of mappings" },
		{ "a: \xff\n", "byte 3: invalid leading UTF-8 octet" },
	};
	char *deep = arena_strdup(&arena, "x"), *laughs = arena_strdup(&arena, "a0: &a0 [x]\n");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_str(read_all(rows[i].yaml), rows[i].error);
	for (int i = 0; i < 102; i++)
		deep = arena_printf(&arena, "[%s]", deep);
	check_str(read_all(arena_printf(&arena, "a: %s\n", deep)),
		  "line 1, column 104: nested too deep");
	for (int i = 1; i < 8; i++)
		laughs = arena_printf(
			&arena, "%sa%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n",
			laughs, i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
			i - 1);
	check(strstr(read_all(laughs), "aliases make the document too large"));
	arena_free(&arena);
}

TEST(json_of_several_documents_and_lists)
{
	check_str(read_all("{\"a\":1} {\"b\":2}\n[3]"), "{\"a\":1}\n{\"b\":2}\n[3]");
	check_str(
		read_all(
			"{\"apiVersion\":\"v1\",\"items\":[{\"a\":\"]\\\"}\"},{}],\"kind\":\"List\"}"),
		"{\"a\":\"]\\\"}\"}{\"apiVersion\":\"v1\",\"kind\":\"List\"}\n"
		"{}{\"apiVersion\":\"v1\",\"kind\":\"List\"}");
	check_str(read_all("{\"kind\":\"PodList\",\"items\":[]} {}"), "{}");
	/* Only a list's items are items. */
	check_str(read_all("{\"kind\":\"Pod\",\"items\":[1]}"), "{\"kind\":\"Pod\",\"items\":[1]}");
	check_str(read_all("{\"kind\":\"List\",\"items\":null}"),
		  "{\"kind\":\"List\",\"items\":null}");
	arena_free(&arena);
}

TEST(json_that_is_refused)
{
	check_str(read_all("{\"a\":1,\"a\":2}"),
		  "line 1, column 10: duplicate object key near '\"a\"'");
	check_str(
		read_all("{\"a\":1}\n\n{\"b\":}"),
		"{\"a\":1}\ndocument that begins in line 3: line 1, column 6: unexpected token near '}'");
	check(strstr(read_all("{\"kind\":\"List\",\"items\":[{\"a\":1},]}"), "unexpected token"));
	check(strstr(read_all("{\"kind\":\"List\",\"items\":[{\"a\":1}"), "expected near end"));
	check(strstr(read_all("{\"kind\":\"List\",\"items\":[],\"items\":[]}"), "duplicate"));
	check(strstr(read_all("{\"kind\":\"List\",\"items\":[{\"a\":1,\"a\":1}]}"), "duplicate"));
	check(strstr(read_all("{\"a\":1} x"), "near 'x'"));
	arena_free(&arena);
}
