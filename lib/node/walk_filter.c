/* A packet at the hooks of packet filters: of namespaces, of bridges, of devices. */
#include "node/walk.h"

static int obey(struct walk *walk, const struct filter_answer *answer)
{
	if (answer->dropped)
		return walk_stop(walk, "filter",
				 walk_text(walk, "%s the packet: %s",
					   answer->rejected ? "rejects" : "drops", answer->where),
				 "the packet filter of this namespace refuses it", answer->remedy);
	if (answer->maybe)
		walk_note(walk, PATH_NOTE, "filter",
			  walk_text(walk, "may drop the packet: %s", answer->maybe),
			  "it, or a rule before it, matches by something that is not read back",
			  NULL);
	else if (answer->unknown)
		walk_tell(walk, "filter", "passes; %u rules could not be judged", answer->unknown);
	return WALK_ON;
}

int walk_filter(struct walk *walk, struct place *place, enum nft_hook hook, const struct link *in,
		const struct link *out, struct filter_answer *answer)
{
	const struct filter_question question = { hook, in ? in->name : "", out ? out->name : "",
						  walk_is_local(walk, place), walk->mapped };
	int r;

	*answer = (struct filter_answer){ .dropped = false };
	if (walk->back)
		return WALK_ON;
	r = filter_ask(place, &walk->parcel, &question, walk->scene->arena, answer, walk->err);
	return r < 0 ? r : obey(walk, answer);
}

/* An answer is a frame like any other: bridges know no connections. */
int walk_frame(struct walk *walk, struct place *place, enum nft_hook hook,
	       const struct link *bridge, const struct link *in, const struct link *out)
{
	const struct frame frame = { walk->sender, bridge->name };
	const struct filter_question question = { .hook = hook,
						  .in = in ? in->name : "",
						  .out = out ? out->name : "",
						  .frame = &frame,
						  .answer = walk->back };
	struct filter_answer answer;
	int r;

	if (!walk->sender.set)
		return WALK_ON;
	r = filter_ask(place, &walk->parcel, &question, walk->scene->arena, &answer, walk->err);
	return r < 0 ? r : obey(walk, &answer);
}

int walk_device(struct walk *walk, struct place *place, const struct link *link, bool egress)
{
	const struct frame frame = { walk->sender, "" };
	const struct filter_question question = { .in = egress ? "" : link->name,
						  .out = egress ? link->name : "",
						  .frame = walk->sender.set ? &frame : NULL,
						  .device = true,
						  .egress = egress,
						  .answer = walk->back };
	struct filter_answer answer;
	int r = filter_ask(place, &walk->parcel, &question, walk->scene->arena, &answer, walk->err);

	return r < 0 ? r : obey(walk, &answer);
}
