/*
 * A guard: keeps what policies say in force on its node, for as long as it runs and after. One loop: sources tell of objects, the
 * kernel of what others did to the rules, plugins ask whether their pod is in force, a timer looks at everything now and then; each
 * leads to the same pass.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include "lease/place.h"
#include "policy/backend.h"

typedef LIST(const char *) guard_words_t;

struct guard_options {
	const char *node;
	const struct backend *backend;
	struct treatment treatment;
	guard_words_t files;             /* files and folders of objects */
	const struct lease_place *place; /* the Kubernetes API; NULL = none */
	cidrs_t close;
	bool close_node;    /* and what the node's object says: podCIDRs */
	const char *socket; /* of the gate; beside it is the lock that keeps a second guard out */
	unsigned delay_ms;  /* changes that come within are one */
	unsigned resync_ms; /* the kernel is read without an event; 0 = never */
	bool bridge_netfilter; /* bridges are made to show their frames to rules, where pods need it */
	bool cut;              /* connections that a change denies are ended */
	bool once;             /* end when all is in force */
	unsigned once_ms;      /* and with an error when it has not come to that; 0 = never */
	struct {
		struct ip ip;
		int port; /* 0 = no probes */
		unsigned
			silence_ms; /* not ready when the API was not heard for so long; 0 = never */
	} health;
};

/* Until SIGTERM or SIGINT (0): what is in force stays. */
int guard_run(const struct guard_options *options, struct error *err) must_check;

#endif
