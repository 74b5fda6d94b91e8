/* --diff: devices as an agent would have them: what makes them, MTU, MAC and address. */
#include "dump.h"

#include <sys/socket.h>

#include "agent/device.h"
#include "agent/vtep.h"
#include "kernel/addr.h"

struct comparing {
	const struct dump *dump;
	const struct link *link;
	const struct device_spec *spec;
	dump_change_fn *take;
	void *arg;
};

/* ---- what makes a VXLAN device ---- */

/* In the words of `ip -d link`. */
static const char *shape_text(const struct dump *dump, const char *name,
			      const struct link_vxlan *shape)
{
	struct arena *arena = dump->call->arena;
	char ip[IP_TEXT_SIZE];
	const char *text = arena_printf(arena, "%s type vxlan id %u", name, shape->vni);

	if (shape->local.family)
		text = arena_printf(arena, "%s local %s", text, ip_format(&shape->local, ip));
	if (shape->link)
		text = arena_printf(arena, "%s dev %s", text, dump_dev(dump, shape->link));
	return arena_printf(arena, "%s dstport %d %slearning%s", text,
			    shape->port ? shape->port : LINK_VXLAN_PORT,
			    shape->learning ? "" : "no", shape->gbp ? " gbp" : "");
}

/* The agent's own address below may be any that the interface has: the device's own, when it is one; else the one that others are
 * told, when it is. */
static struct ip local_of(const struct plan_node *node, bool v6, const struct link *there)
{
	const struct ip *told = v6 ? &node->own->public_ip6 : &node->own->public_ip;
	struct ip local = { 0 };

	list_each(address, &node->links) {
		if ((address->ip.family == AF_INET6) != v6)
			continue;
		if (there && ip_equal(&address->ip, &there->vxlan.local))
			return address->ip;
		if (!local.family || ip_equal(&address->ip, told))
			local = address->ip;
	}
	return local;
}

static void compare_shape(const struct dump *dump, const struct plan_node *node, bool v6,
			  dump_change_fn *take, void *arg)
{
	int index = v6 ? node->vtep6 : node->vtep;
	const struct link *there = links_at(&dump->links, index);
	const struct ip local = local_of(node, v6, there);
	const struct link_vxlan shape = vtep_shape(&node->config->backend, node->external, &local);
	const char *name = arena_printf(dump->call->arena, "flannel%s.%d", v6 ? "-v6" : "",
					node->config->backend.vni);

	if (!there || !vtep_is(&there->vxlan, &shape))
		take(arg, "link", there ? shape_text(dump, name, &there->vxlan) : NULL,
		     shape_text(dump, name, &shape));
}

void dump_diff_missing(const struct dump *dump, const struct plan_node *node, dump_change_fn *take,
		       void *arg)
{
	const struct network_config *config = node->config;
	bool vxlan = streq(node->own->type, "vxlan");

	if (vxlan && config->v4.enabled)
		compare_shape(dump, node, false, take, arg);
	if (vxlan && config->v6.enabled)
		compare_shape(dump, node, true, take, arg);
	if (plan_is_udp(node->own) && !node->tun)
		take(arg, "link", NULL, "flannel0 type tun");
}

/* ---- what can be changed ---- */

static void compare_learning(const struct comparing *c, bool wanted)
{
	struct arena *arena = c->dump->call->arena;
	const struct link *link = c->link;

	if (streq(link->kind, "vxlan") && link->vxlan.learning != wanted)
		c->take(c->arg, "link",
			arena_printf(arena, "%s %slearning", link->name, wanted ? "no" : ""),
			arena_printf(arena, "%s %slearning", link->name, wanted ? "" : "no"));
}

static void compare_link(const struct comparing *c)
{
	struct arena *arena = c->dump->call->arena;
	const struct link *link = c->link;
	char was[MAC_TEXT_SIZE], would[MAC_TEXT_SIZE];

	if (link->mtu != c->spec->mtu)
		c->take(c->arg, "link", arena_printf(arena, "%s mtu %d", link->name, link->mtu),
			arena_printf(arena, "%s mtu %d", link->name, c->spec->mtu));
	if (c->spec->mac.set && !mac_equal(&c->spec->mac, &link->mac))
		c->take(c->arg, "link",
			arena_printf(arena, "%s address %s", link->name,
				     mac_format(&link->mac, was)),
			arena_printf(arena, "%s address %s", link->name,
				     mac_format(&c->spec->mac, would)));
	if (!(link->flags & LINK_UP))
		c->take(c->arg, "link", arena_printf(arena, "%s down", link->name),
			arena_printf(arena, "%s up", link->name));
}

static const char *address_text(const struct comparing *c, const struct cidr *address)
{
	char text[CIDR_TEXT_SIZE];

	return arena_printf(c->dump->call->arena, "%s dev %s", cidr_format(address, text),
			    c->link->name);
}

/* The one of the node's subnet; others of the network go. */
static int compare_addresses(const struct comparing *c, struct error *err)
{
	const struct cidr *wanted = &c->spec->address;
	bool there = false;
	addrs_t addrs = { 0 };
	int r = 0;

	if (!wanted->ip.family)
		return 0;
	r = addr_list(c->dump->nl, wanted->ip.family, c->link->index, c->dump->call->arena, &addrs,
		      err);
	list_each(addr, &addrs) {
		if (cidr_equal(&addr->cidr, wanted))
			there = true;
		else if (cidr_contains(&c->spec->network, &addr->cidr.ip))
			c->take(c->arg, "addr", address_text(c, &addr->cidr), NULL);
	}
	if (r == 0 && !there)
		c->take(c->arg, "addr", NULL, address_text(c, wanted));
	return r;
}

static int compare(struct comparing *c, bool whole, struct error *err)
{
	if (whole)
		compare_link(c);
	return compare_addresses(c, err);
}

int dump_diff_devices(const struct dump *dump, const struct plan_node *node, dump_change_fn *take,
		      void *arg, struct error *err)
{
	const struct link *below = links_at(&dump->links, node->external);
	const int devices[][2] = { { node->vtep, node->vtep6 }, { node->tun, node->tun } };
	int r = 0;

	for (size_t i = 0; below && i < ARRAY_SIZE(devices); i++) {
		const struct link *last = NULL; /* one device for both families is looked at once */

		for (int v6 = 0; v6 < 2 && r >= 0; v6++) {
			struct device_spec spec = { 0 };
			struct comparing c = { dump, links_at(&dump->links, devices[i][v6]), &spec,
					       take, arg };

			if (!c.link || !device_wanted(node, devices[i][v6], v6, below->mtu, &spec))
				continue;
			if (c.link != last)
				compare_learning(&c, node->config->backend.learning);
			r = compare(&c, c.link != last, err);
			last = c.link;
		}
	}
	return r;
}
