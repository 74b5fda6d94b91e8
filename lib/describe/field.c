/*
 * The value types of the field table: one word of text into a member, a member into text, and when
 * a member counts as absent. Every reader of the table (JSON, options, help, tables) comes down to
 * these, so a type is added here.
 */
#include "describe/field.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

#include "base/error.h"
#include "describe/duration.h"

typedef __int128 wide; /* holds the values of every integer type */

#define DURATION_ENDLESS \
	((wide)1000 * 3600 * 24 * 365 * 100) /* an upper bound that nobody means, in ms */

/* clang-format off */
static const char *const type_texts[] = {
	[FIELD_END]      = "nothing",
	[FIELD_STRING]   = "a string",
	[FIELD_PATH]     = "a path",
	[FIELD_NETNS]    = "a network namespace",
	[FIELD_BOOL]     = "a boolean",
	[FIELD_INT]      = "an integer",
	[FIELD_UINT32]   = "an integer",
	[FIELD_INT64]    = "an integer",
	[FIELD_UINT64]   = "an integer",
	[FIELD_PORT]     = "a port",
	[FIELD_ENUM]     = "a word",
	[FIELD_IP]       = "an IP address",
	[FIELD_CIDR]     = "a CIDR",
	[FIELD_MAC]      = "a MAC address",
	[FIELD_IFNAME]   = "an interface name",
	[FIELD_DURATION] = "a duration",
	[FIELD_OBJECT]   = "an object",
	[FIELD_LIST]     = "a list",
	[FIELD_JSON]     = "a JSON value",
};
/* clang-format on */

const char *field_type_text(const struct field *field)
{
	return type_texts[field->type];
}

struct field field_element(const struct field *list)
{
	if (list->element == FIELD_LIST) {
		struct field inner = *list->fields;

		inner.offset = 0;
		return inner;
	}
	return (struct field){
		.key = list->key,
		.type = list->element,
		.flags = list->flags & FIELD_LOOSE_BOOL,
		.min = list->min,
		.max = list->max,
		.fields = list->fields, /* or its names */
	};
}

const struct field *field_find(const struct field *fields, const char *key)
{
	for (const struct field *field = fields; field->type; field++)
		if (streq(field->key, key))
			return field;
	for (const struct field *field = fields; field->type; field++)
		if (!strcasecmp(field->key, key))
			return field;
	return NULL;
}

bool field_is_number(enum field_type type)
{
	return (type >= FIELD_INT && type <= FIELD_PORT);
}

/* ---- integers ---- */

static void own_range(enum field_type type, wide *min, wide *max)
{
	*min = type == FIELD_INT ? INT_MIN : type == FIELD_INT64 ? INT64_MIN : 0;
	*max = type == FIELD_INT      ? INT_MAX
	       : type == FIELD_UINT32 ? UINT32_MAX
	       : type == FIELD_PORT   ? UINT16_MAX
	       : type == FIELD_UINT64 ? (wide)UINT64_MAX
				      : INT64_MAX;
}

/* A row's bounds win over the type's; one that gives a lower bound alone keeps the type's upper
 * one. */
static void row_range(const struct field *field, wide *min, wide *max)
{
	own_range(field->type, min, max);
	if (!field->min && !field->max)
		return;
	if (field->min > *min)
		*min = field->min;
	if (field->max >= field->min && field->max < *max)
		*max = field->max;
}

static const char *wide_text(wide value, char text[24])
{
	uint64_t magnitude = (uint64_t)(value < 0 ? -value : value);

	snprintf(text, 24, "%s%llu", value < 0 ? "-" : "", (unsigned long long)magnitude);
	return text;
}

/* Decimal digits with an optional minus; saturates far outside of every type's range. */
static bool wide_parse(const char *word, wide *value)
{
	bool negative = *word == '-';
	const wide limit = (wide)1 << 80;

	word += negative;
	if (!*word)
		return false;
	for (*value = 0; *word; word++) {
		if (!isdigit((unsigned char)*word))
			return false;
		if (*value < limit)
			*value = *value * 10 + (*word - '0');
	}
	if (negative)
		*value = -*value;
	return true;
}

static void integer_store(enum field_type type, wide value, void *member)
{
	switch (type) {
	case FIELD_INT: *(int *)member = (int)value; break;
	case FIELD_UINT32: *(uint32_t *)member = (uint32_t)value; break;
	case FIELD_PORT: *(uint16_t *)member = (uint16_t)value; break;
	case FIELD_UINT64: *(uint64_t *)member = (uint64_t)value; break;
	default: *(int64_t *)member = (int64_t)value; break;
	}
}

