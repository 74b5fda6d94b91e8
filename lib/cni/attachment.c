/*
 * What every main plugin does with a container interface, after and apart from creating it. ADD goes
 * open -> settle (pure) -> configure; CHECK compares one dump with prevResult; DEL needs names only.
 */
#include "cni/attachment.h"

#include "base/clock.h"
#include "base/text.h"
#include "kernel/addr.h"
#include "kernel/netns.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

/* Families of the addresses that an attachment carries, as bits. */
enum { HAS_IPV4 = 1, HAS_IPV6 = 2 };
enum { DAD_WAIT_MS = 5000 };

static unsigned result_families(const struct cni_result *result)
{
	unsigned families = 0;

	list_each(ip, &result->ips)
		families |= ip->address.ip.family == AF_INET6 ? HAS_IPV6 : HAS_IPV4;
	return families;
}

int attachment_open(struct attachment *a, struct cni_request *request, struct error *err)
{
	*a = (struct attachment){ .request = request,
				  .owner = request_owner(request),
				  .netns = -1 };
	if (netns_open(request->netns, &a->netns, err)) {
		wrap(err, "failed to open netns \"%s\"", request->netns);
		return error_code(err, CNI_INVALID_NETNS);
	}
	if (netlink_open(&a->host, NETLINK_SESSION_ROUTE, -1, err) ||
	    netlink_open(&a->container, NETLINK_SESSION_ROUTE, a->netns, err))
		return wrap(err, "open a netlink session");
	return 0;
}

void attachment_close(struct attachment *a)
{
	netlink_closep(&a->host);
	netlink_closep(&a->container);
	close_fd(&a->netns);
	a->netns = -1;
}

void attachment_veth_name(const struct owner *owner, unsigned attempt, char name[16])
{
	char salt[12] = "", digest[9];

	if (attempt)
		snprintf(salt, sizeof(salt), "#%u", attempt);
	sha512_hex(digest, 8, owner->network, "/", owner->container, ":", owner->ifname, salt,
		   NULL);
	snprintf(name, 16, "veth%s", digest);
}

static bool has_default_route(const struct cni_result *result, int family)
{
	list_each(route, &result->routes)
		if (route->dst.ip.family == family && route->dst.prefix == 0 && route->gw.family)
			return true;
	return false;
}

void attachment_settle(struct cni_result *result, int interface, bool want_gateway,
		       bool want_default, struct arena *arena)
{
	static const uint8_t zero[16];

	for (size_t i = 0; i < result->ips.n; i++) {
		struct cni_ip *ip = &result->ips.items[i];
		struct cidr network = cidr_network(&ip->address);

		ip->has_interface = true;
		ip->interface = interface;
		if (want_gateway && !ip->gateway.family)
			ip->gateway = ip_add(&network.ip, 1);
		if (want_default && ip->gateway.family &&
		    !has_default_route(result, ip->address.ip.family)) {
			struct cni_route *route = list_add(arena, &result->routes);

			route->dst.ip = ip_make(ip->address.ip.family, zero);
			route->gw = ip->gateway;
		}
	}
}

/* In the container's namespace. The reference treats all but the IPv6 ones as best effort. */
static int container_sysctls(const char *ifname, unsigned families, bool dad, struct error *err)
{
	char name[80];

	if (dad) {
		snprintf(name, sizeof(name), "net/ipv6/conf/%s/enhanced_dad", ifname);
		sysctl_try(name, "1");
	}
	snprintf(name, sizeof(name), "net/ipv6/conf/%s/accept_dad", ifname);
	sysctl_try(name, dad ? "1" : "0");
	if (!(families & HAS_IPV6))
		return 0;
	snprintf(name, sizeof(name), "net/ipv6/conf/%s/ndisc_notify", ifname);
	sysctl_try(name, "1");
	if (sysctl_ensure("net/ipv6/conf/lo/disable_ipv6", "0", err))
		return wrap(err, "enable IPv6 for interface lo");
	snprintf(name, sizeof(name), "net/ipv6/conf/%s/disable_ipv6", ifname);
	if (sysctl_ensure(name, "0", err))
		return wrap(err, "enable IPv6 for interface %s", ifname);
	snprintf(name, sizeof(name), "net/ipv6/conf/%s/keep_addr_on_down", ifname);
	if (sysctl_write(name, "1", err))
		return wrap(err, "keep IPv6 addresses of %s when it goes down", ifname);
	return 0;
}

