/*
 * Port mappings in the iptables form. A container has a chain of its own with what is done for each port, and entry rules
 * in CNI-HOSTPORT-DNAT that lead there, at most 15 ports in one. An ADD lists CNI-HOSTPORT-DNAT to learn who else has
 * one of its ports: that is what grows with the number of containers, beside the kernel's commit.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/text.h"
#include "firewall/names.h"
#include "firewall/portmap_rules.h"

#define SETMARK_CHAIN "CNI-HOSTPORT-SETMARK"
#define MASQ_CHAIN    "CNI-HOSTPORT-MASQ"

/* Groups in the reference's order, which is that of the names. */
static const struct {
	uint8_t protocol;
	const char *name;
} protocols[] = { { IPPROTO_SCTP, "sctp" }, { IPPROTO_TCP, "tcp" }, { IPPROTO_UDP, "udp" } };

const char *port_protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].protocol == protocol)
			return protocols[i].name;
	return "?";
}

bool port_entry_for(const struct port_entry *entry, int family)
{
	return !entry->family || entry->family == family;
}

bool port_entry_overlaps(const struct port_entry *entry, int family, uint8_t protocol,
			 struct ports ports, const struct ip *ip)
{
	return port_entry_for(entry, family) && entry->protocol == protocol &&
	       entry->host.first <= ports.last && ports.first <= entry->host.last &&
	       (!entry->host_ip.family || !ip->family || ip_equal(&entry->host_ip, ip));
}

int port_taken(const struct port_entry *entry, const char *who, struct error *err)
{
	char ip[IP_TEXT_SIZE], last[16] = "";

	if (entry->host.last != entry->host.first)
		snprintf(last, sizeof(last), "-%u", entry->host.last);
	return fail_code(err, CNI_TRY_AGAIN_LATER, EADDRINUSE,
			 "host port %u%s/%s%s%s is taken by %s", entry->host.first, last,
			 port_protocol_name(entry->protocol), entry->host_ip.family ? " of " : "",
			 ip_format(&entry->host_ip, ip), who);
}

/* ---- rules ---- */

/* One entry rule; words are the configuration's conditions, put as they are. */
static void add_entry_rule(struct arena *arena, struct ruleset *set, const char *chain,
			   const char *comment, uint8_t protocol, const struct ports *ports,
			   size_t n, const char *words)
{
	struct rule *rule = list_add(arena, &set->rules);

	*rule = (struct rule){
		.chain = PORT_XT_DNAT,
		.matches = { { .kind = MATCH_PROTOCOL, .value = protocol },
			     { .kind = MATCH_MULTIPORT, .ports = ports, .n_ports = n } },
		.verdict = RULE_JUMP,
		.target = chain,
		.comment = comment,
	};
	if (words)
		rule->matches[2] = (struct match){ .kind = MATCH_WORDS, .name = words };
}

/* As many ports as fit into a rule, then the next rule. */
static void add_entry_rules(struct arena *arena, const struct portmap *map, uint8_t protocol,
			    const char *chain, const char *words, struct ruleset *set)
{
	const char *comment = portmap_xt_comment(arena, &map->owner);
	struct ports *ports = arena_alloc(arena, RULE_MULTIPORT * sizeof(*ports));
	size_t n = 0, room = RULE_MULTIPORT;

	list_each(entry, &map->entries) {
		size_t need = entry->host.last == entry->host.first ? 1 : 2;

		if (entry->protocol != protocol)
			continue;
		if (need > room) {
			add_entry_rule(arena, set, chain, comment, protocol, ports, n, words);
			ports = arena_alloc(arena, RULE_MULTIPORT * sizeof(*ports));
			n = 0;
			room = RULE_MULTIPORT;
		}
		ports[n++] = entry->host;
		room -= need;
	}
	if (n)
		add_entry_rule(arena, set, chain, comment, protocol, ports, n, words);
}

