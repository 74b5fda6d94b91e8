/* What is not wanted of the rules of overlay.h taken away, and all of it in the end. */
#include "firewall/overlay_shared.h"

#include <errno.h>

#include "firewall/iptables.h"
#include "firewall/legacy.h"
#include "firewall/overlay_look.h"
#include "firewall/sweep.h"
#include "kernel/xtables.h"

enum { FAMILIES = 2 }; /* tables of nftables: IPv4, IPv6 */

/* ---- the iptables form ---- */

static const struct sweep_place places[] = {
	{ RULE_IP, "nat", "POSTROUTING", OVERLAY_POSTRTG },
	{ RULE_IP, "filter", "FORWARD", OVERLAY_FWD },
	{ RULE_IP6, "nat", "POSTROUTING", OVERLAY_POSTRTG },
	{ RULE_IP6, "filter", "FORWARD", OVERLAY_FWD },
};

struct cleaning {
	const struct overlay *overlay;
	bool marked[ARRAY_SIZE(places)];
	bool shared[ARRAY_SIZE(places)]; /* other networks have lines there */
};

static enum sweep_verdict judge_jump(const struct sweep_place *place,
				     const struct nft_rule_info *rule, void *arg unused)
{
	return streq(rule->target, place->when) ? SWEEP_RULE : SWEEP_KEEP;
}

/* A line of a chain that is to go; the common one stays for the others, and goes with the chain. */
static enum sweep_verdict judge_line(const struct sweep_place *place,
				     const struct nft_rule_info *rule, void *arg)
{
	struct cleaning *cleaning = arg;

	if (overlay_is_common(rule))
		return SWEEP_KEEP;
	if (!overlay_is_others(cleaning->overlay, rule))
		return SWEEP_RULE;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (places[i].family == place->family && streq(places[i].when, place->chain))
			cleaning->shared[i] = true;
	return SWEEP_KEEP;
}

/* Our lines of the marked places; then our chains, and what leads to them, where no lines are left. */
static int sweep_places(struct cleaning *cleaning, enum sweep_where where, struct error *err)
{
	struct sweep_place bases[ARRAY_SIZE(places)], chains[ARRAY_SIZE(places)];
	struct sweep lines = {
		.where = where, .places = chains, .rule = judge_line, .arg = cleaning
	};
	struct sweep sweep = {
		.where = where, .places = bases, .chains = chains, .rule = judge_jump
	};
	int r = 0;

	memset(cleaning->shared, 0, sizeof(cleaning->shared));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (!cleaning->marked[i])
			continue;
		chains[lines.n_places] = places[i];
		chains[lines.n_places++].chain = places[i].when;
	}
	if (lines.n_places)
		r = sweep_run(&lines, err);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (!cleaning->marked[i] || cleaning->shared[i])
			continue;
		bases[sweep.n_places++] = places[i];
		chains[sweep.n_chains] = places[i];
		chains[sweep.n_chains++].chain = places[i].when;
	}
	return r == 0 && sweep.n_places ? sweep_run(&sweep, err) : r;
}

/* What nobody wants; where kind is not NONE, also what is wanted of a family that has the other kind. */
static void mark(const struct overlay *overlay, enum iptables_kind kind,
		 bool marked[ARRAY_SIZE(places)])
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		bool v6 = places[i].family == RULE_IP6;
		const struct overlay_family *net = v6 ? &overlay->v6 : &overlay->v4;
		bool wanted =
			net->network.ip.family &&
			(streq(places[i].table, "nat") ? overlay->masquerade : overlay->forward);

		marked[i] = !wanted ||
			    (kind != IPTABLES_NONE && iptables_kind(places[i].family) != kind);
	}
}

int overlay_clean_xt(const struct overlay *overlay, bool thorough, struct error *err)
{
	struct cleaning cleaning = { .overlay = overlay };
	int r;

	mark(overlay, thorough ? IPTABLES_NFT : IPTABLES_NONE, cleaning.marked);
	r = sweep_places(&cleaning, SWEEP_NFTABLES, err);
	if (r < 0 || !thorough)
		return r;
	mark(overlay, IPTABLES_LEGACY, cleaning.marked);
	return sweep_places(&cleaning, SWEEP_LEGACY, err);
}

uint64_t overlay_legacy_state(void)
{
	uint64_t state = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (legacy_active(places[i].family, places[i].table))
			state = state * 31 +
				xtables_fingerprint(places[i].family == RULE_IP6, places[i].table);
	return state;
}

