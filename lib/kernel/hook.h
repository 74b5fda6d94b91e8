/*
 * Programs (bpf.h) at the two hooks of a link: what enters it, and what is about to leave it. They stay when their maker ends.
 * Ours are known by the beginning of their names. A program that says TC_ACT_UNSPEC lets those of others have the packet.
 */
#ifndef KERNEL_HOOK_H
#define KERNEL_HOOK_H

#include "kernel/netlink.h"

struct hook {
	int index; /* of the link */
	bool egress;
	bool v6; /* for packets of IPv6; else of IPv4 */
};

struct hook_program {
	struct hook hook;
	uint16_t priority;
	uint32_t handle, id; /* id: as bpf_program_id() */
	char name[64];
};
typedef LIST(struct hook_program) hook_programs_t;

/* Put it there, in place of the one that we have there already: no packet sees none. */
int hook_attach(struct netlink *nl, const struct hook *hook, int program, const char *name,
		struct error *err) must_check;
/* Those whose names begin so, on a link that may be gone. */
int hook_list(struct netlink *nl, int index, const char *prefix, struct arena *arena,
	      hook_programs_t *programs, struct error *err) must_check;
/* Is that program there? */
bool hook_has(const hook_programs_t *programs, const struct hook *hook, uint32_t id);
/* Take them away, from every link but two (0 = none), and the hooks with them where nobody else has something there. */
int hook_remove_all(struct netlink *nl, const char *prefix, int keep, int keep_too,
		    unsigned *n_removed, struct error *err) must_check;

#endif
