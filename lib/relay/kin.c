/* The words of kin: ICMP echo, request and reply, with a payload of 16 bytes. */
#include "relay/kin.h"

#include "relay/checksum.h"

enum { ECHO_REPLY = 0, ECHO = 8, TTL = 64, NUMBER = 0x636e };

static const char words[][16] = {
	[KIN_QUESTION] = "cnibox relay? v1",
	[KIN_ANSWER] = "cnibox relay! v1",
};

void kin_make(uint8_t packet[KIN_SIZE], const uint8_t source[4], const uint8_t address[4],
	      enum kin_word word)
{
	struct packet ip;
	uint8_t *icmp = packet + IPV4_HEADER;

	memset(packet, 0, KIN_SIZE);
	packet[0] = 0x45;
	store16(packet + 2, KIN_SIZE);
	packet[8] = TTL;
	packet[9] = IP_PROTOCOL_ICMP;
	memcpy(packet + 12, source, 4);
	memcpy(packet + 16, address, 4);
	icmp[0] = word == KIN_QUESTION ? ECHO : ECHO_REPLY;
	store16(icmp + 4, NUMBER);
	memcpy(icmp + 8, words[word], sizeof(words[word]));
	store_checksum(icmp + 2,
		       (uint16_t)~checksum_fold(checksum_add(0, icmp, KIN_SIZE - IPV4_HEADER)));
	if (packet_parse(packet, KIN_SIZE, &ip))
		packet_set_size(&ip, KIN_SIZE);
}

enum kin_word kin_word_of(const struct packet *packet)
{
	const uint8_t *icmp = packet->data + IPV4_HEADER;

	if (packet->size != KIN_SIZE || packet->v6 || packet->protocol != IP_PROTOCOL_ICMP ||
	    packet->header != IPV4_HEADER)
		return KIN_NONE;
	if (icmp[0] == ECHO && memcmp(icmp + 8, words[KIN_QUESTION], 16) == 0)
		return KIN_QUESTION;
	if (icmp[0] == ECHO_REPLY && memcmp(icmp + 8, words[KIN_ANSWER], 16) == 0)
		return KIN_ANSWER;
	return KIN_NONE;
}
