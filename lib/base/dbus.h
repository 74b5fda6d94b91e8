/*
 * D-Bus: call a few methods on the system bus, as a client that is gone soon after. Only what that takes: strings as
 * arguments; from a reply its first value. Ours, since libdbus cannot be linked statically without libsystemd and would
 * nearly double the binary. Nothing waits longer than the deadline given in the beginning.
 */
#ifndef BASE_DBUS_H
#define BASE_DBUS_H

#include "base/arena.h"
#include "base/error.h"

struct dbus;

/* The system bus: where DBUS_SYSTEM_BUS_ADDRESS says, else its well-known socket. No bus: -ENOENT or -ECONNREFUSED.
 * Whatever is done with it must be done timeout_ms from now: -ETIMEDOUT with CNI code 11 otherwise. */
int dbus_open(struct dbus **bus, unsigned timeout_ms, struct error *err) must_check;
/* A new deadline from now on. */
void dbus_extend(struct dbus *bus, unsigned timeout_ms);
void dbus_close(struct dbus *bus);
void dbus_closep(struct dbus **bus);
#define auto_dbus on_leave(dbus_closep)

struct dbus_call {
	const char *destination, *path, *interface, *member;
	const char *const *args; /* NULL-terminated; NULL = none */
	bool no_start;           /* do not have the bus start the service */
};
struct dbus_reply {
	const char *error; /* the name of the error that the service answered with; "" = none */
	const char *
		text; /* its first value if that is a string (of an error: what it says); "" = it is not */
	bool value; /* its first value if that is a boolean */
};
/* 0 also when the answer is an error. Texts live in the arena. */
int dbus_call(struct dbus *bus, const struct dbus_call *call, struct arena *arena,
	      struct dbus_reply *reply, struct error *err) must_check;
/* Does somebody have this name on the bus? 1, 0 or -errno. */
int dbus_has_owner(struct dbus *bus, const char *name, struct error *err) must_check;

#endif
