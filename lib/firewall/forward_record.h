/*
 * Who was admitted: the iptables rules of the reference and the sources of a zone do not tell their owner, so that it
 * is written down, for the DEL that is given no earlier result, and for GC. One file for each address of an owner,
 * /run/cni/firewall/<owner's hash>-<address>: what they tell ends with the next boot, as they do.
 */
#ifndef FIREWALL_FORWARD_RECORD_H
#define FIREWALL_FORWARD_RECORD_H

#include "base/error.h"
#include "base/ip.h"
#include "base/owner.h"

struct record {
	const char *file;
	struct ip address;  /* not set: only the rest of a record that was never finished */
	bool mine;          /* of those that were asked for */
	const char *zone;   /* firewalld's, of mine; "" = none */
	struct owner owner; /* of mine; members NULL = it does not say */
};
typedef LIST(struct record) records_t;

/* zone "" = the address is in iptables. 1: there was no such record, 0: there was one; or -errno. */
int record_write(const struct owner *owner, const struct ip *address, const char *zone,
		 struct error *err) must_check;
/* All there are; mine are the owner's, NULL = all. */
int record_list(const struct owner *owner, struct arena *arena, records_t *records,
		struct error *err) must_check;
/* All there are; mine are those of the network that no valid attachment has. */
int record_list_stale(const char *network, const owners_t *valid, struct arena *arena,
		      records_t *records, struct error *err) must_check;
/* Does one that is not mine have this address? */
bool record_taken(const records_t *records, const struct ip *address);
void record_remove(const struct record *record);

#endif
