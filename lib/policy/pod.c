/* See pod.h. */
#include "policy/pod.h"

const char *const direction_names[] = { "ingress", "egress", NULL };
const char *const protocol_names[] = { "TCP", "UDP", "SCTP", NULL };

bool pod_takes_part(const struct pod *pod)
{
	return !pod->finished && !pod->host_network;
}

bool pod_has_ip(const struct pod *pod, const struct ip *ip)
{
	list_each(own, &pod->ips)
		if (ip_equal(own, ip))
			return true;
	return false;
}

uint16_t pod_port(const struct pod *pod, symbol_t name, enum protocol protocol)
{
	list_each(port, &pod->ports)
		if (port->name == name && port->protocol == protocol)
			return port->port;
	return 0;
}
