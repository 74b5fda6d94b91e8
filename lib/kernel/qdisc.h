/*
 * Queueing disciplines: the token bucket that limits what leaves a link, and the redirection of what enters it to an
 * ifb link, where it leaves again and can be limited, too. Queueing functions add to a session's batch.
 */
#ifndef KERNEL_QDISC_H
#define KERNEL_QDISC_H

#include "kernel/netlink.h"

#define QDISC_TBF_HANDLE 0x10000u /* 1: */

/* Token bucket filter, as the kernel takes and tells it. */
struct tbf {
	uint64_t rate;   /* bytes per second */
	uint32_t limit;  /* bytes that may wait */
	uint32_t buffer; /* time to send the burst, in ticks of 64 ns */
	uint32_t
		burst; /* bytes, for the kernel to work out the buffer; 0 = it goes by buffer (never told) */
};

/* At least a byte per second and of burst, a burst below 4 GiB. What the kernel's numbers cannot hold becomes the
 * most that they can: a burst lasts 274 s, 4 GiB wait. */
struct tbf tbf_make(uint64_t rate, uint64_t burst, unsigned latency_ms);
/* The same up to rounding; burst does not count. */
bool tbf_equal(const struct tbf *a, const struct tbf *b);

struct qdisc {
	int index;     /* of the link; 0 = there is none */
	char kind[16]; /* "tbf", "ingress", ... */
	uint32_t handle;
	bool is_root;
	struct tbf tbf; /* of kind tbf */
};
typedef LIST(struct qdisc) qdiscs_t;

/* Make it the root, handle 1:, or change its numbers when it is there. */
void qdisc_queue_tbf(struct netlink *nl, int index, const struct tbf *tbf, const char *link);
/* The hook for what enters the link; it need not be new. */
void qdisc_queue_ingress(struct netlink *nl, int index, const char *link);
/* All that passes the hook goes to link `to` and leaves there; replaces an earlier destination. */
void qdisc_queue_redirect(struct netlink *nl, int index, int to, const char *link);
/* Only what the two above make; it is fine when there is nothing of that kind, nor the link. */
void qdisc_queue_del_tbf(struct netlink *nl, int index);
void qdisc_queue_del_ingress(struct netlink *nl, int index);
/* What somebody put there; one that the kernel made by itself counts as none. Filled at commit. */
void qdisc_queue_get_root(struct netlink *nl, int index, struct qdisc *qdisc);
void qdisc_queue_get_ingress(struct netlink *nl, int index, struct qdisc *qdisc);

/* Of all links. */
int qdisc_list(struct netlink *nl, struct arena *arena, qdiscs_t *qdiscs,
	       struct error *err) must_check;
/* The links that what enters link `index` is led to, added to the list. */
typedef LIST(int) link_indices_t;
int qdisc_targets(struct netlink *nl, int index, struct arena *arena, link_indices_t *targets,
		  struct error *err) must_check;
/* Does what enters link `index` go to link `to`? */
int qdisc_redirects(struct netlink *nl, int index, int to, bool *redirects,
		    struct error *err) must_check;
/* -EOPNOTSUPP when this kernel has no token bucket filter. Nothing is made to find out. */
int qdisc_tbf_probe(struct netlink *nl, struct error *err) must_check;

#endif
