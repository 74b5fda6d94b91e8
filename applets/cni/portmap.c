/*
 * portmap: ports of the host that lead to the container (cni-plugins.md, section 2.13). Chained behind a main plugin, from
 * whose result it takes the container's addresses; the runtime says which ports (capability portMappings). The rules are
 * made in lib/firewall/portmap.h.
 */
#include "base/process.h"
#include "cni/plugin.h"
#include "describe/applet.h"
#include "firewall/iptables.h"
#include "firewall/portmap.h"
#include "kernel/nft.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>

#define DEFAULT_MARK_BIT 13

static const char unchained[] = "must be called as chained plugin";

struct mapping {
	int host_port, container_port, range;
	const char *protocol, *host_ip;
};

struct portmap_conf {
	const char *backend;
	bool snat, masq_all;
	int mark_masq_bit;
	bool has_mark_bit;
	const char *external_set_mark_chain;
	port_words_t conditions[PORTMAP_FAMILIES];
	struct {
		LIST(struct mapping) port_mappings;
	} runtime_config;
	/* settled by validate: */
	struct portmap map;
};

#define CONF(member)    offsetof(struct portmap_conf, member)
#define MAPPING(member) offsetof(struct mapping, member)

static const struct field mapping_fields[] = {
	{ "hostPort", FIELD_INT, MAPPING(host_port), .help = "port of the host" },
	{ "containerPort", FIELD_INT, MAPPING(container_port), .help = "port of the container" },
	{ "protocol", FIELD_STRING, MAPPING(protocol), .help = "tcp, udp or sctp, in any case" },
	{ "hostIP", FIELD_STRING, MAPPING(host_ip),
	  .help = "only at this address of the host; unset: at all" },
	{ "range", FIELD_INT, MAPPING(range), .min = 0, .max = 65535,
	  .help = "how many ports, from these on; 0 and 1: one" },
	FIELDS_END
};
static const struct field runtime_fields[] = {
	{ "portMappings", FIELD_LIST, 0, .element = FIELD_OBJECT, .size = sizeof(struct mapping),
	  .fields = mapping_fields, .help = "capability portMappings: what leads where" },
	FIELDS_END
};

static const struct field fields[] = {
	{ "backend", FIELD_STRING, CONF(backend),
	  .help = "iptables or nftables; unset: iptables where it is usable" },
	{ "snat", FIELD_BOOL, CONF(snat),
	  .help = "masquerade the container's and its neighbours' own use of the ports, and localhost's" },
	{ "masqAll", FIELD_BOOL, CONF(masq_all),
	  .help = "masquerade all that comes through the ports" },
	{ "markMasqBit", FIELD_INT, CONF(mark_masq_bit),
	  .seen = FIELD_SEEN(struct portmap_conf, has_mark_bit),
	  .help = "bit of the packet mark that asks for masquerading, 0 to 31 (iptables)" },
	{ "externalSetMarkChain", FIELD_STRING, CONF(external_set_mark_chain),
	  .help = "chain that marks instead, such as KUBE-MARK-MASQ (iptables)" },
	{ "conditionsV4", FIELD_LIST, CONF(conditions[PORTMAP_V4]), .element = FIELD_STRING,
	  .size = sizeof(const char *),
	  .help = "further match words for IPv4, in the back end's syntax" },
	{ "conditionsV6", FIELD_LIST, CONF(conditions[PORTMAP_V6]), .element = FIELD_STRING,
	  .size = sizeof(const char *), .help = "the same for IPv6" },
	{ "runtimeConfig", FIELD_OBJECT, CONF(runtime_config), .fields = runtime_fields,
	  .help = "values of declared capabilities, from the runtime" },
	FIELDS_END
};

/* DEL and GC need none of them; what helps is taken where it can be had (see loose_conditions()). */
static const struct field del_fields[] = { FIELDS_END };

static const struct portmap_conf defaults = { .snat = true, .mark_masq_bit = DEFAULT_MARK_BIT };

/* ---- validate ---- */

/* "" = no conditions. A word of iptables begins with an option or a negation. */
static const char *syntax_of(const port_words_t *words)
{
	const char *first = words->n ? words->items[0] : "";

	if (!words->n)
		return "";
	return *first == '-' || *first == '!' ? "iptables" : "nftables";
}

