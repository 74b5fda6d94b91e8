/* The nftables form of port mappings: names, chains, elements. See portmap_maps.h. */
#include "firewall/portmap_maps.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/process.h"
#include "base/text.h"
#include "firewall/names.h"

#define PRIORITY_DNAT  (-99) /* the reference's is -100 */
#define PRIORITY_SNAT  100
#define PRIORITY_RAW   (-300)
#define NFT_TIMEOUT_MS 60000
#define DIGEST_LEN     8

/* ---- names ---- */

static const char *join(struct arena *arena, const port_words_t *words)
{
	const char *text = NULL;

	list_each(word, words)
		text = text ? arena_printf(arena, "%s %s", text, *word) : *word;
	return text;
}

void port_maps_init(struct arena *arena, const struct portmap *map, size_t i, bool conditions,
		    struct port_maps *maps)
{
	const char *text = conditions ? join(arena, &map->conditions[i]) : NULL, *suffix = "";
	char digest[DIGEST_LEN + 1];

	if (text) {
		sha512_hex(digest, DIGEST_LEN, text, NULL);
		suffix = arena_printf(arena, "_%s", digest);
	}
	*maps = (struct port_maps){
		.i = i,
		.family = i == PORTMAP_V4 ? NFT_IP : NFT_IP6,
		.prerouting = arena_printf(arena, "ports_prerouting%s", suffix),
		.output = arena_printf(arena, "ports_output%s", suffix),
		.dnat = arena_printf(arena, "ports_dnat%s", suffix),
		.masquerade = "ports_masquerade",
		.martians = "ports_martians",
		.any = { .name = arena_printf(arena, "ports_any%s", suffix),
			 .key = { NFT_PROTOCOL, NFT_PORT },
			 .data = { NFT_DESTINATION, NFT_PORT } },
		.address = { .name = arena_printf(arena, "ports_address%s", suffix),
			     .key = { NFT_DESTINATION, NFT_PROTOCOL, NFT_PORT },
			     .data = { NFT_DESTINATION, NFT_PORT } },
		.used = { .name = arena_printf(arena, "ports_used%s", suffix),
			  .key = { NFT_PROTOCOL, NFT_PORT },
			  .data = { NFT_NUMBER } },
		.conditions = text,
	};
}

struct nft_set port_masquerade_set(struct arena *arena, unsigned prefix)
{
	struct nft_set set = { .name = arena_printf(arena, "masquerade_%u", prefix),
			       .key = { NFT_SOURCE, NFT_DESTINATION },
			       .source_prefix = (uint8_t)prefix };

	if (!prefix)
		set.key[0] = NFT_DESTINATION, set.key[1] = NFT_NO_FIELD;
	return set;
}

const char *port_owner_text(struct arena *arena, const char *comment)
{
	const char *network = text_between(arena, comment, ", net: ", ",");
	const char *container = text_between(arena, comment, ", id: ", " ");

	if (network && container)
		return arena_printf(arena, "container %s of network \"%s\"", container, network);
	return *comment ? arena_printf(arena, "container %s", comment) : "somebody unknown";
}

/* ---- chains ---- */

void port_maps_look(struct netlink *nl, const struct port_maps *maps, struct port_chains *chains)
{
	enum nft_family family = maps->family;

	nft_queue_get_chain(nl, family, PORT_NFT_TABLE, maps->prerouting, &chains->prerouting);
	nft_queue_get_chain(nl, family, PORT_NFT_TABLE, maps->output, &chains->output);
	nft_queue_get_chain(nl, family, PORT_NFT_TABLE, maps->dnat, &chains->dnat);
	nft_queue_get_chain(nl, family, PORT_NFT_TABLE, maps->masquerade, &chains->masquerade);
	nft_queue_get_chain(nl, family, PORT_NFT_TABLE, maps->martians, &chains->martians);
}

/* The number of rules in a chain, with that of the jumps to it, tells whether somebody emptied it. */
bool port_maps_intact(const struct port_maps *maps, const struct port_chains *chains, bool snat)
{
	bool base = chains->prerouting.users == 1 && chains->output.users == 1 &&
		    chains->dnat.users == 4 && streq(chains->prerouting.type, "nat") &&
		    streq(chains->output.type, "nat");

	return base && (!snat || (chains->masquerade.found &&
				  (maps->i != PORTMAP_V4 || chains->martians.users == 1)));
}

