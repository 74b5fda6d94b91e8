/*
 * host-local: addresses from ranges in the configuration, kept as files on this node (cni-plugins.md, section 2.10).
 * Ranges are lib/ipam/range, the directory is lib/ipam/reserve; here is what they have to do with a CNI call. DEL and GC
 * read nothing but where the directory is, so that a mistake in the ranges does not keep a container from being removed.
 */
#include "cni/plugin.h"
#include "cni/resolv.h"
#include "describe/applet.h"
#include "ipam/range_table.h"
#include "ipam/reserve.h"
#include "ipam/survey.h"

#include <errno.h>
#include <stdio.h>

typedef LIST(struct cni_route) routes_t;

struct ipam {
	struct range range; /* old style: subnet, rangeStart, ... beside type */
	range_sets_t ranges;
	routes_t routes;
	const char *resolv_conf;
	const char *data_dir;
	int64_t lock_timeout; /* ms */
};

struct host_local {
	bool has_ipam;
	struct ipam ipam;
	struct {
		struct {
			strings_t ips;
		} cni;
	} args;
	struct {
		strings_t ips;
		range_sets_t ip_ranges;
	} runtime_config;
	/* settled by validate: */
	range_sets_t sets;
	ips_t requested;
};

/* clang-format off */
#define ROW(type_, key_, kind, member, ...) \
	{ .key = (key_), .type = (kind), .offset = offsetof(type_, member), ##__VA_ARGS__ }

#define SETS(type_, key_, member, ...) \
	ROW(type_, key_, FIELD_LIST, member, .element = FIELD_LIST, .size = sizeof(range_set_t), .fields = range_set_fields, \
	    ##__VA_ARGS__)
#define STRINGS(type_, key_, member, ...) \
	ROW(type_, key_, FIELD_LIST, member, .element = FIELD_STRING, .size = sizeof(char *), ##__VA_ARGS__)
#define STATE_ROWS                                                                                 \
	ROW(struct ipam, "dataDir", FIELD_PATH, data_dir, .help = "where leases are kept, a folder for each network"), \
	ROW(struct ipam, "lockTimeout", FIELD_DURATION, lock_timeout, .max = 3600000,                \
	    .help = "how long to wait for another call on the same network")

static const struct field ipam_fields[] = {
	SETS(struct ipam, "ranges", ranges, .help = "range sets; one address is allocated from each"),
	RANGE_ROWS(struct ipam, range.),
	ROW(struct ipam, "routes", FIELD_LIST, routes, .element = FIELD_OBJECT, .size = sizeof(struct cni_route),
	    .fields = cni_route_fields, .help = "routes to put into the result"),
	ROW(struct ipam, "resolvConf", FIELD_PATH, resolv_conf, .help = "file to take the result's dns from"),
	STATE_ROWS,
	FIELDS_END
};
static const struct field ipam_del_fields[] = {
	STATE_ROWS,
	FIELDS_END
};

static const struct field args_cni_fields[] = {
	{ .key = "ips", .type = FIELD_LIST, .element = FIELD_STRING, .size = sizeof(char *), .help = "addresses asked for" },
	FIELDS_END
};
static const struct field args_fields[] = {
	{ .key = "cni", .type = FIELD_OBJECT, .fields = args_cni_fields, .help = "arguments of the CNI convention" },
	FIELDS_END
};

typedef typeof(((struct host_local *)0)->runtime_config) runtime_t;
static const struct field runtime_fields[] = {
	STRINGS(runtime_t, "ips", ips, .help = "capability ips: addresses asked for"),
	SETS(runtime_t, "ipRanges", ip_ranges, .help = "capability ipRanges: range sets before those of ipam"),
	FIELDS_END
};

static const struct field fields[] = {
	ROW(struct host_local, "ipam", FIELD_OBJECT, ipam, .fields = ipam_fields,
	    .seen = FIELD_SEEN(struct host_local, has_ipam), .help = "how addresses are given out"),
	ROW(struct host_local, "args", FIELD_OBJECT, args, .fields = args_fields,
	    .help = "arguments from the network's author"),
	ROW(struct host_local, "runtimeConfig", FIELD_OBJECT, runtime_config, .fields = runtime_fields,
	    .help = "values of declared capabilities, from the runtime"),
	FIELDS_END
};
static const struct field del_fields[] = {
	ROW(struct host_local, "ipam", FIELD_OBJECT, ipam, .fields = ipam_del_fields),
	FIELDS_END
};
/* clang-format on */

static const struct host_local defaults = {
	.ipam = { .data_dir = "/var/lib/cni/networks", .lock_timeout = 30000 },
};

/* ---- validation: pure ---- */

struct host_local_args {
	const char *ip;
};
static const struct field environment_fields[] = {
	ROW(struct host_local_args, "IP", FIELD_STRING, ip, .help = "address asked for"), FIELDS_END
};

/* "10.1.0.5" or "10.1.0.5/24"; the prefix means nothing, the range's counts. */
static int request_ip(const char *text, struct arena *arena, ips_t *ips, struct error *err)
{
	struct cidr cidr;
	struct ip ip;

	if (cidr_parse(text, &cidr))
		ip = cidr.ip;
	else if (!ip_parse(text, &ip))
		return fail_key(err, "", "invalid IP address %s", text);
	list_each(known, ips)
		if (ip_equal(known, &ip))
			return 0;
	*list_add(arena, ips) = ip;
	return 0;
}

static int request_ips(const char *key, const strings_t *texts, struct arena *arena, ips_t *ips,
		       struct error *err)
{
	for (size_t i = 0; i < texts->n; i++) {
		int r = request_ip(texts->items[i] ? texts->items[i] : "", arena, ips, err);

		if (r < 0) {
			wrap(err, "%s[%zu]", key, i);
			error_at(err, "%s[%zu]", key, i);
			return r;
		}
	}
	return 0;
}

static int request_environment_ip(const struct cni_request *request, ips_t *ips, struct error *err)
{
	struct host_local_args args = { 0 };
	int r = request_args(request, environment_fields, &args, err);

	if (r < 0 || !args.ip || !*args.ip)
		return r;
	r = request_ip(args.ip, request->arena, ips, err);
	if (r < 0 && err) {
		err->code = CNI_INVALID_ENVIRONMENT;
		wrap(err, "ARGS: error parsing value of pair \"IP=%s\"", args.ip);
	}
	return r;
}

/* CNI_ARGS, args.cni.ips and runtimeConfig.ips, all of them. */
static int settle_requested(const struct cni_request *request, struct host_local *conf,
			    struct error *err)
{
	int r = request_environment_ip(request, &conf->requested, err);

	if (r == 0)
		r = request_ips("args.cni.ips", &conf->args.cni.ips, request->arena,
				&conf->requested, err);
	if (r == 0)
		r = request_ips("runtimeConfig.ips", &conf->runtime_config.ips, request->arena,
				&conf->requested, err);
	return r;
}

/* Versions before 0.3.0 have room for one address of each family. */
static int check_version_fits(const struct cni_request *request, const range_sets_t *sets,
			      struct error *err)
{
	unsigned n4 = 0, n6 = 0;

	list_each(set, sets) {
		n4 += ip_bits(&set->items[0].start) == 32;
		n6 += ip_bits(&set->items[0].start) == 128;
	}
	if ((n4 > 1 || n6 > 1) && cni_version_compare(request_version(request), "0.3.0") < 0)
		return fail_key(err, "cniVersion",
				"CNI version %s does not support more than 1 address per family",
				request_version(request));
	return 0;
}

/* "[2][0].subnet" of all sets, where it was written: those of the runtime come first, then the old style. */
static void settle_key(const struct host_local *conf, struct error *err)
{
	size_t n = conf->runtime_config.ip_ranges.n, i;
	bool beside = conf->ipam.range.subnet.ip.family;
	char key[sizeof(err->key)], *rest;

	if (!err || *err->key != '[')
		return;
	memcpy(key, err->key, sizeof(key));
	i = strtoul(key + 1, &rest, 10);
	if (i == n && beside)
		snprintf(err->key, sizeof(err->key), "ipam%s",
			 rest[1] ? rest + strlen("][0]") : "");
	else if (i < n)
		error_at(err, "runtimeConfig.ipRanges");
	else
		snprintf(err->key, sizeof(err->key), "ipam.ranges[%zu%s", i - n - beside, rest);
}

/* The order gives the sets their numbers, and last_reserved_ip.<n> its name. */
static int settle_sets(const struct cni_request *request, struct host_local *conf,
		       struct error *err)
{
	int r;

	list_each(set, &conf->runtime_config.ip_ranges)
		*list_add(request->arena, &conf->sets) = *set;
	if (conf->ipam.range.subnet.ip.family) {
		range_set_t *set = list_add(request->arena, &conf->sets);

		*list_add(request->arena, set) = conf->ipam.range;
	}
	list_each(set, &conf->ipam.ranges)
		*list_add(request->arena, &conf->sets) = *set;
	if (conf->sets.n == 0)
		return fail_key(err, "ipam", "no IP ranges specified");
	r = ranges_canonical(&conf->sets, err);
	if (r < 0)
		settle_key(conf, err);
	return r < 0 ? r : check_version_fits(request, &conf->sets, err);
}

static int host_local_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct host_local *conf = data;
	int r;

	if (!conf->ipam.data_dir || !*conf->ipam.data_dir)
		conf->ipam.data_dir = defaults.ipam.data_dir;
	if (request->command == CNI_DEL || request->command == CNI_GC)
		return 0;
	if (!conf->has_ipam)
		return fail_key(err, "ipam", "IPAM config missing 'ipam' key");
	r = settle_requested(request, conf, err);
	return r < 0 ? r : settle_sets(request, conf, err);
}

static int open_store(const struct cni_request *request, const struct host_local *conf, bool create,
		      struct reserve **store, struct error *err)
{
	return reserve_open(store, conf->ipam.data_dir, request->common.name, create,
			    (unsigned)conf->ipam.lock_timeout, err);
}

/* ---- ADD ---- */

/* The first address asked for that lies in the set is taken out of the list; false = any will do. */
static bool take_requested(ips_t *requested, const range_set_t *set, struct ip *ip)
{
	for (size_t i = 0; i < requested->n; i++) {
		if (!range_set_find(set, &requested->items[i]))
			continue;
		*ip = requested->items[i];
		memmove(&requested->items[i], &requested->items[i + 1],
			(--requested->n - i) * sizeof(*ip));
		return true;
	}
	return false;
}

static int allocate_one(struct cni_request *request, struct host_local *conf, struct reserve *store,
			unsigned index, struct cni_result *result, struct error *err)
{
	const range_set_t *set = &conf->sets.items[index];
	struct owner owner = request_owner(request);
	const struct range *range;
	struct ip ip;
	int r;

	if (take_requested(&conf->requested, set, &ip))
		r = reserve_one(store, &owner, set, index, &ip, &range, err);
	else
		r = reserve_any(store, &owner, set, index, &ip, &range, err);
	if (r < 0) {
		wrap(err, "failed to allocate for range %u", index);
		return r;
	}
	*list_add(request->arena, &result->ips) = (struct cni_ip){
		.address = { .ip = ip, .prefix = range->subnet.prefix },
		.gateway = range->gateway,
	};
	return 0;
}

static int fail_requested(const ips_t *requested, struct arena *arena, struct error *err)
{
	char text[IP_TEXT_SIZE], *all = arena_strdup(arena, "");

	list_each(ip, requested)
		all = arena_printf(arena, "%s %s", all, ip_format(ip, text));
	return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "failed to allocate all requested IPs:%s",
			 all);
}

static int allocate_all(struct cni_request *request, struct host_local *conf, struct reserve *store,
			struct cni_result *result, struct error *err)
{
	int r = 0;

	for (unsigned i = 0; i < conf->sets.n && r == 0; i++)
		r = allocate_one(request, conf, store, i, result, err);
	if (r == 0 && conf->requested.n > 0)
		r = fail_requested(&conf->requested, request->arena, err);
	return r;
}

/* Just what this call took: a second ADD that is refused must not release what the first one got. */
static void give_all_back(const struct cni_request *request, struct reserve *store,
			  const struct cni_result *result, struct error *err)
{
	struct owner owner = request_owner(request);

	for (size_t i = result->ips.n; i-- > 0;) {
		struct error later = { 0 };

		if (reserve_give_back(store, &owner, &result->ips.items[i].address.ip, &later) < 0)
			error_join(err, &later);
	}
}

static int host_local_add(struct cni_request *request, void *data, struct cni_result *result,
			  struct error *err)
{
	struct host_local *conf = data;
	auto_reserve struct reserve *store = NULL;
	int r = 0;

	if (conf->ipam.resolv_conf && *conf->ipam.resolv_conf)
		r = resolv_read(conf->ipam.resolv_conf, request->arena, &result->dns, err);
	if (r == 0)
		r = open_store(request, conf, true, &store, err);
	if (r < 0)
		return r;
	r = allocate_all(request, conf, store, result, err);
	if (r < 0) {
		give_all_back(request, store, result, err);
		return r;
	}
	list_each(route, &conf->ipam.routes)
		*list_add(request->arena, &result->routes) = *route;
	return 0;
}

/* ---- DEL, CHECK, GC, STATUS ---- */

/* No directory, no leases: nothing is made for the sake of finding it empty, and nobody is told of an error. */
static bool no_directory(int r, struct error *err)
{
	if (r != -ENOENT && r != -ENOTDIR)
		return false;
	if (err)
		*err = (struct error){ 0 };
	return true;
}

static int host_local_del(struct cni_request *request, void *data, struct error *err)
{
	struct owner owner = request_owner(request);
	auto_reserve struct reserve *store = NULL;
	int r = open_store(request, data, false, &store, err);

	if (no_directory(r, err))
		return 0;
	return r < 0 ? r : reserve_release(store, &owner, NULL, err);
}

static int host_local_gc(struct cni_request *request, void *data, struct error *err)
{
	auto_reserve struct reserve *store = NULL;
	int r = open_store(request, data, false, &store, err);

	if (no_directory(r, err))
		return 0;
	return r < 0 ? r : reserve_gc(store, &request->common.attachments, NULL, err);
}

static bool holds(const ips_t *held, const struct ip *ip)
{
	list_each(one, held)
		if (ip_equal(one, ip))
			return true;
	return false;
}

/* What the runtime believes (prevResult) against what is held: an address from our sets must be held, and at least one
 * that is held must be known. Addresses of other plugins in the chain are none of our business. */
static int compare_result(const struct cni_request *request, const struct host_local *conf,
			  const ips_t *held, const struct cni_result *result, struct error *err)
{
	bool matched = result->ips.n == 0;
	char text[IP_TEXT_SIZE];

	list_each(ip, &result->ips) {
		if (holds(held, &ip->address.ip)) {
			matched = true;
			continue;
		}
		list_each(set, &conf->sets)
			if (range_set_find(set, &ip->address.ip))
				return fail(
					err, ENOENT,
					"host-local: Failed to find address %s added by container %s",
					ip_format(&ip->address.ip, text), request->container);
	}
	if (!matched)
		return fail(err, ENOENT,
			    "host-local: address %s of container %s is not in prevResult",
			    ip_format(&held->items[0], text), request->container);
	return 0;
}

static int host_local_check(struct cni_request *request, void *data, struct error *err)
{
	struct owner owner = request_owner(request);
	auto_reserve struct reserve *store = NULL;
	struct cni_result result = { 0 };
	ips_t held = { 0 };
	int r = open_store(request, data, false, &store, err);

	if (r == 0)
		r = reserve_find(store, &owner, request->arena, &held, err);
	if (r == 0 || r == -ENOENT || r == -ENOTDIR)
		return fail(err, ENOENT, "host-local: Failed to find address added by container %s",
			    request->container);
	if (r < 0)
		return r;
	r = request_prev_result(request, &result, err);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : compare_result(request, data, &held, &result, err);
}

static int not_available(struct error *err, int r)
{
	if (err)
		err->code = CNI_NOT_AVAILABLE;
	return r;
}

/* Would an ADD get its addresses? Networks start without a directory, with everything free. */
static int host_local_status(struct cni_request *request, void *data, struct error *err)
{
	struct host_local *conf = data;
	auto_reserve struct reserve *store = NULL;
	int r = open_store(request, conf, false, &store, err);

	if (no_directory(r, err))
		return 0;
	for (unsigned i = 0; i < conf->sets.n && r == 0; i++)
		r = reserve_peek(store, &conf->sets.items[i], i, err);
	return r < 0 ? not_available(err, r) : 0;
}

/* ---- in words ---- */

/* What ADD takes, and nobody can use; the first range's gateway is looked at with the result. */
static void explain_ranges(const range_set_t *set, struct advice *advice)
{
	char gateway[IP_TEXT_SIZE], subnet[CIDR_TEXT_SIZE];

	list_each(range, set) {
		cidr_format(&range->subnet, subnet);
		if (ip_is_loopback(&range->start) || ip_is_multicast(&range->start))
			advice_warn(advice, "ipam", "%s has no addresses for a container", subnet);
		if (range != set->items && !cidr_contains(&range->subnet, &range->gateway))
			advice_warn(advice, "ipam", "gateway %s is not in %s: no route leads to it",
				    ip_format(&range->gateway, gateway), subnet);
	}
}

static void explain_set(const struct host_local *conf, const struct cni_request *request,
			const range_set_t *set, const surveys_t *surveys, struct advice *advice)
{
	const struct range *first = &set->items[0];
	unsigned long long used = 0, size = range_set_size(set);
	const char *all =
		size > UINT32_MAX ? "more than enough" : arena_printf(advice->arena, "%llu", size);

	explain_ranges(set, advice);
	list_each(survey, surveys)
		list_each(ip, &survey->ips)
			used += streq(survey->network, request->common.name) &&
				range_set_find(set, ip);
	advice_say(advice, "an address of %s (%s, %llu taken), kept in %s/%s",
		   range_set_text(set, advice->arena), all, used, conf->ipam.data_dir,
		   request->common.name);
	*list_add(advice->arena, &advice->result.ips) = (struct cni_ip){
		.address = first->subnet,
		.gateway = first->gateway,
	};
}

static bool has_address(const struct host_local *conf, const struct ip *ip)
{
	list_each(set, &conf->sets)
		if (range_set_find(set, ip))
			return true;
	return false;
}

/* Leases of ours that no range has any more, and of other networks that one has: one of each kind is enough to be told. */
static void explain_leases(const struct host_local *conf, const struct cni_request *request,
			   const struct survey *survey, struct advice *advice)
{
	bool ours = streq(survey->network, request->common.name);
	char text[IP_TEXT_SIZE];
	const struct ip *found = NULL;
	size_t n = 0, named = 0;

	list_each(ip, &survey->ips) {
		if (has_address(conf, ip) == ours)
			continue;
		found = found ? found : ip;
		n++;
	}
	list_each(network, &advice->networks)
		named += streq(*network, survey->network);
	if (!found || named > ours) /* others of that name are told of elsewhere */
		return;
	if (ours)
		advice_warn(advice, "ipam",
			    "%zu of the leases in %s/%s, as %s, are in none of the ranges", n,
			    conf->ipam.data_dir, survey->network, ip_format(found, text));
	else
		advice_warn(
			advice, "ipam",
			"%zu of these addresses, as %s, are leased by network \"%s\" (%s/%s), and would be given out again",
			n, ip_format(found, text), survey->network, conf->ipam.data_dir,
			survey->network);
}

static void host_local_explain(const struct cni_request *request, const void *data,
			       struct advice *advice)
{
	const struct host_local *conf = data;
	surveys_t surveys = { 0 };

	survey_read(conf->ipam.data_dir, advice->arena, &surveys);
	list_each(set, &conf->sets)
		explain_set(conf, request, set, &surveys, advice);
	list_each(survey, &surveys)
		explain_leases(conf, request, survey, advice);
	list_each(route, &conf->ipam.routes)
		*list_add(advice->arena, &advice->result.routes) = *route;
}

static const struct cni_plugin host_local = {
	.fields = fields,
	.is_ipam = true,
	.del_fields = del_fields,
	.size = sizeof(struct host_local),
	.defaults = &defaults,
	.validate = host_local_validate,
	.add = host_local_add,
	.del = host_local_del,
	.check = host_local_check,
	.gc = host_local_gc,
	.status = host_local_status,
	.explain = host_local_explain,
};

const struct applet applet_host_local = {
	.summary = "addresses from ranges, kept as files on this node",
	.about =
		"Each ADD takes one free address from every range set and keeps it as a file named by the address, in a "
		"folder of dataDir named by the network, until DEL. The folder is that of the reference plugin: either can "
		"take over from the other at any moment.\n\n"
		"When DEL is never called, because a node went down, GC removes the leases of containers that are gone. "
		"STATUS says when a range set is full.",
	.example =
		"{ \"cniVersion\": \"1.1.0\", \"name\": \"mynet\", \"type\": \"bridge\",\n"
		"  \"ipam\": { \"type\": \"host-local\", \"routes\": [ { \"dst\": \"0.0.0.0/0\" } ],\n"
		"    \"ranges\": [ [ { \"subnet\": \"10.1.0.0/24\" } ],\n"
		"                [ { \"subnet\": \"fd00:1::/64\" } ] ] } }",
	.plugin = &host_local,
};
