/*
 * sbr: source based routing (cni-plugins.md, section 2.17). The work is lib/kernel/source_routing; here is which addresses
 * are the interface's, and what there is to remove when the interface is gone already.
 */
#include "cni/attachment.h"
#include "cni/inside.h"
#include "cni/plugin.h"
#include "describe/applet.h"
#include "kernel/addr.h"
#include "kernel/link.h"
#include "kernel/source_routing.h"

#include <errno.h>
#include <sys/socket.h>

struct sbr_conf {
	struct source_options options;
	LIST(struct ip) gateways;
};

#define CONF(member) offsetof(struct sbr_conf, member)

/* max below min: up to the type's own limit */
#define TABLE_ROW                                                                    \
	{                                                                            \
		"table", FIELD_UINT32, CONF(options.table),                          \
			.min = 1,                                                    \
			.help = "add rules to this table only; unset: "              \
				"a table for each address, filled from the main one" \
	}

static const struct field fields[] = {
	TABLE_ROW,
	{ "gateways", FIELD_LIST, CONF(gateways), .element = FIELD_IP, .size = sizeof(struct ip),
	  .help = "gateways in place of those of the addresses, one of a family" },
	{ "addSourceHints", FIELD_BOOL, CONF(options.hints),
	  .help = "keep the subnet's route in the main table, with its address as source" },
	FIELDS_END
};
static const struct field del_fields[] = { TABLE_ROW, FIELDS_END };

static int sbr_validate(const struct cni_request *request unused, void *data, struct error *err)
{
	struct sbr_conf *conf = data;

	for (size_t i = 0; i < conf->gateways.n; i++)
		for (size_t j = 0; j < i; j++)
			if (conf->gateways.items[i].family == conf->gateways.items[j].family)
				return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
						 "gateways[%zu]: there is an %s gateway already", i,
						 conf->gateways.items[i].family == AF_INET
							 ? "IPv4"
							 : "IPv6"),
				       error_at(err, "gateways[%zu]", i);
	return 0;
}

static struct ip gateway_of(const struct sbr_conf *conf, const struct cni_ip *ip)
{
	list_each(gateway, &conf->gateways)
		if (gateway->family == ip->address.ip.family)
			return *gateway;
	return ip->gateway;
}

static void sources_of(const struct cni_request *request, const struct sbr_conf *conf,
		       const struct cni_result *prev, sources_t *sources)
{
	list_each(ip, &prev->ips)
		if (attachment_owns(prev, ip, request->ifname))
			*list_add(request->arena, sources) = (struct source){
				.address = ip->address,
				.gateway = gateway_of(conf, ip),
			};
}

static int sbr_add(struct cni_request *request, void *data, struct cni_result *result,
		   struct error *err)
{
	struct inside inside auto_inside = { .netns = -1 };
	struct sbr_conf *conf = data;
	sources_t sources = { 0 };
	struct link link;
	int r = request_prev_result(request, result, err);

	if (r < 0)
		return r;
	sources_of(request, conf, result, &sources);
	if (!sources.n)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "No IP addresses supplied on interface: %s", request->ifname);
	if (inside_open(&inside, request, err))
		return -err->errnum;
	if (link_get(inside.nl, request->ifname, &link, err))
		return wrap(err, "Cannot find network interface %s", request->ifname);
	if (source_routing_add(inside.nl, link.index, &sources, &conf->options, request->arena,
			       err))
		return wrap(err, "route by source on %s", request->ifname);
	return 0;
}

/* ---- DEL, CHECK, STATUS ---- */

/* The interface's addresses: those of prevResult, which may be unreadable or absent, and those it has. */
static int sources_known(struct cni_request *request, const struct sbr_conf *conf,
			 struct netlink *nl, int index, sources_t *sources, struct error *err)
{
	struct cni_result prev = { 0 };
	addrs_t addrs = { 0 };

	if (request_prev_result(request, &prev, NULL) == 0)
		sources_of(request, conf, &prev, sources);
	if (index && addr_list(nl, 0, index, request->arena, &addrs, err))
		return -err->errnum;
	list_each(addr, &addrs)
		*list_add(request->arena, sources) = (struct source){ .address = addr->cidr };
	return 0;
}

