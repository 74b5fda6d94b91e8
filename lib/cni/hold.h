/* The key `policy` of main plugins: ADD is held until the node's agent has the pod's policies in force. Where the configuration does
 * not have it, nothing is asked. */
#ifndef CNI_HOLD_H
#define CNI_HOLD_H

#include "cni/request.h"
#include "policy/gate.h"

enum hold_verdict { HOLD_DENY, HOLD_ALLOW };

struct hold_conf {
	bool enabled; /* the key is there */
	const char *socket;
	int64_t timeout; /* ms */
	int on_timeout;  /* enum hold_verdict */
};
#define HOLD_DEFAULTS                                                            \
	{                                                                        \
		.socket = GATE_SOCKET, .timeout = 10000, .on_timeout = HOLD_DENY \
	}
extern const struct field hold_fields[];

/* Row of a plugin's field table whose configuration has a struct hold_conf as that member. */
#define HOLD_FIELD(type_, member)                                                           \
	{                                                                                   \
		"policy", FIELD_OBJECT, offsetof(type_, member),                            \
			.fields = hold_fields, .seen = FIELD_SEEN(type_, member.enabled),   \
			.help = "hold ADD until the agent of policies has the pod in force" \
	}

/* The addresses of the result. Fails when they are not in force in time, unless that is allowed. */
int hold_add(const struct hold_conf *conf, const struct cni_request *request,
	     const struct cni_result *result, struct error *err) must_check;

#endif
