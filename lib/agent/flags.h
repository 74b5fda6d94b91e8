/* The options that agents share, as rows of a field table, and what they mean. */
#ifndef AGENT_FLAGS_H
#define AGENT_FLAGS_H

#include "agent/agent.h"
#include "describe/field.h"
#include "lease/place.h"

#include <stdio.h>

enum { RELAY_PACE = 500 }; /* Mbit/s: what flannel's own relay can take */
enum { PATH_SIZE = 512 };

struct agent_flags {
	struct lease_place place;
	words_t iface, iface_regex;
	struct ip iface_can_reach, public_ip, public_ipv6;
	const char *subnet_file, *cni_config, *cni_config_to;
	bool ip_masq, ip_masq_fully_random_disable, iptables_forward_rules, ip_blackhole_route;
	int iptables_forward_position; /* index into agent_positions */
	int64_t iptables_resync;       /* ms */
	bool mixed, once, observe, release, cleanup, tx_checksum;
	int64_t resync, once_timeout; /* ms */
	struct ip healthz_ip;
	int healthz_port;
	int64_t store_silence;         /* ms */
	char snapshot_path[PATH_SIZE]; /* of place.snapshot */
};
#define AGENT_FLAGS_DEFAULTS                                                                      \
	.place = LEASE_PLACE_DEFAULTS, .subnet_file = "/run/flannel/subnet.env", .resync = 60000, \
	.once_timeout = 60000, .store_silence = 30000, .iptables_forward_rules = true,            \
	.iptables_resync = 1000, .tx_checksum = true,                                             \
	.cni_config_to = "/etc/cni/net.d/10-flannel.conflist"
extern const char *const agent_positions[], *const agent_datapaths[]; /* enum relay_datapath */
extern const struct agent_flags agent_flags_defaults;

#define AGENT_FLAG_AS(flags_, key_, kind, member, help_, ...)                                  \
	{                                                                                      \
		.key = (key_), .type = (kind), .offset = offsetof(struct agent_flags, member), \
		.help = (help_), .flags = FIELD_ONE_DASH | (flags_), ##__VA_ARGS__             \
	}
#define AGENT_FLAG(...) AGENT_FLAG_AS(0, __VA_ARGS__)
/* clang-format off */
#define AGENT_FLAGS \
	LEASE_PLACE_AGENT_FIELDS(offsetof(struct agent_flags, place)), \
	AGENT_FLAG("iface", FIELD_LIST, iface, "interface to the other nodes, by name or address", \
		   .noun = NOUN_INTERFACE, .element = FIELD_STRING, .size = sizeof(char *), .env = "FLANNELD_IFACE"), \
	AGENT_FLAG_AS(FIELD_ONE_WORD, "ifaceRegex", FIELD_LIST, iface_regex, \
		   "the same by a pattern for its address or name", .element = FIELD_STRING, .size = sizeof(char *), .env = "FLANNELD_IFACE_REGEX", .metavar = "PATTERN"), \
	AGENT_FLAG("ifaceCanReach", FIELD_IP, iface_can_reach, "the interface by which this address is reached", \
		   .env = "FLANNELD_IFACE_CAN_REACH"), \
	AGENT_FLAG("publicIp", FIELD_IP, public_ip, "address that the other nodes are told, if not the interface's", \
		   .env = "FLANNELD_PUBLIC_IP"), \
	AGENT_FLAG("publicIpv6", FIELD_IP, public_ipv6, "the same for IPv6", .env = "FLANNELD_PUBLIC_IPV6"), \
	AGENT_FLAG("subnetFile", FIELD_PATH, subnet_file, "file that tells the CNI plugin of this node's subnet", \
		   .env = "FLANNELD_SUBNET_FILE"), \
	AGENT_FLAG("cniConfig", FIELD_PATH, cni_config, "CNI configuration that is copied to its place when the node has its subnet"), \
	AGENT_FLAG("cniConfigTo", FIELD_PATH, cni_config_to, "its place"), \
	AGENT_FLAG("ipMasq", FIELD_BOOL, ip_masq, "give what leaves the network this node's address", \
		   .env = "FLANNELD_IP_MASQ"), \
	AGENT_FLAG("mixed", FIELD_BOOL, mixed, "run although the network's configuration names another backend"), \
	AGENT_FLAG("ipMasqFullyRandomDisable", FIELD_BOOL, ip_masq_fully_random_disable, \
		   "keep source ports of what is masqueraded, where they are free", \
		   .env = "FLANNELD_IP_MASQ_FULLY_RANDOM_DISABLE"), \
	AGENT_FLAG("iptablesForwardRules", FIELD_BOOL, iptables_forward_rules, \
		   "accept what is forwarded from and to the network", .env = "FLANNELD_IPTABLES_FORWARD_RULES"), \
	AGENT_FLAG("iptablesForwardPosition", FIELD_ENUM, iptables_forward_position, \
		   "behind all other rules of FORWARD, as flannel, or before them", .names = agent_positions), \
	AGENT_FLAG("iptablesResync", FIELD_DURATION, iptables_resync, \
		   "look for changes of legacy tables this often (others tell of them); 0 = never", \
		   .env = "FLANNELD_IPTABLES_RESYNC", .max = 3600000), \
	AGENT_FLAG("ipBlackholeRoute", FIELD_BOOL, ip_blackhole_route, \
		   "drop what is for pods of this node that are not there", .env = "FLANNELD_IP_BLACKHOLE_ROUTE"), \
	AGENT_FLAG("txChecksum", FIELD_BOOL, tx_checksum, \
		   "leave checksums of what goes over VXLAN to network cards; never where the others are told an address that this node has not (NAT)"), \
	AGENT_FLAG("resync", FIELD_DURATION, resync, "look at everything this often; 0 = on events only"), \
	AGENT_FLAG("once", FIELD_BOOL, once, "end when everything is in place"), \
	AGENT_FLAG("onceTimeout", FIELD_DURATION, once_timeout, "with --once: an error when it has not come to that for so long; 0 = wait for ever"), \
	AGENT_FLAG("observe", FIELD_BOOL, observe, "only ways to the other nodes' pods: no lease, no subnet for this node"), \
	AGENT_FLAG("release", FIELD_BOOL, release, "give the lease back at SIGTERM: the other nodes drop their ways to this one at once"), \
	AGENT_FLAG("healthzIp", FIELD_IP, healthz_ip, "address for probes; unset: 127.0.0.1 (flanneld: 0.0.0.0, as flannel's)", \
		   .env = "FLANNELD_HEALTHZ_IP"), \
	AGENT_FLAG("healthzPort", FIELD_INT, healthz_port, "port that answers GET /healthz, /readyz and /metrics; 0 = none", \
		   .max = 65535, .env = "FLANNELD_HEALTHZ_PORT"), \
	AGENT_FLAG("storeSilence", FIELD_DURATION, store_silence, "not ready when the store was not heard for so long; 0 = never mind"), \
	AGENT_FLAG("cleanup", FIELD_BOOL, cleanup, "remove all that an agent left on this node, give its lease back, and end")
/* clang-format on */

/* type: as in struct agent_options. The flags must outlive the options. */
struct agent_options agent_flags_options(struct agent_flags *flags, const char *type);
/* What an agent's applet does: keeps things in place until it is told to end, or cleans up. */
int agent_flags_run(const struct agent_flags *flags, const struct agent_options *options, FILE *out,
		    struct error *err) must_check;

#endif
