/* Pods, their namespaces and nodes, as policies see them. Directions index arrays of two. */
#ifndef POLICY_POD_H
#define POLICY_POD_H

#include "ipam/lease.h"
#include "policy/label.h"

enum direction { INGRESS, EGRESS, DIRECTIONS };
enum protocol { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_SCTP, PROTOCOL_OTHER };

extern const char *const direction_names[]; /* "ingress", "egress" */
extern const char *const protocol_names[];  /* "TCP", "UDP", "SCTP"; NULL behind them */

typedef LIST(uint32_t) numbers_t;

struct container_port {
	symbol_t name; /* 0 = none */
	enum protocol protocol;
	uint16_t port;
};

struct pod {
	symbol_t name;
	uint32_t space; /* its namespace's number */
	symbol_t node;  /* 0 = none yet */
	labels_t labels;
	ips_t ips;
	LIST(struct container_port) ports;
	bool host_network; /* neither subject nor peer: its address is a node's */
	bool finished;     /* Succeeded or Failed: its address may be another's by now */
	numbers_t policies[DIRECTIONS]; /* that isolate it; ascending */
	numbers_t clusters
		[DIRECTIONS]; /* ClusterNetworkPolicies that have rules for it, in their order */
};

struct space { /* a namespace */
	symbol_t name;
	labels_t labels; /* kubernetes.io/metadata.name is always there */
	bool declared;   /* there was an object of it */
	numbers_t pods;  /* that can be subject or peer */
	numbers_t policies;
};

struct node {
	symbol_t name;
	labels_t labels;
	bool declared; /* there was an object of it */
	ips_t ips;
	cidrs_t pod_cidrs; /* that its pods have addresses of */
};

bool pod_takes_part(const struct pod *pod); /* neither finished nor on the node's network */
bool pod_has_ip(const struct pod *pod, const struct ip *ip);
/* The number behind the pod's port of that name; 0 = it has none of this protocol. */
uint16_t pod_port(const struct pod *pod, symbol_t name, enum protocol protocol);

#endif