static wide integer_load(enum field_type type, const void *member)
{
	switch (type) {
	case FIELD_INT: return *(const int *)member;
	case FIELD_UINT32: return *(const uint32_t *)member;
	case FIELD_PORT: return *(const uint16_t *)member;
	case FIELD_UINT64: return *(const uint64_t *)member;
	default: return *(const int64_t *)member;
	}
}

bool field_range(const struct field *field, char min[24], char max[24])
{
	wide low, high;

	if (!field->min && !field->max && field->type != FIELD_PORT)
		return false;
	row_range(field, &low, &high);
	wide_text(low, min);
	wide_text(high, max);
	return true;
}

static int integer_parse(const struct field *field, const char *word, void *member,
			 struct error *err)
{
	char low[24], high[24];
	wide value, min, max;

	if (!wide_parse(word, &value))
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "\"%s\" is not %s", word,
				 field_type_text(field));
	row_range(field, &min, &max);
	if (value < min || value > max)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "%s is out of range %s..%s", word,
				 wide_text(min, low), wide_text(max, high));
	integer_store(field->type, value, member);
	return 0;
}

static int duration_member(const struct field *field, const char *word, int64_t *member,
			   struct error *err)
{
	char low[DURATION_TEXT_SIZE], high[DURATION_TEXT_SIZE];
	wide min, max;
	int64_t ms;

	if (!duration_parse(word, &ms))
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "\"%s\" is not a duration (such as 1m30s)", word);
	row_range(field, &min, &max);
	if (ms < min && max > DURATION_ENDLESS)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "%s is less than %s", word,
				 duration_format((int64_t)min, low));
	if (ms < min || ms > max)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "%s is out of range %s..%s", word,
				 duration_format((int64_t)min, low),
				 duration_format((int64_t)max, high));
	*member = ms;
	return 0;
}

/* ---- words ---- */

static int not_a(const struct field *field, const char *word, struct error *err)
{
	const char *example = field->type == FIELD_BOOL   ? " (true or false)"
			      : field->type == FIELD_CIDR ? " (such as 10.1.0.0/24)"
							  : "";

	return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "\"%s\" is not %s%s", word,
			 field_type_text(field), example);
}

/* The words of Go's strconv.ParseBool, in any case, since libcni takes them, and what people type.
 */
static int bool_parse(const struct field *field, const char *word, bool *member, struct error *err)
{
	static const char *const words[] = { "false", "true", "0",   "1",   "f",
					     "t",     "no",   "yes", "off", "on" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcasecmp(word, words[i])) {
			*member = i % 2;
			return 0;
		}
	}
	return not_a(field, word, err);
}

static int enum_parse(const struct field *field, const char *word, int *member, struct error *err)
{
	char list[512] = "";
	size_t len = 0;

	for (int i = 0; field->names[i]; i++) {
		if (streq(field->names[i], word)) {
			*member = i;
			return 0;
		}
		if (*field->names[i] && len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
						len ? ", " : "", field->names[i]);
	}
	return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "\"%s\" is not one of %s", word, list);
}

/* The kernel's rule, dev_valid_name(): 1 to 15 bytes, no '/', ':' or white space, not "." or "..".
 */
bool field_valid_ifname(const char *name)
{
	if (!*name || strlen(name) > 15 || streq(name, ".") || streq(name, ".."))
		return false;
	return !name[strcspn(name, "/: \t\n\v\f\r")];
}

static int ifname_parse(const struct field *field, const char *word, char *member,
			struct error *err)
{
	if (strlen(word) > 15)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "\"%s\" is not an interface name (longer than 15 characters)",
				 word);
	if (!field_valid_ifname(word))
		return not_a(field, word, err);
	memcpy(member, word, strlen(word) + 1);
	return 0;
}

static int list_parse(const struct field *field, const char *word, void *member,
		      struct arena *arena, struct error *err)
{
	struct field element = field_element(field);
	struct list *list = member;
	int r;

	if (element.type == FIELD_OBJECT || element.type == FIELD_LIST)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "%s cannot be given as one word",
				 field_type_text(&element));
	r = field_parse(&element, word, list_grow(arena, list, field->size), arena, err);
	if (r < 0)
		list->n--;
	return r;
}

int field_parse(const struct field *field, const char *word, void *out, struct arena *arena,
		struct error *err)
{
	void *member = (char *)out + field->offset;

