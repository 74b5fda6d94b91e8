/* JSON: parsing, text, values. */
#include "unit.h"

#include "describe/json.h"

static struct json *parse(const char *text)
{
	struct error err = { 0 };
	struct json *json = json_parse(text, strlen(text), &err);

	unit_check(json, __FILE__, __LINE__, "%s: %s", text, err.message);
	return json;
}

static void check_text(const char *text, enum json_style style, const char *want)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = parse(text);

	check_str(json_text(json, style, &arena), want);
}

/* ---- parsing ---- */

static void refused(const char *text, const char *message)
{
	struct error err = { 0 };

	check(json_parse(text, strlen(text), &err) == NULL);
	check_str(err.message, message);
	check_int(err.code, CNI_DECODE_FAILURE);
}

TEST(parsing_refuses_what_is_no_json)
{
	refused("", "unexpected end of JSON input");
	refused(" \t\r\n", "unexpected end of JSON input");
	refused("{\"a\":", "line 1, column 5: unexpected end of JSON input");
	refused("{\n \"a\": 1,\n}", "line 3, column 1: string or '}' expected near '}'");
	refused("{} {}", "line 1, column 4: end of file expected near '{'");
	refused("{} x", "line 1, column 4: end of file expected near 'x'");
	refused("{'a': 1}", "line 1, column 2: string or '}' expected near '''");
	refused("{\"a\": \"\\u0000\"}",
		"line 1, column 14: \\u0000 is not allowed without JSON_ALLOW_NUL near '\"\\u0000\"'");
	refused("{\"a\": 99999999999999999999}",
		"line 1, column 26: too big integer near '99999999999999999999'");
}

static void replaced(const char *text, const char *want)
{
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };
	auto_json struct json *json = json_parse(text, strlen(text), &err);

	check(json != NULL);
	check_str(json_text(json, JSON_STYLE_COMPACT, &arena), want);
}

TEST(bytes_that_are_no_utf8_are_replaced)
{
	replaced("[\"a\xffz\"]", "[\"a\xef\xbf\xbdz\"]");
	replaced("[\"\xed\xa0\x80\"]", "[\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]");
	replaced("[\"\xc0\xaf\"]", "[\"\xef\xbf\xbd\xef\xbf\xbd\"]");
	replaced("[\"\xf4\x90\x80\x80\"]",
		 "[\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]");
	replaced("[\"\xc3\xa9\xe2\x82\"]", "[\"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"]");
	replaced("[\"\xf0\x9f\x90\xa7\xff\"]", "[\"\xf0\x9f\x90\xa7\xef\xbf\xbd\"]");
}

TEST(parsing_refuses_nul_bytes)
{
	struct error err = { 0 };

	check(json_parse("{}\0{}", 5, &err) == NULL);
	check(json_parse("\0", 1, &err) == NULL);
}

TEST(parsing_survives_depth_bombs)
{
	static char bomb[100000];
	struct error err = { 0 };

	memset(bomb, '[', sizeof(bomb));
	check(json_parse(bomb, sizeof(bomb), &err) == NULL);
	check_int(err.code, CNI_DECODE_FAILURE);
	check_str(err.message, "line 1, column 2049: maximum parsing depth reached near '['");
}

/* ---- text ---- */

TEST(text_styles)
{
	const char *text = "{\"b\":[1,{\"x\":null}],\"a\":\"<&>\",\"e\":{},\"l\":[]}";

	check_text(text, JSON_STYLE_COMPACT, text);
	check_text(
		text, JSON_STYLE_INDENT,
		"{\n    \"b\": [\n        1,\n        {\n            \"x\": null\n        }\n    ],\n"
		"    \"a\": \"\\u003c\\u0026\\u003e\",\n    \"e\": {},\n    \"l\": []\n}");
	check_text(text, JSON_STYLE_SORTED,
		   "{\n    \"a\": \"\\u003c\\u0026\\u003e\",\n    \"b\": [\n        1,\n        {\n"
		   "            \"x\": null\n        }\n    ],\n    \"e\": {},\n    \"l\": []\n}");
	check_text(text, JSON_STYLE_COMPACT_SORTED,
		   "{\"a\":\"\\u003c\\u0026\\u003e\",\"b\":[1,{\"x\":null}],\"e\":{},\"l\":[]}");
	check_text("\"x\"", JSON_STYLE_INDENT, "\"x\"");
	check_text("-5", JSON_STYLE_COMPACT, "-5");
}

