/*
 * static: addresses, routes and names as the configuration gives them (cni-plugins.md, section 2.11). Nothing is reserved, so
 * there is nothing to release, and DEL and GC read nothing. Who asks for other addresses replaces those of the
 * configuration: args.cni.ips all of them, runtimeConfig.ips all of those again; CNI_ARGS adds some.
 */
#include "cni/attachment.h"
#include "cni/plugin.h"
#include "describe/applet.h"

#include <errno.h>
#include <sys/socket.h>

struct address {
	const char *text;
	struct ip gateway;
	struct cidr cidr; /* settled by validate */
};
typedef LIST(struct address) addresses_t;

struct static_conf {
	bool has_ipam;
	struct {
		addresses_t addresses;
		typeof(((struct cni_result *)0)->routes) routes;
		struct cni_dns dns;
	} ipam;
	struct {
		struct {
			strings_t ips;
		} cni;
	} args;
	struct {
		strings_t ips;
	} runtime_config;
	addresses_t addresses; /* settled by validate: what the result will hold */
};

/* clang-format off */
#define ROW(type_, key_, kind, member, ...) \
	{ .key = (key_), .type = (kind), .offset = offsetof(type_, member), ##__VA_ARGS__ }

static const struct field address_fields[] = {
	ROW(struct address, "address", FIELD_STRING, text, .help = "address with its prefix length, as 10.1.0.5/24"),
	ROW(struct address, "gateway", FIELD_IP, gateway, .help = "gateway of the address's subnet"),
	FIELDS_END
};

typedef typeof(((struct static_conf *)0)->ipam) ipam_t;
static const struct field ipam_fields[] = {
	ROW(ipam_t, "addresses", FIELD_LIST, addresses, .element = FIELD_OBJECT, .size = sizeof(struct address),
	    .fields = address_fields, .help = "addresses of the interface"),
	ROW(ipam_t, "routes", FIELD_LIST, routes, .element = FIELD_OBJECT, .size = sizeof(struct cni_route),
	    .fields = cni_route_fields, .help = "routes to put into the result"),
	ROW(ipam_t, "dns", FIELD_OBJECT, dns, .fields = cni_dns_fields, .help = "name servers to report in the result"),
	FIELDS_END
};

static const struct field args_cni_fields[] = {
	{ .key = "ips", .type = FIELD_LIST, .element = FIELD_STRING, .size = sizeof(char *),
	  .help = "addresses with prefix length, in place of ipam.addresses" },
	FIELDS_END
};
static const struct field args_fields[] = {
	{ .key = "cni", .type = FIELD_OBJECT, .fields = args_cni_fields, .help = "arguments of the CNI convention" },
	FIELDS_END
};
static const struct field runtime_fields[] = {
	{ .key = "ips", .type = FIELD_LIST, .element = FIELD_STRING, .size = sizeof(char *),
	  .help = "capability ips: addresses with prefix length, in place of all others" },
	FIELDS_END
};

static const struct field fields[] = {
	ROW(struct static_conf, "ipam", FIELD_OBJECT, ipam, .fields = ipam_fields,
	    .seen = FIELD_SEEN(struct static_conf, has_ipam), .help = "the addresses and what goes with them"),
	ROW(struct static_conf, "args", FIELD_OBJECT, args, .fields = args_fields,
	    .help = "arguments from the network's author"),
	ROW(struct static_conf, "runtimeConfig", FIELD_OBJECT, runtime_config, .fields = runtime_fields,
	    .help = "values of declared capabilities, from the runtime"),
	FIELDS_END
};
/* clang-format on */
static const struct field del_fields[] = { FIELDS_END };

/* ---- validation: pure ---- */

struct static_args {
	const char *ip, *gateway;
};
static const struct field environment_fields[] = {
	ROW(struct static_args, "IP", FIELD_STRING, ip, .help = "more addresses, a comma between"),
	ROW(struct static_args, "GATEWAY", FIELD_STRING, gateway,
	    .help = "gateways of the subnets they are in, a comma between"),
	FIELDS_END
};

/* Also for a runtime, where the message does not say which. */
static int blame(struct error *err, const char *key, const char *what, const char *text)
{
	cni_fail(err, CNI_INVALID_CONFIG, key, "%s in CIDR notation, got: '%s'", what, text);
	return error_at(err, "%s", key);
}

static int settle_config(struct static_conf *conf, struct arena *arena, struct error *err)
{
	for (size_t i = 0; i < conf->ipam.addresses.n; i++) {
		struct address *address = &conf->ipam.addresses.items[i];
		const char *text = address->text ? address->text : "";

		if (!cidr_parse(text, &address->cidr))
			return blame(err, arena_printf(arena, "ipam.addresses[%zu].address", i),
				     "the 'address' field is expected to be", text);
		*list_add(arena, &conf->addresses) = *address;
	}
	return 0;
}

/* A word of a list with commas, without the blanks around it; NULL behind the last. */
static char *next_word(char **rest)
{
	char *word = strsep(rest, ",");

	if (!word)
		return NULL;
	word += strspn(word, " \t");
	for (size_t len = strlen(word); len && strchr(" \t", word[len - 1]);)
		word[--len] = '\0';
	return word;
}

static int add_environment_ips(const char *text, struct arena *arena, addresses_t *addresses,
			       struct error *err)
{
	char *rest = arena_strdup(arena, text);

	for (char *word; (word = next_word(&rest));) {
		struct address *address = list_add(arena, addresses);

		if (!cidr_parse(word, &address->cidr))
			return fail_code(
				err, CNI_INVALID_ENVIRONMENT, EINVAL,
				"the 'ip' field is expected to be in CIDR notation, got: '%s'",
				word);
	}
	return 0;
}

static int add_environment_gateways(const char *text, struct arena *arena, addresses_t *addresses,
				    struct error *err)
{
	char *rest = arena_strdup(arena, text);
	struct ip gateway;

	for (char *word; (word = next_word(&rest));) {
		if (!ip_parse(word, &gateway))
			return fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL,
					 "invalid gateway address: %s", word);
		list_each(address, addresses)
			if (cidr_contains(&address->cidr, &gateway))
				address->gateway = gateway;
	}
	return 0;
}

