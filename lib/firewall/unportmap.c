/*
 * Removing port mappings, of one attachment (DEL) or of all that are no longer valid (GC): rules of the iptables form,
 * elements of ours in the nftables form, rules of the reference in it, all in one transaction over both families. What
 * was mapped need not be known; the connections that went through it are told by what is removed.
 */
#include <errno.h>
#include <netinet/in.h>

#include "base/text.h"
#include "firewall/names.h"
#include "firewall/portmap_maps.h"
#include "firewall/sweep.h"

typedef LIST(const char *) names_t;

struct doomed_element {
	const struct port_maps *maps;
	struct nft_set set;
	struct nft_value key;
};

struct removal {
	struct arena arena; /* of what outlives an attempt: the flows */
	const struct portmap *map;
	const owners_t *valid; /* GC; NULL = DEL of map's owner */
	char chain[CHAIN_NAME_SIZE], old_chain[CHAIN_NAME_SIZE];
	const char *xt_prefix;      /* GC: of comments of the network */
	char hash[OWNER_HASH_SIZE]; /* of elements' comments; GC: of the network alone */
	names_t keep_hashes, keep_chains;
	struct port_maps maps[2 * PORTMAP_FAMILIES];
	size_t n_maps;
	LIST(struct doomed_element) elements;
	port_flows_t flows;
};

static bool has_name(const names_t *names, const char *name, size_t len)
{
	list_each(known, names)
		if (strlen(*known) == len && !strncmp(*known, name, len))
			return true;
	return false;
}

/* ---- iptables form ---- */

/* The reference's rules in the nftables form have the container's id as their comment, and no word about the network:
 * where the addresses are known they tell. */
static bool is_reference_rule(const struct removal *removal, const struct nft_rule_info *rule)
{
	const struct cidr *addresses = removal->map->addresses;
	const struct ip *to = rule->to.family ? &rule->to : &rule->destination.cidr.ip;

	if (removal->valid || !streq(rule->comment, removal->map->owner.container))
		return false;
	if (!addresses[PORTMAP_V4].ip.family && !addresses[PORTMAP_V6].ip.family)
		return true;
	return ip_equal(to, &addresses[PORTMAP_V4].ip) || ip_equal(to, &addresses[PORTMAP_V6].ip);
}

static enum sweep_verdict judge(const struct sweep_place *place, const struct nft_rule_info *rule,
				void *arg)
{
	const struct removal *removal = arg;

	if (streq(place->table, PORT_NFT_TABLE))
		return is_reference_rule(removal, rule) ? SWEEP_RULE : SWEEP_KEEP;
	if (!removal->valid)
		return streq(rule->target, removal->chain) ||
				       streq(rule->target, removal->old_chain)
			       ? SWEEP_TARGET
			       : SWEEP_KEEP;
	return has_prefix(rule->target, PORTMAP_CHAIN_PREFIX) &&
			       has_prefix(rule->comment, removal->xt_prefix) &&
			       !has_name(&removal->keep_chains, rule->target, strlen(rule->target))
		       ? SWEEP_TARGET
		       : SWEEP_KEEP;
}

static void add_flow(struct removal *removal, const struct port_entry *entry, const struct ip *to)
{
	*list_add(&removal->arena, &removal->flows) = (struct port_flow){ *entry, *to };
}

/* What the attachment's chain sends where. */
static int look_at_chain(struct netlink *nl, struct removal *removal, size_t i, struct arena *arena,
			 struct error *err)
{
	nft_rules_t rules = { 0 };
	int r = nft_rules(nl, i == PORTMAP_V4 ? NFT_IP : NFT_IP6, PORT_XT_TABLE, removal->chain,
			  arena, &rules, err);

	list_each(rule, &rules)
		if (rule->to.family && rule->n_ports == 1)
			add_flow(removal,
				 &(struct port_entry){ .protocol = rule->protocol,
						       .family = portmap_family(i),
						       .host = rule->ports[0],
						       .host_ip = rule->destination.cidr.ip },
				 &rule->to);
	return r;
}

