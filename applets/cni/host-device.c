/*
 * host-device: moves a device of the host into a container (cni-plugins.md, section 2.7).
 *
 * Which device is settled in validate: by name, hardware address, kernel path, PCI address or name on the auxiliary bus,
 * in this order. How it is lent and comes back is in cni/loan.h. With a driver that hands the hardware to user space
 * (DPDK) there is no interface to move: addresses are reserved and reported, and nothing is configured.
 *
 * DEL needs none of the keys while the interface is in the container. When the namespace died first, they (or, where a
 * runtime leaves deviceID out, prevResult) tell which device of the host is to get its name back.
 */
#include "cni/device.h"
#include "cni/ipam.h"
#include "cni/loan.h"
#include "cni/plugin.h"
#include "describe/applet.h"
#include "kernel/sysfs.h"

#include <errno.h>

/* BY_ADDRESS is hwaddr, too: one that is longer than Ethernet's. */
enum chosen { BY_NOTHING, BY_NAME, BY_MAC, BY_ADDRESS, BY_PATH, BY_PCI, BY_AUXILIARY };

struct host_device_conf {
	const char *device, *hwaddr, *kernelpath, *pci_bus_id;
	struct {
		const char *device_id;
	} runtime_config;
	/* settled by validate: */
	enum chosen by;
	const char *pci, *auxiliary;
	struct mac mac; /* hwaddr, or that of prevResult */
	bool user_space;
	/* of the ADD under way: */
	bool lent;
	struct loan loan;
};

#define CONF(member) offsetof(struct host_device_conf, member)

static const struct field runtime_fields[] = {
	{ "deviceID", FIELD_STRING, 0,
	  .help = "capability deviceID: PCI address, or name on the auxiliary bus, from a device plugin" },
	FIELDS_END
};

static const struct field fields[] = {
	{ "device", FIELD_STRING, CONF(device), .help = "name of the device on the host" },
	{ "hwaddr", FIELD_STRING, CONF(hwaddr),
	  .help = "its hardware address, also that of InfiniBand" },
	{ "kernelpath", FIELD_STRING, CONF(kernelpath),
	  .help = "its folder in sysfs, such as /sys/devices/pci0000:00/0000:00:19.0" },
	{ "pciBusID", FIELD_STRING, CONF(pci_bus_id), .help = "its PCI address: 0000:03:00.1" },
	{ "runtimeConfig", FIELD_OBJECT, CONF(runtime_config), .fields = runtime_fields,
	  .help = "values of declared capabilities, from the runtime" },
	FIELDS_END
};

/* ---- which device ---- */

static bool given(const char *text)
{
	return text && *text;
}

/* The runtime's device wins over pciBusID, whatever bus it is on. */
static int settle_device_id(struct host_device_conf *conf, struct error *err)
{
	const char *id = conf->runtime_config.device_id;

	conf->pci = conf->pci_bus_id;
	if (!given(id))
		return 0;
	conf->pci = NULL;
	if (sysfs_has_pci(id))
		conf->pci = id;
	else if (sysfs_has_auxiliary(id))
		conf->auxiliary = id;
	else
		return fail_code(err, CNI_INVALID_CONFIG, ENODEV,
				 "runtime config DeviceID %s not found or unsupported", id);
	return 0;
}

static enum chosen choose(const struct host_device_conf *conf)
{
	char address[SYSFS_ADDRESS_SIZE];

	if (given(conf->device))
		return BY_NAME;
	if (given(conf->hwaddr))
		return sysfs_address_parse(conf->hwaddr, address) ? BY_ADDRESS : BY_MAC;
	if (given(conf->kernelpath))
		return BY_PATH;
	if (given(conf->pci))
		return BY_PCI;
	return given(conf->auxiliary) ? BY_AUXILIARY : BY_NOTHING;
}

/* Of those that can be wrong by themselves. */
static const char *key_of(enum chosen by)
{
	return by == BY_MAC ? "hwaddr" : by == BY_PATH ? "kernelpath" : "pciBusID";
}

