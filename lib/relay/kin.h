/*
 * Is the relay at the other end one of ours? A question that looks like a ping between the two devices' addresses: the kernel
 * behind flannel's relay answers with the same words, a relay of ours with others. Who does not prove to be kin is paced.
 */
#ifndef RELAY_KIN_H
#define RELAY_KIN_H

#include "relay/packet.h"

enum { KIN_SIZE = IPV4_HEADER + 8 + 16 };

enum kin_word { KIN_NONE, KIN_QUESTION, KIN_ANSWER };

/* The question, or the answer to one; addresses of IPv4. */
void kin_make(uint8_t packet[KIN_SIZE], const uint8_t source[4], const uint8_t address[4],
	      enum kin_word word);
/* What it is, whoever sent it. */
enum kin_word kin_word_of(const struct packet *packet);

#endif
