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

void ifb_queue_get(struct netlink *nl, const struct owner *owner, struct link ifbs[IFB_NAMES])
{
	char name[16];

	for (unsigned i = 0; i < IFB_NAMES; i++) {
		ifb_name(owner, i, name);
		link_queue_get(nl, name, &ifbs[i]);
		netlink_tolerate(nl, ENODEV);
	}
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

struct lead { /* what enters one link is led to another */
	int from, to;
};

struct collection {
	const char *network;
	const owners_t *valid;
	struct netlink *host;
	struct arena *arena;
	qdiscs_t qdiscs; /* of all links */
	LIST(struct lead) leads;
};

/* One question for each hook: who asks for each ifb, asks pods times pods. */
static int read_leads(struct collection *gc, struct error *err)
{
	gc->leads.n = 0;
	list_each(qdisc, &gc->qdiscs) {
		link_indices_t targets = { 0 };
		struct error why = { 0 };

		if (!streq(qdisc->kind, "ingress"))
			continue;
		if (qdisc_targets(gc->host, qdisc->index, gc->arena, &targets, &why) < 0 &&
		    why.errnum != ENODEV) /* it went meanwhile */
			return fail(err, why.errnum, "%s", why.message);
		list_each(target, &targets)
			*list_add(gc->arena, &gc->leads) = (struct lead){ qdisc->index, *target };
	}
	return 0;
}

static int look_at_qdiscs(struct collection *gc, struct error *err)
{
	int r = qdisc_list(gc->host, gc->arena, &gc->qdiscs, err);

	return r < 0 ? r : read_leads(gc, err);
}

static bool is_led_to(const struct collection *gc, const struct link *ifb)
{
	list_each(lead, &gc->leads)
		if (lead->to == ifb->index)
			return true;
	return false;
}

static bool has_limit(const struct collection *gc, const struct link *ifb)
{
	list_each(qdisc, &gc->qdiscs)
		if (qdisc->index == ifb->index && qdisc->is_root && streq(qdisc->kind, "tbf"))
			return true;
	return false;
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
static bool is_garbage(const struct collection *gc, const struct link *ifb)
{
	if (!has_prefix(ifb->name, IFB_PREFIX))
		return false;
	if (*ifb->alias)
		return alias_is_stale(gc, ifb);
	return !named_by_valid(gc, ifb) && has_limit(gc, ifb) && !is_led_to(gc, ifb);
}

/* What leads to it goes first: without it the packets would be lost. */
static int remove_ifb(const struct collection *gc, const struct link *ifb, struct error *err)
{
	list_each(lead, &gc->leads)
		if (lead->to == ifb->index)
			qdisc_queue_del_ingress(gc->host, lead->from);
	link_queue_del_index(gc->host, ifb->index,
			     arena_printf(gc->arena, "delete link %s", ifb->name));
	netlink_tolerate(gc->host, ENODEV);
	return netlink_commit(gc->host, err);
}

int ifb_remove(struct netlink *host, const struct link *ifb, struct arena *arena, struct error *err)
{
	struct collection gc = { .host = host, .arena = arena };
	int r = look_at_qdiscs(&gc, err);

	return r < 0 ? r : remove_ifb(&gc, ifb, err);
}

int ifb_gc(const char *network, const owners_t *valid, struct error *err)
{
	struct netlink *host auto_netlink = NULL;
	struct arena arena auto_arena = { 0 };
	struct collection gc = { .network = network, .valid = valid, .arena = &arena };
	links_t ifbs = { 0 };
	int r = netlink_open(&host, NETLINK_SESSION_ROUTE, -1, err);

	if (r >= 0)
		r = link_list(host, "ifb", 0, &arena, &ifbs, err);
	gc.host = host;
	if (r >= 0 && ifbs.n)
		r = look_at_qdiscs(&gc, err);
	list_each(ifb, &ifbs)
		if (r >= 0 && is_garbage(&gc, ifb))
			r = remove_ifb(&gc, ifb, err);
	return r;
}

int ifb_orphans(struct netlink *host, struct arena *arena, links_t *orphans, struct error *err)
{
	struct collection gc = { .host = host, .arena = arena };
	links_t ifbs = { 0 };
	int r = link_list(host, "ifb", 0, arena, &ifbs, err);

	if (r >= 0 && ifbs.n)
		r = look_at_qdiscs(&gc, err);
	list_each(ifb, &ifbs)
		if (r >= 0 && has_prefix(ifb->name, IFB_PREFIX) && has_limit(&gc, ifb) &&
		    !is_led_to(&gc, ifb))
			*list_add(arena, orphans) = *ifb;
	return r;
}
