/*
 * tuning: sysctls of the container's namespace and attributes of its interface (cni-plugins.md, section 2.16).
 *
 * ADD writes down what it is about to change before it changes anything: what DEL puts back, also for an ADD that was
 * killed. A second ADD keeps what the first one found. The file is the reference's; sysctls, which that one does not
 * put back, are in it under a key of their own.
 */
#include "base/log.h"
#include "base/undo.h"
#include "cni/allowlist.h"
#include "cni/backup.h"
#include "cni/plugin.h"
#include "cni/retouch.h"
#include "cni/settings.h"
#include "describe/applet.h"
#include "kernel/netns.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <stdio.h>

#define ALLOWLIST "/etc/cni/tuning/allowlist.conf"

enum { VALUE_SIZE = 4096 };

struct attributes {
	struct json *sysctl;
	struct mac mac;
	bool has_mtu, has_promisc, promisc, has_allmulti, allmulti, has_txqlen;
	int mtu, txqlen;
};

struct tuning_conf {
	struct attributes set;
	const char *data_dir;
	struct {
		struct attributes cni;
	} args;
	struct {
		struct mac mac;
	} runtime_config;
	settings_t settings; /* settled by validate, in the order of the configuration */
};

#define CONF(member) offsetof(struct tuning_conf, member)
#define ATTR(member) offsetof(struct attributes, member)

#define ATTRIBUTE_ROWS(base)                                                                \
	{ "sysctl", FIELD_JSON, (base) + ATTR(sysctl), FIELD_ANY_OBJECT,                    \
	  .help = "names below net. to values; IFNAME in a name is the interface" },        \
		{ "mac", FIELD_MAC, (base) + ATTR(mac),                                     \
		  .help = "MAC address of the container's interface" },                     \
		{ "mtu",                                                                    \
		  FIELD_INT,                                                                \
		  (base) + ATTR(mtu),                                                       \
		  .seen = 1 + (base) + ATTR(has_mtu),                                       \
		  .max = INT32_MAX,                                                         \
		  .help = "MTU; 0 = as it is" },                                            \
		{ "promisc", FIELD_BOOL, (base) + ATTR(promisc),                            \
		  .seen = 1 + (base) + ATTR(has_promisc),                                   \
		  .help = "set the interface promiscuous" },                                \
		{ "allmulti", FIELD_BOOL, (base) + ATTR(allmulti),                          \
		  .seen = 1 + (base) + ATTR(has_allmulti),                                  \
		  .help = "receive all multicast; unset = as it is" },                      \
	{                                                                                   \
		"txQLen", FIELD_INT, (base) + ATTR(txqlen),                                 \
			.seen = 1 + (base) + ATTR(has_txqlen), .max = INT32_MAX,            \
			.help = "length of the transmit queue in packets; unset = as it is" \
	}

static const struct field args_cni_fields[] = { ATTRIBUTE_ROWS(0), FIELDS_END };
static const struct field args_fields[] = {
	{ "cni", FIELD_OBJECT, 0, .fields = args_cni_fields,
	  .help = "the same keys; each wins over the one above" },
	FIELDS_END
};
static const struct field runtime_fields[] = {
	{ "mac", FIELD_MAC, 0, .help = "capability mac: MAC address of the container's interface" },
	FIELDS_END
};

static const struct field fields[] = {
	ATTRIBUTE_ROWS(CONF(set)),
	{ "dataDir", FIELD_PATH, CONF(data_dir), .help = "folder for what DEL puts back" },
	{ "args", FIELD_OBJECT, CONF(args), .fields = args_fields,
	  .help = "arguments from the network's author" },
	{ "runtimeConfig", FIELD_OBJECT, CONF(runtime_config), .fields = runtime_fields,
	  .help = "values of declared capabilities, from the runtime" },
	FIELDS_END
};

static const struct field del_fields[] = { { "dataDir", FIELD_PATH, CONF(data_dir) }, FIELDS_END };

static const struct tuning_conf defaults = { .data_dir = BACKUP_FOLDER };

/* ---- validation ---- */

struct tuning_args {
	struct mac mac;
};
static const struct field tuning_args_fields[] = {
	{ "MAC", FIELD_MAC, offsetof(struct tuning_args, mac),
	  .help = "MAC address of the container's interface" },
	FIELDS_END
};

