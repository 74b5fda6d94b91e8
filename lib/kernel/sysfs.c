/* Hardware as sysfs shows it: bus addresses, drivers, and the interfaces in a device's folder net. */
#include "kernel/sysfs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/text.h"
#include "describe/field.h"

#define PCI_DEVICES       "/sys/bus/pci/devices/"
#define AUXILIARY_DEVICES "/sys/bus/auxiliary/devices/"
#define DEVICES           "/sys/devices/"
#define INTERFACES        "/sys/class/net"

enum { ENTRIES_MAX = 4096, NAME_LEN_MAX = 64 };

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* ---- addresses ---- */

static size_t count_hex(const char *text)
{
	size_t n = 0;

	while (isxdigit((unsigned char)text[n]))
		n++;
	return n;
}

/* domain:bus:device.function; large machines (and virtual roots) have domains of more than four digits. */
bool sysfs_pci_parse(const char *text, char out[SYSFS_PCI_SIZE])
{
	size_t domain = count_hex(text);
	const char *rest = text + domain;

	if (domain < 4 || domain > 8 || rest[0] != ':' || count_hex(rest + 1) != 2 ||
	    rest[3] != ':' || count_hex(rest + 4) != 2 || rest[6] != '.' || rest[7] < '0' ||
	    rest[7] > '7' || rest[8])
		return false;
	for (size_t i = 0; out && i <= strlen(text); i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

bool sysfs_auxiliary_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_LEN_MAX || name[0] == '.')
		return false;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			return false;
	return true;
}

bool sysfs_address_parse(const char *text, char out[SYSFS_ADDRESS_SIZE])
{
	size_t len = strlen(text);

	if (len != 8 * 3 - 1 && len != 20 * 3 - 1)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool between = i % 3 == 2;

		if (between ? c != ':' && c != '-' : !isxdigit(c))
			return false;
		out[i] = between ? ':' : (char)tolower(c);
	}
	out[len] = '\0';
	return true;
}

int sysfs_path_check(const char *path, struct error *err)
{
	size_t len = strlen(path);

	if (!has_prefix(path, DEVICES))
		return fail(err, EINVAL,
			    "kernel device path \"%s\" must be absolute and begin with " DEVICES,
			    path);
	if (strstr(path, "/../") || has_suffix(path, "/..") || len >= PATH_MAX - 8)
		return fail(err, EINVAL, "kernel device path \"%s\" leads elsewhere", path);
	return 0;
}

bool sysfs_has_pci(const char *address)
{
	char path[64], plain[SYSFS_PCI_SIZE];

	if (!sysfs_pci_parse(address, plain))
		return false;
	snprintf(path, sizeof(path), PCI_DEVICES "%s", plain);
	return access(path, F_OK) == 0;
}

bool sysfs_has_auxiliary(const char *name)
{
	char path[sizeof(AUXILIARY_DEVICES) + NAME_LEN_MAX];

	if (!sysfs_auxiliary_valid(name))
		return false;
	snprintf(path, sizeof(path), AUXILIARY_DEVICES "%s", name);
	return access(path, F_OK) == 0;
}

bool sysfs_has_path(const char *path)
{
	return sysfs_path_check(path, NULL) == 0 && access(path, F_OK) == 0;
}

/* The last component of what a link points to. */
static void link_name(const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	const char *slash;

	*name = '\0';
	if (n <= 0)
		return;
	target[n] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, size, "%s", slash ? slash + 1 : target);
}

void sysfs_pci_driver(const char *address, char *driver, size_t size)
{
	char path[64], plain[SYSFS_PCI_SIZE];

	*driver = '\0';
	if (!sysfs_pci_parse(address, plain))
		return;
	snprintf(path, sizeof(path), PCI_DEVICES "%s/driver", plain);
	link_name(path, driver, size);
}

/* ---- interfaces ---- */

/* The first entry in the alphabet that the filter takes; how many were seen is bounded. False = none. */
static bool first_entry(DIR *dir, bool (*filter)(const char *name), char *name, size_t size)
{
	const struct dirent *entry;
	bool found = false;

	for (int i = 0; i < ENTRIES_MAX && (entry = readdir(dir)); i++) {
		if (!filter(entry->d_name) || strlen(entry->d_name) >= size ||
		    (found && strcmp(entry->d_name, name) >= 0))
			continue;
		snprintf(name, size, "%s", entry->d_name);
		found = true;
	}
	return found;
}

static bool is_virtio(const char *name)
{
	return has_prefix(name, "virtio");
}

static DIR *open_dir_at(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		close_fd(&fd);
	return dir;
}

