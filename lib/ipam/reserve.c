/*
 * Reservations: what host-local does with its directory, under the network's lock from open to close. Lease files are
 * the truth (lease.c); finding those of one owner goes by the index (index.c), and by reading them all when the
 * index cannot be written. A call that is killed leaves at most a complete lease, which the owner's DEL finds, and a
 * temporary file, which the next ADD or GC removes.
 */
#include "ipam/reserve.h"

#include "base/file.h"
#include "base/log.h"
#include "ipam/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define PROBES      64 /* addresses tried one by one before the directory is read as a whole */
#define LAST_PREFIX "last_reserved_ip."
#define DIR_FLAGS   (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

struct reserve {
	struct arena arena;
	int lock, dir, index; /* index: -errno when it cannot be made */
	bool indexed;         /* the index answers; else the leases below do */
	bool changed;
	leases_t leases;
};

static int take_lock(const char *dir, bool create, unsigned timeout_ms, int *lock,
		     struct arena *arena, struct error *err)
{
	const char *path = arena_printf(arena, "%s/lock", dir);
	struct error own = { 0 };
	int r = lock_take(path, 0750, timeout_ms, lock, &own);

	if (r == -ENOENT && create) {
		r = dir_make(dir, 0755, err);
		return r < 0 ? r : lock_take(path, 0750, timeout_ms, lock, err);
	}
	if (r < 0 && err)
		*err = own;
	return r;
}

static int open_index(const char *path, struct error *err)
{
	int fd = open(path, DIR_FLAGS | O_NOFOLLOW), r;

	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? fail_errno(err, errno, "open %s", path) : fd;
	r = dir_make(path, 0700, err);
	if (r < 0)
		return r;
	fd = open(path, DIR_FLAGS | O_NOFOLLOW);
	return fd < 0 ? fail_errno(err, errno, "open %s", path) : fd;
}

/* Without an index everything still works, by reading all leases: on a full disk, addresses can be released. */
static int load(struct reserve *store, const char *index_path, struct error *err)
{
	struct error own = { 0 };
	int r;

	store->index = open_index(index_path, &own);
	store->indexed = store->index >= 0 && index_valid(store->index, store->dir);
	if (store->indexed)
		return 0;
	r = leases_read(store->dir, &store->arena, &store->leases, err);
	if (r < 0)
		return r;
	store->changed = true;
	store->indexed =
		store->index >= 0 && index_rebuild(store->index, &store->leases, &own) == 0;
	if (!store->indexed)
		log_debug("leases are looked up one by one: %s", own.message);
	return 0;
}

static int open_all(struct reserve *store, const char *data_dir, const char *network, bool create,
		    unsigned timeout_ms, struct error *err)
{
	const char *dir = arena_printf(&store->arena, "%s/%s", data_dir, network);
	const char *index = arena_printf(&store->arena, "%s/.cnibox/%s", data_dir, network);
	int r = take_lock(dir, create, timeout_ms, &store->lock, &store->arena, err);

	if (r < 0)
		return r;
	store->dir = open(dir, DIR_FLAGS);
	if (store->dir < 0)
		return fail_errno(err, errno, "open %s", dir);
	return load(store, index, err);
}

int reserve_open(struct reserve **store, const char *data_dir, const char *network, bool create,
		 unsigned timeout_ms, struct error *err)
{
	int r;

	*store = xrealloc(NULL, sizeof(**store));
	**store = (struct reserve){ .lock = -1, .dir = -1, .index = -1 };
	r = open_all(*store, data_dir, network, create, timeout_ms, err);
	if (r < 0)
		reserve_closep(store);
	return r;
}

void reserve_close(struct reserve *store)
{
	if (!store)
		return;
	if (store->changed && store->indexed)
		index_seal(store->index, store->dir);
	close_fd(&store->index);
	close_fd(&store->dir);
	close_fd(&store->lock);
	arena_free(&store->arena);
	free(store);
}

void reserve_closep(struct reserve **store)
{
	reserve_close(*store);
	*store = NULL;
}

/* ---- who holds what ---- */

