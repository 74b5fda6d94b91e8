/*
 * Lease files. A lease is written under a temporary name outside of the network's directory and then linked to its
 * address: whoever reads the directory sees it complete, and link() refuses an address that is taken. An empty file
 * was left by a crash of the reference between making and writing it (or by a power cut); since we hold the lock its
 * writer is gone, and the address is free.
 *
 * Nothing is synced to disk: measured here, an fsync costs 10 ms on ext4, ten times the whole call. What a power cut
 * may lose, empty or fill with zeroes is a lease of a container that died with the power; such a file is taken over as above.
 */
#include "ipam/lease.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define LEASE_MAX  ((size_t)4096) /* bytes; longer ones are nobody's */
#define TEMP       "new" /* one is enough: the lock is held. Index entries have a ':' in their names */
#define NOBODY     " "    /* owner of a file of blanks or zeroes */
#define LINE_BREAK "\r\n" /* the reference's, on every system */

bool lease_has_owner(const struct lease *lease)
{
	return *lease->container && !streq(lease->container, NOBODY);
}

bool lease_is_of(const struct lease *lease, const char *container, const char *ifname)
{
	if (!lease_has_owner(lease) || !streq(lease->container, container))
		return false;
	return ifname && lease->ifname ? streq(lease->ifname, ifname) : !ifname && !lease->ifname;
}

/* White space around is not part of the owner, as for the reference. */
static void lease_parse(char *text, struct lease *lease)
{
	char *end, *line_break;

	text += strspn(text, " \t\r\n\v\f");
	for (end = text + strlen(text); end > text && strchr(" \t\r\n\v\f", end[-1]); end--)
		;
	*end = '\0';
	line_break = strstr(text, LINE_BREAK);
	lease->container = text;
	if (!line_break)
		return;
	*line_break = '\0';
	lease->ifname = line_break + strlen(LINE_BREAK);
}

int lease_read(int dir, const char *name, struct arena *arena, struct lease *lease,
	       struct error *err)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[LEASE_MAX + 1];
	ssize_t size;

	*lease = (struct lease){ .name = name, .container = "" };
	if (fd < 0)
		return fail_errno(err, errno, "read lease %s", name);
	ip_parse(name, &lease->ip);
	size = read(fd, text, LEASE_MAX);
	if (size < 0 && errno != EISDIR)
		return fail_errno(err, errno, "read lease %s", name);
	text[size < 0 ? 0 : size] = '\0';
	lease_parse(arena_strdup(arena, text), lease);
	if (size > 0 && !*lease->container)
		lease->container = NOBODY;
	return 0;
}

static int file_fill(int fd, const char *text)
{
	int r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));

	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

/* A leftover may be a live lease under its second name, so it is removed, never written to. */
static int temp_write(int temp, const char *text)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(temp, TEMP, flags, 0600), r;

	if (fd < 0 && errno == EEXIST) {
		temp_remove(temp);
		fd = openat(temp, TEMP, flags, 0600);
	}
	r = file_fill(fd, text);
	if (r < 0 && fd >= 0)
		temp_remove(temp);
	return r;
}

enum lease_state lease_state(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? LEASE_FREE : LEASE_TAKEN;
	return S_ISREG(st.st_mode) && st.st_size == 0 ? LEASE_EMPTY : LEASE_TAKEN;
}

bool lease_is_nobodys(int dir, const char *name)
{
	auto_arena struct arena arena = { 0 };
	struct lease lease;
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       lease_read(dir, name, &arena, &lease, NULL) == 0 && !lease_has_owner(&lease);
}

/* For file systems without hard links, or a network directory on another one: not in one step then. */
static int create_in_place(int dir, const char *name, const char *text)
{
	int flags = lease_is_nobodys(dir, name) ? O_TRUNC : O_CREAT | O_EXCL;
	int fd = openat(dir, name, flags | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600), r;

	if (fd < 0 && errno == EEXIST)
		return 0;
	r = file_fill(fd, text);
	if (r < 0 && fd >= 0)
		unlinkat(dir, name, 0);
	return r < 0 ? r : 1;
}

