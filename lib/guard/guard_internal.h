/* The guard's state, and its parts; inside lib/guard only. */
#ifndef GUARD_GUARD_INTERNAL_H
#define GUARD_GUARD_INTERNAL_H

#include "base/daemon.h"
#include "base/loop.h"
#include "base/trouble.h"
#include "guard/guard.h"
#include "kernel/netlink.h"
#include "policy/live.h"

struct folder;
struct cluster;
struct gate;
struct probes;

struct guard_counts {
	uint64_t passes, failed, looks, writes, repairs;
	uint64_t elements_added, elements_removed, groups; /* written */
	int64_t last_ms;                                   /* what the last pass took */
	int64_t update_ms; /* from a source's word to its being in force, the last time */
};

struct guard {
	const struct guard_options *options;
	struct loop *loop;
	struct live *live;
	struct netlink *monitor; /* NULL = nobody tells of what others do */
	int claim;               /* lock of the node */
	struct folder *folder;
	struct cluster *cluster;
	struct gate *gate;
	struct probes *probes;
	bool look;   /* the kernel has to be read: what is in force is not known */
	bool first;  /* nothing has been written yet */
	bool synced; /* all sources have told what they have */
	bool fine, told_ready;
	unsigned pause_ms; /* after a failure */
	struct alarm pass; /* the next one */
	int resync_timer;
	uint64_t state; /* of what nobody tells of, after the last pass */
	struct daemon_calls calls;
	int64_t looked_ms;
	int64_t heard_ms;       /* of a source, for the first time since the last pass; 0 = not */
	struct trouble trouble; /* of passes */
	struct trouble bridges; /* that do not show their frames to rules */
	struct guard_counts counts;
	char *told; /* what plugins told, as it is kept; NULL = nothing */
	struct error fatal;
};

void guard_heard(struct guard *guard); /* of a change, which is looked at only now */
/* By a source. gathered: it has waited for more already. */
void guard_changed(struct guard *guard, bool gathered);
/* What others did is looked at. */
void guard_look(struct guard *guard, unsigned delay_ms);
void guard_end_with(struct guard *guard, const struct error *why);
/* All that can be done with what is known by now. */
int guard_pass(struct guard *guard, struct error *err) must_check;
bool guard_is_ready(const struct guard *guard, struct arena *arena, const char **why);
void guard_tell_state(const struct guard *guard);

/* ---- who asks ---- */

int gate_open(struct gate **gate, struct guard *guard, struct error *err) must_check;
void gate_close(struct gate *gate);
void gate_tell(struct gate *gate);   /* before a pass: pods that wait have their addresses */
void gate_answer(struct gate *gate); /* after one that succeeded */
struct gate_counts {
	unsigned waiting;
	uint64_t let_in, late, refused;
};
void gate_count(const struct gate *gate, struct gate_counts *counts);

void told_read(struct guard *guard); /* what an earlier guard was told */
/* What still holds of what was told; nothing is written where that has not changed. */
int told_keep(struct guard *guard, struct error *err) must_check;

int probes_open(struct probes **probes, struct guard *guard, struct error *err) must_check;
void probes_close(struct probes *probes);

#endif