/* The keys that only the back end understands, separated by blanks. */
static const char *options_of(struct arena *arena, const struct portmap_conf *conf,
			      const char *backend)
{
	static const char *const keys[] = { "conditionsV4", "conditionsV6" };
	const char *text = "";

	if (conf->external_set_mark_chain && streq(backend, "iptables"))
		text = "externalSetMarkChain";
	for (size_t i = 0; i < PORTMAP_FAMILIES; i++)
		if (streq(syntax_of(&conf->conditions[i]), backend))
			text = arena_printf(arena, "%s%s%s", text, *text ? " " : "", keys[i]);
	return text;
}

static int choose_backend(struct arena *arena, struct portmap_conf *conf, struct error *err)
{
	const char *xt = options_of(arena, conf, "iptables"),
		   *nft = options_of(arena, conf, "nftables"), *wanted = conf->backend;

	if (!wanted || !*wanted)
		wanted = *xt ? "iptables" : *nft ? "nftables" : "";
	if (*wanted && !streq(wanted, "iptables") && !streq(wanted, "nftables"))
		return cni_fail(err, CNI_INVALID_CONFIG, "backend: there are iptables and nftables",
				"unrecognized backend \"%s\"", wanted),
		       error_at(err, "backend");
	if (streq(wanted, "iptables") && *nft)
		return fail_key(err, "backend",
				"iptables backend was requested but configuration contains"
				" nftables-specific options [%s]",
				nft);
	if (streq(wanted, "nftables") && *xt)
		return fail_key(err, "backend",
				"nftables backend was requested but configuration contains"
				" iptables-specific options [%s]",
				xt);
	return firewall_choose(wanted, &conf->map.backend, err);
}

/* What would end a line, a statement or a string of the nft program, which gets them in one text. */
static int check_words(const port_words_t *words, const char *key, bool nft, struct error *err)
{
	list_each(word, words)
		for (const char *p = *word; *p; p++)
			if (iscntrl((unsigned char)*p) || (nft && strchr(";#\"'\\", *p)))
				return fail_key(
					err, key,
					"%s: \"%s\" holds a character that does not belong into a"
					" condition",
					key, *word);
	return 0;
}

static int check_port(const char *which, int port, struct error *err)
{
	if (port > 0 && port <= UINT16_MAX)
		return 0;
	return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "Invalid %s port number: %d", which,
			 port);
}

static int parse_protocol(const char *word, uint8_t *protocol, struct error *err)
{
	if (!word || !*word || strcasecmp(word, "tcp") == 0)
		*protocol = IPPROTO_TCP;
	else if (strcasecmp(word, "udp") == 0)
		*protocol = IPPROTO_UDP;
	else if (strcasecmp(word, "sctp") == 0)
		*protocol = IPPROTO_SCTP;
	else
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "protocol \"%s\" is not tcp, udp or sctp", word);
	return 0;
}

/* An unspecified address stands for all of its family. */
static int parse_host_ip(const char *word, struct port_entry *entry, struct error *err)
{
	if (!word || !*word)
		return 0;
	if (!ip_parse(word, &entry->host_ip))
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "hostIP \"%s\" is not an IP address", word);
	entry->family = entry->host_ip.family;
	if (ip_is_unspecified(&entry->host_ip))
		entry->host_ip = (struct ip){ 0 };
	return 0;
}

static int parse_mapping(const struct mapping *mapping, struct port_entry *entry, struct error *err)
{
	int more = mapping->range > 1 ? mapping->range - 1 : 0;
	int r = check_port("host", mapping->host_port, err);

	if (r == 0)
		r = check_port("container", mapping->container_port, err);
	if (r == 0 &&
	    (mapping->host_port + more > UINT16_MAX || mapping->container_port + more > UINT16_MAX))
		r = fail_code(err, CNI_INVALID_CONFIG, EINVAL,
			      "range of %d ports from %d to %d goes beyond port 65535",
			      mapping->range, mapping->host_port, mapping->container_port);
	if (r == 0)
		r = parse_protocol(mapping->protocol, &entry->protocol, err);
	if (r == 0)
		r = parse_host_ip(mapping->host_ip, entry, err);
	if (r < 0)
		return r;
	entry->host = (struct ports){ (uint16_t)mapping->host_port,
				      (uint16_t)(mapping->host_port + more) };
	entry->container = (uint16_t)mapping->container_port;
	return 0;
}

/* Do both send the same packets to different ports? */
static bool contradict(const struct port_entry *a, const struct port_entry *b)
{
	return a->protocol == b->protocol && (!a->family || !b->family || a->family == b->family) &&
	       a->host.first <= b->host.last && b->host.first <= a->host.last &&
	       (!a->host_ip.family || !b->host_ip.family || ip_equal(&a->host_ip, &b->host_ip)) &&
	       a->container - a->host.first != b->container - b->host.first;
}

