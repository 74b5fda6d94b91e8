/*
 * Which network namespaces there are, and which one a word means. A namespace shows as a name under
 * NETNS_RUN_DIR, as the namespace of a process, or as both; the inode tells. Links of /proc are read, not opened:
 * reading one costs a microsecond, opening it would hold the namespace.
 */
#include "kernel/netns.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "base/text.h"
#include "kernel/netlink_internal.h"
#include "kernel/netns_internal.h"

#define IDS_AT_ONCE 64 /* descriptors open while asking for their ids */
#define ID_MIN      12 /* hex digits that make a container id */

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The start of a small file of /proc, "" when it cannot be read (its process may be gone). */
static void read_small(const char *path, char *text, size_t size)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

/* A process id, 0 when the word is none. */
static int parse_pid(const char *word)
{
	char *end;
	unsigned long pid = strtoul(word, &end, 10);

	return isdigit((unsigned char)*word) && !*end && pid <= INT_MAX ? (int)pid : 0;
}

/* The next process of an open /proc, 0 behind the last. */
static int next_pid(DIR *proc)
{
	const struct dirent *entry;
	int pid = 0;

	while (!pid && (entry = readdir(proc)))
		pid = parse_pid(entry->d_name);
	return pid;
}

/* Inode of the namespace of a process, 0 when it is gone or not ours to look at. The link reads net:[INODE]. */
static uint64_t process_inode(const char *pid)
{
	char path[64], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return 0;
	link[n] = '\0';
	return has_prefix(link, "net:[") ? strtoull(link + 5, NULL, 10) : 0;
}

static size_t hex_len(const char *text)
{
	return strspn(text, "0123456789abcdef");
}

/*
 * The container id in one segment of a cgroup's path: ID, PREFIX-ID.scope (systemd: docker-, libpod-, crio-,
 * cri-containerd-) or SLICE:PREFIX:ID. Podman's monitor (libpod-conmon-ID.scope) is not in the container.
 */
static const char *segment_id(char *segment)
{
	char *scope = strstr(segment, ".scope"), *start = segment, *p;
	size_t len;

	if (has_prefix(segment, "libpod-conmon-"))
		return NULL;
	if (scope && !scope[6]) {
		*scope = '\0';
		p = strrchr(segment, '-');
		start = p ? p + 1 : segment;
	} else if ((p = strrchr(segment, ':'))) {
		start = p + 1;
	}
	len = hex_len(start);
	return len >= ID_MIN && len <= NETNS_CONTAINER_ID_MAX && !start[len] ? start : NULL;
}

void netns_cgroup_id(char *text, char id[NETNS_CONTAINER_ID_MAX + 1])
{
	char *line_end, *segment_end;

	*id = '\0';
	for (char *line = strtok_r(text, "\n", &line_end); line && !*id;
	     line = strtok_r(NULL, "\n", &line_end)) {
		char *path = strchr(line, '/');
		char *segment = path ? strtok_r(path, "/", &segment_end) : NULL;

		for (; segment; segment = strtok_r(NULL, "/", &segment_end)) {
			const char *found = segment_id(segment);

			if (found)
				snprintf(id, NETNS_CONTAINER_ID_MAX + 1, "%s", found);
		}
	}
}

static void process_container(int pid, char id[NETNS_CONTAINER_ID_MAX + 1])
{
	char path[64], text[8192];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	read_small(path, text, sizeof(text));
	netns_cgroup_id(text, id);
}

static struct netns_info *find_or_add(struct arena *arena, netns_list_t *list, uint64_t inode)
{
	struct netns_info *info;

	list_each(known, list)
		if (known->inode == inode)
			return known;
	info = list_add(arena, list);
	info->inode = inode;
	info->id = -1;
	return info;
}

/* A file there that is no namespace is what a removed mount left behind: not listed. */
static int list_named(struct arena *arena, netns_list_t *list, struct error *err)
{
	DIR *dir on_leave(close_dir) = opendir(NETNS_RUN_DIR);
	const struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : fail_errno(err, errno, "read \"%s\"", NETNS_RUN_DIR);
	while ((entry = readdir(dir))) {
		char path[sizeof(NETNS_RUN_DIR) + sizeof(entry->d_name)];
		struct netns_info *info;
		struct statfs fs;
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", NETNS_RUN_DIR, entry->d_name);
		if (statfs(path, &fs) < 0 || fs.f_type != NSFS_MAGIC || stat(path, &st) < 0)
			continue;
		info = find_or_add(arena, list, st.st_ino);
		if (info->name) /* a second name for one namespace: the first stays */
			continue;
		info->name = arena_strdup(arena, entry->d_name);
		info->path = arena_strdup(arena, path);
	}
	return 0;
}

