/*
 * The verbs of device plugins. Nothing is known of a device here but that it is one link in the container, and that its
 * name is CNI_IFNAME.
 */
#include "cni/device.h"

#include "base/log.h"
#include "cni/ipam.h"

#include <errno.h>

/* An ADD under way. */
struct adding {
	struct device_call call;
	const struct device *device;
	struct undo undo;
};

static void adding_leave(struct adding *adding)
{
	undo_leave(&adding->undo);
	attachment_close(&adding->call.a);
}

static void call_leave(struct device_call *call)
{
	attachment_close(&call->a);
}

/* ---- the link ---- */

/* Under another name first, and with it what a killed ADD may have left. */
static void temporary_name(const struct cni_request *request, char name[16])
{
	struct owner owner = request_owner(request);

	attachment_veth_name(&owner, 0, name);
}

static int remove_link(const struct cni_request *request, struct error *err)
{
	struct netlink *container auto_netlink = NULL;
	char temporary[16];

	if (attachment_container(request, &container, err))
		return -err->errnum;
	if (!container)
		return 0;
	temporary_name(request, temporary);
	link_queue_del(container, request->ifname);
	netlink_tolerate(container, ENODEV);
	link_queue_del(container, temporary);
	netlink_tolerate(container, ENODEV);
	return netlink_commit(container, err);
}

/* What may have been made goes; the failure is told already. */
static void give_up(const struct device_call *call)
{
	struct error later = { 0 };

	if (remove_link(call->request, &later) < 0)
		log_debug("undo: %s", later.message);
}

static int remove_device(const struct device *device, const struct cni_request *request, void *conf,
			 struct error *err)
{
	return device->remove ? device->remove(request, conf, err) : remove_link(request, err);
}

/* -EBUSY: the container has the name, as opposed to -EEXIST, which is the kernel's word. */
static int refuse_taken(struct device_call *call, const char *name, struct error *err)
{
	struct link there = { 0 };

	link_queue_get(call->a.container, name, &there);
	netlink_tolerate(call->a.container, ENODEV);
	if (netlink_commit(call->a.container, err))
		return -err->errnum;
	if (!there.index)
		return 0;
	return fail(err, EBUSY, "the container has an interface %s already", name);
}

/* One message makes it in the container, and nothing is left on failure: the name was free, so that what bears it then
 * is ours, though the kernel's answer be lost. */
static int create_as(struct device_call *call, struct netlink *parent, const struct link_spec *spec,
		     const char *name, struct error *err)
{
	struct link_spec named = *spec;

	if (refuse_taken(call, name, err))
		return -err->errnum;
	named.name = name;
	named.netns = parent == call->a.container ? 0 : call->a.netns;
	link_queue_create(parent, &named);
	if (netlink_commit(parent, err) == 0 &&
	    link_get(call->a.container, name, &call->link, err) == 0)
		return 0;
	give_up(call);
	return -err->errnum;
}

static int create_renamed(struct device_call *call, struct netlink *parent,
			  const struct link_spec *spec, struct error *err)
{
	const struct link_change rename = { .what = LINK_SET_NAME,
					    .new_name = call->request->ifname };
	char temporary[16];

	temporary_name(call->request, temporary);
	if (create_as(call, parent, spec, temporary, err))
		return -err->errnum;
	link_queue_change(call->a.container, call->link.index, NULL, &rename,
			  "rename the container's interface");
	link_queue_get_index(call->a.container, call->link.index, &call->link);
	if (netlink_commit(call->a.container, err)) {
		give_up(call);
		return -err->errnum;
	}
	return 0;
}

/*
 * The final name at once. Before Linux 6.15 the kernel looks for it in the sender's namespace, too, and refuses "eth0" on
 * a host that has one: then, and only then, a detour by another name helps. What is refused again is refused for
 * something else, such as a VLAN that the master has already.
 */
int device_create_link(struct device_call *call, struct netlink *parent,
		       const struct link_spec *spec, struct error *err)
{
	int r = create_as(call, parent, spec, call->request->ifname, err);

	if (r == -EEXIST) {
		*err = (struct error){ 0 };
		r = create_renamed(call, parent, spec, err);
	}
	if (r == -EOPNOTSUPP && link_kind_probe(parent, spec->kind, err))
		return -err->errnum;
	return r ? wrap(err, "failed to create %s", spec->kind) : 0;
}

/* ---- ADD ---- */

