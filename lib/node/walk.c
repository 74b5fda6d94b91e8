/* What a walk tells: hops and their facts. */
#include "node/walk.h"

#include <stdarg.h>
#include <stdio.h>

void walk_hop(struct walk *walk, const struct place *place, const char *device)
{
	*list_add(walk->scene->arena, &walk->path->hops) =
		(struct path_hop){ .place = place->name, .device = device, .answer = walk->back };
}

static struct path_fact *add_fact(struct walk *walk)
{
	struct path *path = walk->path;

	return list_add(walk->scene->arena, &path->hops.items[path->hops.n - 1].facts);
}

void walk_tell(struct walk *walk, const char *what, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	*add_fact(walk) =
		(struct path_fact){ .what = what, .text = arena_strdup(walk->scene->arena, text) };
}

void walk_note(struct walk *walk, enum path_level level, const char *what, const char *text,
	       const char *why, const char *remedy)
{
	*add_fact(walk) = (struct path_fact){
		.what = what, .text = text, .level = level, .why = why, .remedy = remedy
	};
}

int walk_stop(struct walk *walk, const char *what, const char *text, const char *why,
	      const char *remedy)
{
	walk_note(walk, PATH_STOP, what, text, why, remedy);
	walk->path->stopped = true;
	walk->path->verdict = walk_text(walk, "%s: %s", what, text);
	return WALK_ENDED;
}

const char *walk_ip(struct walk *walk, const struct ip *ip)
{
	char text[IP_TEXT_SIZE];

	return arena_strdup(walk->scene->arena, ip_format(ip, text));
}

const char *walk_mac(struct walk *walk, const struct mac *mac)
{
	char text[MAC_TEXT_SIZE];

	return arena_strdup(walk->scene->arena, mac_format(mac, text));
}

const struct peer_state *walk_peer(const struct walk *walk, const struct ip *ip)
{
	if (walk->query->peers)
		list_each(state, walk->query->peers)
			if (state->subnet.ip.family == ip->family &&
			    cidr_contains(&state->subnet, ip))
				return state;
	return NULL;
}