/* mac, then CNI_ARGS, then runtimeConfig.mac, then args.cni.mac: the later wins. */
static int settle_mac(const struct cni_request *request, struct tuning_conf *conf,
		      struct error *err)
{
	struct tuning_args args = { 0 };

	if (request->command != CNI_STATUS && request_args(request, tuning_args_fields, &args, err))
		return -err->errnum;
	if (args.mac.set)
		conf->set.mac = args.mac;
	if (conf->runtime_config.mac.set)
		conf->set.mac = conf->runtime_config.mac;
	if (conf->args.cni.mac.set)
		conf->set.mac = conf->args.cni.mac;
	return 0;
}

static void settle_attributes(struct attributes *set, const struct attributes *args)
{
	if (args->has_mtu)
		set->mtu = args->mtu;
	if (args->has_promisc)
		set->promisc = args->promisc;
	if (args->has_allmulti)
		set->allmulti = args->allmulti;
	if (args->has_txqlen)
		set->txqlen = args->txqlen;
	set->has_promisc |= args->has_promisc;
	set->has_allmulti |= args->has_allmulti;
	set->has_txqlen |= args->has_txqlen;
}

static int check_allowed(const struct cni_request *request, const struct tuning_conf *conf,
			 struct error *err)
{
	struct allowlist list;

	if (conf->settings.n == 0)
		return 0;
	if (allowlist_read(ALLOWLIST, request->arena, &list, err))
		return -err->errnum;
	list_each(setting, &conf->settings)
		if (allowlist_check(&list, setting->key, err))
			return -err->errnum;
	return 0;
}

static int tuning_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct tuning_conf *conf = data;

	if (!*conf->data_dir)
		conf->data_dir = BACKUP_FOLDER;
	if (request->command == CNI_DEL || request->command == CNI_GC)
		return 0;
	if (json_repeats(request->config_text, request->config_size, "sysctl"))
		return fail_key(err, "sysctl", "duplicated sysctl keys are not allowed");
	settle_attributes(&conf->set, &conf->args.cni);
	if (settle_mac(request, conf, err) ||
	    settings_add(&conf->settings, request, conf->set.sysctl, false, err))
		return -err->errnum;
	if (settings_add(&conf->settings, request, conf->args.cni.sysctl, true, err))
		return wrap(err, "args.cni"), error_at(err, "args.cni");
	return request->command == CNI_ADD ? check_allowed(request, conf, err) : 0;
}

static const char unchained[] = "Required prevResult missing";

/* ---- ADD ---- */

struct tuning {
	struct cni_request *request;
	struct tuning_conf *conf;
	int netns, old_netns;
	struct netlink *nl; /* in the container */
	struct undo undo;
	struct backup_file file;
	struct backup backup;
	struct link link;          /* as it was */
	struct link_change change; /* of it */
	size_t n_set;              /* sysctls that have been written */
};

static void tuning_leave(struct tuning *tuning)
{
	undo_leave(&tuning->undo);
	backup_close(&tuning->file);
	netlink_closep(&tuning->nl);
	netns_leave(&tuning->old_netns);
	close_fd(&tuning->netns);
}

/* Into the container, until tuning_leave(). */
static int enter(struct tuning *tuning, struct error *err)
{
	const char *path = tuning->request->netns;

	if (netns_open(path, &tuning->netns, err)) {
		wrap(err, "failed to open netns \"%s\"", path);
		return error_code(err, CNI_INVALID_NETNS);
	}
	if (netns_enter(tuning->netns, &tuning->old_netns, err) ||
	    netlink_open(&tuning->nl, NETLINK_SESSION_ROUTE, -1, err))
		return wrap(err, "enter netns \"%s\"", path);
	return 0;
}

static struct link_change wanted_change(const struct attributes *set)
{
	return (struct link_change){
		.what = (set->mac.set ? LINK_SET_MAC : 0) | (set->mtu ? LINK_SET_MTU : 0) |
			(set->promisc ? LINK_SET_PROMISC : 0) |
			(set->has_allmulti ? LINK_SET_ALLMULTI : 0) |
			(set->has_txqlen ? LINK_SET_TXQLEN : 0),
		.mac = set->mac,
		.mtu = set->mtu,
		.promisc = set->promisc,
		.allmulti = set->allmulti,
		.txqlen = set->txqlen,
	};
}

