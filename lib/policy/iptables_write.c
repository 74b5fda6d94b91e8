/*
 * Writing: sets grow, rules change in one commit of a family, sets shrink. Chains are compared with those that the difference begins
 * with, so that only others are written and the rest keep their counters; where those are damaged, or the commit is refused, with
 * what the save program shows.
 *
 * In which order sets change: a pod that starts to be a subject is in its group before, and one that stops leaves it
 * after, be it by a set or by a rule, since who is a subject and in no group is denied. All is done in turn with others of us.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/file.h"
#include "base/text.h"
#include "kernel/addr.h"
#include "policy/iptables.h"
#include "policy/set.h"

#define TRIES     4
#define TURN_MS   60000
#define HASH_MIN  64
#define HASH_MAX  65536
#define SET_LIMIT (1U << 24) /* of elements; memory is taken as they come */

struct write {
	enum iptables_kind kind;
	const struct difference *difference;
	const struct treatment *treatment;
	struct ipset_session *session;
	struct arena *arena;
};

/* ---- sets ---- */

static const uint8_t numbers[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

/* Those of one family, as ipset has them. */
static void convert(const elements_t *elements, enum set_kind kind, bool v6, struct arena *arena,
		    ipset_elements_t *out)
{
	bool ported = kind == SET_PAIRS || kind == SET_NAMED;

	list_each(element, elements) {
		if ((element->cidr.ip.family == AF_INET6) != v6)
			continue;
		*list_add(arena, out) = (struct ipset_element){
			.cidr = element->cidr,
			.protocol = ported && element->protocol < ARRAY_SIZE(numbers)
					    ? numbers[element->protocol]
					    : 0,
			.port = element->port,
		};
	}
}

typedef void queue_fn(struct ipset_session *session, const char *set,
		      const struct ipset_element *elements, size_t n);

static void queue_elements(struct write *write, const struct set *set, const elements_t *elements,
			   queue_fn *queue)
{
	for (int v6 = 0; v6 < 2 && elements->n; v6++) {
		ipset_elements_t list = { 0 };

		convert(elements, set->kind, v6, write->arena, &list);
		queue(write->session, ipt_set_name(set->name, v6, write->arena), list.items,
		      list.n);
	}
}

static uint32_t hash_size(size_t n)
{
	uint32_t size = HASH_MIN;

	while (size < n && size < HASH_MAX)
		size *= 2;
	return size;
}

/* One that is there already has elements that nobody knows of: -ERESTART, look at everything. */
static void queue_set(struct write *write, const struct set *set, int *outcomes)
{
	for (int v6 = 0; v6 < 2; v6++) {
		const struct ipset new = {
			.name = ipt_set_name(set->name, v6, write->arena),
			.type = ipt_set_type(set->kind),
			.family = v6 ? AF_INET6 : AF_INET,
			.hash_size = hash_size(set->elements.n),
			.max_elements = SET_LIMIT,
		};

		ipset_queue_create(write->session, &new, &outcomes[v6]);
	}
}

static int create_sets(struct write *write, const struct difference *difference, struct error *err)
{
	size_t n = difference->new_sets.n * 2;
	int *outcomes = arena_alloc(write->arena, (n + 1) * sizeof(*outcomes)), r;

	for (size_t i = 0; i < difference->new_sets.n; i++)
		queue_set(write, difference->new_sets.items[i], &outcomes[i * 2]);
	r = ipset_commit(write->session, err);
	for (size_t i = 0; i < n && r == 0; i++)
		if (outcomes[i])
			return -ERESTART;
	list_each(set, &difference->new_sets)
		queue_elements(write, *set, &(*set)->elements, ipset_queue_add);
	return r < 0 ? r : ipset_commit(write->session, err);
}

/* Those that decide who is looked at come last when they grow, and first when they shrink. */
static bool is_late(const struct set *set)
{
	return set->kind == SET_SUBJECTS || set->kind == SET_KNOWN;
}

static void queue_more(struct write *write, const struct difference *difference, bool late)
{
	list_each(change, &difference->sets)
		if (is_late(change->to) == late)
			queue_elements(write, change->to, &change->more, ipset_queue_add);
}

static int grow_sets(struct write *write, struct error *err)
{
	int r = create_sets(write, write->difference, err);

	if (r < 0)
		return r;
	queue_more(write, write->difference, false);
	return ipset_commit(write->session, err);
}

/* Who is a subject no more is free before its group may be gone; when that fails, it is a subject again. */
static int free_subjects(struct write *write, bool again, struct error *err)
{
	list_each(change, &write->difference->sets)
		if (is_late(change->to))
			queue_elements(write, change->to, &change->gone,
				       again ? ipset_queue_add : ipset_queue_del);
	return ipset_commit(write->session, err);
}

static int shrink_sets(struct write *write, struct error *err)
{
	int r;

	queue_more(write, write->difference, true);
	r = ipset_commit(write->session, err);
	if (r < 0)
		return r;
	list_each(change, &write->difference->sets)
		if (!is_late(change->to))
			queue_elements(write, change->to, &change->gone, ipset_queue_del);
	return ipset_commit(write->session, err);
}

static void queue_old(struct write *write, const struct difference *difference)
{
	list_each(set, &difference->old_sets)
		for (int v6 = 0; v6 < 2; v6++)
			ipset_queue_destroy(write->session,
					    ipt_set_name((*set)->name, v6, write->arena));
}

/* Rules of the other variant may ask for them still. */
static int destroy_sets(struct write *write, struct error *err)
{
	struct error local = { 0 };
	int r;

	queue_old(write, write->difference);
	r = ipset_commit(write->session, &local);
	if (r == -EBUSY)
		return 0;
	if (r < 0 && err)
		*err = local;
	return r;
}

/* ---- rules ---- */

static bool same_chain(const struct ipt_chain *a, const struct ipt_chain *b)
{
	if (!b || a->rules.n != b->rules.n)
		return false;
	for (size_t i = 0; i < a->rules.n; i++)
		if (!streq(a->rules.items[i], b->rules.items[i]))
			return false;
	return true;
}

/* Nothing wanted: all goes. false: there is nothing to do. */
static bool print_change(FILE *out, const struct ipt_table *table, const ipt_chains_t *wanted)
{
	bool hooked = wanted->n ? table->hooked : !table->hooks.n, any = !hooked;

	fputs("*filter\n", out);
	list_each(chain, wanted)
		if (!same_chain(chain, ipt_chain_of(&table->chains, chain->name)))
			any = fprintf(out, ":%s - [0:0]\n", chain->name) > 0;
	list_each(chain, &table->chains)
		if (!ipt_chain_of(wanted, chain->name))
			any = fprintf(out, ":%s - [0:0]\n", chain->name) > 0;
	for (size_t i = 0; i < table->hooks.n && !hooked; i++)
		fprintf(out, "-D FORWARD %s\n", table->hooks.items[i]);
	list_each(chain, wanted) {
		if (same_chain(chain, ipt_chain_of(&table->chains, chain->name)))
			continue;
		list_each(rule, &chain->rules)
			fprintf(out, "-A %s %s\n", chain->name, *rule);
	}
	if (!hooked && wanted->n)
		fputs("-I FORWARD 1 " IPT_HOOK "\n", out);
	list_each(chain, &table->chains)
		if (!ipt_chain_of(wanted, chain->name))
			fprintf(out, "-X %s\n", chain->name);
	fputs("COMMIT\n", out);
	return any;
}

static int restore_change(enum iptables_kind kind, const struct ipt_table *table,
			  const ipt_chains_t *wanted, struct arena *arena, struct error *err)
{
	const char *program = iptables_program(arena, table->v6, kind, "restore");
	auto_free char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool any;

	if (!out)
		return fail_errno(err, errno, "prepare rules for iptables");
	any = print_change(out, table, wanted);
	if (fclose(out))
		return fail_errno(err, errno, "prepare rules for iptables");
	if (!any)
		return 0;
	if (!program)
		return fail(err, ENOENT, "ip%stables-%s-restore: not found", table->v6 ? "6" : "",
			    kind == IPTABLES_NFT ? "nft" : "legacy");
	return iptables_restore(program, text, arena, err);
}

/* As it was written: nobody has told of another state of it. */
static void remember_table(const struct write *write, const struct ipt_form *form, bool v6,
			   struct ipt_table *table)
{
	*table = (struct ipt_table){ .v6 = v6, .hooked = true };
	ipt_render(write->difference->from, form, v6, write->arena, &table->chains);
}

static int write_table(struct write *write, bool v6, bool remember, bool hairpin, struct error *err)
{
	const struct ipt_form form = { *write->treatment, hairpin };
	struct ipt_table table;
	ipt_chains_t wanted = { 0 };
	int r = 0;

	if (remember)
		remember_table(write, &form, v6, &table);
	else
		r = ipt_read_table(write->kind, v6, write->arena, &table, err);
	if (r < 0)
		return r;
	ipt_render(write->difference->to, &form, v6, write->arena, &wanted);
	return restore_change(write->kind, &table, &wanted, write->arena, err);
}

/* Another's change between our look and our commit can be why it was refused; a match that iptables does not know, too. */
static int write_rules(struct write *write, struct error *err)
{
	int r = 0;

	for (int v6 = 0; v6 < (addr_has_ipv6() ? 2 : 1) && r == 0; v6++) {
		r = -EIO;
		for (int tries = 0; tries < TRIES && r == -EIO; tries++)
			r = write_table(write, v6, !tries && !write->difference->damaged,
					tries < TRIES - 1, err);
	}
	return r;
}

/* Where pods are found by their addresses, who is in a group is a matter of rules. */
static bool concerns_jumps(const struct difference *difference)
{
	list_each(change, &difference->sets)
		if (change->to->kind == SET_MEMBERS)
			return ipt_by_address(difference->to, INGRESS) ||
			       ipt_by_address(difference->to, EGRESS);
	return false;
}

static bool concerns_rules(const struct difference *difference)
{
	return difference->damaged || concerns_jumps(difference) || difference->closed ||
	       difference->new_sets.n || difference->old_sets.n || difference->new_groups.n ||
	       difference->old_groups.n || difference->groups.n;
}

/* ---- all of it ---- */

static int write_difference(struct write *write, struct error *err)
{
	int r;

	r = grow_sets(write, err);
	if (r == 0)
		r = free_subjects(write, false, err);
	if (r < 0)
		return r;
	if (concerns_rules(write->difference))
		r = write_rules(write, err);
	if (r < 0) {
		(void)!free_subjects(write, true, NULL);
		return r;
	}
	r = shrink_sets(write, err);
	return r < 0 ? r : destroy_sets(write, err);
}

/* Both halves of every set are there, if only empty, when the kernel is looked at. */
static int complete_sets(struct write *write, struct error *err)
{
	int outcomes[2];

	list_each(set, &write->difference->to->sets)
		queue_set(write, set, outcomes);
	return ipset_commit(write->session, err);
}

/* The kernel's sets in place of what the caller remembers. */
static int write_all(struct write *write, struct error *err)
{
	const struct compiled *to = write->difference->to;
	damages_t damages = { 0 };
	struct difference whole;
	struct ipt_sets sets;
	int r = complete_sets(write, err);

	if (r == 0)
		r = ipt_read_sets(write->arena, &sets, &damages, err);
	if (r < 0)
		return r;
	list_each(damage, &damages)
		if (streq(damage->what, "set is of another type"))
			return fail(err, EEXIST, "%s: %s; remove it", damage->place, damage->what);
	difference_of(&sets.compiled, to, write->arena, &whole);
	whole.damaged = true;
	write->difference = &whole;
	r = write_difference(write, err);
	write->difference = NULL;
	return r;
}

/* One writer at a time in a network namespace: the same lock as that of our other rules. */
static int take_turn(int *turn, struct error *err)
{
	int r;

	*turn = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (*turn < 0)
		return fail_errno(err, errno, "/proc/self/ns/net");
	r = lock_hold(*turn, TURN_MS);
	return r < 0 ? fail_errno(err, -r, "wait for another who writes rules") : 0;
}

int ipt_write(enum iptables_kind kind, const struct difference *difference,
	      const struct treatment *treatment, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_ipset struct ipset_session *session = NULL;
	auto_close int turn = -1;
	struct write write = {
		.kind = kind, .difference = difference, .treatment = treatment, .arena = &arena
	};
	struct error local = { 0 };
	int r = 0;

	if (difference_is_empty(difference))
		return 0;
	r = take_turn(&turn, &local);
	if (r == 0)
		r = ipset_open(&session, &local);
	write.session = session;
	if (r == 0)
		r = difference->damaged ? -ERESTART : write_difference(&write, &local);
	if (r == -ERESTART || r == -ENOENT)
		r = write_all(&write, &local);
	if (r < 0 && err)
		*err = local;
	return r;
}

/* ---- removal ---- */

static int remove_rules(enum iptables_kind kind, bool v6, struct arena *arena, struct error *err)
{
	static const ipt_chains_t none = { 0 };
	struct ipt_table table;
	int r;

	if (!iptables_program(arena, v6, kind, "save"))
		return 0;
	r = ipt_read_table(kind, v6, arena, &table, err);
	return r < 0 ? r : restore_change(kind, &table, &none, arena, err);
}

/* Sets that rules of the other variant ask for stay. */
static int remove_sets(struct arena *arena, struct error *err)
{
	auto_ipset struct ipset_session *session = NULL;
	struct error local = { 0 };
	ipsets_t sets = { 0 };
	int r = ipset_open(&session, &local);

	if (r == -EOPNOTSUPP)
		return 0;
	if (r == 0)
		r = ipset_list(session, IPT_SET_PREFIX, false, arena, &sets, &local);
	list_each(set, &sets)
		if (ipt_is_set(set->name))
			ipset_queue_destroy(session, set->name);
	if (r == 0)
		r = ipset_commit(session, &local);
	if (r == -EBUSY)
		return 0;
	if (r < 0 && err)
		*err = local;
	return r;
}

int ipt_remove(enum iptables_kind kind, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_close int turn = -1;
	int r = take_turn(&turn, err);

	for (int v6 = 0; v6 < (addr_has_ipv6() ? 2 : 1) && r == 0; v6++) {
		r = -EIO;
		for (int tries = 0; tries < TRIES && r == -EIO; tries++)
			r = remove_rules(kind, v6, &arena, err);
	}
	return r < 0 ? r : remove_sets(&arena, err);
}