static int list_processes(struct arena *arena, netns_list_t *list, struct error *err)
{
	DIR *proc on_leave(close_dir) = opendir("/proc");
	int pid;

	if (!proc)
		return fail_errno(err, errno, "read \"/proc\"");
	while ((pid = next_pid(proc))) {
		char text[16];
		uint64_t inode;

		snprintf(text, sizeof(text), "%d", pid);
		inode = process_inode(text);
		if (inode)
			*list_add(arena, &find_or_add(arena, list, inode)->pids) = pid;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Named ones by name, then the others by their first process. */
static int by_name(const void *a_, const void *b_)
{
	const struct netns_info *a = a_, *b = b_;

	if (a->name && b->name)
		return strcmp(a->name, b->name);
	if (!a->name != !b->name)
		return !a->name - !b->name;
	return a->pids.items[0] - b->pids.items[0];
}

static void describe(struct arena *arena, struct netns_info *info, uint64_t own_inode)
{
	char path[64], text[64], id[NETNS_CONTAINER_ID_MAX + 1];

	info->current = info->inode == own_inode;
	if (!info->pids.n)
		return;
	qsort(info->pids.items, info->pids.n, sizeof(*info->pids.items), by_number);
	if (!info->path)
		info->path = arena_printf(arena, "/proc/%d/ns/net", info->pids.items[0]);
	snprintf(path, sizeof(path), "/proc/%d/comm", info->pids.items[0]);
	read_small(path, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	info->command = arena_strdup(arena, text);
	process_container(info->pids.items[0], id);
	info->container = *id ? arena_strdup(arena, id) : NULL;
}

static int read_id(const struct nlmsghdr *reply, void *arg, struct error *err)
{
	struct nlattr *attrs[NETNSA_MAX + 1];
	int r = netlink_parse(reply, sizeof(struct rtgenmsg), attrs, NETNSA_MAX, err);

	if (r == 0)
		*(int *)arg = (int)attr_u32(attrs[NETNSA_NSID], (uint32_t)-1);
	return r;
}

int netns_id(struct netlink *nl, int fd, int *id, struct error *err)
{
	struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };

	*id = -1;
	nla_put_u32(netlink_queue(nl, RTM_GETNSID, 0, &header, sizeof(header), "id of a namespace"),
		    NETNSA_FD, (uint32_t)fd);
	netlink_expect(nl, read_id, id);
	return netlink_commit(nl, err);
}

bool netns_known_as(const char *path, const char *other, int id)
{
	auto_netlink struct netlink *nl = NULL;
	auto_close int here = -1, there = -1;
	int found = -1;

	return netns_open(path, &here, NULL) >= 0 && netns_open(other, &there, NULL) >= 0 &&
	       netlink_open(&nl, NETLINK_SESSION_ROUTE, here, NULL) >= 0 &&
	       netns_id(nl, there, &found, NULL) >= 0 && found == id;
}

/* A namespace that vanished or is not ours to open keeps the id -1; nothing fails for it. */
static void ask_ids(struct netlink *nl, struct netns_info *infos, size_t n)
{
	struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
	int fds[IDS_AT_ONCE];

	for (size_t i = 0; i < n; i++) {
		fds[i] = open(infos[i].path, O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			continue;
		nla_put_u32(netlink_queue(nl, RTM_GETNSID, 0, &header, sizeof(header), "id of %s",
					  infos[i].path),
			    NETNSA_FD, (uint32_t)fds[i]);
		netlink_expect(nl, read_id, &infos[i].id);
	}
	if (netlink_commit(nl, NULL) < 0)
		log_debug("ids of some network namespaces are unknown");
	for (size_t i = 0; i < n; i++)
		close_fd(&fds[i]);
}

int netns_list(struct arena *arena, netns_list_t *list, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	uint64_t own = process_inode("thread-self");
	int r = list_named(arena, list, err);

	if (r == 0)
		r = list_processes(arena, list, err);
	if (r == 0)
		r = netlink_open(&nl, NETLINK_ROUTE, -1, err);
	if (r < 0)
		return r;
	list_each(info, list)
		describe(arena, info, own);
	qsort(list->items, list->n, sizeof(*list->items), by_name);
	for (size_t i = 0; i < list->n; i += IDS_AT_ONCE)
		ask_ids(nl, list->items + i, list->n - i < IDS_AT_ONCE ? list->n - i : IDS_AT_ONCE);
	return 0;
}

/* A process of the container whose id starts with word, 0 when there is none. */
static int find_container(const char *word)
{
	DIR *proc on_leave(close_dir) = opendir("/proc");
	char id[NETNS_CONTAINER_ID_MAX + 1];
	int pid = 0;

	while (proc && (pid = next_pid(proc))) {
		process_container(pid, id);
		if (strncmp(id, word, strlen(word)) == 0)
			return pid;
	}
	return 0;
}

int netns_no_such(const char *word, struct arena *arena, struct error *err)
{
	LIST(const char *) names = { 0 };
	netns_list_t infos = { 0 };
	const char *nearest;

	(void)!list_named(arena, &infos, NULL);
	list_each(info, &infos)
		*list_add(arena, &names) = info->name;
	nearest = nearest_word(word, names.items, names.n);
	if (nearest)
		return fail(err, ENOENT, "no namespace \"%s\"; did you mean \"%s\"?", word,
			    nearest);
	return fail(err, ENOENT, "no namespace \"%s\" (see `cnibox netns list`)", word);
}

int netns_resolve(const char *word, struct arena *arena, char **path, struct error *err)
{
	int pid;

	if (strchr(word, '/')) {
		*path = arena_strdup(arena, word);
		return 0;
	}
	*path = arena_printf(arena, "%s/%s", NETNS_RUN_DIR, word);
	if (*word && !streq(word, ".") && !streq(word, "..") && access(*path, F_OK) == 0)
		return 0;
	pid = parse_pid(word);
	if (pid && access(arena_printf(arena, "/proc/%d/ns", pid), F_OK) < 0)
		pid = 0;
	if (!pid && strlen(word) >= ID_MIN && hex_len(word) == strlen(word))
		pid = find_container(word);
	*path = arena_printf(arena, "/proc/%d/ns/net", pid);
	return pid ? 0 : netns_no_such(word, arena, err);
}
