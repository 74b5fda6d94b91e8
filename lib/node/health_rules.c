/* Rules of attachments that are gone: masquerading and mapped ports, in both forms of the plugins. */
#include "node/health_internal.h"

#include <errno.h>

#include "base/text.h"
#include "firewall/masquerade.h"
#include "firewall/names.h"
#include "firewall/portmap_maps.h"
#include "firewall/portmap_rules.h"
#include "kernel/nft_dump.h"
#include "kernel/nft_set.h"

/* The text behind a key up to the end character, which may be the text's. */
static const char *value_of(const char *text, const char *key, const char *end, struct arena *arena)
{
	const char *at = strstr(text, key);

	if (!at)
		return NULL;
	at += strlen(key);
	return arena_printf(arena, "%.*s", (int)strcspn(at, end), at);
}

/* `..., net: N, if: I, id: C` of the nftables form; `name: "N" id: "C"` of the other. */
static bool read_owner(const char *comment, struct arena *arena, struct owner *owner)
{
	bool nft = strstr(comment, ", net: ") != NULL;

	owner->network = value_of(comment, nft ? ", net: " : "name: \"", nft ? "," : "\"", arena);
	owner->container = value_of(comment, nft ? ", id: " : "id: \"", nft ? "," : "\"", arena);
	owner->ifname = nft ? value_of(comment, ", if: ", ",", arena) : "eth0";
	return owner->network && owner->container && owner->ifname;
}

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

static void judge(struct health *health, const char *check, const char *comment,
		  const struct ip *ip, const char *what,
		  int (*mend)(struct health *, const struct ailment *, struct error *))
{
	struct owner *owner = arena_alloc(health->arena, sizeof(*owner));
	struct ailment *ailment;

	if (!ip->family || health_needs(health, ip) || !read_owner(comment, health->arena, owner) ||
	    is_known(health, check, owner) ||
	    health_remembers(health, owner->network, owner->container, NULL))
		return;
	ailment = health_add(
		health, check,
		health_text(health, "%s %s of container %s in network %s", what,
			    health_ip(health, ip), owner->container, owner->network),
		"no namespace and no lease has the address, and no runtime remembers the container",
		"cnibox doctor --fix");
	ailment->arg = owner;
	ailment->mend = mend;
}

static int check_chain(struct health *health, struct netlink *nl, enum nft_family family,
		       const char *table, const char *chain, struct error *err)
{
	nft_rules_t rules = { 0 };
	int r = nft_rules(nl, family, table, chain, health->arena, &rules, err);

	list_each(rule, &rules) {
		bool ours =
			family == NFT_INET ? rule->masquerade : masquerade_chain_like(rule->target);

		if (ours && rule->source.cidr.prefix == ip_bits(&rule->source.cidr.ip))
			judge(health, "masquerade", rule->comment, &rule->source.cidr.ip,
			      "a rule for", remove_masquerade);
	}
	return r < 0 ? r : 0;
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
				judge(health, "port map", use.comment, &use.to,
				      "a port that leads to", remove_ports);
		}
	}
}

int health_check_rules(struct health *health, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r = nft_open(&nl, err);

	if (r == -EOPNOTSUPP || r == -EPROTONOSUPPORT) /* this kernel has no nf_tables */
		return 0;
	if (r >= 0)
		r = check_chain(health, nl, NFT_INET, MASQ_TABLE, MASQ_CHECKS, err);
	if (r >= 0)
		r = check_chain(health, nl, NFT_IP, XT_TABLE, XT_POSTROUTING, err);
	if (r >= 0)
		r = check_chain(health, nl, NFT_IP6, XT_TABLE, XT_POSTROUTING, err);
	if (r >= 0)
		for (size_t family = 0; family < PORTMAP_FAMILIES; family++)
			check_ports(health, nl, family);
	return r;
}
