/* What an agent left, found and removed; see cleanup.h. The store first, while the node still has its addresses. */
#include "agent/cleanup.h"

#include <errno.h>
#include <stdarg.h>

#include "agent/agent_internal.h"
#include "agent/leftover.h"
#include "base/log.h"
#include "firewall/overlay.h"
#include "kernel/addr.h"
#include "lease/place.h"
#include "relay/shortcut.h"

struct cleanup {
	const struct agent_options *options;
	FILE *out;
	struct agent agent; /* what is remembered; never run */
	cidrs_t networks; /* this agent's, of subnet.env and of the store; empty = nothing tells */
	int vni;          /* its, 0 = nothing tells */
	struct netlink *nl;
	struct arena arena;
	unsigned n; /* things removed */
	struct error failure;
};

static void cleanup_end(struct cleanup *cleanup)
{
	close_fd(&cleanup->agent.claim);
	netlink_close(cleanup->nl);
	arena_free(&cleanup->agent.recalled_arena);
	arena_free(&cleanup->arena);
}

static void say(struct cleanup *cleanup, const char *format, ...) printf_like(2, 3);
static void say(struct cleanup *cleanup, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(cleanup->out, format, args);
	va_end(args);
	fputc('\n', cleanup->out);
	cleanup->n++;
}

/* ---- the lease ---- */

static bool is_address_of(const addrs_t *addrs, const struct ip *ip)
{
	list_each(addr, addrs)
		if (ip->family && ip_equal(&addr->cidr.ip, ip))
			return true;
	return false;
}

/* A lease is the node's whose address it has; or it is as remembered, where NAT gives the node another. */
static bool is_own(const struct cleanup *cleanup, const subnet_leases_t *leases,
		   const addrs_t *addrs, const struct subnet_lease **own)
{
	const struct subnet_lease *recalled = &cleanup->agent.recalled;

	list_each(lease, leases) {
		*own = lease;
		if (is_address_of(addrs, &lease->public_ip) ||
		    is_address_of(addrs, &lease->public_ip6) ||
		    (recalled->type && subnet_same(lease, recalled) &&
		     subnet_same_node(lease, recalled)))
			return true;
	}
	return false;
}

static void learn_network(struct cleanup *cleanup, struct kv *kv)
{
	struct network_config config = { 0 };

	if (lease_config(kv, &cleanup->arena, &config, NULL, NULL) < 0)
		return;
	cleanup->vni = config.backend.vni;
	if (config.v4.enabled)
		*list_add(&cleanup->arena, &cleanup->networks) = config.v4.network;
	if (config.v6.enabled)
		*list_add(&cleanup->arena, &cleanup->networks) = config.v6.network;
}

static int release(struct cleanup *cleanup, struct error *err)
{
	struct kv *kv auto_kv = NULL;
	subnet_leases_t leases = { 0 };
	addrs_t addrs = { 0 };
	const struct subnet_lease *own;
	char key[SUBNET_KEY_SIZE];

	if (lease_place_open(&kv, cleanup->options->place, err))
		return -err->errnum;
	learn_network(cleanup, kv);
	if (lease_list(kv, &cleanup->arena, &leases, NULL, NULL, err) ||
	    addr_list(cleanup->nl, 0, 0, &cleanup->arena, &addrs, err))
		return -err->errnum;
	if (!is_own(cleanup, &leases, &addrs, &own) || own->left_ms < 0)
		return 0;
	if (lease_release(kv, own, err))
		return -err->errnum;
	say(cleanup, "released lease %s", subnet_key(own, key));
	return 0;
}

/* ---- the kernel's state ---- */

/* Another network's agent may be at work on this node. Where nothing tells which network is meant, all go. */
static bool is_of_network(const struct cleanup *cleanup, const struct cidr *dst)
{
	list_each(network, &cleanup->networks)
		if (cidr_is_part(dst, network))
			return true;
	return !cleanup->networks.n;
}

/* flanneld's have no number that would tell; its blackhole is for this node's own subnet. */
static bool is_our_route(const struct cleanup *cleanup, const struct route *route)
{
	const struct subnet_lease *recalled = &cleanup->agent.recalled;

	return (route->protocol == ROUTE_PROTOCOL_CNIBOX && is_of_network(cleanup, &route->dst)) ||
	       reconcile_is_flannels(route, &cleanup->agent.recalled_networks, recalled) ||
	       (route->type == ROUTE_BLACKHOLE && (cidr_equal(&route->dst, &recalled->subnet) ||
						   cidr_equal(&route->dst, &recalled->subnet6)));
}

static void say_route(struct cleanup *cleanup, const struct route *route)
{
	char dst[CIDR_TEXT_SIZE], gw[IP_TEXT_SIZE];

	say(cleanup, "removed route %s%s%s%s", route->type == ROUTE_BLACKHOLE ? "blackhole " : "",
	    cidr_format(&route->dst, dst), route->gw.family ? " via " : "",
	    ip_format(&route->gw, gw));
}

static int remove_routes(struct cleanup *cleanup, struct error *err)
{
	routes_t routes = { 0 };

	if (route_list(cleanup->nl, 0, 0, ROUTE_TABLE_MAIN, &cleanup->arena, &routes, err))
		return -err->errnum;
	list_each(route, &routes) {
		if (!is_our_route(cleanup, route))
			continue;
		route_queue_del(cleanup->nl, route);
		netlink_tolerate(cleanup->nl, ESRCH);
		say_route(cleanup, route);
	}
	return netlink_commit(cleanup->nl, err);
}

