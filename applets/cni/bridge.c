/*
 * bridge: joins a container to a host bridge by a veth pair (cni-plugins.md, section 2.1).
 *
 * ADD is one way through: decode and validate (pure), reserve addresses with the IPAM plugin, then the kernel: bridge,
 * port, spoof check, container side, masquerade, gateway; every effect pushes its undo. What other ADDs share - the
 * bridge and its gateway address - comes last or is taken back only when nobody else uses it. DEL needs no address and
 * no prevResult: every name is derived from network, container id and interface name.
 */
#include "base/undo.h"
#include "cni/attachment.h"
#include "cni/hold.h"
#include "cni/ipam.h"
#include "cni/masq.h"
#include "cni/plugin.h"
#include "cni/trunk.h"
#include "cni/veth.h"
#include "describe/applet.h"
#include "kernel/addr.h"
#include "kernel/bridge.h"

#include <errno.h>
#include <stdio.h>

enum { PORT_UP_TIMEOUT_MS = 2550, BRIDGE_ATTEMPTS = 3 };

struct bridge_conf {
	char bridge[16];
	bool is_gateway, is_default_gateway, force_address;
	struct masq_conf masq;
	struct hold_conf hold;
	int mtu;
	bool hairpin_mode, promisc_mode;
	int vlan;
	trunks_t vlan_trunk;
	bool preserve_default_vlan;
	bool mac_spoof_check, enable_dad, disable_container_interface, port_isolation;
	struct {
		struct {
			struct mac mac;
		} cni;
	} args;
	struct {
		struct mac mac;
	} runtime_config;
	/* settled by validate: */
	struct mac mac;
	uint8_t trunk[VLAN_MAP_SIZE];
};

#define CONF(member) offsetof(struct bridge_conf, member)

static const struct field args_cni_fields[] = {
	{ "mac", FIELD_MAC, CONF(args.cni.mac) - CONF(args.cni),
	  .help = "MAC address of the container's interface" },
	FIELDS_END
};
static const struct field args_fields[] = { { "cni", FIELD_OBJECT, 0, .fields = args_cni_fields,
					      .help = "arguments of the CNI convention" },
					    FIELDS_END };
static const struct field runtime_fields[] = {
	{ "mac", FIELD_MAC, 0, .help = "capability mac: MAC address of the container's interface" },
	FIELDS_END
};

static const struct field fields[] = {
	{ "bridge", FIELD_IFNAME, CONF(bridge), .help = "name of the bridge, made when absent" },
	{ "isGateway", FIELD_BOOL, CONF(is_gateway),
	  .help = "give the bridge the gateway address and switch forwarding on" },
	{ "isDefaultGateway", FIELD_BOOL, CONF(is_default_gateway),
	  .help = "the same, and add default routes through it" },
	{ "forceAddress", FIELD_BOOL, CONF(force_address),
	  .help = "replace a conflicting address of the bridge instead of failing" },
	MASQ_FIELDS(struct bridge_conf, masq),
	HOLD_FIELD(struct bridge_conf, hold),
	{ "mtu", FIELD_INT, CONF(mtu), .max = 65535,
	  .help = "MTU of bridge and veth pair; 0 = the kernel's default" },
	{ "hairpinMode", FIELD_BOOL, CONF(hairpin_mode),
	  .help = "send frames back through the port they came from" },
	{ "promiscMode", FIELD_BOOL, CONF(promisc_mode), .help = "set the bridge promiscuous" },
	{ "vlan", FIELD_INT, CONF(vlan), .help = "access VLAN of the port, 1 to 4094; 0 = none" },
	{ "vlanTrunk", FIELD_LIST, CONF(vlan_trunk), .element = FIELD_OBJECT,
	  .size = sizeof(struct trunk), .fields = trunk_fields,
	  .help = "tagged VLANs of the port" },
	{ "preserveDefaultVlan", FIELD_BOOL, CONF(preserve_default_vlan),
	  .help = "keep VLAN 1 on the port beside vlan or vlanTrunk" },
	{ "macspoofchk", FIELD_BOOL, CONF(mac_spoof_check),
	  .help = "drop frames with another source MAC" },
	{ "enabledad", FIELD_BOOL, CONF(enable_dad),
	  .help = "keep IPv6 duplicate address detection (costs 1 to 2 s)" },
	{ "disableContainerInterface", FIELD_BOOL, CONF(disable_container_interface),
	  .help = "leave the container's side down; no IPAM then" },
	{ "portIsolation", FIELD_BOOL, CONF(port_isolation),
	  .help = "no traffic to other isolated ports" },
	{ "args", FIELD_OBJECT, CONF(args), .fields = args_fields,
	  .help = "arguments from the network's author" },
	{ "runtimeConfig", FIELD_OBJECT, CONF(runtime_config), .fields = runtime_fields,
	  .help = "values of declared capabilities, from the runtime" },
	FIELDS_END
};

