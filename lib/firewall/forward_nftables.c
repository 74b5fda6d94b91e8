/*
 * Forwarding rules in a table of our own, inet cni_firewall. Seven rules look into sets: a container is an element for
 * each of its addresses, whose comment says whose it is, and a bridge with a policy is an element or two. So the cost of
 * a packet, of an ADD and of a DEL depends on nothing else. Rules of people are in the chain `admin`, which we make and
 * never touch; so is the policy of the chain `forward`: whoever sets it to drop has a node that forwards for containers
 * only.
 *
 * The rules are put right by emptying the chain in the transaction that fills it, only when they are not as they should
 * be: whoever comes last of many leaves them once.
 */
#include "firewall/forward_carrier.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/text.h"
#include "firewall/names.h"

#define TABLE   "cni_firewall"
#define FORWARD "forward"
#define ADMIN   "admin"

/* clang-format off */
static const struct nft_set
	pods4 = { .name = "pods4", .addresses = NFT_IP, .key = { NFT_SOURCE },
		  .comment = "IPv4 addresses of containers" },
	pods6 = { .name = "pods6", .addresses = NFT_IP6, .key = { NFT_SOURCE },
		  .comment = "IPv6 addresses of containers" },
	to_pods4 = { .name = "pods4", .addresses = NFT_IP, .key = { NFT_DESTINATION } },
	to_pods6 = { .name = "pods6", .addresses = NFT_IP6, .key = { NFT_DESTINATION } },
	bridges = { .name = "bridges", .key = { NFT_IN_INTERFACE },
		    .comment = "bridges that are kept apart from each other" },
	to_bridges = { .name = "bridges", .key = { NFT_OUT_INTERFACE } },
	within = { .name = "within", .key = { NFT_IN_INTERFACE, NFT_OUT_INTERFACE },
		   .comment = "from a bridge to itself" },
	isolated = { .name = "isolated", .key = { NFT_IN_INTERFACE, NFT_OUT_INTERFACE },
		     .comment = "from a bridge to itself, where that is not allowed" };
/* clang-format on */

/* The chain `forward`, in order. A comment is how a rule is known again. */
static const struct base_rule {
	const char *comment;
	struct {
		const struct nft_set *set;
		enum nft_op op;
	} sets[3];
	unsigned states;
	enum nft_verdict verdict;
} base_rules[] = {
	{ "rules of the administrator", .verdict = NFT_VERDICT_JUMP },
	{ "containers of an isolated bridge", { { &isolated } }, .verdict = NFT_VERDICT_DROP },
	{ "bridges that are kept apart",
	  { { &bridges }, { &to_bridges }, { &within, NFT_IS_NOT } },
	  .verdict = NFT_VERDICT_DROP },
	{ "answers to containers",
	  { { &to_pods4 } },
	  NFT_STATE_ESTABLISHED | NFT_STATE_RELATED,
	  NFT_VERDICT_ACCEPT },
	{ "from containers", { { &pods4 } }, .verdict = NFT_VERDICT_ACCEPT },
	{ "answers to containers",
	  { { &to_pods6 } },
	  NFT_STATE_ESTABLISHED | NFT_STATE_RELATED,
	  NFT_VERDICT_ACCEPT },
	{ "from containers", { { &pods6 } }, .verdict = NFT_VERDICT_ACCEPT },
};

static const struct nft_set *const all_sets[] = { &pods4, &pods6, &bridges, &within, &isolated };

static const struct nft_set *pods_of(int family)
{
	return family == AF_INET ? &pods4 : &pods6;
}

/* ---- the base: what all containers share ---- */

static void queue_base_rule(struct netlink *nl, const struct base_rule *base)
{
	struct nft_rule *rule = nft_rule_begin(nl, NFT_INET, TABLE, FORWARD, base->comment);

	if (base->states)
		nft_match_state(rule, base->states);
	for (size_t i = 0; i < ARRAY_SIZE(base->sets) && base->sets[i].set; i++)
		nft_match_set(rule, base->sets[i].op, base->sets[i].set);
	nft_verdict(rule, base->verdict, base->verdict == NFT_VERDICT_JUMP ? ADMIN : NULL);
	nft_rule_end(rule);
}

