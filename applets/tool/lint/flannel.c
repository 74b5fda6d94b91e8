/* The configuration of a network that nodes share: net-conf.json, as lib/lease reads it and lib/agent serves it. */
#include "lint.h"

#include "agent/way.h"
#include "lease/network.h"

#include <sys/socket.h>

struct checking {
	struct arena *arena;
	struct network network; /* its problems only */
};

/* By a key that no other configuration has. */
bool lint_is_flannel(const struct json *json)
{
	static const char *const keys[] = { "Network", "IPv6Network", "EnableIPv6", "Backend",
					    "SubnetLen" };

	if (json_member(json, "type") || json_member(json, "plugins") ||
	    json_member(json, "cniVersion"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_member(json, keys[i]))
			return true;
	return false;
}

static void report(void *arg, bool is_error, const char *text)
{
	struct checking *checking = arg;

	network_report(checking->arena, &checking->network, is_error, "", text);
}

static void say_family(struct lint_session *session, const struct network_family *family,
		       bool allocates, struct subject *subject)
{
	char network[CIDR_TEXT_SIZE], first[IP_TEXT_SIZE], last[IP_TEXT_SIZE];
	struct arena *arena = session->arena;

	if (!family->enabled)
		return;
	cidr_format(&family->network, network);
	*list_add(arena, &subject->words) =
		allocates
			? arena_printf(arena, "%s: each node gets a /%d, the first %s, the last %s",
				       network, family->subnet_len, ip_format(&family->min, first),
				       ip_format(&family->max, last))
			: arena_printf(arena, "%s: each node has the podCIDR of its Node object",
				       network);
}

static void check_backend(struct checking *checking, const struct network_backend *backend)
{
	const struct way *way;
	struct error err = { 0 };

	if (backend->by_default)
		network_blame(checking->arena, &checking->network, false, "Backend",
			      "missing: it means udp, which is slow; vxlan is usual");
	else if (way_find(backend->type, &way, &err) < 0)
		network_blame(checking->arena, &checking->network, true, "Backend.Type",
			      err.message);
}

static void judge(struct lint_session *session, struct checking *checking,
		  const struct source *source, bool allocates)
{
	struct arena *arena = session->arena;
	struct network_config config;
	struct error err = { 0 };
	struct subject *subject;

	if (network_config_decode(source->text, source->size, allocates, arena, &config, &err) <
	    0) {
		network_refuse(arena, &checking->network, true, "", &err);
		return;
	}
	check_backend(checking, &config.backend);
	subject = list_add(arena, &session->subjects);
	*subject = (struct subject){ .file = source->file, .kind = "flannel" };
	say_family(session, &config.v4, allocates, subject);
	say_family(session, &config.v6, allocates, subject);
	*list_add(arena, &subject->words) =
		arena_printf(arena, "nodes reach each other by %s", config.backend.type);
}

void lint_flannel(struct lint_session *session, const struct source *source,
		  const struct json *json, bool allocates)
{
	struct checking checking = { .arena = session->arena };

	if (network_config_check(json, session->arena, report, &checking) >= 0)
		judge(session, &checking, source, allocates);
	lint_take(session, source, &checking.network.problems);
}
