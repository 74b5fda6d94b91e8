/* DHCP: bytes to messages and back, headers around them, names of options. */
#include "unit.h"

#include "dhcp/datagram.h"
#include "dhcp/message.h"

#include <errno.h>

static const struct mac mac = { true, { 2, 0, 0, 0, 0, 1 } };

static struct ip ip4(const char *text)
{
	struct ip ip = { 0 };

	check(ip_parse(text, &ip));
	return ip;
}

/* ---- messages ---- */

static struct dhcp_writer begin(enum dhcp_type type)
{
	struct dhcp_writer writer;

	dhcp_write_head(&writer, &(struct dhcp_head){ .type = type,
						      .xid = 0x12345678,
						      .secs = 7,
						      .ciaddr = ip4("10.1.0.5"),
						      .chaddr = mac });
	return writer;
}

TEST(dhcp_message_comes_back_as_it_was)
{
	struct dhcp_writer writer = begin(DHCP_DISCOVER);
	struct dhcp_message message;
	struct ip requested = ip4("10.1.0.7"), got;
	struct error err = { 0 };
	uint32_t value;

	dhcp_write_ip(&writer, DHCP_REQUESTED_IP, &requested);
	dhcp_write(&writer, DHCP_HOST_NAME, "web", 3);
	check_ok(dhcp_write_end(&writer, &err), err);
	check_int(writer.size, 300);
	check_ok(dhcp_decode(writer.data, writer.size, &message, &err), err);
	check_int(message.op, DHCP_OP_REQUEST);
	check_int(message.type, DHCP_DISCOVER);
	check_int(message.xid, 0x12345678);
	check(mac_equal(&message.chaddr, &mac));
	check(dhcp_value_ip(&message, DHCP_REQUESTED_IP, &got) && ip_equal(&got, &requested));
	check(!dhcp_value_u32(&message, DHCP_HOST_NAME, &value)); /* three bytes are no number */
	check(!dhcp_value_ip(&message, DHCP_HOST_NAME, &got));
}

TEST(dhcp_long_option_goes_in_pieces_and_comes_back_whole)
{
	struct dhcp_writer writer = begin(DHCP_ACK);
	struct dhcp_message message;
	struct error err = { 0 };
	uint8_t value[600];
	const uint8_t *got;
	size_t size;

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(i * 7);
	dhcp_write(&writer, DHCP_CLASSLESS_ROUTES, value, sizeof(value));
	dhcp_write(&writer, DHCP_DOMAIN_NAME, NULL, 0);
	check_ok(dhcp_write_end(&writer, &err), err);
	check_ok(dhcp_decode(writer.data, writer.size, &message, &err), err);
	got = dhcp_value(&message, DHCP_CLASSLESS_ROUTES, &size);
	check(got && size == sizeof(value) && memcmp(got, value, size) == 0);
	check(dhcp_value(&message, DHCP_DOMAIN_NAME, &size) && size == 0);
	check(!dhcp_value(&message, DHCP_ROUTERS, &size));
	for (int i = 0; i < 3; i++)
		dhcp_write(&writer, DHCP_USER_CLASS, value, sizeof(value));
	check_fails(dhcp_write_end(&writer, &err), err,
		    "the options to provide do not fit into one DHCP message");
}

TEST(dhcp_options_moved_into_other_fields_are_found)
{
	struct dhcp_writer writer = begin(DHCP_ACK);
	struct dhcp_message message;
	struct error err = { 0 };
	const uint8_t *got;
	uint8_t both = 3;
	size_t size;

	dhcp_write(&writer, DHCP_OVERLOAD, &both, 1);
	dhcp_write(&writer, DHCP_HOST_NAME, "a", 1);
	memcpy(writer.data + 108,
	       "\x0c\x01"
	       "b\xff",
	       4);
	memcpy(writer.data + 44,
	       "\x0c\x01"
	       "c\xff",
	       4);
	check_ok(dhcp_write_end(&writer, &err), err);
	check_ok(dhcp_decode(writer.data, writer.size, &message, &err), err);
	got = dhcp_value(&message, DHCP_HOST_NAME, &size);
	check(got && size == 3 && memcmp(got, "abc", 3) == 0); /* RFC 3396: options, file, sname */
	writer.data[45] = 200;
	check(dhcp_decode(writer.data, writer.size, &message, &err) == -EBADMSG);
}

TEST(dhcp_message_that_does_not_add_up_is_refused)
{
	struct dhcp_writer writer = begin(DHCP_ACK);
	struct dhcp_message message;
	struct error err = { 0 };

	check_ok(dhcp_write_end(&writer, &err), err);
	for (size_t size = 0; size < 243; size++)
		check(dhcp_decode(writer.data, size, &message, NULL) < 0);
	check_ok(dhcp_decode(writer.data, 243, &message, &err), err); /* no end mark */
	writer.data[241] = 200;
	check(dhcp_decode(writer.data, writer.size, &message, NULL) < 0);
	writer.data[241] = 1;
	writer.data[242] = 9;
	check_fails(dhcp_decode(writer.data, writer.size, &message, &err), err,
		    "not a DHCP message: no message type");
	writer.data[236] = 0;
	check_fails(dhcp_decode(writer.data, writer.size, &message, &err), err,
		    "not a DHCP message: no magic cookie");
}

TEST(dhcp_datagram_has_checksums_that_hold)
{
	struct ip from = ip4("10.1.0.5"), to = ip4("255.255.255.255");
	uint8_t packet[DATAGRAM_HEAD + 301], payload[301];
	const uint8_t *got;
	size_t size, got_size;

	for (size_t n = 299; n <= 301; n++) {
		memset(payload, 0xa5, sizeof(payload));
		size = datagram_wrap(packet, &from, &to, payload, n);
		check_int(size, DATAGRAM_HEAD + n);
		check(!datagram_unwrap(packet, size, true, &got_size)); /* to port 67 */
		packet[23] = 68;
		packet[21] = 67; /* the sum stays */
		got = datagram_unwrap(packet, size, true, &got_size);
		check(got && got_size == n && memcmp(got, payload, n) == 0);
		packet[size - 1] ^= 1;
		check(!datagram_unwrap(packet, size, true, &got_size));
		check(datagram_unwrap(packet, size, false, &got_size));
		packet[6] = 0x20; /* more fragments */
		check(!datagram_unwrap(packet, size, false, &got_size));
		for (size_t cut = 0; cut < size; cut++)
			check(!datagram_unwrap(packet, cut, false, &got_size));
	}
}

TEST(dhcp_option_names_and_numbers)
{
	static const char *const bad[] = { "", "0", "255", "256", "-1", "1x", " 1", "hostname" };
	struct error err = { 0 };
	int code;

	check(dhcp_option_parse("host-name", &code, &err) == 0 && code == DHCP_HOST_NAME);
	check(dhcp_option_parse("254", &code, &err) == 0 && code == 254);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check_int(dhcp_option_parse(bad[i], &code, NULL), -EINVAL);
}
