/* Reading inotify(7): records that have come, one by one. A record that is not whole, or whose name has no end, ends what was read with it. */
#ifndef BASE_INOTIFY_H
#define BASE_INOTIFY_H

#include <sys/inotify.h>

#include "base/base.h"

/* Takes all that has come at a descriptor that does not block, and hands each record on. */
typedef void inotify_fn(void *arg, const struct inotify_event *event);
void inotify_drain(int fd, inotify_fn *hear, void *arg);

#endif
