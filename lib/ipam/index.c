/*
 * The index of leases by owner. The entries of an owner are numbered without gaps, so that finding them takes one
 * readlink() more than there are. ':' is in no container id and in no interface name; an owner too long for a file
 * name, or whatever a damaged lease file says, is hashed.
 *
 * Who else writes the network's directory - the reference, an administrator's rm, a call of ours that was killed - does
 * not know of the index. So it is valid only while both directories carry the same modification time, which
 * index_seal() sets at the end of a call. The kernel's own time stamps move in ticks of some milliseconds, and two
 * changes in one tick look the same; ours have last digits of their own (SEAL), which makes any later change visible. On
 * a file system with coarser stamps the index is never valid: correct, and as slow as the reference.
 */
#include "ipam/index.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define ENTRY_SIZE 256 /* NAME_MAX + 1 */
#define PER_OWNER  256 /* leases of one owner: a bound on loops, not a wish */
#define SEAL       777000 /* nanoseconds modulo 1000000; survives file systems that keep microseconds */

static void entry_name(char name[ENTRY_SIZE], const char *container, const char *ifname, unsigned k)
{
	char hash[65];

	ifname = ifname ? ifname : "";
	if (!strpbrk(container, "/:") && !strpbrk(ifname, "/:") &&
	    snprintf(name, ENTRY_SIZE, "%s:%s:%u", container, ifname, k) < ENTRY_SIZE)
		return;
	sha512_hex(hash, 64, container, ":", ifname, NULL);
	snprintf(name, ENTRY_SIZE, ":%s:%u", hash, k);
}

bool index_valid(int index, int leases)
{
	struct stat a, b;

	if (fstat(index, &a) < 0 || fstat(leases, &b) < 0)
		return false;
	return a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
	       a.st_mtim.tv_nsec % 1000000 == SEAL;
}

void index_seal(int index, int leases)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	clock_gettime(CLOCK_REALTIME, &times[1]);
	times[1].tv_nsec += SEAL - times[1].tv_nsec % 1000000;
	if (futimens(leases, times) == 0)
		(void)!futimens(index, times); /* not sealed then: the next call rebuilds */
}

/* -ENOENT past the owner's last entry. */
static int entry_read(int index, const char *container, const char *ifname, unsigned k,
		      char target[ENTRY_SIZE])
{
	char name[ENTRY_SIZE];
	ssize_t len;

	entry_name(name, container, ifname, k);
	len = readlinkat(index, name, target, ENTRY_SIZE);
	if (len < 0)
		return -errno;
	if (len == 0 || len >= ENTRY_SIZE)
		return -EINVAL;
	target[len] = '\0';
	return 0;
}

int index_find(int index, const char *container, const char *ifname, struct arena *arena,
	       words_t *names, struct error *err)
{
	char target[ENTRY_SIZE];
	int r = 0;

	*names = (words_t){ 0 };
	for (unsigned k = 0; k < PER_OWNER && r == 0; k++) {
		r = entry_read(index, container, ifname, k, target);
		if (r == 0)
			*list_add(arena, names) = arena_strdup(arena, target);
	}
	return r == 0 || r == -ENOENT
		       ? 0
		       : fail_errno(err, -r, "read the lease index of %s", container);
}

int index_add(int index, const char *container, const char *ifname, const char *name,
	      struct error *err)
{
	char entry[ENTRY_SIZE];
	int r = -EEXIST;

	for (unsigned k = 0; k < PER_OWNER && r == -EEXIST; k++) {
		entry_name(entry, container, ifname, k);
		r = symlinkat(name, index, entry) < 0 ? -errno : 0;
	}
	return r < 0 ? fail_errno(err, -r, "write the lease index of %s", container) : 0;
}

/* The last entry takes the place of the one removed, which keeps the numbers without gaps. */
int index_remove(int index, const char *container, const char *ifname, const char *name,
		 struct error *err)
{
	char target[ENTRY_SIZE], entry[ENTRY_SIZE], last[ENTRY_SIZE];
	unsigned n = 0, found = PER_OWNER;

	for (; n < PER_OWNER && entry_read(index, container, ifname, n, target) == 0; n++)
		if (streq(target, name))
			found = n;
	if (found == PER_OWNER)
		return 0;
	entry_name(entry, container, ifname, found);
	entry_name(last, container, ifname, n - 1);
	if (found + 1 < n ? renameat(index, last, index, entry) : unlinkat(index, last, 0))
		return fail_errno(err, errno, "write the lease index of %s", container);
	return 0;
}

/* What else is in the folder is not ours to remove. readdir() may pass over entries when others are removed meanwhile:
 * repeat until a round finds none. */
static int wipe(int index)
{
	int fd = openat(index, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool found = true;

	if (!stream) {
		r = -errno;
		close_fd(&fd);
		return r;
	}
	while (found && r == 0) {
		found = false;
		rewinddir(stream);
		while (r == 0 && (entry = readdir(stream))) {
			if (!strchr(entry->d_name, ':'))
				continue;
			found = true;
			r = unlinkat(index, entry->d_name, 0) < 0 && errno != ENOENT ? -errno : 0;
		}
	}
	closedir(stream);
	return r;
}

int index_rebuild(int index, const leases_t *leases, struct error *err)
{
	int r = wipe(index);

	if (r < 0)
		return fail_errno(err, -r, "empty the lease index");
	list_each(lease, leases) {
		if (!lease_has_owner(lease))
			continue;
		r = index_add(index, lease->container, lease->ifname, lease->name, err);
		if (r < 0)
			return r;
	}
	return 0;
}
