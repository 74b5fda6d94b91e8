/* Network lists as a runtime reads them from its folder (CNI specification, section 1;
 * cni-plugins.md, section 1.9). */
#ifndef CNI_NETLIST_H
#define CNI_NETLIST_H

#include "base/arena.h"
#include "base/error.h"
#include "describe/json.h"

typedef LIST(struct json *) documents_t;
typedef LIST(const char *) problems_t;

struct network {
	const char *file; /* where it was read; NULL: from a cached attachment */
	const char *name,
		*version;    /* version: the newest of cniVersions that we know, or cniVersion */
	documents_t plugins; /* borrowed, in the order of ADD */
	bool disable_check, disable_gc;
	const char *text; /* the list as attachments remember it */
	size_t text_size;
	problems_t problems;   /* "key: what is wrong" */
	bool unusable;         /* one of the problems is fatal; name may be NULL */
	struct json *document; /* borrowed */
};

struct networks {
	const char *folder;
	struct arena *arena;
	LIST(struct network) all; /* sorted by file name */
	documents_t documents;
};

/* Every *.conf, *.conflist and *.json of the folder; a bad file is a network with problems, not an
 * error. -ENOENT: there is no such folder. */
int networks_load(const char *folder, struct arena *arena, struct networks *networks,
		  struct error *err) must_check;
void networks_release(struct networks *networks);
#define auto_networks on_leave(networks_release)

/* The first usable one of that name; -ENOENT names the nearest, or the file that is at fault. */
int networks_find(const struct networks *networks, const char *name, const struct network **network,
		  struct error *err) must_check;
/* One more from text that is not in the folder (a cached attachment). */
int networks_add_text(struct networks *networks, const char *text, size_t size,
		      const struct network **network, struct error *err) must_check;

#endif
