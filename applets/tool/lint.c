/*
 * lint: configurations checked before a runtime reads them, and what they would do, in words. Each plugin is asked by its
 * own checks; what a file is and how files go together is in the folder of this name.
 */
#include "lint/lint.h"

#include <errno.h>

struct options {
	LIST(const char *) files;
	const char *path;
	bool explain, strict, json;
};

static const struct options defaults = { .path = "/opt/cni/bin" };

#define ROW(key_, kind, member, help_, ...)                                                \
	{                                                                                  \
		.key = (key_), .type = (kind), .offset = offsetof(struct options, member), \
		.help = (help_), ##__VA_ARGS__                                             \
	}

/* clang-format off */
static const struct field fields[] = {
	ROW("file",    FIELD_LIST,   files,   "a file, a folder of them as a runtime reads it, or - for stdin",
	    .flags = FIELD_POSITIONAL | FIELD_REQUIRED, .element = FIELD_PATH, .size = sizeof(char *)),
	ROW("explain", FIELD_BOOL,   explain, "tell what it would do, too", .letter = 'e'),
	ROW("strict",  FIELD_BOOL,   strict,  "a warning counts as an error"),
	ROW("path",    FIELD_STRING, path,    "folders of plugins, ':' between", .env = "CNI_PATH"),
	ROW("json",    FIELD_BOOL,   json,    "JSON instead of text", .letter = 'j'),
	FIELDS_END
};
/* clang-format on */

static void name_plugins(const struct invocation *call, struct netlint *how)
{
	LIST(const char *) names = { 0 }, summaries = { 0 };

	for (size_t i = 0; i < call->n_applets; i++) {
		if (!call->applets[i].applet->plugin)
			continue;
		*list_add(call->arena, &names) = call->applets[i].name;
		*list_add(call->arena, &summaries) = call->applets[i].applet->summary;
	}
	how->names = names.items;
	how->summaries = summaries.items;
	how->n_names = names.n;
}

static void session_close(struct lint_session *session)
{
	networks_release(&session->networks);
}

static int lint_run(struct invocation *call, void *opaque, struct error *err unused)
{
	const struct options *options = opaque;
	struct lint_session session on_leave(session_close) = {
		.call = call,
		.arena = call->arena,
		.how = { .path = options->path, .find_plugin = call->find_plugin, .strict = true },
		.networks.arena = call->arena,
	};

	name_plugins(call, &session.how);
	list_each(file, &options->files)
		lint_read(&session, *file);
	lint_networks(&session);
	lint_sort(&session);
	if (options->json)
		lint_print_json(&session);
	else
		lint_print(&session, options->explain);
	return session.n_errors || (options->strict && session.findings.n) ? 1 : 0;
}

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.run = lint_run,
};

const struct applet applet_lint = {
	.summary = "check configurations, and tell what they would do",
	.about =
		"Files are CNI configurations (*.conf, *.conflist), networks of flannel (net-conf.json), Kubernetes manifests"
		" with either in a ConfigMap, or folders of CNI configurations. Each finding names file, line and key.\n\n"
		"An error is what a runtime or a plugin refuses; a warning what they accept and nobody means: a misspelt key, a"
		" capability that is not declared, addresses that two networks give out. The checks are the plugins' own, so"
		" that of plugins which are not part of this binary only the file is looked for.\n\n"
		"The exit status is 1 when there is an error, with --strict when there is anything.",
	.example = "cnibox lint /etc/cni/net.d\n"
		   "cnibox lint --explain 10-pods.conflist\n"
		   "kubectl get cm -n kube-flannel kube-flannel-cfg -o yaml | cnibox lint -",
	.run = &run,
};
