/* Calls to bindings, and what becomes of bindings to who waits for it. */
#include "dhcp/keeper.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"

enum { ANSWER_SLACK_MS = 5000 };
/* What was sent must be out of the container before the interface is removed: the kernel drops what is on the way. */
enum { PASSAGE_MS = 10 };

static struct binding *find(const struct keeper *k, const struct owner *owner)
{
	for (struct binding *b = k->first; b; b = b->next)
		if (streq(b->record.network, owner->network) &&
		    streq(b->record.container, owner->container) &&
		    streq(b->record.ifname, owner->ifname))
			return b;
	return NULL;
}

static void forget(struct keeper *k, struct binding *binding)
{
	struct binding **at = &k->first;

	while (*at && *at != binding)
		at = &(*at)->next;
	if (*at)
		*at = binding->next;
}

static void answer_lease(struct peer *peer, const struct dhcp_lease *lease)
{
	peer_answer(peer, &(struct dhcp_answer){ .has_lease = true, .lease = *lease });
}

static void end(struct keeper *k, struct binding *b, bool release, const struct error *err)
{
	struct peer *waiting = take_ptr(b->waiting);

	forget(k, b);
	binding_end(b, release);
	if (waiting)
		peer_error(waiting, err);
}

static void changed(void *arg, struct binding *b, enum dhcp_event event, const struct error *err)
{
	struct keeper *k = arg;

	if (event == DHCP_FAILED) {
		binding_note(b, "%s", err->message);
		end(k, b, false, err);
	} else if (event == DHCP_GRANTED && b->waiting) {
		answer_lease(take_ptr(b->waiting), &b->client.lease);
	}
}

/* ---- calls ---- */

static struct owner owner_of(const struct dhcp_call *call)
{
	return (struct owner){ call->network, call->container, call->ifname };
}

static bool names_owner(const struct dhcp_call *call)
{
	return call->network && *call->network && call->container && *call->container &&
	       call->ifname && *call->ifname;
}

static void answer_failure(struct peer *peer, int code, int errnum, const char *text)
{
	struct error err = { 0 };

	fail_code(&err, code, errnum, "%s", text);
	peer_error(peer, &err);
}

/* A new binding for the call's container; NULL when the peer has been told why not. */
static struct binding *begin(struct keeper *k, struct peer *peer, const struct dhcp_call *call,
			     int *netns)
{
	struct dhcp_record record = { .network = call->network,
				      .container = call->container,
				      .ifname = call->ifname,
				      .netns = call->netns,
				      .options = call->options };
	struct error err = { 0 };
	struct binding *b;

	if (*netns < 0 || !call->options.client_id) {
		answer_failure(peer, 0, EINVAL, "the call lacks a namespace or a client id");
		return NULL;
	}
	if (binding_open(&b, &k->env, &record, netns, &err)) {
		peer_error(peer, &err);
		return NULL;
	}
	b->next = k->first;
	k->first = b;
	b->waiting = peer;
	return b;
}

/* A lease that is there is given again: the runtime did not hear of it, or asks twice. One of an earlier container of
 * the same name ends. */
static void allocate(struct keeper *k, struct peer *peer, const struct dhcp_call *call, int *netns)
{
	struct owner owner = owner_of(call);
	struct binding *b = find(k, &owner);

	if (b && b->waiting) {
		answer_failure(peer, CNI_TRY_AGAIN_LATER, EBUSY,
			       "the address is being asked for already");
		return;
	}
	if (b && *netns >= 0 && b->client.usable && binding_is_at(b, *netns, call->ifname)) {
		answer_lease(peer, &b->client.lease);
		return;
	}
	if (b)
		end(k, b, true, NULL);
	b = begin(k, peer, call, netns);
	if (!b)
		return;
	peer_wait(peer, k->env.timings.resend_total_ms + ANSWER_SLACK_MS);
	binding_start(b);
}

/* An attachment that we do not know may have been made by another daemon, which is gone: it is taken over if the
 * server agrees to the address that the runtime remembers. */
static void adopt(struct keeper *k, struct peer *peer, const struct dhcp_call *call, int *netns)
{
	struct binding *b;

	if (!dhcp_usable(&call->address)) {
		answer_failure(peer, 0, ENOENT, "the DHCP daemon has no lease for this interface");
		return;
	}
	b = begin(k, peer, call, netns);
	if (!b)
		return;
	peer_wait(peer, k->env.timings.timeout_ms + ANSWER_SLACK_MS);
	binding_reboot(b, &call->address);
}

static void check(struct keeper *k, struct peer *peer, const struct dhcp_call *call, int *netns)
{
	struct owner owner = owner_of(call);
	struct binding *b = find(k, &owner);

	if (!b)
		adopt(k, peer, call, netns);
	else if (b->waiting)
		answer_failure(peer, CNI_TRY_AGAIN_LATER, EBUSY,
			       "the address is being asked for already");
	else if (!b->client.usable)
		answer_failure(peer, 0, EADDRNOTAVAIL,
			       "the lease is lost: the DHCP server does not give the address "
			       "again yet");
	else if (*netns >= 0 && !binding_is_at(b, *netns, call->ifname))
		answer_failure(peer, 0, ESTALE, "the lease is that of another interface");
	else
		answer_lease(peer, &b->client.lease);
}

