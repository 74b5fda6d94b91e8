/*
 * The undo stack: bounded, because every use pushes a number of steps known when it is written. A step too
 * many is a bug of ours and ends the process, rather than leaving something behind silently.
 */
#include "base/undo.h"

#include "base/log.h"

void undo_push(struct undo *undo, undo_fn *fn, void *arg, const char *label)
{
	if (undo->n >= UNDO_MAX)
		abort();
	undo->steps[undo->n++] = (struct undo_step){ .fn = fn, .arg = arg, .label = label };
}

void undo_clear(struct undo *undo)
{
	undo->n = 0;
}

/* A step is taken off the stack before it runs: one that fails is not tried twice. */
void undo_run(struct undo *undo, struct error *err)
{
	while (undo->n > 0) {
		struct undo_step step = undo->steps[--undo->n];
		struct error own = { 0 };
		int r = step.fn(step.arg, &own);

		if (r >= 0)
			continue;
		if (!own.errnum)
			fail_errno(&own, -r, "failed");
		wrap(&own, "%s", step.label);
		log_debug("undo: %s", own.message);
		error_join(err, &own);
	}
}

void undo_leave(struct undo *undo)
{
	undo_run(undo, NULL);
}
