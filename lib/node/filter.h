/*
 * The packet filter of a namespace, asked what it would do with the first packet of a connection: chains are followed from
 * hook to hook as the kernel follows them, whoever made the rules; tables of iptables-nft are tables like others, the
 * legacy ones are read by their program where they are in use. A rule that holds more than we understand is counted,
 * and passed over.
 */
#ifndef NODE_FILTER_H
#define NODE_FILTER_H

#include "node/parcel.h"
#include "node/place.h"

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