static int check_form(struct host_device_conf *conf, struct error *err)
{
	switch (conf->by) {
	case BY_MAC:
		if (!mac_parse(conf->hwaddr, &conf->mac))
			return fail(err, EINVAL, "failed to parse MAC address \"%s\"",
				    conf->hwaddr);
		return 0;
	case BY_PATH: return sysfs_path_check(conf->kernelpath, err);
	case BY_PCI:
		if (!sysfs_pci_parse(conf->pci, NULL))
			return fail(err, EINVAL,
				    "pciBusID: \"%s\" is not a PCI address such as 0000:03:00.1",
				    conf->pci);
		return 0;
	case BY_NOTHING:
	case BY_NAME:
	case BY_ADDRESS:
	case BY_AUXILIARY:
	default: return 0;
	}
}

static bool drives_user_space(const char *address)
{
	static const char *const drivers[] = { "vfio-pci", "uio_pci_generic", "igb_uio" };
	char driver[64];

	sysfs_pci_driver(address, driver, sizeof(driver));
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (streq(driver, drivers[i]))
			return true;
	return false;
}

/* What ADD gave to the container is in prevResult: for a runtime that leaves deviceID out afterwards, and to know the
 * device again under another name. */
static void read_prev_result(const struct cni_request *request, struct host_device_conf *conf)
{
	struct cni_result prev = { 0 };
	const struct cni_interface *had;

	if (request_prev_result(request, &prev, NULL) < 0)
		return;
	had = attachment_interface(&prev, request->ifname, true);
	if (!had)
		return;
	if (!conf->mac.set)
		conf->mac = had->mac;
	if (conf->by == BY_NOTHING && given(had->pci_id) && sysfs_has_pci(had->pci_id)) {
		conf->pci = had->pci_id;
		conf->by = BY_PCI;
	} else if (conf->by == BY_NOTHING && had->mac.set) {
		conf->by = BY_MAC;
	}
}

/* BY_NOTHING on failure, or, when it is only the runtime's device that is not there, what the other keys say. */
static int settle(struct host_device_conf *conf, struct error *err)
{
	int r = settle_device_id(conf, err);

	conf->by = choose(conf);
	if (check_form(conf, r < 0 ? NULL : err) == 0)
		return r;
	if (r == 0)
		error_at(err, "%s", key_of(conf->by));
	conf->by = BY_NOTHING;
	if (r < 0)
		return r;
	wrap(err, "failed to find host device");
	return error_code(err, CNI_INVALID_CONFIG);
}

/* STATUS and GC know no container, hence no deviceID; DEL and CHECK take what is there. */
static int validate(const struct cni_request *request, void *data, struct error *err)
{
	struct host_device_conf *conf = data;
	bool removing = request->command == CNI_DEL || request->command == CNI_GC;
	int r = settle(conf, removing ? NULL : err);

	if (r < 0 && !removing)
		return r;
	if (conf->by == BY_NOTHING && request->command == CNI_ADD &&
	    !request_expects(request, "deviceID"))
		return fail_key(
			err, "device",
			"specify either \"device\", \"hwaddr\", \"kernelpath\" or \"pciBusID\"");
	if (request->command == CNI_DEL || request->command == CNI_CHECK)
		read_prev_result(request, conf);
	conf->user_space = conf->by == BY_PCI && drives_user_space(conf->pci);
	return 0;
}

/* ---- finding it ---- */

/* Bridges and VLANs have the address of what they are on: hardware comes first, then who came first. */
static int find_mac(struct netlink *host, const struct mac *mac, struct arena *arena,
		    struct link *found, struct error *err)
{
	links_t links = { 0 };

	*found = (struct link){ 0 };
	if (link_list(host, NULL, 0, arena, &links, err))
		return -err->errnum;
	list_each(link, &links)
		if (link->mac.set && mac_equal(&link->mac, mac) &&
		    (!found->index || (*found->kind && !*link->kind)))
			*found = *link;
	return found->index ? 0 : fail(err, ENODEV, "failed to find physical interface");
}

/* A device that was to be called so, and waits under another name: the kernel returned it, and no DEL came by. */
static int find_alias(struct netlink *host, const char *name, struct arena *arena,
		      struct link *found, struct error *err)
{
	links_t links = { 0 };

	if (link_list(host, NULL, 0, arena, &links, err))
		return -err->errnum;
	list_each(link, &links)
		if (streq(link->alias, name) && loan_returned(link, NULL) &&
		    !(link->flags & LINK_UP)) {
			*found = *link;
			return 0;
		}
	return fail(err, ENODEV, "Link not found");
}

static int find_name(struct netlink *host, const char *name, struct arena *arena,
		     struct link *found, struct error *err)
{
	int r = link_get(host, name, found, err);