/* ---- the end ---- */

struct present {
	bool tables[FAMILIES], chains[ARRAY_SIZE(places)];
};

static int find_in_nftables(struct present *present, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	struct error why = { 0 };
	int r = nft_open(&nl, &why);

	if (r == -EOPNOTSUPP)
		return 0;
	if (r < 0) {
		*err = why;
		return r;
	}
	nft_queue_find_table(nl, NFT_IP, OVERLAY_TABLE, &present->tables[0]);
	nft_queue_find_table(nl, NFT_IP6, OVERLAY_TABLE6, &present->tables[1]);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		nft_queue_find_chain(nl, nftables_family(places[i].family), places[i].table,
				     places[i].when, &present->chains[i]);
	return netlink_commit(nl, err);
}

static int find_in_legacy(struct present *present, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_arena struct arena arena = { 0 };
		struct legacy_table table;

		if (!legacy_active(places[i].family, places[i].table))
			continue;
		if (legacy_read(places[i].family, places[i].table, &arena, &table, err))
			return -err->errnum;
		present->chains[i] |= legacy_has_chain(&table, places[i].when);
	}
	return 0;
}

static void name_all(const struct present *present, struct arena *arena, overlay_names_t *removed)
{
	static const char *const tables[] = { "ip " OVERLAY_TABLE, "ip6 " OVERLAY_TABLE6 };

	for (size_t i = 0; i < FAMILIES; i++)
		if (present->tables[i])
			*list_add(arena, removed) =
				arena_printf(arena, "nftables: table %s", tables[i]);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (present->chains[i])
			*list_add(arena, removed) = arena_printf(
				arena, "%s: chain %s of table %s, and what led to it",
				places[i].family == RULE_IP6 ? "ip6tables" : "iptables",
				places[i].when, places[i].table);
}

/* Lines of chains that stay, since others have lines there, too. */
struct lines {
	struct arena *arena;
	LIST(struct overlay_difference) list;
};

static void take_line(void *arg, const struct overlay_difference *difference)
{
	struct lines *lines = arg;

	if (difference->was)
		*list_add(lines->arena, &lines->list) = *difference;
}

/* For words only: that it cannot be looked at keeps nothing from being removed. */
static void find_lines(const struct overlay *nothing, struct lines *lines)
{
	struct error why = { 0 };

	if (overlay_look(nothing, FIREWALL_IPTABLES, lines->arena, take_line, lines, &why) < 0)
		lines->list.n = 0;
}

static bool is_in_left(const struct present *left, const struct overlay_difference *line)
{
	if (line->native)
		return left->tables[line->family == RULE_IP6];
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (places[i].family == line->family && streq(places[i].when, line->chain))
			return left->chains[i];
	return false;
}

static void name_lines(const struct lines *before, const struct lines *after,
		       const struct present *left, struct arena *arena, overlay_names_t *removed)
{
	list_each(line, &before->list) {
		bool named = !is_in_left(left, line); /* with its chain */

		list_each(there, &after->list)
			named |= streq(there->was, line->was);
		if (!named)
			*list_add(arena, removed) = arena_printf(arena, "rule %s", line->was);
	}
}

static int find_present(struct present *present, struct error *err)
{
	int r = find_in_nftables(present, err);

	return r < 0 ? r : find_in_legacy(present, err);
}

int overlay_remove(struct arena *arena, const struct overlay *overlay, overlay_names_t *removed,
		   struct error *err)
{
	const struct overlay nothing = overlay_nothing(overlay);
	struct present present = { .tables = { false } }, left = { .tables = { false } };
	struct overlay_done done;
	struct lines lines = { .arena = arena }, lines_left = { .arena = arena };

	find_lines(&nothing, &lines);
	if (find_present(&present, err) ||
	    overlay_ensure(&nothing, FIREWALL_IPTABLES, true, &done, err) ||
	    find_present(&left, err))
		return -err->errnum;
	for (size_t i = 0; i < FAMILIES; i++)
		present.tables[i] &= !left.tables[i];
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		present.chains[i] &= !left.chains[i];
	name_all(&present, arena, removed);
	if (lines.list.n)
		find_lines(&nothing, &lines_left);
	name_lines(&lines, &lines_left, &left, arena, removed);
	return 0;
}
