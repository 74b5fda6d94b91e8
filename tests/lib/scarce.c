/* Linked around a program: its allocation number $SCARCE_AT (from 1, behind main's begin) fails, and all later ones with $SCARCE_ALL. Without
 * them, how many there were goes to the file $SCARCE_COUNT. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

static long count, at = -1; /* -1: main has not begun */

static void tell(void)
{
	char text[24];
	int fd = open(getenv("SCARCE_COUNT"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, (size_t)snprintf(text, sizeof(text), "%ld\n", count)) < 0)
		_exit(99);
	close(fd);
}

int __wrap_main(int argc, char **argv)
{
	at = getenv("SCARCE_AT") ? atol(getenv("SCARCE_AT")) : 0;
	if (getenv("SCARCE_COUNT"))
		atexit(tell);
	return __real_main(argc, argv);
}

/* Not what libc does on the way to main. */
static int fails(void)
{
	if (at < 0)
		return 0;
	count++;
	if (at == 0 || count < at || (count > at && !getenv("SCARCE_ALL")))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	return fails() ? NULL : __real_realloc(ptr, size);
}
