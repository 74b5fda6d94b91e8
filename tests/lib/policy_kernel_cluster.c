/* The rows of ClusterNetworkPolicies in a kernel; see policy_probe.h. */
#include "../unit/policy_cluster.c" /* for its table */

#include "policy_probe.h"

int main(int argc unused, char **argv)
{
	return probe_rows(rows, ARRAY_SIZE(rows), argv);
}