TEST(every_string_gives_valid_json)
{
	static const char *const strings[][2] = {
		{ "", "" },
		{ "a\"b\\c/", "a\"b\\c/" },
		{ "\x01\t\n\r\x1f\x7f", "\x01\t\n\r\x1f\x7f" },
		{ "<a href='&'>", "<a href='&'>" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7" },
		{ "\xff", "\xef\xbf\xbd" },
		{ "a\xc3", "a\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf5\x80\x80\x80x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx" },
		{ "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		for (enum json_style style = JSON_STYLE_COMPACT; style <= JSON_STYLE_COMPACT_SORTED;
		     style++) {
			auto_arena struct arena arena = { 0 };
			auto_json struct json *object = json_new_object(), *again = NULL;

			json_set(object, strings[i][0], json_new_string(strings[i][0]));
			again = parse(json_text(object, style, &arena));
			check_str(json_string(json_member(again, strings[i][1])), strings[i][1]);
		}
	}
}

/* ---- values ---- */

TEST(members_are_found_in_any_case)
{
	auto_json struct json *json = parse("{\"HostPort\": 1, \"hostport\": 2, \"HOSTPORT\": 3}");
	int64_t value = 0;

	check(json_int(json_member(json, "hostport"), &value));
	check_int(value, 2);
	check(json_int(json_member(json, "hostPort"), &value));
	check_int(value, 3);
	check(json_member(json, "port") == NULL);
	json_set(json, "hostPort", json_new_int(4));
	check_int(json_length(json), 1);
	json_set(json, "hostPort", json_new_int(5));
	check(json_int(json_member(json, "HOSTport"), &value));
	check_int(value, 5);
	json_remove(json, "HOSTPORT");
	check_int(json_length(json), 0);
}

TEST(values_of_another_type_are_none)
{
	auto_json struct json *json = parse(
		"{\"s\": \"x\", \"n\": 1, \"t\": true, \"T\": \"true\", \"a\": [1], \"z\": null}");
	int64_t value;

	check(json_string(json_member(json, "n")) == NULL);
	check(json_string(NULL) == NULL);
	check(!json_int(json_member(json, "s"), &value));
	check(json_true(json_member(json, "t")));
	check(json_true(json_member(json, "T")));
	check(!json_true(json_member(json, "s")));
	check(!json_true(NULL));
	check(json_is_null(json_member(json, "z")));
	check(!json_is_null(NULL));
	check(json_is_array(json_member(json, "a")) && !json_is_array(json) &&
	      !json_is_array(NULL));
	check(json_is_object(json) && !json_is_object(NULL));
	check(json_item(json_member(json, "a"), 1) == NULL);
	check_int(json_length(json_member(json, "a")), 1);
	check_int(json_length(NULL), 0);
	check(json_first(json_member(json, "a")) == NULL);
}

TEST(objects_are_walked_in_their_order)
{
	auto_json struct json *json = parse("{\"z\": 1, \"a\": 2, \"m\": 3}"),
			      *copy = json_copy(json), *same = json_share(json);
	char keys[8] = "";

	for (void *i = json_first(json); i; i = json_next(json, i))
		strcat(keys, json_iter_key(i));
	check_str(keys, "zam");
	json_append(json, json_new_bool(true));
	json_remove(json, "a");
	check_int(json_length(copy), 3);
	check_int(json_length(same), 2);
}
