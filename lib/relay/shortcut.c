/* Maps, programs and hooks of the short way. */
#include "relay/shortcut.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/log.h"
#include "kernel/bpf.h"
#include "kernel/hook.h"
#include "kernel/link.h"
#include "kernel/sysctl.h"
#include "kernel/tunnel_program.h"
#include "relay/worker.h"
#include "relay/unwrap.h"

#define PREFIX TUNNEL_PROGRAM_PREFIX

/* IN_BARE: in, but nothing is wrapped (unwrap.h). */
enum { OUT, IN, IN_BARE, VARIANTS };

struct shortcut {
	struct netlink *nl;
	char device[IF_NAMESIZE];
	int index, underlay;
	uint32_t n_slots;
	int states_map;
	struct relay_state *states;
	bool has[2]; /* families: IPv4, IPv6 */
	int peers[2];
	int programs[2][VARIANTS];
	bool can_unwrap; /* its programs are loaded */
	bool told;       /* why it does not */
	struct unwrap unwrap;
};

/* ---- maps ---- */

static size_t states_size(const struct shortcut *shortcut)
{
	return shortcut->n_slots * sizeof(struct relay_state);
}

static int make_states(struct shortcut *shortcut, struct error *err)
{
	const struct bpf_map_spec spec = { RELAY_STATES, BPF_MAP_FORM_TABLE, sizeof(uint32_t),
					   sizeof(struct relay_state), shortcut->n_slots };
	int r = bpf_map_make(&spec, &shortcut->states_map, err);

	if (r < 0)
		return r;
	shortcut->states = bpf_map_memory(shortcut->states_map, states_size(shortcut));
	return shortcut->states ? 0 : fail_errno(err, errno, "map the relay's counters");
}

static int make_peers(struct shortcut *shortcut, int v6, struct error *err)
{
	const struct bpf_map_spec spec = { v6 ? "cnibox_peers6" : "cnibox_peers",
					   BPF_MAP_FORM_PREFIXES,
					   v6 ? TUNNEL_PEER_KEY6 : TUNNEL_PEER_KEY4,
					   sizeof(struct tunnel_peer), shortcut->n_slots };

	return bpf_map_make(&spec, &shortcut->peers[v6], err);
}

/* ---- programs ---- */

static struct tunnel_program program_of(const struct shortcut *shortcut,
					const struct relay_spec *spec, int v6)
{
	return (struct tunnel_program){
		.device = shortcut->index,
		.underlay = shortcut->underlay,
		.own = v6 ? spec->ip6 : spec->ip,
		.port = spec->port,
		.peers = shortcut->peers[v6],
		.states = shortcut->states_map,
		.sent = offsetof(struct relay_state, counters[RELAY_SENT_PACKETS]),
		.received = offsetof(struct relay_state, counters[RELAY_RECEIVED_PACKETS]),
		.taken = offsetof(struct relay_state, short_ms),
		.way = offsetof(struct relay_state, way),
		.heard = offsetof(struct relay_state, heard),
		.wrapped = offsetof(struct relay_state, wrapped),
		.keep_ms = KIN_SHORT_MS,
	};
}

static int load(struct shortcut *shortcut, const struct relay_spec *spec, int v6, struct error *err)
{
	struct tunnel_program program = program_of(shortcut, spec, v6);
	int *programs = shortcut->programs[v6];
	int r = tunnel_program_load(&program, TUNNEL_OUT, &programs[OUT], err);

	if (r == 0)
		r = tunnel_program_load(&program, TUNNEL_IN, &programs[IN_BARE], err);
	if (r < 0 || !shortcut->can_unwrap)
		return r;
	program.wrap_from = shortcut->unwrap.from;
	program.wrap_to = shortcut->unwrap.to;
	r = unwrap_load(&shortcut->unwrap, &program, err);
	return r < 0 ? r : tunnel_program_load(&program, TUNNEL_IN, &programs[IN], err);
}

/* Everything gets through without, if not as fast. */
static void do_not_unwrap(struct shortcut *shortcut, const struct error *why)
{
	if (!shortcut->told && why->errnum != ENETDOWN)
		log_info("bridges will cut apart what comes through %s: %s", shortcut->device,
			 why->message);
	shortcut->told |= why->errnum != ENETDOWN;
}

