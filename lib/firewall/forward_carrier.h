/* What carries forwarding rules; forward.c chooses among them. */
#ifndef FIREWALL_FORWARD_CARRIER_H
#define FIREWALL_FORWARD_CARRIER_H

#include "firewall/forward.h"

/* Which part of it. */
enum forward_part {
	FORWARD_ADMIT = 1 << 0, /* the addresses */
	FORWARD_KEEP_APART =
		1 << 1, /* the policy, if it is not open, in the families of the addresses */
};

/* fresh: nobody knows of these addresses, so that their rules cannot be there yet. */
int forward_iptables_add(const struct forward *forward, unsigned parts, bool fresh,
			 struct error *err) must_check;
int forward_iptables_check(const struct forward *forward, unsigned parts,
			   struct error *err) must_check;
bool forward_iptables_usable(void);
/* The name of a chain that iptables accepts. */
bool forward_iptables_chain_valid(const char *name);

int forward_nftables_add(const struct forward *forward, unsigned parts,
			 struct error *err) must_check;
int forward_nftables_check(const struct forward *forward, unsigned parts,
			   struct error *err) must_check;

/* What is to go: rules of iptables by their addresses, elements of our own table by their owner. */
struct forward_removal {
	cidrs_t addresses;
	const struct owner *owner; /* DEL */
	bool look;                 /* the owner may have other addresses in our table, too */
	const char *network;       /* GC, when owner is NULL */
	const owners_t *valid;
};
int forward_remove(const struct forward_removal *removal, struct error *err) must_check;

#endif
