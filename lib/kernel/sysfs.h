/*
 * Hardware as sysfs shows it: which network interface a device has. What comes from a configuration becomes part of a
 * path only when it has the form of a bus address, or is below /sys/devices without any "..".
 */
#ifndef KERNEL_SYSFS_H
#define KERNEL_SYSFS_H

#include "base/error.h"

#define SYSFS_PCI_SIZE     20 /* text of a PCI address: 0000:03:00.1, the domain with up to 8 digits */
#define SYSFS_ADDRESS_SIZE 60 /* text of 20 bytes */

/* 0000:03:00.1; out (may be NULL) gets it as sysfs writes it, in lower case. */
bool sysfs_pci_parse(const char *text, char out[SYSFS_PCI_SIZE]);
/* The name of a device on the auxiliary bus: mlx5_core.sf.4. */
bool sysfs_auxiliary_valid(const char *name);

/* A long hardware address, as of InfiniBand (20 bytes) or EUI-64 (8), with ':' or '-'; out gets it as sysfs writes it. */
bool sysfs_address_parse(const char *text, char out[SYSFS_ADDRESS_SIZE]);
/* The interface of this namespace that has it; -ENODEV: none. */
int sysfs_address_interface(const char *address, char name[16], struct error *err) must_check;

bool sysfs_has_pci(const char *address);
bool sysfs_has_auxiliary(const char *name);
bool sysfs_has_path(const char *path);

/* The driver that a PCI device is bound to; "" = none. */
void sysfs_pci_driver(const char *address, char *driver, size_t size);

/*
 * Name of the device's network interface, of several the first in the alphabet: the entries of its folder net, or, for
 * virtio, of that of its child. -ENOENT: there is no such folder; -ENODEV: the folder is empty, since the interface is in
 * another network namespace than the one that /sys was mounted in.
 */
int sysfs_pci_interface(const char *address, char name[16], struct error *err) must_check;
int sysfs_auxiliary_interface(const char *device, char name[16], struct error *err) must_check;
/* path: absolute, below /sys/devices/: `kernel device path "x" must be absolute and begin with /sys/devices/`. */
int sysfs_path_check(const char *path, struct error *err) must_check;
int sysfs_path_interface(const char *path, char name[16], struct error *err) must_check;

/* The PCI device behind an interface of this namespace; false = none (virtual, USB on a board, ...). */
bool sysfs_interface_pci(const char *name, char address[SYSFS_PCI_SIZE]);

#endif