static void release(struct keeper *k, struct peer *peer, const struct dhcp_call *call)
{
	struct owner owner = owner_of(call);
	struct binding *b = find(k, &owner);
	struct error err = { 0 };

	fail(&err, ECANCELED, "the attachment was removed");
	if (b)
		end(k, b, true, &err);
	else
		store_remove(k->env.folder, &owner);
	peer_answer_later(peer, b ? PASSAGE_MS : 0, &(struct dhcp_answer){ 0 });
}

static void collect(struct keeper *k, struct peer *peer, const struct dhcp_call *call)
{
	struct error err = { 0 };

	fail(&err, ECANCELED, "the attachment is no longer valid");
	for (struct binding *b = k->first, *next; b; b = next) {
		next = b->next;
		if (streq(b->record.network, call->network) &&
		    !owners_have(&call->attachments, b->record.container, b->record.ifname))
			end(k, b, true, &err);
	}
	peer_answer(peer, &(struct dhcp_answer){ 0 });
}

static struct dhcp_entry entry_of(const struct binding *b, int64_t now)
{
	const struct dhcp_lease *lease = &b->client.lease;
	bool ends = b->client.has_lease && lease->seconds != DHCP_FOREVER;

	return (struct dhcp_entry){
		.network = b->record.network,
		.container = b->record.container,
		.ifname = b->record.ifname,
		.netns = b->record.netns,
		.state = (int)b->client.state,
		.usable = b->client.usable,
		.address = lease->address,
		.server = lease->server,
		.mac = b->record.mac,
		.forever = b->client.has_lease && !ends,
		.expires = ends ? (dhcp_lease_end(lease) - now) / 1000 : 0,
		.renews = ends ? (dhcp_lease_renew(lease) - now) / 1000 : 0,
	};
}

static void list(struct keeper *k, struct peer *peer)
{
	auto_arena struct arena arena = { 0 };
	struct dhcp_answer answer = { 0 };
	int64_t now = clock_boot_ms();

	for (struct binding *b = k->first; b; b = b->next)
		*list_add(&arena, &answer.leases) = entry_of(b, now);
	peer_answer(peer, &answer);
}

static void handle_call(void *arg, struct peer *peer, const struct dhcp_call *call, int *netns)
{
	struct keeper *k = arg;
	bool of_one = call->verb <= CALL_RELEASE;

	if (of_one && !names_owner(call)) {
		answer_failure(peer, 0, EINVAL, "the call does not say for whom");
		return;
	}
	switch (call->verb) {
	case CALL_ALLOCATE: allocate(k, peer, call, netns); break;
	case CALL_CHECK: check(k, peer, call, netns); break;
	case CALL_RELEASE: release(k, peer, call); break;
	case CALL_GC:
		if (call->network)
			collect(k, peer, call);
		else
			answer_failure(peer, 0, EINVAL, "the call does not say of which network");
		break;
	case CALL_LIST: list(k, peer); break;
	case CALL_STATUS:
	default: peer_answer(peer, &(struct dhcp_answer){ 0 }); break;
	}
}

/* Nobody will hear of the lease: what is being asked for is not wanted any more. */
/* cppcheck-suppress constParameter; the type is peer_handler's */
static void handle_gone(void *arg, struct peer *peer)
{
	struct keeper *k = arg;

	for (struct binding *b = k->first; b; b = b->next) {
		if (b->waiting != peer)
			continue;
		b->waiting = NULL;
		binding_note(b, "the plugin went away");
		end(k, b, true, NULL);
		return;
	}
}

/* ---- life ---- */

void keeper_init(struct keeper *k, const struct binding_env *env, struct peer_handler *handler)
{
	*k = (struct keeper){ .env = *env };
	k->env.changed = changed;
	k->env.arg = k;
	*handler = (struct peer_handler){ .arg = k, .call = handle_call, .gone = handle_gone };
}

static void restore_one(struct keeper *k, const struct dhcp_record *record)
{
	const struct owner owner = { record->network, record->container, record->ifname };
	struct error err = { 0 };
	struct binding *b;
	char line[512];

	if (binding_reopen(&b, &k->env, record, &err)) {
		snprintf(line, sizeof(line), "%.64s/%.64s/%.15s: the lease is given up: %.200s",
			 record->network, record->container, record->ifname, err.message);
		k->env.note(line);
		store_remove(k->env.folder, &owner);
		return;
	}
	b->next = k->first;
	k->first = b;
	binding_resume(b, &record->lease);
}

int keeper_restore(struct keeper *k, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	dhcp_records_t records = { 0 };
	unsigned bad = 0;
	char line[64];

	if (store_read(k->env.folder, &arena, &records, &bad, err))
		return -err->errnum;
	list_each(record, &records)
		restore_one(k, record);
	snprintf(line, sizeof(line), "%u files with leases could not be read", bad);
	if (bad)
		k->env.note(line);
	return 0;
}

void keeper_close(struct keeper *k)
{
	for (struct binding *b = k->first, *next; b; b = next) {
		next = b->next;
		binding_close(b);
	}
	k->first = NULL;
}
