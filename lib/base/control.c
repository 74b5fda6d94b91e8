/* See control.h. What was cut off is shorter than its type says. */
#include "base/control.h"

bool control_read(struct msghdr *message, int level, int type, void *value, size_t size)
{
	const char *end = (const char *)message->msg_control + message->msg_controllen;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != level || c->cmsg_type != type)
			continue;
		if (c->cmsg_len < CMSG_LEN(size) ||
		    (size_t)(end - (const char *)c) < CMSG_LEN(size))
			return false;
		memcpy(value, CMSG_DATA(c), size);
		return true;
	}
	return false;
}