static int apply_sysctls(struct attachment *a, unsigned families, bool dad, struct error *err)
{
	int old auto_netns = -1;

	if (netns_enter(a->netns, &old, err))
		return -err->errnum;
	return container_sysctls(a->request->ifname, families, dad, err);
}

static struct ip gateway_of(const struct cni_result *result, int family)
{
	list_each(ip, &result->ips)
		if (ip->gateway.family == family)
			return ip->gateway;
	return (struct ip){ 0 };
}

/* A route that says it is on the link has no gateway. */
static struct ip next_hop(const struct cni_result *result, const struct cni_route *route)
{
	if (route->gw.family || (route->has_scope && route->scope >= ROUTE_SCOPE_LINK))
		return route->gw;
	return gateway_of(result, route->dst.ip.family);
}

static void queue_routes(struct attachment *a, int index, const struct cni_result *result)
{
	list_each(route, &result->routes) {
		struct route wanted = {
			.dst = cidr_network(&route->dst),
			.gw = next_hop(result, route),
			.oif = index,
			.scope = route->has_scope ? route->scope : -1,
			.table = route->has_table ? route->table : 0,
			.priority = route->priority,
			.mtu = route->mtu,
			.advmss = route->advmss,
		};

		route_queue_add(a->container, &wanted, ROUTE_APPEND);
	}
}

/* As the reference has them: both with the address as source, so that it is used for what lies beyond, too. */
static void queue_gateways(struct attachment *a, int index, const struct cni_result *result)
{
	list_each(ip, &result->ips) {
		const struct route gateway = {
			.dst = cidr_host(&ip->gateway),
			.src = ip->address.ip,
			.oif = index,
			.scope = ROUTE_SCOPE_LINK,
		};
		const struct route subnet = {
			.dst = cidr_network(&ip->address),
			.gw = ip->gateway,
			.src = ip->address.ip,
			.oif = index,
			.scope = ROUTE_SCOPE_GLOBAL,
		};

		route_queue_add(a->container, &gateway, ROUTE_APPEND);
		if (subnet.dst.prefix < ip_bits(&ip->gateway)) /* a single address has no subnet */
			route_queue_add(a->container, &subnet, ROUTE_APPEND);
	}
}

static int queue_addresses(struct attachment *a, int index, const struct cni_result *result,
			   unsigned how, struct error *err)
{
	struct link_change up = { .up = true };
	const char *ifname = a->request->ifname;
	char text[CIDR_TEXT_SIZE];

	list_each(ip, &result->ips) {
		if (!ip->has_interface)
			continue;
		if (ip->interface < 0 || (size_t)ip->interface >= result->interfaces.n ||
		    !streq(result->interfaces.items[ip->interface].name, ifname))
			return fail(err, EINVAL,
				    "failed to add IP addr %s to \"%s\": invalid interface index",
				    cidr_format(&ip->address, text), ifname);
		addr_queue_add(a->container, index, ifname, &ip->address,
			       (how & ATTACHMENT_DAD ? ADDR_QUEUE_DAD : 0) |
				       (how & ATTACHMENT_POINT_TO_POINT ? ADDR_QUEUE_NO_ROUTE : 0));
	}
	/* Where the wire has two ends the other one is as new: nobody needs to be notified. */
	up.what = how & ATTACHMENT_POINT_TO_POINT ? LINK_SET_UP : LINK_SET_UP | LINK_SET_ARP_NOTIFY;
	link_queue_change(a->container, index, NULL, &up, "set the container's interface up");
	return 0;
}

