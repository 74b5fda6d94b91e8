/*
 * What a runtime asks of a plugin: environment variables and the configuration on stdin, decoded
 * and checked before anything acts. Order, codes and texts are the reference skeleton's
 * (cni-plugins.md, section 1.1), since runtimes and operators match them.
 */
#include "cni/request.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

const char *const cni_command_names[CNI_N_COMMANDS + 1] = {
	[CNI_ADD] = "ADD", [CNI_DEL] = "DEL",       [CNI_CHECK] = "CHECK",
	[CNI_GC] = "GC",   [CNI_STATUS] = "STATUS", [CNI_VERSION] = "VERSION",
};

#define ROW(type_, key_, kind, member, ...)                                                     \
	{                                                                                       \
		.key = (key_), .type = (kind), .offset = offsetof(type_, member), ##__VA_ARGS__ \
	}

static const struct field attachment_fields[] = {
	ROW(struct owner, "containerID", FIELD_STRING, container, .flags = FIELD_REQUIRED),
	ROW(struct owner, "ifname", FIELD_STRING, ifname, .flags = FIELD_REQUIRED), FIELDS_END
};

static const struct field ipam_fields[] = {
	{ .key = "type", .type = FIELD_STRING, .help = "plugin that gives out addresses" },
	FIELDS_END
};

#define ATTACHMENTS(key_)                                                                     \
	ROW(struct cni_common, key_, FIELD_LIST, attachments, .element = FIELD_OBJECT,        \
	    .size = sizeof(struct owner), .fields = attachment_fields, .flags = FIELD_HIDDEN, \
	    .seen = FIELD_SEEN(struct cni_common, has_attachments))

const struct field cni_common_fields[] = {
	ROW(struct cni_common, "cniVersion", FIELD_STRING, cni_version,
	    .help = "CNI version the runtime speaks"),
	ROW(struct cni_common, "name", FIELD_STRING, name, .help = "name of the network"),
	ROW(struct cni_common, "type", FIELD_STRING, type, .help = "name of the plugin"),
	ROW(struct cni_common, "ipam", FIELD_OBJECT, ipam, .fields = ipam_fields,
	    .help = "how addresses are given out: type and that plugin's keys"),
	ROW(struct cni_common, "dns", FIELD_OBJECT, dns, .fields = cni_dns_fields,
	    .help = "name servers to report in the result"),
	ROW(struct cni_common, "prevResult", FIELD_JSON, prev_result, .flags = FIELD_HIDDEN),
	ROW(struct cni_common, "args", FIELD_JSON, args,
	    .help = "arguments of the runtime, by convention below cni"),
	ROW(struct cni_common, "runtimeConfig", FIELD_JSON, runtime_config, .flags = FIELD_HIDDEN),
	ATTACHMENTS("cni.dev/valid-attachments"),
	ATTACHMENTS("cni.dev/attachments"),
	FIELDS_END
};

/* One variable: which commands demand it, and what it must look like. */
struct variable {
	const char *name;
	unsigned required; /* bits 1 << enum cni_command */
	const char **(*value)(struct cni_request *request);
	int (*check)(const char *value, struct error *err);
};

static bool is_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

/* Next code point of UTF-8 text; a byte that starts no sequence of up to three bytes stands for
 * nothing known. */
static uint32_t next_rune(const char **text)
{
	const unsigned char *p = (const unsigned char *)*text;
	int n = p[0] >= 0xe0 && p[0] < 0xf0 ? 2 : p[0] >= 0xc2 && p[0] < 0xe0 ? 1 : 0;
	uint32_t rune = n == 2 ? p[0] & 0x0f : n == 1 ? p[0] & 0x1f : p[0] < 0x80 ? p[0] : 0xfffd;

	*text += 1;
	for (int i = 1; i <= n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0xfffd;
		rune = rune << 6 | (p[i] & 0x3f);
	}
	*text += n;
	return rune;
}

static int check_container(const char *container, struct error *err)
{
	if (cni_valid_name(container))
		return 0;
	return cni_fail(err, CNI_INVALID_ENVIRONMENT, container,
			"invalid characters in containerID");
}

static const char **container_of(struct cni_request *request)
{
	return &request->container;
}
static const char **netns_of(struct cni_request *request)
{
	return &request->netns;
}
static const char **ifname_of(struct cni_request *request)
{
	return &request->ifname;
}
static const char **args_of(struct cni_request *request)
{
	return &request->args;
}
static const char **path_of(struct cni_request *request)
{
	return &request->path;
}

#define BIT(command) (1u << CNI_##command)
/* clang-format off */
static const struct variable variables[] = {
	{ "CNI_CONTAINERID", BIT(ADD) | BIT(DEL) | BIT(CHECK), container_of, check_container },
	{ "CNI_NETNS",       BIT(ADD) | BIT(CHECK),            netns_of },
	{ "CNI_IFNAME",      BIT(ADD) | BIT(DEL) | BIT(CHECK), ifname_of, cni_check_ifname },
	{ "CNI_ARGS",        0,                                args_of },
	{ "CNI_PATH",        BIT(ADD) | BIT(DEL) | BIT(CHECK) | BIT(GC) | BIT(STATUS), path_of },
};
/* clang-format on */

