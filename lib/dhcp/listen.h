/* The listening socket: one that systemd hands over (sd_listen_fds(3)), or one of our own. */
#ifndef DHCP_LISTEN_H
#define DHCP_LISTEN_H

#include "base/error.h"

/* *own: we made it, and remove its file in the end. In path's folder, made with mode 0700; a file that a daemon which was
 * killed left there is replaced, one that somebody serves is not: -EADDRINUSE. */
int listen_open(const char *path, int *fd, bool *own, struct error *err) must_check;

#endif
