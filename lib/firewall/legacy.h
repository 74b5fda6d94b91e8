/*
 * The legacy iptables tables, which only the iptables-legacy programs can read and write. They are looked at only
 * when the kernel says that such a table is in use in this namespace.
 */
#ifndef FIREWALL_LEGACY_H
#define FIREWALL_LEGACY_H

#include "firewall/ruleset.h"
#include "kernel/nft_dump.h"

/* A table as the save program prints it. A rule's handle is its place in it. */
struct legacy_rule {
	const char *text; /* behind "-A " */
	const char *chain;
	struct nft_rule_info info;
};
struct legacy_table {
	const char *name;
	enum rule_family family;
	LIST(const char *) chains;
	LIST(const char *) dropping; /* of those, whose policy is DROP */
	LIST(struct legacy_rule) rules;
};

bool legacy_active(enum rule_family family, const char *table);
/* text: what the save program printed of it, which is cut into pieces. */
void legacy_parse(struct arena *arena, char *text, struct legacy_table *table);
/* 0 with an empty table when there is no program to ask. */
int legacy_read(enum rule_family family, const char *name, struct arena *arena,
		struct legacy_table *table, struct error *err) must_check;
bool legacy_has_chain(const struct legacy_table *table, const char *chain);
bool legacy_chain_drops(const struct legacy_table *table, const char *chain);
void legacy_rules(const struct legacy_table *table, const char *chain, struct arena *arena,
		  nft_rules_t *rules);

/* Rules by their place, and chains with all that is in them. No program to do so: nothing can be done, 0. */
typedef LIST(uint64_t) legacy_handles_t;
typedef LIST(const char *) legacy_names_t;
int legacy_remove(const struct legacy_table *table, const legacy_handles_t *rules,
		  const legacy_names_t *chains, struct error *err) must_check;

#endif
