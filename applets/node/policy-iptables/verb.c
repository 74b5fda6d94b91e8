/* What every verb starts from. */
#include "verb.h"

#include "policy/gate.h"

const struct options verb_defaults = {
	.place = LEASE_PLACE_DEFAULTS,
	.socket = GATE_SOCKET,
	.resync = 60000,
	.delay = 10,
	.silence = 30000,
	.once_timeout = 60000,
	.group = 100,
	.lines = 20,
};
