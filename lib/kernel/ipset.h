/*
 * Sets of addresses in the kernel (ipset over nfnetlink), without the ipset program. Names are up to 31 bytes; a set has
 * one family. Elements that are there already, or gone already, are no error, nor is a set that is.
 *
 * Nothing of it is a transaction: a batch goes on behind a refusal. hash:net and hash:net,port take no prefix of length
 * 0, and no set takes an element beyond maxelem.
 */
#ifndef KERNEL_IPSET_H
#define KERNEL_IPSET_H

#include "base/ip.h"
#include "kernel/netlink.h"

#define IPSET_NAME_MAX 31

enum ipset_type { IPSET_IP, IPSET_NET, IPSET_NET_PORT, IPSET_IP_PORT, IPSET_OTHER };
extern const char *const ipset_types[]; /* "hash:ip" ... */

/* protocol and port are 0 where the type has none; cidr is one host where it has no prefixes. */
struct ipset_element {
	struct cidr cidr;
	uint8_t protocol; /* IPPROTO_* */
	uint16_t port;
};
typedef LIST(struct ipset_element) ipset_elements_t;

struct ipset {
	const char *name;
	enum ipset_type type;
	int family; /* AF_INET, AF_INET6 */
	uint32_t hash_size, max_elements, references,
		n_elements; /* n: 0 where the kernel does not say */
	ipset_elements_t elements;
};
typedef LIST(struct ipset) ipsets_t;

struct ipset_session;
/* -EOPNOTSUPP: this kernel has no ipset, or speaks another version of its protocol. */
int ipset_open(struct ipset_session **session, struct error *err) must_check;
void ipset_close(struct ipset_session *session);
void ipset_closep(struct ipset_session **session);
#define auto_ipset on_leave(ipset_closep)

/* Queue; ipset_commit() sends. *outcome (if given): the errno, which is no failure of the commit then. */
void ipset_queue_create(struct ipset_session *session, const struct ipset *set, int *outcome);
void ipset_queue_destroy(struct ipset_session *session, const char *name); /* gone already: fine */
void ipset_queue_add(struct ipset_session *session, const char *set,
		     const struct ipset_element *elements, size_t n);
void ipset_queue_del(struct ipset_session *session, const char *set,
		     const struct ipset_element *elements, size_t n);
/* First refusal, in words: `add to set x: set is full`. -ENOSPC: full; -EBUSY: in use; -EEXIST: of another type. */
int ipset_commit(struct ipset_session *session, struct error *err) must_check;

/* All sets whose name begins with prefix; with their elements, or only what is said of them. */
int ipset_list(struct ipset_session *session, const char *prefix, bool elements,
	       struct arena *arena, ipsets_t *sets, struct error *err) must_check;

#endif
