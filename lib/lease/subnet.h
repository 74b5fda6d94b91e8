/*
 * A subnet lease: which node owns a subnet, and how to reach it. Key and value are flannel's, byte for byte (flannel.md,
 * sections 0 and 2): `10.5.34.0-24`, with IPv6 `10.5.27.0-24&2001:cafe:42:3a::-64`, and a JSON object. Pure.
 */
#ifndef LEASE_SUBNET_H
#define LEASE_SUBNET_H

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"

/* How a peer's VXLAN end is addressed in one family. */
struct subnet_vtep {
	bool set;
	uint32_t vni;
	struct mac mac;
};

struct subnet_lease {
	struct cidr subnet, subnet6;     /* ip.family 0 = not in this family */
	struct ip public_ip, public_ip6; /* of the node, as others reach it */
	const char *type;                /* BackendType; "" = none said (the udp way) */
	struct subnet_vtep vtep, vtep6;  /* of type vxlan */
	int64_t left_ms;   /* of its life, when it was read; -1 = a reservation: without end */
	uint64_t revision; /* of the entry in its store, for preconditions */
};
typedef LIST(struct subnet_lease) subnet_leases_t;

enum { SUBNET_KEY_SIZE = 2 * CIDR_TEXT_SIZE };

/* The key of its subnets. An IPv6-only lease has 0.0.0.0-0 in front, as flannel writes it. Returns key. */
const char *subnet_key(const struct subnet_lease *lease, char key[SUBNET_KEY_SIZE]);
/* The subnets of a key; -EINVAL for what is none: other keys are not ours to judge, and are passed over. */
int subnet_key_parse(const char *key, struct subnet_lease *lease) must_check;

/* The value, in the arena. */
const char *subnet_value(const struct subnet_lease *lease, struct arena *arena);
/* Everything but subnets, expiry and revision. Strings go to the arena. */
int subnet_value_parse(const char *text, size_t size, struct arena *arena,
		       struct subnet_lease *lease, struct error *err) must_check;

/* How long it lives yet, to the minute, as a word: "23h59m", "reserved", "as its node"; "" = not known. */
const char *subnet_life_text(const struct subnet_lease *lease, struct arena *arena);

/* The address that people know its node by: of IPv4, where it has that. */
const struct ip *subnet_node(const struct subnet_lease *lease);
/* Is it the same node? By address; one that is not set or unspecified is nobody's. */
bool subnet_same_node(const struct subnet_lease *a, const struct subnet_lease *b);
/* Same subnets. */
bool subnet_same(const struct subnet_lease *a, const struct subnet_lease *b);
/* With its strings in the arena. */
struct subnet_lease subnet_copy(const struct subnet_lease *lease, struct arena *arena);
/* The one with the same subnets, or NULL. */
const struct subnet_lease *subnet_find(const subnet_leases_t *leases,
				       const struct subnet_lease *wanted);
/* Same subnets, node, type and data: nothing to be done about it. */
bool subnet_lease_equal(const struct subnet_lease *a, const struct subnet_lease *b);

#endif
