/*
 * The interface that leads to the other nodes, and this node's addresses on it: chosen as flannel chooses (flannel.md,
 * section 4): each name and address given, each pattern, the way to an address, until one of them fits; where none of these is
 * given, a public address that is local, else the default route.
 */
#ifndef AGENT_EXTERNAL_H
#define AGENT_EXTERNAL_H

#include "base/text.h"
#include "kernel/netlink.h"
#include "base/ip.h"

struct external_choice {
	words_t names; /* --iface: a name or an address; the first that is there and has the addresses that are needed */
	words_t patterns; /* --iface-regex: tried on addresses first, then on names */
	struct ip reach;  /* --iface-can-reach */
	struct ip public_ip,
		public_ip6; /* --public-ip: published; need not be on the node when an interface is named */
	struct ip told, told6; /* published in their place, whatever was found */
	bool v4, v6;           /* families that are needed */
};

struct external {
	int index;
	char name[16];
	int mtu;
	struct ip ip, ip6;               /* on the interface */
	struct ip public_ip, public_ip6; /* as others reach the node */
	bool translated, translated6;    /* what is published is no address of this node's: NAT */
	cidrs_t links;                   /* that the interface is in, with its address */
};

/* `unable to find default route` and the like: what was looked for, and where. Lists go to the arena. */
int external_find(struct netlink *nl, const struct external_choice *choice, struct arena *arena,
		  struct external *external, struct error *err) must_check;

#endif
