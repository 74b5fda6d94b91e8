/*
 * What the plugin asks of the daemon, over a Unix stream socket: one line of JSON, with the container's namespace as a
 * descriptor beside it; the answer is a line, too. When it takes time, a line in front of it says how long at most.
 *
 * The reference's daemon has the same socket and speaks Go's net/rpc. Each side that meets the other says so at once.
 */
#ifndef DHCP_CALL_H
#define DHCP_CALL_H

#include "dhcp/store.h"

#define DHCP_SOCKET "/run/cni/dhcp.sock"

enum {
	CALL_PROTOCOL = 1,
	CALL_MAX = 4 << 20,   /* bytes of a line */
	CALL_WAIT_MS = 10000, /* for a line that should come at once */
};

enum call_verb { CALL_ALLOCATE, CALL_CHECK, CALL_RELEASE, CALL_GC, CALL_STATUS, CALL_LIST };
extern const char *const call_verb_names[];

struct dhcp_call {
	int protocol;
	int verb;
	const char *network, *container, *ifname, *netns;
	struct dhcp_options options;
	struct ip
		address; /* check: what the runtime remembers, to be asked for when the lease is unknown */
	owners_t attachments; /* gc: those of the network that are valid */
};
extern const struct field dhcp_call_fields[];

struct dhcp_entry {
	const char *network, *container, *ifname, *netns;
	int state;
	bool usable;
	struct cidr address;
	struct ip server;
	struct mac mac;
	bool forever;
	int64_t expires, renews; /* seconds from now */
};
extern const struct field dhcp_entry_fields[];

struct dhcp_answer {
	int protocol;
	int64_t wait_ms; /* not the answer yet: it comes within this time */
	int errnum, code;
	const char *error, *details; /* NULL = it worked */
	bool has_lease;
	struct dhcp_lease lease;
	LIST(struct dhcp_entry) leases;
};
extern const struct field dhcp_answer_fields[];

/* -errno, `error dialing DHCP daemon: ...`, code 11: nobody is there. */
int call_dial(const char *path, int *fd, struct error *err) must_check;
/* netns: a descriptor, -1 = none. The daemon's error comes back as ours. */
int call_ask(int fd, const struct dhcp_call *call, int netns, struct arena *arena,
	     struct dhcp_answer *answer, struct error *err) must_check;

#endif
