/*
 * Running another plugin, for plugins that delegate (address management, flannel's bridge) and for
 * the tool that plays the runtime. In process or as a process, the caller sees no difference: the
 * same configuration, the same errors.
 */
#include "cni/delegate.h"

#include "base/text.h"
#include "base/log.h"
#include "base/process.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define BUSY_RETRIES 5 /* a plugin being replaced: as often as the reference, a second apart */

/* What a plugin prints when it fails (CNI specification, section "Error"). */
struct foreign_error {
	int64_t code;
	const char *message, *details;
};

#define ROW(key_, type_, member)                                                                 \
	{                                                                                        \
		.key = (key_), .type = (type_), .offset = offsetof(struct foreign_error, member) \
	}
/* clang-format off */
static const struct field foreign_error_fields[] = {
	ROW("code",    FIELD_INT64,  code),
	ROW("msg",     FIELD_STRING, message),
	ROW("details", FIELD_STRING, details),
	FIELDS_END
};
/* clang-format on */

static bool is_ourselves(const struct stat *file)
{
	struct stat self;

	return stat("/proc/self/exe", &self) == 0 && self.st_dev == file->st_dev &&
	       self.st_ino == file->st_ino;
}

/* Append NAME=value unless the name is there: the first one wins, as for getenv(). */
static void add_variable(struct arena *arena, words_t *words, const char *variable)
{
	size_t len = strcspn(variable, "=");

	list_each(word, words)
		if (strncmp(*word, variable, len + 1) == 0)
			return;
	*list_add(arena, words) = variable;
}

/* The request's variables, then our environment's others. NULL-terminated, in the arena. */
static const char *const *environment_make(const struct cni_request *request)
{
	struct arena *arena = request->arena;
	const struct {
		const char *name, *value;
	} given[] = {
		{ "CNI_COMMAND", cni_command_names[request->command] },
		{ "CNI_CONTAINERID", request->container },
		{ "CNI_NETNS", request->netns },
		{ "CNI_IFNAME", request->ifname },
		{ "CNI_ARGS", request->args },
		{ "CNI_PATH", request->path },
		{ "CNI_NETNS_OVERRIDE", request->netns_override ? "1" : "" },
	};
	words_t words = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		*list_add(arena, &words) = arena_printf(arena, "%s=%s", given[i].name,
							given[i].value ? given[i].value : "");
	for (char **variable = environ; *variable; variable++)
		add_variable(arena, &words, *variable);
	list_add(arena, &words);
	return words.items;
}

static int run_retrying(const struct process *process, struct arena *arena,
			struct process_result *done, struct error *err)
{
	int r = -ETXTBSY;

	for (int i = 0; i <= BUSY_RETRIES && r == -ETXTBSY; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
		r = process_run(process, arena, done, err);
	}
	return r;
}

static char *status_text(int status, struct arena *arena)
{
	if (status > 128)
		return arena_printf(arena, "signal: %s", strsignal(status - 128));
	return arena_printf(arena, "exit status %d", status);
}

