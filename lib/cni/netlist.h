/* Network lists as a runtime reads them from its folder (CNI specification, section 1;
 * cni-plugins.md, section 1.9). */
#ifndef CNI_NETLIST_H
#define CNI_NETLIST_H

#include "base/arena.h"
#include "base/error.h"
#include "describe/json.h"

typedef LIST(struct json *) documents_t;

struct problem {
	const char *text; /* "plugins[1].mtu: what is wrong" */
	size_t path_len;  /* of the path in front of it; 0 = it is about the whole */
	bool is_error; /* a runtime refuses the file, or a plugin the call; else it is accepted, and surely not meant */
};
typedef LIST(struct problem) problems_t;

struct network {
	const char *file;   /* where it was read; NULL: from a cached attachment */
	const char *source; /* the file's text; NULL: it could not be read */
	size_t source_size;
	const char *name,
		*version;    /* version: the newest of cniVersions that we know, or cniVersion */
	documents_t plugins; /* borrowed, in the order of ADD */
	bool disable_check, disable_gc;
	const char *text; /* the list as attachments remember it */
	size_t text_size;
	problems_t problems;
	LIST(const char *) words; /* network_lint(): what ADD would do, "bridge: ..." */
	bool unusable;            /* one of the problems is fatal; name may be NULL */
	struct json *document;    /* borrowed */
};

struct networks {
	const char *folder;
	struct arena *arena;
	LIST(struct network) all; /* sorted by file name */
	documents_t documents;
};

/* One more; path "": about the whole. */
void network_blame(struct arena *arena, struct network *network, bool is_error, const char *path,
		   const char *text);
/* The same from a json_report_fn's text, which begins with the path; where is put in front of that. */
void network_report(struct arena *arena, struct network *network, bool is_error, const char *where,
		    const char *text);

/* What somebody refused: the error's key is below where. */
void network_refuse(struct arena *arena, struct network *network, bool is_error, const char *where,
		    const struct error *err);

extern const struct field network_list_fields[]; /* keys of a list, beside its plugins */

/* Every *.conf, *.conflist and *.json of the folder; a bad file is a network with problems, not an
 * error. -ENOENT: there is no such folder. */
int networks_load(const char *folder, struct arena *arena, struct networks *networks,
		  struct error *err) must_check;
/* The same beside those that are there; and one file, whatever its name, or text that is called so (borrowed, in the
 * arena). */
int networks_add_folder(struct networks *networks, const char *folder,
			struct error *err) must_check;
void networks_add_file(struct networks *networks, const char *file);
void networks_add_source(struct networks *networks, const char *file, const char *text,
			 size_t size);
void networks_release(struct networks *networks);
#define auto_networks on_leave(networks_release)

/* The first usable one of that name; -ENOENT names the nearest, or the file that is at fault. */
int networks_find(const struct networks *networks, const char *name, const struct network **network,
		  struct error *err) must_check;
/* One more from text that is not in the folder (a cached attachment). */
int networks_add_text(struct networks *networks, const char *text, size_t size,
		      const struct network **network, struct error *err) must_check;

#endif
