/* What is not wanted of the rules of overlay.h, in the form of iptables, taken away. */
#include "firewall/overlay_shared.h"

#include "firewall/iptables.h"
#include "firewall/legacy.h"
#include "kernel/xtables.h"

const struct sweep_place overlay_places[OVERLAY_PLACES] = {
	{ RULE_IP, "nat", "POSTROUTING", OVERLAY_POSTRTG },
	{ RULE_IP, "filter", "FORWARD", OVERLAY_FWD },
	{ RULE_IP6, "nat", "POSTROUTING", OVERLAY_POSTRTG },
	{ RULE_IP6, "filter", "FORWARD", OVERLAY_FWD },
};

struct cleaning {
	const struct overlay *overlay;
	bool marked[OVERLAY_PLACES];
	bool shared[OVERLAY_PLACES]; /* other networks have lines there */
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
	for (size_t i = 0; i < OVERLAY_PLACES; i++)
		if (overlay_places[i].family == place->family &&
		    streq(overlay_places[i].when, place->chain))
			cleaning->shared[i] = true;
	return SWEEP_KEEP;
}

/* Our lines of the marked overlay_places; then our chains, and what leads to them, where no lines are left. */
static int sweep_places(struct cleaning *cleaning, enum sweep_where where, struct error *err)
{
	struct sweep_place bases[OVERLAY_PLACES], chains[OVERLAY_PLACES];
	struct sweep lines = {
		.where = where, .places = chains, .rule = judge_line, .arg = cleaning
	};
	struct sweep sweep = {
		.where = where, .places = bases, .chains = chains, .rule = judge_jump
	};
	int r = 0;

	memset(cleaning->shared, 0, sizeof(cleaning->shared));
	for (size_t i = 0; i < OVERLAY_PLACES; i++) {
		if (!cleaning->marked[i])
			continue;
		chains[lines.n_places] = overlay_places[i];
		chains[lines.n_places++].chain = overlay_places[i].when;
	}
	if (lines.n_places)
		r = sweep_run(&lines, err);
	for (size_t i = 0; i < OVERLAY_PLACES; i++) {
		if (!cleaning->marked[i] || cleaning->shared[i])
			continue;
		bases[sweep.n_places++] = overlay_places[i];
		chains[sweep.n_chains] = overlay_places[i];
		chains[sweep.n_chains++].chain = overlay_places[i].when;
	}
	return r == 0 && sweep.n_places ? sweep_run(&sweep, err) : r;
}

/* What nobody wants; where kind is not NONE, also what is wanted of a family that has the other kind. */
static void mark(const struct overlay *overlay, enum iptables_kind kind,
		 bool marked[OVERLAY_PLACES])
{
	for (size_t i = 0; i < OVERLAY_PLACES; i++) {
		bool v6 = overlay_places[i].family == RULE_IP6;
		const struct overlay_family *net = v6 ? &overlay->v6 : &overlay->v4;
		bool wanted = net->network.ip.family &&
			      (streq(overlay_places[i].table, "nat") ? overlay->masquerade
								     : overlay->forward);

		marked[i] = !wanted || (kind != IPTABLES_NONE &&
					iptables_kind(overlay_places[i].family) != kind);
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

	for (size_t i = 0; i < OVERLAY_PLACES; i++)
		if (legacy_active(overlay_places[i].family, overlay_places[i].table))
			state = state * 31 +
				xtables_fingerprint(overlay_places[i].family == RULE_IP6,
						    overlay_places[i].table);
	return state;
}
