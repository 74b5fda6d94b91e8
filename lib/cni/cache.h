/*
 * What a runtime remembers of an attachment: libcni's result cache, key for key, so that an
 * attachment made by either can be checked and removed by the other (cni-plugins.md, section 1.9).
 */
#ifndef CNI_CACHE_H
#define CNI_CACHE_H

#include "base/owner.h"
#include "describe/json.h"

struct cached {
	const char *file;
	const char *network, *container, *ifname, *netns;
	const char *args;                      /* as CNI_ARGS: K=V;K=V */
	struct json *capability_args, *result; /* NULL = none; borrowed (from document when read) */
	const char *config;                    /* the network list; NULL = none */
	size_t config_size;
	struct json *document; /* own, when read */
};
typedef LIST(struct cached) cached_list_t;

int cache_write(const char *folder, const struct cached *cached, struct error *err) must_check;
/* -ENOENT without error text: nothing is remembered; -EBADMSG: the file is damaged (names are set).
 * Strings go to the arena. A bare result, as libcni wrote long ago, is read too. */
int cache_read(const char *folder, const struct owner *owner, struct arena *arena,
	       struct cached *cached, struct error *err) must_check;
/* As cache_list() reads one: -EBADMSG too when it does not say whose it is. */
int cache_read_file(const char *file, struct arena *arena, struct cached *cached,
		    struct error *err) must_check;
void cache_remove(const char *folder, const struct owner *owner); /* not there is fine */
/* All of them, sorted by file name. No folder: none. Damaged files are left out or, with strict,
 * -EBADMSG: for who would take what is not in the list for gone. */
int cache_list(const char *folder, bool strict, struct arena *arena, cached_list_t *list,
	       struct error *err) must_check;
void cached_release(struct cached *cached);
void cached_list_release(cached_list_t *list);
#define auto_cached      on_leave(cached_release)
#define auto_cached_list on_leave(cached_list_release)

#endif
