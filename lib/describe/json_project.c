/* What a table knows of a document, and nothing else. */
#include "describe/json.h"

static struct json *projected(const struct json *json, const struct field *fields);

static struct json *projected_list(const struct json *list, const struct field *fields)
{
	struct json *out = json_new_array();

	for (size_t i = 0; i < json_length(list); i++)
		json_append(out, projected(json_item(list, i), fields));
	return out;
}

/* Values of another type than the table's are left as they are: somebody else complains about them. */
static struct json *projected(const struct json *json, const struct field *fields)
{
	struct json *out;

	if (!json_is_object(json))
		return json_share(json);
	out = json_new_object();
	json_project(json, fields, out);
	return out;
}

void json_project(const struct json *json, const struct field *fields, struct json *out)
{
	for (const struct field *field = fields; field->type != FIELD_END; field++) {
		struct json *value = json_member(json, field->key);
		bool list = field->type == FIELD_LIST && field->element == FIELD_OBJECT;

		if (!value)
			continue;
		if (list && json_is_array(value))
			json_set(out, field->key, projected_list(value, field->fields));
		else if (field->type == FIELD_OBJECT)
			json_set(out, field->key, projected(value, field->fields));
		else
			json_set(out, field->key, json_share(value));
	}
}
