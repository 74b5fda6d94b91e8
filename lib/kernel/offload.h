/* What a device does for the kernel, and does wrong at times. */
#ifndef KERNEL_OFFLOAD_H
#define KERNEL_OFFLOAD_H

#include "base/error.h"

/* From now on the kernel makes the checksums of what this device of this namespace sends. Segments are the kernel's work, too, then. */
int offload_no_checksums(const char *device, struct error *err) must_check;

#endif
