/*
 * What etcd was last seen to hold of a network, kept up to date by what a watch tells and by what our own writes did. A key
 * is in it without the network's prefix. Pure.
 */
#ifndef REMOTE_ETCD_CACHE_H
#define REMOTE_ETCD_CACHE_H

#include "remote/etcd_json.h"

struct etcd_cached {
	char *key, *value; /* value NULL = deleted by us, until the watch has told so, too */
	size_t size;
	uint64_t revision;
	int64_t lease;
};

struct etcd_cache {
	struct etcd_cached *items; /* ascending */
	size_t n, room;
	uint64_t
		revision; /* of the list that it began with: what a watch tells from before is known */
};
void etcd_cache_free(struct etcd_cache *cache);

/* The entry, or NULL; one that is deleted is none. */
const struct etcd_cached *etcd_cache_find(const struct etcd_cache *cache, const char *key);
/* An entry as it is now, from a list, or from our own change (`own`: a deletion is remembered). kv->key is not looked at.
 * True: something is different now. */
bool etcd_cache_apply(struct etcd_cache *cache, const char *key, const struct etcd_kv *kv,
		      bool own);

#endif
