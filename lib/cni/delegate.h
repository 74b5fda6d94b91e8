/*
 * Running another plugin. CNI_PATH is the arbiter: the first regular file of that name wins. When
 * it is our own binary (same device and inode as /proc/self/exe), the verb is called in process; a
 * foreign file is executed.
 */
#ifndef CNI_DELEGATE_H
#define CNI_DELEGATE_H

#include "base/process.h"
#include "cni/plugin.h"

/* Where the plugin is: `failed to find plugin "x" in path [/a /b]`, `no plugin name provided`,
 * `invalid plugin name: x`. */
struct delegate {
	const char *type;
	char path[4096];                 /* empty: embedded */
	const struct cni_plugin *plugin; /* NULL: execute the file */
};
int delegate_find(const char *type, const char *cni_path, cni_find_fn *find_plugin,
		  struct delegate *delegate, struct error *err) must_check;

/* The same for a request: with request->embedded a plugin that CNI_PATH lacks may be our own (its
 * path is empty). */
int delegate_locate(const struct cni_request *request, const char *type, struct delegate *delegate,
		    struct error *err) must_check;

/* Call type with the parent's configuration, environment and arena; result only for CNI_ADD. An
 * error of the delegate comes back as it is: code, message, details. */
int delegate_call(const struct cni_request *parent, enum cni_command command, const char *type,
		  struct cni_result *result, struct error *err) must_check;
/* How a foreign plugin has ended: its own error, or for ADD what it printed, whatever that is (own it; NULL = not ADD). */
int delegate_heard(const struct delegate *delegate, const struct process_result *done,
		   struct arena *arena, struct json **reply, struct error *err) must_check;
/* The verb restore of type. A foreign plugin has none: -ENOTSUP with its path. */
int delegate_restore(const struct cni_request *parent, const char *type,
		     struct error *err) must_check;
/* The same as delegate_call() with a request of its own (a runtime's chain): request->command, config_text and
 * config are set. reply, when not NULL, gets the JSON the plugin printed or would have printed
 * (own it). */
int delegate_request(struct cni_request *request, const char *type, struct json **reply,
		     struct error *err) must_check;

#endif
