/* Files as state: read whole with a limit, replace in one step, folders, locks with a deadline. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/arena.h"
#include "base/error.h"

#include <sys/types.h>

/* Read a regular file (or fd) whole into the arena, NUL behind; at most max bytes (EFBIG beyond). */
int file_read(const char *path, size_t max, struct arena *arena, char **data, size_t *size,
	      struct error *err) must_check;
int fd_read_all(int fd, size_t max, struct arena *arena, char **data, size_t *size,
		struct error *err) must_check;
/* Write the whole buffer to a descriptor, through short writes and EINTR. */
int fd_write_all(int fd, const void *data, size_t size) must_check;
/* The same to a stream socket: -EPIPE, and no signal, when nobody is at its other end. */
int socket_send_all(int fd, const void *data, size_t size) must_check;

/*
 * Replace a file in one step: temporary file in the same folder, write, fsync when durable, rename.
 * A reader sees the old content or the new, never a part. Returns 0 or -errno.
 */
int file_replace(const char *path, mode_t mode, const void *data, size_t size, bool durable,
		 struct error *err) must_check;

/*
 * The same for a path that a person gave: what a symbolic link leads to is replaced, not the link, and what is no file (/dev/null,
 * a pipe) is written to. Returns 1 for the latter.
 */
int file_put(const char *path, mode_t mode, const void *data, size_t size, bool durable,
	     struct error *err) must_check;

int dir_make(const char *path, mode_t mode, struct error *err) must_check; /* with all parents */

/*
 * Take an exclusive flock on path (created with mode when absent), waiting at most timeout_ms.
 * *fd owns the lock: closing it releases. On time-out: -ETIMEDOUT with CNI code 11, naming the file.
 */
int lock_take(const char *path, mode_t mode, unsigned timeout_ms, int *fd,
	      struct error *err) must_check;
/* An exclusive flock on an open file, waiting at most timeout_ms: 0, or -errno (-ETIMEDOUT). */
int lock_hold(int fd, unsigned timeout_ms) must_check;
/* A shared flock on an open file, waiting at most timeout_ms: 0, or -errno (-ETIMEDOUT). */
int lock_share(int fd, unsigned timeout_ms) must_check;

#endif