static int owned_by_index(struct reserve *store, const char *container, const char *ifname,
			  struct arena *arena, leases_t *leases, struct error *err)
{
	struct lease lease;
	words_t names;
	int r = index_find(store->index, container, ifname, arena, &names, err);

	if (r < 0)
		return r;
	list_each(name, &names) {
		if (strchr(*name, '/'))
			continue;
		r = lease_read(store->dir, *name, arena, &lease, NULL);
		if (r < 0 && r != -ENOENT)
			return fail_errno(err, -r, "read lease %s", *name);
		if (r == 0 && lease.ip.family && lease_is_of(&lease, container, ifname))
			*list_add(arena, leases) = lease;
	}
	return 0;
}

/* Append the leases of just this owner; ifname NULL = the legacy ones of the container. */
static int owned(struct reserve *store, const char *container, const char *ifname,
		 struct arena *arena, leases_t *leases, struct error *err)
{
	if (store->indexed)
		return owned_by_index(store, container, ifname, arena, leases, err);
	list_each(lease, &store->leases)
		if (lease_is_of(lease, container, ifname))
			*list_add(arena, leases) = *lease;
	return 0;
}

/* The owner's, or when it has none the legacy ones of its container. */
static int owned_or_legacy(struct reserve *store, const struct owner *owner, struct arena *arena,
			   leases_t *leases, struct error *err)
{
	int r = owned(store, owner->container, owner->ifname, arena, leases, err);

	if (r < 0 || leases->n > 0)
		return r;
	return owned(store, owner->container, NULL, arena, leases, err);
}

/* The specification wants no second ADD without DEL. `but` is an address that is judged elsewhere. */
static int refuse_duplicate(struct reserve *store, const struct owner *owner,
			    const range_set_t *set, const struct ip *but, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	char text[IP_TEXT_SIZE];
	leases_t leases = { 0 };
	int r = owned(store, owner->container, owner->ifname, &arena, &leases, err);

	if (r == 0)
		r = owned(store, owner->container, NULL, &arena, &leases, err);
	if (r < 0)
		return r;
	list_each(lease, &leases)
		if (range_set_find(set, &lease->ip) && !(but && ip_equal(but, &lease->ip)))
			return fail(
				err, EEXIST,
				"%s has been allocated to %s, duplicate allocation is not allowed",
				ip_format(&lease->ip, text), owner->container);
	return 0;
}

/* ---- taking and giving back ---- */

/* The index and where to go on next time are both conveniences: the lease counts, even when they cannot be written. */
static void note_taken(struct reserve *store, const struct owner *owner, const struct ip *ip,
		       const char *name, unsigned index)
{
	struct error err = { 0 };
	char last[sizeof(LAST_PREFIX) + 16];

	if (store->indexed &&
	    index_add(store->index, owner->container, owner->ifname, name, &err) < 0)
		store->indexed = false;
	*list_add(&store->arena, &store->leases) = (struct lease){
		.name = arena_strdup(&store->arena, name),
		.ip = *ip,
		.container = arena_strdup(&store->arena, owner->container),
		.ifname = arena_strdup(&store->arena, owner->ifname),
	};
	snprintf(last, sizeof(last), LAST_PREFIX "%u", index);
	if (state_write(store->dir, last, name, &err) < 0)
		log_debug("%s", err.message);
}

/* 1 = taken for the owner, 0 = somebody has it. */
static int take(struct reserve *store, const struct owner *owner, const struct ip *ip,
		unsigned index, struct error *err)
{
	char name[IP_TEXT_SIZE];
	int r;

	if (store->index < 0)
		return fail_errno(err, -store->index, "the lease index cannot be made");
	store->changed = true;
	r = lease_create(store->dir, store->index, ip_format(ip, name), owner, err);
	if (r > 0)
		note_taken(store, owner, ip, name, index);
	return r;
}

static int give_back(struct reserve *store, const struct lease *lease, struct error *err)
{
	store->changed = true;
	if (unlinkat(store->dir, lease->name, 0) < 0 && errno != ENOENT)
		return fail_errno(err, errno, "remove lease %s", lease->name);
	if (store->indexed &&
	    index_remove(store->index, lease->container, lease->ifname, lease->name, NULL) < 0)
		store->indexed = false;
	list_each(known, &store->leases)
		if (streq(known->name, lease->name))
			known->container = "";
	return 0;
}

