/* What is configured: network lists, those that do not go together, what the kernel lacks for them, plugin folders. */
#include "node/health_internal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/process.h"
#include "base/text.h"
#include "cni/chain.h"
#include "cni/netlint.h"
#include "cni/pool.h"
#include "describe/json.h"
#include "kernel/link_kinds.h"
#include "kernel/netlink.h"

/* ---- networks by themselves ---- */

int health_check_networks(struct health *health, struct error *err)
{
	const struct health_query *query = health->query;
	const struct netlint how = { .path = query->plugin_path,
				     .find_plugin = query->find_plugin };

	if (health->networks_read < 0) {
		*err = health->networks_error;
		return health->networks_read;
	}
	list_each(network, &health->networks.all) {
		network_lint(&health->networks, network, &how);
		list_each(problem, &network->problems)
			health_add(
				health, "network",
				health_text(health, "%s: %s", network->file, problem->text),
				network->unusable ? "no runtime can use it as it is" : NULL,
				health_text(health, "edit %s", health_word(health, network->file)));
	}
	return 0;
}

/* ---- networks with each other ---- */

static void add_conflict(void *arg, const struct network_conflict *conflict)
{
	const struct network *a = conflict->first, *b = conflict->second;
	char text[CIDR_TEXT_SIZE], text2[CIDR_TEXT_SIZE];
	struct health *health = arg;

	cidr_format(&conflict->one->subnet, text);
	cidr_format(&conflict->other->subnet, text2);
	if (!conflict->bridge)
		health_add(
			health, "conflict",
			health_text(health, "networks %s and %s give out the same addresses",
				    a->name, b->name),
			health_text(health,
				    "%s (%s) and %s (%s) overlap, and each counts its own leases",
				    text, a->file, text2, b->file),
			health_text(health, "change the subnet in %s", b->file));
	else
		health_add(health, "conflict",
			   health_text(health,
				       "networks %s and %s share bridge %s with different subnets",
				       a->name, b->name, conflict->bridge),
			   health_text(health,
				       "%s and %s: the second is refused, or takes the gateway's "
				       "address away (forceAddress)",
				       text, text2),
			   health_text(health, "change \"bridge\" in %s", b->file));
}

/* A pod of such an address cannot be told from a neighbour of the node. */
static void check_own_address(struct health *health, const struct network *network,
			      const struct range *range, const struct addr *addr)
{
	const struct link *link = place_link(health->scene.here, addr->index);
	char text[CIDR_TEXT_SIZE], text2[CIDR_TEXT_SIZE];

	if (!link || !cidr_contains(&range->subnet, &addr->cidr.ip) || streq(link->kind, "veth") ||
	    ip_equal(&addr->cidr.ip, &range->subnet.ip) || /* flannel0 has its own subnet's */
	    addr->cidr.prefix == ip_bits(&addr->cidr.ip) ||
	    network_has_bridge(&health->networks, link->name))
		return;
	health_add(health, "conflict",
		   health_text(health, "network %s gives out addresses of this node's %s",
			       network->name, link->name),
		   health_text(health, "%s (%s) is within %s", cidr_format(&addr->cidr, text),
			       link->name, cidr_format(&range->subnet, text2)),
		   health_text(health, "change the subnet in %s", network->file));
}

/* Where pods have a bridge of their own: those of macvlan and the like share the network of their master. */
static void check_own(struct health *health, const struct network *network)
{
	range_sets_t sets = { 0 };

	if (network->unusable || !network->name || !network_bridge(network) ||
	    pool_ranges(network, health->arena, &sets, NULL) < 0)
		return;
	list_each(set, &sets)
		list_each(range, set)
			list_each(addr, &health->scene.here->addrs)
				check_own_address(health, network, range, addr);
}

int health_check_conflicts(struct health *health, struct error *err)
{
	(void)err;
	list_each(network, &health->networks.all)
		check_own(health, network);
	networks_conflicts(&health->networks, health->arena, add_conflict, health);
	return 0;
}

/* ---- the kernel, for them ---- */

struct asking {
	struct health *health;
	const struct network *network;
};

/* A plugin's own answer to STATUS: what it lacks, be it addresses or something of the kernel. */
static void take_status(void *arg, const struct chain_step *step)
{
	const struct asking *asking = arg;

	if (step->error && step->file)
		health_add(asking->health, "status",
			   health_text(asking->health, "network %s, plugin %s: %s",
				       asking->network->name, step->type, step->error->message),
			   "an ADD would fail", NULL)
			->look =
			health_text(asking->health, "cnibox cni status%s -v %s",
				    asking->health->query->cni_options, asking->network->name);
}

