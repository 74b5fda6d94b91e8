/*
 * A connection to the system bus: a socket, the few lines of authentication, then messages. We are named by the
 * credentials of the socket (EXTERNAL without a name, as the kernel knows us also from inside a user namespace), then
 * "Hello", after which the bus lets us call others. One call at a time; what else arrives is not for us.
 */
#include "base/dbus.h"

#include "base/clock.h"
#include "base/dbus_wire.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DEFAULT_ADDRESS "unix:path=/var/run/dbus/system_bus_socket"
#define ADDRESS_ENV     "DBUS_SYSTEM_BUS_ADDRESS"
#define BUS_NAME        "org.freedesktop.DBus"
#define BUS_PATH        "/org/freedesktop/DBus"
#define RETRY_MS        10
#define LINE_MAX_LEN    512

struct dbus {
	int fd;
	int64_t deadline; /* clock_ms() */
	uint32_t serial;
	size_t size; /* received and not yet read */
	char in[DBUS_MESSAGE_MAX];
};

/* ---- the socket ---- */

static int too_late(struct error *err)
{
	return fail_code(err, CNI_TRY_AGAIN_LATER, ETIMEDOUT, "no answer in time");
}

/* Wait for the socket, at most until the deadline. */
static int wait_for(struct dbus *bus, short events, struct error *err)
{
	struct pollfd pollfd = { .fd = bus->fd, .events = events };
	int64_t left = bus->deadline - clock_ms();
	int r = left > 0 ? poll(&pollfd, 1, (int)left) : 0;

	if (r == 0)
		return too_late(err);
	return r < 0 && errno != EINTR ? fail_errno(err, errno, "wait") : 0;
}

static int send_all(struct dbus *bus, const void *data, size_t size, struct error *err)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = send(bus->fd, (const char *)data + done, size - done, MSG_NOSIGNAL);
		int r = 0;

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			r = wait_for(bus, POLLOUT, err);
		else if (errno != EINTR)
			r = fail_errno(err, errno, "send");
		if (r < 0)
			return r;
	}
	return 0;
}

/* More of what the bus says, behind what is there. */
static int receive(struct dbus *bus, struct error *err)
{
	for (;;) {
		ssize_t n = recv(bus->fd, bus->in + bus->size, sizeof(bus->in) - bus->size, 0);
		int r = 0;

		if (n > 0) {
			bus->size += (size_t)n;
			return 0;
		}
		if (n == 0)
			r = fail(err, ECONNRESET, "the bus hung up");
		else if (errno == EAGAIN)
			r = wait_for(bus, POLLIN, err);
		else if (errno != EINTR)
			r = fail_errno(err, errno, "receive");
		if (r < 0)
			return r;
	}
}

static void consume(struct dbus *bus, size_t size)
{
	bus->size -= size;
	memmove(bus->in, bus->in + size, bus->size);
}

/* A full backlog gives EAGAIN, and nothing to poll for. */
static int connect_socket(struct dbus *bus, const struct sockaddr_un *name, socklen_t len,
			  struct error *err)
{
	bus->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bus->fd < 0)
		return fail_errno(err, errno, "make a socket");
	while (connect(bus->fd, (const struct sockaddr *)name, len) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return fail_errno(err, errno, "connect to %s",
					  name->sun_path[0] ? name->sun_path : name->sun_path + 1);
		if (clock_ms() >= bus->deadline)
			return too_late(err);
		poll(NULL, 0, RETRY_MS);
	}
	return 0;
}

static int connect_bus(struct dbus *bus, struct error *err)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const char *address = getenv(ADDRESS_ENV);
	ssize_t len;

	if (!address || !*address)
		address = DEFAULT_ADDRESS;
	len = dbus_address_parse(address, name.sun_path, sizeof(name.sun_path));
	if (len < 0)
		return fail(err, EINVAL, "address \"%s\" has no socket of this machine", address);
	return connect_socket(bus, &name,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len +
					  (name.sun_path[0] ? 1 : 0)),
			      err);
}

/* ---- authentication ---- */

/* One line, without its end, which a NUL replaces. */
static int read_line(struct dbus *bus, char line[LINE_MAX_LEN], struct error *err)
{
	for (;;) {
		char *end = memchr(bus->in, '\n', bus->size);
		size_t len = end ? (size_t)(end - bus->in) : bus->size;
		int r;

		if (len >= LINE_MAX_LEN)
			return fail(err, EPROTO, "this is no message bus");
		if (end) {
			memcpy(line, bus->in, len);
			line[len] = '\0';
			line[strcspn(line, "\r")] = '\0';
			consume(bus, len + 1);
			return 0;
		}
		r = receive(bus, err);
		if (r < 0)
			return r;
	}
}

