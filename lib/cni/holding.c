/* Leases and what has become of their owners; see holding.h. */
#include "cni/holding.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cni/cache.h"
#include "ipam/reserve.h"
#include "kernel/inventory.h"

#define LOCK_TIMEOUT_MS 10000
#define DIR_FLAGS       (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

const char *const holding_state_names[] = { "used", "idle", "gone", "unknown", "empty", NULL };

typedef LIST(const char *) network_names_t;

/* What leases are held against. */
struct witness {
	inventory_t namespaces;
	cached_list_t remembered;
};

/* ---- one lease ---- */

static const struct cached *attachment_of(const struct witness *witness, const char *network,
					  const struct lease *lease)
{
	list_each(cached, &witness->remembered)
		if (streq(cached->network, network) && streq(cached->container, lease->container) &&
		    (!lease->ifname || streq(cached->ifname, lease->ifname)))
			return cached;
	return NULL;
}

static const struct inventory_item *who_has(const struct witness *witness, const struct ip *ip)
{
	list_each(item, &witness->namespaces)
		list_each(addr, &item->addrs)
			if (ip_equal(&addr->cidr.ip, ip))
				return item;
	return NULL;
}

static bool is_namespace(const char *path)
{
	auto_close int fd = -1;

	return path && netns_open(path, &fd, NULL) == 0;
}

static void judge(struct holding *holding, const struct lease *lease, const struct witness *witness,
		  struct arena *arena)
{
	const struct inventory_item *item = who_has(witness, &holding->ip);
	const struct cached *cached = attachment_of(witness, holding->network, lease);

	if (item)
		holding->netns = item->name;
	else if (cached && cached->netns)
		holding->netns = arena_strdup(arena, cached->netns);
	if (!lease_has_owner(lease))
		holding->state = HOLDING_EMPTY;
	else if (item)
		holding->state = HOLDING_USED;
	else if (!cached)
		holding->state = HOLDING_UNKNOWN;
	else
		holding->state = is_namespace(cached->netns) ? HOLDING_IDLE : HOLDING_GONE;
}

static int64_t changed_ms(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

/* ---- one network ---- */

static int open_network(const char *data_dir, const char *network, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *path = arena_printf(&arena, "%s/%s", data_dir, network);
	int fd = open(path, DIR_FLAGS);

	return fd < 0 ? fail_errno(err, errno, "open %s", path) : fd;
}

static int read_network(const char *data_dir, const char *network, const struct witness *witness,
			struct arena *arena, holdings_t *holdings, struct error *err)
{
	auto_close int dir = open_network(data_dir, network, err);
	leases_t leases = { 0 };
	int r = dir < 0 ? dir : leases_read(dir, arena, &leases, err);

	if (r < 0)
		return r;
	list_each(lease, &leases) {
		struct holding holding = {
			.network = network,
			.ip = lease->ip,
			.container = lease->container,
			.ifname = lease->ifname,
			.since_ms = changed_ms(dir, lease->name),
		};

		judge(&holding, lease, witness, arena);
		*list_add(arena, holdings) = holding;
	}
	return 0;
}

/* ---- all of them ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Folders with a dot in front are our own (the index). */
static int list_networks(const char *data_dir, struct arena *arena, network_names_t *names,
			 struct error *err)
{
	DIR *stream = opendir(data_dir);
	struct dirent *entry;

	if (!stream)
		return errno == ENOENT ? 0 : fail_errno(err, errno, "open %s", data_dir);
	while ((entry = readdir(stream)))
		if (*entry->d_name != '.' &&
		    (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN))
			*list_add(arena, names) = arena_strdup(arena, entry->d_name);
	closedir(stream);
	if (names->n)
		qsort(names->items, names->n, sizeof(*names->items), by_text);
	return 0;
}

/* The one that was asked for: it has a folder, or nobody can say what was meant by it. */
static int choose_network(const char *data_dir, const char *network, network_names_t *names,
			  struct arena *arena, struct error *err)
{
	const char *nearest = nearest_word(network, names->items, names->n);

	if (nearest && !streq(nearest, network))
		return fail(err, ENOENT, "no leases of network \"%s\" in %s; did you mean \"%s\"?",
			    network, data_dir, nearest);
	names->n = 0;
	*list_add(arena, names) = network;
	return 0;
}

int holdings_read(const char *data_dir, const char *network, const char *cache_dir, bool strict,
		  struct arena *arena, holdings_t *holdings, struct error *err)
{
	struct witness witness = { 0 };
	network_names_t names = { 0 };
	int r = list_networks(data_dir, arena, &names, err);

	if (r == 0 && network)
		r = choose_network(data_dir, network, &names, arena, err);
	if (r < 0 || !names.n)
		return r;
	r = inventory_read(arena, &witness.namespaces, err);
	if (r < 0)
		return r;
	r = cache_list(cache_dir, strict, arena, &witness.remembered, err);
	list_each(name, &names)
		if (r >= 0)
			r = read_network(data_dir, *name, &witness, arena, holdings, err);
	cached_list_release(&witness.remembered);
	return r;
}

/* ---- giving one back ---- */

static bool is_the_same(int dir, const struct holding *holding, const struct lease *lease,
			const char *name)
{
	return changed_ms(dir, name) == holding->since_ms &&
	       streq(lease->container, holding->container) &&
	       streq(lease->ifname ? lease->ifname : "", holding->ifname ? holding->ifname : "");
}

int holding_release(const char *data_dir, const struct holding *holding, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_reserve struct reserve *store = NULL;
	auto_close int dir = open_network(data_dir, holding->network, err);
	struct owner owner = { holding->network, holding->container, holding->ifname };
	struct lease lease = { 0 };
	char name[IP_TEXT_SIZE];
	int r = dir;

	if (r >= 0)
		r = reserve_open(&store, data_dir, holding->network, false, LOCK_TIMEOUT_MS, err);
	if (r < 0)
		return r;
	ip_format(&holding->ip, name);
	r = lease_read(dir, name, &arena, &lease, err);
	if (r == -ENOENT || (r >= 0 && !is_the_same(dir, holding, &lease, name)))
		return 0;
	if (r >= 0)
		r = reserve_give_back(store, &owner, &holding->ip, err);
	return r < 0 ? r : 1;
}
