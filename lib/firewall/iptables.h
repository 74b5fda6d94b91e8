/* Rule sets to iptables, through one iptables-restore or ip6tables-restore per set. */
#ifndef FIREWALL_IPTABLES_H
#define FIREWALL_IPTABLES_H

#include "firewall/program.h"
#include "firewall/ruleset.h"

/* The set as input of iptables-restore --noflush. Chains of the set start empty; those of the kernel (POSTROUTING)
 * are not listed in it and keep what they have. -EINVAL: a name or comment holds a control character. */
int iptables_render(const struct ruleset *set, struct arena *arena, const char **text,
		    struct error *err) must_check;
/* A rule in words, as the save programs print it: "-A CNI-FORWARD -s 10.1.0.5/32 -j ACCEPT". */
const char *iptables_rule_text(const struct rule *rule, struct arena *arena);
/* May its names and comments stand in rules of iptables? See iptables_render(). */
bool iptables_clean(const struct ruleset *set);
/* Render and run. A refusal carries what the program said. */
int iptables_apply(const struct ruleset *set, struct error *err) must_check;

/* Which iptables-restore is in PATH; by its name and what it links to, nothing is run. */
enum iptables_kind iptables_kind(enum rule_family family);

#endif