static int add_entries(struct arena *arena, struct portmap_conf *conf, struct error *err)
{
	size_t i = 0;

	list_each(mapping, &conf->runtime_config.port_mappings) {
		struct port_entry entry = { 0 };

		if (parse_mapping(mapping, &entry, err))
			return wrap(err, "portMappings[%zu]", i);
		list_each(other, &conf->map.entries)
			if (contradict(other, &entry))
				return fail_code(
					err, CNI_INVALID_CONFIG, EINVAL,
					"portMappings[%zu]: host port %d is mapped to two ports of"
					" the container",
					i, mapping->host_port);
		*list_add(arena, &conf->map.entries) = entry;
		i++;
	}
	return 0;
}

/* What a removal needs to know of conditions is which sets have their name; with a mistake in them there are none. */
static void loose_conditions(const struct cni_request *request, struct portmap *map)
{
	static const char *const keys[] = { "conditionsV4", "conditionsV6" };

	for (size_t i = 0; i < PORTMAP_FAMILIES; i++) {
		const struct json *words = json_member(request->config, keys[i]);

		for (size_t n = 0; json_is_array(words) && n < json_length(words); n++) {
			const char *word = json_string(json_item(words, n));

			if (word)
				*list_add(request->arena, &map->conditions[i]) = word;
		}
	}
}

static int check_conf(const struct cni_request *request, struct portmap_conf *conf,
		      struct error *err)
{
	bool nft;

	if (conf->external_set_mark_chain && !*conf->external_set_mark_chain)
		conf->external_set_mark_chain = NULL;
	if (conf->external_set_mark_chain && conf->has_mark_bit)
		return fail_key(err, "markMasqBit",
				"Cannot specify externalSetMarkChain and markMasqBit");
	if (conf->mark_masq_bit < 0 || conf->mark_masq_bit > 31)
		return fail_key(err, "markMasqBit", "MasqMarkBit must be between 0 and 31");
	if (choose_backend(request->arena, conf, err)) {
		if (request->command == CNI_STATUS && !err->code)
			err->code = CNI_NOT_AVAILABLE;
		return -err->errnum;
	}
	nft = conf->map.backend == FIREWALL_NFTABLES;
	if (check_words(&conf->conditions[PORTMAP_V4], "conditionsV4", nft, err) ||
	    check_words(&conf->conditions[PORTMAP_V6], "conditionsV6", nft, err))
		return -err->errnum;
	conf->map.snat = conf->snat;
	conf->map.masq_all = conf->masq_all;
	conf->map.mark_bit = (unsigned)conf->mark_masq_bit;
	conf->map.external_mark_chain = conf->external_set_mark_chain;
	memcpy(conf->map.conditions, conf->conditions, sizeof(conf->conditions));
	return add_entries(request->arena, conf, err);
}

static int portmap_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct portmap_conf *conf = data;

	conf->map.owner = request_owner(request);
	if (request->command == CNI_DEL || request->command == CNI_GC) {
		loose_conditions(request, &conf->map);
		return 0;
	}
	return check_conf(request, conf, err);
}

/* ---- verbs ---- */

/* Addresses of other interfaces, and of the host, are not the container's; those that name none are taken for it. */
static bool is_containers(const struct cni_request *request, const struct cni_result *result,
			  const struct cni_ip *ip)
{
	const struct cni_interface *interface;

	if (!ip->has_interface || ip->interface < 0 ||
	    (size_t)ip->interface >= result->interfaces.n)
		return true;
	interface = &result->interfaces.items[ip->interface];
	return streq(interface->name, request->ifname) && interface->sandbox && *interface->sandbox;
}

/* The first of each family. */
static void take_addresses(const struct cni_request *request, const struct cni_result *result,
			   struct portmap *map)
{
	list_each(ip, &result->ips) {
		size_t i = ip->address.ip.family == AF_INET ? PORTMAP_V4 : PORTMAP_V6;

		if (!map->addresses[i].ip.family && is_containers(request, result, ip))
			map->addresses[i] = ip->address;
	}
}

static int portmap_plugin_add(struct cni_request *request, void *data, struct cni_result *result,
			      struct error *err)
{
	struct portmap_conf *conf = data;

