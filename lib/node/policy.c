/* What is in force, in the compiler's own form (lib/policy/backend.h): the same interpreter judges it. */
#include "node/policy.h"

#include <netinet/in.h>

#include "policy/backend.h"
#include "policy/nftables.h"

struct policies {
	const struct backend *backend; /* NULL = there are none */
	struct found found;
};

/* A back end that this kernel has not, or whose program is missing, holds nothing. */
static struct policies *read_policies(struct arena *arena)
{
	struct policies *policies = arena_alloc(arena, sizeof(*policies));

	for (size_t i = 0; backends[i] && !policies->backend; i++) {
		policies->found = (struct found){ .present = false };
		if (backends[i]->read(arena, &policies->found, NULL) >= 0 &&
		    policies->found.present)
			policies->backend = backends[i];
	}
	return policies;
}

const char *policy_in_force(struct arena *arena)
{
	const struct backend *backend = read_policies(arena)->backend;

	return backend ? backend->name : NULL;
}

bool policy_owns_table(const char *table)
{
	return streq(table, NETPOL_TABLE) || streq(table, NETPOL_GUARD);
}

static enum protocol protocol_of(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP: return PROTOCOL_TCP;
	case IPPROTO_UDP: return PROTOCOL_UDP;
	case IPPROTO_SCTP: return PROTOCOL_SCTP;
	default: return PROTOCOL_OTHER;
	}
}

/* The policies that select one end, as their group's comment has them. */
static const char *selecting(const struct compiled *compiled, enum direction direction,
			     const struct ip *ip)
{
	list_each(group, &compiled->groups)
		if (group->direction == direction && group->members < compiled->sets.n &&
		    set_has(&compiled->sets.items[group->members], ip, 0, 0))
			return group->comment;
	return NULL;
}

int policy_ask(struct policies **policies, const struct parcel *parcel, struct arena *arena,
	       struct policy_answer *answer, struct error *err)
{
	const struct packet packet = { .from = parcel->src,
				       .to = parcel->dst,
				       .protocol = protocol_of(parcel->protocol),
				       .port = parcel->port };
	const struct compiled *compiled;
	const char *egress, *ingress;

	(void)err;
	*answer = (struct policy_answer){ .denied = false };
	if (!*policies)
		*policies = read_policies(arena);
	if (!(*policies)->backend)
		return 0;
	compiled = &(*policies)->found.compiled;
	egress = selecting(compiled, EGRESS, &parcel->src);
	ingress = selecting(compiled, INGRESS, &parcel->dst);
	answer->denied = !compiled_allows(compiled, &packet);
	if (answer->denied || egress || ingress)
		answer->text = arena_printf(
			arena, "%s by policies (%s)%s%s%s%s", answer->denied ? "denied" : "allowed",
			(*policies)->backend->name, egress ? ", egress: " : "",
			egress ? egress : "", ingress ? ", ingress: " : "", ingress ? ingress : "");
	return 0;
}
