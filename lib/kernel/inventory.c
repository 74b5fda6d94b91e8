/* All namespaces and what is in them; see inventory.h. */
#include "kernel/inventory.h"

#include "base/log.h"

static int read_one(struct inventory_item *item, struct arena *arena, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	auto_close int fd = -1;
	int r = netns_open(item->info.path, &fd, err);

	if (r >= 0)
		r = netlink_open(&nl, NETLINK_SESSION_ROUTE, fd, err);
	if (r >= 0)
		r = link_list(nl, NULL, 0, arena, &item->links, err);
	if (r >= 0)
		r = addr_list(nl, 0, 0, arena, &item->addrs, err);
	return r;
}

static const char *name_of(const struct netns_info *info, struct arena *arena)
{
	if (info->name)
		return info->name;
	if (info->current)
		return "(here)";
	if (info->pids.n)
		return arena_printf(arena, "pid %d", info->pids.items[0]);
	return info->path;
}

int inventory_read(struct arena *arena, inventory_t *inventory, struct error *err)
{
	netns_list_t infos = { 0 };
	int r = netns_list(arena, &infos, err);

	if (r < 0)
		return r;
	list_each(info, &infos) {
		struct inventory_item item = { .info = *info, .name = name_of(info, arena) };
		struct error own = { 0 };

		item.unseen = read_one(&item, arena, &own) < 0;
		if (errnum_is_shortage(own.errnum)) {
			error_join(err, &own);
			return wrap(err, "look at network namespace %s", item.name);
		}
		if (item.unseen)
			log_debug("%s: %s", info->path, own.message);
		*list_add(arena, inventory) = item;
	}
	return 0;
}
