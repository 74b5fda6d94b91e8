/*
 * Port mappings in the nftables form, ADD and CHECK. An ADD looks at the shared chains and commits; only when the kernel
 * says that an element is there already does it list the maps, to tell whether another container has the port, or it is
 * our own from before, or one of somebody who had our address and is gone.
 */
#include <errno.h>

#include "base/text.h"
#include "firewall/names.h"
#include "firewall/portmap_maps.h"

/* Chains of others that may have a port: the reference's in this form, and the iptables form. */
static const char *const reference_chains[] = { "hostports", "hostip_hostports" };

struct adding {
	const struct portmap *map;
	bool careful; /* something was there: find out what */
};

/* One family within one attempt. */
struct family {
	struct port_maps maps;
	struct port_chains chains;
	struct nft_chain_info reference[ARRAY_SIZE(reference_chains)], xt;
	port_elements_t elements;
	struct nft_set sets[2]; /* of what is masqueraded */
	size_t n_sets;
	bool has_rule[2], has_set[2];
	LIST(struct port_removal {
		const struct nft_set *set;
		struct nft_value key;
	})
	removals;
	LIST(struct rule_removal {
		const char *chain;
		uint64_t handle;
	})
	rules;
};

/* ---- what is masqueraded ---- */

static void add_source(struct arena *arena, const struct portmap *map, struct family *family,
		       const struct cidr *source)
{
	const struct nft_set *set = &family->sets[family->n_sets];
	struct port_element *added = list_add(arena, &family->elements);
	struct cidr network = cidr_network(source);

	family->sets[family->n_sets++] = port_masquerade_set(arena, source->prefix);
	added->set = set;
	added->exclusive = true;
	added->label = "masquerade what is mapped";
	added->element.comment = masquerade_nft_comment(arena, &map->owner);
	if (source->prefix)
		nft_value_ip(&added->element.key, &network.ip);
	nft_value_ip(&added->element.key, &map->addresses[family->maps.i].ip);
}

/* Neighbours, which would be answered past the host, and localhost, whom nobody else can answer. */
static void add_sources(struct arena *arena, const struct portmap *map, struct family *family)
{
	static const struct cidr localhost = { { AF_INET, { 127, 0, 0, 1 } }, 32 };
	struct cidr from = map->addresses[family->maps.i];

	if (!map->snat)
		return;
	if (map->masq_all)
		from.prefix = 0;
	add_source(arena, map, family, &from);
	if (!map->masq_all && family->maps.i == PORTMAP_V4)
		add_source(arena, map, family, &localhost);
}

/* ---- looking ---- */

static void queue_look(struct netlink *nl, struct family *family)
{
	enum nft_family nft = family->maps.family;

	port_maps_look(nl, &family->maps, &family->chains);
	for (size_t i = 0; i < ARRAY_SIZE(reference_chains); i++)
		nft_queue_get_chain(nl, nft, PORT_NFT_TABLE, reference_chains[i],
				    &family->reference[i]);
	nft_queue_get_chain(nl, nft, PORT_XT_TABLE, PORT_XT_DNAT, &family->xt);
	for (size_t i = 0; i < family->n_sets; i++)
		nft_queue_find_set(nl, nft, PORT_NFT_TABLE, family->sets[i].name,
				   &family->has_set[i]);
}

/* Which of the sets have a rule: one of as many as there are lengths of prefixes. */
static int look_at_masquerade(struct netlink *nl, struct family *family, struct arena *arena,
			      struct error *err)
{
	nft_rules_t rules = { 0 };
	int r = 0;

	if (family->chains.masquerade.users)
		r = nft_rules(nl, family->maps.family, PORT_NFT_TABLE, family->maps.masquerade,
			      arena, &rules, err);
	for (size_t i = 0; i < family->n_sets; i++)
		list_each(rule, &rules)
			family->has_rule[i] |= streq(rule->comment, family->sets[i].name);
	return r;
}

static const struct port_entry *entry_of(const struct portmap *map, int family,
					 const struct nft_rule_info *rule)
{
	list_each(entry, &map->entries)
		if (port_entry_overlaps(entry, family, rule->protocol, rule->ports[0],
					&rule->destination.cidr.ip))
			return entry;
	return NULL;
}

/* Rules of the reference in this form: those to our address are replaced, and the container's own for our ports. */
static int judge_reference(const struct portmap *map, struct family *family, const char *chain,
			   const nft_rules_t *rules, struct arena *arena, struct error *err)
{
	size_t i = family->maps.i;

	list_each(rule, rules) {
		const struct port_entry *entry;

		if (!rule->to.family || !rule->n_ports)
			continue;
		entry = entry_of(map, portmap_family(i), rule);
		if (ip_equal(&rule->to, &map->addresses[i].ip) ||
		    (entry && streq(rule->comment, map->owner.container)))
			*list_add(arena, &family->rules) =
				(struct rule_removal){ chain, rule->handle };
		else if (entry)
			return port_taken(entry, port_owner_text(arena, rule->comment), err);
	}
	return 0;
}