/* A foreign program's words inside a message: on one line, without what could move a cursor. */
static const char *one_line(const char *text, struct arena *arena)
{
	char *line = arena_strdup(arena, text);
	size_t len = strlen(line);

	while (len > 0 && isspace((unsigned char)line[len - 1]))
		line[--len] = '\0';
	for (char *p = line; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	return line;
}

/* The plugin's own error, code and all; else whatever can be told (the reference's words). */
static int take_error(const struct process_result *done, struct arena *arena, struct error *err)
{
	struct foreign_error foreign = { 0 };
	auto_json struct json *json = NULL;

	if (!done->output_size && !*done->errors)
		return fail(err, EIO, "netplugin failed with no error message: %s",
			    status_text(done->status, arena));
	if (!done->output_size)
		return fail(err, EIO, "netplugin failed: \"%s\"", one_line(done->errors, arena));
	json = json_parse(done->output, done->output_size, NULL);
	if (!json_is_object(json) ||
	    json_decode(json, foreign_error_fields, &foreign, arena, NULL) < 0)
		return fail(err, EIO,
			    "netplugin failed but error parsing its diagnostic message \"%s\"",
			    one_line(done->output, arena));
	if (foreign.code <= 0 || foreign.code > INT32_MAX) /* a runtime would not read on */
		foreign.code = CNI_INTERNAL;
	return cni_fail(err, (int)foreign.code, foreign.details ? foreign.details : "", "%s",
			foreign.message && *foreign.message ? foreign.message
							    : status_text(done->status, arena));
}

int delegate_heard(const struct delegate *delegate, const struct process_result *done,
		   struct arena *arena, struct json **reply, struct error *err)
{
	if (done->status != 0)
		return take_error(done, arena, err);
	if (!reply)
		return 0;
	if (!done->output_size)
		return fail_code(err, CNI_DECODE_FAILURE, EINVAL, "unexpected end of JSON input");
	*reply = json_parse(done->output, done->output_size, err);
	return *reply ? 0 : wrap(err, "result of plugin %s", delegate->path);
}

/* Execute the file; *reply is what it printed for ADD (own it). */
static int run_foreign(const struct cni_request *request, const struct delegate *delegate,
		       struct json **reply, struct error *err)
{
	const struct process process = {
		.path = delegate->path,
		.argv = (const char *const[]){ delegate->path, NULL },
		.envp = environment_make(request),
		.input = request->config_text,
		.input_size = request->config_size,
		.keep_stderr = true,
	};
	struct process_result done;
	int r = run_retrying(&process, request->arena, &done, err);

	if (r < 0)
		return wrap(err, "execute plugin %s", delegate->path);
	if (*done.errors)
		fputs(done.errors, stderr);
	return delegate_heard(delegate, &done, request->arena,
			      request->command == CNI_ADD ? reply : NULL, err);
}

static int decode_reply(const struct cni_request *request, const struct delegate *delegate,
			const struct json *reply, struct cni_result *result, struct error *err)
{
	int r = result_decode(reply, request_version(request), false, request->arena, result, err);

	if (r >= 0)
		return 0;
	error_code(err, CNI_DECODE_FAILURE);
	return wrap(err, "result of plugin %s", delegate->path);
}

/* An ADD whose result makes no sense has happened nevertheless. */
static void give_back(struct cni_request *request, const struct delegate *delegate)
{
	request->command = CNI_DEL;
	if (run_foreign(request, delegate, NULL, NULL) < 0)
		log_debug("undo of plugin %s failed", delegate->path);
	request->command = CNI_ADD;
}

static int reply_foreign(struct cni_request *request, const struct delegate *delegate,
			 struct json **reply, struct error *err)
{
	auto_json struct json *printed = NULL;
	struct cni_result result = { 0 };
	int r = run_foreign(request, delegate, &printed, err);

	if (r < 0 || request->command != CNI_ADD)
		return r;
	r = decode_reply(request, delegate, printed, &result, err);
	if (r >= 0)
		r = result_to_json(&result, request_version(request), reply, err);
	if (r < 0)
		give_back(request, delegate);
	return r;
}

int delegate_find(const char *type, const char *cni_path, cni_find_fn *find_plugin,
		  struct delegate *delegate, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	char *rest, *folder;
	struct stat file;
	int why = 0; /* where one may be, but cannot be looked at */

	*delegate = (struct delegate){ .type = type };
	if (!type || !*type)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "no plugin name provided");
	if (strchr(type, '/'))
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "invalid plugin name: %s", type);
	rest = arena_strdup(&arena, cni_path ? cni_path : "");
	while ((folder = strsep(&rest, ":"))) {
		int len = snprintf(delegate->path, sizeof(delegate->path), "%s/%s", folder, type);

		if (!*folder || (size_t)len >= sizeof(delegate->path))
			continue;
		if (stat(delegate->path, &file) < 0) {
			if (errno != ENOENT && errno != ENOTDIR && !why)
				why = errno;
			continue;
		}
		if (!S_ISREG(file.st_mode))
			continue;
		if (find_plugin && is_ourselves(&file))
			delegate->plugin = find_plugin(type);
		return 0;
	}
	*delegate->path = '\0';
	rest = arena_strdup(&arena, cni_path ? cni_path : "");
	for (char *p = rest; (p = strchr(p, ':'));)
		*p = ' ';
	if (why)
		return fail_errno(err, why, "failed to find plugin \"%s\" in path [%s]", type,
				  rest);
	return fail(err, ENOENT, "failed to find plugin \"%s\" in path [%s]", type, rest);
}

int delegate_locate(const struct cni_request *request, const char *type, struct delegate *delegate,
		    struct error *err)
{
	int r = delegate_find(type, request->path, request->find_plugin, delegate, err);

	if (r != -ENOENT || !request->embedded || !request->find_plugin)
		return r;
	delegate->plugin = request->find_plugin(type);
	if (!delegate->plugin)
		return r;
	if (err)
		*err = (struct error){ 0 };
	return 0;
}

int delegate_call(const struct cni_request *parent, enum cni_command command, const char *type,
		  struct cni_result *result, struct error *err)
{
	struct cni_request request = *parent;
	auto_json struct json *reply = NULL;
	struct delegate delegate;
	int r = delegate_locate(parent, type, &delegate, err);

	if (r < 0)
		return r;
	request.command = command;
	if (delegate.plugin)
		return plugin_call(delegate.plugin, &request, result, err);
	r = run_foreign(&request, &delegate, &reply, err);
	if (r < 0 || command != CNI_ADD)
		return r;
	r = decode_reply(&request, &delegate, reply, result, err);
	if (r < 0)
		give_back(&request, &delegate);
	return r;
}

int delegate_restore(const struct cni_request *parent, const char *type, struct error *err)
{
	struct cni_request request = *parent;
	struct delegate delegate;
	int r = delegate_locate(parent, type, &delegate, err);

	if (r < 0)
		return r;
	if (delegate.plugin)
		return plugin_restore(delegate.plugin, &request, err);
	return fail(err, ENOTSUP, "%s is not ours: only its own DEL and ADD can put its rules back",
		    delegate.path);
}

int delegate_request(struct cni_request *request, const char *type, struct json **reply,
		     struct error *err)
{
	auto_json struct json *answer = NULL;
	struct delegate delegate;
	int r = delegate_locate(request, type, &delegate, err);

	if (r < 0)
		return r;
	if (delegate.plugin)
		r = plugin_reply(delegate.plugin, request, &answer, err);
	else
		r = reply_foreign(request, &delegate, &answer, err);
	if (r >= 0 && reply)
		*reply = take_ptr(answer);
	return r;
}
