/* D-Bus messages: what is written, and that nothing malformed is believed. */
#include "base/dbus_wire.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct dbus_call hello = {
	.destination = "org.freedesktop.DBus",
	.path = "/org/freedesktop/DBus",
	.interface = "org.freedesktop.DBus",
	.member = "Hello",
};

/* An error of firewalld as a little-endian bus delivers it. */
static const uint8_t refused[] = "l\3\1\1\x1c\0\0\0\7\0\0\0\x5d\0\0\0"
				 "\4\1s\0\x26\0\0\0org.fedoraproject.FirewallD1.Exception\0\0"
				 "\5\1u\0\2\0\0\0"
				 "\6\1s\0\5\0\0\0:1.17\0\0\0"
				 "\x8\1g\0\1s\0\0"
				 "\7\1s\0\4\0\0\0:1.3\0\0\0\0"
				 "\x17\0\0\0ZONE_ALREADY_SET: 'x' y";

/* "true" in the other byte order. */
static const uint8_t yes[] = "B\2\1\1\0\0\0\4\0\0\0\7\0\0\0\x0f"
			     "\5\1u\0\0\0\0\2"
			     "\x8\1g\0\1b\0\0"
			     "\0\0\0\1";

TEST(dbus_call_is_laid_out_as_specified)
{
	auto_arena struct arena arena = { 0 };
	const uint8_t *want = (const uint8_t *)"l\1\0\1\0\0\0\0\1\0\0\0\x6e\0\0\0"
					       "\1\1o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0"
					       "\6\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"
					       "\2\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"
					       "\3\1s\0\5\0\0\0Hello\0\0\0";
	uint8_t *data;
	ssize_t n = dbus_message_write(&hello, 1, &arena, &data);

	check_int(n, 128);
	check(__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || (n == 128 && !memcmp(data, want, 128)));
}

TEST(dbus_call_with_arguments_reads_back)
{
	auto_arena struct arena arena = { 0 };
	const char *const args[] = { "trusted", "10.1.0.5/32", NULL };
	struct dbus_call call = hello;
	struct dbus_message message;
	const char *text;
	uint8_t *data;
	ssize_t n;

	call.args = args;
	call.no_start = true;
	n = dbus_message_write(&call, 9, &arena, &data);
	check_int(dbus_message_read(data, (size_t)n, &message), n);
	check_int(message.type, DBUS_METHOD_CALL);
	check_str(message.signature, "ss");
	check(dbus_message_text(&message, &text));
	check_str(text, "trusted");
	check_int(data[2], 2);
	for (ssize_t i = 0; i < n; i++)
		check_int(dbus_message_read(data, (size_t)i, &message), 0);
}

TEST(dbus_arguments_have_an_end)
{
	auto_arena struct arena arena = { 0 };
	const char *many[18] = { 0 };
	struct dbus_call call = hello;
	uint8_t *data;

	for (size_t i = 0; i < 17; i++)
		many[i] = "";
	call.args = many;
	check_int(dbus_message_write(&call, 1, &arena, &data), -EMSGSIZE);
	many[0] = arena_printf(&arena, "%065000d", 0);
	many[1] = arena_printf(&arena, "%01000d", 0);
	many[2] = NULL;
	check_int(dbus_message_write(&call, 1, &arena, &data), -EMSGSIZE);
	many[0] = NULL;
	check(dbus_message_write(&call, 1, &arena, &data) > 0);
}

TEST(dbus_replies_are_read_in_both_byte_orders)
{
	struct dbus_message message;
	const char *text;
	bool value;

	check_int(dbus_message_read(refused, sizeof(refused), &message), sizeof(refused));
	check_int(message.type, DBUS_ERROR);
	check_int(message.reply_serial, 2);
	check_str(message.error, "org.fedoraproject.FirewallD1.Exception");
	check(dbus_message_text(&message, &text));
	check_str(text, "ZONE_ALREADY_SET: 'x' y");
	check(!dbus_message_bool(&message, &value));
	check_int(dbus_message_read(yes, sizeof(yes) - 1, &message), sizeof(yes) - 1);
	check_int(message.reply_serial, 2);
	check(dbus_message_bool(&message, &value) && value);
	check(!dbus_message_text(&message, &text));
	check_str(text, "");
}

/* One byte of a good message changed. */
#define CHANGED(place, byte, want)                                            \
	do {                                                                  \
		uint8_t copy_[sizeof(refused)];                               \
		memcpy(copy_, refused, sizeof(refused));                      \
		copy_[place] = (byte);                                        \
		check_int(dbus_message_read(copy_, sizeof(copy_), &m), want); \
	} while (0)

