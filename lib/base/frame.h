/* Texts over a socket: a length of four bytes in network order, then as many of text. */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include "base/arena.h"
#include "base/error.h"

enum { FRAME_MAX = 64 << 20, FRAME_HEADER = 4 };

int frame_send(int fd, const char *text) must_check;
/* *text is whole, in the arena; 0 with *text NULL: the other side has closed. */
int frame_receive(int fd, struct arena *arena, char **text, size_t *size,
		  struct error *err) must_check;

/* What has come of frames on a descriptor that does not wait. Zeroes are an empty one. */
struct frames {
	char *data;
	size_t size, room;
};
/* Take what is there: 1 = something, 0 = nothing right now, -EPIPE = the other side has closed, or another errno. */
int frames_read(struct frames *frames, int fd) must_check;
/* The frame at the front into the arena, taken off: 1; 0 = it is not whole yet; -EPROTO = longer than max. */
int frames_take(struct frames *frames, size_t max, struct arena *arena, char **text, size_t *size,
		struct error *err) must_check;
void frames_free(struct frames *frames);

#endif
