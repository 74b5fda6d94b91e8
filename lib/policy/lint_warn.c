/* What lint says, and of which place of an object. */
#include "policy/lint_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy/explain.h"

void lint_warn(struct lint *lint, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	lint->report(lint->arg, false, lint->object, text);
}

const char *lint_place(struct lint *lint, enum direction direction, size_t rule)
{
	return arena_printf(lint->arena, "spec.%s[%zu]", direction_names[direction], rule);
}

const char *lint_peer_place(struct lint *lint, enum direction direction, size_t rule, size_t peer)
{
	return arena_printf(lint->arena, "spec.%s[%zu].%s[%zu]", direction_names[direction], rule,
			    direction == INGRESS ? "from" : "to", peer);
}
