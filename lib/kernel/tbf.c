/* Numbers of the token bucket filter: pure arithmetic, in 64 and 128 bits where the kernel's fields have 32. */
#include "kernel/qdisc.h"

#define TICK_NS        64u        /* PSCHED_SHIFT since Linux 2.6.31, as /proc/net/psched says */
#define MAX_TICKS      UINT32_MAX /* of a burst; the kernel holds more, but could not tell */
#define MAX_BUFFER_NS  UINT32_MAX /* the part of a buffer that the kernel makes a burst of */
#define LARGEST_FRAME  65535u     /* that may come in one piece: what is larger is cut to the MTU */
#define ROUNDING_TICKS 32u        /* a microsecond down, and the kernel's own division */

static uint32_t bytes_in(uint64_t rate, uint64_t ns)
{
	unsigned __int128 bytes = (unsigned __int128)rate * ns / 1000000000u;

	return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

/* Whole microseconds first, as the reference plugin counts: its CHECK compares the ticks. */
static uint64_t ticks_of(uint64_t rate, uint64_t burst)
{
	uint64_t us = (uint64_t)((unsigned __int128)burst * 1000000u / rate);

	return us > UINT32_MAX ? (uint64_t)UINT32_MAX * 1000 / TICK_NS : us * 1000 / TICK_NS;
}

struct tbf tbf_make(uint64_t rate, uint64_t burst, unsigned latency_ms)
{
	uint64_t ticks = ticks_of(rate, burst), limit;
	struct tbf tbf = { .rate = rate };

	if (ticks > MAX_TICKS) {
		burst = bytes_in(rate, (uint64_t)MAX_TICKS * TICK_NS);
		ticks = ticks_of(rate, burst);
	}
	limit = (uint64_t)bytes_in(rate, (uint64_t)latency_ms * 1000000u) + burst;
	tbf.limit = limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
	tbf.buffer = (uint32_t)ticks;
	/* Made from the buffer it would be smaller than a frame, which then could never pass. */
	if (ticks == 0 ||
	    bytes_in(rate, MAX_BUFFER_NS) < (burst < LARGEST_FRAME ? burst : LARGEST_FRAME))
		tbf.burst = (uint32_t)burst;
	return tbf;
}

bool tbf_equal(const struct tbf *a, const struct tbf *b)
{
	uint32_t apart = a->buffer > b->buffer ? a->buffer - b->buffer : b->buffer - a->buffer;

	return a->rate == b->rate && a->limit == b->limit && apart <= ROUNDING_TICKS;
}
