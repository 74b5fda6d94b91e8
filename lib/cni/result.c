/*
 * Results and their versions. Inside cnibox a result always has the newest shape (struct
 * cni_result); what other versions look like is said by three field tables here, one per family of
 * versions that share a shape. Decoding needs only two of them: a 0.3 result differs from a 1.x one
 * by a key that can be derived.
 */
#include "cni/result.h"

#include "describe/json.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

/* CNI specification, "Released versions". */
const char *const cni_versions[] = {
	"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"
};
const size_t cni_n_versions = ARRAY_SIZE(cni_versions);

enum family { FAMILY_0_2, FAMILY_0_4, FAMILY_1 };

static const char *const family_versions[] = {
	[FAMILY_0_2] = "0.1.0 0.2.0",
	[FAMILY_0_4] = "0.3.0 0.3.1 0.4.0",
	[FAMILY_1] = "1.0.0 1.1.0",
};

#define ROW(type_, key_, kind, member, ...)                                                     \
	{                                                                                       \
		.key = (key_), .type = (kind), .offset = offsetof(type_, member), ##__VA_ARGS__ \
	}

/* clang-format off */
const struct field cni_interface_fields[] = {
	ROW(struct cni_interface, "name",       FIELD_STRING, name, .flags = FIELD_KEEP_EMPTY),
	ROW(struct cni_interface, "mac",        FIELD_MAC,    mac),
	ROW(struct cni_interface, "mtu",        FIELD_INT,    mtu),
	ROW(struct cni_interface, "sandbox",    FIELD_STRING, sandbox),
	ROW(struct cni_interface, "socketPath", FIELD_STRING, socket_path),
	ROW(struct cni_interface, "pciID",      FIELD_STRING, pci_id),
	FIELDS_END
};

const struct field cni_ip_fields[] = {
	ROW(struct cni_ip, "interface", FIELD_INT,  interface,
	    .seen = FIELD_SEEN(struct cni_ip, has_interface)),
	ROW(struct cni_ip, "address",   FIELD_CIDR, address,   .flags = FIELD_REQUIRED),
	ROW(struct cni_ip, "gateway",   FIELD_IP,   gateway),
	FIELDS_END
};

const struct field cni_route_fields[] = {
	ROW(struct cni_route, "dst", FIELD_CIDR, dst, .flags = FIELD_REQUIRED,
	    .help = "destination"),
	ROW(struct cni_route, "gw", FIELD_IP, gw,
	    .help = "next hop; without: the gateway of the address"),
	ROW(struct cni_route, "mtu", FIELD_UINT32, mtu,
	    .help = "MTU along the path"),
	ROW(struct cni_route, "advmss", FIELD_UINT32, advmss,
	    .help = "TCP segment size to advertise"),
	ROW(struct cni_route, "priority", FIELD_UINT32, priority,
	    .help = "metric: the lower, the better"),
	ROW(struct cni_route, "table", FIELD_UINT32, table,
	    .seen = FIELD_SEEN(struct cni_route, has_table), .help = "routing table by number"),
	ROW(struct cni_route, "scope", FIELD_INT, scope, .max = 255,
	    .seen = FIELD_SEEN(struct cni_route, has_scope),
	    .help = "scope by number: 0 global, 253 link"),
	FIELDS_END
};
/* clang-format on */

