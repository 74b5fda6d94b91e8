/* The namespaces of a node, their links and addresses, and who is joined with whom. */
#include "node/scene.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/text.h"
#include "kernel/fib.h"
#include "kernel/netlink.h"
#include "node/filter.h"

/* ---- loading ---- */

static const char *name_of(const struct netns_info *info, struct arena *arena)
{
	if (info->current)
		return "host";
	if (info->name)
		return info->name;
	if (info->container)
		return arena_printf(arena, "%.12s", info->container);
	return arena_printf(arena, "pid %d (%s)", info->pids.items[0],
			    info->command ? info->command : "?");
}

static int look(struct scene *scene, const struct netns_info *info, struct place *place,
		struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	auto_close int fd = -1;

	*place = (struct place){ .info = info, .name = name_of(info, scene->arena), .fd = -1 };
	if (netns_open(info->path, &fd, err) < 0 ||
	    netlink_open(&nl, NETLINK_SESSION_ROUTE, fd, err) < 0 ||
	    link_list(nl, NULL, 0, scene->arena, &place->links, err) < 0 ||
	    addr_list(nl, 0, 0, scene->arena, &place->addrs, err) < 0)
		return -err->errnum;
	return 0;
}

/* A namespace that ends meanwhile, or is not ours to look into, is none of the scene. */
static int look_at_all(struct scene *scene, struct error *err)
{
	list_each(info, &scene->namespaces) {
		struct error why = { 0 };
		struct place place;

		if (look(scene, info, &place, &why) == 0) {
			*list_add(scene->arena, &scene->places) = place;
		} else if (info->current || errnum_is_shortage(why.errnum)) {
			error_join(err, &why);
			return wrap(err, "look at network namespace %s", place.name);
		}
	}
	return 0;
}

static uint64_t inode_of(const char *path)
{
	auto_close int fd = -1;
	dev_t dev;
	ino_t ino = 0;

	if (!path || netns_open(path, &fd, NULL) < 0 || netns_identity(fd, &dev, &ino, NULL) < 0)
		return 0;
	return ino;
}

static void find_attachments(struct scene *scene)
{
	list_each(cached, &scene->attachments) {
		uint64_t inode = inode_of(cached->netns);

		list_each(place, &scene->places)
			if (inode && place->info->inode == inode && !place->attachment)
				place->attachment = cached;
	}
}

/* Who may not read what is remembered sees all the rest. */
static int read_attachments(struct scene *scene, const char *folder, struct error *err)
{
	struct error why = { 0 };

	if (cache_list(folder, false, scene->arena, &scene->attachments, &why) >= 0) {
		find_attachments(scene);
	} else if (errnum_is_shortage(why.errnum)) {
		error_join(err, &why);
		return -err->errnum;
	}
	return 0;
}

int scene_load(struct scene *scene, const char *cache_folder, struct arena *arena,
	       struct error *err)
{
	int r;

	*scene = (struct scene){ .arena = arena };
	r = netns_list(arena, &scene->namespaces, err);
	if (r < 0)
		return r;
	r = look_at_all(scene, err);
	if (r < 0)
		return r;
	list_each(place, &scene->places)
		if (place->info->current)
			scene->here = place;
	if (!scene->here)
		return fail(err, EPERM, "this network namespace cannot be looked at");
	return cache_folder ? read_attachments(scene, cache_folder, err) : 0;
}

void scene_close(struct scene *scene)
{
	list_each(place, &scene->places) {
		filter_close(place->filter);
		netlink_closep(&place->nl);
		close_fd(&place->fd);
	}
	cached_list_release(&scene->attachments);
}

