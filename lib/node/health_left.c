/* What attachments left that are gone: what a runtime remembers of them, leases, veth pairs, ifb links. */
#include "node/health_internal.h"

#include <errno.h>

#include "base/clock.h"
#include "base/text.h"
#include "cni/chain.h"
#include "cni/ifb.h"
#include "cni/loan.h"
#include "kernel/netlink.h"

/* ---- attachments ---- */

bool health_namespace_is_gone(const char *path)
{
	auto_close int fd = -1;
	struct error err = { 0 };
	int r = netns_open(path, &fd, &err);

	return r == -ENOENT ||
	       r == -EINVAL; /* not there, or only the file that it was mounted on */
}

/* As the runtime's own DEL: every plugin of the list, then what is remembered. */
static int detach(struct health *health, const struct ailment *ailment, struct error *err)
{
	const struct cached *cached = ailment->arg;
	const struct network *network;
	struct chain chain = { .container = cached->container,
			       .netns = cached->netns,
			       .ifname = cached->ifname,
			       .args = "",
			       .path = health->query->plugin_path,
			       .cache_folder = health->query->cache_dir,
			       .find_plugin = health->query->find_plugin,
			       .arena = health->arena };
	int r = networks_add_text(&health->networks, cached->config, cached->config_size, &network,
				  err);

	return r < 0 ? r : chain_del(&chain, network, err);
}

int health_check_attachments(struct health *health, struct error *err)
{
	list_each(cached, &health->scene.attachments) {
		struct ailment *ailment;

		if (!cached->netns || !cached->network || !cached->container || !cached->ifname ||
		    !health_namespace_is_gone(cached->netns))
			continue;
		ailment = health_add(
			health, "attachment",
			health_text(health, "%s of %s to network %s: its namespace is no more",
				    cached->ifname, cached->container, cached->network),
			health_text(health,
				    "%s is gone, and nobody called DEL: its addresses and "
				    "rules are still held",
				    cached->netns),
			health_text(health, "cnibox cni del %s --container-id %s --ifname %s",
				    cached->network, cached->container, cached->ifname));
		ailment->arg = cached;
		if (cached->config)
			ailment->mend = detach;
	}
	(void)err;
	return 0;
}

/* ---- leases ---- */

/* Nobody remembers whose it is, so that nobody can prove that it is gone. */
int health_check_leases(struct health *health, struct error *err)
{
	int64_t newest = clock_wall_ms() - HEALTH_YOUNG_MS;
	int r = holdings_read(health->query->data_dir, NULL, health->query->cache_dir, false,
			      health->arena, &health->holdings, err);

	if (r < 0)
		return r;
	list_each(holding, &health->holdings)
		if (holding->state == HOLDING_UNKNOWN && holding->since_ms <= newest)
			health_add(
				health, "lease",
				health_text(health,
					    "%s of network %s: held by %s, whom nobody knows",
					    health_ip(health, &holding->ip), holding->network,
					    holding->container),
				"no namespace has the address, and no runtime remembers the attachment",
				health_text(health, "cnibox ipam release %s",
					    health_ip(health, &holding->ip)));
	return 0;
}

/* ---- devices ---- */

static int give_name_back(struct health *health, const struct ailment *ailment, struct error *err)
{
	return loan_rename(health->scene.here->nl, ailment->arg, err);
}

/* The kernel returned it when its namespace died, under a name of its own making. */
int health_check_loans(struct health *health, struct error *err)
{
	(void)err;
	list_each(link, &health->scene.here->links) {
		struct ailment *ailment;

		if (link->flags & LINK_UP || !loan_returned(link, ""))
			continue;
		ailment = health_add(health, "device",
				     health_text(health, "%s is %s, which a container had",
						 link->name, link->alias),
				     "the container's namespace is gone, and nobody called DEL",
				     health_text(health, "ip link set %s name %s alias ''",
						 link->name, link->alias));
		ailment->arg = link;
		ailment->mend = give_name_back;
	}
	return 0;
}

/* ---- links ---- */

static int delete_link(struct health *health, const struct ailment *ailment, struct error *err)
{
	const struct link *link = ailment->arg;
	struct netlink *nl = health->scene.here->nl;

	link_queue_del_index(nl, link->index, health_text(health, "delete link %s", link->name));
	netlink_tolerate(nl, ENODEV);
	return netlink_commit(nl, err);
}

/* "veth" and 8 digits: the reference's names, and ours. */
static bool is_plugins_veth(const struct link *link)
{
	return streq(link->kind, "veth") && has_prefix(link->name, "veth") &&
	       strlen(link->name) == 12 && strspn(link->name + 4, "0123456789abcdef") == 8;
}

/* Both ends on the host, and the other one of no use to anybody. */
static bool leads_nowhere(struct health *health, const struct link *link)
{
	struct place *here = health->scene.here;
	struct spot other;

	return link->peer_netns < 0 && scene_other_end(&health->scene, here, link, &other) &&
	       !other.link->master && !(other.link->flags & LINK_UP) &&
	       !place_first_addr(here, other.link->index, 2) &&
	       !place_first_addr(here, link->index, 2);
}

static bool is_unattached(struct health *health, const struct link *link)
{
	struct spot other;

	if (link->peer_netns < 0 ||
	    !scene_other_end(&health->scene, health->scene.here, link, &other) ||
	    other.place->attachment)
		return false;
	list_each(holding, &health->holdings)
		if (place_addr(other.place, &holding->ip))
			return false;
	return !place_first_addr(other.place, other.link->index, 2) &&
	       !place_first_addr(other.place, other.link->index, 10);
}

int health_check_veths(struct health *health, struct error *err)
{
	struct place *here = health->scene.here;

	list_each(link, &here->links) {
		struct ailment *ailment;

		if (!is_plugins_veth(link))
			continue;
		if (leads_nowhere(health, link)) {
			ailment = health_add(
				health, "veth", health_text(health, "%s leads nowhere", link->name),
				"both of its ends are on the host, and the other one is "
				"down and has no address",
				health_text(health, "ip link del %s", link->name));
			ailment->arg = link;
			ailment->mend = delete_link;
		} else if (is_unattached(health, link)) {
			health_add(
				health, "veth",
				health_text(health, "%s leads to a container without address",
					    link->name),
				"the other end is in a namespace that no attachment is remembered of",
				health_text(health, "ip link del %s", link->name));
		}
	}
	(void)err;
	return 0;
}

int health_check_ifbs(struct health *health, struct error *err)
{
	links_t orphans = { 0 };
	int r = ifb_orphans(health->scene.here->nl, health->arena, &orphans, err);

	if (r < 0)
		return r;
	list_each(link, &orphans) {
		struct ailment *ailment =
			health_add(health, "ifb",
				   health_text(health, "%s limits nobody%s%s", link->name,
					       *link->alias ? ", once of " : "", link->alias),
				   "nothing is led to it: the link of its container is gone",
				   health_text(health, "ip link del %s", link->name));

		ailment->arg = link;
		ailment->mend = delete_link;
	}
	return 0;
}