/* An empty variable is a missing one. */
static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static enum cni_command command_parse(const char *word)
{
	for (int i = 0; i < CNI_N_COMMANDS; i++)
		if (streq(cni_command_names[i], word))
			return i;
	return CNI_N_COMMANDS;
}

/* Nothing but JSON's white space: the reference's decoder has words of its own for that. */
static bool is_blank(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n')
			return false;
	return true;
}

static int decode_common(struct cni_request *request, struct error *err)
{
	struct cni_common *common = &request->common;
	int r;

	*common = (struct cni_common){ 0 };
	if (!json_is_object(request->config))
		return fail_code(err, CNI_DECODE_FAILURE, EINVAL,
				 "the configuration is not an object");
	r = json_decode(request->config, cni_common_fields, common, request->arena, err);
	if (r < 0 && err)
		err->code = CNI_DECODE_FAILURE;
	return r;
}

static int check_network_name(const char *name, struct error *err)
{
	if (!name || !*name)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "missing network name");
	if (!cni_valid_name(name))
		return cni_fail(err, CNI_INVALID_CONFIG, name,
				"invalid characters found in network name");
	return 0;
}

/* "K=V": a row of the table with that very key. Lists take values separated by commas. */
static int args_pair(const struct field *field, char *value, void *out, struct arena *arena,
		     struct error *err)
{
	char *rest = value;
	int r = 0;

	if (field->type != FIELD_LIST)
		return field_parse(field, value, out, arena, err);
	for (char *word; r >= 0 && (word = strsep(&rest, ","));)
		r = field_parse(field, word, out, arena, err);
	return r;
}

/* Unlike JSON keys, these are compared with case. */
static const struct field *args_field(const struct field *fields, const char *key)
{
	for (; fields && fields->type != FIELD_END; fields++)
		if (streq(fields->key, key))
			return fields;
	return NULL;
}

/* The reference's two spellings each way; anything else is an error, not a no. */
static int parse_ignore(const char *value, bool *ignore, struct error *err)
{
	if (streq(value, "1") || strcasecmp(value, "true") == 0)
		*ignore = true;
	else if (streq(value, "0") || strcasecmp(value, "false") == 0)
		*ignore = false;
	else
		return fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL,
				 "boolean unmarshal error: invalid input %s", value);
	return 0;
}

int cni_fail(struct error *err, int code, const char *details, const char *format, ...)
{
	char message[sizeof(err->message)];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	fail_code(err, code, EINVAL, "%s", message);
	if (err)
		snprintf(err->details, sizeof(err->details), "%s", details);
	return -EINVAL;
}

int request_unchained(const char *text, struct error *err)
{
	cni_fail(
		err, CNI_INVALID_CONFIG,
		"prevResult comes from the plugin before this one in \"plugins\" of a network list",
		"%s", text);
	return error_at(err, "type");
}

bool request_expects(const struct cni_request *request, const char *capability)
{
	return json_true(json_member(request->capabilities, capability));
}

int cni_check_mtu(int mtu, struct error *err)
{
	enum { LEAST = 68, MOST = 65535 }; /* RFC 791 */

	if (mtu == 0 || (mtu >= LEAST && mtu <= MOST))
		return 0;
	return fail_key(err, "mtu", "invalid MTU %d (must be 0 or between %d and %d)", mtu, LEAST,
			MOST);
}

bool cni_valid_name(const char *name)
{
	if (!isalnum((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	return true;
}

int cni_check_ifname(const char *ifname, struct error *err)
{
	if (!*ifname)
		return fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL, "interface name is empty");
	if (strlen(ifname) > 15)
		return cni_fail(err, CNI_INVALID_ENVIRONMENT,
				"interface name should be less than 16 characters",
				"interface name is too long");
	if (streq(ifname, ".") || streq(ifname, ".."))
		return fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL, "interface name is . or ..");
	while (*ifname) {
		uint32_t rune = next_rune(&ifname);

		if (rune == '/' || rune == ':' || is_space(rune))
			return fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL,
					 "interface name contains / or : or whitespace characters");
	}
	return 0;
}

/* Its '='; NULL: it is none. */
static char *find_equals(char *pair, struct error *err)
{
	char *equals = strchr(pair, '=');

	if (equals && !strchr(equals + 1, '='))
		return equals;
	fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL, "ARGS: invalid pair \"%s\"", pair);
	return NULL;
}

int cni_check_args(const char *args, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	char *rest = arena_strdup(&arena, *args ? args : NULL);

	for (char *pair; (pair = strsep(&rest, ";"));)
		if (!find_equals(pair, err))
			return -EINVAL;
	return 0;
}

