/*
 * loopback: sets lo up in the container and says what it has. CNI_IFNAME is ignored, it is always lo
 * (cni-plugins.md, section 2.3). The result is converted to the configuration's version like any other, so ips carry
 * `version` below 1.0.0, which the reference forgets.
 */
#include "cni/attachment.h"
#include "cni/plugin.h"
#include "describe/applet.h"
#include "kernel/addr.h"

#include <errno.h>
#include <sys/socket.h>

static const struct field fields[] = { FIELDS_END };

/* First address of each family; anything that is not loopback is somebody's mistake. */
static int collect_addresses(struct attachment *a, int index, struct cni_result *result,
			     struct error *err)
{
	struct arena *arena = a->request->arena;
	addrs_t addrs = { 0 };
	bool have_v4 = false, have_v6 = false;
	char text[CIDR_TEXT_SIZE];

	if (addr_list(a->container, 0, index, arena, &addrs, err))
		return -err->errnum;
	list_each(addr, &addrs) {
		bool *have = addr->cidr.ip.family == AF_INET ? &have_v4 : &have_v6;

		if (!ip_is_loopback(&addr->cidr.ip))
			return fail(err, EINVAL,
				    "loopback interface found with non-loopback address \"%s\"",
				    cidr_format(&addr->cidr, text));
		if (*have)
			continue;
		*have = true;
		*list_add(arena, &result->ips) =
			(struct cni_ip){ .has_interface = true, .address = addr->cidr };
	}
	return 0;
}

static int set_up(struct attachment *a, struct link *lo, struct error *err)
{
	link_queue_change(a->container, 0, "lo",
			  &(struct link_change){ .what = LINK_SET_UP, .up = true }, "set lo up");
	link_queue_get(a->container, "lo", lo);
	return netlink_commit(a->container, err);
}

static int loopback_add(struct cni_request *request, void *conf unused, struct cni_result *result,
			struct error *err)
{
	struct attachment a auto_attachment = { .netns = -1 };
	struct link lo = { 0 };

	if (attachment_open(&a, request, err) || set_up(&a, &lo, err))
		return -err->errnum;
	if (collect_addresses(&a, lo.index, result, err))
		return -err->errnum;
	if (request->common.prev_result) {
		*result = (struct cni_result){ 0 };
		return request_prev_result(request, result, err);
	}
	*list_add(request->arena, &result->interfaces) = (struct cni_interface){
		.name = "lo",
		.mac = { .set = true },
		.sandbox = request->netns,
	};
	return 0;
}

static int loopback_del(struct cni_request *request, void *conf unused, struct error *err)
{
	struct netlink *container auto_netlink = NULL;

	if (attachment_container(request, &container, err))
		return -err->errnum;
	if (!container)
		return 0;
	link_queue_change(container, 0, "lo", &(struct link_change){ .what = LINK_SET_UP },
			  "set lo down");
	return netlink_commit(container, err);
}

static int loopback_check(struct cni_request *request, void *conf unused, struct error *err)
{
	struct attachment a auto_attachment = { .netns = -1 };
	struct link lo = { 0 };

	if (attachment_open(&a, request, err) || link_get(a.container, "lo", &lo, err))
		return -err->errnum;
	return lo.flags & LINK_UP ? 0 : fail(err, ENETDOWN, "loopback interface is down");
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.size = 1,
	.load_context = "failed to load netconf",
	.passes_on = true,
	.add = loopback_add,
	.del = loopback_del,
	.check = loopback_check,
};

const struct applet applet_loopback = {
	.summary = "set lo up in the container",
	.about =
		"CNI plugin without keys of its own. The interface is always lo, whatever CNI_IFNAME says.",
	.example = "{ \"cniVersion\": \"1.0.0\", \"name\": \"lo\", \"type\": \"loopback\" }",
	.plugin = &plugin,
};
