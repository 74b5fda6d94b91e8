/* Rules as iptables-save prints them. */
#ifndef FIREWALL_SAVED_H
#define FIREWALL_SAVED_H

#include "kernel/nft_dump.h"

/* The next word of a line, which goes on behind it: bare, or quoted with backslashes; "" at the end. */
const char *saved_word(const char **text, struct arena *arena);
/* text: what follows "-A ". Returns the chain. What is not understood makes the rule unknown. */
const char *saved_rule(const char *text, struct arena *arena, struct nft_rule_info *info);

#endif
