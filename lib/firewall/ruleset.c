/* What is common to all rule sets; see ruleset.h for the model. */
#include "firewall/ruleset.h"

#include <netinet/in.h>

struct cidr multicast_of(int family)
{
	if (family == AF_INET)
		return (struct cidr){ { AF_INET, { 224 } }, 4 };
	return (struct cidr){ { AF_INET6, { 0xff } }, 8 };
}
