/*
 * Calls of firewalld. What it refuses comes back as one kind of D-Bus error whose text begins with a word such as
 * ZONE_ALREADY_SET; that word decides. Sources are part of its runtime configuration: a reload forgets them.
 */
#include "firewall/firewalld.h"

#include "base/text.h"

#include <errno.h>

#define NAME           "org.fedoraproject.FirewallD1"
#define PATH           "/org/fedoraproject/FirewallD1"
#define ZONE_INTERFACE NAME ".zone"
#define FIND_MS        5000  /* is it there? */
#define CALLS_MS       60000 /* it does one thing after the other, and a reload takes seconds */

struct dbus *firewalld_find(void)
{
	auto_dbus struct dbus *bus = NULL;

	if (dbus_open(&bus, FIND_MS, NULL) < 0 || dbus_has_owner(bus, NAME, NULL) != 1)
		return NULL;
	dbus_extend(bus, CALLS_MS);
	return take_ptr(bus);
}

int firewalld_open(struct dbus **bus, struct error *err)
{
	int r = dbus_open(bus, FIND_MS, err);

	if (r < 0)
		return wrap(err, "firewalld");
	dbus_extend(*bus, CALLS_MS);
	return 0;
}

/* A method of the zone interface, which all take a zone and a source. */
static int call(struct dbus *bus, const char *member, const char *zone, const struct ip *address,
		bool no_start, struct arena *arena, struct dbus_reply *reply, struct error *err)
{
	struct cidr host = cidr_host(address);
	char source[CIDR_TEXT_SIZE];
	const char *const args[] = { zone, cidr_format(&host, source), NULL };
	struct dbus_call request = { .destination = NAME,
				     .path = PATH,
				     .interface = ZONE_INTERFACE,
				     .member = member,
				     .args = args,
				     .no_start = no_start };

	return dbus_call(bus, &request, arena, reply, err);
}

/* What it says, in words that may go to a terminal. */
static const char *reason(const struct dbus_reply *reply, struct arena *arena)
{
	char *text = arena_strdup(arena, *reply->text ? reply->text : reply->error);

	text_mask(text);
	return text;
}

/* Is the answer one of these refusals? */
static bool refuses(const struct dbus_reply *reply, const char *const *words)
{
	for (; *words; words++)
		if (has_prefix(reply->text, *words) || streq(reply->error, *words))
			return true;
	return false;
}

int firewalld_add(struct dbus *bus, const char *zone, const struct ip *address, struct error *err)
{
	static const char *const fine[] = { "ZONE_ALREADY_SET", "ALREADY_ENABLED", NULL };
	auto_arena struct arena arena = { 0 };
	char text[IP_TEXT_SIZE];
	struct dbus_reply reply;
	int r = call(bus, "addSource", zone, address, false, &arena, &reply, err);

	if (r == 0 && *reply.error && !refuses(&reply, fine))
		r = fail(err, EIO, "%s", reason(&reply, &arena));
	return r < 0 ? wrap(err, "failed to add the address %s to %s zone",
			    ip_format(address, text), zone)
		     : 0;
}

int firewalld_remove(struct dbus *bus, const char *zone, const struct ip *address,
		     struct error *err)
{
	static const char *const fine[] = { "UNKNOWN_SOURCE",
					    "NOT_ENABLED",
					    "ZONE_CONFLICT",
					    "INVALID_ZONE",
					    "org.freedesktop.DBus.Error.ServiceUnknown",
					    "org.freedesktop.DBus.Error.NameHasNoOwner",
					    NULL };
	auto_arena struct arena arena = { 0 };
	char text[IP_TEXT_SIZE];
	struct dbus_reply reply;
	int r = call(bus, "removeSource", zone, address, true, &arena, &reply, err);

	if (r == 0 && *reply.error && !refuses(&reply, fine))
		r = fail(err, EIO, "%s", reason(&reply, &arena));
	return r < 0 ? wrap(err, "failed to remove the address %s from %s zone",
			    ip_format(address, text), zone)
		     : 0;
}

/* An answer "false" counts, too. */
int firewalld_check(struct dbus *bus, const char *zone, const struct ip *address, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	char text[IP_TEXT_SIZE];
	struct dbus_reply reply;
	int r = call(bus, "querySource", zone, address, true, &arena, &reply, err);

	if (r < 0)
		return r;
	if (*reply.error)
		return fail(err, EIO, "failed to find the address %s in %s zone: %s",
			    ip_format(address, text), zone, reason(&reply, &arena));
	if (!reply.value)
		return fail(err, ENOENT, "failed to find the address %s in %s zone",
			    ip_format(address, text), zone);
	return 0;
}

int firewalld_status(struct dbus *bus, struct error *err)
{
	int r = dbus_has_owner(bus, NAME, err);

	if (r == 0)
		return fail(err, ESRCH, "firewalld does not run");
	return r < 0 ? wrap(err, "firewalld") : 0;
}
