/*
 * Devices of a way that the node no longer goes: after a move from VXLAN to host-gw, say, or to another VNI. They stay for as long
 * as other nodes may still send by them, so that nothing is lost, and go then.
 */
#ifndef AGENT_LEFTOVER_H
#define AGENT_LEFTOVER_H

#include "kernel/link.h"

struct agent;

/* By name and kind it is one of ours, or of flanneld's. */
bool leftover_is_device(const struct link *link);
/* Of those, the ones that the agent does not use, with an address in its network: another network's have others. */
int leftover_remove(struct agent *agent, struct error *err) must_check;

#endif
