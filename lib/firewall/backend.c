/*
 * Which back end carries new rules. The reference runs `iptables --version` and more to find out; here a look at
 * PATH and one netlink exchange are enough. An iptables-restore that is a link to the nf_tables variant needs nf_tables
 * in the kernel; the legacy one loads what it needs when it runs.
 */
#include <errno.h>
#include <stdio.h>

#include "firewall/firewall.h"
#include "firewall/iptables.h"
#include "kernel/nft.h"

static int nftables_usable(struct error *err)
{
	auto_netlink struct netlink *nl = NULL;

	return nft_open(&nl, err);
}

static int iptables_usable(struct error *err)
{
	enum iptables_kind kind = iptables_kind(RULE_IP);

	if (kind == IPTABLES_NONE)
		kind = iptables_kind(RULE_IP6);
	if (kind == IPTABLES_NONE)
		return fail(err, ENOENT, "iptables-restore: not found");
	return kind == IPTABLES_NFT ? nftables_usable(err) : 0;
}

int firewall_choose(const char *wanted, enum firewall_backend *backend, struct error *err)
{
	int r;

	if (wanted && streq(wanted, "iptables")) {
		*backend = FIREWALL_IPTABLES;
		r = iptables_usable(err);
		return r < 0 ? wrap(err, "backend \"iptables\" cannot be used") : 0;
	}
	if (wanted && streq(wanted, "nftables")) {
		*backend = FIREWALL_NFTABLES;
		r = nftables_usable(err);
		return r < 0 ? wrap(err, "backend \"nftables\" cannot be used") : 0;
	}
	if (wanted && *wanted)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "unknown ipmasq backend \"%s\"",
				 wanted);
	*backend = FIREWALL_IPTABLES;
	if (iptables_usable(NULL) == 0)
		return 0;
	*backend = FIREWALL_NFTABLES;
	r = nftables_usable(err);
	return r < 0 ? wrap(err, "neither iptables nor nftables can be used") : 0;
}