static void queue_chain(struct netlink *nl, const struct port_maps *maps, const char *name,
			const char *type, enum nft_hook hook, int priority)
{
	const struct nft_chain chain = {
		.name = name, .type = type, .hook = hook, .priority = priority
	};

	nft_queue_chain(nl, maps->family, PORT_NFT_TABLE, &chain);
	nft_queue_flush_chain(nl, maps->family, PORT_NFT_TABLE, name);
}

static void queue_entry_rule(struct netlink *nl, const struct port_maps *maps, const char *chain)
{
	struct nft_rule *rule = nft_rule_begin(nl, maps->family, PORT_NFT_TABLE, chain, NULL);

	nft_match_local(rule);
	nft_verdict(rule, NFT_VERDICT_JUMP, maps->dnat);
	nft_rule_end(rule);
}

static void queue_dnat_rule(struct netlink *nl, const struct port_maps *maps,
			    const struct nft_set *map)
{
	struct nft_rule *rule = nft_rule_begin(nl, maps->family, PORT_NFT_TABLE, maps->dnat, NULL);

	nft_dnat_map(rule, map);
	nft_rule_end(rule);
}

/* Answers to what was masqueraded have another destination, so that only strangers are met. */
static void queue_martians(struct netlink *nl, const struct port_maps *maps)
{
	static const struct cidr loopback = { { AF_INET, { 127 } }, 8 };
	struct nft_rule *rule;

	queue_chain(nl, maps, maps->martians, "filter", NFT_PREROUTING, PRIORITY_RAW);
	rule = nft_rule_begin(nl, maps->family, PORT_NFT_TABLE, maps->martians, NULL);
	nft_match_interface(rule, true, NFT_IS_NOT, "lo");
	nft_match_addr(rule, false, NFT_IS, &loopback);
	nft_verdict(rule, NFT_VERDICT_DROP, NULL);
	nft_rule_end(rule);
}

/* The masquerading chain is not emptied here: port_masquerade_queue() adds to it what it lacks. */
void port_maps_queue(struct netlink *nl, const struct port_maps *maps, bool snat)
{
	const struct nft_chain masquerade = { .name = maps->masquerade,
					      .type = "nat",
					      .hook = NFT_POSTROUTING,
					      .priority = PRIORITY_SNAT };

	nft_queue_table(nl, maps->family, PORT_NFT_TABLE, "CNI portmap plugin");
	nft_queue_set(nl, maps->family, PORT_NFT_TABLE, &maps->any);
	nft_queue_set(nl, maps->family, PORT_NFT_TABLE, &maps->address);
	nft_queue_set(nl, maps->family, PORT_NFT_TABLE, &maps->used);
	queue_chain(nl, maps, maps->dnat, NULL, 0, 0);
	queue_chain(nl, maps, maps->prerouting, "nat", NFT_PREROUTING, PRIORITY_DNAT);
	queue_chain(nl, maps, maps->output, "nat", NFT_OUTPUT, PRIORITY_DNAT);
	queue_dnat_rule(nl, maps, &maps->address);
	queue_dnat_rule(nl, maps, &maps->any);
	if (!maps->conditions) {
		queue_entry_rule(nl, maps, maps->prerouting);
		queue_entry_rule(nl, maps, maps->output);
	}
	if (snat)
		nft_queue_chain(nl, maps->family, PORT_NFT_TABLE, &masquerade);
	if (snat && maps->i == PORTMAP_V4)
		queue_martians(nl, maps);
}

/* Only what a mapping sent there. The comment says which set's rule it is. */
void port_masquerade_queue(struct netlink *nl, const struct port_maps *maps,
			   const struct nft_set *set)
{
	struct nft_rule *rule;

	nft_queue_set(nl, maps->family, PORT_NFT_TABLE, set);
	rule = nft_rule_begin(nl, maps->family, PORT_NFT_TABLE, maps->masquerade, set->name);
	nft_match_translated(rule);
	nft_match_set(rule, NFT_IS, set);
	nft_masquerade(rule, false);
	nft_rule_end(rule);
}

