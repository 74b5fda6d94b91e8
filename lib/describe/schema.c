/* JSON Schema (draft 2020-12) of a field table, for editors and validators. */
#include "describe/jansson.h"

static json_t *table_schema(const struct field *fields, const void *defaults);

static void set_text(json_t *schema, const char *key, const char *text)
{
	json_object_set_new(schema, key, json_inside(json_new_string(text)));
}

static void set_integer(json_t *schema, const struct field *field)
{
	char min[24], max[24];

	set_text(schema, "type", "integer");
	if (field_range(field, min, max)) {
		json_object_set_new(schema, "minimum", json_integer(strtoll(min, NULL, 10)));
		json_object_set_new(schema, "maximum", json_integer(strtoll(max, NULL, 10)));
	} else if (field->type == FIELD_UINT32 || field->type == FIELD_UINT64) {
		json_object_set_new(schema, "minimum", json_integer(0));
	}
}

static void set_enum(json_t *schema, const struct field *field)
{
	json_t *names = json_array();

	for (int i = 0; field->names[i]; i++)
		json_array_append_new(names, json_inside(json_new_string(field->names[i])));
	json_object_set_new(schema, "enum", names);
}

static json_t *both_types(const char *one, const char *other)
{
	json_t *types = json_array();

	json_array_append_new(types, json_inside(json_new_string(one)));
	json_array_append_new(types, json_inside(json_new_string(other)));
	return types;
}

static void set_ip(json_t *schema)
{
	json_t *formats = json_array(), *v4 = json_object(), *v6 = json_object();

	set_text(v4, "format", "ipv4");
	set_text(v6, "format", "ipv6");
	json_array_append_new(formats, v4);
	json_array_append_new(formats, v6);
	json_object_set_new(schema, "anyOf", formats);
}

/* What a value of that type looks like, without help and default. */
static json_t *value_schema(const struct field *field, const void *member)
{
	struct field element;
	json_t *schema = json_object();

	switch (field->type) {
	case FIELD_BOOL:
		if (field->flags & FIELD_LOOSE_BOOL)
			json_object_set_new(schema, "type", both_types("boolean", "string"));
		else
			set_text(schema, "type", "boolean");
		break;
	case FIELD_INT:
	case FIELD_UINT32:
	case FIELD_INT64:
	case FIELD_UINT64:
	case FIELD_PORT: set_integer(schema, field); break;
	case FIELD_ENUM: set_enum(schema, field); break;
	case FIELD_IP:
		set_text(schema, "type", "string");
		set_ip(schema);
		break;
	case FIELD_CIDR:
		set_text(schema, "type", "string");
		set_text(schema, "pattern", "^[0-9A-Fa-f.:]+/[0-9]{1,3}$");
		break;
	case FIELD_MAC:
		set_text(schema, "type", "string");
		set_text(schema, "pattern", "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$");
		break;
	case FIELD_IFNAME:
		set_text(schema, "type", "string");
		set_text(schema, "pattern", "^[^/:\\s]*$");
		json_object_set_new(schema, "maxLength", json_integer(15));
		break;
	case FIELD_DURATION:
		json_object_set_new(schema, "type", both_types("string", "integer"));
		break;
	case FIELD_OBJECT: json_decref(schema); return table_schema(field->fields, member);
	case FIELD_LIST:
		element = field_element(field);
		set_text(schema, "type", "array");
		json_object_set_new(schema, "items", value_schema(&element, NULL));
		break;
	case FIELD_JSON:
		if (field->flags & FIELD_ANY_OBJECT)
			set_text(schema, "type", "object");
		break;
	default: set_text(schema, "type", "string"); break;
	}
	return schema;
}

static json_t *row_schema(const struct field *field, const void *defaults)
{
	const void *member = defaults ? (const char *)defaults + field->offset : NULL;
	json_t *schema = value_schema(field, member);

	if (field->help)
		set_text(schema, "description", field->help);
	if (field->flags & FIELD_DEPRECATED)
		json_object_set_new(schema, "deprecated", json_from_bool(true));
	if (defaults && field->type != FIELD_OBJECT && !field_empty(field, defaults))
		json_object_set_new(schema, "default",
				    json_inside(json_encode_member(field, defaults)));
	return schema;
}

static json_t *table_schema(const struct field *fields, const void *defaults)
{
	json_t *schema = json_object(), *properties = json_object(), *required = json_array();

	set_text(schema, "type", "object");
	for (const struct field *field = fields; field->type; field++) {
		if (field->flags & FIELD_HIDDEN)
			continue;
		json_object_set_new(properties, field->key, row_schema(field, defaults));
		if (field->flags & FIELD_REQUIRED)
			json_array_append_new(required, json_inside(json_new_string(field->key)));
	}
	json_object_set_new(schema, "properties", properties);
	if (json_array_size(required))
		json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}

struct json *json_schema(const struct field *fields, const void *defaults, const char *title)
{
	json_t *schema = json_object(), *table = table_schema(fields, defaults);

	set_text(schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
	if (title)
		set_text(schema, "title", title);
	json_object_update(schema, table);
	json_decref(table);
	return json_outside(schema);
}