/* ---- nftables form ---- */

static bool is_doomed(const struct removal *removal, const char *comment)
{
	size_t len = strnlen(comment, OWNER_HASH_SIZE - 1);

	return has_prefix(comment, removal->hash) && !has_name(&removal->keep_hashes, comment, len);
}

static void doom(struct arena *arena, struct removal *removal, const struct port_maps *maps,
		 const struct nft_set *set, const struct nft_value *key)
{
	*list_add(arena, &removal->elements) = (struct doomed_element){ maps, *set, *key };
}

/* Ports that stay somebody's, or go. */
struct port_fate {
	uint8_t protocol;
	uint16_t port;
	bool stays;
};
typedef LIST(struct port_fate) fates_t;

static int look_at_map(struct netlink *nl, struct removal *removal, const struct port_maps *maps,
		       const struct nft_set *set, struct arena *arena, fates_t *fates,
		       struct error *err)
{
	nft_elements_t elements = { 0 };
	int r = nft_elements(nl, maps->family, PORT_NFT_TABLE, set->name, arena, &elements, err);

	list_each(element, &elements) {
		struct port_use use;
		bool doomed = is_doomed(removal, element->comment);

		if (!port_use_read(maps, set, element, &use))
			continue;
		*list_add(arena, fates) =
			(struct port_fate){ use.entry.protocol, use.entry.host.first, !doomed };
		if (!doomed)
			continue;
		doom(arena, removal, maps, set, &element->key);
		add_flow(removal, &use.entry, &use.to);
	}
	return r;
}

static bool stays(const fates_t *fates, const struct port_fate *gone)
{
	list_each(fate, fates)
		if (fate->stays && fate->protocol == gone->protocol && fate->port == gone->port)
			return true;
	return false;
}

static bool seen(const fates_t *fates, const struct port_fate *fate)
{
	for (const struct port_fate *earlier = fates->items; earlier < fate; earlier++)
		if (!earlier->stays && earlier->protocol == fate->protocol &&
		    earlier->port == fate->port)
			return true;
	return false;
}

/* Of ports that go from their last owner nothing is kept from others any more. */
static void free_ports(struct arena *arena, struct removal *removal, const struct port_maps *maps,
		       const fates_t *fates)
{
	list_each(fate, fates) {
		struct nft_value key = { 0 };

		if (fate->stays || stays(fates, fate) || seen(fates, fate))
			continue;
		nft_value_protocol(&key, fate->protocol);
		nft_value_port(&key, fate->port);
		doom(arena, removal, maps, &maps->used, &key);
	}
}

/* One element of a set of sources, if it is there. */
struct source {
	struct nft_set set;
	struct nft_value key;
	struct nft_lookup lookup;
};
typedef LIST(struct source) sources_t;

static void add_source(struct arena *arena, sources_t *sources, const struct nft_set *set,
		       const struct ip *from, const struct ip *to)
{
	struct source *source = list_add(arena, sources);

	source->set = *set;
	if (set->source_prefix)
		nft_value_ip(&source->key, from);
	nft_value_ip(&source->key, to);
}

/* What an ADD may have put into this set for a container of that address. */
static void add_sources(struct arena *arena, sources_t *sources, const struct nft_set *set,
			const struct ip *to)
{
	static const struct ip localhost = { AF_INET, { 127, 0, 0, 1 } };
	const struct cidr subnet = { *to, set->source_prefix };
	struct cidr network = cidr_network(&subnet);

	if (set->source_prefix > ip_bits(to))
		return;
	add_source(arena, sources, set, &network.ip, to);
	if (to->family == AF_INET && set->source_prefix == 32)
		add_source(arena, sources, set, &localhost, to);
}

/* Sets are as many as there are lengths of prefixes: the rules on them tell. What is in them is asked for by the
 * addresses that mappings led to. */
