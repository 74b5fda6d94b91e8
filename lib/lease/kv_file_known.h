/*
 * What is known of the files in a store's folder: each is read once and again when it has changed, so that a network of
 * thousands of leases costs nothing while nothing happens. When a lease ends is reckoned by a clock that nobody sets, from
 * the moment in which it was first seen: a wall clock that jumps takes no peer away. Inside lib/lease only.
 */
#ifndef LEASE_KV_FILE_KNOWN_H
#define LEASE_KV_FILE_KNOWN_H

#include <sys/stat.h>

#include "lease/kv.h"

#define KV_FILE_EXPIRES "Expires"

/* What tells that a file has not changed. */
struct known_shape {
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct known_file {
	struct known_shape as; /* when it was read */
	uint64_t revision;
	int64_t ends_ms; /* of clock_boot_ms(); INT64_MAX = it has no end */
	bool seen;       /* by the scan that is going on */
	const char *value;
	size_t size;
	char name[]; /* value behind */
};

struct known_files {
	struct known_file **items; /* sorted by name */
	size_t n, room;
};

/* A key is one name, or one name in one folder. */
bool kv_file_valid_key(const char *key);
/* Changes with the text; never 0. */
uint64_t kv_file_revision(const char *text);
/* The file's text into value, revision and end; whatever it holds. malloc'ed. */
struct known_file *known_file_new(const char *name, const char *text);
/* Of its life; -1 = it has no end. */
int64_t known_file_left(const struct known_file *known);

struct known_file *known_files_find(const struct known_files *files, const char *name);
/* Read this one anew; one that cannot be read stays as it was, one that is gone goes. */
void known_files_reload(struct known_files *files, const char *dir, const char *name);
/* Look at all; those that have changed are read. -errno: the folder cannot be read, and nothing has changed. */
int known_files_scan(struct known_files *files, const char *dir, struct error *err) must_check;
void known_files_forget(struct known_files *files);

#endif
