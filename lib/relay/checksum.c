/* 32 bits are added at a time in lanes of 64, which no packet can overflow; the compiler makes vectors of it. */
#include "relay/checksum.h"

/* The analyzer of gcc 12 takes a vector's element for one bit wide. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-shift-count-overflow"
#endif

typedef uint64_t lanes __attribute__((vector_size(16)));

static uint64_t add_lanes(const uint8_t *data, size_t n)
{
	lanes a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	const lanes low = { 0xffffffff, 0xffffffff };

	for (size_t i = 0; i < n; i++, data += 32) {
		lanes x, y;

		memcpy(&x, data, sizeof(x));
		memcpy(&y, data + 16, sizeof(y));
		a += x & low;
		b += x >> 32;
		c += y & low;
		d += y >> 32;
	}
	a += b + c + d;
	return a[0] + a[1];
}

uint64_t checksum_add(uint64_t sum, const void *data_, size_t size)
{
	const uint8_t *data = data_;
	size_t n = size / 32;

	/* A sum that was full before stays in range: what goes in is below 2^48. */
	sum = (sum & 0xffffffff) + (sum >> 32) + add_lanes(data, n);
	for (data += 32 * n, size -= 32 * n; size >= 4; data += 4, size -= 4) {
		uint32_t word;

		memcpy(&word, data, sizeof(word));
		sum += word;
	}
	if (size) {
		uint32_t word = 0;

		memcpy(&word, data, size);
		sum += word;
	}
	return sum;
}

uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
