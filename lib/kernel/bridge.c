/*
 * Bridges as the bridge plugin needs them. The steps that change shared state look first and change only what is
 * missing, so that the steady state of a node costs one message.
 */
#include "kernel/bridge.h"

#include "base/file.h"
#include "base/log.h"
#include "kernel/addr.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>

/* A file that each network namespace has one of, and that nobody else locks. Its dentry, and with it its inode, is one
 * for all who have it open, which is as long as a lock needs. */
#define LOCK_FILE    "/proc/sys/net/ipv4/ip_forward"
#define LOCK_WAIT_MS 2000

void bridge_use_end(struct bridge_use *use)
{
	close_fd(&use->lock);
	use->lock = -1;
}

/*
 * Anybody on the host can lock the file, so that waiting has an end: one of us is done long before. Without the lock
 * nothing is taken back after a failure, and a bridge that goes under our eyes is made again.
 */
int bridge_use_begin(struct bridge_use *use, struct error *err)
{
	int r;

	*use = (struct bridge_use){ .lock = open(LOCK_FILE, O_RDONLY | O_CLOEXEC) };
	if (use->lock < 0)
		return fail_errno(err, errno, "open %s", LOCK_FILE);
	r = lock_share(use->lock, LOCK_WAIT_MS);
	if (r == -ETIMEDOUT) {
		log_debug("%s is locked by somebody else", LOCK_FILE);
		bridge_use_end(use);
		return 0;
	}
	return r < 0 ? fail_errno(err, -r, "lock %s against a failing ADD", LOCK_FILE) : 0;
}

static int find_or_create(struct netlink *nl, struct bridge_use *use,
			  const struct bridge_spec *spec, struct error *err)
{
	int outcome = 0, absent = 0;

	link_queue_get(nl, spec->name, &use->bridge);
	netlink_tolerate(nl, ENODEV);
	netlink_outcome(nl, &absent);
	if (netlink_commit(nl, err))
		return -err->errnum;
	if (!absent)
		return 0;
	link_queue_create(nl, &(struct link_spec){
				      .kind = "bridge",
				      .name = spec->name,
				      .mtu = spec->mtu,
				      .mac = mac_random(),
				      .up = true,
				      .vlan_filtering = spec->vlan_filtering,
			      });
	netlink_tolerate(nl, EEXIST); /* another ADD was faster */
	netlink_outcome(nl, &outcome);
	link_queue_get(nl, spec->name, &use->bridge);
	if (netlink_commit(nl, err))
		return -err->errnum;
	use->created = outcome == 0;
	return 0;
}

int bridge_ensure(struct netlink *nl, struct bridge_use *use, const struct bridge_spec *spec,
		  struct error *err)
{
	struct link_change change = { .up = true, .promisc = true };
	char name[64];

	if (find_or_create(nl, use, spec, err))
		return -err->errnum;
	if (!streq(use->bridge.kind, "bridge"))
		return fail_code(err, CNI_INVALID_CONFIG, EEXIST,
				 "\"%s\" already exists but is not a bridge", spec->name);
	use->gateway = use->bridge;
	snprintf(name, sizeof(name), "net/ipv6/conf/%s/accept_ra", spec->name);
	sysctl_try(name, "0");
	if (!(use->bridge.flags & LINK_UP))
		change.what |= LINK_SET_UP;
	if (spec->promisc && !(use->bridge.flags & LINK_PROMISC))
		change.what |= LINK_SET_PROMISC;
	if (!change.what)
		return 0;
	link_queue_change(nl, use->bridge.index, NULL, &change, "set the bridge up");
	link_queue_get(nl, spec->name, &use->bridge);
	return netlink_commit(nl, err);
}

int bridge_settle_mac(struct netlink *nl, struct bridge_use *use, struct error *err)
{
	static const uint8_t none[6];
	struct link seen;

	if (memcmp(use->bridge.mac.bytes, none, sizeof(none)) != 0)
		return 0;
	if (link_get_index(nl, use->bridge.index, &seen, err))
		return -err->errnum;
	use->gateway = use->bridge = seen; /* not before: who undoes a failure needs the index */
	return 0;
}

/* An address that cannot stay beside the wanted one. */
static bool conflicts(const struct addr *there, const struct cidr *wanted)
{
	if (there->cidr.ip.family != wanted->ip.family)
		return false;
	return wanted->ip.family == AF_INET || cidr_overlaps(&there->cidr, wanted);
}

static int refuse_address(const struct link *device, const struct addr *there,
			  const struct cidr *wanted, struct error *err)
{
	char has[CIDR_TEXT_SIZE], text[CIDR_TEXT_SIZE];

	fail_code(err, CNI_INVALID_CONFIG, EADDRINUSE,
		  "\"%s\" already has an IP address different from %s", device->name,
		  cidr_format(wanted, text));
	if (err)
		snprintf(err->details, sizeof(err->details),
			 "%s has %s; \"forceAddress\": true replaces it", device->name,
			 cidr_format(&there->cidr, has));
	return -EADDRINUSE;
}