static int undo_create(void *arg, struct error *err)
{
	struct adding *adding = arg;

	return remove_device(adding->device, adding->call.request, adding->call.conf, err);
}

/* Before anything is made: where will the addresses come from? Those of prevResult are in *result then. */
static int find_addresses(const struct device *device, const struct cni_request *request,
			  struct cni_result *result, struct error *err)
{
	struct cni_result prev = { 0 };

	if (request_has_ipam(request) || !device->takes_prev_addresses)
		return 0;
	if (request_prev_result(request, &prev, err))
		return -err->errnum;
	result->ips = prev.ips;
	result->routes = prev.routes;
	return prev.ips.n ? 0 : request_lacks_ipam("no plugin name provided", err);
}

/* Addresses come before the link is up, and the settings that announce it before both: as it goes up, the kernel tells
 * the neighbours. */
static int configure(struct adding *adding, const struct cni_result *result, struct error *err)
{
	struct device_call *call = &adding->call;
	const char *conf = call->conf;
	size_t dad = adding->device->dad;

	if (!call->link.index)
		return 0;
	if (result->ips.n) {
		link_queue_change(call->a.container, call->link.index, NULL,
				  &(struct link_change){ .what = LINK_SET_ARP_NOTIFY },
				  "announce the container's addresses");
		return attachment_configure(
			&call->a, call->link.index, result,
			dad && *(const bool *)(conf + dad - 1) ? ATTACHMENT_DAD : 0, err);
	}
	link_queue_change(call->a.container, call->link.index, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = true },
			  "set the container's interface up");
	return netlink_commit(call->a.container, err);
}

static void add_interface(const struct device_call *call, struct cni_result *result)
{
	*list_add(call->request->arena, &result->interfaces) = (struct cni_interface){
		.name = call->request->ifname,
		.mac = call->link.mac,
		.mtu = call->link.mtu,
		.sandbox = call->request->netns,
		.pci_id = call->pci_id,
	};
}

int device_add(const struct device *device, struct cni_request *request, void *conf,
	       struct cni_result *result, struct error *err)
{
	struct adding adding on_leave(adding_leave) = {
		.call = { .a = { .netns = -1 }, .request = request, .conf = conf },
		.device = device,
	};

	if (find_addresses(device, request, result, err) ||
	    attachment_open(&adding.call.a, request, err) || device->create(&adding.call, err))
		return -err->errnum;
	undo_push(&adding.undo, undo_create, &adding, "remove the container's interface");
	if (ipam_reserve(request, &adding.undo, result, err))
		return -err->errnum;
	add_interface(&adding.call, result);
	attachment_settle(result, 0, false, false, request->arena);
	if (configure(&adding, result, err))
		return -err->errnum;
	result->dns = request->common.dns; /* the IPAM plugin's are dropped, as by the reference */
	undo_clear(&adding.undo);
	return 0;
}

/* ---- the other verbs ---- */

int device_del(const struct device *device, struct cni_request *request, void *conf,
	       struct error *err)
{
	bool release_first = ipam_needs_link(request);
	struct error one = { 0 };

	/* Else the link goes first, so that a released address is not used twice. */
	if (release_first)
		(void)!ipam_release(request, &one);
	error_move(err, &one);
	(void)!remove_device(device, request, conf, &one);
	error_move(err, &one);
	if (!release_first)
		(void)!ipam_release(request, &one);
	error_move(err, &one);
	return -err->errnum;
}

int device_check(const struct device *device, struct cni_request *request, void *conf,
		 struct error *err)
{
	struct device_call call on_leave(call_leave) = {
		.a = { .netns = -1 },
		.request = request,
		.conf = conf,
	};
	struct cni_result prev = { 0 };

	if (attachment_open(&call.a, request, err) || ipam_check(request, err))
		return -err->errnum;
	if (!request->common.prev_result)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "Required prevResult missing");
	if (request_prev_result(request, &prev, err) ||
	    attachment_check(&call.a, &prev, device->kind, &call.link, err))
		return -err->errnum;
	return device->check ? device->check(&call, &prev, err) : 0;
}

int device_gc(const struct device *device unused, struct cni_request *request, void *conf unused,
	      struct error *err)
{
	return ipam_gc(request, err);
}

int device_status(const struct device *device, struct cni_request *request, void *conf,
		  struct error *err)
{
	if (device->status && device->status(request, conf, err))
		return error_code(err, CNI_NOT_AVAILABLE);
	return ipam_status(request, err);
}