static int find_links(struct shortcut *shortcut, const struct relay_spec *spec, struct error *err)
{
	struct link underlay = { 0 };

	shortcut->index = (int)if_nametoindex(spec->device);
	link_queue_get_index(shortcut->nl, spec->underlay, &underlay);
	if (netlink_commit(shortcut->nl, err))
		return -err->errnum;
	if (!underlay.mac.set)
		return fail(err, EOPNOTSUPP, "%s is no Ethernet", underlay.name);
	return 0;
}

static int open_all(struct shortcut *shortcut, const struct relay_spec *spec, struct error *err)
{
	struct error why = { 0 };
	int r = netlink_open(&shortcut->nl, NETLINK_SESSION_ROUTE, -1, err);

	if (r == 0)
		r = find_links(shortcut, spec, err);
	if (r == 0)
		r = make_states(shortcut, err);
	if (r == 0 && unwrap_open(&shortcut->unwrap, shortcut->nl, shortcut->device,
				  shortcut->index, &why) < 0)
		do_not_unwrap(shortcut, &why);
	shortcut->can_unwrap = shortcut->unwrap.index;
	for (int v6 = 0; v6 < 2; v6++) {
		if (r == 0 && shortcut->has[v6])
			r = make_peers(shortcut, v6, err);
		if (r == 0 && shortcut->has[v6])
			r = load(shortcut, spec, v6, err);
	}
	return r;
}

int shortcut_open(struct shortcut **shortcut, const struct relay_spec *spec, uint32_t n_slots,
		  struct error *err)
{
	int r;

	*shortcut = xrealloc(NULL, sizeof(**shortcut));
	**shortcut = (struct shortcut){
		.underlay = spec->underlay,
		.n_slots = n_slots,
		.states_map = -1,
		.has = { spec->ip.family, spec->ip6.family },
		.peers = { -1, -1 },
		.programs = { { -1, -1, -1 }, { -1, -1, -1 } },
		.unwrap.programs = { -1, -1 },
	};
	snprintf((*shortcut)->device, sizeof((*shortcut)->device), "%s", spec->device);
	r = open_all(*shortcut, spec, err);
	if (r < 0) {
		shortcut_close(*shortcut);
		*shortcut = NULL;
	}
	return r;
}

void shortcut_close(struct shortcut *shortcut)
{
	if (!shortcut)
		return;
	if (shortcut->states)
		munmap(shortcut->states, states_size(shortcut));
	close_fd(&shortcut->states_map);
	for (int v6 = 0; v6 < 2; v6++) {
		close_fd(&shortcut->peers[v6]);
		for (int variant = 0; variant < VARIANTS; variant++)
			close_fd(&shortcut->programs[v6][variant]);
	}
	unwrap_close(&shortcut->unwrap);
	netlink_close(shortcut->nl);
	free(shortcut);
}

int shortcut_states_file(const struct shortcut *shortcut)
{
	return shortcut->states_map;
}

struct relay_state *shortcut_states(const struct shortcut *shortcut)
{
	return shortcut->states;
}

/* ---- peers ---- */

struct peer_key {
	uint32_t prefix;
	uint8_t address[16];
};

static struct peer_key key_of(const struct table_entry *entry, int v6)
{
	struct peer_key key = { .prefix = entry->prefix };
	const uint32_t v4 = (uint32_t)entry->key[0];

	if (v6)
		memcpy(key.address, entry->key, 16);
	else
		memcpy(key.address, &v4, sizeof(v4));
	return key;
}

static struct tunnel_peer value_of(const struct table_entry *entry, int v6)
{
	struct tunnel_peer value = { .slot = entry->slot };

	if (v6)
		memcpy(value.ip, &entry->address.v6.sin6_addr, 16);
	else
		memcpy(value.ip, &entry->address.v4.sin_addr, 4);
	return value;
}

/* The same subnet in the other table. */
static const struct table_entry *twin(const struct table *table, int v6,
				      const struct table_entry *entry)
{
	return table ? table_at(table, v6, entry->key, entry->prefix) : NULL;
}

