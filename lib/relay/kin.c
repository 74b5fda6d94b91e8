/* The words of kin: ICMP echo, request and reply, with a payload of 16 bytes. */
#include "relay/kin.h"

#include "relay/checksum.h"

enum { TTL = 64, NUMBER = 0x636e };

struct echo {
	uint8_t protocol, request, reply;
};
static const struct echo echos[] = { { IP_PROTOCOL_ICMP, 8, 0 }, { IP_PROTOCOL_ICMP6, 128, 129 } };

static const char words[][KIN_WORDS] = {
	[KIN_QUESTION] = "cnibox relay? v1",
	[KIN_ANSWER] = "cnibox relay! v1",
	[KIN_SHORTCUT] = "cnibox kernel v1",
};

static void make_header(uint8_t *packet, bool v6, const uint8_t *source, const uint8_t *address)
{
	if (v6) {
		packet[0] = 0x60;
		store16(packet + 4, KIN_SIZE6 - IPV6_HEADER);
		packet[6] = IP_PROTOCOL_ICMP6;
		packet[7] = TTL;
		memcpy(packet + 8, source, 16);
		memcpy(packet + 24, address, 16);
		return;
	}
	packet[0] = 0x45;
	store16(packet + 2, KIN_SIZE);
	packet[8] = TTL;
	packet[9] = IP_PROTOCOL_ICMP;
	memcpy(packet + 12, source, 4);
	memcpy(packet + 16, address, 4);
}

size_t kin_make(uint8_t packet[KIN_SIZE6], bool v6, const uint8_t *source, const uint8_t *address,
		enum kin_word word)
{
	const size_t size = v6 ? KIN_SIZE6 : KIN_SIZE;
	uint8_t *icmp = packet + size - 8 - KIN_WORDS;
	struct packet ip;
	uint64_t sum;

	memset(packet, 0, size);
	make_header(packet, v6, source, address);
	if (!packet_parse(packet, size, &ip))
		return 0;
	packet_set_size(&ip, size);
	icmp[0] = word == KIN_QUESTION ? echos[v6].request : echos[v6].reply;
	store16(icmp + 4, NUMBER);
	memcpy(icmp + 8, words[word], KIN_WORDS);
	sum = checksum_add(v6 ? packet_pseudo(&ip, IP_PROTOCOL_ICMP6, 8 + KIN_WORDS) : 0, icmp,
			   8 + KIN_WORDS);
	store_checksum(icmp + 2, (uint16_t)~checksum_fold(sum));
	return size;
}

static bool says(const uint8_t *icmp, enum kin_word word)
{
	return memcmp(icmp + 8, words[word], KIN_WORDS) == 0;
}

enum kin_word kin_word_of(const struct packet *packet)
{
	const struct echo *echo = &echos[packet->v6];
	const uint8_t *icmp = packet->data + packet->header;

	if (packet->size != (packet->v6 ? KIN_SIZE6 : KIN_SIZE) ||
	    packet->protocol != echo->protocol ||
	    packet->header != (packet->v6 ? IPV6_HEADER : IPV4_HEADER))
		return KIN_NONE;
	if (icmp[0] == echo->request)
		return says(icmp, KIN_QUESTION) ? KIN_QUESTION : KIN_NONE;
	if (icmp[0] != echo->reply)
		return KIN_NONE;
	return says(icmp, KIN_QUESTION)   ? KIN_OTHER
	       : says(icmp, KIN_ANSWER)   ? KIN_ANSWER
	       : says(icmp, KIN_SHORTCUT) ? KIN_SHORTCUT
					  : KIN_NONE;
}