	if (r != -ENODEV)
		return r;
	*err = (struct error){ 0 };
	return find_alias(host, name, arena, found, err);
}

static int find_interface(const struct host_device_conf *conf, char name[16], struct error *err)
{
	if (conf->by == BY_ADDRESS)
		return sysfs_address_interface(conf->hwaddr, name, err);
	if (conf->by == BY_PATH)
		return sysfs_path_interface(conf->kernelpath, name, err);
	if (conf->by == BY_PCI)
		return sysfs_pci_interface(conf->pci, name, err);
	return sysfs_auxiliary_interface(conf->auxiliary, name, err);
}

/* -ENODEV, -ENOENT: it is not on the host. err must not be NULL. */
static int find(struct netlink *host, const struct host_device_conf *conf, struct arena *arena,
		struct link *found, struct error *err)
{
	char name[16];

	switch (conf->by) {
	case BY_NAME: return find_name(host, conf->device, arena, found, err);
	case BY_MAC: return find_mac(host, &conf->mac, arena, found, err);
	case BY_ADDRESS:
	case BY_PATH:
	case BY_PCI:
	case BY_AUXILIARY:
		if (find_interface(conf, name, err))
			return -err->errnum;
		return link_get(host, name, found, err) ? wrap(err, "%s", name) : 0;
	case BY_NOTHING:
	default: return fail(err, ENODEV, "no device is named");
	}
}

/* ---- ADD ---- */

/* Is it one that the kernel returned, and no DEL came by? The name of a link in use is its administrator's. */
static bool is_astray(const struct host_device_conf *conf, const struct link *link,
		      const char *ifname)
{
	if (link->flags & LINK_UP)
		return false;
	return loan_returned(
		link, conf->by == BY_NAME && streq(link->alias, conf->device) ? NULL : ifname);
}

/* It comes home first when it is astray, so that it comes home to the right name afterwards. */
static int find_for_add(struct device_call *call, struct link *device, struct error *err)
{
	struct netlink *host = call->a.host;

	if (find(host, call->conf, call->request->arena, device, err))
		return -err->errnum;
	if (!is_astray(call->conf, device, call->request->ifname))
		return 0;
	if (loan_rename(host, device, err))
		return -err->errnum;
	return link_get_index(host, device->index, device, err);
}

static void report_pci(struct device_call *call, const struct link *device)
{
	const struct host_device_conf *conf = call->conf;
	char address[SYSFS_PCI_SIZE];

	if (conf->by == BY_PCI ? sysfs_pci_parse(conf->pci, address)
			       : sysfs_interface_pci(device->name, address))
		call->pci_id = arena_strdup(call->request->arena, address);
}

static int create(struct device_call *call, struct error *err)
{
	struct host_device_conf *conf = call->conf;
	struct link device = { 0 };

	if (!conf->user_space && find_for_add(call, &device, err)) {
		wrap(err, "failed to find host device");
		return err->errnum == ENODEV || err->errnum == ENOENT
			       ? error_code(err, CNI_TRY_AGAIN_LATER)
			       : -err->errnum;
	}
	report_pci(call, &device);
	if (conf->user_space)
		return 0;
	if (loan_save(call->a.host, &device, call->request->arena, &conf->loan, err) ||
	    loan_give(&call->a, &conf->loan, &call->link, err))
		return wrap(err, "failed to move link %s", device.name);
	conf->lent = true;
	return 0;
}

/* ---- the other verbs ---- */

/* The kernel's way back: the device is on the host, but not under its name. */
static int rename_returned(const struct cni_request *request, const struct host_device_conf *conf,
			   struct error *err)
{
	struct netlink *host auto_netlink = NULL;
	const char *ifname = request->command == CNI_GC ? NULL : request->ifname;
	struct error why = { 0 };
	struct link link = { 0 };

	if (conf->by == BY_NOTHING)
		return 0;
	if (netlink_open(&host, NETLINK_SESSION_ROUTE, -1, err))
		return -err->errnum;
	if (find(host, conf, request->arena, &link, &why))
		return why.errnum == ENODEV || why.errnum == ENOENT
			       ? 0
			       : fail(err, why.errnum, "%s", why.message);
	return is_astray(conf, &link, ifname) ? loan_rename(host, &link, err) : 0;
}

