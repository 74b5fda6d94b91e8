/* Who is on the segment of a link: veths, bridges with their VLANs, and links on top of others. */
#include "node/walk_segment.h"

#include <sys/socket.h>

enum { LEVELS_MAX = 4 };

const struct link *segment_bridge(const struct place *place, const struct link *link)
{
	const struct link *master = link->master ? place_link(place, link->master) : NULL;

	return master && streq(master->kind, "bridge") ? master : NULL;
}

/* ---- VLANs ---- */

int segment_pvid(const struct place *place, const struct link *port)
{
	list_each(vlan, &place->vlans)
		if (vlan->port == port->index && vlan->pvid)
			return vlan->id;
	return 0;
}

enum segment_vlan segment_in_vlan(const struct place *place, const struct link *port, int id)
{
	list_each(vlan, &place->vlans)
		if (vlan->port == port->index && id >= vlan->id &&
		    id <= (vlan->last > vlan->id ? vlan->last : vlan->id))
			return vlan->untagged ? SEGMENT_UNTAGGED : SEGMENT_TAGGED;
	return SEGMENT_NOT_IN;
}

bool segment_receiver(struct walk *walk, struct place *place, const struct link *link, int tag,
		      struct spot *receiver)
{
	*receiver = (struct spot){ place, link };
	if (!tag)
		return true;
	list_each(other, &walk->scene->places)
		list_each(child, &other->links) {
			struct spot parent;

			if (streq(child->kind, "vlan") && child->vlan == tag &&
			    scene_parent(walk->scene, other, child, &parent) &&
			    parent.place == place && parent.link == link) {
				*receiver = (struct spot){ other, child };
				return true;
			}
		}
	return false;
}

/* ---- where frames go ---- */

/* The link that sends them in the end. */
static bool find_outlet(struct walk *walk, struct spot *at, int *tag)
{
	for (int i = 0; i < LEVELS_MAX; i++) {
		bool vlan = streq(at->link->kind, "vlan");
		struct spot parent;

		if (!vlan && !streq(at->link->kind, "macvlan") && !streq(at->link->kind, "ipvlan"))
			return true;
		if ((vlan && *tag) || !scene_parent(walk->scene, at->place, at->link, &parent))
			return false;
		if (vlan)
			*tag = at->link->vlan;
		*at = parent;
	}
	return false;
}

static void look_at_bridge(struct walk *walk, struct segment *segment)
{
	struct place *place = segment->far.place;
	const struct link *bridge = segment->far.link;
	struct error why = { 0 };
	struct spot other;

	segment->bridged = true;
	list_each(port, &place->links)
		segment->open |= port->master == bridge->index &&
				 !scene_other_end(walk->scene, place, port, &other);
	if (!bridge->vlan_filtering || scene_enter(walk->scene, place, &why) < 0)
		return;
	segment->vlan = segment->tag ? segment->tag
				     : segment_pvid(place, segment->port ? segment->port : bridge);
}

struct segment segment_of(struct walk *walk, struct place *place, const struct link *link)
{
	struct segment segment = { .tag = 0 };
	struct spot at = { place, link }, other;
	const struct link *bridge;

	segment.open = !find_outlet(walk, &at, &segment.tag);
	if (segment.open)
		return segment;
	if (streq(at.link->kind, "bridge")) {
		segment.far = at;
		look_at_bridge(walk, &segment);
		return segment;
	}
	segment.open = !scene_other_end(walk->scene, at.place, at.link, &other);
	if (segment.open)
		return segment;
	bridge = segment_bridge(other.place, other.link);
	segment.far = bridge ? (struct spot){ other.place, bridge } : other;
	segment.port = bridge ? other.link : NULL;
	if (bridge)
		look_at_bridge(walk, &segment);
	return segment;
}

/* ---- who has an address ---- */

static void add_owner(struct walk *walk, spots_t *owners, struct place *place,
		      const struct link *link, const struct ip *ip)
{
	const struct addr *addr = place_addr_in(place, ip, place_vrf(place, link));
	bool proxy = !addr && ip->family == AF_INET &&
		     place_sysctl(place, 0, "net/ipv4/conf/%s/proxy_arp", link->name);

	if (!addr && !proxy)
		return;
	list_each(owner, owners)
		if (owner->place == place) {
			if (addr && addr->index == link->index)
				owner->link = link;
			return;
		}
	*list_add(walk->scene->arena, owners) = (struct spot){ place, link };
}