/* What DEL and GC need to know: a mistake elsewhere must not keep an attachment from being removed. */
static const struct field del_fields[] = { MASQ_DEL_FIELDS(struct bridge_conf, masq),
					   { "macspoofchk", FIELD_BOOL, CONF(mac_spoof_check) },
					   FIELDS_END };

static const struct bridge_conf defaults = {
	.bridge = "cni0",
	.preserve_default_vlan = true,
	.hold = HOLD_DEFAULTS,
};

/* ---- validation: pure ---- */

/* CNI_ARGS MAC, then args.cni.mac, then runtimeConfig.mac: the later wins. */
static int settle_mac(const struct cni_request *request, struct bridge_conf *conf,
		      struct error *err)
{
	if (request_mac_arg(request, &conf->mac, err))
		return -err->errnum;
	if (conf->args.cni.mac.set)
		conf->mac = conf->args.cni.mac;
	if (conf->runtime_config.mac.set)
		conf->mac = conf->runtime_config.mac;
	return 0;
}

static int bridge_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct bridge_conf *conf = data;

	if (!conf->bridge[0])
		memcpy(conf->bridge, defaults.bridge, sizeof(conf->bridge));
	if (request->command == CNI_DEL || request->command == CNI_GC ||
	    request->command == CNI_STATUS)
		return 0;
	if (conf->vlan < 0 || conf->vlan > VLAN_MAX)
		return fail_key(err, "vlan", "invalid VLAN ID %d (must be between 0 and 4094)",
				conf->vlan);
	if (cni_check_mtu(conf->mtu, err))
		return -err->errnum;
	if (trunk_map(&conf->vlan_trunk, conf->trunk, err))
		return -err->errnum;
	if (conf->disable_container_interface && request_has_ipam(request))
		return fail_key(err, "disableContainerInterface",
				"cannot use IPAM when DisableContainerInterface flag is set");
	if (conf->hairpin_mode && conf->promisc_mode)
		return fail_key(err, "promiscMode",
				"cannot set hairpin mode and promiscuous mode at the same time");
	conf->is_gateway |= conf->is_default_gateway;
	if (masq_validate(&conf->masq, err))
		return -err->errnum;
	return settle_mac(request, conf, err);
}

/* ---- ADD ---- */

struct bridge_add {
	struct attachment a;
	struct cni_request *request;
	struct bridge_conf *conf;
	struct cni_result *result;
	struct undo undo;
	struct bridge_use use;
	struct link port; /* the host end */
};

static void bridge_add_leave(struct bridge_add *add)
{
	undo_leave(&add->undo);
	attachment_close(&add->a);
	bridge_use_end(&add->use);
}

static int undo_port(void *arg, struct error *err)
{
	struct bridge_add *add = arg;

	return veth_delete(add->a.host, add->port.name, err);
}

static int undo_spoof_check(void *arg, struct error *err)
{
	struct bridge_add *add = arg;

	return spoof_check_del(&add->a.owner, err);
}

