/* The DHCP client's state machine through the whole life of a lease, with a server on paper. */
#include "unit.h"

#include "dhcp/client.h"

#include <errno.h>
#include <sys/socket.h>

static const struct mac mac = { true, { 2, 0, 0, 0, 0, 1 } };
static const struct mac server_mac = { true, { 2, 0, 0, 0, 0, 9 } };

static struct ip ip4(const char *text)
{
	struct ip ip = { 0 };

	check(ip_parse(text, &ip));
	return ip;
}

/* ---- a server on paper ---- */

struct reply {
	enum dhcp_type type;
	const char *address, *server;
	uint32_t lease, t1, t2;
	const char *mask; /* NULL: 255.255.255.0; "": none */
};

static struct arena arena;
static struct dhcp_timings timings;
static struct dhcp_options options = { .client_id = "ctr/net/eth0" };
static struct dhcp_client client;
static struct dhcp_output out;
static uint32_t other_xid;  /* bits in which the next replies miss the question */
static struct mac reply_to; /* whom they are for */

static void start_test(void)
{
	arena_free(&arena);
	timings = dhcp_default_timings;
	other_xid = 0;
	reply_to = mac;
	client = (struct dhcp_client){
		.mac = mac, .options = &options, .timings = &timings, .random = 42, .arena = &arena
	};
}

static void write_u32(struct dhcp_writer *writer, int code, uint32_t value)
{
	uint8_t bytes[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
			     (uint8_t)value };

	if (value)
		dhcp_write(writer, code, bytes, 4);
}

static void receive(const struct reply *reply, int64_t now)
{
	struct ip address = ip4(reply->address ? reply->address : "0.0.0.0"), mask;
	struct ip server = ip4(reply->server ? reply->server : "10.1.0.1");
	struct dhcp_writer writer;
	struct error err = { 0 };

	dhcp_write_head(&writer, &(struct dhcp_head){ .type = reply->type,
						      .xid = client.xid ^ other_xid,
						      .chaddr = reply_to });
	writer.data[0] = DHCP_OP_REPLY;
	memcpy(writer.data + 16, address.bytes, 4);
	dhcp_write_ip(&writer, DHCP_SERVER_ID, &server);
	write_u32(&writer, DHCP_LEASE_TIME, reply->lease);
	write_u32(&writer, DHCP_T1, reply->t1);
	write_u32(&writer, DHCP_T2, reply->t2);
	mask = ip4(reply->mask && *reply->mask ? reply->mask : "255.255.255.0");
	if (!reply->mask || *reply->mask)
		dhcp_write_ip(&writer, DHCP_SUBNET_MASK, &mask);
	check_ok(dhcp_write_end(&writer, &err), err);
	dhcp_client_receive(&client, writer.data, writer.size, &server_mac, now, &out);
}

static struct dhcp_message sent(void)
{
	struct dhcp_message message = { 0 };
	struct error err = { 0 };

	check(out.size > 0);
	if (out.size)
		check_ok(dhcp_decode(out.message, out.size, &message, &err), err);
	return message;
}

/* Advance to whatever is due next; returns that time. */
static int64_t step(void)
{
	int64_t now = client.next;

	dhcp_client_timer(&client, now, &out);
	return now;
}

static void get_lease(uint32_t lease, uint32_t t1, uint32_t t2)
{
	struct reply offer = { DHCP_OFFER, "10.1.0.5", NULL, lease, t1, t2, NULL };
	struct reply ack = { DHCP_ACK, "10.1.0.5", NULL, lease, t1, t2, NULL };

	dhcp_client_start(&client, 0, &out);
	check_int(sent().type, DHCP_DISCOVER);
	receive(&offer, 10);
	check_int(sent().type, DHCP_REQUEST);
	check_int(client.state, DHCP_REQUESTING);
	receive(&ack, 20);
	check_int(out.event, DHCP_GRANTED);
	check_int(client.state, DHCP_BOUND);
}

/* ---- the life of a lease ---- */

