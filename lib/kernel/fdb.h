/* Forwarding entries of all bridges of a namespace, and of VXLAN devices: which port or other end a MAC is behind. */
#ifndef KERNEL_FDB_H
#define KERNEL_FDB_H

#include "base/ip.h"
#include "kernel/netlink.h"

struct fdb {
	int index;  /* of the port, or of the VXLAN device */
	int master; /* of the bridge that has it; 0 = the device itself */
	struct mac mac;
	uint16_t vlan; /* 0 = none said */
	bool local;    /* an address of the port or bridge itself */
	struct ip ip;  /* of a VXLAN device: the other end */
};
typedef LIST(struct fdb) fdbs_t;

int fdb_list(struct netlink *nl, struct arena *arena, fdbs_t *fdbs, struct error *err) must_check;

#endif
