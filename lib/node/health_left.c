/* What attachments left that are gone: what a runtime remembers of them, leases, veth pairs, ifb links. */
#include "node/health_internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/text.h"
#include "cni/chain.h"
#include "cni/ifb.h"
#include "cni/loan.h"
#include "cni/netlint.h"
#include "cni/result.h"
#include "kernel/netlink.h"

enum { GOING_MS = 3000, LOOK_MS = 20 };

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
	int r = networks_add_text(&health->kept, cached->config, cached->config_size, &network,
				  err);

	return r < 0 ? r : chain_del(&chain, network, err);
}

/* A pair dies with either of its namespaces: one that is there leads to one that lives, whatever has become of its name. */
static const struct link *pair_of(struct health *health, const struct cached *cached)
{
	struct cni_result result = { 0 };

	if (!cached->result ||
	    result_decode(cached->result, NULL, false, health->arena, &result, NULL) < 0)
		return NULL;
	list_each(interface, &result.interfaces)
		list_each(link, &health->scene.here->links)
			if (!(interface->sandbox && *interface->sandbox) && interface->name &&
			    streq(link->name, interface->name) && streq(link->kind, "veth") &&
			    link->peer_netns >= 0)
				return link;
	return NULL;
}

/* The kernel takes a namespace down a moment after its last user. All pairs together have so long to go. */
static bool goes_soon(struct health *health, const struct link *link, int64_t end)
{
	struct netlink *nl = health->scene.here->nl;
	struct link now;

	do {
		if (link_get_index(nl, link->index, &now, NULL) == -ENODEV)
			return true;
		poll(NULL, 0, LOOK_MS);
	} while (clock_ms() < end);
	return false;
}

/* Where it can be entered; NULL = only something that was opened holds it, or it is not for us to see. */
static const char *whereabouts(struct health *health, const struct link *pair)
{
	struct spot other;

	return scene_other_end(&health->scene, health->scene.here, pair, &other)
		       ? other.place->info->path
		       : NULL;
}

static void add_lost(struct health *health, const struct cached *cached, const struct link *pair,
		     const char *path)
{
	health_add(health, "attachment",
		   health_text(health,
			       "%s of %s to network %s: its namespace lives, and has lost its name",
			       cached->ifname, cached->container, cached->network),
		   health_text(health, "%s is gone, and %s leads to it still: it is %s",
			       cached->netns, pair->name,
			       path ? path : "held open by a process, or not seen from here"),
		   health_text(health, "cnibox cni del%s %s%s%s --container-id %s --ifname %s",
			       health->query->cni_options, cached->network, path ? " " : "",
			       path ? health_word(health, path) : "", cached->container,
			       cached->ifname));
}

static void add_gone(struct health *health, const struct cached *cached)
{
	struct ailment *ailment = health_add(
		health, "attachment",
		health_text(health, "%s of %s to network %s: its namespace is no more",
			    cached->ifname, cached->container, cached->network),
		health_text(health,
			    "%s is gone, and nobody called DEL: its addresses and rules are still "
			    "held",
			    cached->netns),
		health_text(health, "cnibox cni del%s %s --container-id %s --ifname %s",
			    health->query->cni_options, cached->network, cached->container,
			    cached->ifname));

	ailment->arg = cached;
	if (cached->config)
		ailment->mend = detach;
}

int health_check_attachments(struct health *health, struct error *err)
{
	int64_t end = clock_ms() + GOING_MS;

	list_each(cached, &health->scene.attachments) {
		const struct link *pair;
		const char *path;

		if (!cached->netns || !cached->network || !cached->container || !cached->ifname ||
		    !health_namespace_is_gone(cached->netns))
			continue;
		pair = pair_of(health, cached);
		path = pair ? whereabouts(health, pair) : NULL;
		if (pair && (path || !goes_soon(health, pair, end)))
			add_lost(health, cached, pair, path);
		else
			add_gone(health, cached);
	}
	(void)err;
	return 0;
}

/* ---- leases ---- */

/* Nobody remembers whose it is, so that nobody can prove that it is gone. */
static void check_lease(struct health *health, const struct holding *holding, const char *options)
{
	if (holding->state != HOLDING_UNKNOWN || health_is_young(health, holding->since_ms))
		return;
	health_add(health, "lease",
		   health_text(health, "%s of network %s: held by %s, whom nobody knows",
			       health_ip(health, &holding->ip), holding->network,
			       holding->container),
		   "no namespace has the address, and no runtime remembers the attachment",
		   health_text(health, "cnibox ipam release%s%s --network %s %s", options,
			       health->query->cache_option, holding->network,
			       health_ip(health, &holding->ip)));
}