static int look_at_dad(struct attachment *a, int index, bool *tentative, struct error *err)
{
	struct arena arena auto_arena = { 0 };
	addrs_t addrs = { 0 };
	char text[CIDR_TEXT_SIZE];

	*tentative = false;
	if (addr_list(a->container, AF_INET6, index, &arena, &addrs, err))
		return -err->errnum;
	list_each(addr, &addrs) {
		if (addr->flags & ADDR_DADFAILED)
			return fail(err, EADDRINUSE, "link %s has address %s in DADFAILED state",
				    a->request->ifname, cidr_format(&addr->cidr, text));
		*tentative |= (addr->flags & ADDR_TENTATIVE) && !ip_is_link_local(&addr->cidr.ip);
	}
	return 0;
}

static int ignore_event(const struct nlmsghdr *event unused, void *arg unused,
			struct error *err unused)
{
	return 0;
}

/* Wait by event until no address is tentative; DAD takes 1 to 2 s (RFC 4862), 5 s is the reference's limit. */
static int wait_for_dad(struct attachment *a, int index, struct error *err)
{
	struct netlink *events auto_netlink = NULL;
	int64_t deadline = clock_ms() + DAD_WAIT_MS;
	bool tentative;

	if (netlink_open(&events, NETLINK_SESSION_ROUTE, a->netns, err) ||
	    netlink_subscribe(events, NETLINK_GROUP_IPV6_ADDR, err))
		return wrap(err, "wait for duplicate address detection");
	for (int64_t left_ms; (left_ms = deadline - clock_ms()) > 0;) {
		int r = look_at_dad(a, index, &tentative, err);

		if (r || !tentative)
			return r;
		r = netlink_events(events, (unsigned)left_ms, ignore_event, NULL, err);
		if (r < 0 && r != -ENOBUFS)
			return r;
	}
	return fail(err, ETIMEDOUT, "IPv6 addresses of %s are still tentative after 5 s",
		    a->request->ifname);
}

int attachment_configure(struct attachment *a, int index, const struct cni_result *result,
			 unsigned how, struct error *err)
{
	unsigned families = result_families(result);
	bool dad = how & ATTACHMENT_DAD;

	if (result->interfaces.n == 0)
		return fail(err, EINVAL, "no interfaces to configure");
	if (apply_sysctls(a, families, dad, err))
		return -err->errnum;
	if (queue_addresses(a, index, result, how, err)) {
		netlink_discard(a->container);
		return -err->errnum;
	}
	if (dad && (families & HAS_IPV6)) {
		if (netlink_commit(a->container, err) || wait_for_dad(a, index, err))
			return -err->errnum;
	}
	if (how & ATTACHMENT_POINT_TO_POINT)
		queue_gateways(a, index, result);
	queue_routes(a, index, result);
	return netlink_commit(a->container, err);
}

void attachment_announce(struct attachment *a, int index, const struct mac *mac)
{
	struct link link;

	/* The look makes the kernel (6.8 and later) notice the carrier now: before that it drops what is sent. */
	link_queue_get_index(a->container, index, &link);
	/* NETDEV_CHANGEADDR: gratuitous ARP with arp_notify, unsolicited advertisement with ndisc_notify. */
	link_queue_change(a->container, index, NULL,
			  &(struct link_change){ .what = LINK_SET_MAC, .mac = *mac },
			  "announce the address");
	(void)!netlink_commit(a->container, NULL);
}

int attachment_forwarding(const struct cni_result *result, struct error *err)
{
	unsigned families = result_families(result);

	if ((families & HAS_IPV4) && sysctl_ensure("net/ipv4/ip_forward", "1", err))
		return wrap(err, "failed to enable forwarding");
	if ((families & HAS_IPV6) && sysctl_ensure("net/ipv6/conf/all/forwarding", "1", err))
		return wrap(err, "failed to enable forwarding");
	return 0;
}

int attachment_container(const struct cni_request *request, struct netlink **container,
			 struct error *err)
{
	int netns auto_close = -1;
	struct error why = { 0 };

	*container = NULL;
	if (!request->netns[0])
		return 0;
	if (netns_open(request->netns, &netns, &why))
		return why.errnum == ENOENT || why.errnum == EINVAL
			       ? 0
			       : fail(err, why.errnum, "failed to open netns \"%s\": %s",
				      request->netns, why.message);
	if (netlink_open(container, NETLINK_SESSION_ROUTE, netns, err))
		return wrap(err, "open a netlink session");
	return 0;
}