TEST(dhcp_lease_times_are_the_servers_or_half_and_85_percent)
{
	start_test();
	get_lease(1000, 0, 0);
	check_int(client.lease.t1, 500);
	check_int(client.lease.t2, 850);
	check_int(client.lease.begin_ms, 10); /* when it was asked for */
	check_int(client.next, 10 + 500000);
	start_test();
	get_lease(1000, 100, 200);
	check_int(client.lease.t1, 100);
	check_int(client.lease.t2, 200);
	start_test();
	get_lease(1000, 900, 1100); /* T2 past the end, T1 past T2: the defaults */
	check_int(client.lease.t1, 500);
	check_int(client.lease.t2, 850);
	start_test();
	get_lease(0, 0, 0);
	check_int(client.lease.seconds, 3600);
	start_test();
	get_lease(DHCP_FOREVER, 0, 0);
	check(dhcp_lease_renew(&client.lease) == INT64_MAX);
	check_int(step(), 20 + 24 * 3600 * 1000); /* looks at it, and goes on waiting */
	check_int(client.state, DHCP_BOUND);
}

TEST(dhcp_discover_is_repeated_in_the_references_pace_until_no_more_tries)
{
	static const int64_t pace[] = { 2000, 2000, 2000, 2000, 4000, 8000, 16000, 32000, 62000 };
	int64_t last = 0, now;

	start_test();
	dhcp_client_start(&client, 0, &out);
	for (size_t i = 0; i < ARRAY_SIZE(pace); i++) {
		now = step();
		check(now - last >= pace[i] - 1000 && now - last <= pace[i] + 1000);
		check_int(sent().type, DHCP_DISCOVER);
		check_int(out.message[9], now / 1000 & 0xff); /* secs */
		last = now;
	}
	while (out.event == DHCP_NO_NEWS)
		now = step();
	check_int(now, 208000);
	check_int(out.event, DHCP_FAILED);
	check_str(out.err.message, "no more tries");
	check_int(out.err.code, CNI_TRY_AGAIN_LATER);
	check(client.next == INT64_MAX);
}

TEST(dhcp_client_starts_over_when_the_chosen_server_falls_silent_or_says_no)
{
	struct reply offer = { DHCP_OFFER, "10.1.0.5" }, nak = { DHCP_NAK, NULL };
	struct reply foreign = { DHCP_NAK, NULL, "10.1.0.2" };
	uint32_t xid;
	int64_t now = 0;

	start_test();
	dhcp_client_start(&client, 0, &out);
	receive(&offer, 10);
	while (client.state == DHCP_REQUESTING && now < 60000)
		now = step();
	check_int(now, 10 + 10000);
	check_int(sent().type, DHCP_DISCOVER);
	receive(&offer, now + 10);
	xid = client.xid;
	receive(&foreign, now + 20); /* not the one that was chosen */
	check_int(client.state, DHCP_REQUESTING);
	receive(&nak, now + 20);
	check_int(client.state, DHCP_SELECTING);
	check_int(out.size, 0); /* not at once */
	check(client.xid != xid && client.next >= now + 1000);
	receive(&offer,
		now + 30); /* to an older question? no: the answer to nothing that was asked */
	check_int(sent().type, DHCP_REQUEST);
}

TEST(dhcp_renew_asks_the_server_then_all_then_the_lease_is_lost)
{
	struct dhcp_message message;
	struct ip ip;
	int64_t now;

	start_test();
	get_lease(1000, 0, 0);
	now = step();
	check_int(now, 500010);
	check_int(client.state, DHCP_RENEWING);
	message = sent();
	check_int(message.type, DHCP_REQUEST);
	check(ip_equal(&message.ciaddr, &client.lease.address.ip));
	check(!dhcp_value_ip(&message, DHCP_SERVER_ID, &ip));
	check(!dhcp_value_ip(&message, DHCP_REQUESTED_IP, &ip));
	check(mac_equal(&out.to_mac, &server_mac) && ip_equal(&out.to, &client.lease.server));
	while (client.state == DHCP_RENEWING)
		now = step();
	check_int(now, 850010);
	check_int(client.state, DHCP_REBINDING);
	check(!out.to_mac.set && out.to.bytes[0] == 255);
	check(client.usable);
	while (client.state == DHCP_REBINDING)
		now = step();
	check_int(now, 1000010);
	check_int(out.event, DHCP_LOST);
	check(!client.usable && client.has_lease);
	check_int(client.state, DHCP_DORMANT);
}

