/*
 * ptp: a veth pair between container and host, and the host routes (cni-plugins.md, section 2.2). No bridge, no shared
 * link: the container reaches all through its gateway, which is the host's end, and the host has a route to each of its
 * addresses.
 *
 * ADD is one way through, each effect pushes its undo. Addresses and routes of the host need none: they go with the pair.
 */
#include "cni/attachment.h"
#include "cni/hold.h"
#include "cni/ipam.h"
#include "cni/masq.h"
#include "cni/plugin.h"
#include "cni/veth.h"
#include "describe/applet.h"
#include "kernel/addr.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

enum { HOST_UP_TIMEOUT_MS = 2550, CONTAINER_INTERFACE = 1 };
enum { IPV6_METRIC = 1024 }; /* of a route without one; IPv4: 0 */

struct ptp_conf {
	struct masq_conf masq;
	struct hold_conf hold;
	int mtu;
};
#define CONF(member) offsetof(struct ptp_conf, member)

static const struct field fields[] = { MASQ_FIELDS(struct ptp_conf, masq),
				       HOLD_FIELD(struct ptp_conf, hold),
				       { "mtu", FIELD_INT, CONF(mtu), .max = 65535,
					 .help = "MTU of both ends; 0 = the kernel's default" },
				       FIELDS_END };
static const struct field del_fields[] = { MASQ_DEL_FIELDS(struct ptp_conf, masq), FIELDS_END };

static const struct ptp_conf defaults = { .hold = HOLD_DEFAULTS };

static int ptp_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct ptp_conf *conf = data;

	if (request->command == CNI_DEL || request->command == CNI_GC)
		return 0;
	if (cni_check_mtu(conf->mtu, err))
		return -err->errnum;
	return masq_validate(&conf->masq, err);
}

/* ---- ADD ---- */

struct ptp_add {
	struct attachment a;
	struct cni_request *request;
	const struct ptp_conf *conf;
	struct cni_result *result;
	struct undo undo;
	struct link port; /* the host end */
	int *outcomes;    /* of the host's route to each address */
	routes_t found;   /* routes that ours replace, with their records */
};

static void ptp_add_leave(struct ptp_add *add)
{
	undo_leave(&add->undo);
	attachment_close(&add->a);
}

static int undo_port(void *arg, struct error *err)
{
	struct ptp_add *add = arg;

	return veth_delete(add->a.host, add->port.name, err);
}

static int reserve(struct ptp_add *add, struct error *err)
{
	char text[CIDR_TEXT_SIZE];

	if (ipam_reserve(add->request, &add->undo, add->result, err))
		return -err->errnum;
	list_each(ip, &add->result->ips)
		if (ip->gateway.family != ip->address.ip.family)
			return cni_fail(
				err, CNI_INVALID_CONFIG,
				"the host's end of the pair is the gateway: the IPAM plugin must say its address",
				"address %s has no gateway", cidr_format(&ip->address, text));
	return 0;
}

static int add_pair(struct ptp_add *add, struct error *err)
{
	const struct veth_spec spec = { .mtu = add->conf->mtu };

	if (veth_create(&add->a, &spec, &add->port, err))
		return -err->errnum;
	undo_push(&add->undo, undo_port, add, "remove the veth pair");
	return 0;
}

/* The result names the interfaces in the order of the reference; the MAC of the container's end is yet to be seen. */
static int add_container(struct ptp_add *add, struct error *err)
{
	struct arena *arena = add->request->arena;
	struct cni_result *result = add->result;
	struct link container;

	link_queue_get_index(add->a.container, add->port.peer, &container);
	*list_add(arena, &result->interfaces) = (struct cni_interface){
		.name = arena_strdup(arena, add->port.name),
		.mac = add->port.mac,
		.mtu = add->port.mtu,
	};
	*list_add(arena, &result->interfaces) = (struct cni_interface){
		.name = add->request->ifname,
		.sandbox = add->request->netns,
	};
	attachment_settle(result, CONTAINER_INTERFACE, false, false, arena);
	if (attachment_configure(&add->a, add->port.peer, result, ATTACHMENT_POINT_TO_POINT, err))
		return -err->errnum;
	result->interfaces.items[CONTAINER_INTERFACE].mac = container.mac;
	result->interfaces.items[CONTAINER_INTERFACE].mtu = container.mtu;
	return 0;
}

/* The host's side of an address: its gateway on our end, and the way to it. */
static struct route host_route(const struct ip *address, int index)
{
	return (struct route){
		.dst = cidr_host(address),
		.oif = index,
		.scope = ROUTE_SCOPE_HOST,
	};
}