static void queue_base(struct netlink *nl)
{
	static const struct nft_chain admin = { .name = ADMIN,
						.comment = "yours: asked before all others" },
				      forward = { .name = FORWARD,
						  .type = "filter",
						  .hook = NFT_FORWARD };

	nft_queue_table(nl, NFT_INET, TABLE, "CNI firewall plugin");
	nft_queue_chain(nl, NFT_INET, TABLE, &admin);
	nft_queue_chain(nl, NFT_INET, TABLE, &forward);
	for (size_t i = 0; i < ARRAY_SIZE(all_sets); i++)
		nft_queue_set(nl, NFT_INET, TABLE, all_sets[i]);
	nft_queue_flush_chain(nl, NFT_INET, TABLE, FORWARD);
	for (size_t i = 0; i < ARRAY_SIZE(base_rules); i++)
		queue_base_rule(nl, &base_rules[i]);
}

/* The first rule of the base that is not in its place; NULL = all are, and nothing else. */
static int find_missing(struct netlink *nl, struct arena *arena, const char **missing,
			struct error *err)
{
	nft_rules_t there = { 0 };
	int r = nft_rules(nl, NFT_INET, TABLE, FORWARD, arena, &there, err);

	*missing = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(base_rules) && !*missing; i++)
		if (i >= there.n || !streq(there.items[i].comment, base_rules[i].comment) ||
		    there.items[i].verdict != (int)base_rules[i].verdict)
			*missing = base_rules[i].comment;
	if (!*missing && there.n > ARRAY_SIZE(base_rules))
		*missing = "nothing else";
	return r;
}

/* ---- elements ---- */

struct wanted {
	const struct nft_set *set;
	struct nft_element element;
	struct nft_lookup there;
};
typedef LIST(struct wanted) wanted_t;

static void want(struct arena *arena, wanted_t *wanted, const struct nft_set *set,
		 const struct nft_value *key, const char *comment)
{
	*list_add(arena, wanted) = (struct wanted){
		.set = set,
		.element = { .key = *key, .comment = comment },
		.there = { .arena = arena },
	};
}

static struct nft_value bridge_key(const struct forward *forward, unsigned times)
{
	struct nft_value key = { 0 };

	while (times--)
		nft_value_interface(&key, forward->bridge);
	return key;
}

/* The elements that an attachment needs. */
static void want_all(struct arena *arena, const struct forward *forward, unsigned parts,
		     wanted_t *wanted)
{
	const char *comment = masquerade_nft_comment(arena, &forward->owner);
	struct nft_value once, twice;

	if (parts & FORWARD_ADMIT)
		list_each(address, &forward->addresses) {
			struct nft_value key = { 0 };

			nft_value_ip(&key, &address->ip);
			want(arena, wanted, pods_of(address->ip.family), &key, comment);
		}
	if (!(parts & FORWARD_KEEP_APART) || forward->policy == FORWARD_OPEN)
		return;
	once = bridge_key(forward, 1);
	twice = bridge_key(forward, 2);
	want(arena, wanted, &bridges, &once, NULL);
	want(arena, wanted, forward->policy == FORWARD_ISOLATED ? &isolated : &within, &twice,
	     NULL);
}

static int look_up(struct netlink *nl, wanted_t *wanted, struct error *err)
{
	list_each(one, wanted)
		nft_queue_get_element(nl, NFT_INET, TABLE, one->set, &one->element.key,
				      &one->there);
	return netlink_commit(nl, err);
}

static bool is_there(const struct wanted *one)
{
	return one->there.found &&
	       (!one->element.comment || streq(one->there.element.comment, one->element.comment));
}

/* An address that another had and lost without a DEL is ours now. */
static void queue_element(struct netlink *nl, const struct wanted *one)
{
	if (is_there(one))
		return;
	if (one->there.found)
		nft_queue_del_element(nl, NFT_INET, TABLE, one->set, &one->element.key,
				      "take over an address");
	nft_queue_element(nl, NFT_INET, TABLE, one->set, &one->element, one->element.comment,
			  one->element.comment ? "admit an address" : "keep a bridge apart");
}

struct addition {
	const struct forward *forward;
	unsigned parts;
};

static int try_add(struct netlink *nl, void *arg, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const struct addition *addition = arg;
	wanted_t wanted = { 0 };
	const char *missing;
	int r;

	want_all(&arena, addition->forward, addition->parts, &wanted);
	if (!wanted.n)
		return 0;
	r = find_missing(nl, &arena, &missing, err);
	if (r == 0)
		r = look_up(nl, &wanted, err);
	if (r < 0)
		return r;
	if (missing)
		queue_base(nl);
	list_each(one, &wanted)
		queue_element(nl, one);
	return netlink_commit(nl, err);
}

