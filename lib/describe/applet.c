/* What is going on, for who waits at a terminal. */
#include "describe/applet.h"

void call_step(const struct invocation *call, const char *what)
{
	if (call->steps)
		fprintf(stderr, what ? "\r\033[K%s: %s ..." : "\r\033[K", call->name, what);
}
