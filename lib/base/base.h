/* The few macros every file uses: ownership by cleanup attribute, hand-over, checked results. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(array)  (sizeof(array) / sizeof((array)[0]))
#define on_leave(function) __attribute__((cleanup(function)))
#define must_check         __attribute__((warn_unused_result))
#define printf_like(f, a)  __attribute__((format(printf, f, a)))
#define unused             __attribute__((unused))

static inline void free_ptr(void *ptr)
{
	free(*(void **)ptr);
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define auto_free  on_leave(free_ptr)
#define auto_close on_leave(close_fd)

/* Hand over a pointer or descriptor: the variable forgets it, so its cleanup does nothing. */
#define take_ptr(ptr)                       \
	({                                  \
		typeof(ptr) taken_ = (ptr); \
		(ptr) = NULL;               \
		taken_;                     \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

#endif
