/*
 * Which back end carries new rules. The reference runs `iptables --version` and more to find out; here a look at
 * PATH is enough. Whether the kernel has nf_tables is not asked here: the legacy variant of iptables does not need it,
 * neither of the others is of use without it, and whoever adds rules has a session to learn it from.
 */
#include <errno.h>

#include "firewall/firewall.h"
#include "firewall/iptables.h"

static bool iptables_usable(void)
{
	return iptables_kind(RULE_IP) != IPTABLES_NONE || iptables_kind(RULE_IP6) != IPTABLES_NONE;
}

int firewall_choose(const char *wanted, enum firewall_backend *backend, struct error *err)
{
	bool any = !wanted || !*wanted;

	if (!any && !streq(wanted, "iptables") && !streq(wanted, "nftables"))
		return fail_key(err, "ipMasqBackend", "unknown ipmasq backend \"%s\"", wanted);
	*backend = FIREWALL_NFTABLES;
	if (!any && streq(wanted, "nftables"))
		return 0;
	if (iptables_usable())
		*backend = FIREWALL_IPTABLES;
	else if (!any)
		return fail(err, ENOENT,
			    "backend \"iptables\" cannot be used: iptables-restore: not found");
	return 0;
}
