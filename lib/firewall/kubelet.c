/* See kubelet.h. */
#include "firewall/kubelet.h"

#include "firewall/legacy.h"
#include "kernel/nft_dump.h"

static const char *const hints[] = { "KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY" };

static bool hints_in_nft(void)
{
	auto_netlink struct netlink *nl = NULL;
	bool found[2 * ARRAY_SIZE(hints)] = { 0 };

	if (nft_open(&nl, NULL) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(found); i++)
		nft_queue_find_chain(nl, i & 1 ? NFT_IP6 : NFT_IP, "mangle", hints[i / 2],
				     &found[i]);
	if (netlink_commit(nl, NULL) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(found); i++)
		if (found[i])
			return true;
	return false;
}

static bool hints_in_legacy(enum rule_family family)
{
	auto_arena struct arena arena = { 0 };
	struct legacy_table table = { 0 };

	if (!legacy_active(family, "mangle") ||
	    legacy_read(family, "mangle", &arena, &table, NULL) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
		if (legacy_has_chain(&table, hints[i]))
			return true;
	return false;
}

enum kubelet_variant kubelet_variant(void)
{
	if (hints_in_nft())
		return KUBELET_NFT;
	if (hints_in_legacy(RULE_IP) || hints_in_legacy(RULE_IP6))
		return KUBELET_LEGACY;
	return KUBELET_NONE;
}
