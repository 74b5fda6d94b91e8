/* What is left over of another way; see leftover.h. Routes through a device go with it; wanted ones have been replaced before. */
#include "agent/leftover.h"

#include <errno.h>

#include "agent/agent_internal.h"
#include "base/log.h"
#include "base/text.h"
#include "kernel/addr.h"
#include "relay/shortcut.h"

static bool is_numbered(const char *name, const char *prefix)
{
	const char *number = name + strlen(prefix);

	return has_prefix(name, prefix) && *number && !number[strspn(number, "0123456789")];
}

static bool is_tun(const struct link *link)
{
	return streq(link->kind, "tun") && link->mode == LINK_TUN_TUN;
}

/* The names alone would not do: an administrator may have a bridge flannel.1. */
bool leftover_is_device(const struct link *link)
{
	if (streq(link->kind, "vxlan"))
		return is_numbered(link->name, "flannel.") ||
		       is_numbered(link->name, "flannel-v6.");
	return is_tun(link) && is_numbered(link->name, "flannel");
}

static bool is_in_use(const struct agent *agent, int index)
{
	return index == agent->vtep.index || index == agent->vtep6.index ||
	       index == agent->tun.index;
}

static bool is_of_network(const struct agent *agent, const addrs_t *addrs, int index)
{
	const struct network_family *families[] = { &agent->config.v4, &agent->config.v6 };

	list_each(addr, addrs)
		for (size_t i = 0; i < ARRAY_SIZE(families); i++)
			if (addr->index == index && families[i]->enabled &&
			    cidr_contains(&families[i]->network, &addr->cidr.ip))
				return true;
	return false;
}

int leftover_remove(struct agent *agent, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	links_t links = { 0 };
	addrs_t addrs = { 0 };
	unsigned n;

	if (link_list(agent->nl, NULL, 0, &arena, &links, err) ||
	    addr_list(agent->nl, 0, 0, &arena, &addrs, err))
		return -err->errnum;
	list_each(link, &links) {
		if (!leftover_is_device(link) || is_in_use(agent, link->index) ||
		    !is_of_network(agent, &addrs, link->index))
			continue;
		if (is_tun(link) && shortcut_remove(agent->nl, &n, err) < 0)
			return -err->errnum;
		link_queue_del_index(agent->nl, link->index, link->name);
		netlink_tolerate(agent->nl, ENODEV);
		log_info("%s is taken away: this node goes another way by now", link->name);
	}
	return netlink_commit(agent->nl, err);
}
