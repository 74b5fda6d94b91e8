/*
 * The relay's short way: programs in the kernel carry what needs nothing special, and leave the rest to the relay's process
 * (kernel/tunnel_program.h). They go on when the agent ends, with the peers as they were; the next agent puts its own in their
 * place. Counters and what is known of peers are in memory that all three see.
 */
#ifndef RELAY_SHORTCUT_H
#define RELAY_SHORTCUT_H

#include "kernel/netlink.h"
#include "relay/relay.h"

struct relay_state;
struct shortcut;

/* For a device that is there. Nothing is attached yet. The error says what this node lacks. */
int shortcut_open(struct shortcut **shortcut, const struct relay_spec *spec, uint32_t n_slots,
		  struct error *err) must_check;
void shortcut_close(struct shortcut *shortcut); /* what is attached stays */
/* n_slots of them, all zero; the shortcut's. */
struct relay_state *shortcut_states(const struct shortcut *shortcut);
int shortcut_states_file(const struct shortcut *shortcut); /* whose memory that is; the same */
/* was: told before; NULL = nothing. */
int shortcut_tell(struct shortcut *shortcut, const struct table *was, const struct table *is,
		  struct error *err) must_check;
/* Our programs are at their hooks, and on no other link. */
int shortcut_ensure(struct shortcut *shortcut, struct error *err) must_check;
/* A link that is its alone: when it goes, shortcut_ensure() is due. */
bool shortcut_is_link(const struct shortcut *shortcut, int index);
/* Of any agent of this node. */
int shortcut_remove(struct netlink *nl, unsigned *n_removed, struct error *err) must_check;

#endif