/* The old value; NULL of one that can only be written, such as net.ipv4.route.flush. */
static int read_old(struct setting *setting, char *value, struct arena *arena, struct error *err)
{
	struct error why = { 0 };

	if (sysctl_read(setting->path, value, VALUE_SIZE, &why) == 0)
		setting->old = arena_strdup(arena, value);
	else if (why.errnum != EACCES && why.errnum != EPERM)
		return fail_errno(err, why.errnum, "set sysctl %s to \"%s\"", setting->path,
				  setting->value);
	return 0;
}

/* The interface and the sysctls as they are. */
static int look(struct tuning *tuning, struct error *err)
{
	struct arena *arena = tuning->request->arena;
	const char *ifname = tuning->request->ifname;
	char *value = arena_alloc(arena, VALUE_SIZE);

	if (tuning->change.what && link_get(tuning->nl, ifname, &tuning->link, err))
		return wrap(err, "failed to get \"%s\"", ifname);
	list_each(setting, &tuning->conf->settings)
		if (read_old(setting, value, arena, err))
			return -err->errnum;
	return 0;
}

/* What an earlier ADD noted stays: since then the values are tuned ones. */
static void note_link(struct backup *backup, const struct link_change *change,
		      const struct link *link)
{
	if ((change->what & LINK_SET_MAC) && !backup->mac.set)
		backup->mac = link->mac;
	if ((change->what & LINK_SET_MTU) && !backup->mtu)
		backup->mtu = link->mtu;
	if ((change->what & LINK_SET_PROMISC) && !backup->has_promisc)
		backup->promisc = link->flags & LINK_PROMISC;
	if ((change->what & LINK_SET_ALLMULTI) && !backup->has_allmulti)
		backup->allmulti = link->flags & LINK_ALLMULTI;
	if ((change->what & LINK_SET_TXQLEN) && !backup->has_txqlen)
		backup->txqlen = link->txqlen;
	backup->has_promisc |= (change->what & LINK_SET_PROMISC) != 0;
	backup->has_allmulti |= (change->what & LINK_SET_ALLMULTI) != 0;
	backup->has_txqlen |= (change->what & LINK_SET_TXQLEN) != 0;
}

static int undo_backup(void *arg, struct error *err)
{
	struct tuning *tuning = arg;

	return backup_revert(&tuning->file, err);
}

static int write_backup(struct tuning *tuning, struct error *err)
{
	struct owner owner = request_owner(tuning->request);
	struct arena *arena = tuning->request->arena;
	struct json *sysctl auto_json = NULL;

	if (!tuning->change.what && !tuning->conf->settings.n)
		return 0;
	if (backup_read(&tuning->file, tuning->conf->data_dir, &owner, arena, &tuning->backup, err))
		return -err->errnum;
	sysctl = tuning->backup.sysctl ? json_copy(tuning->backup.sysctl) : json_new_object();
	list_each(setting, &tuning->conf->settings)
		if (setting->old && !json_member(sysctl, setting->path))
			json_set(sysctl, setting->path, json_new_string(setting->old));
	tuning->backup.sysctl = json_length(sysctl) ? sysctl : NULL;
	tuning->backup.network = tuning->request->common.name;
	note_link(&tuning->backup, &tuning->change, &tuning->link);
	undo_push(&tuning->undo, undo_backup, tuning, "put the backup file back");
	return backup_write(&tuning->file, &tuning->backup, arena, err);
}

static int undo_sysctls(void *arg, struct error *err)
{
	struct tuning *tuning = arg;
	struct error later = { 0 };

	while (tuning->n_set > 0) {
		const struct setting *setting = &tuning->conf->settings.items[--tuning->n_set];

		if (setting->old && sysctl_write(setting->path, setting->old, &later))
			error_move(err, &later);
	}
	return err ? -err->errnum : 0;
}

static int set_sysctls(struct tuning *tuning, struct error *err)
{
	undo_push(&tuning->undo, undo_sysctls, tuning, "put the sysctls back");
	list_each(setting, &tuning->conf->settings) {
		if (sysctl_write(setting->path, setting->value, err))
			return -err->errnum;
		tuning->n_set++;
	}
	return 0;
}

/* ---- the interface ---- */

static int undo_link(void *arg, struct error *err)
{
	struct tuning *tuning = arg;
	const struct link *link = &tuning->link;
	struct link_change back = {
		.what = tuning->change.what,
		.mac = link->mac,
		.mtu = link->mtu,
		.promisc = link->flags & LINK_PROMISC,
		.allmulti = link->flags & LINK_ALLMULTI,
		.txqlen = link->txqlen,
	};

	return link_retouch(tuning->nl, link, &back, err);
}

