/*
 * Links (network interfaces). Queueing functions add to a session's batch, the others do one exchange.
 * link_queue_create() owns name, index, MTU, MAC, master, namespace and flags; one fill function per kind in
 * link_kinds.c adds the nested data.
 */
#ifndef KERNEL_LINK_H
#define KERNEL_LINK_H

#include "base/ip.h"
#include "kernel/netlink.h"

/* What makes two VXLAN devices the same; link is the interface below, local its address (not set: any). */
struct link_vxlan {
	uint32_t vni;
	int port; /* UDP; 0 = LINK_VXLAN_PORT, the kernel's own, which is never said */
	int link;
	struct ip local;
	bool learning, gbp;
};

#define LINK_VXLAN_PORT 8472

struct link {
	int index;
	char name[16];
	char kind[16]; /* "" for physical and loopback devices */
	struct mac mac;
	int mtu;
	unsigned flags;    /* IFF_* */
	uint8_t operstate; /* IF_OPER_* */
	int master;        /* index, 0 = none */
	int peer;          /* IFLA_LINK: index of the veth peer or parent, 0 = none */
	int peer_netns;    /* IFLA_LINK_NETNSID, -1 = same namespace */
	int promiscuity;
	int txqlen;
	char alias[256];
	int mode; /* of macvlan (MACVLAN_MODE_*), ipvlan (IPVLAN_MODE_*) and tun (LINK_TUN_*) */
	bool apart; /* an ipvlan link, private or vepa: the parent passes nothing between its children */
	int vlan;       /* id of a vlan link */
	uint32_t table; /* of a vrf link */
	bool has_xdp;   /* a program sees what enters before all others do */
	struct link_vxlan vxlan;
	struct {
		bool multi_queue, has_owner, has_group;
		uint32_t owner, group;
	} tun;
	bool is_port; /* of a bridge: the members below are valid */
	bool hairpin;
	bool isolated;
	uint8_t port_state;  /* BR_STATE_* */
	bool vlan_filtering; /* of a bridge */
};

#define LINK_UP              1u /* IFF_UP, so that callers need no kernel header */
#define LINK_LOOPBACK        8u
#define LINK_PROMISC         0x100u /* as somebody asked for; promiscuity counts others, too */
#define LINK_ALLMULTI        0x200u
#define LINK_OPER_DOWN       2
#define LINK_OPER_UP         6
#define LINK_PORT_FORWARDING 3

struct link_spec {
	const char *kind; /* "bridge", "veth", ... */
	const char *name;
	int mtu;        /* 0 = kernel default */
	struct mac mac; /* not set = random */
	int master;     /* index, 0 = none */
	bool up;
	int netns; /* descriptor of the namespace to create it in; <= 0: the session's own */
	/* Of the link and of a veth peer, 0 = the kernel's default. For veth that is one for each processor, of which it
	 * then takes all but one out of use again, waiting for two grace periods with the kernel's link lock held. */
	unsigned queues;
	struct {
		const char *name; /* created down: the kernel refuses a peer that is up at once */
		struct mac mac;
		int mtu;
		int netns;   /* descriptor; <= 0: the session's own */
	} peer;              /* veth */
	bool vlan_filtering; /* bridge */
	int link; /* macvlan, ipvlan, vlan: index of the parent, in the session's namespace */
	int mode; /* macvlan, ipvlan: LINK_MACVLAN_*, LINK_IPVLAN_* */
	uint32_t queue_len; /* macvlan: broadcast queue, 0 = the kernel's default (1000) */
	int vlan;           /* vlan: its id */
	uint32_t table;     /* vrf: its routing table */
	struct link_vxlan vxlan;
};

/* Modes, the kernel's numbers. */
enum link_macvlan {
	LINK_MACVLAN_PRIVATE = 1,
	LINK_MACVLAN_VEPA = 2,
	LINK_MACVLAN_BRIDGE = 4,
	LINK_MACVLAN_PASSTHRU = 8
};
enum link_tun { LINK_TUN_TUN = 1, LINK_TUN_TAP = 2 };
enum link_ipvlan { LINK_IPVLAN_L2, LINK_IPVLAN_L3, LINK_IPVLAN_L3S };

