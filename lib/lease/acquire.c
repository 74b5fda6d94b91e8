/* The life of this node's lease, over any engine. */
#include "lease/acquire.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "base/text.h"

enum { ATTEMPTS = 64, KNOWN_STEPS = 16 };

static size_t random_below(size_t n)
{
	uint64_t bits = 0;

	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		bits = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 20;
	return (size_t)(bits % n);
}

int lease_config(struct kv *kv, struct arena *arena, struct network_config *config,
		 const char **text, struct error *err)
{
	struct kv_entry entry;
	struct error why = { 0 };
	int r = kv->engine->get(kv, LEASE_CONFIG, arena, &entry, &why);

	if (r == -ENOENT)
		return fail(err, ENOENT,
			    "the store has no network configuration: %s would hold it, such as "
			    "{\"Network\": \"10.244.0.0/16\", \"Backend\": {\"Type\": \"vxlan\"}}",
			    *why.message ? why.message : LEASE_CONFIG);
	if (r < 0 && err)
		*err = why;
	if (r < 0)
		return r;
	if (network_config_decode(entry.value, entry.size, !kv->engine->own, arena, config, err))
		return wrap(err, "network configuration");
	if (text)
		*text = entry.value;
	return 0;
}

/* What has been read before and is still the same. Both lists are in the order of keys; *at goes along the older one. */
static const struct subnet_lease *find_known(const subnet_leases_t *known, size_t *at,
					     const struct subnet_lease *lease)
{
	if (!known)
		return NULL;
	for (size_t i = *at; i < known->n && i < *at + KNOWN_STEPS; i++) {
		if (!subnet_same(&known->items[i], lease))
			continue;
		*at = i + 1;
		return known->items[i].revision == lease->revision ? &known->items[i] : NULL;
	}
	return NULL;
}

static int parse_entry(const struct kv_entry *entry, const subnet_leases_t *known, size_t *at,
		       struct arena *arena, struct subnet_lease *lease, struct error *err)
{
	const struct subnet_lease *before;

	*lease = (struct subnet_lease){ .revision = entry->revision, .left_ms = entry->left_ms };
	if (subnet_key_parse(entry->key + strlen(LEASE_SUBNETS), lease))
		return fail(err, EINVAL, "no key of a lease");
	before = find_known(known, at, lease);
	if (!before)
		return subnet_value_parse(entry->value, entry->size, arena, lease, err);
	*lease = *before;
	lease->left_ms = entry->left_ms;
	lease->type = arena_strdup(arena, before->type);
	return 0;
}

int lease_list_since(struct kv *kv, const subnet_leases_t *known, struct arena *arena,
		     subnet_leases_t *leases, lease_bad_fn *bad, void *arg, struct error *err)
{
	auto_arena struct arena read = { 0 };
	kv_entries_t entries = { 0 };
	int r = kv->engine->list(kv, LEASE_SUBNETS, &read, &entries, err);
	size_t at = 0;

	list_each(entry, &entries) {
		struct subnet_lease lease;
		struct error why = { 0 };

		if (parse_entry(entry, known, &at, arena, &lease, &why) == 0)
			*list_add(arena, leases) = lease;
		else if (bad)
			bad(arg, entry->key, &why);
	}
	return r;
}

int lease_list(struct kv *kv, struct arena *arena, subnet_leases_t *leases, lease_bad_fn *bad,
	       void *arg, struct error *err)
{
	return lease_list_since(kv, NULL, arena, leases, bad, arg, err);
}

static const char *key_of(const struct subnet_lease *lease, struct arena *arena)
{
	char key[SUBNET_KEY_SIZE];

	return arena_printf(arena, LEASE_SUBNETS "%s", subnet_key(lease, key));
}

/* The node's lease among them: by its address, or by what it wrote. */
static struct subnet_lease *find_own(const subnet_leases_t *leases, const struct subnet_lease *own,
				     const char *written, struct arena *arena)
{
	list_each(lease, leases)
		if (subnet_same_node(lease, own))
			return lease;
	list_each(lease, leases)
		if (written && subnet_same(lease, own) &&
		    streq(subnet_value(lease, arena), written))
			return lease;
	return NULL;
}

/* -EEXIST: look again. */
static int take_over(struct kv *kv, const struct subnet_lease *there, struct subnet_lease *own,
		     struct arena *arena, struct error *err)
{
	struct kv_put put = {
		.key = key_of(there, arena),
		.when = KV_REVISION,
		.revision = there->revision,
		.ttl_ms = there->left_ms < 0 ? 0 : LEASE_TTL_MS,
	};

