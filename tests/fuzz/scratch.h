/* A scratch folder in memory for harnesses whose parsers read files: made once, emptied for every input. */
#ifndef FUZZ_SCRATCH_H
#define FUZZ_SCRATCH_H

#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

static char scratch[64];

static int scratch_remove(const char *path, unused const struct stat *st, unused int kind,
			  struct FTW *place)
{
	return place->level ? remove(path) : 0;
}

static void scratch_end(void)
{
	nftw(scratch, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
	rmdir(scratch);
}

static const char *scratch_empty(void)
{
	if (*scratch) {
		nftw(scratch, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
		return scratch;
	}
	snprintf(scratch, sizeof(scratch), "/dev/shm/cnibox-fuzz-XXXXXX");
	fuzz_check(mkdtemp(scratch), "no scratch folder %s", scratch);
	atexit(scratch_end);
	return scratch;
}

static void scratch_write(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	fuzz_check(write(fd, data, size) == (ssize_t)size, "write %s", path);
	close(fd);
}

#endif
