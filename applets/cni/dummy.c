/*
 * dummy: an interface in the container that leads nowhere and carries addresses (cni-plugins.md, section 2.8). It has
 * no keys of its own: the common ones, and IPAM, are all.
 */
#include "cni/device.h"
#include "cni/plugin.h"
#include "describe/applet.h"

static int create(struct device_call *call, struct error *err)
{
	return device_create_link(call, call->a.container, &(struct link_spec){ .kind = "dummy" },
				  err);
}

static int status(const struct cni_request *request unused, void *conf unused, struct error *err)
{
	struct netlink *host auto_netlink = NULL;

	if (netlink_open(&host, NETLINK_SESSION_ROUTE, -1, err))
		return -err->errnum;
	return link_kind_probe(host, "dummy", err);
}

static const struct device dummy = {
	.kind = "dummy",
	.create = create,
	.status = status,
};
DEVICE_VERBS(dummy)

static const struct field fields[] = { FIELDS_END };

static const struct cni_plugin plugin = {
	.fields = fields,
	.size = 1,
	.load_context = "failed to load netconf",
	.needs_ipam = "dummy interface requires an IPAM configuration",
	DEVICE_PLUGIN(dummy),
};

const struct applet applet_dummy = {
	.summary = "give the container an interface that leads nowhere",
	.about =
		"CNI plugin. The interface carries the addresses of the IPAM plugin, and whatever is sent through it is"
		" dropped: for addresses that a program in the container wants to own, and for tests.",
	.example =
		"{ \"cniVersion\": \"1.0.0\", \"name\": \"own\", \"type\": \"dummy\",\n"
		"  \"ipam\": { \"type\": \"static\", \"addresses\": [{ \"address\": \"10.9.0.1/32\" }] } }",
	.plugin = &plugin,
};
