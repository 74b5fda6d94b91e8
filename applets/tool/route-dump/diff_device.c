/* --diff: MTU, MAC and address of the devices that are there, as an agent would have them. */
#include "dump.h"

#include "agent/device.h"
#include "kernel/addr.h"

struct comparing {
	const struct dump *dump;
	const struct link *link;
	const struct device_spec *spec;
	dump_change_fn *take;
	void *arg;
};

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
			r = compare(&c, c.link != last, err);
			last = c.link;
		}
	}
	return r;
}