/* Queue the removal of what conflicts, or refuse to. */
static int make_room(struct netlink *nl, struct bridge_use *use, const addrs_t *addrs,
		     const struct cidr *address, bool force, struct error *err)
{
	list_each(addr, addrs) {
		if (!conflicts(addr, address))
			continue;
		if (!force || use->n_removed == BRIDGE_ADDRESSES_MAX)
			return refuse_address(&use->gateway, addr, address, err);
		addr_queue_del(nl, use->gateway.index, use->gateway.name, &addr->cidr);
		use->removed[use->n_removed++] = addr->cidr;
	}
	return 0;
}

int bridge_address(struct netlink *nl, struct bridge_use *use, const struct cidr *address,
		   bool force, struct error *err)
{
	struct arena arena auto_arena = { 0 };
	const struct link *device = &use->gateway;
	addrs_t addrs = { 0 };

	if (addr_list(nl, address->ip.family, device->index, &arena, &addrs, err))
		return -err->errnum;
	list_each(addr, &addrs)
		if (cidr_equal(&addr->cidr, address))
			return 0;
	if (use->n_added == BRIDGE_ADDRESSES_MAX)
		return fail(err, E2BIG, "more than %d gateway addresses", BRIDGE_ADDRESSES_MAX);
	if (make_room(nl, use, &addrs, address, force, err)) {
		netlink_discard(nl);
		return -err->errnum;
	}
	addr_queue_add(nl, device->index, device->name, address, 0);
	netlink_tolerate(nl, EEXIST);
	/* A bridge takes the lowest MAC of its ports unless it was given one: pin what neighbours are about to learn. */
	link_queue_change(nl, device->index, NULL,
			  &(struct link_change){ .what = LINK_SET_MAC, .mac = device->mac },
			  "keep the bridge's MAC");
	use->added[use->n_added++] = *address;
	return netlink_commit(nl, err);
}

/* Nobody else is at work, and no other port is there. */
static bool is_ours_alone(struct netlink *nl, struct bridge_use *use, int own_port)
{
	struct arena arena auto_arena = { 0 };
	links_t ports = { 0 };

	if (use->lock < 0 || flock(use->lock, LOCK_EX | LOCK_NB) ||
	    link_list(nl, NULL, use->bridge.index, &arena, &ports, NULL))
		return false;
	list_each(port, &ports)
		if (port->index != own_port)
			return false;
	return true;
}

/* The gateway of a VLAN is shared by the ports in that VLAN, other than by its own. */
static bool gateway_is_ours_alone(struct netlink *nl, struct bridge_use *use, int own_port)
{
	bool in_use = true;

	if (!use->vlan)
		return is_ours_alone(nl, use, own_port);
	return use->lock >= 0 && flock(use->lock, LOCK_EX | LOCK_NB) == 0 &&
	       bridge_vlan_in_use(nl, use, own_port, &in_use, NULL) == 0 && !in_use;
}

static int undo_gateway(struct netlink *nl, struct bridge_use *use, struct error *err)
{
	if (use->gateway_created) {
		link_queue_del_index(nl, use->gateway.index, "delete the gateway just made");
		netlink_tolerate(nl, ENODEV);
		return netlink_commit(nl, err);
	}
	for (size_t i = 0; i < use->n_added; i++) {
		addr_queue_del(nl, use->gateway.index, use->gateway.name, &use->added[i]);
		netlink_tolerate(nl, EADDRNOTAVAIL);
	}
	for (size_t i = 0; i < use->n_removed; i++) {
		addr_queue_add(nl, use->gateway.index, use->gateway.name, &use->removed[i], 0);
		netlink_tolerate(nl, EEXIST);
	}
	return netlink_commit(nl, err);
}

/* What is undone next may take long (an IPAM plugin that releases through the port): others need not wait for it. */
int bridge_undo_gateway(struct netlink *nl, struct bridge_use *use, int own_port, struct error *err)
{
	int r = 0;

	if (!use->gateway_created && !use->n_added && !use->n_removed)
		return 0;
	if (gateway_is_ours_alone(nl, use, own_port))
		r = undo_gateway(nl, use, err);
	if (use->lock >= 0)
		flock(use->lock, LOCK_SH | LOCK_NB);
	return r;
}

int bridge_undo(struct netlink *nl, struct bridge_use *use, int own_port, struct error *err)
{
	int r = 0;

	if (use->created && is_ours_alone(nl, use, own_port)) {
		link_queue_del_index(nl, use->bridge.index, "delete the bridge that was just made");
		netlink_tolerate(nl, ENODEV);
		r = netlink_commit(nl, err);
	}
	bridge_use_end(use);
	return r;
}
