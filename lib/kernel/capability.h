/* Capabilities of the calling process in its user namespace. */
#ifndef KERNEL_CAPABILITY_H
#define KERNEL_CAPABILITY_H

#include "base/base.h"

bool capability_net_admin(void);
bool capability_sys_admin(void);

#endif
