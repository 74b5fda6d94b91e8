/*
 * Advice: what a plugin says of its configuration before anybody calls it. The IPAM plugin speaks first and puts into
 * `result` what an ADD would get from it; the main plugin settles that as its ADD would and speaks of it.
 */
#ifndef CNI_ADVICE_H
#define CNI_ADVICE_H

#include "cni/result.h"

struct json;

struct advice {
	struct arena *arena;
	strings_t networks; /* looked at together with this one, and held against it elsewhere */
	strings_t words;    /* sentences, lower case, no stop */
	struct cni_result
		result; /* an address is its subnet's with the prefix: which one, nobody knows */
	struct json *delegate; /* of a plugin that hands on: what it hands to the other; own it */
	void (*warn)(void *arg, const char *key, const char *text);
	void *arg;
};

/* What ADD would do. */
void advice_say(struct advice *advice, const char *format, ...) printf_like(2, 3);
/* Accepted, and surely not meant; the key may be one that is not there. */
void advice_warn(struct advice *advice, const char *key, const char *format, ...) printf_like(3, 4);
/* The gateways with their prefixes, "10.1.0.1/24 and fd00::1/64", or alone, as /32 and /128; NULL = there are none. */
const char *advice_gateways(const struct advice *advice, bool alone);
/* An MTU that the kernel takes and IPv6, or the wire, does not. */
void advice_mtu(struct advice *advice, int mtu);

#endif
