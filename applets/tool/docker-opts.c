/*
 * docker-opts: options for the Docker daemon out of subnet.env, byte for byte what flannel's mk-docker-opts.sh writes (flannel.md,
 * section 6.2). That script lets a shell read the file; here it is read as lines of KEY=VALUE.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "describe/applet.h"
#include "kernel/route.h"
#include "lease/subnet_env.h"

#include <errno.h>
#include <sys/socket.h>

#define OPTION_PREFIX "DOCKER_OPT_"
enum { ENV_MAX = 64 << 10, OUTPUT_MODE = 0644 };

struct options {
	const char *env_file, *output, *key;
	bool individual, combined, no_masquerade;
};

static const struct options defaults = {
	.env_file = "/run/flannel/subnet.env",
	.output = "/run/docker_opts.env",
	.key = "DOCKER_OPTS",
};

struct option {
	const char *name, *value;
};
typedef LIST(struct option) options_t;

struct lease {
	const char *subnet, *mtu, *masquerade; /* "" = not said */
};

/* ---- what is known ---- */

/* As a shell that sources the file has it: the file's value, else the environment's. No file is none of its values. */
static int read_lease(const char *path, struct arena *arena, struct lease *lease, struct error *err)
{
	static const char *const keys[] = { "FLANNEL_SUBNET", "FLANNEL_MTU", "FLANNEL_IPMASQ" };
	const char **const values[] = { &lease->subnet, &lease->mtu, &lease->masquerade };
	char *text = arena_strdup(arena, "");
	size_t size;
	int r = file_read(path, ENV_MAX, arena, &text, &size, err);

	if (r < 0 && r != -ENOENT)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		*values[i] = r < 0 ? NULL : subnet_env_value(text, keys[i], arena);
		if (!*values[i])
			*values[i] = getenv(keys[i]);
		if (!*values[i])
			*values[i] = "";
	}
	if (r < 0 &&
	    !*lease->subnet) /* the script says nothing, and Docker starts with a subnet of its own */
		log_warning("%s: no such file; the agent writes it: Docker is told of no subnet",
			    path);
	if (err)
		*err = (struct error){ 0 };
	return 0;
}

static void add_option(struct arena *arena, options_t *list, const char *name, const char *value)
{
	list_each(option, list)
		if (streq(option->name, name)) {
			option->value = value;
			return;
		}
	*list_add(arena, list) = (struct option){ name, value };
}

/* Options that the caller's environment has are passed on. */
static void add_environment(struct arena *arena, options_t *list)
{
	for (char **variable = environ; *variable; variable++) {
		const char *equals = strchr(*variable, '=');

		if (equals && has_prefix(*variable, OPTION_PREFIX))
			add_option(arena, list,
				   arena_memdup(arena, *variable, (size_t)(equals - *variable)),
				   equals + 1);
	}
}

/* Who masquerades is one of the two: Docker does when flannel does not. */
static int add_masquerade(struct arena *arena, options_t *list, const char *masquerade,
			  struct error *err)
{
	bool flannel = streq(masquerade, "true");

	if (!*masquerade)
		return 0;
	if (!flannel && !streq(masquerade, "false"))
		return fail(err, EINVAL, "FLANNEL_IPMASQ is \"%s\", neither true nor false",
			    masquerade);
	add_option(arena, list, OPTION_PREFIX "IPMASQ",
		   flannel ? "--ip-masq=false" : "--ip-masq=true");
	return 0;
}

static int compare_options(const void *a, const void *b)
{
	return strcmp(((const struct option *)a)->name, ((const struct option *)b)->name);
}

static int make_list(const struct options *options, const struct lease *lease, struct arena *arena,
		     options_t *list, struct error *err)
{
	add_environment(arena, list);
	if (*lease->subnet)
		add_option(arena, list, OPTION_PREFIX "BIP",
			   arena_printf(arena, "--bip=%s", lease->subnet));
	if (*lease->mtu)
		add_option(arena, list, OPTION_PREFIX "MTU",
			   arena_printf(arena, "--mtu=%s", lease->mtu));
	if (!options->no_masquerade && add_masquerade(arena, list, lease->masquerade, err))
		return -err->errnum;
	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), compare_options);
	return 0;
}

