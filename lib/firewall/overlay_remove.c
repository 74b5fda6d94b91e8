/* overlay_remove(): all rules of overlay.h taken away in the end, and what they were told. */
#include "firewall/overlay_shared.h"

#include <errno.h>

#include "firewall/legacy.h"
#include "firewall/overlay_look.h"

enum { FAMILIES = 2 }; /* tables of nftables: IPv4, IPv6 */

struct present {
	bool tables[FAMILIES], chains[OVERLAY_PLACES];
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
	for (size_t i = 0; i < OVERLAY_PLACES; i++)
		nft_queue_find_chain(nl, nftables_family(overlay_places[i].family),
				     overlay_places[i].table, overlay_places[i].when,
				     &present->chains[i]);
	return netlink_commit(nl, err);
}

static int find_in_legacy(struct present *present, struct error *err)
{
	for (size_t i = 0; i < OVERLAY_PLACES; i++) {
		auto_arena struct arena arena = { 0 };
		struct legacy_table table;

		if (!legacy_active(overlay_places[i].family, overlay_places[i].table))
			continue;
		if (legacy_read(overlay_places[i].family, overlay_places[i].table, &arena, &table,
				err))
			return -err->errnum;
		present->chains[i] |= legacy_has_chain(&table, overlay_places[i].when);
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
	for (size_t i = 0; i < OVERLAY_PLACES; i++)
		if (present->chains[i])
			*list_add(arena, removed) = arena_printf(
				arena, "%s: chain %s of table %s, and what led to it",
				overlay_places[i].family == RULE_IP6 ? "ip6tables" : "iptables",
				overlay_places[i].when, overlay_places[i].table);
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
	for (size_t i = 0; i < OVERLAY_PLACES; i++)
		if (overlay_places[i].family == line->family &&
		    streq(overlay_places[i].when, line->chain))
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
	for (size_t i = 0; i < OVERLAY_PLACES; i++)
		present.chains[i] &= !left.chains[i];
	name_all(&present, arena, removed);
	if (lines.list.n)
		find_lines(&nothing, &lines_left);
	name_lines(&lines, &lines_left, &left, arena, removed);
	return 0;
}
