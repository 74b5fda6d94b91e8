/* One datagram for each message; see notify.h. */
#include "base/notify.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_MAX = 1024 };

bool notify_socket(struct sockaddr_un *address, socklen_t *size)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name ? strlen(name) : 0;

	if (len < 2 || len >= sizeof(address->sun_path) || (*name != '/' && *name != '@'))
		return false;
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, name, len);
	if (*name == '@')
		address->sun_path[0] = '\0';
	/* An abstract name is all of its bytes: none may be too many. */
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name != '@'));
	return true;
}

bool notify_send(const char *format, ...)
{
	struct sockaddr_un address;
	char text[TEXT_MAX];
	auto_close int fd = -1;
	socklen_t size;
	va_list args;

	if (!notify_socket(&address, &size))
		return false;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd >= 0 &&
	       sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, size) >= 0;
}

unsigned notify_watchdog_ms(void)
{
	const char *microseconds = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long value = microseconds ? strtoull(microseconds, NULL, 10) : 0;

	if (pid && strtoull(pid, NULL, 10) != (unsigned long long)getpid())
		return 0;
	return value / 2000 > 3600000 ? 3600000 : (unsigned)(value / 2000);
}
