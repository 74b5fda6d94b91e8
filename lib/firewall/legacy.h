/*
 * The legacy iptables tables, which only the iptables-legacy programs can read and write. They are looked at only
 * when the kernel says that a nat table of theirs is in use in this namespace.
 */
#ifndef FIREWALL_LEGACY_H
#define FIREWALL_LEGACY_H

#include "firewall/ruleset.h"

bool legacy_active(enum rule_family family);

/* Is this chain to go? Asked for its declaration (comment ""), and for each rule in it or jump to it. */
typedef bool legacy_doomed_fn(const char *chain, const char *comment, void *arg);
/* Remove the doomed chains and the jumps to them from POSTROUTING. No program to do so: nothing can be done, 0. */
int legacy_remove(enum rule_family family, legacy_doomed_fn *doomed, void *arg,
		  struct error *err) must_check;
/* The rules of set that are not there: their number, or -errno. */
int legacy_missing(const struct ruleset *set, struct error *err) must_check;

#endif
