/* See cut.h. */
#include "policy/cut.h"

#include <netinet/in.h>

#include "kernel/addr.h"
#include "kernel/conntrack.h"

static int own_addresses(struct arena *arena, addrs_t *addrs, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	int r = netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, err);

	return r < 0 ? r : addr_list(nl, 0, 0, arena, addrs, err);
}

static bool is_own(const addrs_t *own, const struct ip *ip)
{
	list_each(addr, own)
		if (ip_equal(&addr->cidr.ip, ip))
			return true;
	return false;
}

static enum protocol protocol_of(uint8_t number)
{
	return number == IPPROTO_TCP    ? PROTOCOL_TCP
	       : number == IPPROTO_UDP  ? PROTOCOL_UDP
	       : number == IPPROTO_SCTP ? PROTOCOL_SCTP
					: PROTOCOL_OTHER;
}

/* As FORWARD saw its first packet: the destination is translated already, the source not yet. */
static bool is_denied(const struct compiled *compiled, const addrs_t *own, const struct flow *flow)
{
	const struct packet packet = {
		.from = flow->source,
		.to = flow->reply_source,
		.protocol = protocol_of(flow->protocol),
		.port = flow->reply_port,
	};

	return !compiled_allows(compiled, &packet) && !is_own(own, &packet.from) &&
	       !is_own(own, &packet.to);
}

int flows_cut(const struct compiled *compiled, size_t *n, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	auto_arena struct arena arena = { 0 };
	addrs_t own = { 0 };
	flows_t flows = { 0 };
	int r;

	*n = 0;
	if (!conntrack_any())
		return 0;
	r = own_addresses(&arena, &own, err);
	if (r == 0)
		r = conntrack_open(&nl, err);
	if (r == 0)
		r = conntrack_list(nl, &(struct flow_filter){ 0 }, &arena, &flows, err);
	if (r < 0)
		return wrap(err, "cut connections");
	list_each(flow, &flows)
		if (is_denied(compiled, &own, flow)) {
			conntrack_queue_del(nl, flow);
			++*n;
		}
	r = netlink_commit(nl, err);
	return r < 0 ? wrap(err, "cut connections") : 0;
}
