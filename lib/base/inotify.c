/* See inotify.h. The kernel's records have sizes of their own, which are believed only as far as what was read goes. */
#include "base/inotify.h"

/* The record at the front of size bytes: its size, 0 = there is no whole one. */
static size_t record_size(const struct inotify_event *event, size_t size)
{
	if (size < sizeof(*event) || event->len > size - sizeof(*event) ||
	    event->len % _Alignof(struct inotify_event) ||
	    (event->len && event->name[event->len - 1]))
		return 0;
	return sizeof(*event) + event->len;
}

void inotify_drain(int fd, inotify_fn *hear, void *arg)
{
	char data[4096] __attribute__((aligned(_Alignof(struct inotify_event))));
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0) {
		size_t left = (size_t)n, size;

		for (const char *at = data; left; at += size, left -= size) {
			const struct inotify_event *event = (const void *)at;

			size = record_size(event, left);
			if (!size)
				break;
			hear(arg, event);
		}
	}
}
