/* The Internet's checksum (RFC 1071): words are added as they stand in memory, so that no byte is swapped. */
#ifndef RELAY_CHECKSUM_H
#define RELAY_CHECKSUM_H

#include "base/base.h"

/* sum and what is behind it; a last odd byte counts as if a zero followed. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t size);
/* To 16 bits, not inverted. 0xffff is a right checksum's sum. */
uint16_t checksum_fold(uint64_t sum);

/* A word of the pseudo header, as it stands in memory. */
static inline uint64_t checksum_word(uint16_t host)
{
	uint8_t bytes[2] = { (uint8_t)(host >> 8), (uint8_t)host };
	uint16_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

#endif