/* Emptied and filled in one transaction, so that many at once leave it once. */
int port_maps_conditions(const struct port_maps *maps, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	static const char *const argv[] = { "nft", "-f", "-", NULL };
	const char *family = maps->i == PORTMAP_V4 ? "ip" : "ip6", *text = "";
	const char *const chains[] = { maps->prerouting, maps->output };
	struct process process = {
		.path = "nft", .argv = argv, .timeout_ms = NFT_TIMEOUT_MS, .keep_stderr = true
	};
	struct process_result result = { 0 };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		text = arena_printf(&arena,
				    "%sflush chain %s %s %s\n"
				    "add rule %s %s %s %s fib daddr type local jump %s\n",
				    text, family, PORT_NFT_TABLE, chains[i], family, PORT_NFT_TABLE,
				    chains[i], maps->conditions, maps->dnat);
	process.input = text;
	process.input_size = strlen(text);
	r = process_run(&process, &arena, &result, err);
	if (r < 0)
		return wrap(err, "conditions \"%s\"", maps->conditions);
	if (result.status)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "conditions \"%s\": nft: %.*s",
				 maps->conditions, (int)strcspn(result.errors, "\n"),
				 result.errors);
	return 0;
}

/* ---- elements ---- */

bool port_use_read(const struct port_maps *maps, const struct nft_set *set,
		   const struct nft_element *element, struct port_use *use)
{
	int family = portmap_family(maps->i);
	size_t at = 0, data_at = 0;
	uint16_t port;

	*use = (struct port_use){ .comment = element->comment };
	if (set == &maps->address)
		use->entry.host_ip = nft_value_get_ip(&element->key, family, &at);
	use->entry.protocol = nft_value_get_protocol(&element->key, &at);
	port = nft_value_get_port(&element->key, &at);
	use->entry.host = (struct ports){ port, port };
	use->entry.family = family;
	use->to = nft_value_get_ip(&element->data, family, &data_at);
	use->entry.container = nft_value_get_port(&element->data, &data_at);
	return at <= element->key.size && data_at <= element->data.size;
}

/* Does another entry of the same container, for every address, say the same already? */
static bool is_covered(const struct portmap *map, const struct port_entry *entry)
{
	list_each(other, &map->entries)
		if (entry->host_ip.family && !other->host_ip.family &&
		    port_entry_for(other, entry->host_ip.family) &&
		    other->protocol == entry->protocol && other->host.first <= entry->host.first &&
		    other->host.last >= entry->host.last)
			return true;
	return false;
}

/* Said twice in the same words. */
static bool is_repeated(const struct portmap *map, int family, const struct port_entry *entry)
{
	for (const struct port_entry *other = map->entries.items; other < entry; other++)
		if (port_entry_for(other, family) && other->protocol == entry->protocol &&
		    other->host.first <= entry->host.first &&
		    other->host.last >= entry->host.last &&
		    ip_equal(&other->host_ip, &entry->host_ip))
			return true;
	return false;
}

static void add_port(struct arena *arena, const struct portmap *map, const struct port_maps *maps,
		     const struct port_entry *entry, unsigned offset, port_elements_t *elements)
{
	bool any = !entry->host_ip.family;
	uint16_t port = (uint16_t)(entry->host.first + offset);
	struct port_element *mapping = list_add(arena, elements), *used;

	mapping->set = any ? &maps->any : &maps->address;
	mapping->exclusive = true;
	mapping->label = arena_printf(arena, "map host port %u/%s", port,
				      port_protocol_name(entry->protocol));
	mapping->element.comment = masquerade_nft_comment(arena, &map->owner);
	nft_value_ip(&mapping->element.key, &entry->host_ip);
	nft_value_protocol(&mapping->element.key, entry->protocol);
	nft_value_port(&mapping->element.key, port);
	nft_value_ip(&mapping->element.data, &map->addresses[maps->i].ip);
	nft_value_port(&mapping->element.data, (uint16_t)(entry->container + offset));
	used = list_add(arena, elements);
	used->set = &maps->used;
	used->exclusive = any;
	used->label = "keep the port from others";
	nft_value_protocol(&used->element.key, entry->protocol);
	nft_value_port(&used->element.key, port);
	nft_value_number(&used->element.data, any ? USED_BY_ANY : USED_BY_ADDRESS);
}

void port_elements(struct arena *arena, const struct portmap *map, const struct port_maps *maps,
		   port_elements_t *elements)
{
	list_each(entry, &map->entries) {
		if (!port_entry_for(entry, portmap_family(maps->i)) || is_covered(map, entry) ||
		    is_repeated(map, portmap_family(maps->i), entry))
			continue;
		for (unsigned i = 0; i <= (unsigned)(entry->host.last - entry->host.first); i++)
			add_port(arena, map, maps, entry, i, elements);
	}
}