static int undo_bridge(void *arg, struct error *err)
{
	struct bridge_add *add = arg;

	return bridge_undo(add->a.host, &add->use, add->port.index, err);
}

static int undo_gateway(void *arg, struct error *err)
{
	struct bridge_add *add = arg;

	return bridge_undo_gateway(add->a.host, &add->use, add->port.index, err);
}

static bool uses_vlans(const struct bridge_conf *conf)
{
	return conf->vlan || conf->vlan_trunk.n;
}

static struct bridge_vlans port_vlans(const struct bridge_conf *conf)
{
	return (struct bridge_vlans){ .access = conf->vlan,
				      .trunk = conf->trunk,
				      .keep_default = conf->preserve_default_vlan };
}

static int add_bridge(struct bridge_add *add, struct error *err)
{
	struct bridge_conf *conf = add->conf;
	struct bridge_spec spec = {
		.name = conf->bridge,
		.mtu = conf->mtu,
		.promisc = conf->promisc_mode,
		.vlan_filtering = uses_vlans(conf),
	};

	if (bridge_ensure(add->a.host, &add->use, &spec, err))
		return wrap(err, "failed to create bridge \"%s\"", conf->bridge);
	return 0;
}

/* Bridge and port: when a failed ADD takes its bridge away between the two steps, make it again. */
static int add_port(struct bridge_add *add, struct error *err)
{
	/* Duplicate address detection needs a carrier early. */
	struct veth_spec spec = {
		.mtu = add->conf->mtu,
		.mac = add->conf->mac,
		.up = add->conf->enable_dad,
	};
	int r = -ENODEV;

	for (unsigned attempt = 0; r == -ENODEV && attempt < BRIDGE_ATTEMPTS; attempt++) {
		*err = (struct error){ 0 };
		r = add_bridge(add, err);
		spec.master = add->use.bridge.index;
		if (r == 0)
			r = veth_create(&add->a, &spec, &add->port, err);
	}
	return r;
}

static int port_options(struct bridge_add *add, struct error *err)
{
	struct bridge_conf *conf = add->conf;
	struct link_port options = { .hairpin = conf->hairpin_mode,
				     .isolated = conf->port_isolation };
	struct bridge_vlans vlans = port_vlans(conf);

	if (bridge_settle_mac(add->a.host, &add->use, err))
		return -err->errnum;
	if (options.hairpin || options.isolated) {
		link_queue_port(add->a.host, add->port.name, &options);
		if (netlink_commit(add->a.host, err))
			return -err->errnum;
	}
	if (!uses_vlans(conf))
		return 0;
	return bridge_port_vlans(add->a.host, add->port.index, &vlans, err);
}

static int add_spoof_check(struct bridge_add *add, struct error *err)
{
	if (!add->conf->mac_spoof_check)
		return 0;
	undo_push(&add->undo, undo_spoof_check, add, "remove the spoof check");
	return spoof_check_add(&add->a.owner, add->port.name, &add->conf->mac, err);
}

static int add_container(struct bridge_add *add, struct error *err)
{
	struct bridge_conf *conf = add->conf;
	struct cni_result *result = add->result;
	struct arena *arena = add->request->arena;

	*list_add(arena, &result->interfaces) = (struct cni_interface){
		.name = arena_strdup(arena, add->use.bridge.name),
		.mac = add->use.bridge.mac,
	};
	*list_add(arena, &result->interfaces) = (struct cni_interface){
		.name = arena_strdup(arena, add->port.name),
		.mac = add->port.mac,
		.mtu = add->port.mtu,
	};
	*list_add(arena, &result->interfaces) = (struct cni_interface){
		.name = add->request->ifname,
		.mac = conf->mac,
		.mtu = add->port.mtu,
		.sandbox = add->request->netns,
	};
	if (conf->disable_container_interface)
		return 0;
	if (request_has_ipam(add->request)) {
		attachment_settle(result, 2, conf->is_gateway, conf->is_default_gateway, arena);
		return attachment_configure(&add->a, add->port.peer, result,
					    conf->enable_dad ? ATTACHMENT_DAD : 0, err);
	}
	link_queue_change(add->a.container, add->port.peer, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = true },
			  "set the container's interface up");
	return netlink_commit(add->a.container, err);
}