static int look_at_sources(struct netlink *nl, struct removal *removal,
			   const struct port_maps *maps, const port_flows_t *flows,
			   struct arena *arena, struct error *err)
{
	nft_rules_t rules = { 0 };
	sources_t sources = { 0 };
	int r = nft_rules(nl, maps->family, PORT_NFT_TABLE, maps->masquerade, arena, &rules, err);

	list_each(rule, &rules) {
		struct nft_set set;

		if (!has_prefix(rule->comment, "masquerade_"))
			continue;
		set = port_masquerade_set(
			arena, (unsigned)strtoul(rule->comment + strlen("masquerade_"), NULL, 10));
		list_each(flow, flows)
			if (flow->to.family == portmap_family(maps->i))
				add_sources(arena, &sources, &set, &flow->to);
	}
	list_each(source, &sources) {
		source->lookup.arena = arena;
		nft_queue_get_element(nl, maps->family, PORT_NFT_TABLE, &source->set, &source->key,
				      &source->lookup);
	}
	if (r == 0)
		r = netlink_commit(nl, err);
	list_each(source, &sources)
		if (source->lookup.found && is_doomed(removal, source->lookup.element.comment))
			doom(arena, removal, maps, &source->set, &source->key);
	return r;
}

/* Each address that something led to, once. */
static void addresses_of(struct arena *arena, const port_flows_t *flows, port_flows_t *addresses)
{
	list_each(flow, flows) {
		bool known = false;

		list_each(other, addresses)
			known = known || ip_equal(&other->to, &flow->to);
		if (!known)
			*list_add(arena, addresses) = *flow;
	}
}

static int look_at_maps(struct netlink *nl, struct removal *removal, const struct port_maps *maps,
			struct arena *arena, struct error *err)
{
	fates_t fates = { 0 };
	int r = look_at_map(nl, removal, maps, &maps->any, arena, &fates, err);

	if (r == 0)
		r = look_at_map(nl, removal, maps, &maps->address, arena, &fates, err);
	free_ports(arena, removal, maps, &fates);
	return r;
}

/* ---- both ---- */

static int look(struct netlink *nl, struct arena *arena, void *arg, struct error *err)
{
	struct removal *removal = arg;
	bool there[ARRAY_SIZE(removal->maps)] = { false }, chains[PORTMAP_FAMILIES] = { false };
	port_flows_t addresses = { 0 };
	int r;

	memset(&removal->elements, 0, sizeof(removal->elements));
	removal->flows.n = 0;
	for (size_t n = 0; n < removal->n_maps; n++)
		nft_queue_find_chain(nl, removal->maps[n].family, PORT_NFT_TABLE,
				     removal->maps[n].dnat, &there[n]);
	for (size_t i = 0; i < PORTMAP_FAMILIES; i++)
		nft_queue_find_chain(nl, i == PORTMAP_V4 ? NFT_IP : NFT_IP6, PORT_XT_TABLE,
				     removal->chain, &chains[i]);
	r = netlink_commit(nl, err);
	for (size_t n = 0; n < removal->n_maps && r == 0; n++)
		if (there[n])
			r = look_at_maps(nl, removal, &removal->maps[n], arena, err);
	addresses_of(arena, &removal->flows, &addresses);
	for (size_t n = 0; n < removal->n_maps && r == 0 && addresses.n; n++)
		if (there[n] && !removal->maps[n].conditions)
			r = look_at_sources(nl, removal, &removal->maps[n], &addresses, arena, err);
	for (size_t i = 0; i < PORTMAP_FAMILIES && r == 0 && !removal->valid; i++)
		if (chains[i])
			r = look_at_chain(nl, removal, i, arena, err);
	return r;
}

static void queue(struct netlink *nl, void *arg)
{
	const struct removal *removal = arg;

	list_each(doomed, &removal->elements)
		nft_queue_del_element(nl, doomed->maps->family, PORT_NFT_TABLE, &doomed->set,
				      &doomed->key, "remove a mapping");
}

