/* What the files of ipset and its tests share. */
#ifndef KERNEL_IPSET_INTERNAL_H
#define KERNEL_IPSET_INTERNAL_H

#include "kernel/ipset.h"

struct ipset_session {
	struct netlink *nl;
	uint8_t protocol; /* version that both speak */
};

/* Ask the kernel which versions it speaks. */
int ipset_agree(struct ipset_session *session, struct error *err) must_check;

/* What a dump is read into. */
struct ipset_dump {
	const char *prefix;
	struct arena *arena;
	ipsets_t *sets;
};
int ipset_read(const struct nlmsghdr *reply, void *dump, struct error *err);

struct nl_msg *ipset_message(struct ipset_session *session, int command, const char *name,
			     const char *label);

#endif