	switch (field->type) {
	case FIELD_STRING:
	case FIELD_NETNS:
	case FIELD_PATH: *(const char **)member = arena_strdup(arena, word); return 0;
	case FIELD_BOOL: return bool_parse(field, word, member, err);
	case FIELD_INT:
	case FIELD_UINT32:
	case FIELD_INT64:
	case FIELD_UINT64:
	case FIELD_PORT: return integer_parse(field, word, member, err);
	case FIELD_ENUM: return enum_parse(field, word, member, err);
	case FIELD_IP: return ip_parse(word, member) ? 0 : not_a(field, word, err);
	case FIELD_CIDR: return cidr_parse(word, member) ? 0 : not_a(field, word, err);
	case FIELD_MAC: return mac_parse(word, member) ? 0 : not_a(field, word, err);
	case FIELD_IFNAME: return ifname_parse(field, word, member, err);
	case FIELD_DURATION: return duration_member(field, word, member, err);
	case FIELD_LIST: return list_parse(field, word, member, arena, err);
	case FIELD_OBJECT:
	case FIELD_JSON:
	case FIELD_END: break;
	}
	return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "%s cannot be given as one word",
			 field_type_text(field));
}

/* ---- text ---- */

static char *join(struct arena *arena, char *left, const char *separator, const char *right)
{
	if (!*right)
		return left;
	return *left ? arena_printf(arena, "%s%s%s", left, separator, right)
		     : arena_strdup(arena, right);
}

static char *list_text(const struct field *field, const struct list *list, struct arena *arena)
{
	struct field element = field_element(field);
	char *text = arena_strdup(arena, "");

	for (size_t i = 0; i < list->n; i++)
		text = join(arena, text, ", ",
			    field_text(&element, (char *)list->items + i * field->size, arena));
	return text;
}

static char *object_text(const struct field *fields, const void *object, struct arena *arena)
{
	char *text = arena_strdup(arena, "");

	for (const struct field *field = fields; field->type; field++)
		if (!field_empty(field, object))
			text = join(arena, text, " ", field_text(field, object, arena));
	return text;
}

static const char *enum_text(const struct field *field, int value)
{
	for (int i = 0; field->names[i]; i++)
		if (i == value)
			return field->names[i];
	return "";
}

char *field_text(const struct field *field, const void *in, struct arena *arena)
{
	const void *member = (const char *)in + field->offset;
	const char *string;
	char text[64] = "";

	switch (field->type) {
	case FIELD_STRING:
	case FIELD_NETNS:
	case FIELD_PATH:
		string = *(const char *const *)member;
		return arena_strdup(arena, string ? string : "");
	case FIELD_BOOL: return arena_strdup(arena, *(const bool *)member ? "true" : "false");
	case FIELD_INT:
	case FIELD_UINT32:
	case FIELD_INT64:
	case FIELD_UINT64:
	case FIELD_PORT:
		return arena_strdup(arena, wide_text(integer_load(field->type, member), text));
	case FIELD_ENUM: return arena_strdup(arena, enum_text(field, *(const int *)member));
	case FIELD_IP: return arena_strdup(arena, ip_format(member, text));
	case FIELD_CIDR:
		if (!((const struct cidr *)member)->ip.family)
			break;
		return arena_strdup(arena, cidr_format(member, text));
	case FIELD_MAC: return arena_strdup(arena, mac_format(member, text));
	case FIELD_IFNAME: return arena_strdup(arena, member);
	case FIELD_DURATION:
		return arena_strdup(arena, duration_format(*(const int64_t *)member, text));
	case FIELD_LIST: return list_text(field, member, arena);
	case FIELD_OBJECT: return object_text(field->fields, member, arena);
	case FIELD_JSON: /* its reader is json.c, which this file cannot call */
	case FIELD_END: break;
	}
	return arena_strdup(arena, "");
}

/* ---- absence ---- */

static bool object_empty(const struct field *fields, const void *object)
{
	for (const struct field *field = fields; field->type; field++)
		if (!field_empty(field, object))
			return false;
	return true;
}

bool field_empty(const struct field *field, const void *in)
{
	const void *member = (const char *)in + field->offset;

	if (field->seen && *((const bool *)in + field->seen - 1))
		return false;
	switch (field->type) {
	case FIELD_STRING:
	case FIELD_NETNS:
	case FIELD_PATH: return !*(const char *const *)member || !**(const char *const *)member;
	case FIELD_BOOL: return !*(const bool *)member;
	case FIELD_INT:
	case FIELD_UINT32:
	case FIELD_INT64:
	case FIELD_UINT64:
	case FIELD_PORT:
	case FIELD_DURATION: return integer_load(field->type, member) == 0;
	case FIELD_ENUM: return *(const int *)member == 0;
	case FIELD_IP: return !((const struct ip *)member)->family;
	case FIELD_CIDR: return !((const struct cidr *)member)->ip.family;
	case FIELD_MAC: return !((const struct mac *)member)->set;
	case FIELD_IFNAME: return !*(const char *)member;
	case FIELD_LIST: return ((const struct list *)member)->n == 0;
	case FIELD_OBJECT: return object_empty(field->fields, member);
	case FIELD_JSON: return !*(void *const *)member;
	case FIELD_END: break;
	}
	return true;
}
