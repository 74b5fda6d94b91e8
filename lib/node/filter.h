/*
 * The packet filter of a namespace, asked what it would do with the first packet of a connection: chains are followed from
 * hook to hook as the kernel follows them, whoever made the rules; tables of iptables-nft are tables like others, the
 * legacy ones are read by their program where they are in use. A rule that holds more than we understand is counted,
 * and passed over.
 */
#ifndef NODE_FILTER_H
#define NODE_FILTER_H

#include "kernel/nft_dump.h"
#include "node/scene.h"

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

/* The parcel's mark may change. The namespace is entered (scene_enter). */
int filter_ask(struct place *place, struct parcel *parcel, const struct filter_question *question,
	       struct arena *arena, struct filter_answer *answer, struct error *err) must_check;

void filter_close(struct filter *filter); /* NULL-safe */

/* Does something listen there? true when nobody can tell. *only: the address of one that does so, but on another address of
 * the namespace; family 0 = none. */
bool place_listens(const struct place *place, const struct parcel *parcel, struct ip *only);
/* Does one of /proc/net/tcp and its like, by its line there? *only stays where it says nothing. */
bool socket_line_listens(const char *line, const struct parcel *parcel, struct ip *only);

#endif
