/*
 * Names and comments that the reference plugins derive from network, container and interface. They are how rules
 * are found again, by us and by the reference, so not a byte may differ (cni-plugins.md, section 2.0).
 */
#ifndef FIREWALL_NAMES_H
#define FIREWALL_NAMES_H

#include "base/owner.h"

#define CHAIN_NAME_SIZE  29 /* iptables takes 28 characters */
#define OWNER_HASH_SIZE  34 /* 16 digits, '-', 16 digits */
#define NETWORK_HASH_LEN 16
#define XT_COMMENT_MAX   255 /* struct xt_comment_info less its NUL */

/* iptables form: `CNI-` and 24 digits of network and container; the interface has no part in it. */
void masquerade_chain_name(const struct owner *owner, char name[CHAIN_NAME_SIZE]);
/* Could it be such a name? */
bool masquerade_chain_like(const char *name);
/* `name: "tnet" id: "ctr1"`, and its beginning for a whole network. */
const char *masquerade_xt_comment(struct arena *arena, const struct owner *owner);
const char *masquerade_xt_prefix(struct arena *arena, const char *network);

/* nftables form: H1-H2 of network and of interface:container; the first NETWORK_HASH_LEN alone for a network. */
void owner_hash(const struct owner *owner, char hash[OWNER_HASH_SIZE]);
/* `H1-H2, net: tnet, if: eth0, id: ctr1`; elements of portmap have it, too. */
const char *masquerade_nft_comment(struct arena *arena, const struct owner *owner);

/* Whose a comment of either form is, as far as it goes: false = it says nothing of that kind. Texts in the arena. */
bool comment_owner(const char *comment, struct arena *arena, struct owner *owner);

/* portmap: `CNI-DN-` and 21 digits of network and container, its predecessor with SN, and what its rules say. */
#define PORTMAP_CHAIN_PREFIX "CNI-DN-"
void portmap_chain_name(const struct owner *owner, char name[CHAIN_NAME_SIZE]);
void portmap_old_chain_name(const struct owner *owner, char name[CHAIN_NAME_SIZE]);
const char *portmap_xt_comment(struct arena *arena, const struct owner *owner);
/* The beginning for a whole network. */
const char *portmap_xt_prefix(struct arena *arena, const char *network);

/* bridge's macspoofchk. */
#define SPOOF_CHAIN_PREFIX "cni-br-iface-"
const char *spoof_chain_name(struct arena *arena, const struct owner *owner);
const char *spoof_comment(struct arena *arena, const struct owner *owner);

#endif