/* What is forwarded to an IPv6 address waits for a link-local one to ask from (RFC 4861, 7.2.2): it need not be checked
 * for duplicates on a wire with two ends. */
static void skip_dad(const struct ptp_add *add)
{
	char sysctl[64];

	snprintf(sysctl, sizeof(sysctl), "net/ipv6/conf/%s/accept_dad", add->port.name);
	list_each(ip, &add->result->ips) {
		if (ip->address.ip.family != AF_INET6)
			continue;
		sysctl_try(sysctl, "0");
		return;
	}
}

static int undo_routes(void *arg, struct error *err)
{
	struct ptp_add *add = arg;

	list_each(route, &add->found)
		route_queue_again(add->a.host, route, ROUTE_REPLACE);
	return netlink_commit(add->a.host, err);
}

/* A route to the same address is one that a lost container left behind: ours takes its place, and a failed ADD puts it
 * back. */
static int take_over(struct ptp_add *add, const struct route *wanted, struct error *err)
{
	routes_t routes = { 0 };

	if (route_records(add->a.host, wanted->dst.ip.family, 0, ROUTE_TABLE_MAIN,
			  add->request->arena, &routes, err))
		return -err->errnum;
	list_each(route, &routes) {
		if (!cidr_equal(&route->dst, &wanted->dst) || route->oif == wanted->oif ||
		    route->priority != (route->dst.ip.family == AF_INET6 ? IPV6_METRIC : 0))
			continue;
		*list_add(add->request->arena, &add->found) = *route;
		route_queue_add(add->a.host, wanted, ROUTE_REPLACE);
		break;
	}
	return netlink_commit(add->a.host, err);
}

static int take_over_routes(struct ptp_add *add, struct error *err)
{
	size_t n = add->result->ips.n;

	undo_push(&add->undo, undo_routes, add, "put back the host's routes");
	for (size_t i = 0; i < n; i++) {
		struct route route =
			host_route(&add->result->ips.items[i].address.ip, add->port.index);

		if (add->outcomes[i] == EEXIST && take_over(add, &route, err))
			return -err->errnum;
	}
	return 0;
}

/* Several addresses may have one gateway. */
static int add_host(struct ptp_add *add, struct error *err)
{
	struct netlink *host = add->a.host;
	struct link seen;

	add->outcomes =
		arena_alloc(add->request->arena, add->result->ips.n * sizeof(*add->outcomes));
	skip_dad(add);
	link_queue_change(host, add->port.index, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = true },
			  "set the host's interface up");
	list_each(ip, &add->result->ips) {
		struct cidr gateway = cidr_host(&ip->gateway);
		struct route route = host_route(&ip->address.ip, add->port.index);

		addr_queue_add(host, add->port.index, add->port.name, &gateway, 0);
		netlink_tolerate(host, EEXIST);
		route_queue_add(host, &route, ROUTE_EXCLUSIVE);
		netlink_tolerate(host, EEXIST);
		netlink_outcome(host, &add->outcomes[ip - add->result->ips.items]);
	}
	/* All of it travels with the first look. */
	if (link_wait_up(host, -1, add->port.index, HOST_UP_TIMEOUT_MS, &seen, err))
		return -err->errnum;
	return take_over_routes(add, err);
}

static int ptp_add(struct cni_request *request, void *conf, struct cni_result *result,
		   struct error *err)
{
	struct ptp_add add on_leave(ptp_add_leave) = {
		.a = { .netns = -1 },
		.request = request,
		.conf = conf,
		.result = result,
	};

	if (attachment_open(&add.a, request, err) || reserve(&add, err) || add_pair(&add, err) ||
	    add_container(&add, err) || add_host(&add, err) ||
	    masq_add(&add.conf->masq, request, result, &add.undo, err) ||
	    attachment_forwarding(result, err) || hold_add(&add.conf->hold, request, result, err))
		return -err->errnum;
	if (!cni_dns_empty(&request->common.dns))
		result->dns = request->common.dns;
	undo_clear(&add.undo);
	return 0;
}

/* ---- DEL, CHECK, GC, STATUS ---- */

/* Everything is tried, whatever fails; the pair goes first, so that a released address is not used twice. */
static int ptp_del(struct cni_request *request, void *data, struct error *err)
{
	const struct ptp_conf *conf = data;
	struct error one = { 0 };

	(void)!veth_remove(request, &one);
	error_move(err, &one);
	(void)!ipam_release(request, &one);
	error_move(err, &one);
	(void)!masq_del(&conf->masq, request, &one);
	error_move(err, &one);
	return -err->errnum;
}

