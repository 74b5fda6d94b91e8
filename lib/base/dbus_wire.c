/*
 * Encoding and decoding of D-Bus messages. Every value is aligned to its size, counted from the beginning of the
 * message; header and body are in the byte order that the first byte tells. Nothing received is believed: each step of
 * the reader checks what is left, and a failed one makes all later ones fail.
 */
#include "base/dbus_wire.h"

#include <errno.h>

enum { FIXED_SIZE = 16, PROTOCOL = 1, NO_AUTO_START = 2, STRINGS_MAX = 16 };
enum { HEADER_ROOM = 256, STRING_ROOM = 8 }; /* more than lengths and alignment take */
enum header_field {
	FIELD_PATH = 1,
	FIELD_INTERFACE,
	FIELD_MEMBER,
	FIELD_ERROR_NAME,
	FIELD_REPLY_SERIAL,
	FIELD_DESTINATION,
	FIELD_SENDER,
	FIELD_SIGNATURE,
};

static const char native_order = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 'B' : 'l';

/* ---- reading ---- */

struct reader {
	const uint8_t *data;
	size_t size, at;
	bool big_endian, failed;
};

static const uint8_t *take(struct reader *reader, size_t size, size_t alignment)
{
	size_t at = (reader->at + alignment - 1) & ~(alignment - 1);

	if (reader->failed || at > reader->size || size > reader->size - at) {
		reader->failed = true;
		return NULL;
	}
	reader->at = at + size;
	return reader->data + at;
}

static uint8_t take_byte(struct reader *reader)
{
	const uint8_t *p = take(reader, 1, 1);

	return p ? *p : 0;
}