	own->subnet = there->subnet;
	own->subnet6 = there->subnet6;
	own->left_ms = there->left_ms < 0 ? -1 : LEASE_TTL_MS;
	put.value = subnet_value(own, arena);
	return kv->engine->put(kv, &put, &own->revision, err);
}

static int put_new(struct kv *kv, struct subnet_lease *own, struct arena *arena, struct error *err)
{
	struct kv_put put = { .key = key_of(own, arena),
			      .value = subnet_value(own, arena),
			      .when = KV_ABSENT,
			      .ttl_ms = LEASE_TTL_MS };

	own->left_ms = LEASE_TTL_MS;
	return kv->engine->put(kv, &put, &own->revision, err);
}

static int take_new(struct kv *kv, const struct network_config *config,
		    const subnet_leases_t *leases, struct subnet_lease *own, struct arena *arena,
		    struct error *err)
{
	int r = subnet_allocate(config, leases, own, random_below, err);

	return r < 0 ? r : put_new(kv, own, arena, err);
}

static int try_acquire(struct kv *kv, const struct network_config *config,
		       const subnet_leases_t *known, const char *written, struct subnet_lease *own,
		       struct error *err)
{
	auto_arena struct arena arena = { 0 };
	subnet_leases_t leases = { 0 };
	struct subnet_lease *there;
	int r = known ? 0 : lease_list(kv, &arena, &leases, NULL, NULL, err);

	if (r < 0)
		return r;
	if (known)
		leases = *known;
	there = find_own(&leases, own, written, &arena);
	if (!there)
		return take_new(kv, config, &leases, own, &arena, err);
	if (subnet_fits(config, there))
		return take_over(kv, there, own, &arena, err);
	/* The network has been cut otherwise since: this one goes, and the next look finds none. */
	r = kv->engine->del(kv, key_of(there, &arena), there->revision, err);
	return r == 0 || r == -ENOENT ? -EEXIST : r;
}

/* ---- a store that says which subnets a node has ---- */

static int check_given(const struct kv_own *given, const struct network_family *family,
		       const struct cidr *subnet, struct error *err)
{
	char cidr[CIDR_TEXT_SIZE], network[CIDR_TEXT_SIZE];

	if (!family->enabled || cidr_is_part(subnet, &family->network))
		return 0;
	return fail(err, ERANGE, "node \"%s\" has %s, which is not in the network %s", given->node,
		    cidr_format(subnet, cidr), cidr_format(&family->network, network));
}

/* Which subnets, and which addresses are told. */
static int take_given(const struct kv_own *given, const struct network_config *config,
		      struct subnet_lease *own, struct error *err)
{
	if (!given->key)
		return fail(err, EAGAIN, "node \"%s\" pod cidr not assigned%s", given->node,
			    config->v4.enabled && config->v6.enabled ? " in both families" : "");
	if (subnet_key_parse(given->key + strlen(LEASE_SUBNETS), own))
		return fail(err, EINVAL, "node \"%s\": %s is no subnet", given->node, given->key);
	if (check_given(given, &config->v4, &own->subnet, err) ||
	    check_given(given, &config->v6, &own->subnet6, err))
		return -err->errnum;
	if (given->told.family && own->public_ip.family)
		own->public_ip = given->told;
	if (given->told6.family && own->public_ip6.family)
		own->public_ip6 = given->told6;
	own->left_ms = KV_LASTING;
	return 0;
}

static int acquire_given(struct kv *kv, const struct network_config *config,
			 struct subnet_lease *own, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kv_own given = { 0 };
	struct kv_put put = { .when = KV_ABSENT };
	int r = kv->engine->own(kv, &arena, &given, err);

	if (r < 0)
		return r;
	if (take_given(&given, config, own, err))
		return -err->errnum;
	put.key = given.key;
	put.value = subnet_value(own, &arena);
	if (given.value && streq(given.value, put.value))
		return 0;
	return kv->engine->put(kv, &put, &own->revision, err);
}

int lease_acquire_among(struct kv *kv, const struct network_config *config,
			const subnet_leases_t *known, const char *written, struct subnet_lease *own,
			struct error *err)
{
	const struct subnet_lease before = *own;
	int r = -EEXIST;

