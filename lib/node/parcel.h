/* A packet that is thought of, what packet filters are asked about it, and what they answer. */
#ifndef NODE_PARCEL_H
#define NODE_PARCEL_H

#include "base/arena.h"
#include "kernel/nft_dump.h"

/* What travels. */
struct parcel {
	struct ip src, dst;
	uint8_t protocol; /* IPPROTO_*; 0 = nothing said, as if it were a ping */
	uint16_t port;    /* of the destination; 0 = none */
	uint32_t mark;
};

enum nft_family parcel_family(const struct parcel *parcel);
uint8_t parcel_protocol(const struct parcel *parcel); /* a ping's where nothing is said */

/* What a bridge sees of it. */
struct frame {
	struct mac sender;
	const char *bridge; /* that it crosses */
};

struct filter_question {
	enum nft_hook hook;
	const char *in, *out; /* names of links, "" = none */
	bool to_us;           /* the destination is an address of the namespace */
	bool mapped;          /* a port map has changed the destination */
	const struct frame
		*frame; /* asked of the tables of bridges; NULL = a packet, of the others */
	bool device,
		egress; /* what is at the device itself: `in`, or on the way out `out`; not `hook` */
	bool answer;    /* its connection is known already */
};
/* Of the connection, as tables see it: one of NFT_STATE_*. */
unsigned filter_state(const struct filter_question *question);

struct filter_answer {
	bool dropped, rejected;
	const char *where;  /* of what decided: "rule 3 of chain FORWARD (table ip filter)" */
	const char *remedy; /* a command that takes it away */
	bool masqueraded;
	struct ip from; /* SNAT: the source it gets; family 0 = none, or masqueraded */
	struct ip to;   /* DNAT: where it goes now; family 0 = none */
	uint16_t to_port;
	const char *owner; /* of the port mapping, as its rule or element says; NULL = unknown */
	unsigned unknown;  /* rules that were passed over */
	const char *
		maybe; /* a rule or policy that drops it, unless one of those lets it pass; NULL = none */
};

#endif
