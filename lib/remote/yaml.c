/* From libyaml's document to values. */
#include "remote/yaml.h"

#include <errno.h>
#include <yaml.h>

#include "base/text.h"

enum { DEPTH_MAX = 32, VALUES_MAX = 100000 };

struct walk {
	yaml_document_t *document;
	unsigned n_values;
	struct error *err;
};

static struct json *value_of(struct walk *walk, int id, unsigned depth);

static int refuse(struct walk *walk, const yaml_node_t *node, const char *what)
{
	return fail_code(walk->err, CNI_DECODE_FAILURE, EINVAL, "line %zu: %s",
			 node->start_mark.line + 1, what);
}

static struct json *scalar(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (plain && (streq(text, "true") || streq(text, "True")))
		return json_new_bool(true);
	if (plain && (streq(text, "false") || streq(text, "False")))
		return json_new_bool(false);
	if (plain && (!*text || streq(text, "~") || streq(text, "null")))
		return json_new_null();
	return json_new_string(text);
}

static struct json *mapping(struct walk *walk, const yaml_node_t *node, unsigned depth)
{
	auto_json struct json *object = json_new_object();

	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(walk->document, pair->key);
		struct json *value;

		if (!key || key->type != YAML_SCALAR_NODE) {
			refuse(walk, node, "a key that is no word");
			return NULL;
		}
		value = value_of(walk, pair->value, depth);
		if (!value)
			return NULL;
		json_set(object, (const char *)key->data.scalar.value, value);
	}
	return take_ptr(object);
}

static struct json *sequence(struct walk *walk, const yaml_node_t *node, unsigned depth)
{
	auto_json struct json *array = json_new_array();

	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		struct json *value = value_of(walk, *item, depth);

		if (!value)
			return NULL;
		json_append(array, value);
	}
	return take_ptr(array);
}

static struct json *value_of(struct walk *walk, int id, unsigned depth)
{
	yaml_node_t *node = yaml_document_get_node(walk->document, id);

	if (!node)
		return json_new_null();
	if (depth > DEPTH_MAX || ++walk->n_values > VALUES_MAX) {
		refuse(walk, node, depth > DEPTH_MAX ? "nested too deeply" : "too many values");
		return NULL;
	}
	switch (node->type) {
	case YAML_SCALAR_NODE: return scalar(node);
	case YAML_MAPPING_NODE: return mapping(walk, node, depth + 1);
	case YAML_SEQUENCE_NODE: return sequence(walk, node, depth + 1);
	default: return json_new_null();
	}
}

struct json *yaml_parse(const char *text, size_t size, struct error *err)
{
	yaml_parser_t parser;
	yaml_document_t document;
	struct walk walk = { &document, 0, err };
	struct json *value = NULL;

	if (!yaml_parser_initialize(&parser)) {
		fail(err, ENOMEM, "no memory for YAML");
		return NULL;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (yaml_parser_load(&parser, &document)) {
		yaml_node_t *root = yaml_document_get_root_node(&document);

		if (root)
			value = value_of(&walk, 1, 0);
		else
			fail_code(err, CNI_DECODE_FAILURE, EINVAL, "the file is empty");
		yaml_document_delete(&document);
	} else {
		fail_code(err, CNI_DECODE_FAILURE, EINVAL, "line %zu: %s",
			  parser.problem_mark.line + 1,
			  parser.problem ? parser.problem : "no YAML");
	}
	yaml_parser_delete(&parser);
	return value;
}
