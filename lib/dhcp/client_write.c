/* The client's messages: what its state says they hold, and where they go. */
#include "dhcp/client_write.h"

#include <sys/socket.h>

static const struct ip nobody = { .family = AF_INET };
static const struct ip everybody = { .family = AF_INET, .bytes = { 255, 255, 255, 255 } };

/* The client id that the configuration provides, else ours, which begins with a zero: not a hardware address. */
static void write_client_id(struct dhcp_writer *writer, const struct dhcp_options *options)
{
	char id[DHCP_VALUE_MAX] = "";
	size_t len = strlen(options->client_id);

	list_each(option, &options->provide)
		if (option->code == DHCP_CLIENT_ID) {
			dhcp_write(writer, DHCP_CLIENT_ID, option->value, strlen(option->value));
			return;
		}
	len = len < sizeof(id) ? len : sizeof(id) - 1;
	memcpy(id + 1, options->client_id, len);
	dhcp_write(writer, DHCP_CLIENT_ID, id, 1 + len);
}

static void write_provided(struct dhcp_writer *writer, const struct dhcp_options *options)
{
	list_each(option, &options->provide)
		if (option->code != DHCP_CLIENT_ID)
			dhcp_write(writer, option->code, option->value, strlen(option->value));
}

static void write_parameters(struct dhcp_writer *writer, const struct dhcp_options *options)
{
	const uint8_t size[2] = { (DHCP_SEND_MAX + 28) >> 8, (DHCP_SEND_MAX + 28) & 0xff };
	uint8_t codes[256];
	size_t n = 0;

	list_each(code, &options->request)
		if (n < sizeof(codes))
			codes[n++] = (uint8_t)*code;
	if (n)
		dhcp_write(writer, DHCP_PARAMETERS, codes, n);
	dhcp_write(writer, DHCP_MAX_SIZE, size, sizeof(size));
}

static void begin_message(const struct dhcp_client *client, enum dhcp_type type, int64_t now,
			  struct dhcp_writer *writer)
{
	int64_t seconds = (now - client->begun) / 1000;
	bool has_address = type == DHCP_RELEASE || client->state == DHCP_RENEWING ||
			   client->state == DHCP_REBINDING;

	dhcp_write_head(writer,
			&(struct dhcp_head){
				.type = type,
				.xid = client->xid,
				.secs = (uint16_t)(seconds < UINT16_MAX ? seconds : UINT16_MAX),
				.broadcast = client->timings->broadcast && !has_address,
				.ciaddr = has_address ? client->lease.address.ip : nobody,
				.chaddr = client->mac,
			});
	write_client_id(writer, client->options);
}

/* To the server alone, when there is one and its hardware address is known. */
static void address_message(const struct dhcp_client *client, bool unicast, bool has_address,
			    struct dhcp_output *out)
{
	bool alone = unicast && client->lease.server.family && client->lease.server_mac.set;

	out->from = has_address ? client->lease.address.ip : nobody;
	out->to = alone ? client->lease.server : everybody;
	out->to_mac = alone ? client->lease.server_mac : (struct mac){ 0 };
}

static bool end_message(struct dhcp_writer *writer, struct dhcp_output *out)
{
	if (dhcp_write_end(writer, &out->err))
		return false;
	memcpy(out->message, writer->data, writer->size);
	out->size = writer->size;
	return true;
}

/* Table 4 of RFC 2131 says which of the two options a request carries. */
bool client_write_request(const struct dhcp_client *client, int64_t now, struct dhcp_output *out)
{
	bool discover = client->state == DHCP_SELECTING;
	bool bound = client->state == DHCP_RENEWING || client->state == DHCP_REBINDING;
	struct dhcp_writer writer;

	begin_message(client, discover ? DHCP_DISCOVER : DHCP_REQUEST, now, &writer);
	if (!bound && client->wanted.family)
		dhcp_write_ip(&writer, DHCP_REQUESTED_IP, &client->wanted);
	if (client->state == DHCP_REQUESTING)
		dhcp_write_ip(&writer, DHCP_SERVER_ID, &client->chosen);
	write_provided(&writer, client->options);
	write_parameters(&writer, client->options);
	address_message(client, client->state == DHCP_RENEWING, bound, out);
	return end_message(&writer, out);
}

/* Table 5: nothing but who gives back what to whom. */
bool client_write_release(const struct dhcp_client *client, int64_t now, struct dhcp_output *out)
{
	struct dhcp_writer writer;

	begin_message(client, DHCP_RELEASE, now, &writer);
	dhcp_write_ip(&writer, DHCP_SERVER_ID, &client->lease.server);
	address_message(client, true, true, out);
	return end_message(&writer, out);
}
