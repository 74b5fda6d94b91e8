/* Control messages that came with a datagram (cmsg(3)). */
#ifndef BASE_CONTROL_H
#define BASE_CONTROL_H

#include <sys/socket.h>

#include "base/base.h"

/* The value of the first of that level and type, which has to be whole: false = there is none. */
bool control_read(struct msghdr *message, int level, int type, void *value, size_t size);

#endif