/* ---- looking for a free one ---- */

static void read_last(struct reserve *store, unsigned index, struct ip *last)
{
	char name[sizeof(LAST_PREFIX) + 16], text[IP_TEXT_SIZE];
	auto_close int fd = -1;
	ssize_t size;

	*last = (struct ip){ 0 };
	snprintf(name, sizeof(name), LAST_PREFIX "%u", index);
	fd = openat(store->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (size < 0)
		return;
	text[size] = '\0';
	text[strcspn(text, " \t\r\n")] = '\0';
	ip_parse(text, last);
}

static int compare_ips(const void *a, const void *b)
{
	return ip_compare(a, b);
}

static enum lease_state state_of(struct reserve *store, const struct ip *ip)
{
	char name[IP_TEXT_SIZE];

	return lease_state(store->dir, ip_format(ip, name));
}

static bool probe(struct reserve *store, struct range_walk *walk, struct ip *ip,
		  const struct range **range)
{
	for (int i = 0; i < PROBES && range_walk_next(walk, ip, range); i++)
		if (state_of(store, ip) != LEASE_TAKEN)
			return true;
	return false;
}

/* Go on with all names in hand; then, in a full set, look for files that a crash left without owner. */
static bool search_names(struct reserve *store, struct range_walk *walk, const range_set_t *set,
			 const ips_t *taken, struct ip *ip, const struct range **range)
{
	char name[IP_TEXT_SIZE];

	while (range_walk_next(walk, ip, range))
		if (taken->n == 0 || !bsearch(ip, taken->items, taken->n, sizeof(*ip), compare_ips))
			return true;
	list_each(used, taken) {
		*range = range_set_find(set, used);
		*ip = *used;
		if (*range && !ip_equal(used, &(*range)->gateway) &&
		    lease_is_nobodys(store->dir, ip_format(used, name)))
			return true;
	}
	return false;
}

static int count_used(const range_set_t *set, const ips_t *taken)
{
	const struct range *range;
	int n = 0;

	list_each(ip, taken) {
		range = range_set_find(set, ip);
		n += range && !ip_equal(ip, &range->gateway);
	}
	return n;
}

static int fail_full(const range_set_t *set, const ips_t *taken, struct error *err)
{
	auto_arena struct arena arena = { 0 };

	fail_code(err, CNI_TRY_AGAIN_LATER, ENOSPC, "no IP addresses available in range set: %s",
		  range_set_text(set, &arena));
	if (err)
		snprintf(err->details, sizeof(err->details), "%d of %llu addresses in use",
			 count_used(set, taken), (unsigned long long)range_set_size(set));
	return -ENOSPC;
}

static int search(struct reserve *store, const range_set_t *set, unsigned index, struct ip *ip,
		  const struct range **range, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct range_walk walk;
	ips_t taken;
	int r;

	read_last(store, index, ip);
	range_walk_start(&walk, set, ip);
	if (probe(store, &walk, ip, range))
		return 0;
	r = leases_addresses(store->dir, &arena, &taken, err);
	if (r < 0)
		return r;
	return search_names(store, &walk, set, &taken, ip, range) ? 0 : fail_full(set, &taken, err);
}

int reserve_peek(struct reserve *store, const range_set_t *set, unsigned index, struct error *err)
{
	const struct range *range;
	struct ip ip;

	return search(store, set, index, &ip, &range, err);
}

int reserve_any(struct reserve *store, const struct owner *owner, const range_set_t *set,
		unsigned index, struct ip *ip, const struct range **range, struct error *err)
{
	int r = refuse_duplicate(store, owner, set, NULL, err);

	if (r == 0)
		r = search(store, set, index, ip, range, err);
	if (r == 0)
		r = take(store, owner, ip, index, err);
	if (r == 0) /* who took it does not keep to the lock */
		return fail_code(err, CNI_TRY_AGAIN_LATER, EBUSY,
				 "the address found free is taken by now");
	return r < 0 ? r : 0;
}

int reserve_one(struct reserve *store, const struct owner *owner, const range_set_t *set,
		unsigned index, const struct ip *ip, const struct range **range, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	char text[IP_TEXT_SIZE];
	int r;

	*range = range_set_find(set, ip);
	if (!*range)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "%s not in range set %s",
				 ip_format(ip, text), range_set_text(set, &arena));
	if (ip_equal(ip, &(*range)->gateway))
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL,
				 "requested ip %s is subnet's gateway", ip_format(ip, text));
	r = refuse_duplicate(store, owner, set, ip, err);
	if (r == 0)
		r = take(store, owner, ip, index, err);
	else if (r == -EEXIST && state_of(store, ip) == LEASE_TAKEN)
		r = 0;
	if (r == 0)
		return fail_code(err, CNI_TRY_AGAIN_LATER, EADDRINUSE,
				 "requested IP address %s is not available in range set %s",
				 ip_format(ip, text), range_set_text(set, &arena));
	return r < 0 ? r : 0;
}

