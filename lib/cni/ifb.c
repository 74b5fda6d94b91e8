/* Names of ifb links, and which of them are garbage. */
#include "cni/ifb.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "kernel/qdisc.h"

#define IFB_PREFIX "bwp"

void ifb_name(const struct owner *owner, unsigned attempt, char name[16])
{
	char digest[13];

	sha512_hex(digest, sizeof(digest) - 1, owner->network, owner->container,
		   attempt ? owner->ifname : "", NULL);
	snprintf(name, 16, IFB_PREFIX "%s", digest);
}

/* None of the three can hold the separator. */
const char *ifb_alias(const struct owner *owner, struct arena *arena)
{
	const char *alias =
		arena_printf(arena, "%s/%s/%s", owner->network, owner->container, owner->ifname);

	return strlen(alias) < sizeof(((struct link *)NULL)->alias) ? alias : "";
}

bool ifb_is_of(const struct link *ifb, const struct owner *owner, struct arena *arena)
{
	return ifb->index && streq(ifb->kind, "ifb") &&
	       (!*ifb->alias || streq(ifb->alias, ifb_alias(owner, arena)));
}

/* ---- garbage ---- */

struct collection {
	const char *network;
	const owners_t *valid;
	struct netlink *host;
	struct arena *arena;
	qdiscs_t qdiscs; /* of all links */
};

static bool has_limit(const struct collection *gc, const struct link *ifb)
{
	list_each(qdisc, &gc->qdiscs)
		if (qdisc->index == ifb->index && qdisc->is_root && streq(qdisc->kind, "tbf"))
			return true;
	return false;
}

/* The links from which something is led to the ifb; with remove, no more. */
static int sources(const struct collection *gc, const struct link *ifb, bool remove, unsigned *n,
		   struct error *err)
{
	*n = 0;
	list_each(qdisc, &gc->qdiscs) {
		bool redirects;

		if (!streq(qdisc->kind, "ingress"))
			continue;
		if (qdisc_redirects(gc->host, qdisc->index, ifb->index, &redirects, err)) {
			if (!err || err->errnum != ENODEV) /* it went meanwhile */
				return err ? -err->errnum : -EIO;
			*err = (struct error){ 0 };
			continue;
		}
		*n += redirects;
		if (redirects && remove)
			qdisc_queue_del_ingress(gc->host, qdisc->index);
	}
	return remove ? netlink_commit(gc->host, err) : 0;
}

static bool named_by_valid(const struct collection *gc, const struct link *ifb)
{
	char name[16];

	list_each(owner, gc->valid) {
		const struct owner full = { gc->network, owner->container, owner->ifname };

		for (unsigned i = 0; i < IFB_NAMES; i++) {
			ifb_name(&full, i, name);
			if (streq(name, ifb->name))
				return true;
		}
	}
	return false;
}

/* The alias of another network begins with another name; of this one, it is that of a valid attachment or stale. */
static bool alias_is_stale(const struct collection *gc, const struct link *ifb)
{
	const char *prefix = arena_printf(gc->arena, "%s/", gc->network);

	if (!has_prefix(ifb->alias, prefix))
		return false;
	list_each(owner, gc->valid) {
		const struct owner full = { gc->network, owner->container, owner->ifname };

		if (streq(ifb->alias, ifb_alias(&full, gc->arena)))
			return false;
	}
	return true;
}

/* An ADD of the reference that is under way sets the limit last, when the filter is there. */
static int is_garbage(const struct collection *gc, const struct link *ifb, bool *garbage,
		      struct error *err)
{
	unsigned n;

	*garbage = false;
	if (!has_prefix(ifb->name, IFB_PREFIX))
		return 0;
	if (*ifb->alias) {
		*garbage = alias_is_stale(gc, ifb);
		return 0;
	}
	if (named_by_valid(gc, ifb) || !has_limit(gc, ifb))
		return 0;
	if (sources(gc, ifb, false, &n, err))
		return -err->errnum;
	*garbage = n == 0;
	return 0;
}

/* What leads to it goes first: without it the packets would be lost. */
static int collect(const struct collection *gc, const links_t *ifbs, struct error *err)
{
	list_each(ifb, ifbs) {
		bool garbage;
		unsigned n;

		if (is_garbage(gc, ifb, &garbage, err))
			return -err->errnum;
		if (!garbage)
			continue;
		if (sources(gc, ifb, true, &n, err))
			return -err->errnum;
		link_queue_del_index(gc->host, ifb->index,
				     arena_printf(gc->arena, "delete link %s", ifb->name));
		netlink_tolerate(gc->host, ENODEV);
		if (netlink_commit(gc->host, err))
			return -err->errnum;
	}
	return 0;
}

int ifb_gc(const char *network, const owners_t *valid, struct error *err)
{
	struct netlink *host auto_netlink = NULL;
	struct arena arena auto_arena = { 0 };
	struct collection gc = { .network = network, .valid = valid, .arena = &arena };
	links_t ifbs = { 0 };

	if (netlink_open(&host, NETLINK_SESSION_ROUTE, -1, err) ||
	    link_list(host, "ifb", 0, &arena, &ifbs, err))
		return -err->errnum;
	gc.host = host;
	if (ifbs.n && qdisc_list(host, &arena, &gc.qdiscs, err))
		return -err->errnum;
	return collect(&gc, &ifbs, err);
}