TEST(dhcp_lost_lease_is_asked_for_until_the_same_address_comes_back)
{
	struct reply other = { DHCP_OFFER, "10.1.0.6", NULL, 1000 };
	struct reply same = { DHCP_OFFER, "10.1.0.5", NULL, 1000 };
	struct reply ack = { DHCP_ACK, "10.1.0.5", NULL, 1000 };
	struct dhcp_message message;
	struct ip requested = { 0 };
	int64_t now;

	start_test();
	get_lease(1000, 0, 0);
	while (client.state != DHCP_DORMANT)
		step();
	for (int attempt = 0; attempt < 3; attempt++) {
		step();
		check_int(out.event, DHCP_AWAKE);
		now = step();
		message = sent();
		check_int(message.type, DHCP_DISCOVER);
		check(dhcp_value_ip(&message, DHCP_REQUESTED_IP, &requested) &&
		      ip_equal(&requested, &client.lease.address.ip));
		receive(&other, now + 5);
		check_int(out.size, 0);
		while (client.state != DHCP_DORMANT)
			step();
		check_int(out.event, DHCP_LOST);
	}
	step();
	now = step();
	receive(&same, now + 5);
	receive(&ack, now + 6);
	check_int(out.event, DHCP_GRANTED);
	check(client.usable);
	check_int(client.lease.begin_ms, now + 5);
}

TEST(dhcp_refusal_while_bound_costs_the_address_only_when_it_is_not_given_again)
{
	struct reply nak = { DHCP_NAK, NULL }, offer = { DHCP_OFFER, "10.1.0.5", NULL, 1000 };
	struct reply ack = { DHCP_ACK, "10.1.0.5", NULL, 1000 };
	struct reply foreign = { DHCP_NAK, NULL, "10.1.0.2" };
	int64_t now;

	start_test();
	get_lease(1000, 0, 0);
	now = step();
	receive(&foreign, now + 1); /* not our server's business before T2 */
	check_int(client.state, DHCP_RENEWING);
	receive(&nak, now + 1);
	check_int(client.state, DHCP_SELECTING);
	check_int(sent().type, DHCP_DISCOVER);
	check(client.usable && out.event == DHCP_NO_NEWS);
	receive(&offer, now + 2);
	receive(&ack, now + 3);
	check_int(out.event, DHCP_EXTENDED);
	now = step();
	receive(&nak, now + 1);
	while (client.state != DHCP_DORMANT)
		now = step();
	check_int(out.event, DHCP_LOST);
}

TEST(dhcp_answers_that_are_not_for_us_change_nothing)
{
	struct reply offer = { DHCP_OFFER, "10.1.0.5" }, ack = { DHCP_ACK, "10.1.0.5", NULL, 1000 };
	struct reply wrong = { DHCP_ACK, "10.1.0.6", NULL, 1000 };
	struct reply other_server = { DHCP_ACK, "10.1.0.5", "10.1.0.2", 1000 };
	struct reply bad[] = { { DHCP_OFFER, "0.0.0.0" },
			       { DHCP_OFFER, "127.0.0.1" },
			       { DHCP_OFFER, "224.0.0.1" },
			       { DHCP_OFFER, "255.255.255.255" },
			       { DHCP_OFFER, "10.1.0.5", "0.0.0.0" } };

	start_test();
	dhcp_client_start(&client, 0, &out);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		receive(&bad[i], 5);
	receive(&ack, 5);
	other_xid = 1;
	receive(&offer, 5);
	other_xid = 0;
	reply_to = server_mac;
	receive(&offer, 5);
	reply_to = mac;
	check_int(client.state, DHCP_SELECTING);
	receive(&offer, 5);
	check_int(client.state, DHCP_REQUESTING);
	receive(&wrong, 6);
	receive(&other_server, 6);
	check_int(client.state, DHCP_REQUESTING);
	receive(&ack, 7);
	check_int(client.state, DHCP_BOUND);
	receive(&ack, 8);
	check_int(out.event, DHCP_NO_NEWS);
}