static int read_leases(struct health *health, const char *folder, const char *options,
		       struct error *err)
{
	const struct health_query *query = health->query;
	size_t before = health->holdings.n;
	int r = holdings_read(folder, NULL, query->cache_dir, false, health->arena,
			      &health->holdings, err);

	for (size_t i = before; i < health->holdings.n; i++)
		check_lease(health, &health->holdings.items[i], options);
	return r;
}

/* Folders that a network's host-local is told to keep its leases in. */
static void add_folders(const struct network *network, struct arena *arena, words_t *folders)
{
	list_each(plugin, &network->plugins) {
		const struct json *ipam = json_member(*plugin, "ipam");
		const char *type = json_string(json_member(ipam, "type"));
		const char *folder = json_string(json_member(ipam, "dataDir"));

		if (type && streq(type, "host-local") && folder && *folder)
			*list_add(arena, folders) = folder;
	}
}

int health_check_leases(struct health *health, struct error *err)
{
	const char *usual = health->query->data_dir, *last = "";
	words_t folders = { 0 };
	int r = read_leases(health, usual, health->query->data_option, err);

	list_each(network, &health->networks.all)
		add_folders(network, health->arena, &folders);
	words_sort(&folders);
	list_each(folder, &folders) {
		if (r < 0 || streq(*folder, usual) || streq(*folder, last))
			continue;
		last = *folder;
		r = read_leases(health, last, health_text(health, " --data-dir %s", last), err);
	}
	return r;
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
						 health_word(health, link->name),
						 health_word(health, link->alias)));
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

	return link->peer_netns < 0 && !link->master &&
	       scene_other_end(&health->scene, here, link, &other) && !other.link->master &&
	       !(other.link->flags & LINK_UP) && !place_first_addr(here, other.link->index, 2) &&
	       !place_first_addr(here, link->index, 2);
}

/* LXD gives its links such names, too, and puts them into bridges of its own. */
static bool is_of_network(const struct health *health, const struct link *link)
{
	const struct link *master =
		link->master ? place_link(health->scene.here, link->master) : NULL;

	return !master || network_has_bridge(&health->networks, master->name);
}

/* Since when there can have been something in it: what is mounted on its name is as old as the name. */
static bool is_young(const struct health *health, const struct place *place)
{
	struct stat st;

	return stat(place->info->path, &st) < 0 ||
	       health_is_young(health, (int64_t)st.st_mtime * 1000);
}

static bool is_unattached(struct health *health, const struct link *link)
{
	struct spot other;

	if (link->peer_netns < 0 ||
	    !scene_other_end(&health->scene, health->scene.here, link, &other) ||
	    other.place->attachment || !is_of_network(health, link))
		return false;
	list_each(holding, &health->holdings)
		if (place_addr(other.place, &holding->ip))
			return false;
	return !place_first_addr(other.place, other.link->index, 2) &&
	       !place_first_addr(other.place, other.link->index, 10) &&
	       !is_young(health, other.place);
}

/* As it was when it was found? Who makes a pair moves its other end a moment later. */
static int delete_idle_pair(struct health *health, const struct ailment *ailment, struct error *err)
{
	const struct link *link = ailment->arg;
	struct netlink *nl = health->scene.here->nl;
	struct link now, other;
	int r = link_get_index(nl, link->index, &now, err);

	if (r >= 0)
		r = link_get_index(nl, link->peer, &other, err);
	if (r < 0)
		return r;
	if (now.master || now.peer_netns >= 0 || other.flags & LINK_UP || other.master)
		return fail(err, EBUSY, "somebody is at work on it");
	return delete_link(health, ailment, err);
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
				health_text(health, "ip link del %s",
					    health_word(health, link->name)));
			ailment->arg = link;
			ailment->mend = delete_idle_pair;
		} else if (is_unattached(health, link)) {
			health_add(
				health, "veth",
				health_text(health, "%s leads to a container without address",
					    link->name),
				"the other end is in a namespace that no attachment is remembered of",
				health_text(health, "ip link del %s",
					    health_word(health, link->name)));
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
		struct ailment *ailment = health_add(
			health, "ifb",
			health_text(health, "%s limits nobody%s%s", link->name,
				    *link->alias ? ", once of " : "", link->alias),
			"nothing is led to it: the link of its container is gone",
			health_text(health, "ip link del %s", health_word(health, link->name)));

		ailment->arg = link;
		ailment->mend = delete_link;
	}
	return 0;
}
