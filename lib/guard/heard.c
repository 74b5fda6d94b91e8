/* What sources, gates and passes tell the guard. */
#include "guard/guard_internal.h"

#include "base/clock.h"

void guard_end_with(struct guard *guard, const struct error *why)
{
	if (!guard->fatal.errnum)
		guard->fatal = *why;
	loop_stop(guard->loop, -why->errnum);
}

void guard_heard(struct guard *guard)
{
	if (!guard->heard_ms)
		guard->heard_ms = clock_ms();
}

void guard_changed(struct guard *guard, bool gathered)
{
	guard_heard(guard);
	loop_alarm(guard->loop, &guard->pass,
		   guard->pause_ms ? guard->pause_ms
		   : gathered      ? 0
				   : guard->options->delay_ms);
}

void guard_look(struct guard *guard, unsigned delay_ms)
{
	guard->look = true;
	loop_alarm(guard->loop, &guard->pass, delay_ms);
}
