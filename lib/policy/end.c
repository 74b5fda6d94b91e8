/* See end.h. */
#include "policy/end.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

struct end end_of_pod(const struct world *world, const struct pod *pod, struct arena *arena)
{
	return (struct end){ .text = pod_text(world, pod, arena),
			     .pod = pod_takes_part(pod) ? pod : NULL,
			     .ips = pod->ips };
}

struct end end_of_ip(const struct world *world, const struct ip *ip, struct arena *arena)
{
	char text[IP_TEXT_SIZE];
	struct end end = { .text = arena_strdup(arena, ip_format(ip, text)),
			   .pod = world_pod_by_ip(world, ip) };

	*list_add(arena, &end.ips) = *ip;
	return end;
}

int end_find(const struct world *world, const char *word, struct arena *arena, struct end *end,
	     struct error *err)
{
	const char *slash = strchr(word, '/');
	const char *space = slash ? arena_memdup(arena, word, (size_t)(slash - word)) : "default";
	const char *name = slash ? slash + 1 : word;
	const struct pod *pod;
	struct ip ip;

	if (ip_parse(word, &ip)) {
		*end = end_of_ip(world, &ip, arena);
		return 0;
	}
	pod = world_pod(world, space, name);
	if (!pod)
		return fail(err, ENOENT, "no pod \"%s\" in namespace \"%s\"", name, space);
	if (pod->finished)
		return fail(err, EINVAL, "pod %s/%s has finished: its address is not its own",
			    space, name);
	*end = end_of_pod(world, pod, arena);
	return 0;
}

int end_port(const char *word, enum protocol *protocol, uint16_t *port, struct error *err)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(word, &end, 10);
	*protocol = PROTOCOL_TCP;
	if (*end == '/')
		for (*protocol = 0; protocol_names[*protocol]; ++*protocol)
			if (!strcasecmp(protocol_names[*protocol], end + 1))
				break;
	if (*word < '0' || *word > '9' || errno || number < 1 || number > 65535 ||
	    (*end && *end != '/') || !protocol_names[*protocol])
		return fail(err, EINVAL,
			    "\"%s\" is not a port: 1..65535, with /tcp, /udp or /sctp behind it",
			    word);
	*port = (uint16_t)number;
	return 0;
}

static const struct ip *ip_of_family(const ips_t *ips, int family)
{
	list_each(ip, ips)
		if (ip->family == family)
			return ip;
	return NULL;
}

size_t end_connections(const struct end *from, const struct end *to, enum protocol protocol,
		       uint16_t port, struct connection connections[2])
{
	static const int families[] = { AF_INET, AF_INET6 };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct ip *from_ip = ip_of_family(&from->ips, families[i]);
		const struct ip *to_ip = ip_of_family(&to->ips, families[i]);

		if (from_ip && to_ip)
			connections[n++] = (struct connection){
				{ from->pod, *from_ip }, { to->pod, *to_ip }, protocol, port
			};
	}
	if (!n && (!from->ips.n || !to->ips.n))
		connections[n++] = (struct connection){
			.from.pod = from->pod, .to.pod = to->pod, .protocol = protocol, .port = port
		};
	return n;
}
