/*
 * For agents, which stay and read what others send: of root's rights those go that no agent needs, and so do system
 * calls, for the process and all that it starts. Nothing of it can be taken back.
 */
#ifndef KERNEL_CONFINE_H
#define KERNEL_CONFINE_H

#include "kernel/capability.h"

/* capability_keep_only(), and then: mounting, modules, other processes, other namespaces, keys, clocks, another kernel and
 * the like fail with EPERM. bpf: whether bpf(2) stays. On a machine whose system calls we do not know, and where there is no
 * seccomp, only the capabilities go. */
int confine(const enum capability *keep, size_t n, bool bpf, struct error *err) must_check;

#endif
