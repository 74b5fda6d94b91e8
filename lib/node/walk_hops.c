/*
 * Routes of several next hops: the kernel says which one it takes for this packet, and by that it is followed. What would become of
 * it by the others is told, for other packets take those.
 */
#include "node/walk.h"

#include "kernel/fib.h"

static const char *hop_text(struct walk *walk, const struct place *place,
			    const struct route_hop *hop)
{
	const struct link *link = place_link(place, hop->oif);

	return walk_text(walk, "%s%s%sdev %s", hop->gw.family ? "via " : "",
			 hop->gw.family ? walk_ip(walk, &hop->gw) : "", hop->gw.family ? " " : "",
			 link ? link->name : "?");
}

/* All that it leaves behind is the answer: the path is as it was. *stop: the fact that stops it; what NULL = nothing
 * does. */
static void try_hop(const struct walk *walk, struct place *place, const struct link *in,
		    const struct fib_answer *answer, const struct route_hop *hop,
		    struct path_fact *stop)
{
	struct walk trial = *walk;
	struct path before = *walk->path;
	struct path_hop *here = &before.hops.items[before.hops.n - 1], here_before = *here;
	struct fib_answer other = *answer;
	struct error why = { 0 };

	other.used.gw = hop->gw;
	other.used.oif = hop->oif;
	trial.trial = true;
	trial.err = &why;
	*stop = (struct path_fact){ 0 };
	if (walk_out(&trial, place, in, &other) >= 0 && walk->path->stopped) {
		const struct path_hop *last = &walk->path->hops.items[walk->path->hops.n - 1];

		*stop = last->facts.items[last->facts.n - 1];
		stop->text = walk->path->verdict;
	}
	*walk->path = before;
	*here = here_before;
}

static void tell_other(struct walk *walk, struct place *place, const struct link *in,
		       const struct fib_answer *answer, const struct route_hop *hop)
{
	const char *words = hop_text(walk, place, hop);
	struct path_fact stop;

	if (hop->flags & ROUTE_DEAD) {
		walk_tell(walk, "next hop", "%s is dead, and not taken", words);
		return;
	}
	try_hop(walk, place, in, answer, hop, &stop);
	if (stop.what)
		walk_note(walk, PATH_NOTE, "next hop",
			  walk_text(walk, "%s would stop it: %s", words, stop.text),
			  "this packet does not take it, but others of the route do", stop.remedy);
	else
		walk_tell(walk, "next hop", "%s would do, too", words);
}

void walk_other_hops(struct walk *walk, struct place *place, const struct link *in,
		     const struct fib_answer *answer)
{
	const struct route *used = &answer->used;
	bool ports;

	if (answer->entry.hops.n < 2 || walk->trial || walk->back)
		return;
	ports = place_sysctl(place, 0, "net/ipv%d/fib_multipath_hash_policy",
			     used->dst.ip.family == ROUTE_IPV4 ? 4 : 6);
	walk_tell(walk, "next hop", "one of %zu, chosen by the addresses%s", answer->entry.hops.n,
		  ports ? " and more, such as the sender's port, which is not known" : "");
	list_each(hop, &answer->entry.hops)
		if (hop->oif != used->oif || !ip_equal(&hop->gw, &used->gw))
			tell_other(walk, place, in, answer, hop);
}
