/*
 * subnet.env: what a flannel daemon tells its node, `FLANNEL_KEY=value` on each line (flannel.md, section 6.1). The
 * lease of this node, the networks that it is part of, MTU, and whether the daemon masquerades itself.
 */
#ifndef LEASE_SUBNET_ENV_H
#define LEASE_SUBNET_ENV_H

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"

struct subnet_env {
	cidrs_t networks, networks_v6; /* without host bits, each once */
	struct cidr subnet,
		subnet_v6; /* of this node, without host bits; ip.family 0 = not given */
	bool has_mtu, has_masquerade;
	uint32_t mtu;
	bool masquerade; /* the daemon does it */
};

/* What a daemon writes, in flannel's order, in the arena: the subnets as their first usable address. IPv6 lines only where
 * there is an IPv6 subnet. */
const char *subnet_env_text(const struct subnet_env *env, struct arena *arena);

/* Pure. Keys of others are skipped, an empty value is none, the last of several lines counts. -EINVAL names the key. */
int subnet_env_parse(const char *text, struct arena *arena, struct subnet_env *env,
		     struct error *err) must_check;
/* What stands behind a key, as it is written but for quotes, in the arena; NULL = it is not there. */
const char *subnet_env_value(const char *text, const char *key, struct arena *arena);
/* "FLANNEL_MTU, FLANNEL_IPMASQ": what a plugin needs and is not there, in the arena; NULL = nothing. */
const char *subnet_env_missing(const struct subnet_env *env, struct arena *arena);
/* Read the file, all of it there: -ENOENT, -ENODATA when keys are missing, -EINVAL, each in the words that people
 * search for: `failed to load flannel 'subnet.env' file: ... Check the flannel pod log for this node.` What could be
 * read is in env, whatever is returned. */
int subnet_env_load(const char *path, struct arena *arena, struct subnet_env *env,
		    struct error *err) must_check;

#endif
