/* Rules and chains of nf_tables that are there. */
#ifndef KERNEL_NFT_DUMP_H
#define KERNEL_NFT_DUMP_H

#include "kernel/nft.h"

#define NFT_MULTIPORTS 15 /* that the iptables programs write into one rule */

struct nft_addr_match {
	struct cidr cidr;
	enum nft_op op;
}; /* cidr.ip not set = no such match */
struct nft_interface_match {
	char name[16]; /* "" = no such match; ends in '+' when longer names match too */
	enum nft_op op;
};

struct nft_mac_match {
	struct mac mac; /* not set = no such match */
	enum nft_op op;
};

struct nft_line;

/* A rule as far as we understand it; those that the iptables-nft programs made are read alike. */
struct nft_rule_info {
	uint64_t handle;
	const char *comment; /* "" = none */
	const char *target;  /* chain of its jump or goto, "" = none */
	int verdict;         /* enum nft_verdict, INT_MAX = none */
	bool masquerade, fully_random;
	bool reject;
	bool unknown; /* it holds something that is not told here */
	enum nft_family
		only; /* NFT_IP, NFT_IP6 or NFT_ARP: packets of that; 0 = any, or the table has no others */
	struct nft_addr_match source, destination;
	struct nft_mac_match sender;
	struct nft_interface_match in, out;
	uint8_t protocol; /* 0 = any */
	bool not_protocol;
	const struct ports *ports; /* of the destination, n_ports of them, 0 = any */
	uint8_t n_ports;
	bool local;                  /* the destination is an address of this host */
	unsigned states;             /* of the connection, one of these; 0 = any */
	uint32_t mark, mark_bits;    /* bits 0 = no such match */
	uint32_t set_mark, set_bits; /* bits 0 = sets none */
	struct ip to;                /* DNAT */
	struct ports to_ports;       /* 0 = kept */
	uint16_t to_base;
	struct ip from; /* SNAT to one address */
	/* An unknown rule that holds nothing strange but sets and a log: they are here (nft_table.h); NULL = it does. */
	const struct nft_line *line;
};
typedef LIST(struct nft_rule_info) nft_rules_t;

/* A missing table or chain has no rules (the kernel's dump does not tell the difference). */
int nft_rules(struct netlink *nl, enum nft_family family, const char *table, const char *chain,
	      struct arena *arena, nft_rules_t *rules, struct error *err) must_check;
/* Queue a look-up: *found is set to whether the chain is there when committed (look-ups only in that commit). */
void nft_queue_find_chain(struct netlink *nl, enum nft_family family, const char *table,
			  const char *chain, bool *found);
void nft_queue_find_table(struct netlink *nl, enum nft_family family, const char *table,
			  bool *found);
/* As for a chain, and where it is hooked in. */
struct nft_chain_info {
	bool found;
	char type[16]; /* "" = not a base chain */
	int hook, priority;
	uint32_t users; /* its rules, and the jumps to it */
};
void nft_queue_get_chain(struct netlink *nl, enum nft_family family, const char *table,
			 const char *chain, struct nft_chain_info *info);
/* Queue a look-up: the generation of all rules, which every commit moves on. */
void nft_queue_get_generation(struct netlink *nl, uint32_t *generation);
/* Every chain that is hooked in, of all tables of a family. */
struct nft_base_chain {
	enum nft_family family;
	const char *table, *name, *type;
	int hook, priority;
	bool drops;                               /* its policy */
	LIST(struct nft_interface_match) devices; /* that it is at */
};
typedef LIST(struct nft_base_chain) nft_base_chains_t;
/* Hooks of devices. */
enum { NFT_NETDEV_INGRESS = 0, NFT_NETDEV_EGRESS = 1, NFT_INET_INGRESS = 5 };
int nft_base_chains(struct netlink *nl, struct arena *arena, nft_base_chains_t *chains,
		    struct error *err) must_check;
typedef LIST(const char *) nft_names_t;
int nft_chains(struct netlink *nl, enum nft_family family, const char *table, struct arena *arena,
	       nft_names_t *names, struct error *err) must_check;

#endif
