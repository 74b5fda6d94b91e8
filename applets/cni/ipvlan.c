/*
 * ipvlan: gives the container an interface that shares the MAC address of an interface of the host (cni-plugins.md,
 * section 2.5). Chained behind another plugin it may sit on the interface which that one made, and take the addresses
 * which that one got.
 */
#include "cni/master.h"
#include "cni/plugin.h"
#include "describe/applet.h"

#include <errno.h>
#include <stdio.h>

struct ipvlan_conf {
	struct master_conf master;
	const char *mode;
	/* settled by validate: */
	enum link_ipvlan kernel_mode;
};
#define CONF(member) offsetof(struct ipvlan_conf, member)

static const struct field fields[] = {
	MASTER_FIELDS(struct ipvlan_conf, master),
	{ "mode", FIELD_STRING, CONF(mode),
	  .help = "l2 (default), l3 or l3s: who routes between master and containers" },
	FIELDS_END
};
static const struct field del_fields[] = { FIELDS_END };

static const char *const modes[] = {
	[LINK_IPVLAN_L2] = "l2",
	[LINK_IPVLAN_L3] = "l3",
	[LINK_IPVLAN_L3S] = "l3s",
};

static int ipvlan_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct ipvlan_conf *conf = data;

	if (request->command == CNI_DEL || request->command == CNI_GC)
		return 0;
	if (!conf->mode || !conf->mode[0])
		conf->mode = modes[LINK_IPVLAN_L2];
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!streq(modes[i], conf->mode))
			continue;
		conf->kernel_mode = (enum link_ipvlan)i;
		return 0;
	}
	cni_fail(err, CNI_INVALID_CONFIG, "there are l2, l3 and l3s", "unknown ipvlan mode: \"%s\"",
		 conf->mode);
	return error_at(err, "mode");
}

/* Chained without a master: the one interface of prevResult is it. */
static int chained_master(struct device_call *call, struct master_conf *master, struct error *err)
{
	struct cni_result prev = { 0 };

	if (master->name[0] || !call->request->common.prev_result)
		return 0;
	if (request_prev_result(call->request, &prev, err))
		return -err->errnum;
	if (prev.interfaces.n != 1 || !prev.interfaces.items[0].name ||
	    !field_valid_ifname(prev.interfaces.items[0].name))
		return fail_code(
			err, CNI_INVALID_CONFIG, EINVAL,
			"chained master failure. PrevResult lacks a single named interface");
	snprintf(master->name, sizeof(master->name), "%s", prev.interfaces.items[0].name);
	return 0;
}

static int create(struct device_call *call, struct error *err)
{
	const struct ipvlan_conf *conf = call->conf;
	struct master_conf master = conf->master;

	if (chained_master(call, &master, err))
		return -err->errnum;
	return master_create_link(
		call, &master,
		&(struct link_spec){ .kind = "ipvlan", .mode = (int)conf->kernel_mode }, err);
}

static int check(struct device_call *call, const struct cni_result *prev unused, struct error *err)
{
	const struct ipvlan_conf *conf = call->conf;

	if (call->link.mode != (int)conf->kernel_mode)
		return fail(err, EINVAL, "Interface %s is not in ipvlan mode %s", call->link.name,
			    conf->mode);
	return master_check(call, &conf->master, err);
}

/* Without master and IPAM it is meant to be chained: what it will sit on is not known yet. */
static int status(const struct cni_request *request, void *data, struct error *err)
{
	struct master_conf master = ((const struct ipvlan_conf *)data)->master;

	master.in_container |= !master.name[0] && !request_has_ipam(request);
	return master_status(request, &master, "ipvlan", err);
}

static const struct device ipvlan = {
	.kind = "ipvlan",
	.takes_prev_addresses = true,
	.dad = 1 + CONF(master.enable_dad),
	.create = create,
	.check = check,
	.status = status,
};
DEVICE_VERBS(ipvlan)

static void ipvlan_explain(const struct cni_request *request unused, const void *data,
			   struct advice *advice)
{
	const struct ipvlan_conf *conf = data;

	master_explain(&conf->master,
		       arena_printf(advice->arena,
				    "an interface with the host's MAC address, mode %s",
				    conf->mode),
		       advice);
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct ipvlan_conf),
	.load_context = "failed to load netconf",
	.needs_ipam = "no plugin name provided",
	.takes_prev_addresses = true,
	.validate = ipvlan_validate,
	.explain = ipvlan_explain,
	DEVICE_PLUGIN(ipvlan),
};

const struct applet applet_ipvlan = {
	.summary = "put a container on the host's network, under the host's MAC",
	.about =
		"CNI plugin. For networks that allow one MAC address for each port. In mode l2 neighbours reach the"
		" container as if it were there; in l3 and l3s the master routes, so that they need a route to it, and"
		" in l3s the host's netfilter sees what passes.\n\n"
		"Chained behind another plugin, without master and ipam, it sits on the one interface which that one made"
		" and has its addresses.",
	.example =
		"{ \"cniVersion\": \"1.0.0\", \"name\": \"lan\", \"type\": \"ipvlan\", \"master\": \"eth0\",\n"
		"  \"ipam\": { \"type\": \"host-local\", \"subnet\": \"192.0.2.0/24\" } }",
	.plugin = &plugin,
};
