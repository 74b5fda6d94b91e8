/*
 * Attachment: one container interface, as the main plugins share it. Its namespace and two netlink sessions, opened
 * once; what IPAM said applied to it, compared with it, removed with it. A plugin makes the link, the rest is here.
 */
#ifndef CNI_ATTACHMENT_H
#define CNI_ATTACHMENT_H

#include "cni/request.h"
#include "kernel/link.h"

struct attachment {
	struct cni_request *request;
	struct owner owner;
	int netns; /* of the container */
	struct netlink *host;
	struct netlink *container;
};

/* Open the namespace (`failed to open netns "P": ...`, code 8) and both sessions. */
int attachment_open(struct attachment *attachment, struct cni_request *request,
		    struct error *err) must_check;
void attachment_close(
	struct attachment *attachment); /* safe on one that was never opened: { .netns = -1 } */
#define auto_attachment on_leave(attachment_close)

/* Name of the host end: "veth" and 8 hex digits derived from the owner, so that a DEL finds what a killed ADD left;
 * attempt > 0 gives another one when the name is taken. */
void attachment_veth_name(const struct owner *owner, unsigned attempt, char name[16]);

/* Settle the result of IPAM for interface number `interface`: every address points to it, a missing gateway becomes
 * the first address of the subnet when want_gateway, default routes are added when want_default. */
void attachment_settle(struct cni_result *result, int interface, bool want_gateway,
		       bool want_default, struct arena *arena);

enum attachment_how {
	ATTACHMENT_DAD = 1 << 0, /* keep IPv6 duplicate address detection, and wait for it */
	/* The other end is the gateway, through which all else of the subnet is reached, too: a route to the gateway alone
	 * and one to the subnet through it, in place of the subnet route that addresses bring. Each must have a gateway. */
	ATTACHMENT_POINT_TO_POINT = 1 << 1,
};
/* Sysctls, addresses, link up, routes, in one batch (two when the routes wait for the addresses). index is the container's
 * link. Addresses without interface index are left alone. */
int attachment_configure(struct attachment *attachment, int index, const struct cni_result *result,
			 unsigned how, struct error *err) must_check;
/* Make neighbours learn the new address now: the kernel announces it when the MAC is set again. Best effort. */
void attachment_announce(struct attachment *attachment, int index, const struct mac *mac);
/* Forwarding sysctls of the families in use, in the caller's namespace. */
int attachment_forwarding(const struct cni_result *result, struct error *err) must_check;

/* CHECK: the container's interface against prevResult: sandbox, kind, MAC, addresses, routes. *link is what is there. */
int attachment_check(struct attachment *attachment, const struct cni_result *prev, const char *kind,
		     struct link *link, struct error *err) must_check;
/* The same on the host: the bridge (`promisc` as configured), and the container's peer as a port of it. */
int attachment_check_bridge(struct attachment *attachment, const struct cni_result *prev,
			    const char *name, bool promisc, struct link *bridge,
			    struct error *err) must_check;
int attachment_check_port(struct attachment *attachment, const struct cni_result *prev,
			  const struct link *container, const struct link *bridge,
			  struct error *err) must_check;
/* prevResult is the final result of the chain: whether an address is the interface's. */
bool attachment_owns(const struct cni_result *prev, const struct cni_ip *ip, const char *ifname);
/* The interface of prevResult with that name, in the container or on the host; NULL = none. */
const struct cni_interface *attachment_interface(const struct cni_result *result, const char *name,
						 bool in_container);

/* A session in the container's namespace for DEL. No namespace, or a plain file left where it was mounted: success,
 * and *container stays NULL. */
int attachment_container(const struct cni_request *request, struct netlink **container,
			 struct error *err) must_check;

#endif
