/*
 * Scene: the network namespaces of this node, looked at once. Links and addresses of all of them are there from the start;
 * what else a question needs (neighbours, forwarding entries, rules) comes with scene_enter(), one dump of each kind.
 * What may not be opened is left out. Nothing is changed.
 */
#ifndef NODE_SCENE_H
#define NODE_SCENE_H

#include "cni/cache.h"
#include "node/place.h"

/* A link, and where it is. */
struct spot {
	struct place *place;
	const struct link *link;
};
typedef LIST(struct spot) spots_t;

struct scene {
	struct arena *arena;
	netns_list_t namespaces;
	LIST(struct place) places;
	struct place *here;
	cached_list_t attachments; /* that a runtime remembers */
};

/* cache_folder: where attachments are remembered, NULL = nobody asks. */
int scene_load(struct scene *scene, const char *cache_folder, struct arena *arena,
	       struct error *err) must_check;
void scene_close(struct scene *scene);
#define auto_scene on_leave(scene_close)
int scene_enter(const struct scene *scene, struct place *place, struct error *err) must_check;

/* The namespace that a word means: "host", a name, path, pid, container id, or an address that one link has. */
int scene_find(const struct scene *scene, const char *word, struct place **place,
	       struct error *err) must_check;
/* Links anywhere that have the address. */
void scene_holders(const struct scene *scene, const struct ip *ip, spots_t *spots);
/* The other end of a veth; false: nobody here knows where it is. */
bool scene_other_end(const struct scene *scene, struct place *place, const struct link *link,
		     struct spot *spot);
/* The link that a VLAN, macvlan or ipvlan link is on, be it in another namespace; false: nobody here knows. */
bool scene_parent(const struct scene *scene, struct place *place, const struct link *link,
		  struct spot *parent);

#endif
