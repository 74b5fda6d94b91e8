/*
 * A device of the host on loan to a container: moved into its namespace and renamed, and back. Its alias holds the name
 * that it had on the host, as with the reference plugin, so that either takes back what the other lent. When the
 * namespace dies first, the kernel returns hardware to the host under the container's name, or as dev7 when that is
 * taken there; the alias still tells whose it is.
 */
#ifndef CNI_LOAN_H
#define CNI_LOAN_H

#include "cni/attachment.h"
#include "kernel/addr.h"
#include "kernel/route.h"

/* What the host loses by lending: moving takes addresses, routes and the master away from a device. */
struct loan {
	struct link device;
	addrs_t addrs;
	routes_t routes;
};
int loan_save(struct netlink *host, const struct link *device, struct arena *arena,
	      struct loan *loan, struct error *err) must_check;

/* Move the device and name it CNI_IFNAME; it is down in the container, *moved is what it is there. On failure it is on the
 * host as it was. */
int loan_give(struct attachment *attachment, const struct loan *loan, struct link *moved,
	      struct error *err) must_check;
/* Undo of loan_give(): everything of loan is back. */
int loan_cancel(const struct cni_request *request, const struct loan *loan,
		struct error *err) must_check;
/*
 * DEL: bring CNI_IFNAME back under the name in its alias, down and without alias. *found: there was such a link. No
 * namespace, no link, or one without an alias, which nobody has lent: success, not found. When the name is taken on the
 * host the device comes back as dev7, and keeps the alias. When the container has renamed its interface, the one with
 * home as alias, or else with that MAC, is it (NULL, not set: unknown).
 */
int loan_take_back(const struct cni_request *request, const char *home, const struct mac *mac,
		   bool *found, struct error *err) must_check;

/* Could the link be one that the kernel returned? Then its name is ifname (NULL = any) or of the kernel's making, and its
 * alias a name that it can have. */
bool loan_returned(const struct link *link, const char *ifname);
/* Give it that name again, and no alias; when it is taken by now, nothing happens. */
int loan_rename(struct netlink *host, const struct link *link, struct error *err) must_check;

#endif
