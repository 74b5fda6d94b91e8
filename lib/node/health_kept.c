/* Is an attachment still as its ADD left it? Who flushes rules takes those of all: one of each network is asked by its CHECK. */
#include "node/health_internal.h"

#include <sys/stat.h>

#include "cni/chain.h"

/* What others' plugins answer to CHECK is not to be relied on: few runtimes ask them. */
static bool is_ours(const struct health *health, const struct network *network)
{
	const struct health_query *query = health->query;

	list_each(plugin, &network->plugins) {
		const char *type = json_string(json_member(*plugin, "type"));
		struct delegate delegate;

		if (!type ||
		    delegate_find(type, query->plugin_path, query->find_plugin, &delegate, NULL) <
			    0 ||
		    !delegate.plugin)
			return false;
	}
	return !network->disable_check && cni_version_compare(network->version, "0.4.0") >= 0;
}

static bool is_settled(const struct health *health, const struct cached *cached)
{
	struct stat st;

	return cached->netns && cached->config && stat(cached->file, &st) == 0 &&
	       !health_is_young(health, (int64_t)st.st_mtime * 1000) &&
	       !health_namespace_is_gone(cached->netns);
}

static void check(struct health *health, const struct cached *cached)
{
	struct chain chain = { .container = cached->container,
			       .netns = cached->netns,
			       .ifname = cached->ifname,
			       .args = cached->args ? cached->args : "",
			       .path = health->query->plugin_path,
			       .cache_folder = health->query->cache_dir,
			       .capability_args = cached->capability_args,
			       .find_plugin = health->query->find_plugin,
			       .arena = health->arena };
	const struct network *network;
	struct error why = { 0 };

	if (networks_add_text(&health->kept, cached->config, cached->config_size, &network, NULL) <
		    0 ||
	    !is_ours(health, network) || chain_check(&chain, network, &why) >= 0 ||
	    !is_settled(health, cached))
		return;
	health_add(
		health, "attachment",
		health_text(health, "%s of %s to network %s is not as it was made", cached->ifname,
			    cached->container, cached->network),
		health_text(health, "%s (of each network one attachment was asked)", why.message),
		health_text(health, "cnibox cni restore%s %s", health->query->cni_options,
			    cached->network))
		->look =
		health_text(health, "cnibox cni check%s -v %s %s --container-id %s --ifname %s",
			    health->query->cni_options, cached->network,
			    health_word(health, cached->netns), cached->container, cached->ifname);
}

/* They are sorted by network. */
int health_check_kept(struct health *health, struct error *err)
{
	const char *last = "";

	(void)err;
	list_each(cached, &health->scene.attachments) {
		if (!cached->network || !cached->container || !cached->ifname ||
		    streq(cached->network, last) || !is_settled(health, cached))
			continue;
		last = cached->network;
		check(health, cached);
	}
	return 0;
}