#define STRINGS(type_, key_, member, ...)                                                     \
	ROW(type_, key_, FIELD_LIST, member, .element = FIELD_STRING, .size = sizeof(char *), \
	    ##__VA_ARGS__)

/* clang-format off */
const struct field cni_dns_fields[] = {
	STRINGS(struct cni_dns, "nameservers", nameservers, .help = "name servers, best first"),
	ROW(struct cni_dns, "domain", FIELD_STRING, domain, .help = "local domain"),
	STRINGS(struct cni_dns, "search", search, .help = "domains to search, best first"),
	STRINGS(struct cni_dns, "options", options, .help = "options of the resolver"),
	FIELDS_END
};
/* clang-format on */

#define OBJECTS(type_, key_, member, element_type, table)             \
	ROW(type_, key_, FIELD_LIST, member, .element = FIELD_OBJECT, \
	    .size = sizeof(element_type), .fields = (table))

/* 1.0.0 and 1.1.0; also how everything from 0.3.0 on is read. */
struct wire_1 {
	const char *version;
	struct cni_result result;
};

static const struct field wire_1_fields[] = {
	ROW(struct wire_1, "cniVersion", FIELD_STRING, version),
	OBJECTS(struct wire_1, "interfaces", result.interfaces, struct cni_interface,
		cni_interface_fields),
	OBJECTS(struct wire_1, "ips", result.ips, struct cni_ip, cni_ip_fields),
	OBJECTS(struct wire_1, "routes", result.routes, struct cni_route, cni_route_fields),
	ROW(struct wire_1, "dns", FIELD_OBJECT, result.dns, .fields = cni_dns_fields),
	FIELDS_END
};

/* 0.3.0, 0.3.1, 0.4.0: each address says its IP version; interfaces have three keys. */
struct ip_0_4 {
	const char *version;
	struct cni_ip ip;
};

struct wire_0_4 {
	const char *version;
	struct cni_result result;
	LIST(struct ip_0_4) ips;
};

static const struct field interface_0_4_fields[] = {
	ROW(struct cni_interface, "name", FIELD_STRING, name, .flags = FIELD_KEEP_EMPTY),
	ROW(struct cni_interface, "mac", FIELD_MAC, mac),
	ROW(struct cni_interface, "sandbox", FIELD_STRING, sandbox), FIELDS_END
};

static const struct field ip_0_4_fields[] = {
	ROW(struct ip_0_4, "version", FIELD_STRING, version),
	ROW(struct ip_0_4, "interface", FIELD_INT, ip.interface,
	    .seen = FIELD_SEEN(struct ip_0_4, ip.has_interface)),
	ROW(struct ip_0_4, "address", FIELD_CIDR, ip.address),
	ROW(struct ip_0_4, "gateway", FIELD_IP, ip.gateway), FIELDS_END
};

static const struct field wire_0_4_fields[] = {
	ROW(struct wire_0_4, "cniVersion", FIELD_STRING, version),
	OBJECTS(struct wire_0_4, "interfaces", result.interfaces, struct cni_interface,
		interface_0_4_fields),
	OBJECTS(struct wire_0_4, "ips", ips, struct ip_0_4, ip_0_4_fields),
	OBJECTS(struct wire_0_4, "routes", result.routes, struct cni_route, cni_route_fields),
	ROW(struct wire_0_4, "dns", FIELD_OBJECT, result.dns, .fields = cni_dns_fields,
	    .flags = FIELD_KEEP_EMPTY),
	FIELDS_END
};

/* 0.1.0 and 0.2.0: one address per family, with its routes. */
struct side_0_2 {
	struct cidr ip;
	struct ip gateway;
	LIST(struct cni_route) routes;
};

struct wire_0_2 {
	const char *version;
	struct side_0_2 ip4, ip6;
	bool has_ip4, has_ip6;
	struct cni_dns dns;
};

static const struct field route_0_2_fields[] = {
	ROW(struct cni_route, "dst", FIELD_CIDR, dst, .flags = FIELD_REQUIRED),
	ROW(struct cni_route, "gw", FIELD_IP, gw), FIELDS_END
};

static const struct field side_0_2_fields[] = {
	ROW(struct side_0_2, "ip", FIELD_CIDR, ip, .flags = FIELD_REQUIRED),
	ROW(struct side_0_2, "gateway", FIELD_IP, gateway),
	OBJECTS(struct side_0_2, "routes", routes, struct cni_route, route_0_2_fields), FIELDS_END
};

static const struct field wire_0_2_fields[] = {
	ROW(struct wire_0_2, "cniVersion", FIELD_STRING, version),
	ROW(struct wire_0_2, "ip4", FIELD_OBJECT, ip4, .fields = side_0_2_fields,
	    .seen = FIELD_SEEN(struct wire_0_2, has_ip4)),
	ROW(struct wire_0_2, "ip6", FIELD_OBJECT, ip6, .fields = side_0_2_fields,
	    .seen = FIELD_SEEN(struct wire_0_2, has_ip6)),
	ROW(struct wire_0_2, "dns", FIELD_OBJECT, dns, .fields = cni_dns_fields,
	    .flags = FIELD_KEEP_EMPTY),
	FIELDS_END
};

/* Three numbers, at most 4 digits each; false for anything else. */
static bool version_parse(const char *text, int numbers[3])
{
	for (int i = 0; i < 3; i++) {
		int n_digits = 0;

		for (numbers[i] = 0; *text >= '0' && *text <= '9' && n_digits < 4; n_digits++)
			numbers[i] = numbers[i] * 10 + *text++ - '0';
		if (n_digits == 0 || *text != (i < 2 ? '.' : '\0'))
			return false;
		text++;
	}
	return true;
}

static enum family version_family(const char *version)
{
	if (cni_version_compare(version, "0.3.0") < 0)
		return FAMILY_0_2;
	return cni_version_compare(version, "1.0.0") < 0 ? FAMILY_0_4 : FAMILY_1;
}

static const char *or_oldest(const char *version)
{
	return version && *version ? version : cni_versions[0];
}

static struct json *encode_1(const struct cni_result *result, const char *version)
{
	struct wire_1 wire = { .version = version, .result = *result };

	return json_encode(wire_1_fields, &wire);
}

static struct json *encode_0_4(const struct cni_result *result, const char *version)
{
	struct wire_0_4 wire = { .version = version, .result = *result };
	auto_arena struct arena arena = { 0 };

	list_each(ip, &result->ips)
		*list_add(&arena, &wire.ips) = (struct ip_0_4){
			.version = ip->address.ip.family == AF_INET ? "4" : "6",
			.ip = *ip,
		};
	return json_encode(wire_0_4_fields, &wire);
}

/* The first address of a family, and the routes to that family. */
static bool side_fill(struct side_0_2 *side, int family, const struct cni_result *result,
		      struct arena *arena)
{
	const struct cni_ip *first = NULL;

	list_each(ip, &result->ips)
		if (!first && ip->address.ip.family == family)
			first = ip;
	if (!first)
		return false;
	side->ip = first->address;
	side->gateway = first->gateway;
	list_each(route, &result->routes)
		if (route->dst.ip.family == family)
			*list_add(arena, &side->routes) =
				(struct cni_route){ .dst = route->dst, .gw = route->gw };
	return true;
}

static int encode_0_2(const struct cni_result *result, const char *version, struct json **json,
		      struct error *err)
{
	struct wire_0_2 wire = { .version = version, .dns = result->dns };
	auto_arena struct arena arena = { 0 };

	wire.has_ip4 = side_fill(&wire.ip4, AF_INET, result, &arena);
	wire.has_ip6 = side_fill(&wire.ip6, AF_INET6, result, &arena);
	if (!wire.has_ip4 && !wire.has_ip6)
		return fail(err, EINVAL, "cannot convert: no valid IP addresses");
	*json = json_encode(wire_0_2_fields, &wire);
	return 0;
}

static void side_take(const struct side_0_2 *side, struct arena *arena, struct cni_result *result)
{
	*list_add(arena, &result->ips) =
		(struct cni_ip){ .address = side->ip, .gateway = side->gateway };
	list_each(route, &side->routes)
		*list_add(arena, &result->routes) = *route;
}

static int decode_0_2(const struct json *json, struct arena *arena, struct cni_result *result,
		      struct error *err)
{
	struct wire_0_2 wire = { 0 };
	int r = json_decode(json, wire_0_2_fields, &wire, arena, err);

	if (r < 0)
		return r;
	*result = (struct cni_result){ .dns = wire.dns };
	if (json_is_object(json_member(json, "ip4")))
		side_take(&wire.ip4, arena, result);
	if (json_is_object(json_member(json, "ip6")))
		side_take(&wire.ip6, arena, result);
	return 0;
}

static int decode_1(const struct json *json, struct arena *arena, struct cni_result *result,
		    struct error *err)
{
	struct wire_1 wire = { 0 };
	int r = json_decode(json, wire_1_fields, &wire, arena, err);

	if (r < 0)
		return r;
	*result = wire.result;
	/* Nobody demands a name, everybody compares it. */
	list_each(interface, &result->interfaces)
		if (!interface->name)
			interface->name = "";
	return 0;
}

/* The result's own version; *version borrows from json or is config_version. */
static int own_version(const struct json *json, const char *config_version, const char **version,
		       struct error *err)
{
	const struct json *own = json_member(json, "cniVersion");

	*version = or_oldest(config_version);
	if (!own || json_is_null(own))
		return 0;
	if (!json_string(own))
		return fail_code(err, CNI_DECODE_FAILURE, EINVAL, "cniVersion: expected a string");
	if (*json_string(own))
		*version = json_string(own);
	return 0;
}

bool cni_dns_empty(const struct cni_dns *dns)
{
	return !dns->nameservers.n && !dns->search.n && !dns->options.n &&
	       !(dns->domain && *dns->domain);
}

bool cni_version_valid(const char *version)
{
	return version_parse(version, (int[3]){ 0 });
}

int cni_version_compare(const char *a, const char *b)
{
	int left[3] = { 0 }, right[3] = { 0 };

	if (!version_parse(a, left))
		memset(left, 0, sizeof(left));
	if (!version_parse(b, right))
		memset(right, 0, sizeof(right));
	for (int i = 0; i < 3; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

bool cni_version_known(const char *version)
{
	for (size_t i = 0; i < cni_n_versions; i++)
		if (streq(cni_versions[i], version))
			return true;
	return false;
}

int result_to_json(const struct cni_result *result, const char *version, struct json **json,
		   struct error *err)
{
	version = or_oldest(version);
	if (!cni_version_known(version))
		return fail_code(err, CNI_INCOMPATIBLE_VERSION, EINVAL,
				 "no converter for CNI result version " CNI_VERSION_NEWEST " to %s",
				 version);
	switch (version_family(version)) {
	case FAMILY_0_2: return encode_0_2(result, version, json, err);
	case FAMILY_0_4: *json = encode_0_4(result, version); return 0;
	case FAMILY_1:
	default: *json = encode_1(result, version); return 0;
	}
}

char *result_text(const struct json *json, const char *version, struct arena *arena)
{
	bool sorted = version_family(or_oldest(version)) == FAMILY_1;

	return json_text(json, sorted ? JSON_STYLE_SORTED : JSON_STYLE_INDENT, arena);
}

int result_encode(const struct cni_result *result, const char *version, struct arena *arena,
		  char **text, struct error *err)
{
	auto_json struct json *json = NULL;
	int r = result_to_json(result, version, &json, err);

	if (r < 0)
		return r;
	*text = result_text(json, version, arena);
	return 0;
}

int result_decode(const struct json *json, const char *config_version, bool strict,
		  struct arena *arena, struct cni_result *result, struct error *err)
{
	const char *version;
	enum family wanted = version_family(or_oldest(config_version));
	int r;

	if (!json_is_object(json))
		return fail_code(err, CNI_DECODE_FAILURE, EINVAL, "result: expected an object");
	r = own_version(json, config_version, &version, err);
	if (r < 0)
		return r;
	if (strict && (!cni_version_known(version) || version_family(version) != wanted))
		return fail_code(err, CNI_DECODE_FAILURE, EINVAL,
				 "result type supports [%s] but unmarshalled CNIVersion is \"%s\"",
				 family_versions[wanted], version);
	if (!cni_version_known(version))
		return fail_code(err, CNI_DECODE_FAILURE, EINVAL,
				 "unsupported CNI result version \"%s\"", version);
	if (version_family(version) == FAMILY_0_2)
		return decode_0_2(json, arena, result, err);
	return decode_1(json, arena, result, err);
}