static int set_attributes(struct tuning *tuning, struct error *err)
{
	if (!tuning->change.what)
		return 0;
	undo_push(&tuning->undo, undo_link, tuning, "put the interface's attributes back");
	return link_retouch(tuning->nl, &tuning->link, &tuning->change, err);
}

static void report(const struct tuning *tuning, struct cni_result *result)
{
	list_each(interface, &result->interfaces) {
		if (!interface->sandbox || !streq(interface->name, tuning->request->ifname))
			continue;
		if (tuning->change.what & LINK_SET_MAC)
			interface->mac = tuning->change.mac;
		if (tuning->change.what & LINK_SET_MTU)
			interface->mtu = tuning->change.mtu;
	}
}

static int tuning_add(struct cni_request *request, void *conf, struct cni_result *result,
		      struct error *err)
{
	struct tuning tuning on_leave(tuning_leave) = {
		.request = request,
		.conf = conf,
		.netns = -1,
		.old_netns = -1,
		.change = wanted_change(&((struct tuning_conf *)conf)->set),
	};

	if (request_prev_result(request, result, err) || enter(&tuning, err) ||
	    look(&tuning, err) || write_backup(&tuning, err) || set_sysctls(&tuning, err) ||
	    set_attributes(&tuning, err))
		return -err->errnum;
	report(&tuning, result);
	undo_clear(&tuning.undo);
	return 0;
}

/* ---- DEL ---- */

static struct link_change change_back(const struct backup *backup)
{
	return (struct link_change){
		.what = (backup->mac.set ? LINK_SET_MAC : 0) | (backup->mtu ? LINK_SET_MTU : 0) |
			(backup->has_promisc ? LINK_SET_PROMISC : 0) |
			(backup->has_allmulti ? LINK_SET_ALLMULTI : 0) |
			(backup->has_txqlen ? LINK_SET_TXQLEN : 0),
		.mac = backup->mac,
		.mtu = backup->mtu,
		.promisc = backup->promisc,
		.allmulti = backup->allmulti,
		.txqlen = backup->txqlen,
	};
}

/* The namespace is about to go: nothing that fails here may keep a container from being removed. */
static void restore(struct tuning *tuning)
{
	struct link_change change = change_back(&tuning->backup);
	struct error err = { 0 };

	if (enter(tuning, &err)) {
		log_debug("%s", err.message);
		return;
	}
	if (change.what && (link_get(tuning->nl, tuning->request->ifname, &tuning->link, &err) ||
			    link_retouch(tuning->nl, &tuning->link, &change, &err)))
		log_debug("%s", err.message);
	settings_restore(tuning->backup.sysctl, tuning->request->arena);
}

static int tuning_del(struct cni_request *request, void *conf, struct error *err)
{
	struct tuning tuning on_leave(tuning_leave) = {
		.request = request,
		.conf = conf,
		.netns = -1,
		.old_netns = -1,
	};
	struct owner owner = request_owner(request);

	(void)!backup_read(&tuning.file, tuning.conf->data_dir, &owner, request->arena,
			   &tuning.backup, NULL);
	if (tuning.file.content && *request->netns)
		restore(&tuning);
	return backup_remove(&tuning.file, err);
}

/* ---- CHECK ---- */

static int check_sysctls(const struct tuning *tuning, struct error *err)
{
	char *now = arena_alloc(tuning->request->arena, VALUE_SIZE);

	list_each(setting, &tuning->conf->settings) {
		if (sysctl_read(setting->path, now, VALUE_SIZE, err))
			return -err->errnum;
		if (!sysctl_same(now, setting->value))
			return fail(err, EINVAL,
				    "Error: Tuning configured value of /proc/sys/%s is %s, current "
				    "value is %s",
				    setting->path, setting->value, now);
	}
	return 0;
}

static int differs(const char *what, const char *link, long wanted, long is, struct error *err)
{
	return fail(err, EINVAL, "Error: Tuning configured %s of %s is %ld, current value is %ld",
		    what, link, wanted, is);
}

static int check_attributes(const struct attributes *set, const struct link *link,
			    struct error *err)
{
	bool promisc = link->flags & LINK_PROMISC, allmulti = link->flags & LINK_ALLMULTI;
	char wanted[MAC_TEXT_SIZE], is[MAC_TEXT_SIZE];