/* Queue the exclusive creation (tolerate EEXIST yourself where that is fine). */
void link_queue_create(struct netlink *nl, const struct link_spec *spec);
/* Queue a look-up by name or index; *link is filled at commit (index 0 when an error was tolerated). */
void link_queue_get(struct netlink *nl, const char *name, struct link *link);
void link_queue_get_index(struct netlink *nl, int index, struct link *link);
void link_queue_del(struct netlink *nl, const char *name);
void link_queue_del_index(struct netlink *nl, int index, const char *label);

/* Can the kernel make links of that kind? Nothing is made to find out, but its module is loaded, as for a creation.
 * -EOPNOTSUPP `this kernel has no ipvlan links (try: modprobe ipvlan)`. */
int link_kind_probe(struct netlink *nl, const char *kind, struct error *err) must_check;

/* A change to an existing link; only members marked in `what` are applied, in one message. */
enum link_what {
	LINK_SET_UP = 1 << 0,
	LINK_SET_MTU = 1 << 1,
	LINK_SET_MAC = 1 << 2,
	LINK_SET_MASTER = 1 << 3,
	LINK_SET_PROMISC = 1 << 4,
	LINK_SET_NAME = 1 << 5,
	LINK_SET_NETNS = 1 << 6,
	LINK_SET_ALIAS = 1 << 7,
	LINK_SET_ARP_NOTIFY = 1 << 8, /* sysctl net.ipv4.conf.<link>.arp_notify = 1, on the way */
	LINK_SET_ALLMULTI = 1 << 9,
	LINK_SET_TXQLEN = 1 << 10,
	LINK_SET_INDEX =
		1
		<< 11, /* with LINK_SET_NETNS (Linux 5.13): its index there; -EBUSY when it is taken */
	LINK_SET_LEARNING = 1 << 12, /* of the VXLAN device of that number */
};
struct link_change {
	unsigned what;
	bool up, promisc, allmulti, learning;
	uint32_t vni;
	int mtu, master, netns, txqlen, new_index;
	struct mac mac;
	const char *new_name, *alias;
};
/* By index, or by name when index is 0 (a new name needs the index); label says what the user wanted. */
void link_queue_change(struct netlink *nl, int index, const char *name,
		       const struct link_change *change, const char *label);

/* Bridge port options by name (works in the batch that creates the link). Only what differs from the default
 * needs sending. */
struct link_port {
	bool hairpin, isolated;
};
void link_queue_port(struct netlink *nl, const char *name, const struct link_port *port);

/* Bridge VLANs of a port. */
struct link_vlan {
	uint16_t id, last; /* last > id: a range */
	bool pvid, untagged;
	int port,
		bridge; /* of one that is there: the indices of who has it (the bridge has some, too) */
};
void link_queue_vlan(struct netlink *nl, int index, bool add, const struct link_vlan *vlan,
		     const char *label);
typedef LIST(struct link_vlan) link_vlans_t;
/* Those of one link, or of all (index 0). */
int link_vlans(struct netlink *nl, int index, struct arena *arena, link_vlans_t *vlans,
	       struct error *err) must_check;

/* -ENODEV `Link not found`-class errors carry errnum ENODEV. */
int link_get(struct netlink *nl, const char *name, struct link *link, struct error *err) must_check;
int link_get_index(struct netlink *nl, int index, struct link *link, struct error *err) must_check;
/* What it has carried since it is there. */
struct link_packets {
	uint64_t sent, received;
};
int link_packets(struct netlink *nl, int index, struct link_packets *packets,
		 struct error *err) must_check;
typedef LIST(struct link) links_t;
/* All links; kind "" or NULL = every kind, master 0 = any: filtered in the kernel. */
int link_list(struct netlink *nl, const char *kind, int master, struct arena *arena, links_t *links,
	      struct error *err) must_check;
/* The one of that index; NULL = it is not among them. */
const struct link *links_at(const links_t *links, int index);
/* Wait until the link is operationally up, at most timeout_ms: 0, or -ETIMEDOUT with the last state in *link.
 * Event-driven: when the first look is not enough it subscribes, looks again, and waits. netns: where the link lives, -1 = current. */
int link_wait_up(struct netlink *nl, int netns, int index, unsigned timeout_ms, struct link *link,
		 struct error *err) must_check;

#endif
