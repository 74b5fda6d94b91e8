/*
 * The state machine. Each state has one message that it repeats (send_again), one pace for all of them (the
 * reference's), and a time when it gives way to the next (dhcp_client_timer).
 */
#include "dhcp/client_write.h"

#include <errno.h>
#include <sys/socket.h>

/* The reference's pace: four quick tries, then from 4 s doubling, each give or take a second. */
enum { FAST_TRIES = 4, FAST_MS = 2000, SLOW_MS = 4000, JITTER_MS = 1000, WAKE_MS = 500 };
enum { LOOK_MS = 24 * 60 * 60 * 1000 }; /* a timer is never set further ahead */

const char *const dhcp_state_names[] = {
	[DHCP_INIT] = "init",
	[DHCP_SELECTING] = "selecting",
	[DHCP_REQUESTING] = "requesting",
	[DHCP_REBOOTING] = "rebooting",
	[DHCP_BOUND] = "bound",
	[DHCP_RENEWING] = "renewing",
	[DHCP_REBINDING] = "rebinding",
	[DHCP_DORMANT] = "lost",
	NULL,
};

const struct dhcp_timings dhcp_default_timings = {
	.timeout_ms = 10000,
	.resend_max_ms = 62000,
	.resend_total_ms = 208000,
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* xorshift64: enough to keep clients apart, and tests can repeat it. */
static uint64_t random_next(struct dhcp_client *client)
{
	client->random ^= client->random << 13;
	client->random ^= client->random >> 7;
	client->random ^= client->random << 17;
	return client->random;
}

static int64_t jitter(struct dhcp_client *client)
{
	return (int64_t)(random_next(client) % (2 * JITTER_MS + 1)) - JITTER_MS;
}

/* The pause behind message number `sent`. */
static int64_t pause_ms(struct dhcp_client *client)
{
	int64_t pause = SLOW_MS, max = client->timings->resend_max_ms;

	if (client->sent <= FAST_TRIES)
		return earlier(FAST_MS + jitter(client), max);
	for (unsigned i = FAST_TRIES + 1; i < client->sent && pause < max; i++)
		pause *= 2;
	pause = earlier(pause, max) + jitter(client);
	return pause > 0 ? pause : max;
}

static void give_up(struct dhcp_client *client, struct dhcp_output *out)
{
	client->state = DHCP_INIT;
	client->next = INT64_MAX;
	out->event = DHCP_FAILED;
}

/* The limit: what comes first of the next try and the state's end. */
static void send_again(struct dhcp_client *client, int64_t limit, int64_t now,
		       struct dhcp_output *out)
{
	client->sent++;
	client->asked = now;
	client->next = earlier(now + pause_ms(client), limit);
	if (!client_write_request(client, now, out))
		give_up(client, out);
}

static int64_t state_limit(const struct dhcp_client *client)
{
	switch (client->state) {
	case DHCP_REQUESTING: return earlier(client->patience, client->deadline);
	case DHCP_RENEWING: return dhcp_lease_rebind(&client->lease);
	case DHCP_REBINDING: return dhcp_lease_end(&client->lease);
	case DHCP_INIT:
	case DHCP_SELECTING:
	case DHCP_REBOOTING:
	case DHCP_BOUND:
	case DHCP_DORMANT:
	default: return client->deadline;
	}
}

static void enter(struct dhcp_client *client, enum dhcp_state state, int64_t now,
		  struct dhcp_output *out)
{
	client->state = state;
	client->sent = 0;
	if (state != DHCP_REQUESTING)
		client->xid = (uint32_t)random_next(client);
	send_again(client, state_limit(client), now, out);
}

/* ---- what becomes of a lease ---- */

/* However short a server makes its times: there is a pause between two renewals. */
static void wait_bound(struct dhcp_client *client, int64_t now)
{
	int64_t renew = dhcp_lease_renew(&client->lease);

	client->state = DHCP_BOUND;
	client->next = renew < now + JITTER_MS ? now + JITTER_MS : earlier(renew, now + LOOK_MS);
}

static void lose(struct dhcp_client *client, int64_t now, struct dhcp_output *out)
{
	client->usable = false;
	client->state = DHCP_DORMANT;
	client->next = now + client->timings->resend_max_ms;
	out->event = DHCP_LOST;
}

static void want_back(struct dhcp_client *client, int64_t now)
{
	client->insist = true;
	client->wanted = client->lease.address.ip;
	client->begun = now;
	client->deadline = now + client->timings->timeout_ms;
}

/* The server says no to an address that is in use: it may have lost its memory, so it is asked for the same one, once,
 * while the old lease lasts. */
static void refused(struct dhcp_client *client, int64_t now, struct dhcp_output *out)
{
	want_back(client, now);
	client->deadline = earlier(client->deadline, dhcp_lease_end(&client->lease));
	enter(client, DHCP_SELECTING, now, out);
}

/* The interface comes up with this; the message follows when it has had a moment for that. */
static void wake(struct dhcp_client *client, int64_t now, struct dhcp_output *out)
{
	want_back(client, now);
	client->state = DHCP_SELECTING;
	client->sent = 0;
	client->xid = (uint32_t)random_next(client);
	client->next = now + earlier(WAKE_MS, client->timings->timeout_ms / 2);
	out->event = DHCP_AWAKE;
}

/* ---- receiving ---- */

static bool is_ours(const struct dhcp_client *client, const struct dhcp_message *message)
{
	return message->op == DHCP_OP_REPLY && message->xid == client->xid && message->chaddr.set &&
	       mac_equal(&message->chaddr, &client->mac);
}

static bool is_from(const struct dhcp_message *message, const struct ip *server)
{
	struct ip id;

	return dhcp_value_ip(message, DHCP_SERVER_ID, &id) && ip_equal(&id, server);
}

static void take_offer(struct dhcp_client *client, const struct dhcp_message *offer, int64_t now,
		       struct dhcp_output *out)
{
	struct ip server;

	if (!dhcp_value_ip(offer, DHCP_SERVER_ID, &server) || !dhcp_usable(&server) ||
	    !dhcp_usable(&offer->yiaddr))
		return;
	if (client->insist && !ip_equal(&offer->yiaddr, &client->wanted))
		return;
	client->wanted = offer->yiaddr;
	client->chosen = server;
	client->patience = now + client->timings->timeout_ms;
	enter(client, DHCP_REQUESTING, now, out);
}

/* A first lease. One without a mask is of no use, and is given back. */
static void take_first(struct dhcp_client *client, const struct dhcp_message *ack,
		       const struct mac *from, int64_t now, struct dhcp_output *out)
{
	struct dhcp_lease lease = { .server = client->chosen,
				    .server_mac = *from,
				    .begin_ms = client->asked };
	struct error err = { 0 };

	if (dhcp_lease_read(ack, client->arena, &lease, &err) < 0) {
		lease.address.ip = ack->yiaddr;
		client->lease = lease;
		client->has_lease = client->usable = true;
		dhcp_client_release(client, now, out);
		out->event = DHCP_FAILED;
		out->err = err;
		return;
	}
	client->lease = lease;
	client->has_lease = client->usable = true;
	wait_bound(client, now);
	out->event = DHCP_GRANTED;
}

/* The same address for longer, or again. What the lease says beside its times was told to the runtime, and stays. */
static void take_again(struct dhcp_client *client, const struct dhcp_message *ack,
		       const struct mac *from, int64_t now, struct dhcp_output *out)
{
	struct ip server;

	dhcp_lease_times(ack, &client->lease);
	client->lease.begin_ms = client->asked;
	client->lease.server_mac = *from;
	if (dhcp_value_ip(ack, DHCP_SERVER_ID, &server) && dhcp_usable(&server))
		client->lease.server = server;
	wait_bound(client, now);
	out->event = client->usable ? DHCP_EXTENDED : DHCP_GRANTED;
	client->usable = true;
}

/* No request may hammer a server that says no: DISCOVER comes after the usual pause. */
static void refused_new(struct dhcp_client *client, int64_t now)
{
	client->state = DHCP_SELECTING;
	client->sent = 1;
	client->xid = (uint32_t)random_next(client);
	client->next = earlier(now + pause_ms(client), client->deadline);
	if (!client->insist)
		client->wanted = (struct ip){ 0 };
}

static void take_nak(struct dhcp_client *client, const struct dhcp_message *nak, int64_t now,
		     struct dhcp_output *out)
{
	char text[IP_TEXT_SIZE];

	switch (client->state) {
	case DHCP_REQUESTING:
		if (is_from(nak, &client->chosen))
			refused_new(client, now);
		break;
	case DHCP_REBOOTING:
		fail(&out->err, EADDRNOTAVAIL, "the DHCP server refuses address %s",
		     ip_format(&client->wanted, text));
		give_up(client, out);
		break;
	case DHCP_RENEWING:
		if (is_from(nak, &client->lease.server))
			refused(client, now, out);
		break;
	case DHCP_REBINDING: refused(client, now, out); break;
	case DHCP_INIT:
	case DHCP_SELECTING:
	case DHCP_BOUND:
	case DHCP_DORMANT:
	default: break;
	}
}

static void take_ack(struct dhcp_client *client, const struct dhcp_message *ack,
		     const struct mac *from, int64_t now, struct dhcp_output *out)
{
	bool bound = client->state == DHCP_RENEWING || client->state == DHCP_REBINDING;
	const struct ip *want = bound ? &client->lease.address.ip : &client->wanted;

	if (client->state == DHCP_SELECTING || !ip_equal(&ack->yiaddr, want))
		return;
	if (client->state == DHCP_REQUESTING && !is_from(ack, &client->chosen))
		return;
	if (client->has_lease)
		take_again(client, ack, from, now, out);
	else
		take_first(client, ack, from, now, out);
}

void dhcp_client_receive(struct dhcp_client *client, const void *data, size_t size,
			 const struct mac *from, int64_t now, struct dhcp_output *out)
{
	struct dhcp_message message;

	*out = (struct dhcp_output){ 0 };
	if (!dhcp_client_listens(client) || dhcp_decode(data, size, &message, NULL) < 0 ||
	    !is_ours(client, &message))
		return;
	if (message.type == DHCP_OFFER && client->state == DHCP_SELECTING)
		take_offer(client, &message, now, out);
	else if (message.type == DHCP_ACK)
		take_ack(client, &message, from, now, out);
	else if (message.type == DHCP_NAK)
		take_nak(client, &message, now, out);
}

/* ---- time ---- */

/* The attempt is over: the first one for good, a later one until the next. */
static void attempt_over(struct dhcp_client *client, int64_t now, struct dhcp_output *out)
{
	if (client->has_lease) {
		lose(client, now, out);
		return;
	}
	fail_code(&out->err, CNI_TRY_AGAIN_LATER, ETIMEDOUT, "no more tries");
	give_up(client, out);
}

static void bound_timer(struct dhcp_client *client, int64_t now, struct dhcp_output *out)
{
	bool asking = client->state != DHCP_BOUND;

	if (now >= dhcp_lease_end(&client->lease)) {
		lose(client, now, out);
	} else if (now >= dhcp_lease_rebind(&client->lease)) {
		if (client->state == DHCP_REBINDING)
			send_again(client, state_limit(client), now, out);
		else
			enter(client, DHCP_REBINDING, now, out);
	} else if (now >= dhcp_lease_renew(&client->lease)) {
		if (!asking)
			client->begun = now;
		if (client->state == DHCP_RENEWING)
			send_again(client, state_limit(client), now, out);
		else
			enter(client, DHCP_RENEWING, now, out);
	} else {
		wait_bound(client, now);
	}
}

void dhcp_client_timer(struct dhcp_client *client, int64_t now, struct dhcp_output *out)
{
	*out = (struct dhcp_output){ 0 };
	if (now < client->next)
		return;
	switch (client->state) {
	case DHCP_SELECTING:
	case DHCP_REQUESTING:
	case DHCP_REBOOTING:
		if (now >= client->deadline) {
			attempt_over(client, now, out);
		} else if (client->state == DHCP_REQUESTING && now >= client->patience) {
			if (!client->insist)
				client->wanted = (struct ip){ 0 };
			enter(client, DHCP_SELECTING, now, out);
		} else {
			send_again(client, state_limit(client), now, out);
		}
		break;
	case DHCP_BOUND:
	case DHCP_RENEWING:
	case DHCP_REBINDING: bound_timer(client, now, out); break;
	case DHCP_DORMANT: wake(client, now, out); break;
	case DHCP_INIT:
	default: client->next = INT64_MAX; break;
	}
}

/* ---- begin and end ---- */

void dhcp_client_start(struct dhcp_client *client, int64_t now, struct dhcp_output *out)
{
	*out = (struct dhcp_output){ 0 };
	client->begun = now;
	client->deadline = now + client->timings->resend_total_ms;
	client->wanted = (struct ip){ 0 };
	enter(client, DHCP_SELECTING, now, out);
}

void dhcp_client_reboot(struct dhcp_client *client, const struct ip *address, int64_t now,
			struct dhcp_output *out)
{
	*out = (struct dhcp_output){ 0 };
	client->begun = now;
	client->deadline = now + client->timings->timeout_ms;
	client->wanted = *address;
	client->chosen = (struct ip){ 0 };
	enter(client, DHCP_REBOOTING, now, out);
}

void dhcp_client_resume(struct dhcp_client *client, const struct dhcp_lease *lease, int64_t now,
			struct dhcp_output *out)
{
	client->lease = *lease;
	client->has_lease = client->usable = true;
	client->state = DHCP_BOUND;
	client->next = now;
	client->begun = now;
	dhcp_client_timer(client, now, out);
}

void dhcp_client_release(struct dhcp_client *client, int64_t now, struct dhcp_output *out)
{
	*out = (struct dhcp_output){ 0 };
	if (client->has_lease && client->usable && client->lease.server.family) {
		client->xid = (uint32_t)random_next(client);
		client->begun = now;
		(void)client_write_release(client, now, out);
	}
	client->has_lease = client->usable = false;
	client->state = DHCP_INIT;
	client->next = INT64_MAX;
}

bool dhcp_client_listens(const struct dhcp_client *client)
{
	return client->state != DHCP_INIT && client->state != DHCP_BOUND &&
	       client->state != DHCP_DORMANT;
}
