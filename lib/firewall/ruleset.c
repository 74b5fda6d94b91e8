/* What is common to all rule sets; see ruleset.h for the model. */
#include "firewall/ruleset.h"

#include <netinet/in.h>

struct cidr multicast_of(int family)
{
	if (family == AF_INET)
		return (struct cidr){ { AF_INET, { 224 } }, 4 };
	return (struct cidr){ { AF_INET6, { 0xff } }, 8 };
}

const struct match *rule_match(const struct rule *rule, enum match_kind kind)
{
	for (size_t i = 0; i < RULE_MATCHES && rule->matches[i].kind; i++)
		if (rule->matches[i].kind == kind)
			return &rule->matches[i];
	return NULL;
}
