/*
 * macvlan: gives the container an interface with a MAC address of its own on an interface of the host, that is, in the
 * host's own network (cni-plugins.md, section 2.4). Only with IPAM does it get addresses; without, it is set up.
 */
#include "cni/master.h"
#include "cni/plugin.h"
#include "describe/applet.h"

#include <errno.h>

struct macvlan_conf {
	struct master_conf master;
	const char *mode;
	struct mac mac;
	uint32_t queue_len;
	struct {
		struct mac mac;
	} runtime_config;
	/* settled by validate: */
	enum link_macvlan kernel_mode;
};
#define CONF(member) offsetof(struct macvlan_conf, member)

static const struct field runtime_fields[] = {
	{ "mac", FIELD_MAC, 0, .help = "capability mac: MAC address of the container's interface" },
	FIELDS_END
};

static const struct field fields[] = {
	MASTER_FIELDS(struct macvlan_conf, master),
	{ "mode", FIELD_STRING, CONF(mode),
	  .help = "bridge (default), private, vepa or passthru: who on the same master is reached" },
	{ "mac", FIELD_MAC, CONF(mac), .help = "MAC address of the container's interface" },
	{ "bcqueuelen", FIELD_UINT32, CONF(queue_len),
	  .help = "broadcasts that wait at the master; 0 = the kernel's default, 1000" },
	{ "runtimeConfig", FIELD_OBJECT, CONF(runtime_config), .fields = runtime_fields,
	  .help = "values of declared capabilities, from the runtime" },
	FIELDS_END
};
static const struct field del_fields[] = { FIELDS_END };

static const struct {
	const char *name;
	enum link_macvlan mode;
} modes[] = {
	{ "bridge", LINK_MACVLAN_BRIDGE },
	{ "private", LINK_MACVLAN_PRIVATE },
	{ "vepa", LINK_MACVLAN_VEPA },
	{ "passthru", LINK_MACVLAN_PASSTHRU },
};

static int settle_mode(struct macvlan_conf *conf, struct error *err)
{
	if (!conf->mode || !conf->mode[0])
		conf->mode = "bridge";
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!streq(modes[i].name, conf->mode))
			continue;
		conf->kernel_mode = modes[i].mode;
		return 0;
	}
	cni_fail(err, CNI_INVALID_CONFIG, "there are bridge, private, vepa and passthru",
		 "unknown macvlan mode: \"%s\"", conf->mode);
	return error_at(err, "mode");
}

/* The kernel's words for it are of little help: `Cannot assign requested address`. */
static int check_mac(const struct mac *mac, struct error *err)
{
	char text[MAC_TEXT_SIZE];

	if (!mac->set || !(mac->bytes[0] & 1))
		return 0;
	return fail_key(err, "mac", "MAC address %s is that of a group, not of one interface",
			mac_format(mac, text));
}

/* mac, then CNI_ARGS MAC, then runtimeConfig.mac: the later wins. */
static int macvlan_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct macvlan_conf *conf = data;

	if (request->command == CNI_DEL || request->command == CNI_GC)
		return 0;
	if (settle_mode(conf, err) || request_mac_arg(request, &conf->mac, err))
		return -err->errnum;
	if (conf->runtime_config.mac.set)
		conf->mac = conf->runtime_config.mac;
	return check_mac(&conf->mac, err);
}

static int create(struct device_call *call, struct error *err)
{
	const struct macvlan_conf *conf = call->conf;

	return master_create_link(call, &conf->master,
				  &(struct link_spec){
					  .kind = "macvlan",
					  .mode = conf->kernel_mode,
					  .mac = conf->mac,
					  .queue_len = conf->queue_len,
				  },
				  err);
}

static int check(struct device_call *call, const struct cni_result *prev unused, struct error *err)
{
	const struct macvlan_conf *conf = call->conf;

	if (call->link.mode != (int)conf->kernel_mode)
		return fail(err, EINVAL, "Interface %s is not in macvlan mode %s", call->link.name,
			    conf->mode);
	return master_check(call, &conf->master, err);
}

static int status(const struct cni_request *request, void *data, struct error *err)
{
	const struct macvlan_conf *conf = data;

	return master_status(request, &conf->master, "macvlan", err);
}

static const struct device macvlan = {
	.kind = "macvlan",
	.dad = 1 + CONF(master.enable_dad),
	.create = create,
	.check = check,
	.status = status,
};
DEVICE_VERBS(macvlan)

static void macvlan_explain(const struct cni_request *request unused, const void *data,
			    struct advice *advice)
{
	const struct macvlan_conf *conf = data;

	master_explain(&conf->master,
		       arena_printf(advice->arena,
				    "an interface with a MAC address of its own, mode %s",
				    conf->mode),
		       advice);
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct macvlan_conf),
	.load_context = "failed to load netconf",
	.validate = macvlan_validate,
	.explain = macvlan_explain,
	DEVICE_PLUGIN(macvlan),
};

const struct applet applet_macvlan = {
	.summary = "put a container on the host's network, under its own MAC",
	.about =
		"CNI plugin. The interface shares the master's wire: neighbours there see another machine. Host and"
		" container do not reach each other through it (the kernel does not pass frames between master and"
		" macvlan); containers on the same master do, in mode bridge.\n\n"
		"A switch that allows one MAC address for each port, as on most clouds and Wi-Fi, calls for ipvlan.",
	.example =
		"{ \"cniVersion\": \"1.0.0\", \"name\": \"lan\", \"type\": \"macvlan\", \"master\": \"eth0\",\n"
		"  \"ipam\": { \"type\": \"dhcp\" } }",
	.plugin = &plugin,
};
