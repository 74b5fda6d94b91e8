/* What carries forwarding rules; forward.c chooses among them. */
#ifndef FIREWALL_FORWARD_CARRIER_H
#define FIREWALL_FORWARD_CARRIER_H

#include "firewall/forward.h"
#include "firewall/nftables.h"

/* Which part of it. */
enum forward_part {
	FORWARD_ADMIT = 1 << 0,      /* the addresses */
	FORWARD_KEEP_APART = 1 << 1, /* the policy, in the families of the addresses */
};

/* fresh: nobody knows of these addresses, so that their rules cannot be there yet. */
int forward_iptables_add(const struct forward *forward, unsigned parts, bool fresh,
			 struct error *err) must_check;
int forward_iptables_check(const struct forward *forward, unsigned parts,
			   struct error *err) must_check;
/* For the families of the addresses, or for any when there are none. */
bool forward_iptables_usable(const struct forward *forward);
bool forward_iptables_chain_valid(const char *name);
/* Is this a rule that admits the address? */
bool forward_iptables_admits(const struct nft_rule_info *rule, const struct cidr *address);
#define FORWARD_IPTABLES_TABLE "filter"
#define FORWARD_IPTABLES_CHAIN "CNI-FORWARD"

int forward_nftables_add(const struct forward *forward, unsigned parts,
			 struct error *err) must_check;
int forward_nftables_check(const struct forward *forward, unsigned parts,
			   struct error *err) must_check;
/* Containers of one bridge do not go through the rules above unless the bridge asks iptables: where it does not, frames
 * between its ports are dropped. Only for FORWARD_ISOLATED, whatever carries the rest. */
int forward_frames_add(const struct forward *forward, struct error *err) must_check;
int forward_frames_check(const struct forward *forward, struct error *err) must_check;

/* What is to go: rules of iptables that admit the addresses, elements of our table that the owner has. */
struct forward_removal {
	cidrs_t addresses;
	const struct owner *owner; /* DEL; NULL = GC */
	bool recorded;             /* something was written down, so that it is not in our table */
	cidrs_t owned; /* DEL: addresses that the owner is known to have; none = look for them */
	const char *network; /* GC */
	const owners_t *valid;
	LIST(struct forward_element {
		const struct nft_set *set;
		struct nft_value key;
	})
	found; /* by forward_nftables_find() */
};
int forward_remove(struct forward_removal *removal, struct error *err) must_check;
/* The elements that are to go, in the arena; and their deletion. */
int forward_nftables_find(struct netlink *nl, struct arena *arena, struct forward_removal *removal,
			  struct error *err) must_check;
/* All elements that tell whose they are. */
int forward_nftables_list(struct netlink *nl, struct arena *arena, forward_admitted_t *admitted,
			  struct error *err) must_check;
void forward_nftables_queue_removal(struct netlink *nl, const struct forward_removal *removal);

#endif
