/* Log: levelled lines on stderr. stdout is never touched. Libraries log at debug level only. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_QUIET, LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level; /* the only mutable global; default LOG_WARNING, or $CNIBOX_LOG */

void log_line(enum log_level level, const char *format, ...) printf_like(2, 3);
#define log_error(...)   log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                    \
	do {                                              \
		if (log_level >= LOG_DEBUG)               \
			log_line(LOG_DEBUG, __VA_ARGS__); \
	} while (0)

#endif
