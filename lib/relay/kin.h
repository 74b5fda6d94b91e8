/*
 * What is the relay at the other end? A question that looks like a ping between the two devices' addresses: the kernel
 * behind flannel's relay answers with the same words, a relay of ours with others, and with others again when its kernel
 * takes what ours sends by itself (shortcut.h). Who does not prove to be kin is paced.
 */
#ifndef RELAY_KIN_H
#define RELAY_KIN_H

#include "relay/packet.h"

enum {
	KIN_WORDS = 16,
	KIN_SIZE = IPV4_HEADER + 8 + KIN_WORDS,
	KIN_SIZE6 = IPV6_HEADER + 8 + KIN_WORDS,
	KIN_ASK_MS = 5000,   /* as long as something is sent */
	KIN_KEEP_MS = 30000, /* for so long an answer counts */
	KIN_SHORT_MS = 8000, /* for so long one counts that the kernel takes packets */
	KIN_WAIT_MS = 1000,  /* for an answer: silence changes nothing */
};

enum kin_word {
	KIN_NONE,
	KIN_QUESTION,
	KIN_OTHER,    /* the question came back: no relay of ours */
	KIN_ANSWER,   /* of ours */
	KIN_SHORTCUT, /* and its kernel takes packets */
};

/* The question, or an answer to one (not KIN_OTHER): its size. */
size_t kin_make(uint8_t packet[KIN_SIZE6], bool v6, const uint8_t *source, const uint8_t *address,
		enum kin_word word);
/* What it is, whoever sent it. */
enum kin_word kin_word_of(const struct packet *packet);

#endif
