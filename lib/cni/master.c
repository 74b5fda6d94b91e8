/* Masters are looked up by each ADD and STATUS; DEL needs none. */
#include "cni/master.h"

#include "kernel/route.h"

#include <errno.h>
#include <sys/socket.h>

/* The kernel lists the routes of a destination by metric; what leads nowhere (unreachable) has no interface. */
static int default_route(struct netlink *nl, struct arena *arena, int *index, struct error *err)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		routes_t routes = { 0 };

		if (route_list(nl, families[i], 0, ROUTE_TABLE_MAIN, arena, &routes, err))
			return -err->errnum;
		list_each(route, &routes) {
			if (route->dst.prefix || !route_is_unicast(route) || !route->oif)
				continue;
			*index = route->oif;
			return 0;
		}
	}
	return fail(err, ENODEV, "no default route interface found");
}

static int find(struct netlink *nl, const struct master_conf *conf, struct arena *arena,
		struct link *master, struct error *err)
{
	int index = 0;

	if (conf->name[0])
		return link_get(nl, conf->name, master, err)
			       ? wrap(err, "failed to lookup master \"%s\"", conf->name)
			       : 0;
	if (default_route(nl, arena, &index, err))
		return -err->errnum;
	return link_get_index(nl, index, master, err)
		       ? wrap(err, "failed to lookup the interface of the default route")
		       : 0;
}

static struct netlink *session(struct device_call *call, const struct master_conf *conf)
{
	return conf->in_container ? call->a.container : call->a.host;
}

/* An MTU that the ADD would refuse, where the master is here to be asked. */
static bool explain_mtu(const struct master_conf *conf, struct advice *advice)
{
	struct netlink *host auto_netlink = NULL;
	struct link master = { 0 };
	struct error unsaid = { 0 };

	if (conf->mtu <= 0 || conf->in_container ||
	    netlink_open(&host, NETLINK_SESSION_ROUTE, -1, &unsaid) < 0 ||
	    find(host, conf, advice->arena, &master, &unsaid) < 0 || conf->mtu <= master.mtu)
		return false;
	advice_warn(advice, "mtu", "%d is more than %s of this node has (%d): ADD refuses it",
		    conf->mtu, master.name, master.mtu);
	return true;
}

void master_explain(const struct master_conf *conf, const char *what, struct advice *advice)
{
	advice_say(advice, "%s on %s%s", what,
		   *conf->name ? conf->name : "the interface of the default route",
		   conf->in_container ? ", which is in the container" : "");
	if (!explain_mtu(conf, advice))
		advice_mtu(advice, conf->mtu);
}

int master_create_link(struct device_call *call, const struct master_conf *conf,
		       const struct link_spec *spec, struct error *err)
{
	struct netlink *parent = session(call, conf);
	struct link_spec whole = *spec;
	struct link master = { 0 };

	if (find(parent, conf, call->request->arena, &master, err))
		return -err->errnum;
	if (conf->mtu < 0 || conf->mtu > master.mtu)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "invalid MTU %d, must be [0, master MTU(%d)]", conf->mtu,
				 master.mtu);
	whole.link = master.index;
	whole.mtu = conf->mtu;
	return device_create_link(call, parent, &whole, err);
}

int master_check(struct device_call *call, const struct master_conf *conf, struct error *err)
{
	const struct link *link = &call->link;
	bool in_container = link->peer_netns < 0;
	struct link master = { 0 };

	if (conf->mtu && conf->mtu != link->mtu)
		return fail(err, EINVAL, "Interface %s has MTU %d, configured is %d", link->name,
			    link->mtu, conf->mtu);
	/* The default route may lead elsewhere by now. */
	if (!conf->name[0])
		return 0;
	if (find(session(call, conf), conf, call->request->arena, &master, err))
		return -err->errnum;
	if (link->peer != master.index || in_container != conf->in_container)
		return fail(err, EINVAL, "Interface %s is not on master %s", link->name,
			    conf->name);
	return 0;
}

int master_status(const struct cni_request *request, const struct master_conf *conf,
		  const char *kind, struct error *err)
{
	struct netlink *host auto_netlink = NULL;
	struct link master = { 0 };

	if (netlink_open(&host, NETLINK_SESSION_ROUTE, -1, err) || link_kind_probe(host, kind, err))
		return -err->errnum;
	return conf->in_container ? 0 : find(host, conf, request->arena, &master, err);
}
