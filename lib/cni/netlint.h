/* Lint of network lists: what a runtime accepts in silence and a person wants to know. */
#ifndef CNI_NETLINT_H
#define CNI_NETLINT_H

#include "cni/netlist.h"
#include "cni/request.h"
#include "ipam/range.h"

struct netlint {
	const char *path; /* folders of plugins, as in CNI_PATH */
	cni_find_fn *find_plugin;
	const char *const *names;     /* of our plugins, for misspelt ones; may be NULL */
	const char *const *summaries; /* of the same */
	size_t n_names;
	bool strict; /* a plugin must be in one of the folders: that it is ours is not enough */
};

/* Append to the network's problems: plugins that are not there, unknown keys with the nearest known one, wrong values,
 * what the plugin itself would refuse, a chain that is in a wrong order; and its words. Keys of plugins that are not ours
 * cannot be judged. */
void network_lint(struct networks *networks, struct network *network, const struct netlint *how);

/* The bridge of its containers, NULL = it has none. */
const char *network_bridge(const struct network *network);
/* Is it the bridge of any of them? */
bool network_has_bridge(const struct networks *networks, const char *bridge);

/* Two networks that go badly together. */
struct network_conflict {
	const struct network *first, *second;
	const struct range *one, *other; /* of the first, of the second; they overlap ... */
	const char *bridge;              /* ... or, where it is not NULL, share this bridge */
};
typedef void network_conflict_fn(void *arg, const struct network_conflict *conflict);
void networks_conflicts(const struct networks *networks, struct arena *arena,
			network_conflict_fn *fn, void *arg);

#endif
