/* What the files of portmap share: rule sets of both forms, and the search for who has a port. */
#ifndef FIREWALL_PORTMAP_RULES_H
#define FIREWALL_PORTMAP_RULES_H

#include "firewall/portmap.h"
#include "firewall/xt.h"

#include <sys/socket.h>

#define PORT_XT_TABLE  "nat"
#define PORT_XT_DNAT   "CNI-HOSTPORT-DNAT"
#define PORT_NFT_TABLE "cni_hostport"

static inline int portmap_family(size_t i)
{
	return i == PORTMAP_V4 ? AF_INET : AF_INET6;
}

static inline enum rule_family portmap_rule_family(size_t i)
{
	return i == PORTMAP_V4 ? RULE_IP : RULE_IP6;
}

/* Is the entry about packets of that family? */
bool port_entry_for(const struct port_entry *entry, int family);
/* Do they take a port from each other, as bind(2) has it? ip not set: every address. */
bool port_entry_overlaps(const struct port_entry *entry, int family, uint8_t protocol,
			 struct ports ports, const struct ip *ip);
const char *port_protocol_name(uint8_t protocol);
/* -EADDRINUSE: `host port 8080/tcp of 192.0.2.1 is taken by WHO`. */
int port_taken(const struct port_entry *entry, const char *who, struct error *err);

/* iptables form: one family's rules; none when the container has no address of it. */
void portmap_xt_rules(struct arena *arena, const struct portmap *map, size_t i,
		      struct ruleset *set);
int portmap_xt_add(const struct portmap *map, struct error *err) must_check;
int portmap_xt_check(const struct portmap *map, struct error *err) must_check;
/* Whoever has one of the ports in the rules of that form. stale: called for chains that lead to our address; NULL =
 * they do not matter. */
typedef void port_stale_fn(const char *chain, void *arg);
int portmap_xt_conflict(const struct xt_view *view, const struct portmap *map, size_t i,
			const nft_rules_t *entries, struct arena *arena, port_stale_fn *stale,
			void *arg, struct error *err) must_check;

int portmap_nft_add(const struct portmap *map, struct error *err) must_check;
int portmap_nft_check(const struct portmap *map, struct error *err) must_check;

/* Connections that went elsewhere before the ports were mapped (UDP), or went through what has been removed. Best
 * effort: what fails is logged. */
typedef LIST(struct port_flow {
	struct port_entry entry;
	struct ip to; /* where they were sent; not set = anywhere else */
}) port_flows_t;
void portmap_forget(const port_flows_t *flows);

#endif
