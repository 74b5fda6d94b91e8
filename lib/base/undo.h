/*
 * Undo stack: each acquired thing pushes its release; success clears the stack, leaving the scope
 * otherwise runs it backwards. Steps get a pointer that must outlive the stack.
 */
#ifndef BASE_UNDO_H
#define BASE_UNDO_H

#include "base/error.h"

#define UNDO_MAX 24
typedef int undo_fn(void *arg, struct error *err);

struct undo {
	struct undo_step {
		undo_fn *fn;
		void *arg;
		const char *label; /* names the step when undoing it fails */
	} steps[UNDO_MAX];
	unsigned n;
};

void undo_push(struct undo *undo, undo_fn *fn, void *arg, const char *label);
void undo_clear(struct undo *undo);
/* Run all steps backwards, all of them; failures are joined into err (may be NULL). */
void undo_run(struct undo *undo, struct error *err);
void undo_leave(struct undo *undo);
#define auto_undo on_leave(undo_leave)

#endif
