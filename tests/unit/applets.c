/*
 * Every applet's descriptor and every field table, found through the generated list: a new applet is covered the moment
 * it exists. Help is there and in the house's style, names do not clash, and the defaults survive being written as JSON
 * and read back.
 */
#include "unit.h"

#include "cni/plugin.h"
#include "describe/applet.h"
#include "describe/json.h"

#include <ctype.h>

#define APPLET(kind, symbol, name) extern const struct applet applet_##symbol;
#include "applets.inc"
#undef APPLET

#define APPLET(kind, symbol, name) { name, 0, &applet_##symbol },
static const struct applet_entry applets[] = {
#include "applets.inc"
};
#undef APPLET

/* Fields of one struct with its size and defaults, named for messages. */
typedef void table_fn(const char *name, const struct field *fields, size_t size,
		      const void *defaults);

static void each_table(table_fn *fn)
{
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
		const struct applet *applet = applets[i].applet;

		if (applet->plugin && applet->plugin->fields)
			fn(applets[i].name, applet->plugin->fields, applet->plugin->size,
			   applet->plugin->defaults);
		if (applet->run)
			fn(applets[i].name, applet->run->fields, applet->run->size,
			   applet->run->defaults);
		for (const struct verb *verb = applet->verbs; verb && verb->name; verb++) {
			snprintf(name, sizeof(name), "%s %s", applets[i].name, verb->name);
			fn(name, verb->fields, verb->size, verb->defaults);
		}
	}
}

static bool good_text(const char *text)
{
	size_t len = text ? strlen(text) : 0;
	/* A first word in capitals is an acronym or a name: MTU, JSON, CNI_PATH. */
	bool capital =
		len > 1 && isupper((unsigned char)text[0]) && islower((unsigned char)text[1]);

	return len > 0 && !capital && text[len - 1] != '.';
}

static void check_help(const char *name, const struct field *fields, size_t size unused,
		       const void *defaults unused)
{
	for (const struct field *field = fields; field && field->type != FIELD_END; field++) {
		if (!(field->flags & FIELD_HIDDEN))
			unit_check(good_text(field->help), __FILE__, __LINE__,
				   "%s: help of %s is \"%s\"", name, field->key,
				   field->help ? field->help : "");
		if (field->type == FIELD_OBJECT || field->element == FIELD_OBJECT)
			check_help(name, field->fields, 0, NULL);
	}
}

static void check_names(const char *name, const struct field *fields, size_t size unused,
			const void *defaults unused)
{
	for (const struct field *a = fields; a && a->type != FIELD_END; a++)
		for (const struct field *b = a + 1; b->type != FIELD_END; b++) {
			unit_check(!streq(a->key, b->key), __FILE__, __LINE__,
				   "%s: %s stands twice", name, a->key);
			unit_check(!a->letter || a->letter != b->letter, __FILE__, __LINE__,
				   "%s: %s and %s have the letter %c", name, a->key, b->key,
				   a->letter);
		}
}

static void check_inside(const char *name, const struct field *fields, size_t size,
			 const void *defaults unused)
{
	for (const struct field *field = fields; field && field->type != FIELD_END; field++)
		unit_check(field->offset < size && field->seen <= size, __FILE__, __LINE__,
			   "%s: %s lies outside its struct", name, field->key);
}

static bool has_required(const struct field *fields)
{
	for (; fields && fields->type != FIELD_END; fields++)
		if (fields->flags & FIELD_REQUIRED)
			return true;
	return false;
}

/* Words that must be given have no default. */
static void check_round_trip(const char *name, const struct field *fields, size_t size,
			     const void *defaults)
{
	struct arena arena auto_arena = { 0 };
	struct error err = { 0 };
	struct json *first auto_json = NULL, *second auto_json = NULL;
	void *out = arena_alloc(&arena, size ? size : 1);

	if (!fields || !defaults || has_required(fields))
		return;
	first = json_encode(fields, defaults);
	unit_check(json_decode(first, fields, out, &arena, &err) == 0, __FILE__, __LINE__,
		   "%s: defaults: %s", name, err.message);
	second = json_encode(fields, out);
	check_str(json_text(second, JSON_STYLE_COMPACT, &arena),
		  json_text(first, JSON_STYLE_COMPACT, &arena));
}

TEST(every_row_has_help)
{
	each_table(check_help);
}

TEST(no_two_rows_have_the_same_name)
{
	each_table(check_names);
}

TEST(every_row_lies_inside_its_struct)
{
	each_table(check_inside);
}

TEST(defaults_survive_json)
{
	each_table(check_round_trip);
}

TEST(every_applet_says_what_it_does)
{
	check(ARRAY_SIZE(applets) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
		const struct applet *applet = applets[i].applet;

		unit_check(good_text(applet->summary) && strlen(applet->summary) < 60, __FILE__,
			   __LINE__, "summary of %s: \"%s\"", applets[i].name, applet->summary);
		unit_check(applet->run ? !applet->plugin && !applet->verbs
				       : applet->plugin || applet->verbs,
			   __FILE__, __LINE__,
			   "%s is a plugin, has verbs, or both; or it just runs", applets[i].name);
		for (const struct verb *verb = applet->verbs; verb && verb->name; verb++)
			unit_check(good_text(verb->summary), __FILE__, __LINE__, "summary of %s %s",
				   applets[i].name, verb->name);
	}
}

TEST(applets_are_sorted_by_name)
{
	for (size_t i = 1; i < ARRAY_SIZE(applets); i++)
		check(strcmp(applets[i - 1].name, applets[i].name) < 0);
}
