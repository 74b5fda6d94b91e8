/*
 * dhcp: addresses from a DHCP server (cni-plugins.md, section 2.12). A lease outlives the call that asks for it, so there
 * are two parts: the plugin, which says what is wanted, and `dhcp daemon`, which asks, renews and releases. They talk
 * over a socket (lib/dhcp/call.h); everything that needs no daemon is decided here.
 */
#include "base/log.h"
#include "cni/plugin.h"
#include "describe/applet.h"
#include "describe/table.h"
#include "dhcp/call.h"
#include "dhcp/daemon.h"
#include "kernel/netns.h"
#include "kernel/route.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>

struct provide {
	const char *option, *value, *from_arg;
};
struct request_option {
	bool skip_default;
	const char *option;
};

struct dhcp_conf {
	struct {
		const char *socket;
		LIST(struct provide) provide;
		LIST(struct request_option) request;
		uint32_t priority;
	} ipam;
	struct dhcp_options options; /* settled by validate */
};

/* ---- configuration ---- */

/* clang-format off */
#define PROVIDE(member) offsetof(struct provide, member)
static const struct field provide_fields[] = {
	{ "option",  FIELD_STRING, PROVIDE(option),   .flags = FIELD_REQUIRED,
	  .help = "dhcp-client-identifier, host-name, user-class, vendor-class-identifier ..., or a number" },
	{ "value",   FIELD_STRING, PROVIDE(value),    .help = "its value, at most 255 bytes" },
	{ "fromArg", FIELD_STRING, PROVIDE(from_arg), .help = "key of CNI_ARGS that has the value, when it is there" },
	FIELDS_END
};

#define REQUEST(member) offsetof(struct request_option, member)
static const struct field request_fields[] = {
	{ "skipDefault", FIELD_BOOL,   REQUEST(skip_default), .help = "do not ask for routers and subnet-mask unless listed" },
	{ "option",      FIELD_STRING, REQUEST(option),       .help = "name or number of an option to ask for" },
	FIELDS_END
};

#define CONF(member) offsetof(struct dhcp_conf, member)
#define IPAM(member) (CONF(ipam.member) - CONF(ipam))
static const struct field ipam_fields[] = {
	{ "daemonSocketPath", FIELD_PATH,   IPAM(socket),   .help = "socket of the daemon" },
	{ "provide",          FIELD_LIST,   IPAM(provide),  .element = FIELD_OBJECT, .size = sizeof(struct provide),
	  .fields = provide_fields, .help = "options to send to the server" },
	{ "request",          FIELD_LIST,   IPAM(request),  .element = FIELD_OBJECT, .size = sizeof(struct request_option),
	  .fields = request_fields, .help = "options to ask the server for" },
	{ "priority",         FIELD_UINT32, IPAM(priority), .help = "metric of the routes" },
	FIELDS_END
};
static const struct field ipam_del_fields[] = {
	{ "daemonSocketPath", FIELD_PATH, IPAM(socket) },
	FIELDS_END
};
static const struct field fields[] = {
	{ "ipam", FIELD_OBJECT, CONF(ipam), .fields = ipam_fields, .help = "configuration of the address management" },
	FIELDS_END
};
static const struct field del_fields[] = {
	{ "ipam", FIELD_OBJECT, CONF(ipam), .fields = ipam_del_fields },
	FIELDS_END
};
/* clang-format on */

static const struct dhcp_conf defaults = { .ipam.socket = DHCP_SOCKET };

