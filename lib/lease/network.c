/* The shared network's configuration: decode, defaults, bounds. Pure. */
#include "lease/network.h"

#include <ctype.h>
#include <errno.h>
#include <sys/socket.h>

#include "describe/json.h"

/* As it stands in JSON, before defaults. */
struct document {
	bool enable_ipv4, enable_ipv6, enable_nftables;
	struct cidr network, network6;
	int subnet_len, subnet_len6;
	struct ip min, max, min6, max6;
	bool has_backend;
	struct network_backend backend;
};

/* What differs between the families. */
struct rules {
	int family;
	const char *network, *len, *min, *max; /* keys */
	int usual_len;   /* of subnets, where the network has room for four of them */
	int max_len;     /* of a subnet */
	int max_network; /* prefix of a network whose SubnetLen is not given */
};

static const struct rules ipv4 = { AF_INET,     "Network", "SubnetLen", "SubnetMin",
				   "SubnetMax", 24,        30,          28 };
static const struct rules ipv6 = {
	AF_INET6, "IPv6Network", "IPv6SubnetLen", "IPv6SubnetMin", "IPv6SubnetMax", 64, 126, 124
};

#define DOC(member)     offsetof(struct document, member)
#define BACKEND(member) offsetof(struct network_backend, member)

static const struct field backend_fields[] = {
	{ "Type", FIELD_STRING, BACKEND(type) },
	{ "VNI", FIELD_INT, BACKEND(vni), .min = 1, .max = (1 << 24) - 1 },
	{ "Port", FIELD_INT, BACKEND(port), .max = 65535 },
	{ "MTU", FIELD_INT, BACKEND(mtu), .max = 65535 },
	{ "GBP", FIELD_BOOL, BACKEND(gbp) },
	{ "Learning", FIELD_BOOL, BACKEND(learning) },
	{ "DirectRouting", FIELD_BOOL, BACKEND(direct_routing) },
	FIELDS_END
};

static const struct field fields[] = { { "Network", FIELD_CIDR, DOC(network) },
				       { "IPv6Network", FIELD_CIDR, DOC(network6) },
				       { "EnableIPv4", FIELD_BOOL, DOC(enable_ipv4) },
				       { "EnableIPv6", FIELD_BOOL, DOC(enable_ipv6) },
				       { "EnableNFTables", FIELD_BOOL, DOC(enable_nftables) },
				       { "SubnetLen", FIELD_INT, DOC(subnet_len), .max = 128 },
				       { "IPv6SubnetLen", FIELD_INT, DOC(subnet_len6), .max = 128 },
				       { "SubnetMin", FIELD_IP, DOC(min) },
				       { "SubnetMax", FIELD_IP, DOC(max) },
				       { "IPv6SubnetMin", FIELD_IP, DOC(min6) },
				       { "IPv6SubnetMax", FIELD_IP, DOC(max6) },
				       { "Backend", FIELD_OBJECT, DOC(backend),
					 .fields = backend_fields,
					 .seen = FIELD_SEEN(struct document, has_backend) },
				       FIELDS_END };

/* Where the subnet that holds ip begins. */
static struct ip subnet_of(const struct ip *ip, int len)
{
	struct cidr cidr = { *ip, (uint8_t)len };

	return cidr_network(&cidr).ip;
}

/* The first subnet is left out: a host address that is the network's own address is trouble. */
static struct ip second_subnet(const struct network_family *family)
{
	struct cidr first = { family->network.ip, (uint8_t)family->subnet_len };
	struct ip last = cidr_last(&first);

	return ip_add(&last, 1);
}

