/* The interface that macvlan, ipvlan and vlan links sit on: the keys which say it, and the links made on it. */
#ifndef CNI_MASTER_H
#define CNI_MASTER_H

#include "cni/advice.h"
#include "cni/device.h"

struct master_conf {
	char name[16]; /* "" = the interface of the first default route, IPv4 first */
	int mtu;
	bool in_container; /* it is in the container's namespace, not on the host */
	bool enable_dad;
};

/* Rows of a plugin's field table whose configuration has a struct master_conf as that member. */
#define MASTER_FIELDS(type, member)                                                      \
	{ "master", FIELD_IFNAME, offsetof(type, member.name),                           \
	  .help = "interface to sit on; unset: that of the default route" },             \
		{ "mtu", FIELD_INT, offsetof(type, member.mtu),                          \
		  .help = "MTU, at most the master's; 0 = the master's" },               \
		{ "linkInContainer", FIELD_BOOL, offsetof(type, member.in_container),    \
		  .help = "the master is in the container's namespace" },                \
	{                                                                                \
		"enabledad", FIELD_BOOL, offsetof(type, member.enable_dad),              \
			.help = "keep IPv6 duplicate address detection (costs 1 to 2 s)" \
	}

/* create of a device: find the master (`failed to lookup master "x": Link not found`, `no default route interface
 * found`), hold the MTU against it (`invalid MTU 9000, must be [0, master MTU(1500)]`), make the link; spec holds what else
 * it is. */
int master_create_link(struct device_call *call, const struct master_conf *conf,
		       const struct link_spec *spec, struct error *err) must_check;
/* check of a device: the link sits on the master that is configured, with the MTU that is. */
int master_check(struct device_call *call, const struct master_conf *conf,
		 struct error *err) must_check;
/* status of a device: the kernel has the kind, and the host has the master; what is in a container cannot be seen. */
int master_status(const struct cni_request *request, const struct master_conf *conf,
		  const char *kind, struct error *err) must_check;

/* explain of a plugin: what, on which master. */
void master_explain(const struct master_conf *conf, const char *what, struct advice *advice);

#endif