/* A rule of the container's chain, about one entry's packets. */
static struct rule *add_port_rule(struct arena *arena, struct ruleset *set, const char *chain,
				  const struct port_entry *entry, const struct cidr *source)
{
	struct rule *rule = list_add(arena, &set->rules);
	size_t n = 0;

	rule->chain = chain;
	rule->matches[n++] = (struct match){ .kind = MATCH_PROTOCOL, .value = entry->protocol };
	rule->matches[n++] = (struct match){ .kind = MATCH_PORT, .ports = &entry->host };
	if (entry->host_ip.family) {
		struct cidr host = cidr_host(&entry->host_ip);

		rule->matches[n++] = match_destination(&host);
	}
	if (source)
		rule->matches[n++] = match_source(source);
	return rule;
}

static void add_mark_rule(struct arena *arena, const struct portmap *map, struct ruleset *set,
			  const char *chain, const struct port_entry *entry, struct cidr source)
{
	struct rule *rule = add_port_rule(arena, set, chain, entry, &source);

	rule->verdict = RULE_JUMP;
	rule->target = map->external_mark_chain ? map->external_mark_chain : SETMARK_CHAIN;
}

static void add_port_rules(struct arena *arena, const struct portmap *map, size_t i,
			   const char *chain, struct ruleset *set)
{
	static const struct cidr localhost = { { AF_INET, { 127, 0, 0, 1 } }, 32 };
	struct cidr from = map->addresses[i];

	if (map->masq_all)
		from.prefix = 0;
	list_each(entry, &map->entries) {
		struct rule *rule;

		if (!port_entry_for(entry, portmap_family(i)))
			continue;
		if (map->snat)
			add_mark_rule(arena, map, set, chain, entry, cidr_network(&from));
		if (map->snat && !map->masq_all && i == PORTMAP_V4)
			add_mark_rule(arena, map, set, chain, entry, localhost);
		rule = add_port_rule(arena, set, chain, entry, NULL);
		rule->verdict = RULE_DNAT;
		rule->to.ip = map->addresses[i].ip;
		rule->to.ports.first = entry->container;
		rule->to.ports.last =
			(uint16_t)(entry->container + (entry->host.last - entry->host.first));
		if (entry->host.last != entry->host.first)
			rule->to.base = entry->host.first;
	}
}

/* What marks packets, and what masquerades those that are marked. */
static void add_masquerading(struct arena *arena, const struct portmap *map, struct ruleset *set)
{
	uint32_t bit = 1u << map->mark_bit;

	if (!map->snat || map->external_mark_chain)
		return;
	ruleset_chain(arena, set, .name = SETMARK_CHAIN);
	ruleset_chain(arena, set, .name = MASQ_CHAIN);
	ruleset_rule(arena, set, .chain = SETMARK_CHAIN, .verdict = RULE_MARK, .mark = bit,
		     .mark_bits = bit, .comment = "CNI portfwd masquerade mark", .once = RULE_ONCE);
	ruleset_rule(arena, set, .chain = MASQ_CHAIN,
		     .matches = { { .kind = MATCH_MARK, .value = bit, .bits = bit } },
		     .verdict = RULE_MASQUERADE, .once = RULE_ONCE);
	ruleset_rule(arena, set, .chain = "POSTROUTING", .verdict = RULE_JUMP, .target = MASQ_CHAIN,
		     .comment = "CNI portfwd requiring masquerade", .insert = true,
		     .once = RULE_ONCE_BY_TARGET);
}

/* Words as the program would get them, each quoted. */
static const char *join_words(struct arena *arena, const port_words_t *words)
{
	const char *text = NULL;

	list_each(word, words) {
		char *quoted = arena_alloc(arena, 2 * strlen(*word) + 3), *out = quoted;

		*out++ = '"';
		for (const char *p = *word; *p; p++) {
			if (*p == '"' || *p == '\\')
				*out++ = '\\';
			*out++ = *p;
		}
		*out = '"';
		text = text ? arena_printf(arena, "%s %s", text, quoted) : quoted;
	}
	return text;
}

