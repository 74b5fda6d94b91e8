/* The veth pair between the host and a container, as bridge and ptp make it. */
#ifndef CNI_VETH_H
#define CNI_VETH_H

#include "cni/attachment.h"

struct veth_spec {
	int mtu;        /* 0 = kernel default */
	struct mac mac; /* of the container's end */
	int master;     /* bridge of the host end, 0 = none */
	bool up;        /* the host end, at once; see veth_up() */
};

/*
 * One message makes the pair: host end in our namespace, a port of master; the other end, named CNI_IFNAME and down,
 * in the container. The host ignores router advertisements from it. *host_end is read back (its peer is the container's link index). Nothing is left on
 * failure. -ENODEV: the master is gone. Taken names: `container veth name ("eth0") peer provided ("veth…") already
 * exists`, or `failed to find a unique veth name`.
 */
int veth_create(struct attachment *attachment, const struct veth_spec *spec, struct link *host_end,
		struct error *err) must_check;
/*
 * Set the host end up and wait until it is, and forwards when it is a port. Call it after the container's end is up: a
 * link that is up before its peer is deactivated for want of a carrier, which waits for a grace period with the kernel's
 * link lock held. *host_end is read again.
 */
int veth_up(struct attachment *attachment, struct link *host_end, unsigned timeout_ms,
	    struct error *err) must_check;
/* Delete the host end by name; already gone is success. */
int veth_delete(struct netlink *host, const char *name, struct error *err) must_check;
/* DEL: delete the pair, by CNI_IFNAME in CNI_NETNS; when it is not there (renamed, or the namespace is gone and its
 * clean-up has not come by yet), by the host end's name, which derives from the owner. Nothing there: success. */
int veth_remove(const struct cni_request *request, struct error *err) must_check;

#endif