/* With a VLAN the bridge itself is not in it: its gateway is an interface of its own. */
static int vlan_gateway(struct bridge_add *add, struct error *err)
{
	struct arena *arena = add->request->arena;
	struct owner pair = {
		.network = "vlan gateway",
		.container = add->conf->bridge,
		.ifname = arena_printf(arena, "%d", add->conf->vlan),
	};
	char peer[16];

	attachment_veth_name(&pair, 0, peer);
	if (bridge_vlan_gateway(add->a.host, &add->use,
				&(struct bridge_vlan_gateway){
					.peer_name = peer,
					.vlan = add->conf->vlan,
					.mtu = add->conf->mtu,
				},
				err))
		return -err->errnum;
	*list_add(arena, &add->result->interfaces) = (struct cni_interface){
		.name = arena_strdup(arena, add->use.gateway.name),
		.mac = add->use.gateway.mac,
		.mtu = add->use.gateway.mtu,
	};
	return 0;
}

static int add_gateway(struct bridge_add *add, struct error *err)
{
	if (!add->conf->is_gateway || !request_has_ipam(add->request))
		return 0;
	undo_push(&add->undo, undo_gateway, add, "remove the gateway");
	if (add->conf->vlan && vlan_gateway(add, err))
		return -err->errnum;
	list_each(ip, &add->result->ips) {
		struct cidr address = { .ip = ip->gateway, .prefix = ip->address.prefix };

		if (!ip->gateway.family)
			continue;
		if (bridge_address(add->a.host, &add->use, &address, add->conf->force_address, err))
			return wrap(err, "failed to set bridge addr");
	}
	return attachment_forwarding(add->result, err);
}

/* The port must forward before the container starts; only then its announcement is heard. */
static int add_finish(struct bridge_add *add, struct error *err)
{
	struct link bridge;

	/* The bridge's address may have changed with its ports and the gateway; the look travels with what follows. */
	link_queue_get_index(add->a.host, add->use.bridge.index, &bridge);
	if (add->conf->disable_container_interface) {
		link_queue_change(add->a.host, add->port.index, NULL,
				  &(struct link_change){ .what = LINK_SET_UP, .up = true },
				  "set the host's interface up");
		if (netlink_commit(add->a.host, err))
			return -err->errnum;
	} else if (veth_up(&add->a, &add->port, PORT_UP_TIMEOUT_MS, err)) {
		return wrap(err, "bridge port in error state: %s", add->port.name);
	}
	add->result->interfaces.items[0].mac = bridge.mac;
	if (request_has_ipam(add->request))
		attachment_announce(&add->a, add->port.peer, &add->conf->mac);
	return 0;
}

/* An IPAM plugin that asks the network (dhcp) does so through the container's interface. */
static int reserve_through_port(struct bridge_add *add, struct error *err)
{
	link_queue_change(add->a.container, add->port.peer, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = true },
			  "set the container's interface up");
	if (netlink_commit(add->a.container, err))
		return -err->errnum;
	if (veth_up(&add->a, &add->port, PORT_UP_TIMEOUT_MS, err))
		return wrap(err, "bridge port in error state: %s", add->port.name);
	return ipam_reserve(add->request, &add->undo, add->result, err);
}

static int bridge_add(struct cni_request *request, void *conf, struct cni_result *result,
		      struct error *err)
{
	bool last = ipam_needs_link(request);
	struct bridge_add add on_leave(bridge_add_leave) = {
		.a = { .netns = -1 },
		.request = request,
		.conf = conf,
		.result = result,
		.use = { .lock = -1 },
	};

