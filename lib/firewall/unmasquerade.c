/*
 * Removing masquerade rules, of one attachment (DEL) or of all that are no longer valid (GC). Names are enough: no
 * addresses, no namespace, no earlier result. Three places may hold rules: our nf_tables table, the tables of
 * iptables-nft, which are nf_tables too, and the legacy tables. The first two are emptied in one transaction.
 */
#include <errno.h>
#include <netinet/in.h>

#include "base/text.h"
#include "firewall/firewall.h"
#include "firewall/masquerade.h"
#include "firewall/names.h"
#include "firewall/sweep.h"

/* What to remove. DEL: chain and prefix of one attachment; GC: a network's, less what valid attachments keep. */
struct removal {
	bool gc;
	char chain[CHAIN_NAME_SIZE];
	const char *nft_prefix;           /* of comments: H1-H2, for GC H1- */
	const char *xt_prefix;            /* GC: name: "tnet" id: " */
	words_t keep_hashes, keep_chains; /* GC, sorted */
};

/* A rule of masq_checks. */
static bool comment_doomed(const struct removal *removal, const char *comment)
{
	char hash[OWNER_HASH_SIZE];

	if (!has_prefix(comment, removal->nft_prefix))
		return false;
	memcpy(hash, comment, strnlen(comment, OWNER_HASH_SIZE - 1));
	hash[strnlen(comment, OWNER_HASH_SIZE - 1)] = '\0';
	return !words_have(&removal->keep_hashes, hash);
}

/* A chain of the iptables form, judged by its name and by a rule in it or to it. */
static bool chain_doomed(const struct removal *removal, const char *chain, const char *comment)
{
	if (!removal->gc)
		return streq(chain, removal->chain);
	return masquerade_chain_like(chain) && has_prefix(comment, removal->xt_prefix) &&
	       !words_have(&removal->keep_chains, chain);
}

static enum sweep_verdict judge(const struct sweep_place *place, const struct nft_rule_info *rule,
				void *arg)
{
	if (place->family == RULE_INET)
		return comment_doomed(arg, rule->comment) ? SWEEP_RULE : SWEEP_KEEP;
	return chain_doomed(arg, rule->target, rule->comment) ? SWEEP_TARGET : SWEEP_KEEP;
}

/* Somebody died between making a chain and jumping to it: its own rules tell whose it is. */
static bool judge_orphan(const char *chain, const struct nft_rule_info *first, void *arg)
{
	const struct removal *removal = arg;

	return first ? chain_doomed(removal, chain, first->comment)
		     : masquerade_chain_like(chain) && !words_have(&removal->keep_chains, chain);
}

/* An attachment without its chain has no jump to it. */
static int remove_all(struct removal *removal, struct error *err)
{
	const char *own = removal->gc ? NULL : removal->chain;
	const struct sweep_place places[] = {
		{ RULE_INET, MASQ_TABLE, MASQ_CHECKS, NULL },
		{ RULE_IP, XT_TABLE, XT_POSTROUTING, own },
		{ RULE_IP6, XT_TABLE, XT_POSTROUTING, own },
	}, chains[] = { { RULE_IP, XT_TABLE, own, NULL }, { RULE_IP6, XT_TABLE, own, NULL } };
	struct sweep sweep = {
		.places = places,
		.n_places = ARRAY_SIZE(places),
		.chains = chains,
		.n_chains = own ? ARRAY_SIZE(chains) : 0,
		.rule = judge,
		.orphan = removal->gc ? judge_orphan : NULL,
		.arg = removal,
	};

	return sweep_run(&sweep, err);
}

int masquerade_del(const struct owner *owner, struct error *err)
{
	struct removal removal = { .gc = false };
	char hash[OWNER_HASH_SIZE];
	int r;

	masquerade_chain_name(owner, removal.chain);
	owner_hash(owner, hash);
	removal.nft_prefix = hash;
	r = remove_all(&removal, err);
	return r < 0 ? wrap(err, "remove masquerade of %s", owner->ifname) : 0;
}

/* Names that valid attachments keep. */
static void keep_valid(struct arena *arena, const char *network, const owners_t *valid,
		       struct removal *removal)
{
	list_each(attachment, valid) {
		struct owner owner = { network, attachment->container, attachment->ifname };
		char hash[OWNER_HASH_SIZE], chain[CHAIN_NAME_SIZE];

		owner_hash(&owner, hash);
		masquerade_chain_name(&owner, chain);
		*list_add(arena, &removal->keep_hashes) = arena_strdup(arena, hash);
		*list_add(arena, &removal->keep_chains) = arena_strdup(arena, chain);
	}
	words_sort(&removal->keep_hashes);
	words_sort(&removal->keep_chains);
}

int masquerade_gc(const char *network, const owners_t *valid, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct removal removal = { .gc = true, .xt_prefix = masquerade_xt_prefix(&arena, network) };
	char hash[OWNER_HASH_SIZE];
	int r;

	owner_hash(&(struct owner){ network, "", "" }, hash);
	hash[NETWORK_HASH_LEN + 1] = '\0';
	removal.nft_prefix = hash;
	keep_valid(&arena, network, valid, &removal);
	r = remove_all(&removal, err);
	return r < 0 ? wrap(err, "remove masquerade of network \"%s\"", network) : 0;
}
