/* The rules of overlay.h held against what is there, for people; see overlay_look.h. */
#include "firewall/overlay_look.h"

#include <errno.h>
#include <netinet/in.h>

#include "firewall/iptables.h"
#include "firewall/overlay_shared.h"
#include "firewall/xt_view.h"

enum { FAMILIES = 2 };
static const int families[FAMILIES] = { AF_INET, AF_INET6 };

struct looking {
	const struct overlay *overlay;
	enum firewall_backend form;
	struct arena *arena;
	overlay_tell_fn *tell;
	void *arg;
	struct ruleset native[FAMILIES], xt[FAMILIES][2];
	bool seen[FAMILIES]; /* legacy tables of the family; of the table that is looked at */
};

/* One chain of ours, wherever it is. */
struct place {
	struct looking *looking;
	bool native;
	const struct ruleset *set; /* what is wanted there */
	const char *chain;
	unsigned n_told;
};

/* ---- words ---- */

static const char *address_text(const struct place *place, const char *key, const struct rule *rule,
				enum match_kind kind)
{
	const struct match *match = rule_match(rule, kind);
	char text[CIDR_TEXT_SIZE];

	if (!match)
		return "";
	return arena_printf(place->looking->arena, " %s %s %s%s",
			    place->set->family == RULE_IP6 ? "ip6" : "ip", key,
			    match->negated ? "!= " : "", cidr_format(&match->cidr, text));
}

static const char *native_text(const struct place *place, const struct rule *rule)
{
	static const char *const verdicts[] = {
		[RULE_ACCEPT] = "accept",
		[RULE_RETURN] = "return",
		[RULE_MASQUERADE] = "masquerade",
	};
	struct arena *arena = place->looking->arena;
	const struct match *mark = rule_match(rule, MATCH_MARK);

	return arena_printf(
		arena, "%s%s%s %s%s",
		mark ? arena_printf(arena, " meta mark & 0x%08x == 0x%08x", mark->bits, mark->value)
		     : "",
		address_text(place, "saddr", rule, MATCH_SOURCE),
		address_text(place, "daddr", rule, MATCH_DESTINATION), verdicts[rule->verdict],
		rule->fully_random ? " fully-random" : "");
}

/* Where it is: "nft ip flannel-ipv4", "iptables -t nat". */
static const char *table_text(const struct place *place)
{
	bool v6 = place->set->family == RULE_IP6;

	if (place->native)
		return arena_printf(place->looking->arena, "nft %s %s", v6 ? "ip6" : "ip",
				    place->set->table);
	return arena_printf(place->looking->arena, "%s -t %s", v6 ? "ip6tables" : "iptables",
			    place->set->table);
}

static const char *rule_text(const struct place *place, const struct rule *rule)
{
	struct arena *arena = place->looking->arena;

	if (place->native)
		return arena_printf(arena, "%s %s%s", table_text(place), place->chain,
				    native_text(place, rule));
	return arena_printf(arena, "%s %s", table_text(place), iptables_rule_text(rule, arena));
}

static const char *line_text(const struct place *place, const struct nft_rule_info *there)
{
	struct rule rule = overlay_rule_of(place->chain, there);

	if (nftables_same(&rule, there))
		return rule_text(place, &rule);
	return arena_printf(place->looking->arena, "%s %s, a rule that no agent writes",
			    table_text(place), place->chain);
}

static void tell_of(struct place *place, const char *was, const char *would)
{
	const struct overlay_difference difference = { place->set->family, place->native,
						       place->chain, was, would };

	place->n_told++;
	place->looking->tell(place->looking->arg, &difference);
}

/* ---- one chain ---- */

static bool is_same(const struct rule *rule, const struct nft_rule_info *there)
{
	struct rule as_there = *rule;

	as_there.fully_random = there->fully_random;
	return nftables_same(&as_there, there);
}

static bool is_there(const nft_rules_t *there, const struct rule *rule)
{
	list_each(info, there)
		if (is_same(rule, info))
			return true;
	return false;
}

static bool is_wanted(const struct place *place, const struct nft_rule_info *there)
{
	list_each(rule, &place->set->rules)
		if (streq(rule->chain, place->chain) && is_same(rule, there))
			return true;
	return false;
}

static size_t tell_missing(struct place *place, const nft_rules_t *there)
{
	size_t n = 0;

	list_each(rule, &place->set->rules) {
		if (!streq(rule->chain, place->chain))
			continue;
		n++;
		if (!is_there(there, rule))
			tell_of(place, NULL, rule_text(place, rule));
	}
	return n;
}

static bool is_in_order(const struct place *place, const nft_rules_t *there)
{
	nft_rules_t plain = { 0 };
	struct ruleset set = { .family = place->set->family };

	list_each(rule, there) {
		struct nft_rule_info *info = list_add(place->looking->arena, &plain);

		*info = *rule;
		info->fully_random = false;
	}
	list_each(rule, &place->set->rules) {
		struct rule *copy = list_add(place->looking->arena, &set.rules);

		*copy = *rule;
		copy->fully_random = false;
	}
	return overlay_same(&set, place->chain, &plain);
}

