/* Lines of paths in a text, and keys that stand there twice. */
#include "unit.h"

#include <stdio.h>

#include "describe/json_where.h"

static const char text[] = "{\n"                                     /* 1 */
			   "  \"name\": \"a\\\"b,]}\",\n"            /* 2 */
			   "  \"plugins\": [\n"                      /* 3 */
			   "    { \"type\": \"x\" },\n"              /* 4 */
			   "    {\n"                                 /* 5 */
			   "      \"net.core.x\": 1, \"MTU\": 5,\n"  /* 6 */
			   "      \"ipam\": { \"ranges\": [ [ {},\n" /* 7 */
			   "        { \"subnet\": 1 } ] ] },\n"      /* 8 */
			   "      \"mtu\": 6, \"mtu\": 7\n"          /* 9 */
			   "    }\n"
			   "  ]\n"
			   "}\n";

TEST(json_lines_of_paths)
{
	static const struct json_place want[] = {
		{ "plugins[1].ipam.ranges[0][1].subnet", 8 },
		{ "plugins[1].ipam.ranges[0][1]", 8 },
		{ "plugins[1].ipam.ranges[0][0].gone", 7 },
		{ "plugins[1].IPAM", 7 },
		{ "plugins[1].net.core.x", 6 },
		{ "plugins[1].mtu", 9 }, /* the last one counts */
		{ "plugins[1].nothing", 5 },
		{ "plugins[7].type", 3 },
		{ "plugins", 3 },
		{ "name", 2 },
		{ "name", 2 },
		{ "nothing.of.it", 1 },
		{ "", 1 },
		{ "..[[", 1 },
	};
	struct json_place got[ARRAY_SIZE(want)];

	memcpy(got, want, sizeof(got));
	json_find_lines(text, strlen(text), got, ARRAY_SIZE(got));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		unit_check(got[i].line == want[i].line, __FILE__, __LINE__,
			   "%s is in line %u, not %u", want[i].path, got[i].line, want[i].line);
	json_find_lines("", 0, got, 1);
	check_int(got[0].line, 1);
}

struct twice {
	char text[256];
	size_t len;
};

static void note(void *arg, const char *path)
{
	struct twice *twice = arg;

	twice->len += (size_t)snprintf(twice->text + twice->len, sizeof(twice->text) - twice->len,
				       "%s\n", path);
}

TEST(json_keys_given_twice)
{
	struct twice twice = { 0 };

	json_find_twice(text, strlen(text), note, &twice);
	check_str(twice.text, "plugins[1].mtu\n");
	twice = (struct twice){ 0 };
	json_find_twice("[{\"a\":{\"b\":1,\"b\":2},\"a\":3},{\"c\":1}]", 34, note, &twice);
	check_str(twice.text, "[0].a.b\n[0].a\n");
	twice = (struct twice){ 0 };
	json_find_twice("{\"a\":1,", 7, note, &twice); /* broken: no more than that it ends */
	check_str(twice.text, "");
}