static void collect_maps(struct removal *removal)
{
	for (size_t i = 0; i < PORTMAP_FAMILIES; i++) {
		port_maps_init(&removal->arena, removal->map, i, false,
			       &removal->maps[removal->n_maps++]);
		if (removal->map->conditions[i].n)
			port_maps_init(&removal->arena, removal->map, i, true,
				       &removal->maps[removal->n_maps++]);
	}
}

/* An attachment without its chain has no rule that leads there. */
static int remove_all(struct removal *removal, struct error *err)
{
	const char *own = removal->valid ? NULL : removal->chain,
		   *old = removal->valid ? NULL : removal->old_chain;
	const struct sweep_place places[] = {
		{ RULE_IP, PORT_XT_TABLE, PORT_XT_DNAT, own },
		{ RULE_IP6, PORT_XT_TABLE, PORT_XT_DNAT, own },
		{ RULE_IP, PORT_XT_TABLE, "CNI-HOSTPORT-SNAT", old },
		{ RULE_IP, PORT_NFT_TABLE, "hostports", NULL },
		{ RULE_IP, PORT_NFT_TABLE, "hostip_hostports", NULL },
		{ RULE_IP, PORT_NFT_TABLE, "masquerading", NULL },
		{ RULE_IP6, PORT_NFT_TABLE, "hostports", NULL },
		{ RULE_IP6, PORT_NFT_TABLE, "hostip_hostports", NULL },
		{ RULE_IP6, PORT_NFT_TABLE, "masquerading", NULL },
	}, chains[] = {
		{ RULE_IP, PORT_XT_TABLE, own, NULL },
		{ RULE_IP6, PORT_XT_TABLE, own, NULL },
		{ RULE_IP, PORT_XT_TABLE, old, NULL },
	};
	struct sweep sweep = {
		.places = places,
		.n_places = ARRAY_SIZE(places),
		.chains = chains,
		.n_chains = own ? ARRAY_SIZE(chains) : 0,
		.rule = judge,
		.look = look,
		.queue = queue,
		.arg = removal,
	};
	int r;

	collect_maps(removal);
	r = sweep_run(&sweep, err);
	if (r == 0)
		portmap_forget(&removal->flows);
	return r;
}

static void removal_free(struct removal *removal)
{
	arena_free(&removal->arena);
}

int portmap_del(const struct portmap *map, struct error *err)
{
	on_leave(removal_free) struct removal removal = { .map = map };
	int r;

	portmap_chain_name(&map->owner, removal.chain);
	portmap_old_chain_name(&map->owner, removal.old_chain);
	owner_hash(&map->owner, removal.hash);
	r = remove_all(&removal, err);
	return r < 0 ? wrap(err, "remove port mappings of %s", map->owner.ifname) : 0;
}

int portmap_gc(const struct portmap *map, const owners_t *valid, struct error *err)
{
	on_leave(removal_free) struct removal removal = { .map = map, .valid = valid };
	const char *network = map->owner.network;
	int r;

	removal.xt_prefix = portmap_xt_prefix(&removal.arena, network);
	owner_hash(&(struct owner){ network, "", "" }, removal.hash);
	removal.hash[NETWORK_HASH_LEN + 1] = '\0';
	list_each(attachment, valid) {
		const struct owner owner = { network, attachment->container, attachment->ifname };
		char hash[OWNER_HASH_SIZE], chain[CHAIN_NAME_SIZE];

		owner_hash(&owner, hash);
		portmap_chain_name(&owner, chain);
		*list_add(&removal.arena, &removal.keep_hashes) =
			arena_strdup(&removal.arena, hash);
		*list_add(&removal.arena, &removal.keep_chains) =
			arena_strdup(&removal.arena, chain);
	}
	r = remove_all(&removal, err);
	return r < 0 ? wrap(err, "remove port mappings of network \"%s\"", network) : 0;
}
