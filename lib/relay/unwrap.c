/* The pair of links, the route and the programs at the first link. */
#include "relay/unwrap.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include "base/file.h"
#include "base/text.h"
#include "kernel/bpf.h"
#include "kernel/hook.h"
#include "kernel/link.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"

#define FIRST  "cnibox-unwrap0"
#define SECOND "cnibox-unwrap1"
#define NAME   "cnibox_unwrap"

enum { MTU = 65535 };

/* ---- links ---- */

/* Both, index 0 = missing. */
static int look(struct netlink *nl, struct link links[2], struct error *err)
{
	links[0] = links[1] = (struct link){ 0 };
	link_queue_get(nl, FIRST, &links[0]);
	netlink_tolerate(nl, ENODEV);
	link_queue_get(nl, SECOND, &links[1]);
	netlink_tolerate(nl, ENODEV);
	return netlink_commit(nl, err);
}

static bool are_pair(const struct link links[2])
{
	return links[0].index && links[1].index && links[0].peer == links[1].index &&
	       streq(links[0].kind, "veth") && links[0].mac.set && links[1].mac.set;
}

static void queue_remove_links(struct netlink *nl)
{
	link_queue_del(nl, FIRST);
	netlink_tolerate(nl, ENODEV);
	link_queue_del(nl, SECOND);
	netlink_tolerate(nl, ENODEV);
}

static int make_pair(const struct unwrap *unwrap, struct netlink *nl, struct error *err)
{
	const struct link_spec spec = {
		.kind = "veth",
		.name = FIRST,
		.mtu = MTU,
		.mac = unwrap->from,
		.queues = 1,
		.peer = { .name = SECOND, .mac = unwrap->to, .mtu = MTU },
	};

	queue_remove_links(nl);
	link_queue_create(nl, &spec);
	return netlink_commit(nl, err);
}

/* Neither has anything to say to the other. */
static void keep_silent(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/disable_ipv6", name);
	sysctl_try(path, "1");
}

static int bring_up(struct netlink *nl, struct error *err)
{
	const struct link_change up = { .what = LINK_SET_UP, .up = true };

	keep_silent(FIRST);
	keep_silent(SECOND);
	link_queue_change(nl, 0, SECOND, &up, "set " SECOND " up");
	link_queue_change(nl, 0, FIRST, &up, "set " FIRST " up");
	return netlink_commit(nl, err);
}

/* What is there under these names is a pair with our MACs, up. */
static int ensure_links(struct unwrap *unwrap, struct netlink *nl, struct error *err)
{
	struct link links[2];
	int r = look(nl, links, err);

	if (r == 0 && (!are_pair(links) || !mac_equal(&links[0].mac, &unwrap->from) ||
		       !mac_equal(&links[1].mac, &unwrap->to))) {
		r = make_pair(unwrap, nl, err);
		if (r == 0)
			r = look(nl, links, err);
	}
	if (r < 0)
		return r;
	unwrap->index = links[0].index;
	return (links[0].flags & links[1].flags & IFF_UP) ? 0 : bring_up(nl, err);
}

int unwrap_open(struct unwrap *unwrap, struct netlink *nl, const char *device, int device_index,
		struct error *err)
{
	struct link links[2];
	int r = look(nl, links, err);

	*unwrap = (struct unwrap){ .device_index = device_index, .programs = { -1, -1 } };
	snprintf(unwrap->device, sizeof(unwrap->device), "%s", device);
	if (r < 0)
		return r;
	unwrap->from = are_pair(links) ? links[0].mac : mac_random();
	unwrap->to = are_pair(links) ? links[1].mac : mac_random();
	return ensure_links(unwrap, nl, err);
}

void unwrap_close(struct unwrap *unwrap)
{
	close_fd(&unwrap->programs[0]);
	close_fd(&unwrap->programs[1]);
}

bool unwrap_is_link(const struct unwrap *unwrap, int index)
{
	return index && index == unwrap->index;
}

/* ---- programs ---- */

int unwrap_load(struct unwrap *unwrap, const struct tunnel_program *program, struct error *err)
{
	bool v6 = program->own.family == AF_INET6;

	return tunnel_program_load(program, TUNNEL_UNWRAP, &unwrap->programs[v6], err);
}

static int ensure_programs(const struct unwrap *unwrap, struct netlink *nl, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	hook_programs_t there = { 0 };
	int r = hook_list(nl, unwrap->index, NAME, &arena, &there, err);

	for (int v6 = 0; v6 < 2 && r == 0; v6++) {
		const struct hook hook = { .index = unwrap->index, .egress = true, .v6 = v6 };

		if (unwrap->programs[v6] >= 0 &&
		    !hook_has(&there, &hook, bpf_program_id(unwrap->programs[v6])))
			r = hook_attach(nl, &hook, unwrap->programs[v6], v6 ? NAME "6" : NAME "4",
					err);
	}
	return r;
}

/* ---- route ---- */

/* IPv6 is at work on the device, without an address of its own where nobody had wanted it. */
static int ensure_ipv6(const struct unwrap *unwrap, struct error *err)
{
	char path[64], value[16];
	int r;

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/disable_ipv6", unwrap->device);
	r = sysctl_read(path, value, sizeof(value), err);
	if (r < 0 || streq(value, "0"))
		return r;
	snprintf(path, sizeof(path), "net/ipv6/conf/%s/addr_gen_mode", unwrap->device);
	sysctl_try(path, "1");
	snprintf(path, sizeof(path), "net/ipv6/conf/%s/disable_ipv6", unwrap->device);
	return sysctl_write(path, "0", err);
}

static struct route route_of(int device, int link)
{
	const struct ip address = tunnel_wrap_address();

	return (struct route){
		.dst = cidr_host(&address),
		.oif = device,
		.scope = -1,
		.table = ROUTE_TABLE_LOCAL,
		.protocol = ROUTE_PROTOCOL_CNIBOX,
		.frame_oif = link,
	};
}

static int ensure_route(const struct unwrap *unwrap, struct netlink *nl, struct error *err)
{
	const struct route route = route_of(unwrap->device_index, unwrap->index);
	auto_arena struct arena arena = { 0 };
	routes_t routes = { 0 };
	int r = route_list(nl, AF_INET6, route.oif, ROUTE_TABLE_LOCAL, &arena, &routes, err);

	if (r < 0)
		return r;
	list_each(is, &routes)
		if (cidr_equal(&is->dst, &route.dst) && is->frame_oif == route.frame_oif)
			return 0;
	route_queue_add(nl, &route, ROUTE_REPLACE);
	return netlink_commit(nl, err);
}

int unwrap_ensure(struct unwrap *unwrap, struct netlink *nl, struct error *err)
{
	int r = ensure_links(unwrap, nl, err);

	if (r == 0)
		r = ensure_programs(unwrap, nl, err);
	if (r == 0)
		r = ensure_ipv6(unwrap, err);
	if (r == 0)
		r = ensure_route(unwrap, nl, err);
	return r;
}

void unwrap_queue_remove(struct netlink *nl)
{
	const struct route route = route_of(0, 0);

	queue_remove_links(nl);
	route_queue_del(nl, &route);
	netlink_tolerate(nl, ESRCH);
}
