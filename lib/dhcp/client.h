/*
 * The DHCP client's state machine (RFC 2131, section 4.4), for one lease. Pure: it is told the time and what came, and
 * says what to send, when to call again, and what has become of the lease. Times are milliseconds of one clock.
 *
 * A lease belongs to a container whose runtime was told the address: routes, rules and port mappings on the host name
 * it. So a lease that was lost (expired, or refused by the server) is only ever replaced by one of the same address,
 * which is asked for until somebody ends it; other offers are passed over.
 */
#ifndef DHCP_CLIENT_H
#define DHCP_CLIENT_H

#include "dhcp/lease.h"

enum dhcp_state {
	DHCP_INIT,       /* nothing to do: not begun, or failed */
	DHCP_SELECTING,  /* DISCOVER was sent */
	DHCP_REQUESTING, /* an offer was taken */
	DHCP_REBOOTING,  /* an address known from before is asked for */
	DHCP_BOUND,
	DHCP_RENEWING,  /* past T1: the server is asked */
	DHCP_REBINDING, /* past T2: any server is asked */
	DHCP_DORMANT,   /* lost; the next attempt comes */
};
extern const char *const dhcp_state_names[];

struct dhcp_timings {
	int64_t timeout_ms;      /* for an answer to a request, until it starts over */
	int64_t resend_max_ms;   /* longest pause between two messages */
	int64_t resend_total_ms; /* for a lease, until `no more tries` */
	bool broadcast;          /* ask for replies to all */
};
extern const struct dhcp_timings dhcp_default_timings;

struct dhcp_client {
	struct mac mac;
	const struct dhcp_options *options;
	const struct dhcp_timings *timings;
	uint64_t random; /* seed; not 0 */

	enum dhcp_state state;
	int64_t next; /* when dhcp_client_timer() is due; INT64_MAX = not */
	uint32_t xid;
	unsigned sent; /* messages in this state */
	int64_t begun, deadline,
		patience;         /* of the attempt; when it fails; when REQUESTING starts over */
	int64_t asked;            /* when the last request was sent */
	struct ip wanted, chosen; /* address to ask for; server that was taken */
	bool insist;              /* the wanted address or none */
	bool has_lease, usable;   /* usable: the address may be used */
	struct dhcp_lease lease;
	struct arena *arena; /* of the lease's lists */
};

enum dhcp_event {
	DHCP_NO_NEWS,
	DHCP_GRANTED,  /* a lease, for the first time or again after it was lost */
	DHCP_EXTENDED, /* the same lease, longer */
	DHCP_LOST,  /* the address must not be used any more; told again with each failed attempt */
	DHCP_AWAKE, /* about to ask again for a lease that was lost */
	DHCP_FAILED, /* there will be no lease: the error says why */
};

struct dhcp_output {
	enum dhcp_event event;
	struct error err;
	size_t size; /* of the message to send, 0 = none */
	uint8_t message[DHCP_SEND_MAX];
	struct ip from, to;
	struct mac to_mac; /* not set = to all */
};

/* Begin: ask for any address; for this one (INIT-REBOOT), within timeout_ms; go on with a lease that was kept. */
void dhcp_client_start(struct dhcp_client *client, int64_t now, struct dhcp_output *out);
void dhcp_client_reboot(struct dhcp_client *client, const struct ip *address, int64_t now,
			struct dhcp_output *out);
void dhcp_client_resume(struct dhcp_client *client, const struct dhcp_lease *lease, int64_t now,
			struct dhcp_output *out);
void dhcp_client_timer(struct dhcp_client *client, int64_t now, struct dhcp_output *out);
/* A datagram's payload; from: the sender's hardware address. What is not meant for us changes nothing. */
void dhcp_client_receive(struct dhcp_client *client, const void *data, size_t size,
			 const struct mac *from, int64_t now, struct dhcp_output *out);
/* Give the lease back, if there is one; the machine is in INIT after. */
void dhcp_client_release(struct dhcp_client *client, int64_t now, struct dhcp_output *out);
/* True while an answer may come. */
bool dhcp_client_listens(const struct dhcp_client *client);

#endif
