/*
 * What a runtime asks: environment and stdin, decoded and validated before anything acts
 * (cni-plugins.md, section 1.1, in its order of checks).
 */
#ifndef CNI_REQUEST_H
#define CNI_REQUEST_H

#include "base/owner.h"
#include "cni/result.h"
#include "describe/json.h"

enum cni_command { CNI_ADD, CNI_DEL, CNI_CHECK, CNI_GC, CNI_STATUS, CNI_VERSION, CNI_N_COMMANDS };
extern const char *const cni_command_names[CNI_N_COMMANDS + 1];

struct cni_plugin;
typedef const struct cni_plugin *cni_find_fn(const char *name);

/* The keys that every plugin has. */
struct cni_common {
	const char *cni_version; /* "" and absent read as 0.1.0 */
	const char *name;
	const char *type;
	struct {
		const char *type;
	} ipam;
	struct cni_dns dns;
	struct json *prev_result; /* NULL = absent */
	struct json *args;
	struct json *runtime_config;
	bool has_attachments; /* cni.dev/valid-attachments or cni.dev/attachments was given */
	owners_t attachments;
};
extern const struct field cni_common_fields[];

struct cni_request {
	enum cni_command command;
	const char *container; /* CNI_CONTAINERID */
	const char *netns;     /* CNI_NETNS, "" = none */
	const char *ifname;
	const char *args; /* CNI_ARGS, "" = none */
	const char *path; /* CNI_PATH */
	bool netns_override;
	const char *config_text; /* stdin as it came: a foreign delegate gets the same bytes */
	size_t config_size;
	struct json *config;
	struct cni_common common;
	struct arena *arena;      /* lives as long as the call */
	cni_find_fn *find_plugin; /* delegation in process */
	/* Of an ADD that is only thought of (lint): the capabilities that the runtime may give a value to. NULL: a call. */
	const struct json *capabilities;
	bool embedded; /* a plugin that CNI_PATH lacks may be this binary's own (tool cni) */
};

/*
 * Environment of this process: the skeleton's checks 1 and 2. *unset is true when CNI_COMMAND is
 * missing, which is not an error but a question for the version text; an unknown command is
 * CNI_N_COMMANDS, for the caller to refuse after it has read the configuration. request->arena is
 * set.
 */
int request_from_environment(struct cni_request *request, bool *unset,
			     struct error *err) must_check;
/* Checks 3 and 4: parse config_text, decode the common keys, check the network's name. */
int request_decode(struct cni_request *request, struct error *err) must_check;
/* The parent's environment and arena with a configuration made by us, which is taken (a delegate's); release it, error
 * or not. */
int request_derive(const struct cni_request *parent, struct json *take, struct cni_request *request,
		   struct error *err) must_check;
void request_release(
	struct cni_request *request); /* the JSON document; the arena is the caller's */

/* Fail with a CNI code, errnum EINVAL and the details key. Returns -EINVAL. */
int cni_fail(struct error *err, int code, const char *details, const char *format, ...)
	printf_like(4, 5);
/* Of a plugin that belongs behind another one, and has no prevResult: code 7, the text that users know, and what to do. */
int request_unchained(const char *text, struct error *err);
/* Does its configuration name a plugin that gives out addresses? */
bool request_has_ipam(const struct cni_request *request);
/* It has none and needs one: code 7, the text that users know, and what to do. */
int request_lacks_ipam(const char *text, struct error *err);
/* Lint: the runtime may yet say what the configuration does not. */
bool request_expects(const struct cni_request *request, const char *capability);
bool cni_valid_name(const char *name); /* container ids, network names */
int cni_check_ifname(const char *ifname, struct error *err) must_check;
int cni_check_args(const char *args, struct error *err) must_check; /* K=V;K=V */
/* Of a pair or tap that we make: 0 (the kernel's default), or what Ethernet devices take. */
int cni_check_mtu(int mtu, struct error *err) must_check;
/* "" reads as 0.1.0 */
const char *request_version(const struct cni_request *request);
struct owner request_owner(const struct cni_request *request);

/* CNI_ARGS by a field table (keys compared with case); IgnoreUnknown is known to all. out holds the
 * defaults. */
int request_args(const struct cni_request *request, const struct field *fields, void *out,
		 struct error *err) must_check;
/* The same for plugins whose only argument is MAC; *mac stays when it is not given. */
int request_mac_arg(const struct cni_request *request, struct mac *mac,
		    struct error *err) must_check;
/* prevResult decoded; -ENOENT without error text when absent. */
int request_prev_result(const struct cni_request *request, struct cni_result *result,
			struct error *err) must_check;

#endif