/* ---- what is written ---- */

static const char *output_text(const struct options *options, const options_t *list,
			       struct arena *arena)
{
	bool both = !options->individual && !options->combined;
	const char *before = getenv(options->key), *text = "", *all;

	/* A blank behind what was there, and one in front of each option. */
	all = before && *before ? arena_printf(arena, "%s ", before) : "";
	list_each(option, list) {
		if (both || options->individual)
			text = arena_printf(arena, "%s%s=\"%s\"\n", text, option->name,
					    option->value);
		all = arena_printf(arena, "%s %s", all, option->value);
	}
	if (both || options->combined)
		text = arena_printf(arena, "%s%s=\"%s\"\n", text, options->key, all);
	return text;
}

/* The node's own subnet must not lead to another one: Docker's bridge would be left without its pods. */
static int check_route(const char *subnet, struct arena *arena, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	routes_t routes = { 0 };
	struct cidr own, network;
	char text[CIDR_TEXT_SIZE], gw[IP_TEXT_SIZE];

	if (!cidr_parse(subnet, &own))
		return 0;
	network = cidr_network(&own);
	if (netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, err) ||
	    route_list(nl, own.ip.family, 0, ROUTE_TABLE_MAIN, arena, &routes, err))
		return -err->errnum;
	list_each(route, &routes)
		if (cidr_equal(&route->dst, &network) && route->gw.family)
			return fail(err, EEXIST, "%s, this node's own subnet, has a route via %s",
				    cidr_format(&network, text), ip_format(&route->gw, gw));
	return 0;
}

static int docker_opts_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct lease lease;
	options_t list = { 0 };
	const char *text;

	if (read_lease(options->env_file, call->arena, &lease, err) ||
	    make_list(options, &lease, call->arena, &list, err))
		return -err->errnum;
	text = output_text(options, &list, call->arena);
	if (file_put(options->output, OUTPUT_MODE, text, strlen(text), false, err) < 0)
		return -err->errnum;
	return check_route(lease.subnet, call->arena, err);
}

#define ROW(key_, kind, member, letter_, help_)                                            \
	{                                                                                  \
		.key = (key_), .type = (kind), .offset = offsetof(struct options, member), \
		.letter = (letter_), .help = (help_)                                       \
	}
static const struct field fields[] = {
	ROW("envFile", FIELD_PATH, env_file, 'f', "the subnet file"),
	ROW("output", FIELD_PATH, output, 'd', "file for Docker"),
	ROW("individual", FIELD_BOOL, individual, 'i', "a variable for each option"),
	ROW("combined", FIELD_BOOL, combined, 'c',
	    "a variable for all; without -i and -c there are both"),
	ROW("key", FIELD_STRING, key, 'k', "its name; what it has in the environment comes first"),
	ROW("noMasquerade", FIELD_BOOL, no_masquerade, 'm',
	    "leave --ip-masq out, for old versions of Docker"),
	FIELDS_END,
};

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.run = docker_opts_run,
};

const struct applet applet_docker_opts = {
	.summary = "options for the Docker daemon from the subnet file",
	.about =
		"Writes what flannel's mk-docker-opts.sh writes, byte for byte, with its options, and needs no shell."
		" Run it behind the agent and in front of Docker. Status 1 when FLANNEL_IPMASQ is neither true nor"
		" false (nothing is written), and when the node's own subnet has a route via another node.",
	.example = "cnibox docker-opts -k DOCKER_NETWORK_OPTIONS -d /run/flannel/docker\n"
		   "ln -s /usr/local/bin/cnibox /usr/local/bin/docker-opts && docker-opts -c",
	.run = &run,
};
