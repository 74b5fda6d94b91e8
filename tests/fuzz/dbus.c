/*
 * What a message bus sends: messages one behind the other, read as a connection reads them. Their values must lie
 * inside of them. Input that begins with '@' is the address of a bus instead; with '!', all that a bus says to who connects, and asks
 * two things of it.
 */
#include "fuzz.h"

#include "base/dbus_wire.h"

#include <errno.h>
#include <sys/socket.h>

static void address(const char *text)
{
	char name[108];
	ssize_t len = dbus_address_parse(text, name, sizeof(name));

	fuzz_check(len == -EINVAL || (len > 0 && (size_t)len < sizeof(name) && !name[len]),
		   "length %zd", len);
}

static bool within(const void *inner, size_t inner_size, const void *outer, size_t outer_size)
{
	const uint8_t *a = inner, *b = outer;

	return a >= b && inner_size <= outer_size && (size_t)(a - b) <= outer_size - inner_size;
}

static void values(const struct dbus_message *message, const uint8_t *data, size_t size)
{
	const char *text;
	bool value;

	fuzz_check(within(message->body, message->body_size, data, size), "body");
	fuzz_check(!*message->error ||
			   within(message->error, strlen(message->error) + 1, data, size),
		   "name of the error");
	fuzz_check(!*message->signature ||
			   within(message->signature, strlen(message->signature) + 1, data, size),
		   "signature");
	if (dbus_message_text(message, &text))
		fuzz_check(within(text, strlen(text) + 1, message->body, message->body_size),
			   "text");
	else
		fuzz_check(!*text, "text that is none");
	if (!dbus_message_bool(message, &value))
		fuzz_check(!value, "value that is none");
}

/* Its lines and messages, whole in the socket before we say a word; then it hangs up. */
static void connection(const uint8_t *data, size_t size)
{
	auto_dbus struct dbus *bus = NULL;
	struct error err = { 0 };
	char line[2048];
	int ends[2], r;

	if (size > 65536 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return;
	fuzz_check(send(ends[1], data, size, MSG_NOSIGNAL) == (ssize_t)size, "it does not fit");
	shutdown(ends[1], SHUT_WR);
	r = dbus_adopt(&bus, ends[0], 5000, &err);
	for (int i = 0; i < 2 && r >= 0; i++)
		r = dbus_has_owner(bus, "org.example", &err);
	if (r < 0)
		fuzz_check(*err.message && r != -ETIMEDOUT, "%d: %s", r, err.message);
	for (const char *p = error_line(&err, line, sizeof(line)); *p; p++)
		fuzz_check((unsigned char)*p >= ' ' && *p != 127, "it steers a terminal: %s", line);
	close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	struct dbus_message message;
	ssize_t n;

	if (size && *data == '@') {
		address(arena_memdup(&arena, data + 1, size - 1));
		return 0;
	}
	if (size && *data == '!') {
		connection(data + 1, size - 1);
		return 0;
	}
	/* In a block of its own, so that a read beyond its end is seen. */
	for (const uint8_t *rest = arena_memdup(&arena, data, size); size;
	     rest += n, size -= (size_t)n) {
		n = dbus_message_read(rest, size, &message);
		if (n <= 0)
			break;
		fuzz_check((size_t)n <= size, "size %zd of %zu", n, size);
		values(&message, rest, (size_t)n);
	}
	return 0;
}