void portmap_xt_rules(struct arena *arena, const struct portmap *map, size_t i, struct ruleset *set)
{
	char *chain = arena_alloc(arena, CHAIN_NAME_SIZE);
	const char *words = join_words(arena, &map->conditions[i]);

	portmap_chain_name(&map->owner, chain);
	*set = (struct ruleset){ .family = portmap_rule_family(i), .table = PORT_XT_TABLE };
	if (!map->addresses[i].ip.family || !map->entries.n)
		return;
	ruleset_chain(arena, set, .name = chain, .flush = true);
	ruleset_chain(arena, set, .name = PORT_XT_DNAT);
	add_masquerading(arena, map, set);
	ruleset_rule(arena, set, .chain = "PREROUTING", .matches = { { .kind = MATCH_LOCAL } },
		     .verdict = RULE_JUMP, .target = PORT_XT_DNAT, .once = RULE_ONCE);
	ruleset_rule(arena, set, .chain = "OUTPUT", .matches = { { .kind = MATCH_LOCAL } },
		     .verdict = RULE_JUMP, .target = PORT_XT_DNAT, .once = RULE_ONCE);
	add_port_rules(arena, map, i, chain, set);
	for (size_t p = 0; p < ARRAY_SIZE(protocols); p++)
		add_entry_rules(arena, map, protocols[p].protocol, chain, words, set);
}

/* ---- who has the port ---- */

/* Does one of the ports belong to what this rule leads to? */
static bool may_conflict(const struct portmap *map, int family, const struct nft_rule_info *rule)
{
	const struct ip *ip = &rule->destination.cidr.ip;

	list_each(entry, &map->entries)
		for (size_t i = 0; i < rule->n_ports; i++)
			if (port_entry_overlaps(entry, family, rule->protocol, rule->ports[i], ip))
				return true;
	return false;
}

static const struct port_entry *conflict_with(const struct portmap *map, int family,
					      const struct nft_rule_info *rule)
{
	list_each(entry, &map->entries)
		if (rule->n_ports &&
		    port_entry_overlaps(entry, family, rule->protocol, rule->ports[0],
					&rule->destination.cidr.ip))
			return entry;
	return NULL;
}

/* `dnat name: "net" id: "ctr"` to people's words. */
static const char *who_of(struct arena *arena, const struct nft_rule_info *entry)
{
	const char *network = text_between(arena, entry->comment, "dnat name: \"", "\"");
	const char *container = text_between(arena, entry->comment, "\" id: \"", "\"");

	if (network && container)
		return arena_printf(arena, "container %s of network \"%s\"", container, network);
	return arena_printf(arena, "chain %s", entry->target);
}

/* Does everything in the chain go to that address? */
static bool leads_to(const nft_rules_t *rules, const struct ip *ip)
{
	bool any = false;

	list_each(rule, rules) {
		if (rule->to.family && !ip_equal(&rule->to, ip))
			return false;
		any = any || rule->to.family;
	}
	return any;
}

int portmap_xt_conflict(const struct xt_view *view, const struct portmap *map, size_t i,
			const nft_rules_t *entries, struct arena *arena, port_stale_fn *stale,
			void *arg, struct error *err)
{
	char chain[CHAIN_NAME_SIZE];

	portmap_chain_name(&map->owner, chain);
	list_each(entry, entries) {
		const struct port_entry *taken = NULL;
		nft_rules_t rules = { 0 };
		int r;

		if (streq(entry->target, chain) || !*entry->target ||
		    !may_conflict(map, portmap_family(i), entry))
			continue;
		r = xt_rules(view, entry->target, arena, &rules, err);
		if (r < 0)
			return r;
		list_each(rule, &rules)
			if (rule->to.family && !taken)
				taken = conflict_with(map, portmap_family(i), rule);
		if (leads_to(&rules, &map->addresses[i].ip))
			stale(entry->target, arg);
		else if (taken)
			return port_taken(taken, who_of(arena, entry), err);
	}
	return 0;
}

