/* What of a logged packet is told, and how flows are counted and named. */
#include "policy.h"

#include "policy/denied.h"

#include <netinet/in.h>
#include <stdio.h>

#define V4      "45 00 0028 0001 "
#define V4_ENDS "0000 0a000001 0a000101 "
#define V6      "60000000 0010 "
#define V6_ENDS "40 fd000000000000000000000000000001 fd000000000000000000000000000002 "

static size_t bytes_of(const char *text, uint8_t *bytes)
{
	size_t n = 0;
	unsigned value;

	for (; *text; text += *text == ' ' ? 1 : 2)
		if (*text != ' ' && sscanf(text, "%2x", &value) == 1)
			bytes[n++] = (uint8_t)value;
	return n;
}

static const char *told(const char *text)
{
	struct nflog_packet packet = { 0 };
	char from[IP_TEXT_SIZE], to[IP_TEXT_SIZE];
	uint8_t bytes[256];

	if (!nflog_parse(bytes, bytes_of(text, bytes), &packet))
		return "none";
	return arena_printf(&arena, "%s %s %u%s %u %u", ip_format(&packet.from, from),
			    ip_format(&packet.to, to), packet.protocol,
			    packet.whole ? "" : " short", packet.from_port, packet.port);
}

TEST(headers_of_a_packet)
{
	static const struct {
		const char *bytes, *told;
	} rows[] = {
		{ "", "none" },
		{ "00", "none" },
		{ V4 "0000 40 06 0000 0a000001 0a0001", "none" },
		{ V4 "0000 40 06 " V4_ENDS, "10.0.0.1 10.0.1.1 6 short 0 0" },
		{ V4 "0000 40 06 " V4_ENDS "1234 0050", "10.0.0.1 10.0.1.1 6 4660 80" },
		{ V4 "0000 40 06 " V4_ENDS "1234 00", "10.0.0.1 10.0.1.1 6 short 0 0" },
		{ V4 "0000 40 11 " V4_ENDS "1234 0035", "10.0.0.1 10.0.1.1 17 4660 53" },
		{ V4 "0000 40 84 " V4_ENDS "1234 0035", "10.0.0.1 10.0.1.1 132 4660 53" },
		{ V4 "0000 40 01 " V4_ENDS "08", "10.0.0.1 10.0.1.1 1 0 8" },
		{ V4 "0000 40 2f " V4_ENDS "0000 0800", "10.0.0.1 10.0.1.1 47 short 0 0" },
		/* fragments: the first, and another; options; a header of impossible length */
		{ V4 "2000 40 11 " V4_ENDS "1234 0035", "10.0.0.1 10.0.1.1 17 4660 53" },
		{ V4 "0005 40 11 " V4_ENDS "1234 0035", "10.0.0.1 10.0.1.1 17 short 0 0" },
		{ "46 00 0028 0001 0000 40 06 " V4_ENDS "01010101 1234 0050",
		  "10.0.0.1 10.0.1.1 6 4660 80" },
		{ "4f 00 0028 0001 0000 40 06 " V4_ENDS "1234 0050",
		  "10.0.0.1 10.0.1.1 6 short 0 0" },
		{ "44 00 0028 0001 0000 40 06 " V4_ENDS "1234 0050", "none" },
		/* IPv6 */
		{ V6 "06 40 fd00", "none" },
		{ V6 "06 " V6_ENDS "1234 0050", "fd00::1 fd00::2 6 4660 80" },
		{ V6 "3a " V6_ENDS "80 00", "fd00::1 fd00::2 58 0 128" },
		{ V6 "00 " V6_ENDS "06 00 010400000000 1234 0050", "fd00::1 fd00::2 6 4660 80" },
		{ V6 "2b " V6_ENDS
		     "3c 00 000000000000 11 01 000000000000 0000000000000000 1234 0035",
		  "fd00::1 fd00::2 17 4660 53" },
		{ V6 "33 " V6_ENDS "06 01 0000 00000000 00000000 1234 0050",
		  "fd00::1 fd00::2 6 4660 80" },
		{ V6 "2c " V6_ENDS "11 00 0001 00000000 1234 0035", "fd00::1 fd00::2 17 4660 53" },
		{ V6 "2c " V6_ENDS "11 00 0008 00000000 1234 0035",
		  "fd00::1 fd00::2 17 short 0 0" },
		{ V6 "00 " V6_ENDS "06 ff 010400000000 1234 0050", "fd00::1 fd00::2 6 short 0 0" },
		{ V6 "00 " V6_ENDS "06 00", "fd00::1 fd00::2 0 short 0 0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_str(told(rows[i].bytes), rows[i].told);
	arena_free(&arena);
}

static struct nflog_packet packet_of(const char *from, const char *to, uint16_t port,
				     const char *prefix)
{
	struct nflog_packet packet = { .protocol = IPPROTO_TCP, .whole = true, .port = port };

	check(ip_parse(from, &packet.from) && ip_parse(to, &packet.to));
	snprintf(packet.prefix, sizeof(packet.prefix), "%s", prefix);
	return packet;
}

static const char *row_text(const struct denied_flow *flow)
{
	struct denied_row row = denied_row_of(flow, &arena);

	return arena_printf(&arena, "%llu %s %s %s %s %s", (unsigned long long)row.count, row.from,
			    row.to, row.port, row.direction ? row.direction : "-", row.policies);
}

TEST(denied_flows_have_names)
{
	static const char *const texts[] = {
		"apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {nodeName: n1}\n"
		"status: {podIP: 10.0.0.1}\n---\n"
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\n"
		"spec: {policyTypes: [Ingress, Egress]}\n---\n"
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: b}\n"
		"spec: {policyTypes: [Ingress]}\n",
	};
	struct arena flows = { 0 };
	const struct denied_flow *sorted[4];
	struct compiled compiled;
	struct denied denied;
	struct nflog_packet packet;
	struct world world;

	check_str(world_read(&world, texts, 1), "");
	compile(&world, symbol_find(&world.symbols, "n1"), &arena, &compiled);
	check_int(compiled.groups.n, 2);
	denied_init(&denied, &world, &flows);

	packet = packet_of("192.0.2.1", "10.0.0.1", 80, compiled.groups.items[INGRESS].name);
	check_str(row_text(denied_add(&denied, &packet)),
		  "1 192.0.2.1 default/web TCP 80 ingress default/a default/b");
	check_str(row_text(denied_add(&denied, &packet)),
		  "2 192.0.2.1 default/web TCP 80 ingress default/a default/b");
	packet = packet_of("10.0.0.1", "192.0.2.1", 80, compiled.groups.items[EGRESS].name);
	check_str(row_text(denied_add(&denied, &packet)),
		  "1 default/web 192.0.2.1 TCP 80 egress default/a");
	/* a group that is another's, and none; words behind the name */
	packet = packet_of("10.0.0.1", "192.0.2.1", 81, "CNIBOX-OUT-0000000000000000: no");
	check_str(row_text(denied_add(&denied, &packet)),
		  "1 default/web 192.0.2.1 TCP 81 egress CNIBOX-OUT-0000000000000000");
	packet = packet_of("10.0.0.2", "192.0.2.1", 0, "CNIBOX-CLOSED");
	check_str(row_text(denied_add(&denied, &packet)),
		  "1 10.0.0.2 192.0.2.1 TCP - CNIBOX-CLOSED");
	check_int(denied.flows.n, 4);
	check_int(denied.n_packets, 5);
	denied_sort(&denied, false, sorted);
	check(sorted[0] == &denied.flows.items[0] && sorted[3] == &denied.flows.items[3]);
	denied.flows.items[0].shown = 2;
	denied_sort(&denied, true, sorted);
	check(sorted[3] == &denied.flows.items[0]);
	arena_free(&flows);
	arena_free(&arena);
}

TEST(denied_flows_are_bounded)
{
	struct arena flows = { 0 };
	struct denied denied;
	struct world world;

	world_init(&world, &arena);
	world_index(&world);
	denied_init(&denied, &world, &flows);
	for (unsigned i = 0; i < DENIED_MAX + 10; i++) {
		struct nflog_packet packet = packet_of("10.0.0.1", "10.0.0.2", (uint16_t)i, "x");

		check(!!denied_add(&denied, &packet) == (i < DENIED_MAX));
	}
	check_int(denied.flows.n, DENIED_MAX);
	check_int(denied.n_other, 10);
	denied_forget(&denied);
	check_int(denied.flows.n, 0);
	check_int(denied.n_packets, DENIED_MAX + 10);
	arena_free(&flows);
	arena_free(&arena);
}
