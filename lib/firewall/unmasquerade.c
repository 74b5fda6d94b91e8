/*
 * Removing masquerade rules, of one attachment (DEL) or of all that are no longer valid (GC). Names are enough: no
 * addresses, no namespace, no earlier result. Three places may hold rules: our nf_tables table, the tables of
 * iptables-nft, which are nf_tables too, and the legacy tables. The first two are emptied in one transaction, since
 * each deletion waits for a grace period of the kernel (8 to 20 ms).
 */
#include <errno.h>
#include <netinet/in.h>

#include "base/text.h"
#include "firewall/firewall.h"
#include "firewall/legacy.h"
#include "firewall/masquerade.h"
#include "firewall/names.h"
#include "firewall/nftables.h"

typedef LIST(const char *) names_t;

/* What to remove. DEL: chain and prefix of one attachment; GC: a network's, less what valid attachments keep. */
struct removal {
	bool gc;
	char chain[CHAIN_NAME_SIZE];
	const char *nft_prefix;           /* of comments: H1-H2, for GC H1- */
	const char *xt_prefix;            /* GC: name: "tnet" id: " */
	names_t keep_hashes, keep_chains; /* GC, sorted */
};

/* What there is to remove, found before anything is queued. */
struct found {
	struct arena arena;
	bool checks;          /* the nftables form is in use */
	LIST(uint64_t) rules; /* handles in masq_checks */
	struct xt_found {
		bool present;
		LIST(uint64_t) jumps; /* handles in POSTROUTING */
		names_t chains;       /* sorted, perhaps more than once */
	} xt[2];
};

static const struct {
	enum rule_family family;
	enum nft_family nft;
} xt_families[] = { { RULE_IP, NFT_IP }, { RULE_IP6, NFT_IP6 } };

