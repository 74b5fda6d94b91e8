/* How much fits into one packet to each peer: the kernel's routes to its pods and to its node, less what is put around. */
#include "agent/peers.h"

#include <sys/socket.h>

#include "agent/way.h"
#include "kernel/link.h"

struct measuring {
	struct netlink *nl;
	const struct plan_node *node;
	links_t links;
};

static int mtu_of_link(const struct measuring *m, int index)
{
	const struct link *link = links_at(&m->links, index);

	return link ? link->mtu : 0;
}

/* Of what goes to that address, and by which interface. 0 = not known. */
static int mtu_to(const struct measuring *m, const struct ip *ip, int *oif)
{
	uint32_t mtu = 0;
	int link;

	if (route_way(m->nl, ip, oif, &mtu, NULL))
		return 0;
	link = mtu_of_link(m, *oif);
	return mtu && (int)mtu < link ? (int)mtu : link;
}

/* NULL = nothing is put around packets that leave there. */
static const struct way *way_of(const struct plan_node *node, int device)
{
	if (device && (device == node->vtep || device == node->vtep6))
		return &way_vxlan;
	return device && device == node->tun ? &way_udp : NULL;
}

static int less(int a, int b)
{
	return a < b ? a : b;
}

static int expected_mtu(const struct measuring *m, const struct peer_state *state, bool v6)
{
	const struct network_config *config = m->node->config;
	const struct way *way = way_of(m->node, state->expected.route->oif);
	int below = mtu_of_link(m, m->node->external);

	if (!way || !below)
		return below;
	v6 |= way == &way_udp && config->v6.enabled; /* one device for both families */
	return less(way_mtu(way, config, below, v6), below - (v6 ? way->overhead6 : way->overhead));
}

static void measure(const struct measuring *m, struct peer_state *state)
{
	bool v6 = state->subnet.ip.family == AF_INET6;
	const struct ip *node = v6 ? &state->lease->public_ip6 : &state->lease->public_ip;
	const struct way *way;
	int oif = 0, below;

	if (state->expected.route)
		state->expected.mtu = expected_mtu(m, state, v6);
	if (!state->actual.route)
		return;
	state->actual.mtu = mtu_to(m, &state->subnet.ip, &oif);
	way = way_of(m->node, oif);
	below = node->family ? mtu_to(m, node, &oif) : 0;
	if (below && below < mtu_of_link(m, oif))
		state->path_mtu = below;
	if (below && way)
		below -= v6 ? way->overhead6 : way->overhead;
	if (below)
		state->actual.mtu = less(state->actual.mtu, below);
}

bool peer_fits(const struct peer_state *state)
{
	return !state->actual.mtu || state->actual.mtu >= state->expected.mtu;
}

/* What is put around counts in flannel's MTU, too: it is the one of the interface below. */
static const char *too_large(const struct peer_state *state, struct arena *arena)
{
	const char *text = arena_printf(arena, "packets to it may have %d bytes, not %d",
					state->actual.mtu, state->expected.mtu);

	if (!state->path_mtu)
		return text;
	return arena_printf(
		arena, "%s: the way to its node carries %d (\"MTU\": %d in the network's Backend)",
		text, state->path_mtu, state->path_mtu);
}

int peers_measure(struct netlink *nl, const struct plan_node *node, struct arena *arena,
		  peer_states_t *states, struct error *err)
{
	struct measuring m = { .nl = nl, .node = node };
	int r = link_list(nl, NULL, 0, arena, &m.links, err);

	if (r < 0)
		return r;
	list_each(state, states) {
		measure(&m, state);
		if (streq(state->verdict, "ok") && !peer_fits(state))
			state->verdict = too_large(state, arena);
	}
	return 0;
}
