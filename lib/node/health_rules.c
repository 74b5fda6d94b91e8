/* Rules of attachments that are gone: masquerading and mapped ports, in both forms of the plugins, legacy tables too. */
#include "node/health_internal.h"

#include <errno.h>

#include "base/text.h"
#include "firewall/masquerade.h"
#include "firewall/names.h"
#include "firewall/portmap_maps.h"
#include "firewall/portmap_rules.h"
#include "kernel/nft_set.h"

static int remove_masquerade(struct health *health, const struct ailment *ailment,
			     struct error *err)
{
	(void)health;
	return masquerade_del(ailment->arg, err);
}

static int remove_ports(struct health *health, const struct ailment *ailment, struct error *err)
{
	const struct owner *owner = ailment->arg;
	const struct portmap map = { .owner = *owner };

	(void)health;
	return portmap_del(&map, err);
}

/* One ailment for an owner, however many rules it left. */
static bool is_known(const struct health *health, const char *check, const struct owner *owner)
{
	list_each(ailment, &health->report->ailments) {
		const struct owner *other = ailment->arg;

		if (streq(ailment->check, check) && other &&
		    streq(other->network, owner->network) &&
		    streq(other->container, owner->container))
			return true;
	}
	return false;
}

void health_judge(struct health *health, const char *check, const char *what, const struct ip *ip,
		  const struct owner *owner, health_mend_fn *mend)
{
	struct owner *copy;

	if (!ip->family || health_needs(health, ip) || is_known(health, check, owner) ||
	    health_remembers(health, owner))
		return;
	copy = arena_alloc(health->arena, sizeof(*copy));
	*copy = *owner;
	health_add_left(
		health, check,
		health_text(health, "%s %s of container %s in network %s", what,
			    health_ip(health, ip), owner->container, owner->network),
		"no namespace and no lease has the address, and no runtime remembers the container",
		mend, copy);
}

static void judge(struct health *health, const char *check, const char *what, const char *comment,
		  const struct ip *ip, health_mend_fn *mend)
{
	struct owner owner;

	if (comment_owner(comment, health->arena, &owner))
		health_judge(health, check, what, ip, &owner, mend);
}

static void judge_masquerade(struct health *health, const struct nft_rule_info *rule)
{
	if (rule->source.cidr.prefix == ip_bits(&rule->source.cidr.ip))
		judge(health, "masquerade", "a rule for", rule->comment, &rule->source.cidr.ip,
		      remove_masquerade);
}

static void judge_port(struct health *health, const char *comment, const struct ip *to)
{
	judge(health, "port map", "a port that leads to", comment, to, remove_ports);
}

/* ---- iptables form ---- */

/* What a container's chain sends where. */
static int check_port_chain(struct health *health, const struct xt_view *view,
			    const struct nft_rule_info *entry, struct error *err)
{
	nft_rules_t rules = { 0 };
	int r = xt_rules(view, entry->target, health->arena, &rules, err);

	list_each(rule, &rules)
		judge_port(health, entry->comment, &rule->to);
	return r;
}

static int check_nat(const struct xt_view *view, void *arg, struct error *err)
{
	struct health *health = arg;
	nft_rules_t rules = { 0 };
	int r = xt_rules(view, XT_POSTROUTING, health->arena, &rules, err);

	list_each(rule, &rules)
		if (masquerade_chain_like(rule->target))
			judge_masquerade(health, rule);
	rules = (nft_rules_t){ 0 };
	if (r >= 0)
		r = xt_rules(view, PORT_XT_DNAT, health->arena, &rules, err);
	list_each(rule, &rules)
		if (r >= 0 && has_prefix(rule->target, PORTMAP_CHAIN_PREFIX))
			r = check_port_chain(health, view, rule, err);
	return r;
}

/* ---- nftables form ---- */

static int check_masquerade(struct health *health, struct netlink *nl, struct error *err)
{
	nft_rules_t rules = { 0 };
	int r = nft_rules(nl, NFT_INET, MASQ_TABLE, MASQ_CHECKS, health->arena, &rules, err);

	list_each(rule, &rules)
		if (rule->masquerade)
			judge_masquerade(health, rule);
	return r;
}

static void check_ports(struct health *health, struct netlink *nl, size_t family)
{
	const struct portmap none = { .backend = FIREWALL_NFTABLES };
	struct port_maps maps;
	const struct nft_set *sets[2];

	port_maps_init(health->arena, &none, family, false, &maps);
	sets[0] = &maps.any;
	sets[1] = &maps.address;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		nft_elements_t elements = { 0 };

		if (nft_elements(nl, maps.family, PORT_NFT_TABLE, sets[i]->name, health->arena,
				 &elements, NULL) < 0)
			continue;
		list_each(element, &elements) {
			struct port_use use;

			if (port_use_read(&maps, sets[i], element, &use) && use.comment)
				judge_port(health, use.comment, &use.to);
		}
	}
}

int health_check_rules(struct health *health, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r = nft_open(&nl, err);

	if (r >= 0)
		r = check_masquerade(health, nl, err);
	for (size_t family = 0; r >= 0 && family < PORTMAP_FAMILIES; family++)
		check_ports(health, nl, family);
	if (r < 0 && r != -EOPNOTSUPP) /* this kernel has no nf_tables */
		return r;
	return xt_each_view(nl, XT_TABLE, check_nat, health, err);
}