/* Its address tells, or its number while it has none. */
static bool is_anothers(const struct cleanup *cleanup, const addrs_t *addrs,
			const struct link *link)
{
	bool any = false;

	list_each(addr, addrs) {
		if (addr->index != link->index || ip_is_link_local(&addr->cidr.ip))
			continue;
		if (is_of_network(cleanup, &addr->cidr))
			return false;
		any = true;
	}
	return any || (streq(link->kind, "vxlan") && cleanup->vni &&
		       link->vxlan.vni != (uint32_t)cleanup->vni);
}

static int list_devices(struct cleanup *cleanup, links_t *devices, links_t *others,
			struct error *err)
{
	links_t links = { 0 };
	addrs_t addrs = { 0 };

	if (link_list(cleanup->nl, NULL, 0, &cleanup->arena, &links, err) ||
	    addr_list(cleanup->nl, 0, 0, &cleanup->arena, &addrs, err))
		return -err->errnum;
	list_each(link, &links)
		if (leftover_is_device(link))
			*list_add(&cleanup->arena,
				  is_anothers(cleanup, &addrs, link) ? others : devices) = *link;
	return 0;
}

/* A node has one relay: they are another network's when the device is. */
static int remove_programs(struct cleanup *cleanup, struct error *err)
{
	links_t devices = { 0 }, others = { 0 };
	unsigned n = 0;
	int r = list_devices(cleanup, &devices, &others, err);

	list_each(link, &others)
		if (streq(link->kind, "tun"))
			return r;
	if (r == 0)
		r = shortcut_remove(cleanup->nl, &n, err);
	if (n)
		say(cleanup, "removed %u programs of the relay", n);
	return r;
}

static int remove_links(struct cleanup *cleanup, struct error *err)
{
	links_t devices = { 0 }, others = { 0 };

	if (list_devices(cleanup, &devices, &others, err))
		return -err->errnum;
	list_each(link, &devices) {
		link_queue_del_index(cleanup->nl, link->index,
				     arena_printf(&cleanup->arena, "delete %s", link->name));
		netlink_tolerate(cleanup->nl, ENODEV);
		say(cleanup, "removed interface %s, and the routes through it", link->name);
	}
	return netlink_commit(cleanup->nl, err);
}

static int remove_rules(struct cleanup *cleanup, struct error *err)
{
	const struct overlay overlay = { .was = cleanup->networks };
	overlay_names_t removed = { 0 };

	if (overlay_remove(&cleanup->arena, &overlay, &removed, err))
		return -err->errnum;
	list_each(name, &removed)
		say(cleanup, "removed %s", *name);
	return 0;
}

static int remove_file(struct cleanup *cleanup, const char *path, struct error *err)
{
	if (unlink(path) == 0)
		say(cleanup, "removed %s", path);
	else if (errno != ENOENT && errno != ENOTDIR)
		return fail_errno(err, errno, "remove %s", path);
	return 0;
}

static int remove_files(struct cleanup *cleanup, struct error *err)
{
	const char *lease = agent_lease_file(&cleanup->agent, &cleanup->arena);
	struct error later = { 0 };
	int r = remove_file(cleanup, cleanup->options->subnet_file, err);

	if (cleanup->agent.claim >= 0)
		unlink(agent_lock_file(&cleanup->agent, &cleanup->arena)); /* ours by now */
	/* A boot without the store must not bring back what was given up. */
	if (cleanup->options->place && cleanup->options->place->snapshot &&
	    remove_file(cleanup, cleanup->options->place->snapshot, &later))
		error_join(err, &later);
	if (remove_file(cleanup, lease, &later))
		error_join(err, &later);
	return r < 0 ? r : -later.errnum;
}

static void try(struct cleanup *cleanup, int (*step)(struct cleanup *cleanup, struct error *err))
{
	struct error why = { 0 };

	if (step(cleanup, &why) < 0)
		error_join(&cleanup->failure, &why);
}

/* An agent that runs would put everything back. Where none ever was, no lock is made. */
static int claim(struct cleanup *cleanup, struct error *err)
{
	const char *lock = agent_lock_file(&cleanup->agent, &cleanup->arena);

	return access(lock, F_OK) ? 0 : agent_claim(&cleanup->agent, err);
}

int agent_cleanup(const struct agent_options *options, FILE *out, struct error *err)
{
	struct cleanup cleanup on_leave(cleanup_end) = {
		.options = options, .out = out, .agent = { .options = options, .claim = -1 }
	};
	struct error store = { 0 };

	if (claim(&cleanup, err) || netlink_open(&cleanup.nl, NETLINK_SESSION_ROUTE, -1, err))
		return -err->errnum;
	agent_recall(&cleanup.agent);
	list_each(network, &cleanup.agent.recalled_networks)
		*list_add(&cleanup.arena, &cleanup.networks) = *network;
	if (release(&cleanup, &store) < 0)
		log_debug("cleanup: %s", store.message);
	try(&cleanup, remove_rules);
	try(&cleanup, remove_routes);
	try(&cleanup, remove_programs);
	try(&cleanup, remove_links);
	try(&cleanup, remove_files);
	if (cleanup.failure.errnum)
		return fail(err, cleanup.failure.errnum, "%s", cleanup.failure.message);
	if (!cleanup.n)
		fputs("nothing of ours is here\n", out);
	else if (store.errnum)
		log_warning("a lease stays in the store until it ends: %s", store.message);
	return 0;
}
