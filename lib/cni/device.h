/*
 * Device plugins: main plugins whose whole work is one interface in the container. A plugin says how the interface comes
 * to be; the order of things is here:
 *
 *   ADD     create, reserve addresses (a DHCP client needs the link), configure, result; a failure takes all back
 *   DEL     remove the interface and release the addresses, the one even when the other failed
 *   CHECK   addresses at the IPAM plugin, the interface against prevResult, then what the plugin knows
 *   STATUS  what the plugin knows, then the IPAM plugin
 */
#ifndef CNI_DEVICE_H
#define CNI_DEVICE_H

#include "cni/attachment.h"

/* One ADD or CHECK. */
struct device_call {
	struct attachment a;
	struct cni_request *request;
	void *conf;
	/* The interface: filled by create, or what CHECK found. Index 0 = the kernel has none (user space drives the
	 * device): nothing is configured. */
	struct link link;
	const char *pci_id; /* create: reported with the interface; NULL = none */
};

struct device {
	const char *kind; /* that CHECK demands; NULL = any */
	/* Without IPAM, a chained ADD takes addresses and routes from prevResult. */
	bool takes_prev_addresses;
	/* 1 + offset of the bool that keeps IPv6 duplicate address detection, and waits for it; 0 = never. */
	size_t dad;
	/* Make CNI_IFNAME in the container, down, and fill call->link. Nothing is left when it fails. */
	int (*create)(struct device_call *call, struct error *err);
	/* DEL, and the undo of create; nothing there is success. NULL = delete CNI_IFNAME in CNI_NETNS. */
	int (*remove)(const struct cni_request *request, void *conf, struct error *err);
	/* More of CHECK: call->link is of the kind and has the MAC, addresses and routes of *prev. NULL = nothing. */
	int (*check)(struct device_call *call, const struct cni_result *prev, struct error *err);
	/* More of STATUS: could create work (code 50 unless it says another)? NULL = yes. */
	int (*status)(const struct cni_request *request, void *conf, struct error *err);
};

int device_add(const struct device *device, struct cni_request *request, void *conf,
	       struct cni_result *result, struct error *err) must_check;
int device_del(const struct device *device, struct cni_request *request, void *conf,
	       struct error *err) must_check;
int device_check(const struct device *device, struct cni_request *request, void *conf,
		 struct error *err) must_check;
int device_gc(const struct device *device, struct cni_request *request, void *conf,
	      struct error *err) must_check;
int device_status(const struct device *device, struct cni_request *request, void *conf,
		  struct error *err) must_check;

/* For create: make the link that spec describes (name and namespace aside, which are the call's) and look at it.
 * spec->link is an index in the namespace of parent, which is call->a.host or call->a.container.
 * `this kernel has no ipvlan links (try: modprobe ipvlan)`. */
int device_create_link(struct device_call *call, struct netlink *parent,
		       const struct link_spec *spec, struct error *err) must_check;

/* A plugin that is the device `device`, all but its configuration: DEVICE_VERBS(macvlan) before its table, then
 * DEVICE_PLUGIN(macvlan) in it. */
#define DEVICE_VERB(device, verb)                                                              \
	static int device##_##verb(struct cni_request *request, void *conf, struct error *err) \
	{                                                                                      \
		return device_##verb(&(device), request, conf, err);                           \
	}
#define DEVICE_VERBS(device)                                                  \
	static int device##_add(struct cni_request *request, void *conf,      \
				struct cni_result *result, struct error *err) \
	{                                                                     \
		return device_add(&(device), request, conf, result, err);     \
	}                                                                     \
	DEVICE_VERB(device, del)                                              \
	DEVICE_VERB(device, check)                                            \
	DEVICE_VERB(device, gc)                                               \
	DEVICE_VERB(device, status)
#define DEVICE_PLUGIN(device)                                                                 \
	.add = device##_add, .del = device##_del, .check = device##_check, .gc = device##_gc, \
	.status = device##_status

#endif