int request_from_environment(struct cni_request *request, bool *unset, struct error *err)
{
	const char *command = environment("CNI_COMMAND"),
		   *override = environment("CNI_NETNS_OVERRIDE");
	char missing[128] = "";

	*unset = !*command;
	request->command = command_parse(command);
	for (const struct variable *v = variables; v < variables + ARRAY_SIZE(variables); v++) {
		const char *value = *v->value(request) = environment(v->name);
		size_t len = strlen(missing);
		int r;

		if (!(v->required & 1u << request->command))
			continue;
		if (!*value)
			snprintf(missing + len, sizeof(missing) - len, "%s%s", len ? "," : "",
				 v->name);
		else if (v->check && (r = v->check(value, err)) < 0)
			return r;
	}
	request->netns_override = streq(override, "1") || strcasecmp(override, "true") == 0;
	if (*missing)
		return fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL,
				 "required env variables [%s] missing", missing);
	return 0;
}

int request_decode(struct cni_request *request, struct error *err)
{
	if (is_blank(request->config_text, request->config_size))
		return fail_code(err, CNI_DECODE_FAILURE, EINVAL,
				 "error unmarshall network config: unexpected end of JSON input");
	request->config = json_parse(request->config_text, request->config_size, err);
	if (!request->config || decode_common(request, err) < 0)
		return wrap(err, "error unmarshall network config");
	return check_network_name(request->common.name, err);
}

int request_derive(const struct cni_request *parent, struct json *take, struct cni_request *request,
		   struct error *err)
{
	*request = *parent;
	request->config = take;
	request->config_text = json_text(take, JSON_STYLE_COMPACT, parent->arena);
	request->config_size = strlen(request->config_text);
	if (decode_common(request, err) < 0)
		return -err->errnum;
	return check_network_name(request->common.name, err);
}

void request_release(struct cni_request *request)
{
	json_release(take_ptr(request->config));
}

const char *request_version(const struct cni_request *request)
{
	const char *version = request->common.cni_version;

	return version && *version ? version : cni_versions[0];
}

struct owner request_owner(const struct cni_request *request)
{
	return (struct owner){
		.network = request->common.name,
		.container = request->container,
		.ifname = request->ifname,
	};
}

/* Quoted, in a list; no more of them than a message holds. */
static const char *add_unknown(struct arena *arena, const char *unknown, const char *pair)
{
	if (strlen(unknown) >= sizeof(((struct error *)0)->message))
		return unknown;
	return arena_printf(arena, "%s%s\"%s\"", unknown, *unknown ? " " : "", pair);
}

int request_args(const struct cni_request *request, const struct field *fields, void *out,
		 struct error *err)
{
	char *rest = arena_strdup(request->arena,
				  request->args && *request->args ? request->args : NULL);
	const char *unknown = "";
	bool ignore = false;

	for (char *pair; (pair = strsep(&rest, ";"));) {
		const char *text = arena_strdup(request->arena, pair);
		char *value = find_equals(pair, err);
		const struct field *field;
		int r;

		if (!value)
			return -EINVAL;
		*value++ = '\0';
		field = args_field(fields, pair);
		if (streq(pair, "IgnoreUnknown"))
			r = parse_ignore(value, &ignore, err);
		else if (field)
			r = args_pair(field, value, out, request->arena, err);
		else
			r = 0, unknown = add_unknown(request->arena, unknown, text);
		if (r < 0) {
			if (err) /* whatever is wrong with the value: it came in the environment */
				err->code = CNI_INVALID_ENVIRONMENT;
			return wrap(err, "ARGS: error parsing value of pair \"%s\"", text);
		}
	}
	if (*unknown && !ignore)
		return fail_code(err, CNI_INVALID_ENVIRONMENT, EINVAL, "ARGS: unknown args [%s]",
				 unknown);
	return 0;
}

int request_mac_arg(const struct cni_request *request, struct mac *mac, struct error *err)
{
	static const struct field mac_fields[] = {
		{ "MAC", FIELD_MAC, 0, .help = "MAC address of the container's interface" },
		FIELDS_END
	};

	return request_args(request, mac_fields, mac, err);
}

int request_prev_result(const struct cni_request *request, struct cni_result *result,
			struct error *err)
{
	int r;

	if (!request->common.prev_result)
		return -ENOENT;
	r = result_decode(request->common.prev_result, request_version(request), true,
			  request->arena, result, err);
	if (r < 0) {
		error_code(err, CNI_DECODE_FAILURE);
		return wrap(err, "could not parse prevResult");
	}
	return 0;
}

bool request_has_ipam(const struct cni_request *request)
{
	return request->common.ipam.type && request->common.ipam.type[0];
}

int request_lacks_ipam(const char *text, struct error *err)
{
	cni_fail(err, CNI_INVALID_CONFIG, "ipam.type names the plugin that gives out addresses",
		 "%s", text);
	return error_at(err, "ipam");
}