/* Nothing of others is there where only we are used. A chain that nobody jumps to has a user for each rule. */
static int look_at_others(struct netlink *nl, const struct portmap *map, struct family *family,
			  struct arena *arena, struct error *err)
{
	const struct xt_view view = { .family = portmap_rule_family(family->maps.i),
				      .table = PORT_XT_TABLE,
				      .nl = nl };
	nft_rules_t rules = { 0 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(reference_chains) && r == 0; i++) {
		if (!family->reference[i].users)
			continue;
		r = nft_rules(nl, family->maps.family, PORT_NFT_TABLE, reference_chains[i], arena,
			      &rules, err);
		if (r == 0)
			r = judge_reference(map, family, reference_chains[i], &rules, arena, err);
	}
	if (r < 0 || !family->xt.users)
		return r;
	r = xt_rules(&view, PORT_XT_DNAT, arena, &rules, err);
	return r < 0 ? r
		     : portmap_xt_conflict(&view, map, family->maps.i, &rules, arena, NULL, NULL,
					   err);
}

/* ---- careful: who has it? ---- */

static bool is_ours(const struct portmap *map, const struct family *family,
		    const struct port_use *use)
{
	char hash[OWNER_HASH_SIZE];

	owner_hash(&map->owner, hash);
	return has_prefix(use->comment, hash) ||
	       ip_equal(&use->to, &map->addresses[family->maps.i].ip);
}

/* Ports that stay with others. */
typedef LIST(struct port_use) port_uses_t;

static bool stays(const port_uses_t *others, uint8_t protocol, uint16_t port)
{
	list_each(use, others)
		if (use->entry.protocol == protocol && use->entry.host.first == port)
			return true;
	return false;
}

static void remove_element(struct arena *arena, struct family *family, const struct nft_set *set,
			   const struct nft_value *key)
{
	*list_add(arena, &family->removals) = (struct port_removal){ set, *key };
}

static int judge_map(struct netlink *nl, const struct portmap *map, struct family *family,
		     const struct nft_set *set, port_uses_t *others, struct arena *arena,
		     struct error *err)
{
	nft_elements_t elements = { 0 };
	int r = nft_elements(nl, family->maps.family, PORT_NFT_TABLE, set->name, arena, &elements,
			     err);

	list_each(element, &elements) {
		struct port_use use;

		if (!port_use_read(&family->maps, set, element, &use))
			continue;
		if (is_ours(map, family, &use)) {
			remove_element(arena, family, set, &element->key);
			continue;
		}
		*list_add(arena, others) = use;
		list_each(entry, &map->entries)
			if (r == 0 && port_entry_overlaps(entry, portmap_family(family->maps.i),
							  use.entry.protocol, use.entry.host,
							  &use.entry.host_ip))
				r = port_taken(entry, port_owner_text(arena, use.comment), err);
	}
	return r;
}

/* Ports that nobody keeps from others any more. */
static int judge_used(struct netlink *nl, struct family *family, const port_uses_t *others,
		      struct arena *arena, struct error *err)
{
	nft_elements_t elements = { 0 };
	int r = nft_elements(nl, family->maps.family, PORT_NFT_TABLE, family->maps.used.name, arena,
			     &elements, err);

	list_each(element, &elements) {
		size_t at = 0;
		uint8_t protocol = nft_value_get_protocol(&element->key, &at);
		uint16_t port = nft_value_get_port(&element->key, &at);

		if (!stays(others, protocol, port))
			remove_element(arena, family, &family->maps.used, &element->key);
	}
	return r;
}

/* Sources of our address are ours, whoever put them there. */
static int judge_sources(struct netlink *nl, struct family *family, struct arena *arena,
			 struct error *err)
{
	struct nft_lookup *lookups =
		arena_alloc(arena, (family->elements.n + 1) * sizeof(*lookups));
	size_t n = 0;
	int r;

	list_each(element, &family->elements) {
		lookups[n].arena = arena;
		if (element->set >= family->sets && element->set < family->sets + family->n_sets)
			nft_queue_get_element(nl, family->maps.family, PORT_NFT_TABLE, element->set,
					      &element->element.key, &lookups[n]);
		n++;
	}
	r = netlink_commit(nl, err);
	for (size_t i = 0; i < family->elements.n; i++)
		if (lookups[i].found)
			remove_element(arena, family, family->elements.items[i].set,
				       &family->elements.items[i].element.key);
	return r;
}

static int look_carefully(struct netlink *nl, const struct portmap *map, struct family *family,
			  struct arena *arena, struct error *err)
{
	port_uses_t others = { 0 };
	int r = judge_map(nl, map, family, &family->maps.any, &others, arena, err);

	if (r == 0)
		r = judge_map(nl, map, family, &family->maps.address, &others, arena, err);
	if (r == 0)
		r = judge_used(nl, family, &others, arena, err);
	return r < 0 ? r : judge_sources(nl, family, arena, err);
}

/* ---- the transaction ---- */

