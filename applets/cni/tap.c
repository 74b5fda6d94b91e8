/*
 * tap: makes a TAP device in the container, the network card of a virtual machine that runs there (cni-plugins.md,
 * section 2.9). It is made by ioctls on /dev/net/tun out of the container's namespace; what a link message can set comes
 * after that in one batch. The device has no carrier until a program opens it.
 */
#include "base/process.h"
#include "cni/device.h"
#include "cni/plugin.h"
#include "describe/applet.h"
#include "kernel/netns.h"
#include "kernel/selinux.h"
#include "kernel/tun.h"

#include <errno.h>

#define SELF        "/proc/self/exe"
#define ARGS_MAX    12
#define TIME_OUT_MS 10000

struct tap_conf {
	bool multi_queue;
	int mtu;
	struct mac mac;
	bool has_owner, has_group;
	uint32_t owner, group;
	const char *selinux_context;
	char bridge[16];
	struct {
		struct mac mac;
	} runtime_config;
};

#define CONF(member) offsetof(struct tap_conf, member)

static const struct field runtime_fields[] = {
	{ "mac", FIELD_MAC, 0, .help = "capability mac: MAC address of the tap" }, FIELDS_END
};

static const struct field fields[] = {
	{ "multiQueue", FIELD_BOOL, CONF(multi_queue),
	  .help = "several queues, for as many processors; who opens it must ask for them" },
	{ "mtu", FIELD_INT, CONF(mtu), .max = 65535, .help = "MTU; 0 = the kernel's default" },
	{ "mac", FIELD_MAC, CONF(mac), .help = "of the tap; unset: random" },
	{ "owner", FIELD_UINT32, CONF(owner), .seen = FIELD_SEEN(struct tap_conf, has_owner),
	  .help = "id of the user who may open it without being root" },
	{ "group", FIELD_UINT32, CONF(group), .seen = FIELD_SEEN(struct tap_conf, has_group),
	  .help = "id of the group whose members may open it" },
	{ "selinuxContext", FIELD_STRING, CONF(selinux_context),
	  .help = "SELinux context of the tap, which is that of who makes it" },
	{ "bridge", FIELD_IFNAME, CONF(bridge),
	  .help = "bridge in the container to make the tap a port of" },
	{ "runtimeConfig", FIELD_OBJECT, CONF(runtime_config), .fields = runtime_fields,
	  .help = "values of declared capabilities, from the runtime" },
	FIELDS_END
};

/* DEL and GC go by names. */
static const struct field del_fields[] = { FIELDS_END };

/* mac, then CNI_ARGS MAC, then runtimeConfig.mac: the later wins. */
static int validate(const struct cni_request *request, void *data, struct error *err)
{
	struct tap_conf *conf = data;

	if (request->command == CNI_DEL || request->command == CNI_GC ||
	    request->command == CNI_STATUS)
		return 0;
	if (cni_check_mtu(conf->mtu, err))
		return -err->errnum;
	if (request_mac_arg(request, &conf->mac, err))
		return -err->errnum;
	if (conf->runtime_config.mac.set)
		conf->mac = conf->runtime_config.mac;
	return 0;
}

/* ---- ADD ---- */

static int run_labelled(const char *const *argv, struct arena *arena, struct error *err)
{
	struct process process = {
		.path = SELF, .argv = argv, .timeout_ms = TIME_OUT_MS, .keep_stderr = true
	};
	struct process_result result;

	if (process_run(&process, arena, &result, err) < 0)
		return wrap(err, "run %s", SELF);
	if (result.status == 0)
		return 0;
	result.errors[strcspn(result.errors, "\n")] = '\0';
	return fail(err, EIO, "%s", *result.errors ? result.errors : "it ended without a word");
}

/*
 * A tap has the label of the process that made it, not of a socket or file: the label is set for the next program, and
 * the program is ours. It runs in the namespace that we are in.
 */
static int create_labelled(const struct tap_spec *spec, const char *label, struct arena *arena,
			   struct error *err)
{
	const char *argv[ARGS_MAX] = { "cnibox", "tun", "add", spec->name };
	size_t n = 4;
	int r;

	if (spec->multi_queue)
		argv[n++] = "--multi-queue";
	if (spec->has_owner)
		argv[n++] = arena_printf(arena, "--owner=%u", spec->owner);
	if (spec->has_group)
		argv[n++] = arena_printf(arena, "--group=%u", spec->group);
	if (selinux_exec_label(label, err))
		return wrap(err, "failed set socket label");
	r = run_labelled(argv, arena, err);
	(void)!selinux_exec_label(NULL, NULL);
	return r < 0 ? wrap(err, "as \"%s\"", label) : 0;
}