static int settle_environment(const struct cni_request *request, struct static_conf *conf,
			      struct error *err)
{
	struct static_args args = { 0 };
	struct arena *arena = request->arena;
	int r = request_args(request, environment_fields, &args, err);

	if (r == 0 && args.ip && *args.ip)
		r = add_environment_ips(args.ip, arena, &conf->addresses, err);
	if (r == 0 && args.gateway && *args.gateway)
		r = add_environment_gateways(args.gateway, arena, &conf->addresses, err);
	return r;
}

/* Whoever asks for addresses gets those alone, without gateways. */
static int replace(const char *key, const strings_t *ips, struct arena *arena,
		   addresses_t *addresses, struct error *err)
{
	if (ips->n)
		*addresses = (addresses_t){ 0 };
	for (size_t i = 0; i < ips->n; i++) {
		const char *text = ips->items[i] ? ips->items[i] : "";

		if (!cidr_parse(text, &list_add(arena, addresses)->cidr))
			return blame(err, arena_printf(arena, "%s[%zu]", key, i),
				     "an entry in the 'ips' field is NOT", text);
	}
	return 0;
}

/* Versions before 0.3.0 have room for one address of each family. */
static int check_version_fits(const struct cni_request *request, const addresses_t *addresses,
			      struct error *err)
{
	unsigned n4 = 0, n6 = 0;

	list_each(address, addresses) {
		n4 += address->cidr.ip.family == AF_INET;
		n6 += address->cidr.ip.family == AF_INET6;
	}
	if ((n4 > 1 || n6 > 1) && cni_version_compare(request_version(request), "0.3.0") < 0)
		return fail_key(err, "cniVersion",
				"CNI version %s does not support more than 1 address per family",
				request_version(request));
	return 0;
}

static int static_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct static_conf *conf = data;
	struct arena *arena = request->arena;
	int r;

	if (request->command == CNI_DEL || request->command == CNI_GC)
		return 0;
	if (!conf->has_ipam)
		return fail_key(err, "ipam", "IPAM config missing 'ipam' key");
	r = settle_config(conf, arena, err);
	if (r == 0)
		r = settle_environment(request, conf, err);
	if (r == 0)
		r = replace("args.cni.ips", &conf->args.cni.ips, arena, &conf->addresses, err);
	if (r == 0)
		r = replace("runtimeConfig.ips", &conf->runtime_config.ips, arena, &conf->addresses,
			    err);
	return r < 0 ? r : check_version_fits(request, &conf->addresses, err);
}

