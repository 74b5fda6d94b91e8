/* Network sysctls as files. The namespace is that of the thread which opens the file. */
#include "kernel/sysctl.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"

#define VALUE_SIZE 256

/* A part of the path is "..", which is not the same as an interface named "v..1". */
static bool leads_elsewhere(const char *name)
{
	for (const char *at = name; (at = strstr(at, "..")); at += 2)
		if ((at == name || at[-1] == '/') && (at[2] == '/' || !at[2]))
			return true;
	return false;
}

static int sysctl_open(const char *name, int flags)
{
	char path[256];
	int fd;

	if (leads_elsewhere(name) ||
	    snprintf(path, sizeof(path), "/proc/sys/%s", name) >= (int)sizeof(path))
		return -EINVAL;
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

bool sysctl_same(const char *a, const char *b)
{
	static const char blanks[] = " \t\n";

	for (;;) {
		size_t len;

		a += strspn(a, blanks);
		b += strspn(b, blanks);
		len = strcspn(a, blanks);
		if (len != strcspn(b, blanks) || memcmp(a, b, len) != 0)
			return false;
		if (len == 0)
			return true;
		a += len;
		b += len;
	}
}

int sysctl_read(const char *name, char *value, size_t size, struct error *err)
{
	auto_close int fd = sysctl_open(name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fail_errno(err, -fd, "read sysctl %s", name);
	n = read(fd, value, size - 1);
	if (n < 0)
		return fail_errno(err, errno, "read sysctl %s", name);
	while (n > 0 && isspace((unsigned char)value[n - 1]))
		n--;
	value[n] = '\0';
	return 0;
}

int sysctl_write(const char *name, const char *value, struct error *err)
{
	auto_close int fd = sysctl_open(name, O_WRONLY);

	if (fd < 0)
		return fail_errno(err, -fd, "set sysctl %s to \"%s\"", name, value);
	if (write(fd, value, strlen(value)) < 0)
		return fail_errno(err, errno, "set sysctl %s to \"%s\"", name, value);
	return 0;
}

int sysctl_ensure(const char *name, const char *value, struct error *err)
{
	char now[VALUE_SIZE] = "";
	int r = sysctl_read(name, now, sizeof(now), err);

	if (r < 0)
		return r;
	return sysctl_same(now, value) ? 0 : sysctl_write(name, value, err);
}

void sysctl_try(const char *name, const char *value)
{
	struct error err = { 0 };

	if (sysctl_write(name, value, &err) < 0)
		log_debug("%s", err.message);
}
