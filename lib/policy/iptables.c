/* The two back ends of iptables; see iptables.h. They differ in whose programs they call. */
#include "policy/iptables.h"

#include <sys/socket.h>

#include "kernel/xtables.h"

static const char *set_name(const struct set *set, int family, struct arena *arena)
{
	return ipt_set_name(set->name, family == AF_INET6, arena);
}

static uint64_t state_legacy(void)
{
	uint64_t state = ipt_sets_state();

	for (int v6 = 0; v6 < 2; v6++)
		state = state * 31 + (iptables_legacy_active(v6, "filter")
					      ? xtables_fingerprint(v6, "filter")
					      : 0);
	return state;
}

static int read_nft(struct arena *arena, struct found *found, struct error *err)
{
	return ipt_read(IPTABLES_NFT, arena, found, err);
}

static int write_nft(const struct difference *difference, const struct treatment *treatment,
		     struct error *err)
{
	return ipt_write(IPTABLES_NFT, difference, treatment, err);
}

static int remove_nft(struct error *err)
{
	return ipt_remove(IPTABLES_NFT, err);
}

static int read_legacy(struct arena *arena, struct found *found, struct error *err)
{
	return ipt_read(IPTABLES_LEGACY, arena, found, err);
}

static int write_legacy(const struct difference *difference, const struct treatment *treatment,
			struct error *err)
{
	return ipt_write(IPTABLES_LEGACY, difference, treatment, err);
}

static int remove_legacy(struct error *err)
{
	return ipt_remove(IPTABLES_LEGACY, err);
}

const struct backend backend_iptables_nft = { .name = "iptables-nft",
					      .read = read_nft,
					      .write = write_nft,
					      .remove = remove_nft,
					      .state = ipt_sets_state,
					      .set_name = set_name };
const struct backend backend_iptables_legacy = { .name = "iptables-legacy",
						 .read = read_legacy,
						 .write = write_legacy,
						 .remove = remove_legacy,
						 .state = state_legacy,
						 .set_name = set_name };