/* ---- ADD and CHECK ---- */

struct looking {
	struct arena *arena;
	struct xt_change *change;
	const nft_rules_t *entries;
};

/* A chain that leads to our address although it is not ours: whoever it belonged to is gone. */
static void remove_stale(const char *chain, void *arg)
{
	struct looking *looking = arg;

	list_each(known, &looking->change->doomed)
		if (streq(*known, chain))
			return;
	list_each(entry, looking->entries)
		if (streq(entry->target, chain))
			xt_delete(looking->arena, looking->change, PORT_XT_DNAT, entry->handle);
	xt_delete_chain(looking->arena, looking->change, chain);
}

/* Entry rules of ours that are there: those that we want stay, the others go. */
static void keep_own(struct looking *looking, const char *chain)
{
	struct ruleset *set = &looking->change->set;

	list_each(entry, looking->entries) {
		size_t n = 0;

		if (!streq(entry->target, chain))
			continue;
		while (n < set->rules.n && !(streq(set->rules.items[n].chain, PORT_XT_DNAT) &&
					     nftables_same(&set->rules.items[n], entry)))
			n++;
		if (n == set->rules.n) {
			xt_delete(looking->arena, looking->change, PORT_XT_DNAT, entry->handle);
			continue;
		}
		memmove(&set->rules.items[n], &set->rules.items[n + 1],
			(set->rules.n - n - 1) * sizeof(*set->rules.items));
		set->rules.n--;
	}
}

/* The kernel says of a jump to nowhere as little as of a lost race. */
static int check_external(const struct xt_view *view, const char *chain, struct error *err)
{
	bool found = true;
	int r = 0;

	if (chain && view->nl) {
		nft_queue_find_chain(view->nl, nftables_family(view->family), view->table, chain,
				     &found);
		r = netlink_commit(view->nl, err);
	}
	if (r == 0 && !found)
		r = fail_code(err, CNI_INVALID_CONFIG, EINVAL,
			      "externalSetMarkChain \"%s\" is not there in table nat", chain);
	return r;
}

static int look(const struct xt_view *view, struct arena *arena, struct xt_change *change,
		void *arg, struct error *err)
{
	const struct portmap *map = arg;
	size_t i = view->family == RULE_IP6 ? PORTMAP_V6 : PORTMAP_V4;
	nft_rules_t entries = { 0 };
	struct looking looking = { arena, change, &entries };
	int r = check_external(view, map->snat ? map->external_mark_chain : NULL, err);

	if (r == 0)
		r = xt_rules(view, PORT_XT_DNAT, arena, &entries, err);
	if (r < 0)
		return r;
	keep_own(&looking, change->asked->chains.items[0].name);
	return portmap_xt_conflict(view, map, i, &entries, arena, remove_stale, &looking, err);
}

/* One after the other: between the look at who has a port and what the program does nobody of us may take it. */
int portmap_xt_add(const struct portmap *map, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_close int turn unused = nftables_turn();
	struct ruleset sets[PORTMAP_FAMILIES];

	for (size_t i = 0; i < PORTMAP_FAMILIES; i++)
		portmap_xt_rules(&arena, map, i, &sets[i]);
	return xt_apply_in_turn(sets, PORTMAP_FAMILIES, look, (void *)map, err);
}

/* Rules with conditions cannot be compared, since only the program knows what their words become. */
static void drop_conditions(struct ruleset *set)
{
	size_t n = 0;

	list_each(rule, &set->rules)
		if (!rule_match(rule, MATCH_WORDS))
			set->rules.items[n++] = *rule;
	set->rules.n = n;
}

int portmap_xt_check(const struct portmap *map, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct ruleset sets[PORTMAP_FAMILIES];

	for (size_t i = 0; i < PORTMAP_FAMILIES; i++) {
		portmap_xt_rules(&arena, map, i, &sets[i]);
		drop_conditions(&sets[i]);
	}
	return xt_check(sets, PORTMAP_FAMILIES, err);
}
