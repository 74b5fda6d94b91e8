/*
 * The rules of a node whose pods are part of a network over several nodes: flannel's "traffic manager" (flannel.md, section 5),
 * name for name in both forms, without its defects. Masquerade rules give what leaves the network the node's address, and what
 * this host sends to other nodes' pods, too, so that answers find back; forward rules accept what comes from and goes to the
 * network.
 *
 * First start, every look after and the end are one function: what is there is compared, and the difference made in one
 * transaction. The other form's rules, and those of options that are off, are removed.
 */
#ifndef FIREWALL_OVERLAY_H
#define FIREWALL_OVERLAY_H

#include "firewall/firewall.h"
#include "firewall/ruleset.h"

/* iptables form */
#define OVERLAY_POSTRTG "FLANNEL-POSTRTG" /* in nat, POSTROUTING leads to it */
#define OVERLAY_FWD     "FLANNEL-FWD"     /* in filter, FORWARD leads to it */
/* nftables form: chains of a table of each family */
#define OVERLAY_TABLE         "flannel-ipv4"
#define OVERLAY_TABLE6        "flannel-ipv6"
#define OVERLAY_CHAIN_POSTRTG "postrtg"
#define OVERLAY_CHAIN_FORWARD "forward"

struct overlay_family {
	struct cidr network, subnet; /* of all nodes, of this one; ip.family 0 = none */
};

struct overlay {
	struct overlay_family v4, v6;
	bool masquerade, fully_random;
	bool forward;
	cidrs_t was; /* other networks whose lines are this node's own: those of its configuration before */
	bool forward_first; /* iptables form: the jump before all others; else behind them, as flannel */
};

/* Pure; empty where nothing is wanted. iptables form: nat and filter. Everything lives in the arena. */
void overlay_xt_rules(struct arena *arena, const struct overlay *overlay, int family,
		      struct ruleset sets[2]);
void overlay_nft_rules(struct arena *arena, const struct overlay *overlay, int family,
		       struct ruleset *set);

struct overlay_done {
	bool changed;
	const char *shadowed; /* the program whose FORWARD drops all before ours; NULL = none */
};

/*
 * Make it so. thorough: also look at what is not looked at every time, since it takes a program or a listing of long chains:
 * legacy tables of the other form, jumps that are doubled or in the wrong place, what comes before them.
 */
int overlay_ensure(const struct overlay *overlay, enum firewall_backend form, bool thorough,
		   struct overlay_done *done, struct error *err) must_check;

/* Remove all of it, whatever form and tool; the names of what was there. Where the overlay names networks, other ones' lines
 * stay, and the chains that they are in. */
typedef LIST(const char *) overlay_names_t;
int overlay_remove(struct arena *arena, const struct overlay *overlay, overlay_names_t *removed,
		   struct error *err) must_check;
/* Of one of the rules. */
bool overlay_is_comment(const char *comment);

/* Is a change to that table and chain (NULL = the whole table) a reason to look? gone: of something removed. */
bool overlay_concerns(const char *table, const char *chain, bool gone);
/* Changes when rules of the legacy tables that ours would be in come or go; no program is run. */
uint64_t overlay_legacy_state(void);

#endif
