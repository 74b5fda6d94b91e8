/*
 * path: a packet from a pod to an address, followed hop by hop through this node's namespaces as the kernel would decide,
 * up to the first thing that would stop it; the walk itself is in lib/node.
 */
#include "agent/peers.h"
#include "describe/applet.h"
#include "describe/json.h"
#include "lease/place.h"
#include "node/path.h"
#include "node/walk.h"

#include <errno.h>

struct options {
	const char *from, *to, *port, *token, *cache_dir;
	struct lease_place place;
	bool json;
};

static const struct options defaults = { .cache_dir = "/var/lib/cni",
					 .place = LEASE_PLACE_DEFAULTS };

#define OPTION(member) offsetof(struct options, member)

static const struct field fields[] = {
	{ "from", FIELD_NETNS, OPTION(from), FIELD_POSITIONAL,
	  .help = "pod: a namespace's name, path, pid, container id or address; host: this node" },
	{ "to", FIELD_NETNS, OPTION(to), FIELD_POSITIONAL,
	  .help = "an address, or a pod as above" },
	{ "port", FIELD_STRING, OPTION(port), FIELD_POSITIONAL, .metavar = "PORT[/PROTO]",
	  .help = "destination port, of tcp (unset), udp or sctp; unset: a ping" },
	{ "continue", FIELD_STRING, OPTION(token), .metavar = "TOKEN",
	  .help = "go on with what the same command printed on the node before" },
	{ "cacheDir", FIELD_PATH, OPTION(cache_dir),
	  .help = "folder where attachments are remembered" },
	LEASE_PLACE_FIELDS(OPTION(place)), /* who is on the other nodes */
	{ "json", FIELD_BOOL, OPTION(json), .letter = 'j', .help = "JSON instead of text" },
	FIELDS_END
};

static int parse_port(const char *word, struct path_query *query, struct error *err)
{
	const char *slash = strchr(word, '/');
	char *end;
	unsigned long port = strtoul(word, &end, 10);

	if (*word < '0' || *word > '9' || end != (slash ? slash : word + strlen(word)) || !port ||
	    port > UINT16_MAX || !protocol_parse(slash ? slash + 1 : "tcp", &query->protocol))
		return fail(err, USAGE_ERROR,
			    "\"%s\" is not PORT or PORT/PROTO, such as 80 or 53/udp", word);
	query->port = (uint16_t)port;
	return 0;
}

static int read_options(const struct options *options, struct path_query *query, struct error *err)
{
	*query = (struct path_query){ .from = options->from,
				      .to = options->to,
				      .token = options->token };
	if (options->token && options->from)
		return fail(err, USAGE_ERROR, "--continue stands for FROM, TO and PORT");
	if (!options->token && !options->to)
		return fail(err, USAGE_ERROR, "say FROM and TO, or --continue TOKEN");
	return options->port ? parse_port(options->port, query, err) : 0;
}

/* Without a store, nothing is known of other nodes; that is told, unless there is none at all. */
static void find_peers(const struct invocation *call, const struct scene *scene,
		       const struct options *options, peer_states_t *states,
		       struct path_query *query)
{
	struct error err = { 0 };
	char line[sizeof(err.message)];
	int r = scene_enter(scene, scene->here, &err);

	if (r >= 0)
		r = peers_ask(scene->here->nl, &options->place, scene->arena, states, &err);
	if (r >= 0)
		query->peers = states;
	call_step(call, NULL);
	if (r < 0 && r != -ENOENT)
		fprintf(stderr, "leases of other nodes: %s\n",
			error_line(&err, line, sizeof(line)));
}

static bool has_large(const struct path *path)
{
	list_each(hop, &path->hops)
		list_each(fact, &hop->facts)
			if (fact->level >= PATH_LARGE)
				return true;
	return false;
}

/* Status 1: something is in the way, if only of large packets. */
static int path_run(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct scene scene auto_scene = { 0 };
	struct path_query query;
	peer_states_t states = { 0 };
	struct path path;
	int r = read_options(options, &query, err);

	if (r < 0)
		return r;
	call_step(call, "looking at the node, and for leases");
	r = scene_load(&scene, options->cache_dir, call->arena, err);
	if (r < 0)
		return r;
	find_peers(call, &scene, options, &states, &query);
	r = path_follow(&scene, &query, &path, err);
	if (r < 0)
		return r;
	if (options->json) {
		auto_json struct json *json = json_encode(path_fields, &path);

		fprintf(call->out, "%s\n", json_text(json, JSON_STYLE_INDENT, call->arena));
	} else {
		path_print(call->out, &path, call->colour);
	}
	return has_large(&path);
}

static const struct verb run = {
	.fields = fields,
	.size = sizeof(struct options),
	.defaults = &defaults,
	.needs = NEEDS_SYS_ADMIN,
	.run = path_run,
};

const struct applet applet_path = {
	.summary = "follow a packet from a pod, and say what would stop it",
	.about =
		"Follows a packet hop by hop through the namespaces of this node, as the kernel would "
		"decide: route and rule, neighbour and forwarding entry, bridge port, VLAN, VXLAN device or "
		"relay with the other node's lease, port map, masquerade, packet filter, MTU, forwarding, "
		"rp_filter and br_netfilter. Nothing is sent and nothing is changed.\n\n"
		"The first thing that would stop the packet is marked with X, with the reason and a command "
		"that mends it; !! marks what stops large packets only, ! what is unusual. When it "
		"arrives, the answer is followed back. Where it leaves for another node, a token is printed "
		"with which the command goes on there.\n\n"
		"Exit status: 0 nothing is in the way, 1 something is.",
	.example = "cnibox path blue 10.1.0.7 80\n"
		   "cnibox path blue red\n"
		   "cnibox path 203.0.113.9 192.0.2.1 8080/tcp\n"
		   "cnibox path --continue 10.5.1.2,10.5.2.3,TCP,80,1450,vxlan,1,192.0.2.2",
	.run = &run,
};
