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

/* The address that all of them led to; not set when there are several. */
static struct ip common_address(const port_flows_t *flows)
{
	struct ip address = { 0 };

	list_each(flow, flows) {
		if (flow->to.family && address.family && !ip_equal(&flow->to, &address))
			return (struct ip){ 0 };
		if (flow->to.family)
			address = flow->to;
	}
	return address;
}

/* The families that what was removed led to: bits 1 << PORTMAP_*. */
static unsigned families_of(const port_flows_t *flows)
{
	unsigned families = 0;

	list_each(flow, flows)
		if (flow->to.family)
			families |=
				flow->to.family == AF_INET ? 1u << PORTMAP_V4 : 1u << PORTMAP_V6;
	return families;
}

/* Everything that was translated, in one look: of one family by address, of both whatever it was. */
static int forget_translated(struct forgetting *forgetting, const port_flows_t *flows,
			     struct error *err)
{
	unsigned families = families_of(flows);
	struct flow_filter filter = { .translated = true };

	if (!families)
		return 0;
	if (families == 1u << PORTMAP_V4)
		filter.family = AF_INET;
	if (families == 1u << PORTMAP_V6)
		filter.family = AF_INET6;
	if (filter.family)
		filter.reply_source = common_address(flows);
	return forget_by(forgetting, flows, &filter, err);
}

/* What went to a port before it led anywhere: the narrowest look that one call can be. */
static int forget_before(struct forgetting *forgetting, const port_flows_t *all,
			 const struct port_flow *flow, int family, struct error *err)
{
	const struct ports *ports = &flow->entry.host;
	struct flow_filter filter = { .family = family, .protocol = flow->entry.protocol };
	unsigned n = ports->last - ports->first + 1u;
	int r = 0;

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
	on_leave(forgetting_free) struct forgetting forgetting = { .nl = NULL };
	struct error err = { 0 };
	int r = 0;

	if (!flows->n || !conntrack_any())
		return;
	r = conntrack_open(&forgetting.nl, &err);
	if (r == 0)
		r = forget_translated(&forgetting, flows, &err);
	list_each(flow, flows)
		for (size_t i = 0; i < PORTMAP_FAMILIES && r == 0; i++)
			if (!flow->to.family && port_entry_for(&flow->entry, portmap_family(i)))
				r = forget_before(&forgetting, flows, flow, portmap_family(i),
						  &err);
	if (r < 0)
		log_debug("portmap: old connections are not forgotten: %s", err.message);
}
