/* Troubles that last are told now and then. */
#include "unit.h"

#include "base/trouble.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is logged meanwhile: how many lines, and the last of them. */
static unsigned told(struct trouble *trouble, const char *text, char last[1024])
{
	int file = memfd_create("log", MFD_CLOEXEC), own = dup(STDERR_FILENO);
	char said[1024] = "";
	unsigned lines = 0;

	check(file >= 0 && own >= 0 && dup2(file, STDERR_FILENO) >= 0);
	trouble_tell(trouble, text);
	check(dup2(own, STDERR_FILENO) >= 0);
	check(pread(file, said, sizeof(said) - 1, 0) >= 0);
	for (const char *at = said; (at = strchr(at, '\n')); at++)
		lines++;
	strcpy(last, said);
	close(own);
	close(file);
	return lines;
}

TEST(trouble_is_told_when_it_begins_and_when_it_is_another)
{
	struct trouble trouble = { .n = 0 };
	char said[1024];

	check_int(told(&trouble, "the store is gone", said), 1);
	check(strstr(said, "the store is gone") != NULL);
	check_int(told(&trouble, "the store is gone", said), 0);
	check_int(told(&trouble, "the store is late", said), 1);
	check_int(trouble.n, 1);
	trouble.again_ms = 0;
	check_int(told(&trouble, "the store is late", said), 1);
	check(strstr(said, "(2 times by now)") != NULL);
	trouble.n = 0; /* it was well in between */
	check_int(told(&trouble, "the store is late", said), 1);
}

TEST(trouble_that_is_longer_than_what_is_kept_is_told_once)
{
	struct trouble trouble = { .n = 0 };
	char text[2 * sizeof(trouble.text)], said[1024];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	told(&trouble, text, said);
	check_int(told(&trouble, text, said), 0);
	check_int(trouble.n, 2);
}