static int sbr_del(struct cni_request *request, void *data, struct error *err)
{
	struct inside inside auto_inside = { .netns = -1 };
	struct sbr_conf *conf = data;
	sources_t sources = { 0 };
	struct link link = { 0 };

	if (inside_open(&inside, request, err))
		return -err->errnum;
	if (!inside.nl)
		return 0;
	link_queue_get(inside.nl, request->ifname, &link);
	netlink_tolerate(inside.nl, ENODEV);
	if (netlink_commit(inside.nl, err) ||
	    sources_known(request, conf, inside.nl, link.index, &sources, err))
		return -err->errnum;
	return source_routing_del(inside.nl, link.index, &sources, &conf->options, request->arena,
				  err);
}

/* An address that is in prevResult but not on the interface any more is not missed: another plugin took it away. */
static void keep_present(sources_t *sources, const addrs_t *addrs)
{
	size_t n = 0;

	list_each(source, sources) {
		bool present = false;

		list_each(addr, addrs)
			present |= ip_equal(&addr->cidr.ip, &source->address.ip);
		if (present)
			sources->items[n++] = *source;
	}
	sources->n = n;
}

static int sbr_check(struct cni_request *request, void *data, struct error *err)
{
	struct inside inside auto_inside = { .netns = -1 };
	struct sbr_conf *conf = data;
	struct cni_result prev = { 0 };
	sources_t sources = { 0 };
	addrs_t addrs = { 0 };
	struct link link;
	int r = request_prev_result(request, &prev, err);

	if (r == -ENOENT)
		return request_unchained("Required prevResult missing", err);
	if (r < 0 || inside_open(&inside, request, err))
		return -err->errnum;
	if (link_get(inside.nl, request->ifname, &link, err))
		return wrap(err, "Cannot find network interface %s", request->ifname);
	if (addr_list(inside.nl, 0, link.index, request->arena, &addrs, err))
		return -err->errnum;
	sources_of(request, conf, &prev, &sources);
	keep_present(&sources, &addrs);
	return source_routing_check(inside.nl, link.index, &sources, &conf->options, request->arena,
				    err);
}

static int sbr_status(struct cni_request *request, void *conf unused, struct error *err)
{
	struct netlink *nl auto_netlink = NULL;
	rules_t rules = { 0 };

	if (netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, err))
		return wrap(err, "open a netlink session");
	if (rule_list(nl, AF_INET, request->arena, &rules, err) == 0)
		return 0;
	if (err->errnum == EOPNOTSUPP)
		wrap(err, "this kernel has no routing rules (CONFIG_IP_MULTIPLE_TABLES)");
	return error_code(err, CNI_NOT_AVAILABLE);
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct sbr_conf),
	.load_context = "failed to parse network configuration",
	.chained = "This plugin must be called as chained plugin",
	.validate = sbr_validate,
	.add = sbr_add,
	.del = sbr_del,
	.check = sbr_check,
	.status = sbr_status,
};

const struct applet applet_sbr = {
	.summary = "route what an interface's address sends by that interface",
	.about =
		"Chained CNI plugin, for containers with several interfaces. Each address of the interface gets a routing table "
		"of its own, with a default route by its gateway, and a rule that sends what comes from the address there; the "
		"interface's routes move into it. So answers leave by the interface that the question came in by, and nothing "
		"else does: a default route through it is gone from the main table.\n\n"
		"With table, only the rules are added: the routes are given their table by the IPAM plugin (\"table\" in a "
		"route). With addSourceHints, the routes of the interface's own subnets stay in the main table.",
	.example = "{ \"cniVersion\": \"1.1.0\", \"name\": \"second\", \"plugins\": [\n"
		   "  { \"type\": \"macvlan\", \"master\": \"eth1\",\n"
		   "    \"ipam\": { \"type\": \"host-local\", \"subnet\": \"10.2.0.0/24\" } },\n"
		   "  { \"type\": \"sbr\" } ] }",
	.plugin = &plugin,
};
