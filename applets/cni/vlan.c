/* vlan: gives the container one VLAN of an interface of the host, untagged (cni-plugins.md, section 2.6). */
#include "cni/master.h"
#include "cni/plugin.h"
#include "describe/applet.h"

#include <errno.h>

#define VLAN_ID_MAX 4094

struct vlan_conf {
	struct master_conf master;
	int id;
};
#define CONF(member) offsetof(struct vlan_conf, member)

static const struct field fields[] = { MASTER_FIELDS(struct vlan_conf, master),
				       { "vlanId", FIELD_INT, CONF(id),
					 .help = "id of the VLAN, 0 to 4094" },
				       FIELDS_END };
static const struct field del_fields[] = { FIELDS_END };

static int vlan_validate(const struct cni_request *request, void *data, struct error *err)
{
	const struct vlan_conf *conf = data;

	if (request->command == CNI_DEL || request->command == CNI_GC)
		return 0;
	if (!conf->master.name[0])
		return fail_key(
			err, "master",
			"\"master\" field is required. It specifies the host interface name to create the VLAN for");
	if (conf->id < 0 || conf->id > VLAN_ID_MAX)
		return fail_key(err, "vlanId",
				"invalid VLAN ID %d (must be between 0 and 4095 inclusive)",
				conf->id);
	return 0;
}

static int create(struct device_call *call, struct error *err)
{
	const struct vlan_conf *conf = call->conf;

	return master_create_link(call, &conf->master,
				  &(struct link_spec){ .kind = "vlan", .vlan = conf->id }, err);
}

static int check(struct device_call *call, const struct cni_result *prev unused, struct error *err)
{
	const struct vlan_conf *conf = call->conf;

	if (call->link.vlan != conf->id)
		return fail(err, EINVAL, "Interface %s is in VLAN %d, configured is %d",
			    call->link.name, call->link.vlan, conf->id);
	return master_check(call, &conf->master, err);
}

static int status(const struct cni_request *request, void *data, struct error *err)
{
	const struct vlan_conf *conf = data;

	return master_status(request, &conf->master, "vlan", err);
}

static const struct device vlan = {
	.kind = "vlan",
	.dad = 1 + CONF(master.enable_dad),
	.create = create,
	.check = check,
	.status = status,
};
DEVICE_VERBS(vlan)

static void vlan_explain(const struct cni_request *request unused, const void *data,
			 struct advice *advice)
{
	const struct vlan_conf *conf = data;

	master_explain(&conf->master,
		       arena_printf(advice->arena, "an interface in VLAN %d", conf->id), advice);
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct vlan_conf),
	.load_context = "failed to load netconf",
	.needs_ipam = "failed to execute IPAM delegate: no plugin name provided",
	.validate = vlan_validate,
	.explain = vlan_explain,
	DEVICE_PLUGIN(vlan),
};

const struct applet applet_vlan = {
	.summary = "put a container into a VLAN of the host's network",
	.about =
		"CNI plugin. The container's interface sends and receives untagged; on the master its frames carry the tag"
		" of the VLAN. The kernel allows each VLAN of a master once, so one container can have it: for several, put"
		" a bridge with the key vlan between, or a macvlan on an interface of that VLAN.",
	.example =
		"{ \"cniVersion\": \"1.0.0\", \"name\": \"v100\", \"type\": \"vlan\", \"master\": \"eth0\",\n"
		"  \"vlanId\": 100, \"ipam\": { \"type\": \"dhcp\" } }",
	.plugin = &plugin,
};