/* What every network has stays for the others. true: others have lines there, too. */
static bool compare_chain(struct place *place, const nft_rules_t *there)
{
	struct overlay_lines lines;
	size_t n;

	overlay_split(place->looking->arena, place->looking->overlay, there, &lines);
	n = tell_missing(place, &lines.ours);
	list_each(line, &lines.ours)
		if (!is_wanted(place, line) && (n || !lines.others.n || !overlay_is_common(line)))
			tell_of(place, line_text(place, line), NULL);
	if (n && !place->n_told && !is_in_order(place, &lines.ours))
		tell_of(place,
			arena_printf(place->looking->arena, "%s %s, in another order or doubled",
				     table_text(place), place->chain),
			arena_printf(place->looking->arena, "%s %s, each rule once",
				     table_text(place), place->chain));
	return lines.others.n;
}

/* What leads to it, of which the first stays. */
static void compare_jumps(struct place *place, const char *base, const nft_rules_t *there,
			  bool others)
{
	const struct rule *jump = overlay_jump(place->set);
	struct rule found = { .chain = base, .verdict = RULE_JUMP, .target = place->chain };
	size_t n = 0;

	if (!jump && others)
		return;
	list_each(line, there) {
		if (!streq(line->target, place->chain))
			continue;
		found.comment = *line->comment ? line->comment : NULL;
		if (!jump || n++)
			tell_of(place, rule_text(place, &found), NULL);
	}
	if (jump && !n)
		tell_of(place, NULL, rule_text(place, jump));
}

/* ---- the iptables form ---- */

static int compare_view(struct looking *looking, const struct xt_view *view,
			const struct ruleset *wanted, struct error *err)
{
	bool nat = streq(view->table, "nat"), others;
	const char *base = nat ? "POSTROUTING" : "FORWARD";
	const struct ruleset nothing = { .family = view->family, .table = view->table };
	struct place place = { .looking = looking,
			       .set = wanted ? wanted : &nothing,
			       .chain = nat ? OVERLAY_POSTRTG : OVERLAY_FWD };
	nft_rules_t chain = { 0 }, shared = { 0 };
	int r = xt_rules(view, place.chain, looking->arena, &chain, err);

	if (r == 0)
		r = xt_rules(view, base, looking->arena, &shared, err);
	if (r < 0)
		return r;
	others = compare_chain(&place, &chain);
	compare_jumps(&place, base, &shared, others);
	return 0;
}

static int look_at_view(const struct xt_view *view, void *arg, struct error *err)
{
	struct looking *looking = arg;
	size_t i = view->family == RULE_IP6;
	enum iptables_kind kind = iptables_kind(view->family);
	bool here = kind == (view->nl ? IPTABLES_NFT : IPTABLES_LEGACY);

	looking->seen[i] |= !view->nl;
	return compare_view(looking, view,
			    here ? &looking->xt[i][streq(view->table, "filter")] : NULL, err);
}

/* A legacy table that is not in use yet has nothing of what is wanted. */
static int look_at_table(struct looking *looking, struct netlink *nl, const char *table,
			 struct error *err)
{
	int r;

	memset(looking->seen, 0, sizeof(looking->seen));
	r = xt_each_view(nl, table, look_at_view, looking, err);
	for (size_t i = 0; i < FAMILIES && r == 0; i++) {
		const struct ruleset *set = &looking->xt[i][streq(table, "filter")];
		const struct xt_view view = { .family = set->family, .table = table };

		if (!looking->seen[i] && iptables_kind(set->family) == IPTABLES_LEGACY)
			r = compare_view(looking, &view, set, err);
	}
	return r;
}

/* ---- the nftables form ---- */

static int look_at_native(struct looking *looking, struct netlink *nl, const struct ruleset *set,
			  struct error *err)
{
	static const char *const chains[] = { OVERLAY_CHAIN_POSTRTG, OVERLAY_CHAIN_FORWARD };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(chains) && r == 0; i++) {
		struct place place = {
			.looking = looking, .native = true, .set = set, .chain = chains[i]
		};
		nft_rules_t there = { 0 };

		r = nft_rules(nl, nftables_family(set->family), set->table, chains[i],
			      looking->arena, &there, err);
		if (r == 0)
			compare_chain(&place, &there);
	}
	return r;
}

int overlay_look(const struct overlay *overlay, enum firewall_backend form, struct arena *arena,
		 overlay_tell_fn *tell, void *arg, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	const struct overlay nothing = overlay_nothing(overlay);
	struct looking looking = {
		.overlay = overlay, .form = form, .arena = arena, .tell = tell, .arg = arg
	};
	struct error why = { 0 };
	int r = nft_open(&nl, &why);

	if (r < 0 && r != -EOPNOTSUPP)
		return fail(err, why.errnum, "%s", why.message);
	r = 0;
	for (size_t i = 0; i < FAMILIES && r == 0; i++) {
		overlay_nft_rules(arena, form == FIREWALL_NFTABLES ? overlay : &nothing,
				  families[i], &looking.native[i]);
		overlay_xt_rules(arena, form == FIREWALL_IPTABLES ? overlay : &nothing, families[i],
				 looking.xt[i]);
		if (nl)
			r = look_at_native(&looking, nl, &looking.native[i], err);
	}
	if (r == 0)
		r = look_at_table(&looking, nl, "nat", err);
	return r < 0 ? r : look_at_table(&looking, nl, "filter", err);
}
