/*
 * Forwarding, whatever carries it: which carrier, what is remembered of it, and in which order. What is written down
 * comes before the rules, and goes after them, so that a call that was killed in between is cleaned by the next DEL.
 */
#include "firewall/forward.h"

#include "firewall/firewalld.h"
#include "firewall/forward_carrier.h"
#include "firewall/forward_record.h"
#include "kernel/nft.h"

#include <errno.h>

enum carrier { IPTABLES, NFTABLES, FIREWALLD };

/* firewalld's bus, when that is what carries. */
struct choice {
	enum carrier admit, keep_apart;
	struct dbus *bus;
};

static void choice_end(struct choice *choice)
{
	dbus_close(choice->bus);
}
#define auto_choice on_leave(choice_end)

static enum carrier rules_carrier(const struct forward *forward)
{
	return forward_iptables_usable(forward) ? IPTABLES : NFTABLES;
}

/* As the reference does, any other word is none. */
static int choose(const struct forward *forward, struct choice *choice, struct error *err)
{
	const char *backend = forward->backend;
	int r = 0;

	if (streq(backend, "iptables") || streq(backend, "nftables")) {
		choice->admit = streq(backend, "iptables") ? IPTABLES : NFTABLES;
		choice->keep_apart = choice->admit;
		return 0;
	}
	choice->keep_apart = rules_carrier(forward);
	choice->admit = FIREWALLD;
	if (streq(backend, "firewalld"))
		r = firewalld_open(&choice->bus, err);
	else if (!(choice->bus = firewalld_find()))
		choice->admit = choice->keep_apart;
	return r;
}

/* ---- adding and checking ---- */

/* 1: no address was known before; 0; or -errno. */
static int write_records(const struct forward *forward, const char *zone, struct error *err)
{
	int fresh = 1;

	list_each(address, &forward->addresses) {
		int r = record_write(&forward->owner, &address->ip, zone, err);

		if (r < 0)
			return r;
		fresh = fresh && r;
	}
	return fresh;
}

static int add_sources(const struct choice *choice, const struct forward *forward,
		       struct error *err)
{
	int r = write_records(forward, forward->zone, err);

	list_each(address, &forward->addresses)
		if (r >= 0)
			r = firewalld_add(choice->bus, forward->zone, &address->ip, err);
	return r < 0 ? r : 0;
}

static int add_rules(const struct choice *choice, const struct forward *forward, struct error *err)
{
	bool both = choice->admit == choice->keep_apart;
	unsigned parts = both ? FORWARD_ADMIT | FORWARD_KEEP_APART : FORWARD_KEEP_APART;
	int fresh = 0, r = forward_frames_add(forward, err);

	if (r < 0)
		return r;
	if (choice->keep_apart == NFTABLES)
		return forward_nftables_add(forward, parts, err);
	if (both)
		fresh = write_records(forward, "", err);
	if (fresh > 0 && forward->again)
		fresh = 0;
	return fresh < 0 ? fresh : forward_iptables_add(forward, parts, fresh, err);
}

int forward_add(const struct forward *forward, struct error *err)
{
	struct choice choice auto_choice = { 0 };
	int r = choose(forward, &choice, err);

	/* Who is kept apart must not be let through before. */
	if (r == 0 && (choice.admit != FIREWALLD || forward->policy != FORWARD_OPEN))
		r = add_rules(&choice, forward, err);
	if (r == 0 && choice.admit == FIREWALLD)
		r = add_sources(&choice, forward, err);
	return r;
}

/* The carrier that the owner's records tell of; -1 = there is none, or of something else. */
static int recorded_carrier(const struct owner *owner, struct arena *arena, const char **zone)
{
	records_t records = { 0 };

	if (record_list(owner, arena, &records, NULL) < 0)
		return -1;
	list_each(record, &records) {
		if (!record->mine || !record->address.family)
			continue;
		*zone = record->zone;
		return *record->zone ? FIREWALLD : IPTABLES;
	}
	return -1;
}

/* Where it was added counts, whatever else runs by now. */
static int choose_recorded(const struct forward *forward, struct arena *arena,
			   struct choice *choice, const char **zone, struct error *err)
{
	int carrier = recorded_carrier(&forward->owner, arena, zone);

	if (carrier < 0 || streq(forward->backend, "nftables"))
		return choose(forward, choice, err);
	choice->admit = (enum carrier)carrier;
	choice->keep_apart = carrier == FIREWALLD ? rules_carrier(forward) : (enum carrier)carrier;
	return carrier == FIREWALLD ? firewalld_open(&choice->bus, err) : 0;
}

static int check_rules(const struct choice *choice, const struct forward *forward,
		       struct error *err)
{
	unsigned parts = FORWARD_KEEP_APART;
	int r = forward_frames_check(forward, err);

	if (r < 0)
		return r;
	if (choice->admit == choice->keep_apart)
		parts |= FORWARD_ADMIT;
	return choice->keep_apart == IPTABLES ? forward_iptables_check(forward, parts, err)
					      : forward_nftables_check(forward, parts, err);
}