static bool has_route(const routes_t *routes, const struct route *wanted)
{
	list_each(route, routes)
		if (cidr_equal(&route->dst, &wanted->dst) && route->oif == wanted->oif)
			return true;
	return false;
}

static bool has_address(const addrs_t *addrs, const struct cidr *wanted)
{
	list_each(addr, addrs)
		if (cidr_equal(&addr->cidr, wanted))
			return true;
	return false;
}

/* The reference does not look. Without them nothing comes back. */
static int check_host(struct attachment *a, const struct cni_result *prev, int index,
		      struct error *err)
{
	struct arena *arena = a->request->arena;
	routes_t routes = { 0 };
	addrs_t addrs = { 0 };
	struct link port;
	char text[CIDR_TEXT_SIZE];

	if (link_get_index(a->host, index, &port, err))
		return wrap(err, "the host's end of %s", a->request->ifname);
	if (addr_list(a->host, 0, index, arena, &addrs, err) ||
	    route_list(a->host, 0, index, ROUTE_TABLE_MAIN, arena, &routes, err))
		return -err->errnum;
	list_each(ip, &prev->ips) {
		struct cidr gateway = cidr_host(&ip->gateway);
		struct route route = host_route(&ip->address.ip, index);

		if (!attachment_owns(prev, ip, a->request->ifname))
			continue;
		if (ip->gateway.family && !has_address(&addrs, &gateway))
			return fail(err, ENOENT, "gateway %s is missing on host interface %s",
				    cidr_format(&gateway, text), port.name);
		if (!has_route(&routes, &route))
			return fail(err, ENOENT, "the host has no route to %s through interface %s",
				    cidr_format(&route.dst, text), port.name);
	}
	return 0;
}

static int ptp_check(struct cni_request *request, void *data, struct error *err)
{
	const struct ptp_conf *conf = data;
	struct attachment a auto_attachment = { .netns = -1 };
	struct cni_result prev = { 0 };
	struct link container = { 0 };

	if (attachment_open(&a, request, err) || ipam_check(request, err))
		return -err->errnum;
	if (!request->common.prev_result)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "ptp: Required prevResult missing");
	if (request_prev_result(request, &prev, err) ||
	    attachment_check(&a, &prev, "veth", &container, err) ||
	    check_host(&a, &prev, container.peer, err))
		return -err->errnum;
	return masq_check(&conf->masq, request, &prev, err);
}

static int ptp_gc(struct cni_request *request, void *data, struct error *err)
{
	const struct ptp_conf *conf = data;
	struct error one = { 0 };

	(void)!ipam_gc(request, &one);
	error_move(err, &one);
	(void)!masq_gc(&conf->masq, request, &one);
	error_move(err, &one);
	return -err->errnum;
}

static int ptp_status(struct cni_request *request, void *conf unused, struct error *err)
{
	return ipam_status(request, err);
}

static int ptp_restore(struct cni_request *request, void *data, struct error *err)
{
	const struct ptp_conf *conf = data;

	return masq_restore(&conf->masq, request, err);
}

static void ptp_explain(const struct cni_request *request, const void *data, struct advice *advice)
{
	const struct ptp_conf *conf = data;
	const char *gateways = advice_gateways(advice, true);

	advice_say(advice, "a veth pair, and a route of the host to each container%s%s",
		   gateways ? "; the host's end has " : "", gateways ? gateways : "");
	advice_mtu(advice, conf->mtu);
	masq_explain(&conf->masq, request, advice);
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct ptp_conf),
	.defaults = &defaults,
	.load_context = "failed to load netconf",
	.needs_ipam = "no plugin name provided",
	.validate = ptp_validate,
	.explain = ptp_explain,
	.add = ptp_add,
	.del = ptp_del,
	.check = ptp_check,
	.gc = ptp_gc,
	.status = ptp_status,
	.restore = ptp_restore,
};

const struct applet applet_ptp = {
	.summary = "join a container to the host by a veth pair, and route",
	.about =
		"CNI plugin. The host's end of the pair has the gateway's address, and the host a route to each address of"
		" the container: containers reach each other and the world through the host's routing, not a bridge.",
	.example =
		"{ \"cniVersion\": \"1.0.0\", \"name\": \"pods\", \"type\": \"ptp\", \"ipMasq\": true,\n"
		"  \"ipam\": { \"type\": \"host-local\", \"subnet\": \"10.1.0.0/24\",\n"
		"    \"routes\": [{ \"dst\": \"0.0.0.0/0\" }] } }",
	.plugin = &plugin,
};
