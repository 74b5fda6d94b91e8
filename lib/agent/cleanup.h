/*
 * Everything that an agent of ours, or flanneld, leaves on a node when it ends, taken away: routes with our protocol number, the
 * devices that are named as flannel's, its rules in every form, subnet.env and what is remembered beside it. What leads
 * through the devices goes with them; nothing else of others is touched.
 *
 * Only what is of the agent's own network goes, which subnet.env and the store tell: another network's agent may be at work on
 * this node. Where neither tells anything, all of it goes.
 */
#ifndef AGENT_CLEANUP_H
#define AGENT_CLEANUP_H

#include "agent/agent.h"

#include <stdio.h>

/*
 * Prints a line for each thing that was there. The lease of this node, known by its subnet or by an address, is given back;
 * that the store cannot be reached is told and no failure. All is tried, whatever fails.
 */
int agent_cleanup(const struct agent_options *options, FILE *out, struct error *err) must_check;

#endif