/* By a link that frames of the segment come out of: whoever takes them there. */
static void add_receiver(struct walk *walk, spots_t *owners, const struct spot *at, int tag,
			 const struct place *self, const struct ip *ip)
{
	struct spot receiver, child;

	if (!segment_receiver(walk, at->place, at->link, tag, &receiver))
		return;
	if (receiver.place != self)
		add_owner(walk, owners, receiver.place, receiver.link, ip);
	if (walk_find_child(walk, receiver.place, receiver.link, ip, &child) &&
	    child.place != self && !walk_by_parent(child.link))
		add_owner(walk, owners, child.place, child.link, ip);
}

/* The tag of the segment's frames where they come out of a port; -1 = they do not. */
static int tag_at(const struct segment *segment, const struct link *port)
{
	enum segment_vlan in;

	if (!segment->far.link->vlan_filtering)
		return segment->tag;
	in = segment->vlan ? segment_in_vlan(segment->far.place, port, segment->vlan)
			   : SEGMENT_NOT_IN;
	return in == SEGMENT_NOT_IN ? -1 : in == SEGMENT_UNTAGGED ? 0 : segment->vlan;
}

/* all: whatever VLAN they are in. */
static void add_bridged(struct walk *walk, const struct segment *segment, const struct place *self,
			const struct ip *ip, bool all, spots_t *owners)
{
	struct place *place = segment->far.place;
	const struct link *bridge = segment->far.link;
	int tag = all ? 0 : tag_at(segment, bridge);
	struct spot other;

	if (tag >= 0)
		add_receiver(walk, owners, &segment->far, tag, self, ip);
	list_each(port, &place->links) {
		if (port->master != bridge->index ||
		    !scene_other_end(walk->scene, place, port, &other))
			continue;
		tag = all ? 0 : tag_at(segment, port);
		if (tag >= 0 && (other.place != place ||
				 place_first_addr(place, other.link->index, ip->family)))
			add_receiver(walk, owners, &other, tag, self, ip);
	}
}

void segment_owners(struct walk *walk, const struct segment *segment, const struct place *self,
		    const struct ip *ip, spots_t *owners)
{
	if (!segment->far.place)
		return;
	if (!segment->bridged) {
		add_receiver(walk, owners, &segment->far, segment->tag, self, ip);
		if (!owners->n)
			add_receiver(walk, owners, &segment->far, 0, self, ip);
		return;
	}
	add_bridged(walk, segment, self, ip, false, owners);
	if (!owners->n)
		add_bridged(walk, segment, self, ip, true, owners);
}

/* ---- and its answer ---- */

static const struct link *port_of(struct walk *walk, const struct segment *segment,
				  const struct spot *at)
{
	struct spot other;

	list_each(port, &segment->far.place->links)
		if (port->master == segment->far.link->index &&
		    scene_other_end(walk->scene, segment->far.place, port, &other) &&
		    other.place == at->place && other.link == at->link)
			return port;
	return segment->far.link;
}

bool segment_answers(struct walk *walk, const struct segment *segment, const struct spot *owner,
		     const struct link **port, int *vlan)
{
	struct place *place = segment->far.place;
	const struct link *asker = segment->port ? segment->port : segment->far.link;
	struct spot at = *owner;
	enum segment_vlan in;
	int tag = 0;

	if (!segment->vlan || !find_outlet(walk, &at, &tag))
		return true;
	*port = port_of(walk, segment, &at);
	if (segment_in_vlan(place, *port, segment->vlan) == SEGMENT_NOT_IN ||
	    segment_in_vlan(place, asker, segment->vlan) == SEGMENT_NOT_IN)
		return true; /* it is not even asked */
	*vlan = tag ? tag : segment_pvid(place, *port);
	in = segment_in_vlan(place, asker, *vlan);
	if (in != SEGMENT_NOT_IN && (in == SEGMENT_UNTAGGED ? 0 : *vlan) == segment->tag)
		return true;
	if (*vlan == segment->vlan)
		*port = asker;
	return false;
}

bool segment_apart(struct walk *walk, const struct spot *a, const struct spot *b)
{
	const struct segment one = segment_of(walk, a->place, a->link);
	const struct segment two = segment_of(walk, b->place, b->link);

	return one.far.place && one.far.place == two.far.place &&
	       ((one.far.link == two.far.link && one.vlan != two.vlan) ||
		place_vrf(one.far.place, one.far.link) != place_vrf(two.far.place, two.far.link));
}
