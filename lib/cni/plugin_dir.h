/*
 * A CNI plugin folder that changes hands in one step, and back, while runtimes use it.
 *
 * Every name of ours in the folder is a link into `.cnibox/now/`, and `.cnibox/now` is a link to one of the sets of
 * plugins below `.cnibox`: `before` (what was there), or one of ours. Making a name such a link changes nothing, since
 * what stood there has been kept in `before`, where `now` leads at first; then one rename of `now` turns all names
 * over. Killed at any point, all names lead to the old set or all to the new one, and calling again completes it. The folder
 * itself stays the same, so that it may be a mount point, or be mounted elsewhere.
 */
#ifndef CNI_PLUGIN_DIR_H
#define CNI_PLUGIN_DIR_H

#include "cni/result.h"

enum plugin_was { PLUGIN_WAS_ABSENT, PLUGIN_WAS_OURS, PLUGIN_WAS_FOREIGN };

struct plugin_dir_row {
	const char *name;
	enum plugin_was was;
};
typedef LIST(struct plugin_dir_row) plugin_dir_rows_t;

struct plugin_dir {
	const char *path;   /* of the folder; made when absent */
	const char *binary; /* where the links of our set lead to */
	bool copy;          /* to a copy of it inside of the folder instead */
	bool dry_run;       /* only say what is there */
	struct arena *arena;
};

/* Let the names lead to the binary; *rows: what each was before. What else is in the folder is left alone. */
int plugin_dir_take(const struct plugin_dir *dir, const strings_t *names, plugin_dir_rows_t *rows,
		    struct error *err) must_check;
/* Take the links away again; what was there before returns (PLUGIN_WAS_FOREIGN in *rows). Nothing of ours: no rows. */
int plugin_dir_give_back(const struct plugin_dir *dir, plugin_dir_rows_t *rows,
			 struct error *err) must_check;

#endif
