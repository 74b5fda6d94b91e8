/* Socket activation is an environment variable and descriptor 3: no library is needed for it. */
#include "dhcp/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/file.h"

enum { FIRST_HANDED = 3, BACKLOG = 512 };

/* How many descriptors are meant for this process; 0 = none. */
static long handed_over(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	if (!pid || !n || strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	return strtol(n, NULL, 10);
}

static int take_handed(int *fd, struct error *err)
{
	int accepting = 0;
	socklen_t size = sizeof(accepting);

	if (getsockopt(FIRST_HANDED, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &size) < 0 ||
	    !accepting)
		return fail(err, EINVAL, "socket activation: descriptor 3 is no listening socket");
	if (fcntl(FIRST_HANDED, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(FIRST_HANDED, F_SETFL, O_NONBLOCK) < 0)
		return fail_errno(err, errno, "socket activation");
	*fd = FIRST_HANDED;
	return 0;
}

static int folder_make(const char *path, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	char *folder = arena_strdup(&arena, path), *slash = strrchr(folder, '/');

	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return dir_make(folder, 0700, err);
}

/* A socket that nobody listens at is left from a daemon that was killed. */
static int remove_stale(const struct sockaddr_un *address, struct error *err)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : fail_errno(err, errno, "%s", address->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return fail(err, EEXIST, "%s is there and no socket", address->sun_path);
	if (fd < 0)
		return fail_errno(err, errno, "open a socket");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno != ECONNREFUSED)
		return fail(err, EADDRINUSE, "another daemon listens at %s", address->sun_path);
	return unlink(address->sun_path) < 0
		       ? fail_errno(err, errno, "remove %s", address->sun_path)
		       : 0;
}

static int make_own(const char *path, int *fd, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_close int new = -1;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(err, ENAMETOOLONG, "the socket's path is longer than %zu bytes: %s",
			    sizeof(address.sun_path) - 1, path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (folder_make(path, err) || remove_stale(&address, err))
		return -err->errnum;
	new = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (new < 0)
		return fail_errno(err, errno, "open a socket");
	mask = umask(0077);
	r = bind(new, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (r < 0 || listen(new, BACKLOG) < 0)
		return fail_errno(err, errno, "listen at %s", path);
	*fd = take_fd(&new);
	return 0;
}

int listen_open(const char *path, int *fd, bool *own, struct error *err)
{
	long n = handed_over();

	*fd = -1;
	*own = n == 0;
	if (n == 0)
		return make_own(path, fd, err);
	if (n != 1)
		return fail(err, EINVAL,
			    "Too many (%ld) descriptors passed through socket activation, "
			    "just one is expected",
			    n);
	return take_handed(fd, err);
}