	if (set->mac.set && !mac_equal(&set->mac, &link->mac))
		return fail(err, EINVAL,
			    "Error: Tuning configured Ethernet of %s is %s, current value is %s",
			    link->name, mac_format(&set->mac, wanted), mac_format(&link->mac, is));
	if (set->has_promisc && set->promisc != promisc)
		return fail(err, EINVAL,
			    "Error: Tuning link %s configured promisc is %s, current value is %d",
			    link->name, set->promisc ? "true" : "false", promisc);
	if (set->mtu && set->mtu != link->mtu)
		return differs("MTU", link->name, set->mtu, link->mtu, err);
	if (set->has_allmulti && set->allmulti != allmulti)
		return fail(
			err, EINVAL,
			"Error: Tuning configured all-multicast mode of %s is %s, current value "
			"is %s",
			link->name, set->allmulti ? "true" : "false", allmulti ? "true" : "false");
	if (set->has_txqlen && set->txqlen != link->txqlen)
		return differs("Transmission Queue Length", link->name, set->txqlen, link->txqlen,
			       err);
	return 0;
}

static int tuning_check(struct cni_request *request, void *conf, struct error *err)
{
	struct tuning tuning on_leave(tuning_leave) = {
		.request = request,
		.conf = conf,
		.netns = -1,
		.old_netns = -1,
	};
	struct cni_result prev = { 0 };

	if (!request->common.prev_result)
		return request_unchained(unchained, err);
	if (request_prev_result(request, &prev, err) || enter(&tuning, err) ||
	    check_sysctls(&tuning, err))
		return -err->errnum;
	if (link_get(tuning.nl, request->ifname, &tuning.link, err))
		return wrap(err, "Cannot find container link %s", request->ifname);
	return check_attributes(&tuning.conf->set, &tuning.link, err);
}

/* ---- GC, STATUS ---- */

static int tuning_gc(struct cni_request *request, void *data, struct error *err)
{
	const struct tuning_conf *conf = data;

	return backup_gc(conf->data_dir, request->common.name, &request->common.attachments, err);
}

/* A sysctl that is not allowed makes every ADD fail. */
static int tuning_status(struct cni_request *request, void *conf, struct error *err)
{
	if (!check_allowed(request, conf, err))
		return 0;
	err->code = CNI_NOT_AVAILABLE;
	return -err->errnum;
}

static void tuning_explain(const struct cni_request *request, const void *data,
			   struct advice *advice)
{
	const struct tuning_conf *conf = data;
	bool expected = request_expects(request, "mac");

	list_each(setting, &conf->settings)
		advice_say(advice, "%s becomes \"%s\"", setting->key, setting->value);
	advice_mtu(advice, conf->set.mtu);
	if (wanted_change(&conf->set).what || expected)
		advice_say(advice, "attributes of the container's interface are set");
	else if (!conf->settings.n)
		advice_warn(advice, "", "nothing is set, but for a MAC address in CNI_ARGS");
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct tuning_conf),
	.defaults = &defaults,
	.load_context = "failed to load netconf",
	.chained = unchained,
	.validate = tuning_validate,
	.explain = tuning_explain,
	.add = tuning_add,
	.del = tuning_del,
	.check = tuning_check,
	.gc = tuning_gc,
	.status = tuning_status,
};

const struct applet applet_tuning = {
	.summary = "set sysctls and attributes of the container's interface",
	.about =
		"CNI plugin, chained behind one that makes the interface. Sysctls below net. are set in the order of the"
		" configuration; DEL puts them and the attributes back. Where " ALLOWLIST
		" exists, a sysctl must match one of"
		" its patterns, one a line.",
	.example = "{ \"cniVersion\": \"1.0.0\", \"name\": \"pods\", \"plugins\": [\n"
		   "  { \"type\": \"bridge\", \"isGateway\": true,\n"
		   "    \"ipam\": { \"type\": \"host-local\", \"subnet\": \"10.1.0.0/24\" } },\n"
		   "  { \"type\": \"tuning\", \"capabilities\": { \"mac\": true }, \"mtu\": 1400,\n"
		   "    \"sysctl\": { \"net.core.somaxconn\": \"500\",\n"
		   "                \"net.ipv4.conf.IFNAME.arp_filter\": \"1\" } } ] }",
	.plugin = &plugin,
};
