/*
 * What a device itself does to what enters and leaves it, in front of bridges and routing, and behind them: programs (XDP),
 * filters of tc, tables of family netdev. What cannot be looked into is told.
 */
#include "node/walk.h"

#include "base/text.h"
#include "kernel/hook_filter.h"
#include "kernel/tunnel_program.h"

static const char not_judged[] =
	"it may drop packets, or send them elsewhere: that is not judged here";

/* ---- filters of tc ---- */

/* With a tag, a frame is of no other kind to them. */
static bool is_for(const struct walk *walk, const struct hook_filter *filter)
{
	enum hook_for own = walk->tag                                ? HOOK_FOR_TAGGED
			    : parcel_family(&walk->parcel) == NFT_IP ? HOOK_FOR_V4
								     : HOOK_FOR_V6;

	return filter->for_what == HOOK_FOR_ALL || filter->for_what == own;
}

static bool filter_fits(const struct walk *walk, const struct hook_filter *filter)
{
	const struct parcel *parcel = &walk->parcel;

	return is_for(walk, filter) && !has_prefix(filter->name, TUNNEL_PROGRAM_PREFIX) &&
	       (!filter->source.ip.family || cidr_contains(&filter->source, &parcel->src)) &&
	       (!filter->destination.ip.family ||
		cidr_contains(&filter->destination, &parcel->dst)) &&
	       (!filter->protocol || filter->protocol == parcel_protocol(parcel)) &&
	       (!filter->ports.last || filter->ports.first == parcel->port);
}

/* The first that decides; *maybe: one that would, if it matched. NULL = none. */
static const struct hook_filter *choose_filter(const struct walk *walk,
					       const hook_filters_t *filters,
					       const struct hook_filter **maybe)
{
	list_each(filter, filters) {
		if (!filter_fits(walk, filter))
			continue;
		if (!filter->unknown && filter->act != HOOK_ACT_UNKNOWN) {
			if (filter->act != HOOK_ACT_NEXT)
				return filter;
		} else if (!*maybe) {
			*maybe = filter;
		}
	}
	return NULL;
}

static const char *filter_text(struct walk *walk, const struct link *link, bool egress,
			       const struct hook_filter *filter)
{
	return walk_text(walk, "the %s filter of priority %u at the %s of %s%s%s", filter->kind,
			 filter->priority, egress ? "egress" : "ingress", link->name,
			 *filter->name ? ": " : "", filter->name);
}

static int drop(struct walk *walk, struct place *place, const struct link *link, bool egress,
		const struct hook_filter *filter)
{
	return walk_stop(
		walk, "tc",
		walk_text(walk, "drops the packet: %s", filter_text(walk, link, egress, filter)),
		"a filter of tc refuses it",
		place_command(place, walk->scene->arena, "tc", "filter del dev %s %s pref %u",
			      link->name, egress ? "egress" : "ingress", filter->priority));
}

static void tell_maybe(struct walk *walk, const struct link *link, bool egress,
		       const struct hook_filter *filter)
{
	walk_note(
		walk, PATH_NOTE, "tc",
		walk_text(walk, "may stop the packet: %s", filter_text(walk, link, egress, filter)),
		not_judged, NULL);
}

/* An ifb link gives back what it is sent: it is there to limit the rate. */
static bool gives_back(const struct place *place, const struct hook_filter *filter)
{
	const struct link *to = place_link(place, filter->to);

	return to && streq(to->kind, "ifb");
}

/* *back: it comes back from an ifb link, behind the tables of the device. */
static int ask_filters(struct walk *walk, struct place *place, const struct link *link, bool egress,
		       bool *back)
{
	hook_filters_t filters = { 0 };
	const struct hook_filter *maybe = NULL, *filter;
	int r = hook_filters(place->nl, link->index, egress, walk->scene->arena, &filters,
			     walk->err);

	if (r < 0)
		return r;
	filter = choose_filter(walk, &filters, &maybe);
	*back = filter && filter->act == HOOK_ACT_SEND && gives_back(place, filter);
	if (filter && filter->act == HOOK_ACT_DROP && !maybe)
		return drop(walk, place, link, egress, filter);
	if (!maybe && filter && filter->act != HOOK_ACT_PASS && !*back)
		maybe = filter;
	if (maybe)
		tell_maybe(walk, link, egress, maybe);
	return WALK_ON;
}

static bool has_qdisc(const struct place *place, const struct link *link, const char *kind)
{
	list_each(qdisc, &place->qdiscs)
		if (qdisc->index == link->index && streq(qdisc->kind, kind))
			return true;
	return false;
}

/* ---- both ways ---- */

int walk_enter(struct walk *walk, struct place *place, const struct link *link)
{
	bool back = false;
	int r = WALK_ON;

	if (link->has_xdp)
		walk_note(
			walk, PATH_NOTE, "XDP",
			walk_text(walk, "%s has a program that sees the packet first", link->name),
			not_judged,
			place_command(place, walk->scene->arena, "ip", "-d link show dev %s",
				      link->name));
	if (has_qdisc(place, link, "clsact") || has_qdisc(place, link, "ingress"))
		r = ask_filters(walk, place, link, false, &back);
	return r == WALK_ON && !back ? walk_device(walk, place, link, false) : r;
}

int walk_exit(struct walk *walk, struct place *place, const struct link *link)
{
	bool back;
	int r = walk_device(walk, place, link, true);

	if (r == WALK_ON && has_qdisc(place, link, "clsact"))
		r = ask_filters(walk, place, link, true, &back);
	if (r == WALK_ON && has_qdisc(place, link, "netem"))
		walk_note(walk, PATH_NOTE, "qdisc",
			  walk_text(walk, "netem of %s may lose the packet", link->name),
			  "it is there to make a link worse than it is",
			  place_command(place, walk->scene->arena, "tc", "qdisc show dev %s",
					link->name));
	return r;
}