	if (!add.conf->mac.set)
		add.conf->mac = mac_random();
	if (attachment_open(&add.a, request, err) || bridge_use_begin(&add.use, err) ||
	    (!last && ipam_reserve(request, &add.undo, result, err)))
		return -err->errnum;
	undo_push(&add.undo, undo_bridge, &add, "remove the bridge");
	if (add_port(&add, err))
		return -err->errnum;
	undo_push(&add.undo, undo_port, &add, "remove the veth pair");
	if (port_options(&add, err) || add_spoof_check(&add, err) ||
	    (last && reserve_through_port(&add, err)) || add_container(&add, err) ||
	    masq_add(&add.conf->masq, request, result, &add.undo, err) || add_gateway(&add, err) ||
	    add_finish(&add, err) || hold_add(&add.conf->hold, request, result, err))
		return -err->errnum;
	if (!cni_dns_empty(&request->common.dns))
		result->dns = request->common.dns;
	undo_clear(&add.undo);
	return 0;
}

/* ---- DEL, CHECK, GC, STATUS ---- */

/* Everything is tried, whatever fails; the link goes first, so that a released address is not used twice, unless the
 * IPAM plugin needs it to release. */
static int bridge_del(struct cni_request *request, void *data, struct error *err)
{
	struct bridge_conf *conf = data;
	struct owner owner = request_owner(request);
	bool last = ipam_needs_link(request);
	struct error one = { 0 };

	if (last)
		(void)!ipam_release(request, &one);
	error_move(err, &one);
	(void)!veth_remove(request, &one);
	error_move(err, &one);
	if (!last)
		(void)!ipam_release(request, &one);
	error_move(err, &one);
	if (conf->mac_spoof_check)
		(void)!spoof_check_del(&owner, &one);
	error_move(err, &one);
	(void)!masq_del(&conf->masq, request, &one);
	error_move(err, &one);
	return -err->errnum;
}

/* The reference does not look. A port in another VLAN is with the wrong neighbours. */
static int check_vlans(struct attachment *a, const struct bridge_conf *conf,
		       const struct link *container, struct error *err)
{
	struct bridge_vlans vlans = port_vlans(conf);

	if (!uses_vlans(conf))
		return 0;
	if (bridge_port_vlans_check(a->host, container->peer, &vlans, err))
		return wrap(err, "bridge \"%s\"", conf->bridge);
	return 0;
}

static int check_rules(struct cni_request *request, const struct bridge_conf *conf,
		       const struct cni_result *prev, struct error *err)
{
	struct owner owner = request_owner(request);

	if (masq_check(&conf->masq, request, prev, err))
		return -err->errnum;
	return conf->mac_spoof_check ? spoof_check_check(&owner, err) : 0;
}

static int bridge_check(struct cni_request *request, void *data, struct error *err)
{
	struct bridge_conf *conf = data;
	struct attachment a auto_attachment = { .netns = -1 };
	struct cni_result prev = { 0 };
	struct link bridge = { 0 }, container = { 0 };

	if (attachment_open(&a, request, err))
		return -err->errnum;
	if (ipam_check(request, err))
		return -err->errnum;
	if (!request->common.prev_result)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "Required prevResult missing");
	if (request_prev_result(request, &prev, err) ||
	    attachment_check_bridge(&a, &prev, conf->bridge, conf->promisc_mode, &bridge, err) ||
	    attachment_check(&a, &prev, "veth", &container, err) ||
	    attachment_check_port(&a, &prev, &container, &bridge, err) ||
	    check_vlans(&a, conf, &container, err))
		return -err->errnum;
	return check_rules(request, conf, &prev, err);
}

static int bridge_gc(struct cni_request *request, void *data, struct error *err)
{
	struct bridge_conf *conf = data;
	struct error one = { 0 };

	(void)!ipam_gc(request, &one);
	error_move(err, &one);
	(void)!masq_gc(&conf->masq, request, &one);
	error_move(err, &one);
	if (conf->mac_spoof_check)
		(void)!spoof_check_gc(&request->common.attachments, &one);
	error_move(err, &one);
	return -err->errnum;
}

