/* See frame.h. */
#include "base/frame.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/file.h"

enum { ROOM = 65536 };

int frame_send(int fd, const char *text)
{
	size_t size = strlen(text);
	uint32_t header = htonl((uint32_t)size);
	int r = socket_send_all(fd, &header, sizeof(header));

	return r < 0 ? r : socket_send_all(fd, text, size);
}

/* 0 with *n less than size: the end came before. */
static int read_exactly(int fd, void *data, size_t size, size_t *n, struct error *err)
{
	for (*n = 0; *n < size;) {
		ssize_t got = read(fd, (char *)data + *n, size - *n);

		if (got == 0)
			return 0;
		if (got < 0 && errno != EINTR)
			return fail_errno(err, errno, "read from the store's socket");
		*n += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

int frame_receive(int fd, struct arena *arena, char **text, size_t *size, struct error *err)
{
	uint32_t header;
	size_t n;
	int r = read_exactly(fd, &header, sizeof(header), &n, err);

	*text = NULL;
	if (r < 0 || n < sizeof(header))
		return r;
	*size = ntohl(header);
	if (*size > FRAME_MAX)
		return fail(err, EPROTO, "a message of %zu bytes from the store's socket", *size);
	*text = arena_alloc(arena, *size + 1);
	r = read_exactly(fd, *text, *size, &n, err);
	if (r == 0 && n < *size)
		*text = NULL;
	return r;
}

/* ---- without waiting ---- */

int frames_read(struct frames *frames, int fd)
{
	ssize_t n;

	if (frames->room - frames->size < ROOM) {
		frames->room = frames->room * 2 + ROOM;
		frames->data = xrealloc(frames->data, frames->room);
	}
	n = read(fd, frames->data + frames->size, frames->room - frames->size);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	frames->size += (size_t)n;
	return n ? 1 : -EPIPE;
}

int frames_take(struct frames *frames, size_t max, struct arena *arena, char **text, size_t *size,
		struct error *err)
{
	uint32_t header;

	*text = NULL;
	*size = 0;
	if (frames->size < FRAME_HEADER)
		return 0;
	memcpy(&header, frames->data, FRAME_HEADER);
	*size = ntohl(header);
	if (*size > max)
		return fail(err, EPROTO, "%zu bytes were sent at once", *size);
	if (frames->size - FRAME_HEADER < *size)
		return 0;
	*text = arena_memdup(arena, frames->data + FRAME_HEADER, *size);
	frames->size -= FRAME_HEADER + *size;
	memmove(frames->data, frames->data + FRAME_HEADER + *size, frames->size);
	return 1;
}

void frames_free(struct frames *frames)
{
	free(frames->data);
	*frames = (struct frames){ 0 };
}
