/* Lint of network lists: what a runtime accepts in silence and a person wants to know. */
#ifndef CNI_NETLINT_H
#define CNI_NETLINT_H

#include "cni/netlist.h"
#include "cni/request.h"

/* Append to the network's problems: plugins that are neither in path nor ours, unknown keys with
 * the nearest known one, wrong values, what the plugin itself would refuse. Keys of plugins that are not ours cannot be judged. */
void network_lint(struct networks *networks, struct network *network, const char *path,
		  cni_find_fn *find_plugin);

#endif
