/*
 * Ports of the host that lead to a container, in both layouts of the reference (cni-plugins.md, section 2.13).
 *
 * iptables form: its rules. nftables form: its tables, in which ours are elements of maps, one for each port, so that
 * neither a packet's look-up nor an addition depends on how many there are. Elements are exclusive: a port that another
 * container has is refused by the kernel itself.
 */
#ifndef FIREWALL_PORTMAP_H
#define FIREWALL_PORTMAP_H

#include "base/owner.h"
#include "firewall/firewall.h"

struct port_entry {
	uint8_t protocol;
	struct ports host;  /* of the host */
	uint16_t container; /* of the container: the first, the others follow */
	int family;         /* 0 = both */
	struct ip host_ip;  /* not set: every address of the host */
};
typedef LIST(const char *) port_words_t;

enum { PORTMAP_V4, PORTMAP_V6, PORTMAP_FAMILIES };

struct portmap {
	struct owner owner;
	LIST(struct port_entry) entries;
	struct cidr addresses[PORTMAP_FAMILIES]; /* of the container; family 0 = none */
	enum firewall_backend backend;
	bool snat;                                 /* masquerade hairpin and localhost traffic */
	bool masq_all;                             /* masquerade everything */
	unsigned mark_bit;                         /* iptables form */
	const char *external_mark_chain;           /* iptables form; NULL = our own */
	port_words_t conditions[PORTMAP_FAMILIES]; /* words in the back end's syntax */
};

/* A port that another container has: -EADDRINUSE, code 11, and a text that names both. Adding again is fine. Entries of
 * somebody who had the container's address before are replaced. */
int portmap_add(const struct portmap *map, struct error *err) must_check;
/* Both back ends, whatever was mapped; of map only the owner must be set, and the addresses and conditions where
 * they are known. Connections through what is removed are forgotten. */
int portmap_del(const struct portmap *map, struct error *err) must_check;
/* Is everything there, in either form? 0, or -ENOENT naming what is missing. */
int portmap_check(const struct portmap *map, struct error *err) must_check;
/* Remove those of the network (map's owner) that no valid attachment owns. */
int portmap_gc(const struct portmap *map, const owners_t *valid, struct error *err) must_check;

#endif
