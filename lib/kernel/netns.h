/* Network namespaces: open by path, enter, name, identify, list. */
#ifndef KERNEL_NETNS_H
#define KERNEL_NETNS_H

#include "base/arena.h"
#include "base/error.h"

#include <sys/types.h>

#define NETNS_RUN_DIR "/run/netns" /* iproute2's folder; /var/run is a link to /run */

/*
 * Open a namespace by path. The file must be a namespace (nsfs, or proc for old kernels): else -EINVAL
 * `unknown FS magic on "P": hex`; missing: -ENOENT `failed to Statfs "P": no such file or directory`.
 * Messages are the reference's, callers wrap them: `failed to open netns "P": ...`.
 */
int netns_open(const char *path, int *fd, struct error *err) must_check;
/* True when fd is the namespace that this thread is in. */
bool netns_is_current(int fd);
/* Enter fd; *old gets the descriptor to go back with netns_leave(), which closes it. */
int netns_enter(int fd, int *old, struct error *err) must_check;
void netns_leave(int *old);
#define auto_netns on_leave(netns_leave)
/* Device and inode identify a namespace. */
int netns_identity(int fd, dev_t *dev, ino_t *ino, struct error *err) must_check;

/* Named namespaces, as `ip netns` makes them: a bind mount under NETNS_RUN_DIR. */
int netns_add(const char *name, struct error *err) must_check;
int netns_del(const char *name, struct error *err) must_check;
/* What a person types: a name, a path, a pid, or a container id (12 hex digits or more, looked for in cgroups). A path
 * is taken as it is; else what is not there is netns_no_such()'s error. */
int netns_resolve(const char *word, struct arena *arena, char **path, struct error *err) must_check;

/* -ENOENT `no namespace "blu"; did you mean "blue"?`: the one way to say that nothing is called like that. */
int netns_no_such(const char *word, struct arena *arena, struct error *err) must_check;

/* The id by which the session's namespace knows the one that fd is; -1 = by none. */
struct netlink;
int netns_id(struct netlink *nl, int fd, int *id, struct error *err) must_check;
/* Does the namespace of one path know that of the other by this id? */
bool netns_known_as(const char *path, const char *other, int id);

struct netns_info {
	const char *name; /* under NETNS_RUN_DIR, NULL = none */
	const char *path; /* something that opens it */
	uint64_t inode;
	int id;                /* nsid as seen from here, -1 = none */
	LIST(int) pids;        /* holders, ascending */
	const char *command;   /* of the first pid */
	const char *container; /* container id from its cgroup, NULL = none */
	bool current;
};
typedef LIST(struct netns_info) netns_list_t;
int netns_list(struct arena *arena, netns_list_t *list, struct error *err) must_check;

#endif