static void queue_family(struct netlink *nl, const struct portmap *map, struct family *family)
{
	enum nft_family nft = family->maps.family;

	list_each(rule, &family->rules)
		nft_queue_del_rule(nl, nft, PORT_NFT_TABLE, rule->chain, rule->handle);
	if (!port_maps_intact(&family->maps, &family->chains, map->snat))
		port_maps_queue(nl, &family->maps, map->snat);
	for (size_t i = 0; i < family->n_sets; i++) {
		family->sets[i].must_be_new = !family->has_set[i];
		if (!family->has_rule[i])
			port_masquerade_queue(nl, &family->maps, &family->sets[i]);
	}
	list_each(removal, &family->removals)
		nft_queue_del_element(nl, nft, PORT_NFT_TABLE, removal->set, &removal->key,
				      "replace a mapping");
	list_each(element, &family->elements)
		nft_queue_element(nl, nft, PORT_NFT_TABLE, element->set, &element->element,
				  element->exclusive, element->label);
}

static int look(struct netlink *nl, const struct adding *adding, struct family *family,
		struct arena *arena, struct error *err)
{
	int r = look_at_masquerade(nl, family, arena, err);

	if (r == 0)
		r = look_at_others(nl, adding->map, family, arena, err);
	if (r == 0 && adding->careful)
		r = look_carefully(nl, adding->map, family, arena, err);
	return r;
}

static size_t collect_families(struct arena *arena, const struct portmap *map,
			       struct family families[PORTMAP_FAMILIES])
{
	size_t n = 0;

	for (size_t i = 0; i < PORTMAP_FAMILIES; i++) {
		struct family *family = &families[n];

		if (!map->addresses[i].ip.family)
			continue;
		*family = (struct family){ .n_sets = 0 };
		port_maps_init(arena, map, i, true, &family->maps);
		port_elements(arena, map, &family->maps, &family->elements);
		if (!family->elements.n)
			continue;
		add_sources(arena, map, family);
		n++;
	}
	return n;
}

static int try_add(struct netlink *nl, void *arg, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct adding *adding = arg;
	struct family families[PORTMAP_FAMILIES];
	size_t n = collect_families(&arena, adding->map, families);
	int r;

	for (size_t i = 0; i < n; i++)
		queue_look(nl, &families[i]);
	r = netlink_commit(nl, err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = look(nl, adding, &families[i], &arena, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		queue_family(nl, adding->map, &families[i]);
	r = netlink_commit(nl, err);
	if (r == -EEXIST || r == -EBUSY)
		adding->careful = true;
	for (size_t i = 0; i < n && r == 0; i++)
		if (families[i].maps.conditions &&
		    !port_maps_intact(&families[i].maps, &families[i].chains, adding->map->snat))
			r = port_maps_conditions(&families[i].maps, err);
	return r;
}

/* An entry for a single address takes care that nobody removes what keeps its port from others meanwhile. */
int portmap_nft_add(const struct portmap *map, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	auto_close int turn = -1;
	struct adding adding = { .map = map };
	int r = nft_open(&nl, err);

	if (r < 0)
		return r;
	list_each(entry, &map->entries)
		if (entry->host_ip.family && turn < 0)
			turn = nftables_turn();
	return nftables_retry(nl, try_add, &adding, err);
}

/* ---- CHECK ---- */

static int check_elements(struct netlink *nl, const struct family *family, struct arena *arena,
			  struct error *err)
{
	struct nft_lookup *lookups =
		arena_alloc(arena, (family->elements.n + 1) * sizeof(*lookups));
	size_t n = 0;
	int r;

	list_each(element, &family->elements) {
		lookups[n].arena = arena;
		nft_queue_get_element(nl, family->maps.family, PORT_NFT_TABLE, element->set,
				      &element->element.key, &lookups[n++]);
	}
	r = netlink_commit(nl, err);
	for (size_t i = 0; i < family->elements.n && r == 0; i++) {
		const struct port_element *wanted = &family->elements.items[i];
		const struct nft_element *there = &lookups[i].element;

		if (lookups[i].found && there->data.size == wanted->element.data.size &&
		    !memcmp(there->data.bytes, wanted->element.data.bytes, there->data.size) &&
		    (!wanted->element.comment || streq(there->comment, wanted->element.comment)))
			continue;
		return fail(err, ENOENT, "%s: it is not there", wanted->label);
	}
	return r;
}

int portmap_nft_check(const struct portmap *map, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	struct family families[PORTMAP_FAMILIES];
	size_t n = collect_families(&arena, map, families);
	int r = nft_open(&nl, err);

	for (size_t i = 0; i < n && r == 0; i++) {
		struct family *family = &families[i];

		queue_look(nl, family);
		r = netlink_commit(nl, err);
		if (r == 0)
			r = look_at_masquerade(nl, family, &arena, err);
		if (r == 0 && !port_maps_intact(&family->maps, &family->chains, map->snat))
			return fail(err, ENOENT, "chains of table %s are missing or changed",
				    PORT_NFT_TABLE);
		for (size_t s = 0; s < family->n_sets && r == 0; s++)
			if (!family->has_rule[s])
				r = fail(err, ENOENT, "rule of set %s is missing in chain %s",
					 family->sets[s].name, family->maps.masquerade);
		if (r == 0)
			r = check_elements(nl, family, &arena, err);
	}
	return r;
}
