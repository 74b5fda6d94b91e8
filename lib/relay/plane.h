/* The relay's process; inside lib/relay only. */
#ifndef RELAY_PLANE_H
#define RELAY_PLANE_H

#include "relay/worker.h"

/* Until the agent closes its end: the exit status. */
int plane_run(const struct plane_setup *setup);

#endif