/* All that we have to say is said at once: the bus answers each line. */
static int authenticate(struct dbus *bus, struct error *err)
{
	static const char words[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
	char line[LINE_MAX_LEN];
	int r = send_all(bus, words, sizeof(words) - 1, err);

	if (r == 0)
		r = read_line(bus, line, err);
	if (r == 0 && has_prefix(line, "DATA"))
		r = read_line(bus, line, err);
	if (r < 0 || has_prefix(line, "OK"))
		return r;
	text_mask(line);
	return fail(err, EACCES, "the bus refused us: %s", line);
}

/* ---- calls ---- */

/* The answer to that call; what else arrives is dropped. The message stays in the buffer: consume() its size. */
static int read_reply(struct dbus *bus, uint32_t serial, struct dbus_message *message, size_t *size,
		      struct error *err)
{
	for (;;) {
		ssize_t n = dbus_message_read(bus->in, bus->size, message);
		int r = 0;

		if (n < 0)
			return fail(err, (int)-n,
				    n == -EMSGSIZE ? "an answer is too large"
						   : "an answer is malformed");
		*size = (size_t)n;
		if (n > 0 && (message->type == DBUS_METHOD_RETURN || message->type == DBUS_ERROR) &&
		    message->reply_serial == serial)
			return 0;
		if (n > 0)
			consume(bus, (size_t)n);
		else
			r = receive(bus, err);
		if (r < 0)
			return r;
	}
}

static int call_and_wait(struct dbus *bus, const struct dbus_call *call, struct arena *arena,
			 struct dbus_reply *reply, struct error *err)
{
	uint32_t serial = ++bus->serial;
	struct dbus_message message = { 0 };
	const char *text;
	uint8_t *data;
	size_t size = 0;
	ssize_t n = dbus_message_write(call, serial, arena, &data);
	int r;

	*reply = (struct dbus_reply){ .error = "", .text = "" };
	if (n < 0)
		return fail(err, (int)-n, "an argument is too large");
	r = send_all(bus, data, (size_t)n, err);
	if (r == 0)
		r = read_reply(bus, serial, &message, &size, err);
	if (r < 0)
		return r;
	dbus_message_text(&message, &text);
	dbus_message_bool(&message, &reply->value);
	reply->text = arena_strdup(arena, text);
	if (message.type == DBUS_ERROR)
		reply->error = *message.error ? arena_strdup(arena, message.error) : "error";
	consume(bus, size);
	return 0;
}

int dbus_call(struct dbus *bus, const struct dbus_call *call, struct arena *arena,
	      struct dbus_reply *reply, struct error *err)
{
	int r = call_and_wait(bus, call, arena, reply, err);

	return r < 0 ? wrap(err, "call %s of %s", call->member, call->destination) : 0;
}

/* A call of the bus itself, which must not fail. */
static int call_bus(struct dbus *bus, const char *member, const char *const *args,
		    struct arena *arena, struct dbus_reply *reply, struct error *err)
{
	struct dbus_call call = { .destination = BUS_NAME,
				  .path = BUS_PATH,
				  .interface = BUS_NAME,
				  .member = member,
				  .args = args };
	int r = dbus_call(bus, &call, arena, reply, err);

	if (r == 0 && *reply->error)
		r = fail(err, EIO, "%s: %s", member, *reply->text ? reply->text : reply->error);
	return r;
}

int dbus_has_owner(struct dbus *bus, const char *name, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *const args[] = { name, NULL };
	struct dbus_reply reply;
	int r = call_bus(bus, "NameHasOwner", args, &arena, &reply, err);

	return r < 0 ? r : reply.value;
}

/* ---- from beginning to end ---- */

static struct dbus *bus_new(int fd, unsigned timeout_ms)
{
	struct dbus *bus = xrealloc(NULL, sizeof(*bus));

	bus->fd = fd;
	dbus_extend(bus, timeout_ms);
	bus->serial = 0;
	bus->size = 0;
	return bus;
}

static int greet(struct dbus *bus, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct dbus_reply reply;
	int r = authenticate(bus, err);

	return r < 0 ? r : call_bus(bus, "Hello", NULL, &arena, &reply, err);
}

int dbus_open(struct dbus **bus, unsigned timeout_ms, struct error *err)
{
	auto_dbus struct dbus *new = bus_new(-1, timeout_ms);
	int r = connect_bus(new, err);

	if (r == 0)
		r = greet(new, err);
	if (r < 0)
		return wrap(err, "system bus");
	*bus = take_ptr(new);
	return 0;
}

int dbus_adopt(struct dbus **bus, int fd, unsigned timeout_ms, struct error *err)
{
	auto_dbus struct dbus *new = bus_new(fd, timeout_ms);
	int r = greet(new, err);

	if (r < 0)
		return r;
	*bus = take_ptr(new);
	return 0;
}

void dbus_extend(struct dbus *bus, unsigned timeout_ms)
{
	bus->deadline = clock_ms() + timeout_ms;
}

void dbus_close(struct dbus *bus)
{
	if (!bus)
		return;
	close_fd(&bus->fd);
	free(bus);
}

void dbus_closep(struct dbus **bus)
{
	dbus_close(*bus);
}
