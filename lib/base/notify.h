/* Tell the service manager how this process is (sd_notify(3)): nothing happens when there is none that wants to know. */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/base.h"

/* Lines as "READY=1", to the socket that NOTIFY_SOCKET names: a path, or '@' and an abstract name. False = not sent. */
bool notify_send(const char *format, ...) printf_like(1, 2);
/* Where that is; false = nobody wants to know, or at no place that can be. */
bool notify_socket(struct sockaddr_un *address, socklen_t *size);
/* How often "WATCHDOG=1" is to be sent, in ms: half of what the manager waits; 0 = not at all. */
unsigned notify_watchdog_ms(void);

#endif