TEST(dbus_messages_that_are_none_are_refused)
{
	struct dbus_message m;

	CHANGED(0, 'x', -EPROTO); /* byte order */
	CHANGED(1, 0, -EPROTO);   /* type 0 is invalid */
	CHANGED(3, 2, -EPROTO);   /* another protocol */
	CHANGED(6, 1, -EMSGSIZE); /* body of 64 KiB and more */
	CHANGED(7, 0xff, -EMSGSIZE);
	CHANGED(14, 1, -EMSGSIZE);
	CHANGED(15, 0xff, -EMSGSIZE);
	CHANGED(5, 1, 0);           /* the rest of a larger body is awaited */
	CHANGED(12, 0x5c, -EPROTO); /* the last field is cut */
	CHANGED(17, 0, -EPROTO);    /* a field of no type */
	CHANGED(18, 'a', -EPROTO);  /* of a type that is not basic */
	CHANGED(20, 0xff, -EPROTO); /* its text reaches beyond the fields */
	CHANGED(23, 0xff, -EPROTO);
	CHANGED(30, 0, -EPROTO);   /* a NUL within */
	CHANGED(62, 'x', -EPROTO); /* none behind */
}

TEST(dbus_values_do_not_reach_beyond_the_body)
{
	uint8_t copy[sizeof(refused)];
	struct dbus_message message;
	const char *text;

	memcpy(copy, refused, sizeof(refused));
	copy[sizeof(refused) - 28] = 0x18;
	check(dbus_message_read(copy, sizeof(copy), &message) > 0);
	check(!dbus_message_text(&message, &text));
	check_str(text, "");
	copy[sizeof(refused) - 28] = 0xff;
	copy[sizeof(refused) - 25] = 0xff;
	check(dbus_message_read(copy, sizeof(copy), &message) > 0);
	check(!dbus_message_text(&message, &text));
}

#define ADDRESS(text, want, want_len)                                                \
	do {                                                                         \
		check_int(dbus_address_parse((text), name, sizeof(name)), want_len); \
		check_str(name, want);                                               \
	} while (0)

TEST(dbus_addresses)
{
	char name[20] = "";

	ADDRESS("unix:path=/run/bus", "/run/bus", 8);
	ADDRESS("unix:guid=12,path=/run/b%2cs%5F,x=y", "/run/b,s_", 9);
	ADDRESS("tcp:host=h,port=1;unix:path=/b;unix:path=/c", "/b", 2);
	ADDRESS("unix:abstract=a", "", 2);
	check(name[1] == 'a');
	name[0] = '\0';
	check_int(dbus_address_parse("", name, sizeof(name)), -EINVAL);
	check_int(dbus_address_parse("unix:", name, sizeof(name)), -EINVAL);
	check_int(dbus_address_parse("unix:path=", name, sizeof(name)), -EINVAL);
	check_int(dbus_address_parse("unix:tmpdir=/x", name, sizeof(name)), -EINVAL);
	check_int(dbus_address_parse("autolaunch:", name, sizeof(name)), -EINVAL);
	check_int(dbus_address_parse("unix:path=/%0", name, sizeof(name)), -EINVAL);
	check_int(dbus_address_parse("unix:path=/%00", name, sizeof(name)), -EINVAL);
	check_int(dbus_address_parse("unix:path=/1234567890123456789", name, sizeof(name)),
		  -EINVAL);
	ADDRESS("unix:path=/123456789012345678", "/123456789012345678", 19);
}

TEST(dbus_without_a_bus_says_where_it_looked)
{
	struct dbus *bus = NULL;
	struct error err = { 0 };

	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	check_int(dbus_open(&bus, 1000, &err), -ENOENT);
	check_str(err.message,
		  "system bus: connect to /nonexistent/bus: No such file or directory");
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "tcp:host=example", 1);
	check_fails(dbus_open(&bus, 1000, &err), err,
		    "system bus: address \"tcp:host=example\" has no socket of this machine");
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
	check(!bus);
}

/* What comes of it when a bus says that to who connects, and then hangs up. */
static int adopted(const char *lines, bool hello_answered, struct error *err)
{
	static const uint8_t name[] = "l\2\1\1\t\0\0\0\1\0\0\0\x0f\0\0\0"
				      "\5\1u\0\1\0\0\0"
				      "\x8\1g\0\1s\0\0"
				      "\4\0\0\0:1.3";
	struct dbus *bus = NULL;
	int ends[2], r;

	*err = (struct error){ 0 };
	check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	check_int(write(ends[1], lines, strlen(lines)), (ssize_t)strlen(lines));
	if (hello_answered)
		check_int(write(ends[1], name, sizeof(name)), sizeof(name));
	shutdown(ends[1], SHUT_WR);
	r = dbus_adopt(&bus, ends[0], 5000, err);
	check(r < 0 ? !bus : bus != NULL);
	dbus_close(bus);
	close(ends[1]);
	return r;
}

TEST(dbus_authentication_is_a_few_lines)
{
	char endless[1000] = "";
	struct error err;

	check_ok(adopted("OK 0123456789abcdef\r\n", true, &err), err);
	check_ok(adopted("DATA\r\nOK 0123456789abcdef\r\n", true, &err), err);
	check_int(adopted("DATA\r\nOK 01\r\n", false, &err), -ECONNRESET);
	check_fails(adopted("REJECTED \x1b[2J\r\n", true, &err), err,
		    "the bus refused us: REJECTED ?[2J");
	check_int(adopted("DATA\r\nDATA\r\n", true, &err), -EACCES);
	check_int(adopted("OK", false, &err), -ECONNRESET);
	memset(endless, 'x', sizeof(endless) - 1);
	check_fails(adopted(endless, false, &err), err, "this is no message bus");
}