static bool cannot_link(int errnum)
{
	return errnum == EXDEV || errnum == EPERM || errnum == EOPNOTSUPP || errnum == EMLINK;
}

static int create(int dir, int temp, const char *name, const char *text)
{
	int r = temp_write(temp, text), errnum;

	if (r < 0)
		return r;
	errnum = linkat(temp, TEMP, dir, name, 0) < 0 ? errno : 0;
	if (errnum == EEXIST && lease_is_nobodys(dir, name)) {
		if (renameat(temp, TEMP, dir, name) == 0)
			return 1;
		errnum = errno;
	}
	temp_remove(temp);
	if (cannot_link(errnum))
		return create_in_place(dir, name, text);
	return errnum == 0 ? 1 : errnum == EEXIST ? 0 : -errnum;
}

int lease_create(int dir, int temp, const char *name, const struct owner *owner, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *text =
		arena_printf(&arena, "%s" LINE_BREAK "%s", owner->container, owner->ifname);
	int r = create(dir, temp, name, text);

	return r < 0 ? fail_errno(err, -r, "write lease %s", name) : r;
}

/*
 * In place: an inode less to make and one less to free for every lease, which is where the time goes on a disk. Who
 * reads holds the lock; a power cut may leave another address or none, from where the search starts as well.
 */
int state_write(int dir, const char *file, const char *text, struct error *err)
{
	const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	auto_close int fd = openat(dir, file, flags, 0600);
	size_t size = strlen(text);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(err, errno, "write %s", file);
	r = fd_write_all(fd, text, size);
	if (r == 0 && st.st_size > (off_t)size && ftruncate(fd, (off_t)size) < 0)
		r = -errno;
	return r < 0 ? fail_errno(err, -r, "write %s", file) : 0;
}

void temp_remove(int temp)
{
	unlinkat(temp, TEMP, 0);
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* A stream of its own over the directory: reading must not move the caller's descriptor. */
static DIR *dir_stream(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream)
		close_fd(&fd);
	return stream;
}

/* The next entry named by an address; NULL at the end, with errno 0, or on failure. */
static const char *next_address(DIR *stream, struct ip *ip)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(stream);
	} while (entry && (!ip_parse(entry->d_name, ip) || entry->d_type == DT_DIR));
	return entry ? entry->d_name : NULL;
}

static int compare_ips(const void *a, const void *b)
{
	return ip_compare(a, b);
}

static int compare_leases(const void *a, const void *b)
{
	return ip_compare(&((const struct lease *)a)->ip, &((const struct lease *)b)->ip);
}

int leases_read(int dir, struct arena *arena, leases_t *leases, struct error *err)
{
	DIR *stream on_leave(close_dir) = dir_stream(dir);
	struct lease lease;
	const char *name;
	struct ip ip;

	*leases = (leases_t){ 0 };
	while (stream && (name = next_address(stream, &ip))) {
		int r = lease_read(dir, arena_strdup(arena, name), arena, &lease, NULL);

		if (r < 0 && r != -ENOENT &&
		    r != -ELOOP) /* removed meanwhile; a link, which is no lease */
			return fail_errno(err, -r, "read lease %s", lease.name);
		if (r == 0)
			*list_add(arena, leases) = lease;
	}
	if (!stream || errno)
		return fail_errno(err, errno, "read the network's directory");
	if (leases->n > 1)
		qsort(leases->items, leases->n, sizeof(*leases->items), compare_leases);
	return 0;
}

int leases_addresses(int dir, struct arena *arena, ips_t *ips, struct error *err)
{
	DIR *stream on_leave(close_dir) = dir_stream(dir);
	struct ip ip;

	*ips = (ips_t){ 0 };
	while (stream && next_address(stream, &ip))
		*list_add(arena, ips) = ip;
	if (!stream || errno)
		return fail_errno(err, errno, "read the network's directory");
	if (ips->n > 1)
		qsort(ips->items, ips->n, sizeof(*ips->items), compare_ips);
	return 0;
}
