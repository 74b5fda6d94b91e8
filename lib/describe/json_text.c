/* JSON values to text, in the forms that the reference plugins print. */
#include "describe/jansson.h"

struct buffer {
	char *data;
	size_t len, size;
	bool escape;
};

static void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
}

static void buffer_add(struct buffer *buffer, const char *text, size_t len)
{
	if (buffer->len + len > buffer->size) {
		buffer->size = 2 * (buffer->len + len) + 256;
		buffer->data = xrealloc(buffer->data, buffer->size);
	}
	memcpy(buffer->data + buffer->len, text, len);
	buffer->len += len;
}

/*
 * What Go's encoder escapes and the library does not: <, > and &. They occur in strings only, so
 * the text can be rewritten without knowing where a string begins. (Go also escapes U+2028 and
 * U+2029; no name here can hold them.)
 */
static int buffer_dump(const char *text, size_t len, void *arg)
{
	struct buffer *buffer = arg;

	if (!buffer->escape) {
		buffer_add(buffer, text, len);
		return 0;
	}
	for (const char *end = text + len; text < end; text++) {
		const char *plain = text;

		while (text < end && *text != '<' && *text != '>' && *text != '&')
			text++;
		buffer_add(buffer, plain, (size_t)(text - plain));
		if (text == end)
			break;
		buffer_add(buffer,
			   *text == '<'   ? "\\u003c"
			   : *text == '>' ? "\\u003e"
					  : "\\u0026",
			   6);
	}
	return 0;
}

char *json_text(const struct json *json, enum json_style style, struct arena *arena)
{
	static const size_t flags[] = {
		[JSON_STYLE_COMPACT] = JSON_COMPACT,
		[JSON_STYLE_INDENT] = JSON_INDENT(4),
		[JSON_STYLE_SORTED] = JSON_INDENT(4) | JSON_SORT_KEYS,
		[JSON_STYLE_COMPACT_SORTED] = JSON_COMPACT | JSON_SORT_KEYS,
		[JSON_STYLE_INDENT_ONE] = JSON_INDENT(1),
	};
	on_leave(buffer_free) struct buffer buffer = { .escape = style != JSON_STYLE_COMPACT };

	json_dump_callback(json_inside(json), buffer_dump, &buffer, flags[style] | JSON_ENCODE_ANY);
	return arena_memdup(arena, buffer.data ? buffer.data : "", buffer.len);
}