static int remove_device(const struct cni_request *request, void *data, struct error *err)
{
	struct host_device_conf *conf = data;
	bool found;

	if (conf->user_space)
		return 0;
	if (conf->lent) {
		conf->lent = false;
		return loan_cancel(request, &conf->loan, err);
	}
	if (loan_take_back(request, conf->by == BY_NAME ? conf->device : NULL, &conf->mac, &found,
			   err))
		return wrap(err, "failed to move link %s to the host", request->ifname);
	return found ? 0 : rename_returned(request, conf, err);
}

/* Absent is not always wrong: while a container has the device there is nothing for the next ADD, either. */
static int status(const struct cni_request *request, void *data, struct error *err)
{
	struct host_device_conf *conf = data;
	struct netlink *host auto_netlink = NULL;
	struct link link;

	if (conf->by == BY_NOTHING || conf->user_space)
		return 0;
	if ((conf->by == BY_PCI && !sysfs_has_pci(conf->pci)) ||
	    (conf->by == BY_PATH && !sysfs_has_path(conf->kernelpath)))
		return fail_code(err, CNI_LIMITED, ENODEV,
				 "the device %s is not plugged in: who has it lost it",
				 conf->by == BY_PCI ? conf->pci : conf->kernelpath);
	if (netlink_open(&host, NETLINK_SESSION_ROUTE, -1, err))
		return -err->errnum;
	if (find(host, conf, request->arena, &link, err) == 0)
		return 0;
	return wrap(err, "the device is not on the host; a container has it, or it is missing");
}

static const struct device host_device = {
	.create = create,
	.remove = remove_device,
	.status = status,
};

static int host_device_add(struct cni_request *request, void *conf, struct cni_result *result,
			   struct error *err)
{
	return device_add(&host_device, request, conf, result, err);
}
DEVICE_VERB(host_device, del)
DEVICE_VERB(host_device, status)

/* The interface that user space made of the hardware is not the kernel's to show. */
static int host_device_check(struct cni_request *request, void *data, struct error *err)
{
	const struct host_device_conf *conf = data;

	if (!conf->user_space)
		return device_check(&host_device, request, data, err);
	if (ipam_check(request, err))
		return -err->errnum;
	return request->common.prev_result
		       ? 0
		       : fail_code(err, CNI_INVALID_CONFIG, EINVAL, "Required prevResult missing");
}

static int host_device_gc(struct cni_request *request, void *conf, struct error *err)
{
	struct error one = { 0 };

	(void)!rename_returned(request, conf, &one);
	error_move(err, &one);
	(void)!device_gc(&host_device, request, conf, &one);
	error_move(err, &one);
	return -err->errnum;
}

static void explain(const struct cni_request *request unused, const void *data,
		    struct advice *advice)
{
	const struct host_device_conf *conf = data;
	const char *const names[] = { conf->device, conf->hwaddr, conf->kernelpath, conf->pci };
	const char *name = "the runtime names";

	for (size_t i = 0; conf->by != BY_NOTHING && i < ARRAY_SIZE(names); i++)
		if (given(names[i])) {
			name = names[i];
			break;
		}
	advice_say(advice, "the device %s moves into the container, and back at the end", name);
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.size = sizeof(struct host_device_conf),
	.load_context = "failed to load netconf",
	.validate = validate,
	.explain = explain,
	.add = host_device_add,
	.del = host_device_del,
	.check = host_device_check,
	.gc = host_device_gc,
	.status = host_device_status,
};

const struct applet applet_host_device = {
	.summary = "move a device of the host into a container",
	.about =
		"CNI plugin. Gives a network device of the host, such as a network card or one of its virtual functions, to"
		" a container as its interface, and takes it back under its own name at the end, also when the container died"
		" first. device, hwaddr, kernelpath or pciBusID says which, or the runtime with the capability deviceID; the"
		" first of them counts.\n"
		"\n"
		"With a driver for user space (vfio-pci, uio_pci_generic, igb_uio) nothing is moved: the addresses of the IPAM"
		" plugin are reserved and reported only.\n"
		"\n"
		"STATUS is 50 while the device is not on the host, which is also the case while a container has it, and 51"
		" when it is not plugged in.",
	.example = "{ \"cniVersion\": \"1.0.0\", \"name\": \"uplink\", \"type\": \"host-device\",\n"
		   "  \"pciBusID\": \"0000:03:00.1\",\n"
		   "  \"ipam\": { \"type\": \"host-local\", \"subnet\": \"192.0.2.0/24\" } }",
	.plugin = &plugin,
};
