/*
 * The harness of CNI plugins: the six commands, version negotiation, the error object, the exit
 * status. A plugin is a table of its configuration and its verbs; the same verbs serve a process of
 * its own and delegation in process.
 */
#ifndef CNI_PLUGIN_H
#define CNI_PLUGIN_H

#include "cni/advice.h"
#include "cni/request.h"
#include "describe/help.h"

struct cni_plugin {
	const char *oldest;         /* oldest CNI version supported; NULL = 0.1.0 */
	const struct field *fields; /* keys of its own, at the root of the configuration */
	/* The few keys that DEL and GC need, in the same struct: then a mistake in another one does
	 * not keep a container from being removed. NULL = fields. */
	const struct field *del_fields;
	size_t size;
	const void *defaults; /* NULL = zeroes */
	/* Put in front of decode errors: "failed to load netconf"; NULL = none. */
	const char *load_context;
	/* An IPAM plugin that asks over the container's link: a main plugin has it there before ADD and until after DEL. */
	bool needs_link;
	bool is_ipam; /* it belongs below `ipam` */
	/* It belongs behind another plugin: what ADD says without prevResult. NULL = it may come first. */
	const char *chained;
	/* What ADD says without IPAM (unless prevResult stands in: takes_prev_addresses). NULL = it can do without. */
	const char *needs_ipam;
	bool takes_prev_addresses;
	bool passes_on; /* it makes nothing that another one could be in the way of, and hands on prevResult */
	/* The key whose object configures another plugin, and which one when it does not say; NULL = it has none. */
	const char *delegate_key, *delegate_type;
	/* Rules between fields and with the request (CNI_ARGS, runtimeConfig); no side effects; for
	 * every command but VERSION. Keep what DEL needs lenient. */
	int (*validate)(const struct cni_request *request, void *conf, struct error *err);
	int (*add)(struct cni_request *request, void *conf, struct cni_result *result,
		   struct error *err);
	int (*del)(struct cni_request *request, void *conf, struct error *err);
	/* NULL = success, silently. */
	int (*check)(struct cni_request *request, void *conf, struct error *err);
	int (*gc)(struct cni_request *request, void *conf,
		  struct error *err); /* called only with an attachment list */
	int (*status)(struct cni_request *request, void *conf, struct error *err);
	/* Put back what somebody flushed (rules), from prevResult and live state; what is still there
	 * is left alone. Not a CNI command: the tool asks for it. NULL = nothing to put back. */
	int (*restore)(struct cni_request *request, void *conf, struct error *err);
	/* For lint: what ADD would do with a configuration that is right, in words, and what in it is surely not meant. NULL =
	 * there is nothing to say but its summary. */
	void (*explain)(const struct cni_request *request, const void *conf, struct advice *advice);
};

/* The whole process contract: reads the environment and stdin, writes stdout. Returns the exit
 * status. */
int plugin_main(const char *name, const struct cni_plugin *plugin, cni_find_fn *find_plugin,
		const char *program_version);

/* One verb on a decoded request: version gates, decode, validate, verb. result only for ADD. */
int plugin_call(const struct cni_plugin *plugin, struct cni_request *request,
		struct cni_result *result, struct error *err) must_check;

/* What a call says of a decoded configuration before it acts: the version's gate, and validate with what the plugin needs
 * around it. */
int plugin_supports(const struct cni_plugin *plugin, const struct cni_request *request,
		    struct error *err) must_check;
int plugin_validate(const struct cni_plugin *plugin, const struct cni_request *request, void *conf,
		    struct error *err) must_check;

/* The same as a process of its own would answer: the namespace is checked first (code 8), *reply is
 * the result of ADD in the configuration's version (own it), NULL for the rest; an ADD whose result
 * cannot be expressed is undone. */
int plugin_reply(const struct cni_plugin *plugin, struct cni_request *request, struct json **reply,
		 struct error *err) must_check;

/* The verb restore on a decoded request whose prevResult is what the runtime remembers. */
int plugin_restore(const struct cni_plugin *plugin, struct cni_request *request,
		   struct error *err) must_check;

/* "0.1.0", ... as supported by the plugin, for VERSION and help. */
void plugin_describe(const struct cni_plugin *plugin, struct plugin_text *text,
		     struct arena *arena);
/* The error object as text, in the arena; version NULL = leave cniVersion out. */
char *plugin_error_text(const struct error *err, const char *version, struct arena *arena);

#endif