	if (request_prev_result(request, result, err))
		return -err->errnum;
	take_addresses(request, result, &conf->map);
	return portmap_add(&conf->map, err);
}

/* A result that cannot be read tells no addresses, which are not needed. */
static int portmap_plugin_del(struct cni_request *request, void *data, struct error *err)
{
	struct portmap_conf *conf = data;
	struct cni_result prev = { 0 };

	if (request_prev_result(request, &prev, NULL) == 0)
		take_addresses(request, &prev, &conf->map);
	return portmap_del(&conf->map, err);
}

static int portmap_plugin_check(struct cni_request *request, void *data, struct error *err)
{
	struct portmap_conf *conf = data;
	struct cni_result prev = { 0 };

	if (!request->common.prev_result)
		return request_unchained("Required prevResult missing", err);
	if (request_prev_result(request, &prev, err))
		return -err->errnum;
	take_addresses(request, &prev, &conf->map);
	return conf->map.entries.n ? portmap_check(&conf->map, err) : 0;
}

static int portmap_plugin_gc(struct cni_request *request, void *data, struct error *err)
{
	const struct portmap_conf *conf = data;

	return portmap_gc(&conf->map, &request->common.attachments, err);
}

static int not_available(struct error *err, const char *what)
{
	return fail_code(err, CNI_NOT_AVAILABLE, EOPNOTSUPP, "ports cannot be mapped: %s", what);
}

static int portmap_plugin_status(struct cni_request *request unused, void *data, struct error *err)
{
	const struct portmap_conf *conf = data;
	auto_netlink struct netlink *nl = NULL;
	struct error why = { 0 };
	char path[PATH_MAX];

	if (conf->map.backend == FIREWALL_IPTABLES)
		return 0; /* chosen because its program is there */
	if (nft_open(&nl, &why) < 0)
		return not_available(err, why.message);
	if ((conf->conditions[PORTMAP_V4].n || conf->conditions[PORTMAP_V6].n) &&
	    !process_find("nft", path, sizeof(path)))
		return not_available(err, "conditions need the program nft, which is not found");
	return 0;
}

/* What is there stays as it is. */
static int portmap_plugin_restore(struct cni_request *request, void *data, struct error *err)
{
	struct portmap_conf *conf = data;
	struct cni_result prev = { 0 };
	struct error missing = { 0 };

	if (!request->common.prev_result)
		return request_unchained(unchained, err);
	if (request_prev_result(request, &prev, err))
		return -err->errnum;
	take_addresses(request, &prev, &conf->map);
	if (!conf->map.entries.n || portmap_check(&conf->map, &missing) == 0)
		return 0;
	return portmap_add(&conf->map, err);
}

static void portmap_explain(const struct cni_request *request, const void *data,
			    struct advice *advice)
{
	const struct portmap_conf *conf = data;

	if (!request_expects(request, "portMappings") && !conf->map.entries.n)
		advice_warn(advice, "capabilities",
			    "portMappings is not declared: no port is ever mapped");
	advice_say(advice, "ports of the host lead to the container, by %s%s",
		   conf->map.backend == FIREWALL_NFTABLES ? "nftables" : "iptables",
		   conf->snat ? "; the node and the container itself may use them, too" : "");
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.del_fields = del_fields,
	.size = sizeof(struct portmap_conf),
	.defaults = &defaults,
	.load_context = "failed to parse config",
	.chained = unchained,
	.validate = portmap_validate,
	.explain = portmap_explain,
	.add = portmap_plugin_add,
	.del = portmap_plugin_del,
	.check = portmap_plugin_check,
	.gc = portmap_plugin_gc,
	.status = portmap_plugin_status,
	.restore = portmap_plugin_restore,
};

const struct applet applet_portmap = {
	.summary = "lead ports of the host to a container",
	.about =
		"CNI plugin, chained behind one that connects the container. The ports come from the runtime (capability"
		" portMappings). They are reached from outside, from the host at any of its addresses and 127.0.0.1, from other"
		" containers and from the container itself.\n\n"
		"A port that another container has already is refused, with that container's name.",
	.example = "{ \"cniVersion\": \"1.0.0\", \"name\": \"pods\", \"plugins\": [\n"
		   "  { \"type\": \"bridge\", \"isGateway\": true,\n"
		   "    \"ipam\": { \"type\": \"host-local\", \"subnet\": \"10.1.0.0/24\" } },\n"
		   "  { \"type\": \"portmap\", \"capabilities\": { \"portMappings\": true } } ] }",
	.plugin = &plugin,
};
