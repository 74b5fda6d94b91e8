/*
 * Forwarding: what the rules of a node let containers send and receive (cni-plugins.md, section 2.14). Their addresses
 * are admitted: what comes from them passes, and the answers to them. An ingress policy keeps bridges apart.
 *
 * Three carriers. iptables: the chains of the reference, word for word. nftables: one table of our own, with sets.
 * firewalld: the addresses become sources of a zone, and the policy is carried by one of the others, since a zone
 * cannot express it.
 */
#ifndef FIREWALL_FORWARD_H
#define FIREWALL_FORWARD_H

#include "base/error.h"
#include "base/ip.h"
#include "base/owner.h"

enum forward_policy {
	FORWARD_OPEN,        /* anybody may reach the container */
	FORWARD_SAME_BRIDGE, /* other bridges with a policy may not */
	FORWARD_ISOLATED,    /* nor may who is on the same bridge */
};

struct forward {
	struct owner owner;
	const char *backend;     /* "iptables", "nftables", "firewalld"; else the node decides */
	const char *zone;        /* firewalld */
	const char *admin_chain; /* iptables: asked before the containers' rules */
	enum forward_policy policy;
	const char *bridge; /* of the policy */
	bool again;         /* ADD: it may be there without anything being remembered of it */
	cidrs_t addresses;  /* DEL: those that an earlier result tells, perhaps none */
};

/* Adding what is there already is harmless: this also puts back what somebody flushed. */
int forward_add(const struct forward *forward, struct error *err) must_check;
/* All carriers, by what is remembered of the owner and by the addresses, unless they are another's by now. Rules that
 * are shared stay. Nothing there, no firewalld: success. */
int forward_del(const struct forward *forward, struct error *err) must_check;
/* 0, or -ENOENT naming what is missing. Makes nothing. */
int forward_check(const struct forward *forward, struct error *err) must_check;
/* Remove what belongs to the network and to no valid attachment. */
int forward_gc(const char *network, const owners_t *valid, struct error *err) must_check;
/* Who is admitted, wherever that is found: elements of our table, what is written down, rules of iptables that nobody
 * wrote down (owner's members NULL), once for each address. */
struct forward_admitted {
	struct ip ip;
	struct owner owner;
};
typedef LIST(struct forward_admitted) forward_admitted_t;
int forward_list(struct arena *arena, forward_admitted_t *admitted, struct error *err) must_check;
/* Can the back end be used? -errno with the reason. */
int forward_status(const struct forward *forward, struct error *err) must_check;

/* May iptables have a chain of that name? Code 7 when not. */
int forward_check_chain(const char *name, struct error *err) must_check;

#endif
