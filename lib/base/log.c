/*
 * Log lines on stderr: one write for each, so that lines of parallel processes do not mix. The level is read
 * from $CNIBOX_LOG before main() runs: no applet has to remember it.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const level_names[] = {
	[LOG_QUIET] = "quiet", [LOG_ERROR] = "error", [LOG_WARNING] = "warning",
	[LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

enum log_level log_level = LOG_WARNING;

__attribute__((constructor)) static void log_level_from_environment(void)
{
	const char *name = getenv("CNIBOX_LOG");

	for (size_t i = 0; name && i < ARRAY_SIZE(level_names); i++)
		if (streq(name, level_names[i]))
			log_level = (enum log_level)i;
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[2048];
	int saved = errno, n;
	va_list args;

	if (level > log_level || level <= LOG_QUIET || level > LOG_DEBUG)
		return;
	n = snprintf(line, sizeof(line), "cnibox: %s: ", level_names[level]);
	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
	va_end(args);
	n = (int)strlen(line);
	line[n] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n + 1) < 0)
		log_level = LOG_QUIET; /* nobody reads */
	errno = saved;
}