static bool is_same(const struct table_entry *a, const struct table_entry *b)
{
	return a && a->slot == b->slot && table_is_from(a, &b->address);
}

static int tell_family(const struct shortcut *shortcut, int v6, const struct table *was,
		       const struct table *is, struct error *err)
{
	const struct table_entry *entry = NULL;
	int fd = shortcut->peers[v6], r = 0;
	size_t i;

	for (i = 0; r == 0 && was && table_next(was, v6, &i, &entry);) {
		const struct peer_key key = key_of(entry, v6);

		if (!twin(is, v6, entry))
			r = bpf_map_remove(fd, &key, err);
	}
	for (i = 0; r == 0 && table_next(is, v6, &i, &entry);) {
		const struct peer_key key = key_of(entry, v6);
		const struct tunnel_peer value = value_of(entry, v6);

		if (!is_same(twin(was, v6, entry), entry))
			r = bpf_map_put(fd, &key, &value, err);
	}
	return r;
}

int shortcut_tell(struct shortcut *shortcut, const struct table *was, const struct table *is,
		  struct error *err)
{
	int r = 0;

	for (int v6 = 0; v6 < 2 && r == 0; v6++)
		if (shortcut->has[v6])
			r = tell_family(shortcut, v6, was, is, err);
	return r;
}

/* ---- hooks ---- */

static struct hook hook_of(const struct shortcut *shortcut, int v6, int variant)
{
	return (struct hook){
		.index = variant == OUT ? shortcut->index : shortcut->underlay,
		.egress = variant == OUT,
		.v6 = v6,
	};
}

static int attach(struct shortcut *shortcut, const hook_programs_t *there, int v6, int variant,
		  bool *changed, struct error *err)
{
	const struct hook hook = hook_of(shortcut, v6, variant);
	int fd = shortcut->programs[v6][variant];
	char name[64];

	if (hook_has(there, &hook, bpf_program_id(fd)))
		return 0;
	*changed = true;
	snprintf(name, sizeof(name), PREFIX "_%s%d", variant == OUT ? "out" : "in", v6 ? 6 : 4);
	return hook_attach(shortcut->nl, &hook, fd, name, err);
}

static bool ensure_unwrap(struct shortcut *shortcut)
{
	struct error why = { 0 };

	if (!shortcut->can_unwrap)
		return false;
	if (unwrap_ensure(&shortcut->unwrap, shortcut->nl, &why) == 0)
		return true;
	do_not_unwrap(shortcut, &why);
	return false;
}

/* The kernel's look-up of the way is for who forwards: the device does. */
static int let_forward(const struct shortcut *shortcut, int v6, struct error *err)
{
	char name[64];

	snprintf(name, sizeof(name), "net/ipv%d/conf/%s/forwarding", v6 ? 6 : 4, shortcut->device);
	return sysctl_ensure(name, "1", err);
}

int shortcut_ensure(struct shortcut *shortcut, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	hook_programs_t there = { 0 };
	bool changed = false;
	const int variants[] = { OUT, ensure_unwrap(shortcut) ? IN : IN_BARE };
	unsigned n;
	int r = hook_list(shortcut->nl, shortcut->index, PREFIX, &arena, &there, err);

	if (r == 0)
		r = hook_list(shortcut->nl, shortcut->underlay, PREFIX, &arena, &there, err);
	for (int v6 = 0; v6 < 2; v6++) {
		if (r == 0 && shortcut->has[v6])
			r = let_forward(shortcut, v6, err);
		for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
			if (r == 0 && shortcut->has[v6])
				r = attach(shortcut, &there, v6, variants[i], &changed, err);
	}
	if (r == 0 && changed)
		r = hook_remove_all(shortcut->nl, PREFIX, shortcut->index, shortcut->underlay, &n,
				    err);
	return r;
}

int shortcut_remove(struct netlink *nl, unsigned *n_removed, struct error *err)
{
	int r = hook_remove_all(nl, PREFIX, 0, 0, n_removed, err);

	if (r < 0)
		return r;
	unwrap_queue_remove(nl);
	return netlink_commit(nl, err);
}

bool shortcut_is_link(const struct shortcut *shortcut, int index)
{
	return shortcut->can_unwrap && unwrap_is_link(&shortcut->unwrap, index);
}
