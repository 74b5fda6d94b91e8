/*
 * Reservations on disk: host-local's directory, byte for byte the reference's, so that either implementation
 * can take over at any moment (cni-plugins.md, section 2.10). `<dataDir>/<network>/<ip>` holds
 * "<container>\r\n<ifname>"; `last_reserved_ip.<set>`; `lock`.
 *
 * Leases appear complete or not at all (temporary file, then link). What would make the cost grow with the number
 * of leases - finding those of one owner - is answered from an index beside the networks
 * (`<dataDir>/.cnibox/<network>/`), rebuilt by one scan whenever somebody else has written.
 */
#ifndef IPAM_RESERVE_H
#define IPAM_RESERVE_H

#include "ipam/lease.h"

struct reserve;

/* Open and lock the network's directory, made when create is set (else -ENOENT when absent, nothing is made).
 * -ETIMEDOUT, code 11, after timeout_ms. */
int reserve_open(struct reserve **store, const char *data_dir, const char *network, bool create,
		 unsigned timeout_ms, struct error *err) must_check;
void reserve_close(struct reserve *store);
void reserve_closep(struct reserve **store);
#define auto_reserve on_leave(reserve_closep)

/* Any free address of set number `index`; the error of a full set says how many of how many are in use. */
int reserve_any(struct reserve *store, const struct owner *owner, const range_set_t *set,
		unsigned index, struct ip *ip, const struct range **range,
		struct error *err) must_check;
/* The same without taking it. */
int reserve_peek(struct reserve *store, const range_set_t *set, unsigned index,
		 struct error *err) must_check;
/* Just this one. */
int reserve_one(struct reserve *store, const struct owner *owner, const range_set_t *set,
		unsigned index, const struct ip *ip, const struct range **range,
		struct error *err) must_check;
/* All of the owner's; how many goes to *n (may be NULL). */
int reserve_release(struct reserve *store, const struct owner *owner, unsigned *n,
		    struct error *err) must_check;
/* Just this one of them. */
int reserve_give_back(struct reserve *store, const struct owner *owner, const struct ip *ip,
		      struct error *err) must_check;
/* True when the owner (or, legacy, its container) holds an address; the addresses when ips is given. */
int reserve_find(struct reserve *store, const struct owner *owner, struct arena *arena, ips_t *ips,
		 struct error *err) must_check;
/* Remove every lease whose owner is not valid, and everything a crash may have left. */
int reserve_gc(struct reserve *store, const owners_t *valid, unsigned *n,
	       struct error *err) must_check;
/* How many leases lie in the set. */
int reserve_used(struct reserve *store, const range_set_t *set, uint64_t *used,
		 struct error *err) must_check;

#endif
