/* veth pairs: created in one message from the host's session, named after their owner (attachment_veth_name). */
#include "cni/veth.h"

#include "kernel/sysctl.h"

#include <errno.h>
#include <stdio.h>

enum { NAME_ATTEMPTS = 10 };

int veth_delete(struct netlink *host, const char *name, struct error *err)
{
	link_queue_del(host, name);
	netlink_tolerate(host, ENODEV);
	return netlink_commit(host, err);
}

static int delete_derived(const struct owner *owner, struct error *err)
{
	struct netlink *host auto_netlink = NULL;
	char name[16];

	attachment_veth_name(owner, 0, name);
	if (netlink_open(&host, NETLINK_SESSION_ROUTE, -1, err))
		return -err->errnum;
	return veth_delete(host, name, err);
}

static int delete_in_container(const struct cni_request *request, bool *found, struct error *err)
{
	struct netlink *container auto_netlink = NULL;
	int outcome = ENODEV;

	if (attachment_container(request, &container, err))
		return -err->errnum;
	if (container) {
		link_queue_del(container, request->ifname);
		netlink_tolerate(container, ENODEV);
		netlink_outcome(container, &outcome);
		if (netlink_commit(container, err))
			return -err->errnum;
	}
	*found = outcome == 0;
	return 0;
}

int veth_remove(const struct cni_request *request, struct error *err)
{
	struct owner owner = request_owner(request);
	struct error one = { 0 };
	bool found = false;

	(void)!delete_in_container(request, &found, err);
	if (!found && delete_derived(&owner, &one))
		error_move(err, &one);
	return -err->errnum;
}

int veth_up(struct attachment *a, struct link *host_end, unsigned timeout_ms, struct error *err)
{
	struct link seen;

	/* Travels with the first look of link_wait_up(). */
	link_queue_change(a->host, host_end->index, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = true },
			  "set the host's interface up");
	if (link_wait_up(a->host, -1, host_end->index, timeout_ms, &seen, err))
		return -err->errnum;
	*host_end = seen; /* not before: who undoes a failure needs its name */
	return 0;
}

static int try_name(struct attachment *a, const struct veth_spec *spec, const char *name,
		    struct link *host_end, bool *taken, struct error *err)
{
	int outcome = 0;

	link_queue_create(a->host, &(struct link_spec){
					   .kind = "veth",
					   .name = name,
					   .mtu = spec->mtu,
					   .master = spec->master,
					   .up = spec->up,
					   .queues = 1,
					   .peer = { .name = a->request->ifname,
						     .mac = spec->mac,
						     .mtu = spec->mtu,
						     .netns = a->netns },
				   });
	netlink_tolerate(a->host, EEXIST);
	netlink_outcome(a->host, &outcome);
	link_queue_get(a->host, name, host_end);
	netlink_tolerate(a->host, ENODEV);
	if (netlink_commit(a->host, err)) {
		/* Perhaps made, but not read back. A name that was taken before is not ours to delete. */
		if (outcome != EEXIST)
			(void)!veth_delete(a->host, name, NULL);
		return -err->errnum;
	}
	*taken = outcome == EEXIST;
	return 0;
}

/* What a container sends must not change the host's routes (CVE-2020-10749). */
static void ignore_advertisements(const char *name)
{
	char sysctl[64];

	snprintf(sysctl, sizeof(sysctl), "net/ipv6/conf/%s/accept_ra", name);
	sysctl_try(sysctl, "0");
}

/* EEXIST does not say which of the two names is taken: look whether it is the container's. */
static int refuse_ifname(struct attachment *a, const char *name, struct error *err)
{
	struct link there = { 0 };

	link_queue_get(a->container, a->request->ifname, &there);
	netlink_tolerate(a->container, ENODEV);
	if (netlink_commit(a->container, err))
		return -err->errnum;
	if (!there.index)
		return 0;
	return fail(err, EEXIST,
		    "container veth name (\"%s\") peer provided (\"%s\") already exists",
		    a->request->ifname, name);
}

int veth_create(struct attachment *a, const struct veth_spec *spec, struct link *host_end,
		struct error *err)
{
	char name[16];

	for (unsigned attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
		bool taken = false;

		attachment_veth_name(&a->owner, attempt, name);
		if (try_name(a, spec, name, host_end, &taken, err))
			return wrap(err, "failed to make veth pair");
		if (!taken) {
			ignore_advertisements(name);
			return 0;
		}
		if (refuse_ifname(a, name, err))
			return -err->errnum;
	}
	return fail(err, EEXIST, "failed to find a unique veth name");
}
