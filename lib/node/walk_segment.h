/*
 * Segment: what the frames of a link can reach without a router, and who has an address there. A link on top of others sends
 * by those below it, VLAN links with a tag; the far end of a veth is a namespace, or the port of a bridge, which may
 * keep VLANs apart. Shared by the files of a walk that deal with frames.
 */
#ifndef NODE_WALK_SEGMENT_H
#define NODE_WALK_SEGMENT_H

#include "node/walk.h"

struct segment {
	struct spot far;         /* the one other end; or the bridge, when bridged */
	const struct link *port; /* of it; NULL = the bridge's own frames */
	int tag;                 /* of the VLAN, as the frames are sent; 0 = none */
	int vlan;                /* that they are in, where the bridge filters; 0 = none */
	bool bridged, open;      /* open: it goes on where we cannot look */
};

struct segment segment_of(struct walk *walk, struct place *place, const struct link *link);
/* All that would answer on it, one for each namespace, but for `self`, who asks; where nobody does, those whom only VLANs keep
 * from it. */
void segment_owners(struct walk *walk, const struct segment *segment, const struct place *self,
		    const struct ip *ip, spots_t *owners);

/* Does what an owner answers come to who asked? false: *vlan is the one that it is in, 0 = none, where it comes in by *port of the
 * bridge; or the segment's, and *port, the asker's own, has it come out with a tag that it should not have, or without one. */
bool segment_answers(struct walk *walk, const struct segment *segment, const struct spot *owner,
		     const struct link **port, int *vlan);

/* Two links in different VLANs of a bridge, or whose other ends are in different VRFs: each may have the other's addresses. */
bool segment_apart(struct walk *walk, const struct spot *a, const struct spot *b);

/* The bridge that it is a port of; NULL = none. */
const struct link *segment_bridge(const struct place *place, const struct link *link);
/* The VLAN of frames without a tag, of a port or (from the host) the bridge itself; 0 = none. */
int segment_pvid(const struct place *place, const struct link *port);
enum segment_vlan { SEGMENT_NOT_IN, SEGMENT_TAGGED, SEGMENT_UNTAGGED };
enum segment_vlan segment_in_vlan(const struct place *place, const struct link *port, int id);
/* Who takes the frames with that tag (0: without) which come in by a link: a VLAN link on it, wherever that is. */
bool segment_receiver(struct walk *walk, struct place *place, const struct link *link, int tag,
		      struct spot *receiver);

/* A frame into a bridge (walk_bridge.c): from a port, or (in: NULL) from the host. The tag is the walk's. */
int walk_cross_bridge(struct walk *walk, struct place *place, const struct link *bridge,
		      const struct link *in, const struct ip *next, const struct mac *mac);

/* ---- links on top of others (walk_far.c) ---- */
/* A VLAN, macvlan or ipvlan link: it sends by the one below. */
bool walk_is_child(const struct link *link);
/* Another one on the same parent has the address, or the parent's own namespace. */
bool walk_parent_decides(struct walk *walk, struct place *place, const struct link *link,
			 const struct ip *next);
/* WALK_ON: out by the parent; else the packet has arrived at another one's child, or cannot. */
int walk_far_parent(struct walk *walk, struct place *place, const struct link *link,
		    const struct ip *next, const struct spot *parent);

bool walk_find_sibling(struct walk *walk, const struct spot *parent, const struct link *link,
		       const struct ip *next, struct spot *sibling);
int walk_check_modes(struct walk *walk, const struct link *link, const struct spot *sibling,
		     struct place *place);

/* ---- ipvlan links of modes l3 and l3s, whose packets are routed by the parent's namespace (walk_ipvlan.c) ---- */
bool walk_by_parent(const struct link *link);
int walk_ipvlan_send(struct walk *walk, struct place *place, const struct link *link,
		     const struct ip *next);
/* One has the address, and answers nobody. */
bool walk_ipvlan_silent(struct walk *walk, const struct ip *ip, struct spot *holder);
/* What comes in for one of mode l3s: chosen behind the first hook of its parent's namespace, it sees its hooks, and no others. */
bool walk_ipvlan_late(const struct link *link);
int walk_ipvlan_receive(struct walk *walk, const struct spot *parent, const struct spot *child);

#endif
