/*
 * vrf: makes the interface a member of a VRF in the container (cni-plugins.md, section 2.18). What the kernel takes away on
 * the way and must be given back is lib/kernel/vrf's business.
 */
#include "cni/inside.h"
#include "cni/plugin.h"
#include "describe/applet.h"
#include "kernel/vrf.h"

#include <errno.h>

struct vrf_conf {
	const char *vrfname;
	uint32_t table;
};

#define NAME_ROW                                                                     \
	{                                                                            \
		"vrfname", FIELD_STRING, offsetof(struct vrf_conf, vrfname),         \
			.help = "name of the VRF in the container, made when absent" \
	}

static const struct field fields[] = {
	NAME_ROW,
	{ "table", FIELD_UINT32, offsetof(struct vrf_conf, table),
	  .help = "routing table of the VRF; 0 = that of the existing VRF, or a free one" },
	FIELDS_END
};
static const struct field del_fields[] = { NAME_ROW, FIELDS_END };

static bool has_name(const struct vrf_conf *conf)
{
	return conf->vrfname && field_valid_ifname(conf->vrfname);
}

static int vrf_validate(const struct cni_request *request, void *data, struct error *err)
{
	const struct vrf_conf *conf = data;

	if (request->command == CNI_DEL || request->command == CNI_GC || has_name(conf))
		return 0;
	if (!conf->vrfname || !*conf->vrfname)
		cni_fail(err, CNI_INVALID_CONFIG,
			 "vrfname: the name that the VRF's interface has, or is to have",
			 "configuration is expected to have a valid vrf name");
	else
		cni_fail(err, CNI_INVALID_CONFIG,
			 "vrfname: a name of an interface, of at most 15 characters",
			 "configuration is expected to have a valid vrf name, got: \"%s\"",
			 conf->vrfname);
	return error_at(err, "vrfname");
}

static const char unchained[] = "missing prevResult from earlier plugin";

/* prevResult is decoded also where nothing but its presence counts: it becomes the result. */
static int previous(const struct cni_request *request, struct cni_result *result, struct error *err)
{
	int r = request_prev_result(request, result, err);

	return r == -ENOENT ? request_unchained(unchained, err) : r;
}

static int find_free_link(struct netlink *nl, const char *name, struct link *link,
			  struct error *err)
{
	struct link master;

	if (link_get(nl, name, link, err))
		return wrap(err, "could not get link by name %s", name);
	if (!link->master)
		return 0;
	if (link_get_index(nl, link->master, &master, err))
		return wrap(err, "interface %s has already a master set", name);
	return fail(err, EBUSY, "interface %s has already a master set: %s", name, master.name);
}

static int remove_made(struct netlink *nl, const struct vrf *vrf, struct error *err)
{
	struct error later = { 0 };

	if (!vrf->made)
		return -err->errnum;
	link_queue_del_index(nl, vrf->link.index, "delete the VRF");
	if (netlink_commit(nl, &later))
		error_join(err, &later);
	return -err->errnum;
}

static int vrf_add(struct cni_request *request, void *data, struct cni_result *result,
		   struct error *err)
{
	struct inside inside auto_inside = { .netns = -1 };
	struct vrf_conf *conf = data;
	struct link link;
	struct vrf vrf;

	if (previous(request, result, err) || inside_open(&inside, request, err) ||
	    find_free_link(inside.nl, request->ifname, &link, err) ||
	    vrf_ensure(inside.nl, conf->vrfname, conf->table, request->arena, &vrf, err))
		return -err->errnum;
	if (vrf_join(inside.nl, &vrf, &link, request->arena, err))
		return remove_made(inside.nl, &vrf, err);
	return 0;
}

static int vrf_del(struct cni_request *request, void *data, struct error *err)
{
	struct inside inside auto_inside = { .netns = -1 };
	struct vrf_conf *conf = data;

	if (!has_name(conf)) /* nothing of that name was ever made */
		return 0;
	if (inside_open(&inside, request, err))
		return -err->errnum;
	if (!inside.nl)
		return 0;
	return vrf_leave(inside.nl, conf->vrfname, request->ifname, request->arena, err);
}

static int vrf_check(struct cni_request *request, void *data, struct error *err)
{
	struct inside inside auto_inside = { .netns = -1 };
	struct vrf_conf *conf = data;
	struct cni_result prev = { 0 };
	struct link vrf, link;

	if (previous(request, &prev, err) || inside_open(&inside, request, err))
		return -err->errnum;
	if (link_get(inside.nl, conf->vrfname, &vrf, err))
		return wrap(err, "VRF %s", conf->vrfname);
	if (!streq(vrf.kind, "vrf"))
		return fail(err, EINVAL, "Netlink %s is not a VRF", conf->vrfname);
	if (conf->table && conf->table != vrf.table)
		return fail(err, EINVAL, "VRF %s has routing table %u, not %u", conf->vrfname,
			    vrf.table, conf->table);
	if (link_get(inside.nl, request->ifname, &link, err))
		return wrap(err, "could not get link by name %s", request->ifname);
	if (link.master != vrf.index)
		return fail(err, ENOENT, "Failed to find %s associated to vrf %s", request->ifname,
			    conf->vrfname);
	return 0;
}

static int vrf_status(struct cni_request *request unused, void *conf unused, struct error *err)
{
	struct netlink *nl auto_netlink = NULL;

	if (netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, err))
		return wrap(err, "open a netlink session");
	if (link_kind_probe(nl, "vrf", err))
		return error_code(err, CNI_NOT_AVAILABLE);
	return 0;
}

static const struct cni_plugin plugin = {
	.oldest = "0.3.1",
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct vrf_conf),
	.load_context = "failed to load netconf",
	.chained = unchained,
	.validate = vrf_validate,
	.add = vrf_add,
	.del = vrf_del,
	.check = vrf_check,
	.status = vrf_status,
};

const struct applet applet_vrf = {
	.summary = "make the interface a member of a VRF",
	.about =
		"Chained CNI plugin. The VRF is made in the container when it is absent, and deleted with its last member. "
		"Interfaces in different VRFs may have the same addresses. Addresses and routes of the interface are kept: "
		"routes of the main table move into the VRF's, those of other tables stay where they are.",
	.example = "{ \"cniVersion\": \"1.1.0\", \"name\": \"blue\", \"plugins\": [\n"
		   "  { \"type\": \"macvlan\", \"master\": \"eth1\",\n"
		   "    \"ipam\": { \"type\": \"host-local\", \"subnet\": \"10.2.0.0/24\" } },\n"
		   "  { \"type\": \"vrf\", \"vrfname\": \"blue\", \"table\": 1001 } ] }",
	.plugin = &plugin,
};