int forward_check(const struct forward *forward, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct choice choice auto_choice = { 0 };
	const char *zone = forward->zone;
	int r = choose_recorded(forward, &arena, &choice, &zone, err);

	if (r == 0 && choice.admit == FIREWALLD)
		list_each(address, &forward->addresses)
			if (r == 0)
				r = firewalld_check(choice.bus, zone, &address->ip, err);
	return r < 0 ? r : check_rules(&choice, forward, err);
}

/* ---- removing ---- */

struct source {
	const char *zone;
	struct ip address;
};

/* What DEL and GC have found out before they begin. */
struct doomed {
	struct arena arena;
	records_t records;
	LIST(struct source) sources;
	struct forward_removal rules;
};

static void doomed_free(struct doomed *doomed)
{
	arena_free(&doomed->arena);
}
#define auto_doomed on_leave(doomed_free)

static void doom_source(struct doomed *doomed, const char *zone, const struct ip *address)
{
	*list_add(&doomed->arena, &doomed->sources) = (struct source){ zone, *address };
}

/* An address that somebody else has by now keeps its rules. */
static void doom_records(struct doomed *doomed)
{
	list_each(record, &doomed->records) {
		if (!record->mine || !record->address.family)
			continue;
		doomed->rules.recorded = true;
		if (doomed->rules.owner)
			*list_add(&doomed->arena, &doomed->rules.owned) =
				cidr_host(&record->address);
		if (record_taken(&doomed->records, &record->address))
			continue;
		*list_add(&doomed->arena, &doomed->rules.addresses) = cidr_host(&record->address);
		if (*record->zone)
			doom_source(doomed, record->zone, &record->address);
	}
}

static bool is_recorded(const records_t *records, const struct ip *address)
{
	list_each(record, records)
		if (record->mine && ip_equal(&record->address, address))
			return true;
	return false;
}

/* Addresses of which nothing was written down: those of the reference, or of ours when /run was lost. */
static void doom_addresses(struct doomed *doomed, const struct forward *forward)
{
	list_each(address, &forward->addresses) {
		*list_add(&doomed->arena, &doomed->rules.owned) = *address;
		if (is_recorded(&doomed->records, &address->ip) ||
		    record_taken(&doomed->records, &address->ip))
			continue;
		*list_add(&doomed->arena, &doomed->rules.addresses) = cidr_host(&address->ip);
		if (streq(forward->backend, "iptables") || streq(forward->backend, "nftables"))
			continue;
		doom_source(doomed, forward->zone, &address->ip);
	}
}

static int remove_sources(const struct doomed *doomed, struct error *err)
{
	auto_dbus struct dbus *bus = NULL;
	int r = 0;

	if (!doomed->sources.n)
		return 0;
	bus = firewalld_find();
	if (!bus)
		return 0;
	list_each(source, &doomed->sources) {
		struct error later = { 0 };
		int r2 = firewalld_remove(bus, source->zone, &source->address, &later);

		if (r2 < 0)
			error_join(err, &later);
		r = r < 0 ? r : r2;
	}
	return r;
}

/* Everything is tried; what is written down goes last, and stays for another DEL when something failed. */
static int remove_doomed(struct doomed *doomed, struct error *err)
{
	struct error failed = { 0 }, later = { 0 };
	int r = remove_sources(doomed, &failed), r2 = forward_remove(&doomed->rules, &later);

	if (r2 < 0)
		error_join(&failed, &later);
	r = r < 0 ? r : r2;
	if (r < 0) {
		if (err)
			*err = failed;
		return r;
	}
	list_each(record, &doomed->records)
		if (record->mine)
			record_remove(record);
	return 0;
}

int forward_del(const struct forward *forward, struct error *err)
{
	struct doomed doomed auto_doomed = {
		.rules = { .owner = &forward->owner },
	};
	int r = record_list(&forward->owner, &doomed.arena, &doomed.records, err);

	if (r < 0)
		return r;
	doom_records(&doomed);
	doom_addresses(&doomed, forward);
	return remove_doomed(&doomed, err);
}

int forward_gc(const char *network, const owners_t *valid, struct error *err)
{
	struct doomed doomed auto_doomed = { .rules = { .network = network, .valid = valid } };
	int r = record_list_stale(network, valid, &doomed.arena, &doomed.records, err);

	if (r < 0)
		return r;
	doom_records(&doomed);
	return remove_doomed(&doomed, err);
}

/* ---- status ---- */

static int rules_status(const struct forward *forward, enum carrier carrier, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;

	if (carrier == NFTABLES)
		return nft_open(&nl, err);
	if (forward_iptables_usable(forward))
		return 0;
	return fail(err, ENOENT,
		    "back end \"iptables\" cannot be used: iptables-restore: not found");
}

int forward_status(const struct forward *forward, struct error *err)
{
	struct choice choice auto_choice = { 0 };
	int r = choose(forward, &choice, err);

	if (r == 0 && choice.admit == FIREWALLD)
		r = firewalld_status(choice.bus, err);
	if (r == 0 && (choice.admit != FIREWALLD || forward->policy != FORWARD_OPEN))
		r = rules_status(forward, choice.keep_apart, err);
	return r;
}

int forward_check_chain(const char *name, struct error *err)
{
	if (forward_iptables_chain_valid(name))
		return 0;
	return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
			 "\"%s\" is not a name of an iptables chain", name);
}
