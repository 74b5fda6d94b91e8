/* D-Bus as bytes (D-Bus specification 0.41, "Message Protocol"): messages, the address, and what stands behind a socket. */
#ifndef BASE_DBUS_WIRE_H
#define BASE_DBUS_WIRE_H

#include "base/dbus.h"

#include <sys/types.h>

#define DBUS_MESSAGE_MAX ((size_t)64 << 10) /* of the 128 MiB that the specification allows */

enum dbus_type { DBUS_METHOD_CALL = 1, DBUS_METHOD_RETURN, DBUS_ERROR, DBUS_SIGNAL };

/* A message as it was received; pointers go into the buffer. */
struct dbus_message {
	uint8_t type; /* enum dbus_type, or one that we do not know */
	uint32_t reply_serial;
	const char *error;     /* its name, "" = none */
	const char *signature; /* of the values, "" = none */
	const uint8_t *body;
	size_t body_size;
	bool big_endian;
};

/* The message at the beginning of data: its size, 0 when there is not all of it yet, -EPROTO when it is none, -EMSGSIZE
 * when it is larger than DBUS_MESSAGE_MAX. */
ssize_t dbus_message_read(const void *data, size_t size, struct dbus_message *message) must_check;
/* The first value: false when it has another type, or there is none. */
bool dbus_message_text(const struct dbus_message *message, const char **text);
bool dbus_message_bool(const struct dbus_message *message, bool *value);

/* A method call in the byte order of this machine, in the arena. -EMSGSIZE: too large. */
ssize_t dbus_message_write(const struct dbus_call *call, uint32_t serial, struct arena *arena,
			   uint8_t **data) must_check;

/*
 * The socket that an address (a list separated by ';') names first: "unix:path=/run/x" or "unix:abstract=x", its
 * %-escapes resolved. An abstract one begins with a NUL. Its length, or -EINVAL: there is none that we understand.
 */
ssize_t dbus_address_parse(const char *address, char *socket, size_t size) must_check;

/* A bus behind a socket that is connected, does not block, and is the bus' from then on, whatever comes of it. */
int dbus_adopt(struct dbus **bus, int fd, unsigned timeout_ms, struct error *err) must_check;

#endif