/* The folder net of a device, or of its virtio child; NULL = neither has one. */
static DIR *open_net(const char *device)
{
	DIR *folder on_leave(close_dir) = opendir(device);
	char child[NAME_MAX + 1], path[NAME_MAX + 8];
	DIR *net = folder ? open_dir_at(dirfd(folder), "net") : NULL;

	if (net || !folder || !first_entry(folder, is_virtio, child, sizeof(child)))
		return net;
	snprintf(path, sizeof(path), "%s/net", child);
	return open_dir_at(dirfd(folder), path);
}

static int interface_of(const char *device, char name[16])
{
	DIR *net on_leave(close_dir) = open_net(device);

	*name = '\0';
	if (!net)
		return -ENOENT;
	return first_entry(net, field_valid_ifname, name, 16) ? 0 : -ENODEV;
}

int sysfs_pci_interface(const char *address, char name[16], struct error *err)
{
	char path[64], plain[SYSFS_PCI_SIZE];
	int r;

	*name = '\0';
	if (!sysfs_pci_parse(address, plain))
		return fail(err, EINVAL, "\"%s\" is not a PCI address such as 0000:03:00.1",
			    address);
	snprintf(path, sizeof(path), PCI_DEVICES "%s", plain);
	if (access(path, F_OK) < 0)
		return fail(err, ENOENT, "no pci device %s", address);
	r = interface_of(path, name);
	if (r == -ENOENT)
		return fail(err, ENOENT, "no net directory under pci device %s", address);
	if (r == -ENODEV)
		return fail(err, ENODEV,
			    "failed to find device name for pci address %s:"
			    " its interface is in another network namespace",
			    address);
	return 0;
}

int sysfs_auxiliary_interface(const char *device, char name[16], struct error *err)
{
	char path[sizeof(AUXILIARY_DEVICES) + NAME_LEN_MAX];
	int r;

	*name = '\0';
	if (!sysfs_auxiliary_valid(device))
		return fail(err, EINVAL, "\"%s\" is not a name on the auxiliary bus", device);
	snprintf(path, sizeof(path), AUXILIARY_DEVICES "%s", device);
	r = interface_of(path, name);
	if (r == -ENOENT)
		return fail(err, ENOENT, "no net directory under auxiliary device %s", device);
	if (r == -ENODEV)
		return fail(err, ENODEV,
			    "failed to find device name for auxiliary device %s:"
			    " its interface is in another network namespace",
			    device);
	return 0;
}

int sysfs_path_interface(const char *path, char name[16], struct error *err)
{
	int r = sysfs_path_check(path, err);

	*name = '\0';
	if (r < 0)
		return r;
	r = interface_of(path, name);
	if (r == -ENOENT)
		return fail(err, ENOENT, "failed to find network devices at \"%s/net\"", path);
	if (r == -ENODEV)
		return fail(err, ENODEV,
			    "failed to find physical interface at \"%s/net\":"
			    " it is in another network namespace",
			    path);
	return 0;
}

/* The class entry is a link to the device's folder: .../pci0000:00/0000:00:03.0/virtio0/net/eth0. The address nearest to
 * the interface counts. */
bool sysfs_interface_pci(const char *name, char address[SYSFS_PCI_SIZE])
{
	char path[64], target[PATH_MAX];
	bool found = false;
	char *rest = target;
	ssize_t n;

	if (!field_valid_ifname(name))
		return false;
	snprintf(path, sizeof(path), INTERFACES "/%s", name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	for (char *part; (part = strsep(&rest, "/"));)
		found |= sysfs_pci_parse(part, address);
	return found;
}

static bool has_address(int folder, const char *name, const char *address)
{
	char path[NAME_MAX + 16], text[SYSFS_ADDRESS_SIZE + 2] = "";
	int fd auto_close = -1;

	snprintf(path, sizeof(path), "%s/address", name);
	fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return streq(text, address);
}

int sysfs_address_interface(const char *address, char name[16], struct error *err)
{
	DIR *dir on_leave(close_dir) = opendir(INTERFACES);
	char plain[SYSFS_ADDRESS_SIZE];
	const struct dirent *entry;

	*name = '\0';
	if (!sysfs_address_parse(address, plain))
		return fail(err, EINVAL, "\"%s\" is not a hardware address", address);
	if (!dir)
		return fail_errno(err, errno, "read " INTERFACES);
	while ((entry = readdir(dir))) {
		if (!field_valid_ifname(entry->d_name) ||
		    !has_address(dirfd(dir), entry->d_name, plain))
			continue;
		memcpy(name, entry->d_name, strlen(entry->d_name) + 1);
		return 0;
	}
	return fail(err, ENODEV, "failed to find physical interface");
}