/* Which links a plugin needs; those of its own name are asked for, too. */
static void check_links(struct health *health, const struct network *network, const char *type)
{
	static const char *const needs[][2] = {
		{ "bridge", "bridge" },   { "bridge", "veth" },   { "ptp", "veth" },
		{ "macvlan", "macvlan" }, { "ipvlan", "ipvlan" }, { "vlan", "vlan" },
		{ "dummy", "dummy" },     { "vrf", "vrf" },       { "bandwidth", "ifb" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		struct error why = { 0 };

		if (streq(needs[i][0], type) &&
		    link_kind_probe(health->scene.here->nl, needs[i][1], &why) == -EOPNOTSUPP)
			health_add(
				health, "kernel",
				health_text(health,
					    "network %s needs %s links, which this kernel has not",
					    network->name, needs[i][1]),
				health_text(health, "plugin %s: %s", type, why.message),
				health_text(health, "modprobe %s", link_kind_module(needs[i][1])));
	}
}

int health_check_kernel(struct health *health, struct error *err)
{
	(void)err;
	list_each(network, &health->networks.all) {
		struct asking asking = { health, network };
		struct chain chain = { .args = "",
				       .path = health->query->plugin_path,
				       .cache_folder = health->query->cache_dir,
				       .find_plugin = health->query->find_plugin,
				       .arena = health->arena,
				       .step = take_status,
				       .arg = &asking };
		size_t before = health->report->ailments.n;

		if (network->unusable)
			continue;
		list_each(plugin, &network->plugins) {
			const char *type = json_string(json_member(*plugin, "type"));

			if (type)
				check_links(health, network, type);
		}
		if (health->report->ailments.n == before &&
		    cni_version_compare(network->version, "1.1.0") >= 0 &&
		    chain_status(&chain, network, NULL) < 0)
			continue; /* told step by step */
	}
	return 0;
}

/* ---- plugin folders ---- */

/* What a copy or an older file of cnibox says of itself; "" = it does not. */
static const char *version_of(struct health *health, const char *file)
{
	static const char *const argv[] = { "cnibox", "--version", NULL };
	const struct process process = { .path = file,
					 .argv = argv,
					 .timeout_ms = 5000,
					 .output_max = 256,
					 .keep_stderr = true };
	struct process_result result = { 0 };

	if (process_run(&process, health->arena, &result, NULL) < 0 || result.status != 0)
		return "";
	result.output[strcspn(result.output, "\n")] = '\0';
	text_mask(result.output);
	return has_prefix(result.output, "cnibox ") ? result.output + strlen("cnibox ") : "";
}

static bool is_us(const struct stat *file)
{
	struct stat own;

	return stat("/proc/self/exe", &own) == 0 && own.st_dev == file->st_dev &&
	       own.st_ino == file->st_ino;
}

/* Only a name that `cnibox install` made a link is ours to start. */
static void check_plugin(struct health *health, const char *folder, const char *name,
			 const char **told)
{
	const char *file = health_text(health, "%s/%s", folder, name), *version;
	char target[PATH_MAX];
	ssize_t len = readlink(file, target, sizeof(target) - 1);
	struct stat st;

	if (len < 0)
		return;
	target[len] = '\0';
	if (stat(file, &st) < 0) {
		health_add(health, "plugin", health_text(health, "%s leads nowhere", file),
			   health_text(health, "there is no %s", target),
			   has_prefix(target, ".cnibox/") && health->query->find_plugin(name)
				   ? health_text(health, "cnibox install --dir %s",
						 health_word(health, folder))
				   : health_text(health, "rm %s", health_word(health, file)));
		return;
	}
	if (**told || is_us(&st) || !has_prefix(target, ".cnibox/now/"))
		return;
	version = version_of(health, file);
	if (!*version || streq(version, health->query->version))
		return;
	*told = version;
	health_add(health, "plugin",
		   health_text(health, "plugins in %s are cnibox %s, and this is %s", folder,
			       version, health->query->version),
		   "runtimes use those, so that what is tried here may differ",
		   health_text(health, "cnibox install --dir %s", health_word(health, folder)));
}

int health_check_plugins(struct health *health, struct error *err)
{
	char *rest = arena_strdup(health->arena, health->query->plugin_path);

	(void)err;
	for (char *folder; (folder = strsep(&rest, ":"));) {
		DIR *dir = *folder ? opendir(folder) : NULL;
		const struct dirent *entry;
		const char *told = "";

		while (dir && (entry = readdir(dir)))
			if (entry->d_name[0] != '.')
				check_plugin(health, folder, entry->d_name, &told);
		if (dir)
			closedir(dir);
	}
	return 0;
}
