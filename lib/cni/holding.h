/*
 * Who holds which address of host-local's store, and whether anything still needs it: leases (lib/ipam), attachments that
 * runtimes remember (cache.h) and the addresses of all namespaces, held against each other.
 */
#ifndef CNI_HOLDING_H
#define CNI_HOLDING_H

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"

enum holding_state {
	HOLDING_USED, /* a namespace has the address */
	HOLDING_IDLE, /* the namespace of its attachment is there, and has it not */
	HOLDING_GONE, /* a runtime remembers the attachment, and its namespace is no more */
	HOLDING_UNKNOWN, /* nobody remembers an attachment, no namespace that can be seen has the address */
	HOLDING_EMPTY, /* a crash left a file without owner; the next ADD takes it */
};
extern const char *const holding_state_names[];

struct holding {
	const char *network, *container;
	const char *ifname; /* NULL = an old lease, of any interface */
	struct ip ip;
	int64_t since_ms;  /* of the wall clock */
	int state;         /* enum holding_state */
	const char *netns; /* where the address is, or else was; NULL = not known */
};
typedef LIST(struct holding) holdings_t;

/* All networks of data_dir, or just that one; by network and address. No folder: none. strict: -EBADMSG when what is
 * remembered cannot be read whole, so that nobody is taken for forgotten who is not. */
int holdings_read(const char *data_dir, const char *network, const char *cache_dir, bool strict,
		  struct arena *arena, holdings_t *holdings, struct error *err) must_check;
/* Under the network's lock. 1: it is free now; 0: it has changed hands since it was read, and stays. */
int holding_release(const char *data_dir, const struct holding *holding,
		    struct error *err) must_check;

#endif