TEST(dhcp_ack_without_mask_is_given_back)
{
	struct reply offer = { DHCP_OFFER, "10.1.0.5" };
	struct reply ack = { DHCP_ACK, "10.1.0.5", NULL, 1000, 0, 0, "" };
	struct dhcp_message message;

	start_test();
	dhcp_client_start(&client, 0, &out);
	receive(&offer, 5);
	receive(&ack, 6);
	check_int(out.event, DHCP_FAILED);
	check_str(out.err.message, "DHCP option Subnet Mask not found in DHCPACK");
	message = sent();
	check_int(message.type, DHCP_RELEASE);
	check(ip_equal(&message.ciaddr, &(struct ip){ AF_INET, { 10, 1, 0, 5 } }));
}

TEST(dhcp_reboot_asks_for_the_known_address_and_ends_soon)
{
	struct reply ack = { DHCP_ACK, "10.1.0.5", NULL, 1000 }, nak = { DHCP_NAK, NULL };
	struct ip address = ip4("10.1.0.5"), ip;
	struct dhcp_message message;
	int64_t now = 0;

	start_test();
	dhcp_client_reboot(&client, &address, 0, &out);
	message = sent();
	check_int(message.type, DHCP_REQUEST);
	check(dhcp_value_ip(&message, DHCP_REQUESTED_IP, &ip) && ip_equal(&ip, &address));
	check(!dhcp_value_ip(&message, DHCP_SERVER_ID, &ip));
	receive(&ack, 5);
	check_int(out.event, DHCP_GRANTED);
	check(ip_equal(&client.lease.server, &(struct ip){ AF_INET, { 10, 1, 0, 1 } }));
	start_test();
	dhcp_client_reboot(&client, &address, 0, &out);
	receive(&nak, 5);
	check_int(out.event, DHCP_FAILED);
	check_str(out.err.message, "the DHCP server refuses address 10.1.0.5");
	start_test();
	dhcp_client_reboot(&client, &address, 0, &out);
	while (out.event == DHCP_NO_NEWS)
		now = step();
	check_int(now, 10000);
}

TEST(dhcp_resume_goes_on_where_the_lease_is)
{
	struct dhcp_lease lease;

	start_test();
	get_lease(1000, 0, 0);
	lease = client.lease;
	start_test();
	dhcp_client_resume(&client, &lease, 100000, &out);
	check_int(client.state, DHCP_BOUND);
	check_int(client.next, 500010);
	start_test();
	dhcp_client_resume(&client, &lease, 600000, &out);
	check_int(client.state, DHCP_RENEWING);
	start_test();
	dhcp_client_resume(&client, &lease, 900000, &out);
	check_int(client.state, DHCP_REBINDING);
	start_test();
	dhcp_client_resume(&client, &lease, 2000000, &out);
	check_int(out.event, DHCP_LOST);
	dhcp_client_release(&client, 2000001, &out);
	check_int(out.size, 0); /* it is not ours any more */
}

TEST(dhcp_shortest_lease_does_not_flood_the_server)
{
	struct reply ack = { DHCP_ACK, "10.1.0.5", NULL, 1, 1, 1 };
	int64_t now = 0;
	unsigned n = 0;

	start_test();
	get_lease(1, 1, 1);
	while (now < 60000) {
		now = step();
		if (!out.size)
			continue;
		n++;
		if (client.state == DHCP_RENEWING || client.state == DHCP_REBINDING)
			receive(&ack, now);
	}
	check(n <= 60);
	arena_free(&arena);
}
