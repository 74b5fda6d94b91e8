/* A sorted array: it is listed often, and changed seldom. */
#include "remote/etcd_cache.h"

static void forget(struct etcd_cached *item)
{
	free(item->key);
	free(item->value);
}

void etcd_cache_free(struct etcd_cache *cache)
{
	for (size_t i = 0; i < cache->n; i++)
		forget(&cache->items[i]);
	free(cache->items);
	*cache = (struct etcd_cache){ 0 };
}

/* Where the key is, or belongs. */
static size_t place_of(const struct etcd_cache *cache, const char *key, bool *found)
{
	size_t low = 0, high = cache->n;

	/* A list comes in order. */
	if (high && strcmp(cache->items[high - 1].key, key) < 0)
		low = high;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(cache->items[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = low < cache->n && streq(cache->items[low].key, key);
	return low;
}

const struct etcd_cached *etcd_cache_find(const struct etcd_cache *cache, const char *key)
{
	bool found;
	size_t place = place_of(cache, key, &found);

	return found && cache->items[place].value ? &cache->items[place] : NULL;
}

static struct etcd_cached *make_room(struct etcd_cache *cache, size_t place)
{
	struct etcd_cached *item;

	if (cache->n == cache->room) {
		cache->room = cache->room * 2 + 16;
		cache->items = xrealloc(cache->items, cache->room * sizeof(*cache->items));
	}
	item = &cache->items[place];
	memmove(item + 1, item, (cache->n++ - place) * sizeof(*item));
	*item = (struct etcd_cached){ 0 };
	return item;
}

static void take_away(struct etcd_cache *cache, size_t place)
{
	struct etcd_cached *item = &cache->items[place];

	forget(item);
	memmove(item, item + 1, (--cache->n - place) * sizeof(*item));
}

static char *copy(const void *data, size_t size)
{
	char *bytes = xrealloc(NULL, size + 1);

	memcpy(bytes, data, size);
	bytes[size] = '\0';
	return bytes;
}

bool etcd_cache_apply(struct etcd_cache *cache, const char *key, const struct etcd_kv *kv, bool own)
{
	bool found, changed;
	size_t place = place_of(cache, key, &found);
	struct etcd_cached *item = found ? &cache->items[place] : NULL;

	if (kv->revision <= cache->revision || (found && kv->revision < item->revision))
		return false;
	if (!kv->value && !own) {
		changed = found && item->value;
		if (found)
			take_away(cache, place);
		return changed;
	}
	if (!found) {
		item = make_room(cache, place);
		item->key = copy(key, strlen(key));
	}
	changed = kv->revision > item->revision;
	free(item->value);
	item->value = kv->value ? copy(kv->value, kv->size) : NULL;
	item->size = kv->size;
	item->revision = kv->revision;
	item->lease = kv->lease;
	return changed;
}