static int create_here(struct device_call *call, struct error *err)
{
	const struct tap_conf *conf = call->conf;
	int old auto_netns = -1;
	struct tap_spec spec = {
		.name = call->request->ifname,
		.multi_queue = conf->multi_queue,
		.has_owner = conf->has_owner,
		.has_group = conf->has_group,
		.owner = conf->owner,
		.group = conf->group,
	};

	if (netns_enter(call->a.netns, &old, err))
		return -err->errnum;
	if (conf->selinux_context && *conf->selinux_context)
		return create_labelled(&spec, conf->selinux_context, call->request->arena, err);
	return tun_create(&spec, err);
}

static int find_bridge(struct device_call *call, int *index, struct error *err)
{
	const struct tap_conf *conf = call->conf;
	struct link bridge;

	*index = 0;
	if (!conf->bridge[0])
		return 0;
	if (link_get(call->a.container, conf->bridge, &bridge, err))
		return wrap(err, "failed to get bridge %s", conf->bridge);
	if (!streq(bridge.kind, "bridge"))
		return fail(err, EINVAL, "\"%s\" exists but is not a bridge", conf->bridge);
	*index = bridge.index;
	return 0;
}

static int set_up(struct device_call *call, int bridge, struct error *err)
{
	const struct tap_conf *conf = call->conf;
	struct link_change change = { .mac = conf->mac, .mtu = conf->mtu, .master = bridge };

	change.what = (conf->mac.set ? LINK_SET_MAC : 0u) | (conf->mtu ? LINK_SET_MTU : 0u) |
		      (bridge ? LINK_SET_MASTER : 0u);
	if (change.what)
		link_queue_change(call->a.container, 0, call->request->ifname, &change,
				  bridge ? "set tap up as a port of the bridge" : "set tap up");
	link_queue_get(call->a.container, call->request->ifname, &call->link);
	return netlink_commit(call->a.container, err);
}

static int create(struct device_call *call, struct error *err)
{
	struct netlink *container = call->a.container;
	int bridge;

	if (find_bridge(call, &bridge, err))
		return -err->errnum;
	if (create_here(call, err))
		return wrap(err, "failed to create tap");
	if (set_up(call, bridge, err) == 0)
		return 0;
	link_queue_del(container, call->request->ifname);
	(void)!netlink_commit(container, NULL);
	return wrap(err, "failed to create tap");
}

/* ---- CHECK and STATUS ---- */

static int check_user(const char *what, bool wanted, uint32_t id, bool has, uint32_t is,
		      struct error *err)
{
	if (wanted && (!has || id != is))
		return fail(err, EINVAL, "the tap's %s is not %u", what, id);
	return 0;
}

static int check(struct device_call *call, const struct cni_result *prev unused, struct error *err)
{
	const struct tap_conf *conf = call->conf;
	const struct link *link = &call->link;
	int bridge;

	if (link->mode != LINK_TUN_TAP)
		return fail(err, EINVAL, "%s is a tun device, not a tap", link->name);
	if (conf->mtu && conf->mtu != link->mtu)
		return fail(err, EINVAL, "MTU of %s is %d, not %d", link->name, link->mtu,
			    conf->mtu);
	if (find_bridge(call, &bridge, err))
		return -err->errnum;
	if (bridge && link->master != bridge)
		return fail(err, EINVAL, "%s is not a port of bridge %s", link->name, conf->bridge);
	if (conf->multi_queue != link->tun.multi_queue)
		return fail(err, EINVAL, "%s has %s queue", link->name,
			    conf->multi_queue ? "one" : "more than one");
	if (check_user("owner", conf->has_owner, conf->owner, link->tun.has_owner, link->tun.owner,
		       err))
		return -err->errnum;
	return check_user("group", conf->has_group, conf->group, link->tun.has_group,
			  link->tun.group, err);
}

static int status(const struct cni_request *request unused, void *conf unused, struct error *err)
{
	return tun_available(err);
}

static const struct device tap = {
	.kind = "tun",
	.create = create,
	.check = check,
	.status = status,
};
DEVICE_VERBS(tap)

static const struct cni_plugin plugin = {
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct tap_conf),
	.load_context = "failed to load netconf",
	.validate = validate,
	DEVICE_PLUGIN(tap),
};

const struct applet applet_tap = {
	.summary = "give the container a tap device, for a virtual machine",
	.about =
		"CNI plugin. The tap is the container's interface; a program in the container that opens it, such as qemu, is"
		" its other end. owner or group may open it without privileges. With bridge it becomes a port of a bridge in"
		" the container, which another plugin or the container itself made.",
	.example = "{ \"cniVersion\": \"1.0.0\", \"name\": \"vm\", \"type\": \"tap\",\n"
		   "  \"owner\": 107, \"group\": 107,\n"
		   "  \"ipam\": { \"type\": \"host-local\", \"subnet\": \"10.1.0.0/24\" } }",
	.plugin = &plugin,
};