static void found_free(struct found *found)
{
	arena_free(&found->arena);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_name(const names_t *names, const char *name)
{
	return names->n &&
	       bsearch(&name, names->items, names->n, sizeof(*names->items), compare_names);
}

static void sort_names(names_t *names)
{
	if (names->n)
		qsort(names->items, names->n, sizeof(*names->items), compare_names);
}

/* A rule of masq_checks. */
static bool comment_doomed(const struct removal *removal, const char *comment)
{
	char hash[OWNER_HASH_SIZE];

	if (!has_prefix(comment, removal->nft_prefix))
		return false;
	memcpy(hash, comment, strnlen(comment, OWNER_HASH_SIZE - 1));
	hash[strnlen(comment, OWNER_HASH_SIZE - 1)] = '\0';
	return !has_name(&removal->keep_hashes, hash);
}

/* A chain of the iptables form, judged by its name and by a rule in it or to it. */
static bool chain_doomed(const char *chain, const char *comment, void *arg)
{
	const struct removal *removal = arg;

	if (!removal->gc)
		return streq(chain, removal->chain);
	return masquerade_chain_like(chain) && has_prefix(comment, removal->xt_prefix) &&
	       !has_name(&removal->keep_chains, chain);
}

static int find_nft_rules(struct netlink *nl, const struct removal *removal, struct found *found,
			  struct error *err)
{
	nft_rules_t rules = { 0 };
	int r = nft_rules(nl, NFT_INET, MASQ_TABLE, MASQ_CHECKS, &found->arena, &rules, err);

	list_each(rule, &rules)
		if (comment_doomed(removal, rule->comment))
			*list_add(&found->arena, &found->rules) = rule->handle;
	return r;
}

/* GC: chains that nothing jumps to any more are known by the comments of their own rules. */
static int find_orphans(struct netlink *nl, enum nft_family family, struct removal *removal,
			names_t *targets, struct found *found, names_t *doomed, struct error *err)
{
	nft_names_t chains = { 0 };
	int r = nft_chains(nl, family, XT_TABLE, &found->arena, &chains, err);

	sort_names(targets);
	list_each(chain, &chains) {
		nft_rules_t rules = { 0 };

		if (r < 0 || !masquerade_chain_like(*chain) || has_name(targets, *chain) ||
		    has_name(&removal->keep_chains, *chain))
			continue;
		r = nft_rules(nl, family, XT_TABLE, *chain, &found->arena, &rules, err);
		if (r == 0 && rules.n && chain_doomed(*chain, rules.items->comment, removal))
			*list_add(&found->arena, doomed) = *chain;
	}
	return r;
}

/* Jumps in POSTROUTING and the chains that they lead to, each chain once. */
static int find_xt_rules(struct netlink *nl, size_t i, struct removal *removal, struct found *found,
			 struct error *err)
{
	struct xt_found *xt = &found->xt[i];
	nft_rules_t jumps = { 0 };
	names_t targets = { 0 };
	int r = nft_rules(nl, xt_families[i].nft, XT_TABLE, XT_POSTROUTING, &found->arena, &jumps,
			  err);

	list_each(jump, &jumps) {
		if (chain_doomed(jump->target, jump->comment, removal)) {
			*list_add(&found->arena, &xt->jumps) = jump->handle;
			*list_add(&found->arena, &xt->chains) = jump->target;
		}
		if (removal->gc)
			*list_add(&found->arena, &targets) = jump->target;
	}
	if (r == 0 && removal->gc)
		r = find_orphans(nl, xt_families[i].nft, removal, &targets, found, &xt->chains,
				 err);
	if (!removal->gc)
		*list_add(&found->arena, &xt->chains) = removal->chain;
	sort_names(&xt->chains);
	return r;
}

/* One exchange says what there is to dump. */
static int find_places(struct netlink *nl, const struct removal *removal, struct found *found,
		       struct error *err)
{
	const char *chain = removal->gc ? XT_POSTROUTING : removal->chain;

	nft_queue_find_chain(nl, NFT_INET, MASQ_TABLE, MASQ_CHECKS, &found->checks);
	for (size_t i = 0; i < ARRAY_SIZE(xt_families); i++)
		nft_queue_find_chain(nl, xt_families[i].nft, XT_TABLE, chain,
				     &found->xt[i].present);
	return netlink_commit(nl, err);
}

static int find_all(struct netlink *nl, struct removal *removal, struct found *found,
		    struct error *err)
{
	int r = find_places(nl, removal, found, err);

	if (r == 0 && found->checks)
		r = find_nft_rules(nl, removal, found, err);
	for (size_t i = 0; i < ARRAY_SIZE(xt_families) && r == 0; i++)
		if (found->xt[i].present)
			r = find_xt_rules(nl, i, removal, found, err);
	return r;
}

/* Jumps before the chains that they lead to. */
static void queue_xt_removal(struct netlink *nl, enum nft_family family, const struct xt_found *xt)
{
	list_each(jump, &xt->jumps)
		nft_queue_del_rule(nl, family, XT_TABLE, XT_POSTROUTING, *jump);
	list_each(chain, &xt->chains)
		if (chain == xt->chains.items || !streq(*chain, chain[-1]))
			nft_queue_del_chain(nl, family, XT_TABLE, *chain);
}

static int try_remove(struct netlink *nl, void *arg, struct error *err)
{
	on_leave(found_free) struct found found = { 0 };
	int r = find_all(nl, arg, &found, err);

	if (r < 0)
		return r;
	list_each(rule, &found.rules)
		nft_queue_del_rule(nl, NFT_INET, MASQ_TABLE, MASQ_CHECKS, *rule);
	for (size_t i = 0; i < ARRAY_SIZE(xt_families); i++)
		queue_xt_removal(nl, xt_families[i].nft, &found.xt[i]);
	return netlink_commit(nl, err);
}

static int remove_in_nftables(struct netlink *nl, struct removal *removal, struct error *err)
{
	auto_close int turn unused = nftables_turn();

	return nftables_retry(nl, try_remove, removal, err);
}

/* All places, whatever happens in one of them. */
static int remove_all(struct removal *removal, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	struct error first = { 0 };
	int r = nft_open(&nl, &first);

	if (r == 0)
		r = remove_in_nftables(nl, removal, &first);
	if (r == -EOPNOTSUPP)
		r = 0;
	for (size_t i = 0; i < ARRAY_SIZE(xt_families); i++) {
		struct error later = { 0 };
		int r2 = legacy_active(xt_families[i].family)
				 ? legacy_remove(xt_families[i].family, chain_doomed, removal,
						 &later)
				 : 0;

		if (r2 < 0 && r == 0)
			first = later;
		else if (r2 < 0)
			error_join(&first, &later);
		r = r < 0 ? r : r2;
	}
	if (r < 0 && err)
		*err = first;
	return r;
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
	sort_names(&removal->keep_hashes);
	sort_names(&removal->keep_chains);
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
