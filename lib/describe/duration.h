/* Durations as people write them: "1m30s", "250ms", "2h", "1d"; a bare number is seconds. The value
 * is milliseconds. */
#ifndef DESCRIBE_DURATION_H
#define DESCRIBE_DURATION_H

#include "base/base.h"

#define DURATION_TEXT_SIZE 48

/* Parts may have a fraction ("1.5s") as long as a whole number of milliseconds comes out. False: no
 * duration, or too long for 64 bits. */
bool duration_parse(const char *text, int64_t *ms);
/* The shortest text that parses to the same value; zero is "0s". Returns text. */
const char *duration_format(int64_t ms, char text[DURATION_TEXT_SIZE]);

#endif