/* ---- releasing ---- */

int reserve_release(struct reserve *store, const struct owner *owner, unsigned *n,
		    struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct error all = { 0 }, one;
	leases_t leases = { 0 };
	int r = owned_or_legacy(store, owner, &arena, &leases, err);
	unsigned released = 0;

	for (size_t i = leases.n; r == 0 && i-- > 0;) {
		one = (struct error){ 0 };
		if (give_back(store, &leases.items[i], &one) < 0)
			error_join(&all, &one);
		else
			released++;
	}
	if (n)
		*n = released;
	if (all.errnum && err)
		*err = all;
	return r < 0 ? r : -all.errnum;
}

int reserve_give_back(struct reserve *store, const struct owner *owner, const struct ip *ip,
		      struct error *err)
{
	struct lease lease = { .ip = *ip, .container = owner->container, .ifname = owner->ifname };
	char name[IP_TEXT_SIZE];

	lease.name = ip_format(ip, name);
	return give_back(store, &lease, err);
}

int reserve_find(struct reserve *store, const struct owner *owner, struct arena *arena, ips_t *ips,
		 struct error *err)
{
	leases_t leases = { 0 };
	int r = owned_or_legacy(store, owner, arena, &leases, err);

	if (r < 0)
		return r;
	list_each(lease, &leases)
		if (ips)
			*list_add(arena, ips) = lease->ip;
	return leases.n > 0;
}

/* Removes what is not valid; what stays is moved to the front of the list. */
static unsigned remove_invalid(struct reserve *store, leases_t *leases, const owners_t *valid,
			       struct error *err)
{
	unsigned removed = 0;
	size_t kept = 0;

	list_each(lease, leases) {
		struct error one = { 0 };

		if (lease_has_owner(lease) && owners_have(valid, lease->container, lease->ifname)) {
			leases->items[kept++] = *lease;
		} else if (unlinkat(store->dir, lease->name, 0) < 0 && errno != ENOENT) {
			fail_errno(&one, errno, "remove lease %s", lease->name);
			error_join(err, &one);
			leases->items[kept++] = *lease;
		} else {
			removed++;
		}
	}
	leases->n = kept;
	return removed;
}

int reserve_gc(struct reserve *store, const owners_t *valid, unsigned *n, struct error *err)
{
	struct error all = { 0 };
	unsigned removed;
	leases_t leases;
	int r = leases_read(store->dir, &store->arena, &leases, err);

	if (r < 0)
		return r;
	removed = remove_invalid(store, &leases, valid, &all);
	store->leases = leases;
	store->changed = true;
	if (store->index >= 0)
		temp_remove(store->index);
	if (removed > 0 || !store->indexed)
		store->indexed =
			store->index >= 0 && index_rebuild(store->index, &leases, NULL) == 0;
	if (n)
		*n = removed;
	if (all.errnum && err)
		*err = all;
	return -all.errnum;
}

int reserve_used(struct reserve *store, const range_set_t *set, uint64_t *used, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	ips_t taken;
	int r = leases_addresses(store->dir, &arena, &taken, err);

	*used = r < 0 ? 0 : (uint64_t)count_used(set, &taken);
	return r;
}
