/* Clocks that only go forward, in milliseconds: one of deadlines, and one of leases, which goes on while the machine
 * sleeps and is the same for all processes until it boots again. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int64_t clock_boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What people set, and the network: for times that others read. A function of its own, so that a test can put one in front. */
int64_t clock_wall_ms(void);

/* Before the next try of what has failed: twice what it was (0 = none yet), within bounds, less up to a quarter by chance, so that many
 * who failed together do not come back together. */
unsigned clock_next_pause(unsigned pause_ms, unsigned min_ms, unsigned max_ms);

enum { CLOCK_TEXT_SIZE = sizeof("2026-11-26T12:00:00Z") };

/* A time of that clock as text, in whole seconds of UTC: "2026-11-26T12:00:00Z"; "" before 1970 or after 9999. */
char *clock_format(int64_t wall_ms, char text[CLOCK_TEXT_SIZE]);
/* The other way round; fractions of a second may follow, and do not count. False: it is no such text. */
bool clock_parse(const char *text, int64_t *wall_ms);

#endif