static int bridge_status(struct cni_request *request, void *conf unused, struct error *err)
{
	return ipam_status(request, err);
}

/* Half of the rules may be there: they go first. The MAC is what the chain settled on, not what the container has made
 * of it since. */
static int restore_spoof_check(struct attachment *a, const struct cni_result *prev,
			       struct error *err)
{
	const struct cni_interface *made = attachment_interface(prev, a->request->ifname, true);
	struct link container, port;

	if (spoof_check_check(&a->owner, NULL) == 0)
		return 0;
	if (link_get(a->container, a->request->ifname, &container, err) ||
	    link_get_index(a->host, container.peer, &port, err))
		return wrap(err, "host end of %s", a->request->ifname);
	if (spoof_check_del(&a->owner, err))
		return -err->errnum;
	return spoof_check_add(&a->owner, port.name,
			       made && made->mac.set ? &made->mac : &container.mac, err);
}

static int bridge_restore(struct cni_request *request, void *data, struct error *err)
{
	struct bridge_conf *conf = data;
	struct attachment a auto_attachment = { .netns = -1 };
	struct cni_result prev = { 0 };

	if (!request->common.prev_result)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "Required prevResult missing");
	if (request_prev_result(request, &prev, err) || attachment_open(&a, request, err))
		return -err->errnum;
	if (masq_restore(&conf->masq, request, err))
		return -err->errnum;
	return conf->mac_spoof_check ? restore_spoof_check(&a, &prev, err) : 0;
}

static void explain_gateway(const struct bridge_conf *conf, const struct cni_request *request,
			    struct advice *advice)
{
	const char *gateways = conf->is_gateway ? advice_gateways(advice, false) : NULL;

	if (gateways)
		advice_say(advice, "%s gets %s, and the node forwards", conf->bridge, gateways);
	if (conf->is_gateway && !request_has_ipam(request))
		advice_warn(advice, conf->is_default_gateway ? "isDefaultGateway" : "isGateway",
			    "has no effect without ipam");
	if (conf->masq.enabled && !conf->is_gateway && request_has_ipam(request))
		advice_warn(
			advice, "ipMasq",
			"there is no gateway to masquerade at: isGateway and isDefaultGateway are not set");
}

static void bridge_explain(const struct cni_request *request, const void *data,
			   struct advice *advice)
{
	const struct bridge_conf *conf = data;

	attachment_settle(&advice->result, 0, conf->is_gateway, conf->is_default_gateway,
			  advice->arena);
	advice_say(advice, "a veth pair, whose host end is a port of bridge %s, made when absent",
		   conf->bridge);
	if (conf->vlan)
		advice_say(advice, "the port is in VLAN %d", conf->vlan);
	explain_gateway(conf, request, advice);
	advice_mtu(advice, conf->mtu);
	masq_explain(&conf->masq, request, advice);
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct bridge_conf),
	.defaults = &defaults,
	.load_context = "failed to load netconf",
	.validate = bridge_validate,
	.add = bridge_add,
	.del = bridge_del,
	.check = bridge_check,
	.gc = bridge_gc,
	.status = bridge_status,
	.restore = bridge_restore,
	.explain = bridge_explain,
};

const struct applet applet_bridge = {
	.summary = "join a container to a host bridge by a veth pair",
	.about =
		"CNI plugin. Makes the bridge when it is absent, connects the container's interface to it, gives it the"
		" addresses of the IPAM plugin, and, when asked, makes the bridge their gateway and masquerades them.",
	.example = "{ \"cniVersion\": \"1.0.0\", \"name\": \"pods\", \"type\": \"bridge\",\n"
		   "  \"isDefaultGateway\": true, \"ipMasq\": true,\n"
		   "  \"ipam\": { \"type\": \"host-local\", \"subnet\": \"10.1.0.0/24\" } }",
	.plugin = &plugin,
};
