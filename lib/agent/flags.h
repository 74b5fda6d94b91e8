/* The options that agents share, as rows of a field table, and what they mean. */
#ifndef AGENT_FLAGS_H
#define AGENT_FLAGS_H

#include "agent/agent.h"
#include "describe/field.h"
#include "lease/place.h"

struct agent_flags {
	struct lease_place place;
	words_t iface, iface_regex;
	struct ip iface_can_reach, public_ip, public_ipv6;
	const char *subnet_file;
	bool ip_masq, mixed, once, observe;
	int64_t resync; /* ms */
	struct ip healthz_ip;
	int healthz_port;
	int64_t store_silence; /* ms */
};
#define AGENT_FLAGS_DEFAULTS                                                                      \
	.place = LEASE_PLACE_DEFAULTS, .subnet_file = "/run/flannel/subnet.env", .resync = 60000, \
	.store_silence = 30000
extern const struct agent_flags agent_flags_defaults;

#define AGENT_FLAG(key_, kind, member, help_, ...)                                             \
	{                                                                                      \
		.key = (key_), .type = (kind), .offset = offsetof(struct agent_flags, member), \
		.help = (help_), .flags = FIELD_ONE_DASH, ##__VA_ARGS__                        \
	}
/* clang-format off */
#define AGENT_FLAGS \
	LEASE_PLACE_FIELDS(offsetof(struct agent_flags, place)), \
	AGENT_FLAG("iface", FIELD_LIST, iface, "interface to the other nodes, by name or address; may be repeated", \
		   .element = FIELD_STRING, .size = sizeof(char *), .env = "FLANNELD_IFACE"), \
	AGENT_FLAG("ifaceRegex", FIELD_LIST, iface_regex, "the same by a pattern for its address or name; may be repeated", \
		   .element = FIELD_STRING, .size = sizeof(char *), .env = "FLANNELD_IFACE_REGEX"), \
	AGENT_FLAG("ifaceCanReach", FIELD_IP, iface_can_reach, "the interface by which this address is reached", \
		   .env = "FLANNELD_IFACE_CAN_REACH"), \
	AGENT_FLAG("publicIp", FIELD_IP, public_ip, "address that the other nodes are told, if not the interface's", \
		   .env = "FLANNELD_PUBLIC_IP"), \
	AGENT_FLAG("publicIpv6", FIELD_IP, public_ipv6, "the same for IPv6", .env = "FLANNELD_PUBLIC_IPV6"), \
	AGENT_FLAG("subnetFile", FIELD_PATH, subnet_file, "file that tells the CNI plugin of this node's subnet", \
		   .env = "FLANNELD_SUBNET_FILE"), \
	AGENT_FLAG("ipMasq", FIELD_BOOL, ip_masq, "say in the subnet file that pods' traffic is masqueraded here", \
		   .env = "FLANNELD_IP_MASQ"), \
	AGENT_FLAG("mixed", FIELD_BOOL, mixed, "run although the network's configuration names another backend"), \
	AGENT_FLAG("resync", FIELD_DURATION, resync, "look at everything this often; 0 = on events only"), \
	AGENT_FLAG("once", FIELD_BOOL, once, "end when everything is in place"), \
	AGENT_FLAG("observe", FIELD_BOOL, observe, "only ways to the other nodes' pods: no lease, no subnet for this node"), \
	AGENT_FLAG("healthzIp", FIELD_IP, healthz_ip, "address for probes; unset: 127.0.0.1 (flanneld: 0.0.0.0, as flannel's)", \
		   .env = "FLANNELD_HEALTHZ_IP"), \
	AGENT_FLAG("healthzPort", FIELD_INT, healthz_port, "port that answers GET /healthz, /readyz and /metrics; 0 = none", \
		   .max = 65535, .env = "FLANNELD_HEALTHZ_PORT"), \
	AGENT_FLAG("storeSilence", FIELD_DURATION, store_silence, "not ready when the store was not heard for so long; 0 = never mind")
/* clang-format on */

/* type: as in struct agent_options. The flags must outlive the options. */
struct agent_options agent_flags_options(const struct agent_flags *flags, const char *type);

#endif
