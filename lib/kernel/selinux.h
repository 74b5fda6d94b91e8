/* SELinux, as far as a label for what a program makes is concerned. */
#ifndef KERNEL_SELINUX_H
#define KERNEL_SELINUX_H

#include "base/error.h"

/* The label that the next program this thread runs will have; NULL takes it back. Not here, not enabled, not a label of
 * the policy, not allowed: an error in words. */
int selinux_exec_label(const char *label, struct error *err) must_check;

#endif
