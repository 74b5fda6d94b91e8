/*
 * A DHCP server, and everybody else on the network, who may send anything: the client's state machine never leaves its
 * rules, whatever comes and whenever, and what it sends is well-formed.
 *
 * Input: steps, each an opcode byte. Even: time goes on to what is due. Odd: a message follows, its size in two bytes;
 * of the opcode, bit 1: as a packet with its headers, bit 2: made to fit what was asked (xid, hardware address, cookie),
 * bits 3 to 5: its type, when not 0.
 */
#include "fuzz.h"

#include "dhcp/client.h"
#include "dhcp/datagram.h"

#include <arpa/inet.h>

enum { STEPS_MAX = 64 };

static const struct mac mac = { true, { 2, 0, 0, 0, 0, 1 } };
static struct dhcp_output out;

static void check_lease(const struct dhcp_lease *lease)
{
	fuzz_check(dhcp_usable(&lease->address.ip), "an address that no host can have");
	fuzz_check(lease->address.prefix >= 1 && lease->address.prefix <= 32, "prefix %u",
		   lease->address.prefix);
	fuzz_check(lease->seconds > 0 && lease->t1 <= lease->t2 && lease->t2 <= lease->seconds,
		   "times %u %u %u", lease->t1, lease->t2, lease->seconds);
	fuzz_check(!lease->gateway.family || dhcp_usable(&lease->gateway), "gateway");
	list_each(route, &lease->routes) {
		struct cidr network = cidr_network(&route->dst);

		fuzz_check(route->dst.prefix <= 32 && cidr_equal(&network, &route->dst), "route");
	}
	for (const char *c = lease->domain; c && *c; c++)
		fuzz_check(*c > ' ' && *c < 127, "domain");
}

static void check_client(const struct dhcp_client *client, int64_t now)
{
	struct dhcp_message message;
	struct error err = { 0 };

	fuzz_check(client->state <= DHCP_DORMANT, "state %d", (int)client->state);
	fuzz_check(client->next >= now, "due before now");
	fuzz_check(!client->usable || client->has_lease, "usable without a lease");
	fuzz_check(client->state != DHCP_BOUND || client->usable, "bound without a lease");
	fuzz_check(out.event != DHCP_FAILED || *out.err.message, "no word about what is wrong");
	if (client->has_lease)
		check_lease(&client->lease);
	if (!out.size)
		return;
	fuzz_check(dhcp_decode(out.message, out.size, &message, &err) == 0, "sent: %s",
		   err.message);
	fuzz_check(message.op == DHCP_OP_REQUEST && message.xid == client->xid, "sent");
}

/* What a server that means well would do, put over what came. */
static void fit(uint8_t *message, size_t size, const struct dhcp_client *client, unsigned type)
{
	uint32_t xid = htonl(client->xid);

	if (size < 243)
		return;
	message[0] = DHCP_OP_REPLY;
	message[1] = 1;
	message[2] = 6;
	memcpy(message + 4, &xid, sizeof(xid));
	memcpy(message + 28, mac.bytes, sizeof(mac.bytes));
	memcpy(message + 236, "\x63\x82\x53\x63", 4);
	if (type) {
		message[240] = DHCP_MESSAGE_TYPE;
		message[241] = 1;
		message[242] = (uint8_t)type;
	}
}

static void receive(struct dhcp_client *client, uint8_t *message, size_t size, unsigned opcode,
		    int64_t now)
{
	const uint8_t *payload = message;
	size_t payload_size = size;

	if (opcode & 2)
		payload = datagram_unwrap(message, size, opcode & 64, &payload_size);
	if (!payload)
		return;
	fuzz_check(payload >= message && payload + payload_size <= message + size, "outside");
	if (opcode & 4)
		fit((uint8_t *)payload, payload_size, client, opcode >> 3 & 7);
	dhcp_client_receive(client, payload, payload_size, &mac, now, &out);
	check_client(client, now);
}

/* One step; false at the input's end. */
static bool step(struct dhcp_client *client, const uint8_t **at, const uint8_t *end, int64_t *now)
{
	unsigned opcode;
	size_t size;
	uint8_t *copy;

	if (*at >= end)
		return false;
	opcode = *(*at)++;
	if (!(opcode & 1)) {
		if (client->next == INT64_MAX)
			return false;
		*now = client->next;
		dhcp_client_timer(client, *now, &out);
		check_client(client, *now);
		return true;
	}
	if (end - *at < 2)
		return false;
	size = (size_t)((*at)[0] << 8 | (*at)[1]);
	*at += 2;
	size = size < (size_t)(end - *at) ? size : (size_t)(end - *at);
	copy = xrealloc(NULL, size + 1); /* of its own, so that reading past it is seen */
	memcpy(copy, *at, size);
	copy = xrealloc(copy, size ? size : 1);
	receive(client, copy, size, opcode, ++*now);
	free(copy);
	*at += size;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dhcp_option provided = { DHCP_HOST_NAME, "web" };
	int requested[] = { DHCP_SUBNET_MASK, DHCP_ROUTERS, DHCP_CLASSLESS_ROUTES };
	const struct dhcp_options options = { .client_id = "ctr/net/eth0",
					      .provide = { &provided, 1 },
					      .request = { requested, ARRAY_SIZE(requested) } };
	auto_arena struct arena arena = { 0 };
	struct dhcp_client client = { .mac = mac,
				      .options = &options,
				      .timings = &dhcp_default_timings,
				      .random = 1,
				      .arena = &arena };
	const uint8_t *at = data, *end = data + size;
	int64_t now = 1000;

	dhcp_client_start(&client, now, &out);
	for (unsigned i = 0; i < STEPS_MAX && step(&client, &at, end, &now); i++)
		;
	dhcp_client_release(&client, now, &out);
	check_client(&client, now);
	return 0;
}
