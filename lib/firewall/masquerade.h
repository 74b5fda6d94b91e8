/* Masquerading as rule sets, in both layouts of the reference. Adding is in masquerade.c, removing in unmasquerade.c. */
#ifndef FIREWALL_MASQUERADE_H
#define FIREWALL_MASQUERADE_H

#include "base/owner.h"
#include "firewall/ruleset.h"

#define MASQ_TABLE       "cni_plugins_masquerade" /* nftables form, family inet */
#define MASQ_CHECKS      "masq_checks"
#define MASQ_POSTROUTING "postrouting"
#define XT_TABLE         "nat" /* iptables form */
#define XT_POSTROUTING   "POSTROUTING"

/* nftables form: what all attachments share, and one attachment's rules. Everything lives in the arena. */
void masquerade_nft_base(struct arena *arena, struct ruleset *set);
void masquerade_nft_rules(struct arena *arena, const struct owner *owner,
			  const struct cidr *addresses, size_t n, struct ruleset *set);
/* iptables form: one family's rules of an attachment; none when it has no address of that family. */
void masquerade_xt_rules(struct arena *arena, int family, const struct owner *owner,
			 const struct cidr *addresses, size_t n, struct ruleset *set);

#endif