	if (!own->public_ip.family && !own->public_ip6.family)
		return fail(err, EINVAL, "a node without a public address cannot have a lease");
	if (kv->engine->own)
		return acquire_given(kv, config, own, err);
	for (int i = 0; i < ATTEMPTS && r == -EEXIST; i++) {
		*own = before;
		r = try_acquire(kv, config, i == 0 ? known : NULL, written, own, err);
	}
	if (r == -EEXIST)
		return fail_code(err, CNI_TRY_AGAIN_LATER, EAGAIN,
				 "others took every subnet that was tried, %d times", ATTEMPTS);
	return r < 0 ? wrap(err, "acquire a lease") : 0;
}

int lease_acquire(struct kv *kv, const struct network_config *config, const char *written,
		  struct subnet_lease *own, struct error *err)
{
	return lease_acquire_among(kv, config, NULL, written, own, err);
}

/* ---- a lease that the node has pods in ---- */

/* Of what is in the way of taking it again; NULL = nothing is. */
static const struct subnet_lease *find_rival(const subnet_leases_t *leases,
					     const struct subnet_lease *own)
{
	list_each(lease, leases)
		if (cidr_overlaps(&lease->subnet, &own->subnet) ||
		    cidr_overlaps(&lease->subnet6, &own->subnet6) || subnet_same_node(lease, own))
			return lease;
	return NULL;
}

static int fail_lost(const struct subnet_lease *rival, const struct subnet_lease *own,
		     struct error *err)
{
	char key[SUBNET_KEY_SIZE], other[SUBNET_KEY_SIZE], node[IP_TEXT_SIZE];

	if (subnet_same_node(rival, own))
		return fail(err, EXDEV, "this node had %s, and has %s by now", subnet_key(own, key),
			    subnet_key(rival, other));
	return fail(err, EXDEV, "another node has %s by now: %s, with %s", subnet_key(own, key),
		    ip_format(subnet_node(rival), node), subnet_key(rival, other));
}

static int try_hold(struct kv *kv, const subnet_leases_t *known, const char *written,
		    struct subnet_lease *own, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	subnet_leases_t leases = { 0 };
	const struct subnet_lease *there, *rival;
	int r = known ? 0 : lease_list(kv, &arena, &leases, NULL, NULL, err);

	if (r < 0)
		return r;
	if (known)
		leases = *known;
	there = subnet_find(&leases, own);
	if (there && (subnet_same_node(there, own) ||
		      (written && streq(subnet_value(there, &arena), written))))
		return take_over(kv, there, own, &arena, err);
	rival = find_rival(&leases, own);
	if (rival)
		return known ? -EEXIST : fail_lost(rival, own, err);
	return put_new(kv, own, &arena, err);
}

int lease_hold(struct kv *kv, const subnet_leases_t *known, const char *written,
	       struct subnet_lease *own, struct error *err)
{
	int r = -EEXIST;

	for (int i = 0; i < ATTEMPTS && r == -EEXIST; i++)
		r = try_hold(kv, i == 0 ? known : NULL, written, own, err);
	if (r == -EEXIST)
		return fail(err, EAGAIN, "the lease changed each of %d times that it was looked at",
			    ATTEMPTS);
	return r < 0 && r != -EXDEV ? wrap(err, "take the lease again") : r;
}

int lease_keep(struct kv *kv, const struct subnet_lease *own, struct error *err)
{
	auto_arena struct arena arena = { 0 };

	return own->left_ms < 0 ? 0 : kv->engine->keep(kv, key_of(own, &arena), LEASE_TTL_MS, err);
}

int lease_life(struct kv *kv, const struct subnet_lease *own, int64_t *left_ms, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kv_entry entry = { .left_ms = -1 };
	struct error why = { 0 };
	bool was = kv->exact_life;
	int r;

	kv->exact_life = true;
	r = kv->engine->get(kv, key_of(own, &arena), &arena, &entry, &why);
	kv->exact_life = was;
	*left_ms = r < 0 ? -1 : entry.left_ms;
	if (r == -ENOENT)
		return 0;
	if (r < 0 && err)
		*err = why;
	return r;
}

int lease_release(struct kv *kv, const struct subnet_lease *own, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	subnet_leases_t leases = { 0 };
	int r = lease_list(kv, &arena, &leases, NULL, NULL, err);

	list_each(lease, &leases) {
		if (r < 0 || !subnet_same(lease, own) || !subnet_same_node(lease, own) ||
		    lease->left_ms < 0)
			continue;
		r = kv->engine->del(kv, key_of(lease, &arena), lease->revision, err);
		if (r == -ENOENT || r == -EEXIST)
			r = 0;
	}
	return r;
}
