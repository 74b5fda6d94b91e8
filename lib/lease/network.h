/*
 * The configuration of a network that nodes share: flannel's `<prefix>/config` and net-conf.json, key for key (flannel.md,
 * section 1). Names match in any case, what is unknown is passed over.
 */
#ifndef LEASE_NETWORK_H
#define LEASE_NETWORK_H

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"
#include "describe/json.h"

/* One family of the network: subnets of `subnet_len` between min and max (both included) are given out. */
struct network_family {
	bool enabled;
	struct cidr network;
	int subnet_len;
	struct ip min, max;
};

/* Options of all backends that we have; what a type does not know stays at its default. */
struct network_backend {
	const char *type; /* in lower case; "udp" when there is no Backend at all, as in flannel */
	bool by_default;  /* there is none: the type has not been chosen by anybody */
	int vni;          /* 1 */
	int port;         /* 0 = the type's own */
	int mtu;          /* 0 = of the external interface */
	bool gbp, learning, direct_routing;
};

struct network_config {
	struct network_family v4, v6;
	bool nftables; /* EnableNFTables */
	struct network_backend backend;
};

/*
 * Decode and fill in what is not given. With `allocates` (a store that gives out subnets, not Kubernetes, where the
 * nodes' podCIDRs are the subnets) the bounds are checked, with flannel's words; code 7, code 6 for a wrong type.
 */
int network_config_decode(const char *text, size_t size, bool allocates, struct arena *arena,
			  struct network_config *config, struct error *err) must_check;

/* For lint: all that is of a wrong type, and what is unknown; the rest is decode's to say. */
int network_config_check(const struct json *json, struct arena *arena, json_report_fn *report,
			 void *arg) must_check;

#endif
