/* What a binding tells of itself: a line of the log that says whose it is. */
#include "dhcp/binding.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

void binding_note(const struct binding *b, const char *format, ...)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%.64s/%.64s/%.15s: ", b->record.network,
			 b->record.container, b->record.ifname);
	va_list args;

	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
	va_end(args);
	text_mask(line);
	b->env->note(line);
}