int forward_nftables_add(const struct forward *forward, unsigned parts, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	struct addition addition = { forward, parts };
	int r = nft_open(&nl, err);

	return r < 0 ? r : nftables_retry(nl, try_add, &addition, err);
}

int forward_nftables_check(const struct forward *forward, unsigned parts, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	wanted_t wanted = { 0 };
	const char *missing;
	int r = nft_open(&nl, err);

	want_all(&arena, forward, parts, &wanted);
	if (r < 0 || !wanted.n)
		return r;
	r = find_missing(nl, &arena, &missing, err);
	if (r == 0 && missing)
		return fail(err, ENOENT,
			    "expected rule \"%s\" of chain forward of table inet " TABLE
			    " not found",
			    missing);
	if (r == 0)
		r = look_up(nl, &wanted, err);
	list_each(one, &wanted)
		if (r == 0 && !is_there(one))
			r = fail(err, ENOENT,
				 "expected element of set %s of table inet " TABLE " not found",
				 one->set->name);
	return r;
}

/* ---- removing ---- */

static void doom(struct arena *arena, struct forward_removal *removal, const struct nft_set *set,
		 const struct nft_value *key)
{
	*list_add(arena, &removal->found) = (struct forward_element){ set, *key };
}

/* DEL: addresses that the owner is said to have, and has. */
static int find_owned(struct netlink *nl, struct arena *arena, struct forward_removal *removal,
		      struct error *err)
{
	const char *comment = masquerade_nft_comment(arena, removal->owner);
	wanted_t wanted = { 0 };
	int r;

	list_each(address, &removal->owned) {
		struct nft_value key = { 0 };

		nft_value_ip(&key, &address->ip);
		want(arena, &wanted, pods_of(address->ip.family), &key, comment);
	}
	r = look_up(nl, &wanted, err);
	list_each(one, &wanted)
		if (is_there(one))
			doom(arena, removal, one->set, &one->element.key);
	return r;
}

/* Whose elements go, by the beginning of their comments. */
static bool comment_doomed(const struct forward_removal *removal, const char *comment)
{
	char hash[OWNER_HASH_SIZE];
	struct owner owner = { removal->network, "", "" };

	owner_hash(removal->owner ? removal->owner : &owner, hash);
	if (removal->owner)
		return has_prefix(comment, hash);
	if (strncmp(comment, hash, NETWORK_HASH_LEN + 1) != 0)
		return false;
	list_each(attachment, removal->valid) {
		owner = (struct owner){ removal->network, attachment->container,
					attachment->ifname };
		owner_hash(&owner, hash);
		if (has_prefix(comment, hash))
			return false;
	}
	return true;
}

static int find_in(struct netlink *nl, const struct nft_set *set, struct arena *arena,
		   struct forward_removal *removal, struct error *err)
{
	nft_elements_t elements = { 0 };
	int r = nft_elements(nl, NFT_INET, TABLE, set->name, arena, &elements, err);

	list_each(element, &elements)
		if (comment_doomed(removal, element->comment))
			doom(arena, removal, set, &element->key);
	return r;
}

int forward_nftables_find(struct netlink *nl, struct arena *arena, struct forward_removal *removal,
			  struct error *err)
{
	int r;

	memset(&removal->found, 0, sizeof(removal->found));
	if (removal->owned.n)
		return find_owned(nl, arena, removal, err);
	r = find_in(nl, &pods4, arena, removal, err);
	return r < 0 ? r : find_in(nl, &pods6, arena, removal, err);
}

void forward_nftables_queue_removal(struct netlink *nl, const struct forward_removal *removal)
{
	list_each(element, &removal->found)
		nft_queue_del_element(nl, NFT_INET, TABLE, element->set, &element->key,
				      "remove an address");
}

int forward_nftables_list(struct netlink *nl, struct arena *arena, forward_admitted_t *admitted,
			  struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		nft_elements_t elements = { 0 };

		r = nft_elements(nl, NFT_INET, TABLE, all_sets[i]->name, arena, &elements, err);
		list_each(element, &elements) {
			size_t at = 0;
			struct forward_admitted one = {
				.ip = nft_value_get_ip(&element->key, i ? AF_INET6 : AF_INET, &at)
			};

			if (comment_owner(element->comment, arena, &one.owner))
				*list_add(arena, admitted) = one;
		}
	}
	return r;
}
