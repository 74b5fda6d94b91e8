/* A trouble that lasts: it is told when it begins, and again after a while, with how often it has come. */
#ifndef BASE_TROUBLE_H
#define BASE_TROUBLE_H

#include "base/base.h"

enum { TROUBLE_AGAIN_MS = 300000 };

/* Zero is none. When it is over, n is set to 0 again. */
struct trouble {
	char text[512];
	unsigned n;
	int64_t again_ms; /* of clock_ms(): when it may be told again */
};

/* Log a warning, unless the same one was logged a short while ago. */
void trouble_tell(struct trouble *trouble, const char *text);

#endif
