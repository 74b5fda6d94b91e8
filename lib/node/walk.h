/* A packet on its way: what the files of path know of it. Functions that return int: WALK_ON, WALK_ENDED, or -errno. */
#ifndef NODE_WALK_H
#define NODE_WALK_H

#include "kernel/route.h"
#include "node/path.h"
#include "node/policy.h"

enum { WALK_ON, WALK_ENDED };
enum { WALK_STEPS_MAX = 24 };

/* Where a source was changed, and from what. */
struct walk_masquerade {
	struct place *place;
	struct ip src;
};

struct walk {
	struct scene *scene;
	const struct path_query *query;
	struct path *path;
	struct parcel parcel;
	struct place *origin; /* NULL = it comes from outside */
	int mtu;              /* of packets as they are sent; 0 = not known yet */
	bool trial;           /* only to see what would become of it */
	bool back;            /* it is the answer: filters know its connection */
	bool mapped;
	bool undone; /* the answer to a changed source has got its destination back just now */
	LIST(struct walk_masquerade) masquerades; /* in their order */
	struct mac sender;                        /* of the frame; not set = not known */
	int tag;                 /* of the VLAN that the frame is in; 0 = it has none */
	const struct link *port; /* of a bridge, that it came in by just now; NULL = none */
	const char *first;       /* the link that it was sent by; NULL = it comes from outside */
	const char *bare; /* the namespace that it left with a pod's own address; NULL = none */
	const struct link *vrf; /* that it is in, where it is now; NULL = none */
	struct spot end;        /* where it arrived */
	unsigned steps;
	struct policies *policies; /* policy.h; NULL = not read yet */
	struct error *err;
};

/* ---- what is told (walk.c) ---- */
#define walk_text(walk, ...) arena_printf((walk)->scene->arena, __VA_ARGS__)
void walk_hop(struct walk *walk, const struct place *place, const char *device);
void walk_tell(struct walk *walk, const char *what, const char *format, ...) printf_like(3, 4);
/* why, remedy: NULL = nothing to say; of the arena. */
void walk_note(struct walk *walk, enum path_level level, const char *what, const char *text,
	       const char *why, const char *remedy);
int walk_stop(struct walk *walk, const char *what, const char *text, const char *why,
	      const char *remedy); /* WALK_ENDED */
const char *walk_ip(struct walk *walk, const struct ip *ip);
const char *walk_mac(struct walk *walk, const struct mac *mac);
const struct peer_state *walk_peer(const struct walk *walk, const struct ip *ip);

/* ---- in a namespace (walk_route.c) ---- */
int walk_send(struct walk *walk, struct place *place);
int walk_arrive(struct walk *walk, struct place *place, const struct link *link);
/* Past all filters, to who has the address. */
int walk_hand_over(struct walk *walk, struct place *place, const struct link *link);
int walk_check_reverse_path(struct walk *walk, struct place *place, const struct link *in);
void walk_check_mtu(struct walk *walk, const struct place *place, const struct route *used,
		    const struct link *out);
int walk_post_routing(struct walk *walk, struct place *place, const struct link *in,
		      const struct link *out, const struct route *used);
struct fib_answer;
/* The way that a route says. */
int walk_out(struct walk *walk, struct place *place, const struct link *in,
	     const struct fib_answer *answer);
/* What the others of several next hops would do (walk_hops.c). */
void walk_other_hops(struct walk *walk, struct place *place, const struct link *in,
		     const struct fib_answer *answer);
int walk_policy(struct walk *walk, const struct place *place);

/* ---- at hooks (walk_filter.c) ---- */
/* A hook of its filter; in, out may be NULL. */
int walk_filter(struct walk *walk, struct place *place, enum nft_hook hook, const struct link *in,
		const struct link *out, struct filter_answer *answer);
/* A hook of the tables of bridges, when the frame's sender is known. */
int walk_frame(struct walk *walk, struct place *place, enum nft_hook hook,
	       const struct link *bridge, const struct link *in, const struct link *out);
/* A hook of the tables of devices. */
int walk_device(struct walk *walk, struct place *place, const struct link *link, bool egress);
/* All that a device itself does to what enters it, or leaves it (walk_hook.c). */
int walk_enter(struct walk *walk, struct place *place, const struct link *link);
int walk_exit(struct walk *walk, struct place *place, const struct link *link);

/* ---- its ways out (walk_fib.c) ---- */
/* in: NULL = it is sent from there. */
int walk_ask_route(struct walk *walk, struct place *place, const struct link *in,
		   struct fib_answer *answer);

/* Of what is sent by that link alone, from no address of the place. */
int walk_ask_route_by(struct walk *walk, struct place *place, const struct link *out,
		      struct fib_answer *answer);

/* An address of it, or one that a route says is. */
bool walk_is_local(struct walk *walk, const struct place *place);

/* ---- on the wire (walk_link.c, walk_far.c) ---- */
/* Out by a link, to the next hop on it. */
int walk_leave(struct walk *walk, struct place *place, const struct link *link,
	       const struct ip *next);
int walk_link_up(struct walk *walk, struct place *place, const struct link *link);
/* What of the sender's packets does not fit through a link that tells nobody. */
void walk_fits(struct walk *walk, const struct place *place, const struct link *link);
/* The neighbour's MAC as the kernel has it; not set: it will ask for it. */
struct mac walk_known_mac(const struct place *place, const struct link *link,
			  const struct ip *next);
int walk_far_vxlan(struct walk *walk, struct place *place, const struct link *link,
		   const struct ip *next, const struct mac *mac);
int walk_far_relay(struct walk *walk, struct place *place, const struct link *link);
int walk_relay_works(struct walk *walk, const struct place *place, const struct link *link);
int walk_far_wire(struct walk *walk, struct place *place, const struct link *link,
		  const struct ip *next);
/* A macvlan or ipvlan link on this one, of the one who has the address. */
bool walk_find_child(struct walk *walk, const struct place *place, const struct link *link,
		     const struct ip *ip, struct spot *child);
/* ---- from node to node (token.c) ---- */
struct token {
	struct parcel parcel;
	int mtu;
	enum { TOKEN_WIRE, TOKEN_VXLAN, TOKEN_RELAY } way;
	uint32_t vni;
	struct ip
		to; /* the address of the other node that the packet is sent to; next hop on a wire */
};
const char *token_text(const struct token *token, struct arena *arena);
int token_parse(const char *text, struct token *token, struct error *err) must_check;
const char *protocol_word(uint8_t protocol); /* "TCP"; NULL = none */
bool protocol_parse(const char *word, uint8_t *protocol);

#endif
