/*
 * Configurations that a delegating plugin keeps between ADD and DEL: `<folder>/<container id>`, as flannel has them
 * (cni-plugins.md, section 2.19). That name does not tell the interface, so a second one of the same container gets
 * `<container id>:<ifname>`, and the first is noted in an extended attribute of the file, where it costs no name and
 * changes no content.
 */
#ifndef CNI_SAVED_H
#define CNI_SAVED_H

#include "base/owner.h"
#include "describe/json.h"

#define SAVED_FOLDER "/var/lib/cni/flannel"

struct saved {
	const char *path, *container;
	const char *ifname;         /* NULL: nobody noted it (the reference, no attributes here) */
	const char *text;           /* NULL: could not be read */
	struct json *config;        /* NULL: no JSON object; the reference may crash in between */
	const char *folder, *draft; /* of saved_write(), for saved_undo() */
};
typedef LIST(struct saved) saved_list_t;

/* Durable, in one step, mode 0600, the folder 0700. *before is what the file held until now, for saved_undo(): release
 * it, error or not. */
int saved_write(const char *folder, const struct owner *owner, const char *text,
		struct arena *arena, struct saved *before, struct error *err) must_check;
int saved_undo(const struct saved *before, struct error *err) must_check;
/* False: nothing is kept for this attachment. */
bool saved_find(const char *folder, const struct owner *owner, struct arena *arena,
		struct saved *saved);
void saved_remove(const struct saved *saved); /* the file; not there is fine */
/* What a saved_write() that was killed left of this attachment. */
void saved_sweep(const char *folder, const struct owner *owner, struct arena *arena);
/* All of the folder, of every network, and what was left by killed ones, without config; no folder: none. */
void saved_list(const char *folder, struct arena *arena, saved_list_t *list);

void saved_release(struct saved *saved);
void saved_list_release(saved_list_t *list);
#define auto_saved      on_leave(saved_release)
#define auto_saved_list on_leave(saved_list_release)

#endif
