/*
 * The verbs of policy-iptables: one file each, beside this one. Who adds a verb writes its file, adds it to the list and
 * its options to the struct; the descriptor, ../policy-iptables.c, reads both.
 */
#ifndef POLICY_IPTABLES_VERB_H
#define POLICY_IPTABLES_VERB_H

#include "base/error.h"
#include "base/ip.h"
#include "describe/applet.h"
#include "describe/field.h"
#include "lease/place.h"

/* Of all verbs; a verb's rows name what it has of them. */
struct options {
	LIST(const char *) files;
	bool json;
	/* explain */
	const char *from, *to, *port;
	/* matrix; ports and addresses also where flips are looked for */
	LIST(const char *) ports;
	LIST(struct ip) addresses;
	bool check;
	/* what is in force: apply, verify, cleanup, explain */
	const char *node, *backend;
	bool reject, accept, invalid;
	uint32_t log;
	cidrs_t close;
	bool dry_run, cut, bridge_netfilter, repair;
	/* watch */
	struct lease_place place;
	bool close_node, once;
	const char *socket;
	int64_t resync, delay, silence, once_timeout; /* ms */
	struct ip healthz_ip;
	int healthz_port;
	/* top, and once of watch */
	uint32_t group, lines, seconds, packets;
};

extern const struct options verb_defaults;

/* clang-format off */
/* name, summary, needs; NAME.c has verb_NAME_fields and verb_NAME(). */
#define VERBS(VERB) \
	VERB(explain, "why policies allow a connection, or do not", NEEDS_NOTHING) \
	VERB(matrix, "all connections of all pods: allowed or not", NEEDS_NOTHING) \
	VERB(lint, "what is wrong with objects, or surely not meant", NEEDS_NOTHING) \
	VERB(apply, "enforce policies on this node", NEEDS_NET_ADMIN) \
	VERB(watch, "an agent: keep policies in force on this node", NEEDS_NET_ADMIN) \
	VERB(verify, "is in force what the objects say?", NEEDS_NET_ADMIN) \
	VERB(cleanup, "remove all that is in force", NEEDS_NET_ADMIN) \
	VERB(top, "flows that policies deny, as they are denied", NEEDS_NET_ADMIN) \
	/* end */
/* clang-format on */

#define VERB_DECLARE(name_, summary_, needs_)              \
	extern const struct field verb_##name_##_fields[]; \
	int verb_##name_(struct invocation *call, void *options, struct error *err);
VERBS(VERB_DECLARE)

/* For completion: the pods among the objects, as an end is called. */
extern const struct verb verb_pods;

/* ---- rows that verbs share ---- */

#define ROW(key_, kind, member, help_, ...)                                                \
	{                                                                                  \
		.key = (key_), .type = (kind), .offset = offsetof(struct options, member), \
		.help = (help_), ##__VA_ARGS__                                             \
	}
#define ROW_WORD(key_, member, help_) \
	ROW(key_, FIELD_STRING, member, help_, .flags = FIELD_POSITIONAL | FIELD_REQUIRED)
#define ROW_FILE                                                                        \
	ROW("file", FIELD_LIST, files,                                                  \
	    "objects as JSON or YAML, a folder of them, or - for stdin", .letter = 'f', \
	    .metavar = "FILE", .element = FIELD_PATH, .size = sizeof(char *))
#define ROW_JSON ROW("json", FIELD_BOOL, json, "JSON instead of text", .letter = 'j')

#define ROW_PORTS                                                                           \
	ROW("port", FIELD_LIST, ports,                                                      \
	    "PORT[/PROTOCOL] to ask for; unset: those that containers have", .letter = 'p', \
	    .metavar = "PORT", .element = FIELD_STRING, .size = sizeof(char *))
#define ROW_ADDRESSES                                                              \
	ROW("address", FIELD_LIST, addresses,                                      \
	    "an address of the outside or a node, as one more end", .letter = 'a', \
	    .element = FIELD_IP, .size = sizeof(struct ip))
#define ROW_NODE                                                                             \
	ROW("node", FIELD_STRING, node, "this node's name in Kubernetes; unset: the host's", \
	    .env = "NODE_NAME")
#define ROW_BACKEND                                                      \
	ROW("backend", FIELD_STRING, backend, "auto: what kubelet uses", \
	    .metavar = BACKEND_WORDS "|auto")
#define BACKEND_WORDS "iptables-nft|iptables-legacy|nftables"
#define ROW_CLOSE                                                                                  \
	ROW("close", FIELD_LIST, close, "this node's pods are of CIDR: drop what is no known pod", \
	    .metavar = "CIDR", .element = FIELD_CIDR, .size = sizeof(struct cidr))
#define ROW_BRIDGE_NETFILTER                                 \
	ROW("bridgeNetfilter", FIELD_BOOL, bridge_netfilter, \
	    "have bridges show their frames to rules, where pods need it")
#define ROW_CUT ROW("cut", FIELD_BOOL, cut, "end connections that are denied now")
#define ROWS_TREATMENT                                                                      \
	ROW("reject", FIELD_BOOL, reject, "answer what is denied, instead of dropping it"), \
		ROW("accept", FIELD_BOOL, accept,                                           \
		    "accept what is allowed, past later rules of others"),                  \
		ROW("invalid", FIELD_BOOL, invalid,                                         \
		    "drop packets that connection tracking calls invalid"),                 \
		ROW("log", FIELD_UINT32, log, "NFLOG group that hears of what is denied",   \
		    .max = UINT16_MAX, .metavar = "GROUP")

#endif