/* The value of a key in CNI_ARGS, which others fill, too: what is unknown is none of our business. */
static const char *cni_arg(const struct cni_request *request, const char *key)
{
	char *rest = arena_strdup(request->arena, request->args ? request->args : "");

	for (char *pair; key && *key && (pair = strsep(&rest, ";"));) {
		char *value = strchr(pair, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (streq(pair, key))
			return value;
	}
	return NULL;
}

/* A later value for an option replaces an earlier one. */
static void provide_option(struct dhcp_options *options, int code, const char *value,
			   struct arena *arena)
{
	list_each(option, &options->provide)
		if (option->code == code) {
			option->value = value;
			return;
		}
	*list_add(arena, &options->provide) = (struct dhcp_option){ code, value };
}

static int settle_provide(const struct cni_request *request, struct dhcp_conf *conf,
			  struct error *err)
{
	list_each(provide, &conf->ipam.provide) {
		const char *arg = cni_arg(request, provide->from_arg);
		const char *value = arg ? arg : provide->value;
		int code;

		if (dhcp_option_parse(provide->option, &code, err))
			return wrap(err, "ipam.provide"), error_at(err, "ipam.provide");
		if (!value || !*value)
			continue;
		if (strlen(value) > DHCP_VALUE_MAX)
			return fail_code(err, arg ? CNI_INVALID_ENVIRONMENT : CNI_INVALID_CONFIG,
					 EINVAL, "value too long for option \"%s\"%s%s: \"%s\"",
					 provide->option, arg ? " from CNI_ARGS " : "",
					 arg ? provide->from_arg : "", value);
		provide_option(&conf->options, code, value, request->arena);
	}
	return 0;
}

static void request_option(struct dhcp_options *options, int code, struct arena *arena)
{
	list_each(known, &options->request)
		if (*known == code)
			return;
	*list_add(arena, &options->request) = code;
}

static int settle_request(const struct cni_request *request, struct dhcp_conf *conf,
			  struct error *err)
{
	bool skip_default = false;

	list_each(wanted, &conf->ipam.request) {
		int code;

		skip_default |= wanted->skip_default;
		if (!wanted->option || !*wanted->option)
			continue;
		if (dhcp_option_parse(wanted->option, &code, err))
			return wrap(err, "ipam.request"), error_at(err, "ipam.request");
		request_option(&conf->options, code, request->arena);
	}
	if (skip_default)
		return 0;
	request_option(&conf->options, DHCP_ROUTERS, request->arena);
	request_option(&conf->options, DHCP_SUBNET_MASK, request->arena);
	return 0;
}

static int dhcp_validate(const struct cni_request *request, void *data, struct error *err)
{
	struct dhcp_conf *conf = data;

	if (!conf->ipam.socket || !*conf->ipam.socket)
		conf->ipam.socket = DHCP_SOCKET;
	if (request->command != CNI_ADD && request->command != CNI_CHECK)
		return 0;
	conf->options.client_id = dhcp_client_id(request->container, request->common.name,
						 request->ifname, request->arena);
	if (settle_provide(request, conf, err) || settle_request(request, conf, err))
		return -err->errnum;
	return 0;
}

/* ---- calls ---- */

/* What one call asks of the daemon, with the container's namespace when it has one. */
static int ask(const struct cni_request *request, const struct dhcp_conf *conf,
	       struct dhcp_call *call, struct dhcp_answer *answer, struct error *err)
{
	auto_close int fd = -1, netns = -1;
	char path[PATH_MAX];

	call->protocol = CALL_PROTOCOL;
	call->network = request->common.name;
	call->container = request->container;
	call->ifname = request->ifname;
	call->netns = request->netns;
	call->options = conf->options;
	if (call->verb == CALL_ALLOCATE || call->verb == CALL_CHECK) {
		if (netns_open(request->netns, &netns, err)) {
			wrap(err, "failed to open netns \"%s\"", request->netns);
			return error_code(err, CNI_INVALID_NETNS);
		}
		if (*request->netns != '/' && realpath(request->netns, path))
			call->netns = arena_strdup(request->arena, path);
	}
	if (call_dial(conf->ipam.socket, &fd, err))
		return -err->errnum;
	if (call_ask(fd, call, netns, request->arena, answer, err) == 0)
		return 0;
	if (call->verb == CALL_ALLOCATE || call->verb == CALL_CHECK)
		return wrap(err, "error calling DHCP.Allocate"); /* the reference's words */
	return wrap(err, "error calling the DHCP daemon");
}

static void add_routes(const struct dhcp_lease *lease, uint32_t priority, struct cni_result *result,
		       struct arena *arena)
{
	list_each(route, &lease->routes)
		*list_add(arena, &result->routes) = (struct cni_route){
			.dst = route->dst,
			.gw = route->gw,
			.priority = priority,
			.has_scope = route->on_link,
			.scope = route->on_link ? ROUTE_SCOPE_LINK : 0,
		};
}

static int dhcp_add(struct cni_request *request, void *data, struct cni_result *result,
		    struct error *err)
{
	struct dhcp_conf *conf = data;
	struct dhcp_call call = { .verb = CALL_ALLOCATE };
	struct dhcp_answer answer = { 0 };
	struct arena *arena = request->arena;
	char text[IP_TEXT_SIZE];

	if (ask(request, conf, &call, &answer, err))
		return -err->errnum;
	if (!answer.has_lease)
		return fail(err, EPROTO, "the DHCP daemon says neither yes nor no");
	*list_add(arena, &result->ips) = (struct cni_ip){
		.address = answer.lease.address,
		.gateway = answer.lease.gateway,
	};
	add_routes(&answer.lease, conf->ipam.priority, result, arena);
	list_each(ip, &answer.lease.name_servers)
		*list_add(arena, &result->dns.nameservers) =
			arena_strdup(arena, ip_format(ip, text));
	result->dns.domain = answer.lease.domain;
	return 0;
}

/* Nobody who would know our lease: not there, or the reference's, which is no friend. */
static bool is_nobody(const struct error *err)
{
	return err->errnum == EPROTO || strncmp(err->message, "error dialing", 13) == 0;
}

/* The server gets the address back by the lease's end; what a daemon would take up again is removed. */
static int dhcp_del(struct cni_request *request, void *data, struct error *err)
{
	struct dhcp_conf *conf = data;
	const struct owner owner = request_owner(request);
	struct dhcp_call call = { .verb = CALL_RELEASE };
	struct dhcp_answer answer = { 0 };
	struct error why = { 0 };

	if (ask(request, conf, &call, &answer, &why) == 0)
		return 0;
	if (!is_nobody(&why)) {
		*err = why;
		return -err->errnum;
	}
	store_remove(store_folder(conf->ipam.socket, request->arena), &owner);
	log_warning("dhcp: the address is not released: %s", why.message);
	return 0;
}

/* The address that the runtime remembers for this interface, not set = none. */
static struct ip remembered(const struct cni_request *request, const struct cni_result *prev)
{
	list_each(ip, &prev->ips) {
		const struct cni_interface *interface =
			ip->has_interface && ip->interface >= 0 &&
					(size_t)ip->interface < prev->interfaces.n
				? &prev->interfaces.items[ip->interface]
				: NULL;

		if (ip->address.ip.family == AF_INET &&
		    (!interface || (interface->sandbox && interface->name &&
				    streq(interface->name, request->ifname))))
			return ip->address.ip;
	}
	return (struct ip){ 0 };
}

static int dhcp_check(struct cni_request *request, void *data, struct error *err)
{
	struct dhcp_conf *conf = data;
	struct dhcp_call call = { .verb = CALL_CHECK };
	struct dhcp_answer answer = { 0 };
	struct cni_result prev = { 0 };
	char leased[IP_TEXT_SIZE], known[IP_TEXT_SIZE];
	int r = request_prev_result(request, &prev, err);

	if (r < 0 && r != -ENOENT)
		return r;
	call.address = remembered(request, &prev);
	if (ask(request, conf, &call, &answer, err))
		return -err->errnum;
	if (call.address.family && !ip_equal(&call.address, &answer.lease.address.ip))
		return fail(err, ESTALE, "dhcp: container %s has a lease of %s, prevResult says %s",
			    request->container, ip_format(&answer.lease.address.ip, leased),
			    ip_format(&call.address, known));
	return 0;
}

/* Without a daemon: nobody releases, but none of these is taken up again. */
static int gc_store(struct cni_request *request, const struct dhcp_conf *conf, struct error *err)
{
	const char *folder = store_folder(conf->ipam.socket, request->arena);
	dhcp_records_t records = { 0 };

	if (store_read(folder, request->arena, &records, NULL, err))
		return -err->errnum;
	list_each(record, &records) {
		const struct owner owner = { record->network, record->container, record->ifname };

		if (streq(owner.network, request->common.name) &&
		    !owners_have(&request->common.attachments, owner.container, owner.ifname))
			store_remove(folder, &owner);
	}
	return 0;
}

static int dhcp_gc(struct cni_request *request, void *data, struct error *err)
{
	struct dhcp_call call = { .verb = CALL_GC, .attachments = request->common.attachments };
	struct dhcp_answer answer = { 0 };
	struct error why = { 0 };

	if (ask(request, data, &call, &answer, &why) == 0)
		return 0;
	if (is_nobody(&why) && why.errnum != EPROTO)
		return gc_store(request, data, err);
	*err = why;
	return -err->errnum;
}

static int dhcp_status(struct cni_request *request, void *data, struct error *err)
{
	struct dhcp_call call = { .verb = CALL_STATUS };
	struct dhcp_answer answer = { 0 };

	if (ask(request, data, &call, &answer, err) < 0) {
		err->code = CNI_NOT_AVAILABLE;
		return -err->errnum;
	}
	return 0;
}

static const struct cni_plugin plugin = {
	.fields = fields,
	.is_ipam = true,
	.del_fields = del_fields,
	.size = sizeof(struct dhcp_conf),
	.defaults = &defaults,
	.load_context = "error parsing netconf",
	.validate = dhcp_validate,
	.add = dhcp_add,
	.del = dhcp_del,
	.check = dhcp_check,
	.gc = dhcp_gc,
	.status = dhcp_status,
	.needs_link = true,
};

/* ---- dhcp daemon ---- */

struct daemon_options {
	const char *pidfile, *hostprefix, *socketpath;
	bool broadcast;
	int64_t timeout, resendmax, resendtimeout;
};

static const struct daemon_options daemon_defaults = {
	.socketpath = DHCP_SOCKET,
	.timeout = 10000,
	.resendmax = 62000,
	.resendtimeout = 208000,
};

/* clang-format off */
#define DAEMON(member) .offset = offsetof(struct daemon_options, member), .flags = FIELD_ONE_DASH
#define AT_LEAST_A_SECOND .min = 1000, .max = (int64_t)24 * 3600 * 1000
static const struct field daemon_fields[] = {
	{ "pidfile",       FIELD_PATH,     DAEMON(pidfile),       .help = "file for the process id" },
	{ "hostprefix",    FIELD_PATH,     DAEMON(hostprefix),    .metavar = "DIR",
	  .help = "folder where the host's root is, for a daemon in a container" },
	{ "socketpath",    FIELD_PATH,     DAEMON(socketpath),    .help = "socket to listen at" },
	{ "broadcast",     FIELD_BOOL,     DAEMON(broadcast),     .help = "ask servers to answer to all" },
	{ "timeout",       FIELD_DURATION, DAEMON(timeout),       AT_LEAST_A_SECOND,
	  .help = "longest wait for the answer to a request" },
	{ "resendmax",     FIELD_DURATION, DAEMON(resendmax),     AT_LEAST_A_SECOND,
	  .help = "longest pause between two messages" },
	{ "resendtimeout", FIELD_DURATION, DAEMON(resendtimeout), AT_LEAST_A_SECOND,
	  .help = "longest wait for a lease" },
	FIELDS_END
};
/* clang-format on */

static void note(const char *line)
{
	log_info("dhcp: %s", line);
}

static int run_daemon(struct invocation *call unused, void *data, struct error *err)
{
	const struct daemon_options *options = data;
	const struct dhcp_daemon daemon = {
		.socket = options->socketpath,
		.pid_file = options->pidfile,
		.host_prefix = options->hostprefix,
		.timings = { .timeout_ms = options->timeout,
			     .resend_max_ms = options->resendmax,
			     .resend_total_ms = options->resendtimeout,
			     .broadcast = options->broadcast },
		.note = note,
	};

	if (!getenv("CNIBOX_LOG"))
		log_level = LOG_INFO; /* a daemon says what it does */
	return dhcp_daemon_run(&daemon, err);
}

/* ---- dhcp leases ---- */

struct leases_options {
	const char *socketpath;
	bool json;
};

static const struct leases_options leases_defaults = { .socketpath = DHCP_SOCKET };

/* clang-format off */
#define LEASES(member) offsetof(struct leases_options, member)
static const struct field leases_fields[] = {
	{ "socketpath", FIELD_PATH, LEASES(socketpath), .flags = FIELD_ONE_DASH, .help = "socket of the daemon" },
	{ "json",       FIELD_BOOL, LEASES(json),       .letter = 'j', .help = "JSON instead of text" },
	FIELDS_END
};

/* For people: times as they say them, nothing that is the same in every row. */
struct line {
	const char *network, *container, *ifname, *address, *server, *state, *ends, *renews;
};
#define LINE(member) FIELD_STRING, offsetof(struct line, member)
static const struct field line_fields[] = {
	{ "network",   LINE(network) },
	{ "container", LINE(container) },
	{ "ifname",    LINE(ifname) },
	{ "address",   LINE(address) },
	{ "server",    LINE(server) },
	{ "state",     LINE(state) },
	{ "renewsIn",  LINE(renews) },
	{ "endsIn",    LINE(ends) },
	FIELDS_END
};
/* clang-format on */

static const char *time_text(const struct dhcp_entry *entry, int64_t seconds, struct arena *arena)
{
	if (entry->forever)
		return "never";
	if (!entry->usable || seconds < 0)
		return NULL;
	if (seconds >= 3600)
		return arena_printf(arena, "%dh%02dm", (int)(seconds / 3600),
				    (int)(seconds / 60 % 60));
	return seconds >= 60
		       ? arena_printf(arena, "%dm%02ds", (int)(seconds / 60), (int)(seconds % 60))
		       : arena_printf(arena, "%ds", (int)seconds);
}

static void print_lines(FILE *out, const struct dhcp_answer *answer, struct arena *arena)
{
	LIST(struct line) lines = { 0 };
	char text[CIDR_TEXT_SIZE];

	list_each(entry, &answer->leases)
		*list_add(arena, &lines) = (struct line){
			.network = entry->network,
			.container = entry->container,
			.ifname = entry->ifname,
			.address = arena_strdup(arena, entry->address.ip.family
							       ? cidr_format(&entry->address, text)
							       : NULL),
			.server = arena_strdup(arena, ip_format(&entry->server, text)),
			.state = dhcp_state_names[entry->state],
			.renews = time_text(entry, entry->renews, arena),
			.ends = time_text(entry, entry->expires, arena),
		};
	table_print(out, line_fields, lines.items, lines.n, sizeof(struct line), false);
}

static int run_leases(struct invocation *call, void *data, struct error *err)
{
	const struct leases_options *options = data;
	const struct dhcp_call list = { .protocol = CALL_PROTOCOL, .verb = CALL_LIST };
	struct dhcp_answer answer = { 0 };
	auto_close int fd = -1;

	if (call_dial(options->socketpath, &fd, err) ||
	    call_ask(fd, &list, -1, call->arena, &answer, err))
		return -err->errnum;
	if (options->json)
		table_print(call->out, dhcp_entry_fields, answer.leases.items, answer.leases.n,
			    sizeof(struct dhcp_entry), true);
	else
		print_lines(call->out, &answer, call->arena);
	if (!answer.leases.n && !options->json)
		fprintf(stderr, "the daemon at %s holds no leases\n", options->socketpath);
	return 0;
}

static const struct verb verbs[] = { {
					     .name = "daemon",
					     .summary = "ask for leases, renew and release them",
					     .fields = daemon_fields,
					     .size = sizeof(struct daemon_options),
					     .defaults = &daemon_defaults,
					     .needs = NEEDS_SYS_ADMIN | NEEDS_NET_ADMIN,
					     .run = run_daemon,
				     },
				     {
					     .name = "leases",
					     .summary = "what the daemon has leased",
					     .fields = leases_fields,
					     .size = sizeof(struct leases_options),
					     .defaults = &leases_defaults,
					     .run = run_leases,
				     },
				     { 0 } };

const struct applet applet_dhcp = {
	.summary = "addresses from a DHCP server, kept by a daemon",
	.about =
		"IPAM plugin for networks that have a DHCP server, with a daemon that must run on the node: `dhcp daemon`, "
		"started at boot, by systemd's socket activation if wanted. It takes the reference's command line (-socketpath "
		"and so on) and listens at the same socket.\n\n"
		"The plugin and the daemon must both be cnibox's: with the reference's they share the socket's path, not the "
		"protocol, and say so when they meet. To switch a node over, stop the reference's daemon and start this one; "
		"CHECK then takes over the lease of each container that runs, by asking the server for the address it has.\n\n"
		"Leases are kept beside the socket (/run/cni/dhcp.leases): a daemon that is started again goes on with them. A "
		"lease that is lost, since the server does not extend it, costs the interface its address and sets it down; the "
		"same address is asked for until it is given again or the container is removed.",
	.example =
		"{ \"cniVersion\": \"1.0.0\", \"name\": \"lan\", \"type\": \"macvlan\", \"master\": \"eth0\",\n"
		"  \"ipam\": { \"type\": \"dhcp\",\n"
		"    \"provide\": [ { \"option\": \"host-name\", \"fromArg\": \"K8S_POD_NAME\" } ] } }\n"
		"\n"
		"cnibox dhcp daemon -pidfile /run/cni/dhcp.pid\n"
		"cnibox dhcp leases",
	.plugin = &plugin,
	.verbs = verbs,
};