static int settle_len(const struct rules *rules, struct network_family *family, struct error *err)
{
	int prefix = family->network.prefix;

	if (family->subnet_len > rules->max_len)
		return fail_key(err, rules->len, "%s must be less than /%d", rules->len,
				rules->max_len + 1);
	if (family->subnet_len && family->subnet_len < prefix + 2)
		return fail_key(err, rules->len,
				"network must be able to accommodate at least four subnets");
	if (!family->subnet_len && prefix > rules->max_network)
		return fail_key(err, rules->network,
				"network is too small. Minimum useful network prefix is /%d",
				rules->max_network);
	if (!family->subnet_len)
		family->subnet_len = prefix <= rules->usual_len - 2 ? rules->usual_len : prefix + 2;
	return 0;
}

static int settle_bound(const struct rules *rules, const struct network_family *family,
			const char *key, struct ip *bound, struct ip usual, struct error *err)
{
	char text[IP_TEXT_SIZE];
	struct ip start;

	if (!bound->family) {
		*bound = usual;
		return 0;
	}
	if (bound->family != rules->family || !cidr_contains(&family->network, bound))
		return fail_key(err, key, "%s is not in the range of the %s", key, rules->network);
	start = subnet_of(bound, family->subnet_len);
	if (!ip_equal(&start, bound))
		return fail_key(err, key, "%s is not on a SubnetLen boundary: %s", key,
				ip_format(bound, text));
	return 0;
}

static int settle_family(const struct rules *rules, struct network_family *family, bool allocates,
			 struct error *err)
{
	struct ip last = cidr_last(&family->network);

	if (family->network.ip.family != rules->family)
		return fail_key(err, rules->network,
				"please define a correct %s parameter in the flannel config",
				rules->network);
	family->network = cidr_network(&family->network);
	if (!allocates)
		return 0;
	if (settle_len(rules, family, err) ||
	    settle_bound(rules, family, rules->min, &family->min, second_subnet(family), err) ||
	    settle_bound(rules, family, rules->max, &family->max,
			 subnet_of(&last, family->subnet_len), err))
		return -err->errnum;
	if (ip_compare(&family->min, &family->max) > 0)
		return fail_key(err, rules->min, "%s lies behind %s", rules->min, rules->max);
	return 0;
}

static const char *lower(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text);

	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static int settle_backend(const struct document *document, struct arena *arena,
			  struct network_backend *backend, struct error *err)
{
	const char *type = document->backend.type;

	*backend = document->backend;
	backend->by_default = !document->has_backend;
	if (backend->by_default)
		backend->type = "udp";
	else if (!type || !*type)
		return fail_key(err, "Backend.Type", "Backend.Type: unknown backend type \"\"");
	else
		backend->type = lower(arena, type);
	return 0;
}

static const struct document document_defaults = { .enable_ipv4 = true, .backend.vni = 1 };

int network_config_check(const struct json *json, struct arena *arena, json_report_fn *report,
			 void *arg)
{
	struct document document = document_defaults;
	const struct field *const tables[] = { fields };

	return json_check(json, tables, 1, (void *const[]){ &document }, arena, report, arg);
}

int network_config_decode(const char *text, size_t size, bool allocates, struct arena *arena,
			  struct network_config *config, struct error *err)
{
	auto_json struct json *json = NULL;
	struct document document = document_defaults;
	struct error unasked = { 0 };

	if (!err)
		err = &unasked;
	json = json_parse(text, size, err);
	if (!json)
		return -err->errnum;
	if (json_decode(json, fields, &document, arena, err))
		return -err->errnum;
	*config = (struct network_config){
		.v4 = { document.enable_ipv4, document.network, document.subnet_len, document.min,
			document.max },
		.v6 = { document.enable_ipv6, document.network6, document.subnet_len6,
			document.min6, document.max6 },
		.nftables = document.enable_nftables,
	};
	if (!config->v4.enabled && !config->v6.enabled)
		return fail_key(err, "EnableIPv4", "neither EnableIPv4 nor EnableIPv6 is set");
	if ((config->v4.enabled && settle_family(&ipv4, &config->v4, allocates, err)) ||
	    (config->v6.enabled && settle_family(&ipv6, &config->v6, allocates, err)))
		return -err->errnum;
	return settle_backend(&document, arena, &config->backend, err);
}
