/* The sets of a compiled node, read from ipset: both families of one name are one set again. */
#include <errno.h>
#include <netinet/in.h>

#include "base/text.h"
#include "policy/iptables.h"
#include "policy/set.h"

enum ipset_type ipt_set_type(enum set_kind kind)
{
	switch (kind) {
	case SET_PAIRS: return IPSET_NET_PORT;
	case SET_NAMED: return IPSET_IP_PORT;
	case SET_BLOCKS:
	case SET_PEERS: return IPSET_NET;
	default: return IPSET_IP;
	}
}

static uint8_t protocol_of(uint8_t number)
{
	switch (number) {
	case IPPROTO_UDP: return PROTOCOL_UDP;
	case IPPROTO_SCTP: return PROTOCOL_SCTP;
	}
	return PROTOCOL_TCP;
}

/* One name's number in a compiled form, a set of the kind made when it is the first of it. */
static uint32_t open_set(struct symbols *names, struct compiled *compiled, const char *name,
			 enum set_kind kind)
{
	symbol_t number = symbol_add(names, name);

	if (number > compiled->sets.n)
		*list_add(compiled->arena, &compiled->sets) = (struct set){
			.name = arena_strdup(compiled->arena, name), .comment = "", .kind = kind
		};
	return number - 1;
}

/* Name without the digit; NULL: it is no set of ours. */
static const char *base_name(const struct ipset *set, enum set_kind *kind, struct arena *arena)
{
	size_t len = strlen(set->name);

	if (len < 2 || set->name[len - 1] != (set->family == AF_INET6 ? '6' : '4') ||
	    !set_kind_of(set->name, kind))
		return NULL;
	return arena_memdup(arena, set->name, len - 1);
}

bool ipt_is_set(const char *name)
{
	enum set_kind kind;

	return set_kind_of(name, &kind);
}

static void take_set(struct compiled *compiled, struct symbols *names, const char *name,
		     enum set_kind kind, const struct ipset *set)
{
	uint32_t number = open_set(names, compiled, name, kind);

	list_each(element, &set->elements)
		set_add(compiled, number, &element->cidr, protocol_of(element->protocol),
			element->port);
}

static bool has_set(const ipsets_t *sets, const char *name)
{
	list_each(set, sets)
		if (streq(set->name, name))
			return true;
	return false;
}

/* By rules of its own family, or the other family's set by those: one that is closed may have rules of one alone. */
static bool is_used(const ipsets_t *sets, const struct ipset *set)
{
	size_t len = strlen(set->name) - 1;

	if (set->references)
		return true;
	list_each(other, sets)
		if (other->references && strlen(other->name) == len + 1 &&
		    !strncmp(other->name, set->name, len))
			return true;
	return false;
}

static void look_for_halves(const ipsets_t *sets, const struct compiled *compiled,
			    struct arena *arena, damages_t *damages)
{
	list_each(set, &compiled->sets)
		for (int v6 = 0; v6 < 2; v6++) {
			const char *name = ipt_set_name(set->name, v6, arena);

			if (!has_set(sets, name))
				damage_add(arena, damages, name, "set is missing");
		}
}

int ipt_read_sets(struct arena *arena, struct ipt_sets *sets, damages_t *damages, struct error *err)
{
	auto_arena struct arena scratch = { 0 };
	auto_ipset struct ipset_session *session = NULL;
	struct symbols names = { .arena = &scratch };
	ipsets_t there = { 0 };
	int r = ipset_open(&session, err);

	*sets = (struct ipt_sets){ .compiled = { .arena = arena, .known = NO_SET } };
	for (int i = 0; i < DIRECTIONS; i++)
		sets->compiled.subjects[i] = NO_SET;
	if (r == 0)
		r = ipset_list(session, IPT_SET_PREFIX, true, &scratch, &there, err);
	if (r < 0)
		return r;
	list_each(set, &there) {
		enum set_kind kind = SET_PODS;
		const char *name = base_name(set, &kind, &scratch);

		if (!name)
			continue;
		sets->orphans = sets->orphans || !is_used(&there, set);
		if (set->type != ipt_set_type(kind))
			damage_add(arena, damages, set->name, "set is of another type");
		else
			take_set(&sets->compiled, &names, name, kind, set);
	}
	for (uint32_t i = 0; i < sets->compiled.sets.n; i++)
		set_finish(&sets->compiled, i);
	look_for_halves(&there, &sets->compiled, arena, damages);
	return 0;
}

uint64_t ipt_sets_state(void)
{
	auto_arena struct arena arena = { 0 };
	auto_ipset struct ipset_session *session = NULL;
	uint64_t state = 0;
	ipsets_t sets = { 0 };

	if (ipset_open(&session, NULL) < 0 ||
	    ipset_list(session, IPT_SET_PREFIX, false, &arena, &sets, NULL) < 0)
		return 0;
	list_each(set, &sets)
		state = state * 31 + 1 + set->n_elements;
	return state;
}
