/* The legacy tables of xtables, as far as the kernel tells of them without their program. */
#ifndef KERNEL_XTABLES_H
#define KERNEL_XTABLES_H

#include "base/base.h"

/* Changes when rules come or go (not when one takes another's place); 0 = there is no telling. Ask only of a table that is in
 * use: asking makes one. */
uint64_t xtables_fingerprint(bool v6, const char *table);

#endif
