/*
 * Connections that the kernel remembers. One that began before its port was mapped goes on to wherever it went, and one
 * through a mapping that is gone goes on to nobody: for UDP, where a client sends from one port for ever, both last as
 * long as it sends. Only what belongs to the mapping is forgotten: a port of another host that has the same number is
 * somebody else's business.
 */
#include <netinet/in.h>

#include "base/log.h"
#include "firewall/portmap_rules.h"
#include "kernel/addr.h"
#include "kernel/conntrack.h"

#define SINGLE_PORTS 4 /* up to so many the kernel is asked port by port */

struct forgetting {
	struct arena arena;
	struct netlink *nl;
	addrs_t local; /* of the host, when listed */
	bool listed;
};

/* Only what went to this host can have gone through an entry without an address. */
static bool is_local(struct forgetting *forgetting, const struct ip *ip)
{
	auto_netlink struct netlink *nl = NULL;

	if (ip_is_loopback(ip))
		return true;
	if (!forgetting->listed) {
		forgetting->listed = true;
		if (netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, NULL) < 0 ||
		    addr_list(nl, 0, 0, &forgetting->arena, &forgetting->local, NULL) < 0)
			return false;
	}
	list_each(addr, &forgetting->local)
		if (ip_equal(&addr->cidr.ip, ip))
			return true;
	return false;
}

/* Did it come for the entry, and go where we mean? */
static bool is_meant(struct forgetting *forgetting, const struct port_flow *meant,
		     const struct flow *flow)
{
	const struct port_entry *entry = &meant->entry;

	if (flow->protocol != entry->protocol || flow->destination_port < entry->host.first ||
	    flow->destination_port > entry->host.last)
		return false;
	if (meant->to.family && !ip_equal(&meant->to, &flow->reply_source))
		return false;
	return entry->host_ip.family ? ip_equal(&entry->host_ip, &flow->destination)
				     : is_local(forgetting, &flow->destination);
}

static int forget_by(struct forgetting *forgetting, const port_flows_t *meant,
		     const struct flow_filter *filter, struct error *err)
{
	flows_t flows = { 0 };
	int r = conntrack_list(forgetting->nl, filter, &forgetting->arena, &flows, err);

	list_each(flow, &flows)
		list_each(one, meant)
			if (is_meant(forgetting, one, flow)) {
				conntrack_queue_del(forgetting->nl, flow);
				break;
			}
	return r < 0 ? r : netlink_commit(forgetting->nl, err);
}

/* One look for all that went to the same address. */
static bool looked(const port_flows_t *flows, const struct port_flow *flow)
{
	for (const struct port_flow *earlier = flows->items; earlier < flow; earlier++)
		if (flow->to.family && ip_equal(&earlier->to, &flow->to))
			return true;
	return false;
}

/* The narrowest look that one call can be: by where it went, by port, or by protocol. */
static int forget_one(struct forgetting *forgetting, const port_flows_t *all,
		      const struct port_flow *flow, int family, struct error *err)
{
	const struct ports *ports = &flow->entry.host;
	struct flow_filter filter = { .family = family, .reply_source = flow->to };
	unsigned n = ports->last - ports->first + 1u;
	int r = 0;

	if (flow->to.family)
		return looked(all, flow) ? 0 : forget_by(forgetting, all, &filter, err);
	filter.protocol = flow->entry.protocol;
	if (n > SINGLE_PORTS)
		return forget_by(forgetting, all, &filter, err);
	for (unsigned i = 0; i < n && r == 0; i++) {
		filter.destination_port = (uint16_t)(ports->first + i);
		r = forget_by(forgetting, all, &filter, err);
	}
	return r;
}

static void forgetting_free(struct forgetting *forgetting)
{
	netlink_close(forgetting->nl);
	arena_free(&forgetting->arena);
}

void portmap_forget(const port_flows_t *flows)
{
	static const int families[] = { AF_INET, AF_INET6 };
	on_leave(forgetting_free) struct forgetting forgetting = { .nl = NULL };
	struct error err = { 0 };
	int r = 0;

	if (!flows->n || !conntrack_any())
		return;
	r = conntrack_open(&forgetting.nl, &err);
	list_each(meant, flows)
		for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++)
			if (port_entry_for(&meant->entry, families[i]) &&
			    (!meant->to.family || meant->to.family == families[i]))
				r = forget_one(&forgetting, flows, meant, families[i], &err);
	if (r < 0)
		log_debug("portmap: old connections are not forgotten: %s", err.message);
}
