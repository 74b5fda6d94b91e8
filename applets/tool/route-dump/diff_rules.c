/* --diff: masquerade and forward rules, as an agent would have them. */
#include "dump.h"

#include <errno.h>

#include "agent/plan.h"
#include "base/log.h"
#include "firewall/overlay_look.h"
#include "kernel/netns.h"
#include "lease/subnet_env.h"

struct telling {
	dump_change_fn *take;
	void *arg;
};

static void take_difference(void *arg, const struct overlay_difference *difference)
{
	const struct telling *telling = arg;

	telling->take(telling->arg, "rule", difference->was, difference->would);
}

/* What the file says of the agent: it masquerades, and had these networks. Without a file, nothing. */
static struct overlay wanted(const struct dump *dump, const struct options *options,
			     const struct plan_node *node)
{
	const struct network_config *config = node->config;
	struct arena *arena = dump->call->arena;
	struct subnet_env env = { .masquerade = false };
	struct overlay overlay = { .fully_random = true, .forward = options->forward };

	(void)!subnet_env_load(options->subnet_file, arena, &env, NULL);
	overlay.masquerade = options->ip_masq || (env.has_masquerade && env.masquerade);
	list_each(network, &env.networks)
		*list_add(arena, &overlay.was) = *network;
	list_each(network, &env.networks_v6)
		*list_add(arena, &overlay.was) = *network;
	if (config->v4.enabled)
		overlay.v4 = (struct overlay_family){ config->v4.network, node->own->subnet };
	if (config->v6.enabled)
		overlay.v6 = (struct overlay_family){ config->v6.network, node->own->subnet6 };
	return overlay;
}

static int look(const struct dump *dump, const struct overlay *overlay, bool nftables,
		struct telling *telling, struct error *err)
{
	enum firewall_backend form;
	int old = -1, r = firewall_choose(nftables ? "nftables" : NULL, &form, err);

	if (r == 0 && dump->netns >= 0)
		r = netns_enter(dump->netns, &old, err);
	if (r == 0)
		r = overlay_look(overlay, form, dump->call->arena, take_difference, telling, err);
	netns_leave(&old);
	return r;
}

int dump_diff_rules(const struct dump *dump, const struct options *options,
		    const struct plan_node *node, dump_change_fn *take, void *arg,
		    struct error *err)
{
	struct telling telling = { take, arg };
	const struct overlay overlay = wanted(dump, options, node);
	struct error why = { 0 };
	int r = look(dump, &overlay, node->config->nftables, &telling, &why);

	if (r == -EPERM) {
		log_warning("masquerade and forward rules are not compared: %s", why.message);
		return 0;
	}
	return r < 0 ? fail(err, why.errnum, "%s", why.message) : 0;
}