static uint32_t number(const uint8_t *p, bool big_endian)
{
	if (big_endian)
		return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint32_t take_number(struct reader *reader)
{
	const uint8_t *p = take(reader, 4, 4);

	return p ? number(p, reader->big_endian) : 0;
}

/* Text of that length with a NUL behind it and none inside; "" when it is not so. */
static const char *take_text(struct reader *reader, size_t len)
{
	const char *text = len < SIZE_MAX ? (const char *)take(reader, len + 1, 1) : NULL;

	if (text && !memchr(text, 0, len) && !text[len])
		return text;
	reader->failed = true;
	return "";
}

static const char *take_string(struct reader *reader)
{
	return take_text(reader, take_number(reader));
}

static const char *take_signature(struct reader *reader)
{
	return take_text(reader, take_byte(reader));
}

/* A value that we have no use for. Header fields hold basic types only. */
static void skip(struct reader *reader, char type)
{
	switch (type) {
	case 'y': take(reader, 1, 1); break;
	case 'n':
	case 'q': take(reader, 2, 2); break;
	case 'b':
	case 'i':
	case 'u':
	case 'h': take(reader, 4, 4); break;
	case 'x':
	case 't':
	case 'd': take(reader, 8, 8); break;
	case 's':
	case 'o': take_string(reader); break;
	case 'g': take_signature(reader); break;
	default: reader->failed = true;
	}
}

static void read_field(struct reader *reader, struct dbus_message *message)
{
	uint8_t code;
	const char *type;

	take(reader, 0, 8);
	code = take_byte(reader);
	type = take_signature(reader);
	if (code == FIELD_ERROR_NAME && streq(type, "s"))
		message->error = take_string(reader);
	else if (code == FIELD_REPLY_SERIAL && streq(type, "u"))
		message->reply_serial = take_number(reader);
	else if (code == FIELD_SIGNATURE && streq(type, "g"))
		message->signature = take_signature(reader);
	else if (strlen(type) == 1)
		skip(reader, *type);
	else
		reader->failed = true;
}

/* Sizes of header fields and body. 0, -EPROTO or -EMSGSIZE. */
static int read_sizes(const uint8_t *data, struct dbus_message *message, size_t *fields,
		      size_t *body)
{
	message->big_endian = data[0] == 'B';
	message->type = data[1];
	if ((data[0] != 'l' && data[0] != 'B') || !data[1] || data[3] != PROTOCOL)
		return -EPROTO;
	*body = number(data + 4, message->big_endian);
	*fields = number(data + 12, message->big_endian);
	return *body > DBUS_MESSAGE_MAX || *fields > DBUS_MESSAGE_MAX ||
			       *body + *fields + FIXED_SIZE + 7 > DBUS_MESSAGE_MAX
		       ? -EMSGSIZE
		       : 0;
}

ssize_t dbus_message_read(const void *data, size_t size, struct dbus_message *message)
{
	struct reader reader = { .data = data, .at = FIXED_SIZE };
	size_t fields, body, start;
	int r;

	*message = (struct dbus_message){ .error = "", .signature = "" };
	if (size < FIXED_SIZE)
		return 0;
	r = read_sizes(data, message, &fields, &body);
	if (r < 0)
		return r;
	start = (FIXED_SIZE + fields + 7) & ~(size_t)7;
	if (size < start + body)
		return 0;
	reader.size = FIXED_SIZE + fields;
	reader.big_endian = message->big_endian;
	while (!reader.failed && reader.at < reader.size)
		read_field(&reader, message);
	if (reader.failed)
		return -EPROTO;
	message->body = reader.data + start;
	message->body_size = body;
	return (ssize_t)(start + body);
}

static struct reader body_reader(const struct dbus_message *message)
{
	return (struct reader){ .data = message->body,
				.size = message->body_size,
				.big_endian = message->big_endian };
}

bool dbus_message_text(const struct dbus_message *message, const char **text)
{
	struct reader reader = body_reader(message);

	*text = "";
	if (*message->signature != 's')
		return false;
	*text = take_string(&reader);
	return !reader.failed;
}

bool dbus_message_bool(const struct dbus_message *message, bool *value)
{
	struct reader reader = body_reader(message);

	*value = false;
	if (*message->signature != 'b')
		return false;
	*value = take_number(&reader) == 1;
	return !reader.failed;
}

/* ---- writing ---- */

struct writer {
	uint8_t *data;
	size_t size, at;
};

static void put(struct writer *writer, const void *data, size_t size, size_t alignment)
{
	size_t at = (writer->at + alignment - 1) & ~(alignment - 1);

	if (at <= writer->size && size <= writer->size - at && size)
		memcpy(writer->data + at, data, size);
	writer->at = at + size;
}

static void put_byte(struct writer *writer, uint8_t value)
{
	put(writer, &value, 1, 1);
}

static void put_number(struct writer *writer, uint32_t value)
{
	put(writer, &value, 4, 4);
}

static void put_string(struct writer *writer, const char *text)
{
	put_number(writer, (uint32_t)strlen(text));
	put(writer, text, strlen(text) + 1, 1);
}

static void put_signature(struct writer *writer, const char *text)
{
	put_byte(writer, (uint8_t)strlen(text));
	put(writer, text, strlen(text) + 1, 1);
}

static void put_field(struct writer *writer, enum header_field code, const char *type,
		      const char *value)
{
	put(writer, NULL, 0, 8);
	put_byte(writer, code);
	put_signature(writer, type);
	if (*type == 'g')
		put_signature(writer, value);
	else
		put_string(writer, value);
}

static void put_fields(struct writer *writer, const struct dbus_call *call, const char *signature)
{
	put_field(writer, FIELD_PATH, "o", call->path);
	put_field(writer, FIELD_DESTINATION, "s", call->destination);
	put_field(writer, FIELD_INTERFACE, "s", call->interface);
	put_field(writer, FIELD_MEMBER, "s", call->member);
	if (*signature)
		put_field(writer, FIELD_SIGNATURE, "g", signature);
}

/* The number at that place, known only now. */
static void patch(struct writer *writer, size_t at, size_t value)
{
	uint32_t number32 = (uint32_t)value;

	memcpy(writer->data + at, &number32, sizeof(number32));
}

/* Enough for the message, and the signature of its arguments. 0: there are too many of them. */
static size_t measure(const struct dbus_call *call, char signature[STRINGS_MAX + 1])
{
	size_t n = 0, size = HEADER_ROOM + strlen(call->path) + strlen(call->destination) +
			     strlen(call->interface) + strlen(call->member);

	for (; call->args && call->args[n]; n++) {
		if (n == STRINGS_MAX)
			return 0;
		signature[n] = 's';
		size += strlen(call->args[n]) + STRING_ROOM;
	}
	signature[n] = '\0';
	return size;
}

ssize_t dbus_message_write(const struct dbus_call *call, uint32_t serial, struct arena *arena,
			   uint8_t **data)
{
	char signature[STRINGS_MAX + 1];
	struct writer writer = { .size = measure(call, signature) };
	size_t start;

	if (!writer.size || writer.size > DBUS_MESSAGE_MAX)
		return -EMSGSIZE;
	writer.data = arena_alloc(arena, writer.size);
	put_byte(&writer, (uint8_t)native_order);
	put_byte(&writer, DBUS_METHOD_CALL);
	put_byte(&writer, call->no_start ? NO_AUTO_START : 0);
	put_byte(&writer, PROTOCOL);
	put_number(&writer, 0); /* of the body */
	put_number(&writer, serial);
	put_number(&writer, 0); /* of the fields */
	put_fields(&writer, call, signature);
	patch(&writer, 12, writer.at - FIXED_SIZE);
	put(&writer, NULL, 0, 8);
	start = writer.at;
	for (size_t i = 0; i < strlen(signature); i++)
		put_string(&writer, call->args[i]);
	patch(&writer, 4, writer.at - start);
	*data = writer.data;
	return (ssize_t)writer.at;
}

/* ---- addresses ---- */

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c | ('A' <= c && c <= 'F' ? 0x20 : 0)) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* The value of a key, up to ',' or ';', behind what is in socket already. Its length, or -EINVAL. */
static ssize_t unescape(const char *value, char *socket, size_t len, size_t size)
{
	for (const char *p = value; *p && *p != ',' && *p != ';'; p++) {
		char c = *p;

		if (c == '%') {
			int high = hex_digit(p[1]), low = high < 0 ? -1 : hex_digit(p[2]);

			if (low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			p += 2;
		}
		if (!c || len + 1 >= size)
			return -EINVAL;
		socket[len++] = c;
	}
	socket[len] = '\0';
	return (ssize_t)len;
}

/* One entry: "unix:" and keys separated by ','. */
static ssize_t parse_entry(const char *entry, char *socket, size_t size)
{
	static const char unix_[] = "unix:", path[] = "path=", abstract[] = "abstract=";

	if (strncmp(entry, unix_, strlen(unix_)) != 0)
		return -EINVAL;
	for (entry += strlen(unix_); *entry && *entry != ';'; entry += *entry == ',') {
		if (strncmp(entry, path, strlen(path)) == 0)
			return unescape(entry + strlen(path), socket, 0, size);
		if (strncmp(entry, abstract, strlen(abstract)) == 0) {
			socket[0] = '\0';
			return unescape(entry + strlen(abstract), socket, 1, size);
		}
		entry += strcspn(entry, ",;");
	}
	return -EINVAL;
}

ssize_t dbus_address_parse(const char *address, char *socket, size_t size)
{
	while (*address) {
		ssize_t len = parse_entry(address, socket, size);

		if (len > 0)
			return len;
		address += strcspn(address, ";");
		address += *address == ';';
	}
	return -EINVAL;
}