/* ---- verbs ---- */

static int static_add(struct cni_request *request, void *data, struct cni_result *result,
		      struct error *err unused)
{
	struct static_conf *conf = data;

	list_each(address, &conf->addresses)
		*list_add(request->arena, &result->ips) = (struct cni_ip){
			.address = address->cidr,
			.gateway = address->gateway,
		};
	list_each(route, &conf->ipam.routes)
		*list_add(request->arena, &result->routes) = *route;
	result->dns = conf->ipam.dns;
	return 0;
}

static int static_del(struct cni_request *request unused, void *conf unused,
		      struct error *err unused)
{
	return 0;
}

/* prevResult is the final result of the chain, in which other plugins may have put addresses of other interfaces. A
 * gateway that the configuration does not give may have been made up by the main plugin. */
static int check_address(const struct cni_request *request, const struct cni_result *prev,
			 const struct address *address, struct error *err)
{
	char text[CIDR_TEXT_SIZE], gateway[IP_TEXT_SIZE];
	bool found = false;

	list_each(ip, &prev->ips) {
		if (!attachment_owns(prev, ip, request->ifname) ||
		    !cidr_equal(&ip->address, &address->cidr))
			continue;
		if (!address->gateway.family || ip_equal(&ip->gateway, &address->gateway))
			return 0;
		found = true;
	}
	return fail(err, ENOENT, "static: Failed to match addr %s on interface %s: %s%s",
		    cidr_format(&address->cidr, text), request->ifname,
		    found ? "prevResult does not have gateway " : "it is not in prevResult",
		    found ? ip_format(&address->gateway, gateway) : "");
}

static int static_check(struct cni_request *request, void *data, struct error *err)
{
	struct static_conf *conf = data;
	struct cni_result prev = { 0 };
	int r = request_prev_result(request, &prev, err);

	if (r == -ENOENT)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "Required prevResult missing");
	for (size_t i = 0; r == 0 && i < conf->addresses.n; i++)
		r = check_address(request, &prev, &conf->addresses.items[i], err);
	return r;
}

static void static_explain(const struct cni_request *request, const void *data,
			   struct advice *advice)
{
	const struct static_conf *conf = data;
	char text[CIDR_TEXT_SIZE];

	list_each(address, &conf->addresses) {
		advice_say(advice, "%s, the same for each container",
			   cidr_format(&address->cidr, text));
		*list_add(advice->arena, &advice->result.ips) = (struct cni_ip){
			.address = address->cidr,
			.gateway = address->gateway,
		};
	}
	if (!conf->addresses.n && !request_expects(request, "ips"))
		advice_warn(advice, "ipam.addresses",
			    "there are none, and the capability ips is not declared");
	list_each(route, &conf->ipam.routes)
		*list_add(advice->arena, &advice->result.routes) = *route;
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.is_ipam = true,
	.del_fields = del_fields,
	.size = sizeof(struct static_conf),
	.validate = static_validate,
	.add = static_add,
	.del = static_del,
	.check = static_check,
	.explain = static_explain,
};

const struct applet applet_static = {
	.summary = "addresses as the configuration gives them",
	.about =
		"Addresses, routes and name servers stand in the configuration; nothing is kept on the node. CNI_ARGS may add "
		"addresses (IP=10.1.0.5/24,fd00::5/64) and name gateways (GATEWAY=10.1.0.1), which go to the addresses whose "
		"subnet they are in. The addresses of args.cni.ips, or of the capability ips, are taken in place of all others.",
	.example =
		"{ \"cniVersion\": \"1.1.0\", \"name\": \"mynet\", \"type\": \"macvlan\", \"master\": \"eth0\",\n"
		"  \"ipam\": { \"type\": \"static\", \"routes\": [ { \"dst\": \"0.0.0.0/0\" } ],\n"
		"    \"addresses\": [ { \"address\": \"10.1.0.5/24\", \"gateway\": \"10.1.0.1\" } ] } }",
	.plugin = &plugin,
};