int scene_enter(const struct scene *scene, struct place *place, struct error *err)
{
	struct arena *arena = scene->arena;
	int r;

	if (place->nl)
		return 0;
	r = netns_open(place->info->path, &place->fd, err);
	if (r >= 0)
		r = netlink_open(&place->nl, NETLINK_SESSION_ROUTE, place->fd, err);
	if (r >= 0)
		r = neigh_list(place->nl, 0, false, arena, &place->neighs, err);
	if (r >= 0)
		r = fdb_list(place->nl, arena, &place->fdbs, err);
	if (r >= 0)
		r = link_vlans(place->nl, 0, arena, &place->vlans, err);
	place->rules = arena_alloc(arena, sizeof(*place->rules));
	if (r >= 0)
		r = rule_list(place->nl, 0, arena, &place->rules->list, err);
	if (r == -EOPNOTSUPP)
		r = 0;
	if (r >= 0 && qdisc_list(place->nl, arena, &place->qdiscs, NULL) < 0)
		place->qdiscs.n = 0;
	return r < 0 ? wrap(err, "%s", place->name) : 0;
}

/* ---- who has what ---- */

void scene_holders(const struct scene *scene, const struct ip *ip, spots_t *spots)
{
	list_each(place, &scene->places) {
		const struct addr *addr = place_addr(place, ip);

		if (addr)
			*list_add(scene->arena, spots) =
				(struct spot){ place, place_link(place, addr->index) };
	}
}

static int find_by_address(const struct scene *scene, const struct ip *ip, struct place **place,
			   struct error *err)
{
	char text[IP_TEXT_SIZE];
	spots_t spots = { 0 };

	scene_holders(scene, ip, &spots);
	if (!spots.n)
		return fail(err, ENOENT, "no namespace of this node has the address %s",
			    ip_format(ip, text));
	*place = spots.items[0].place;
	return 0;
}

int scene_find(const struct scene *scene, const char *word, struct place **place, struct error *err)
{
	struct ip ip;
	uint64_t inode;
	char *path;
	int r;

	*place = scene->here;
	if (streq(word, "host") || streq(word, "."))
		return 0;
	if (ip_parse(word, &ip))
		return find_by_address(scene, &ip, place, err);
	r = netns_resolve(word, scene->arena, &path, err);
	if (r < 0)
		return r;
	inode = inode_of(path);
	list_each(one, &scene->places)
		if (inode && one->info->inode == inode) {
			*place = one;
			return 0;
		}
	return fail(err, ENOENT, "\"%s\" is no network namespace that can be looked into", word);
}

/* ---- veth pairs, and links on top of others ---- */

static const struct link *end_in(const struct place *place, const struct link *link)
{
	const struct link *other = place_link(place, link->peer);

	return other && other != link && streq(other->kind, "veth") && other->peer == link->index
		       ? other
		       : NULL;
}

static bool is_namespace_of_peer(const struct place *place, const struct link *link,
				 const struct place *other)
{
	return other != place &&
	       (place->info->current
			? other->info->id == link->peer_netns
			: netns_known_as(place->info->path, other->info->path, link->peer_netns));
}

bool scene_parent(const struct scene *scene, struct place *place, const struct link *link,
		  struct spot *parent)
{
	*parent = (struct spot){ 0 };
	if (!link->peer)
		return false;
	if (link->peer_netns < 0)
		*parent = (struct spot){ place, place_link(place, link->peer) };
	else
		list_each(other, &scene->places)
			if (is_namespace_of_peer(place, link, other))
				*parent = (struct spot){ other, place_link(other, link->peer) };
	return parent->link;
}

/* Is `other` the namespace that a veth in `place` leads to, whose end there is `end`? Our own knows the others by ids. */
static bool is_behind(const struct place *place, const struct link *link, const struct place *other,
		      const struct link *end)
{
	if (!place->info->current && other->info->current && place->info->id >= 0)
		return place->info->id == end->peer_netns;
	return is_namespace_of_peer(place, link, other);
}

bool scene_other_end(const struct scene *scene, struct place *place, const struct link *link,
		     struct spot *spot)
{
	*spot = (struct spot){ 0 };
	if (!streq(link->kind, "veth") || !link->peer)
		return false;
	if (link->peer_netns < 0) {
		*spot = (struct spot){ place, end_in(place, link) };
		return spot->link;
	}
	list_each(other, &scene->places) {
		const struct link *end = end_in(other, link);

		if (end && other != place && is_behind(place, link, other, end)) {
			*spot = (struct spot){ other, end };
			return true;
		}
	}
	return false;
}
