/*
 * Replies and events of the kernel: acks, errors, dumps, through the session and through the readers of links, addresses, routes,
 * neighbours, rules and the rest. The kernel is trusted, but a reader that runs off the end of a message is a bug all the same.
 *
 * Input: one letter that picks the reader, one that tells whether sequence numbers are made to fit ('+'), and the
 * datagram. Behind it comes the end of a dump, then the socket is closed.
 */
#include "fuzz.h"

#include "kernel/addr.h"
#include "kernel/conntrack.h"
#include "kernel/fdb.h"
#include "kernel/fib.h"
#include "kernel/hook.h"
#include "kernel/ipset_internal.h"
#include "kernel/link.h"
#include "kernel/monitor.h"
#include "kernel/neigh.h"
#include "kernel/netlink_internal.h"
#include "kernel/netns.h"
#include "kernel/nft_dump.h"
#include "kernel/nft_monitor.h"
#include "kernel/nft_set.h"
#include "kernel/qdisc.h"
#include "kernel/route.h"
#include "kernel/rule.h"

#include <errno.h>
#include <sys/socket.h>

static void read_links(struct netlink *nl, struct arena *arena, struct error *err)
{
	links_t links = { 0 };
	int r = link_list(nl, "bridge", 0, arena, &links, err);

	fuzz_check(r < 0 || links.n < 4096, "%zu links", links.n);
}

static void read_link(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	struct link link;
	int r = link_get(nl, "eth0", &link, err);

	fuzz_check(r < 0 || memchr(link.name, '\0', sizeof(link.name)), "name without end");
}

static void read_addrs(struct netlink *nl, struct arena *arena, struct error *err)
{
	addrs_t addrs = { 0 };
	int r = addr_records(nl, 0, 0, arena, &addrs, err);

	for (size_t i = 0; r >= 0 && i < addrs.n; i++) {
		fuzz_check(addrs.items[i].cidr.prefix <= 128, "prefix %u",
			   addrs.items[i].cidr.prefix);
		addr_queue_again(nl, &addrs.items[i], "eth0", false);
	}
	netlink_discard(nl);
}

static void read_routes(struct netlink *nl, struct arena *arena, struct error *err)
{
	routes_t routes = { 0 };
	int r = route_records(nl, 0, 0, 0, arena, &routes, err);

	for (size_t i = 0; r >= 0 && i < routes.n; i++) {
		route_queue_again(nl, &routes.items[i], ROUTE_REPLACE);
		route_queue_remove(nl, &routes.items[i]);
	}
	netlink_discard(nl);
}

static void read_routing_rules(struct netlink *nl, struct arena *arena, struct error *err)
{
	rules_t rules = { 0 };
	int r = rule_list(nl, 0, arena, &rules, err);

	for (size_t i = 0; r >= 0 && i < rules.n; i++)
		rule_queue_del(nl, &rules.items[i]);
	netlink_discard(nl);
}

static void read_neighs(struct netlink *nl, struct arena *arena, struct error *err)
{
	neighs_t neighs = { 0 };
	int r = neigh_list(nl, 0, false, arena, &neighs, err);

	fuzz_check(r < 0 || neighs.n < 4096, "%zu neighbours", neighs.n);
}

static void read_vlans(struct netlink *nl, struct arena *arena, struct error *err)
{
	link_vlans_t vlans = { 0 };
	int r = link_vlans(nl, 0, arena, &vlans, err);

	fuzz_check(r < 0 || vlans.n < 65536, "%zu VLANs", vlans.n);
}

static void read_rules(struct netlink *nl, struct arena *arena, struct error *err)
{
	nft_rules_t rules = { 0 };
	size_t len = 0;
	int r = nft_rules(nl, NFT_INET, "table", "masq_checks", arena, &rules, err);

	for (size_t i = 0; r >= 0 && i < rules.n; i++)
		len += strlen(rules.items[i].comment) + strlen(rules.items[i].target) +
		       strlen(rules.items[i].in.name) + strlen(rules.items[i].out.name) +
		       (rules.items[i].n_ports
				? rules.items[i].ports[rules.items[i].n_ports - 1].last % 2u
				: 0);
	fuzz_check(len < 65536, "%zu characters", len);
}

static void read_chains(struct netlink *nl, struct arena *arena, struct error *err)
{
	nft_names_t names = { 0 };
	int r = nft_chains(nl, NFT_INET, "table", arena, &names, err);

	for (size_t i = 0; r >= 0 && i < names.n; i++)
		fuzz_check(names.items[i], "chain without name");
}

static void read_elements(struct netlink *nl, struct arena *arena, struct error *err)
{
	nft_elements_t elements = { 0 };
	int r = nft_elements(nl, NFT_IP, "table", "set", arena, &elements, err);

	for (size_t i = 0; r >= 0 && i < elements.n; i++) {
		const struct nft_element *element = &elements.items[i];
		size_t at = 0;

		nft_value_get_ip(&element->key, AF_INET6, &at);
		fuzz_check(element->key.size <= NFT_VALUE_SIZE &&
				   element->data.size <= NFT_VALUE_SIZE,
			   "%zu bytes of key, %zu of data", element->key.size, element->data.size);
		fuzz_check(strlen(element->comment) < 256, "comment of %zu",
			   strlen(element->comment));
	}
}

static void read_flows(struct netlink *nl, struct arena *arena, struct error *err)
{
	const struct flow_filter filter = { .family = 0, .translated = true };
	flows_t flows = { 0 };
	int r = conntrack_list(nl, &filter, arena, &flows, err);

	for (size_t i = 0; r >= 0 && i < flows.n; i++)
		conntrack_queue_del(nl, &flows.items[i]);
	netlink_discard(nl);
}

static void read_ipsets(struct netlink *nl, struct arena *arena, struct error *err)
{
	struct ipset_session session = { .nl = nl, .protocol = 7 };
	ipsets_t sets = { 0 };
	int r = ipset_list(&session, "cnibox-", true, arena, &sets, err);

	for (size_t i = 0; r >= 0 && i < sets.n; i++) {
		list_each(element, &sets.items[i].elements)
			fuzz_check(element->cidr.prefix <= ip_bits(&element->cidr.ip), "prefix %u",
				   element->cidr.prefix);
		ipset_queue_add(&session, sets.items[i].name, sets.items[i].elements.items,
				sets.items[i].elements.n);
	}
	netlink_discard(nl);
}

/* The reply to the question which versions the kernel's ipset speaks. */
static void read_versions(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	struct ipset_session session = { .nl = nl, .protocol = 7 };

	if (ipset_agree(&session, err) < 0)
		fuzz_check(*err->message, "no word about what is wrong");
	else
		fuzz_check(session.protocol == 6 || session.protocol == 7, "version %u",
			   session.protocol);
}

static void read_qdiscs(struct netlink *nl, struct arena *arena, struct error *err)
{
	qdiscs_t qdiscs = { 0 };
	int r = qdisc_list(nl, arena, &qdiscs, err);

	for (size_t i = 0; r >= 0 && i < qdiscs.n; i++)
		fuzz_check(qdiscs.items[i].handle && strlen(qdiscs.items[i].kind) < 16,
			   "one without handle");
}

static void read_filters(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	bool redirects;

	(void)!qdisc_redirects(nl, 7, 9, &redirects, err);
}

static void read_fdb(struct netlink *nl, struct arena *arena, struct error *err)
{
	fdbs_t fdbs = { 0 };
	int r = fdb_list(nl, arena, &fdbs, err);

	for (size_t i = 0; r >= 0 && i < fdbs.n; i++)
		fuzz_check(fdbs.items[i].mac.set, "an entry without an address");
}

static void read_way(struct netlink *nl, struct arena *arena, struct error *err)
{
	struct fib_question question = { .mark = 0 };
	struct fib_answer answer;

	if (ip_parse("192.0.2.1", &question.dst) && fib_ask(nl, &question, arena, &answer, err) < 0)
		fuzz_check(*err->message, "no word about what is wrong");
}

static void read_hooks(struct netlink *nl, struct arena *arena, struct error *err)
{
	hook_programs_t programs = { 0 };
	int r = hook_list(nl, 7, "", arena, &programs, err);

	for (size_t i = 0; r >= 0 && i < programs.n; i++)
		fuzz_check(memchr(programs.items[i].name, 0, sizeof(programs.items[i].name)),
			   "name without end");
}

static void read_base_chains(struct netlink *nl, struct arena *arena, struct error *err)
{
	nft_base_chains_t chains = { 0 };
	int r = nft_base_chains(nl, arena, &chains, err);

	for (size_t i = 0; r >= 0 && i < chains.n; i++)
		fuzz_check(chains.items[i].table && chains.items[i].name && chains.items[i].type,
			   "half a chain");
}

static void hear_event(unused void *arg, const struct monitor_event *event)
{
	fuzz_check(event->kind <= MONITOR_NEIGH, "of kind %u", event->kind);
}

static void read_events(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	if (monitor_read(nl, hear_event, NULL, err) < 0)
		fuzz_check(*err->message, "no word about what is wrong");
}

static void hear_nft(unused void *arg, const struct nft_event *event)
{
	fuzz_check(strlen(event->table) + strlen(event->chain) < 32768, "names without end");
}

static void read_nft_events(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	if (nft_monitor_read(nl, hear_nft, NULL, err) < 0)
		fuzz_check(*err->message, "no word about what is wrong");
}

static void read_packets(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	struct link_packets packets;

	if (link_packets(nl, 7, &packets, err) < 0)
		fuzz_check(*err->message, "no word about what is wrong");
}

static void read_mtu(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	struct ip ip;
	uint32_t mtu;
	int oif;

	if (ip_parse("192.0.2.1", &ip) && route_way(nl, &ip, &oif, &mtu, err) < 0)
		fuzz_check(*err->message, "no word about what is wrong");
}

static void read_netns_id(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	int id;

	if (netns_id(nl, 0, &id, err) < 0)
		fuzz_check(*err->message, "no word about what is wrong");
}

static void read_qdisc(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	struct qdisc qdisc;

	qdisc_queue_get_root(nl, 7, &qdisc);
	if (netlink_commit(nl, err) >= 0)
		fuzz_check(memchr(qdisc.kind, '\0', sizeof(qdisc.kind)), "kind without end");
}

/* Look-ups, of which one is answered. */
static void read_generation(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	uint32_t generation;

	nft_queue_get_generation(nl, &generation);
	(void)!netlink_commit(nl, err);
}

static void read_chain_info(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	struct nft_chain_info info;

	nft_queue_get_chain(nl, NFT_INET, "table", "chain", &info);
	if (netlink_commit(nl, err) >= 0)
		fuzz_check(memchr(info.type, '\0', sizeof(info.type)), "type without end");
}

static void read_lookup(struct netlink *nl, struct arena *arena, struct error *err)
{
	const struct nft_set set = { .name = "set", .key = { NFT_PROTOCOL, NFT_PORT } };
	const struct nft_value key = { .size = 8 };
	struct nft_lookup lookup = { .arena = arena };

	nft_queue_get_element(nl, NFT_IP, "table", &set, &key, &lookup);
	if (netlink_commit(nl, err) >= 0 && lookup.found)
		fuzz_check(lookup.element.key.size <= NFT_VALUE_SIZE &&
				   lookup.element.data.size <= NFT_VALUE_SIZE,
			   "%zu bytes of key, %zu of data", lookup.element.key.size,
			   lookup.element.data.size);
}

static void read_ack(struct netlink *nl, unused struct arena *arena, struct error *err)
{
	link_queue_del(nl, "eth0");
	netlink_tolerate(nl, ENODEV);
	if (netlink_commit(nl, err) < 0)
		fuzz_check(*err->message, "no word about what is wrong");
}

static const struct {
	char letter;
	int protocol;
	uint32_t sequence; /* dumps count once more */
	void (*read)(struct netlink *nl, struct arena *arena, struct error *err);
} readers[] = {
	{ 'A', NETLINK_ROUTE, 1, read_ack },
	{ 'l', NETLINK_ROUTE, 1, read_link },
	{ 'L', NETLINK_ROUTE, 2, read_links },
	{ 'a', NETLINK_ROUTE, 2, read_addrs },
	{ 'r', NETLINK_ROUTE, 2, read_routes },
	{ 'n', NETLINK_ROUTE, 2, read_neighs },
	{ 'p', NETLINK_ROUTE, 2, read_routing_rules },
	{ 'v', NETLINK_ROUTE, 2, read_vlans },
	{ 'R', NETLINK_NETFILTER, 2, read_rules },
	{ 'C', NETLINK_NETFILTER, 2, read_chains },
	{ 'E', NETLINK_NETFILTER, 2, read_elements },
	{ 'F', NETLINK_NETFILTER, 2, read_flows },
	{ 'q', NETLINK_ROUTE, 2, read_qdiscs },
	{ 'f', NETLINK_ROUTE, 2, read_filters },
	{ 'S', NETLINK_NETFILTER, 2, read_ipsets },
	{ 'V', NETLINK_NETFILTER, 1, read_versions },
	{ 'b', NETLINK_ROUTE, 2, read_fdb },
	{ 'w', NETLINK_ROUTE, 1, read_way },
	{ 'h', NETLINK_ROUTE, 2, read_hooks },
	{ 'm', NETLINK_ROUTE, 0, read_events },
	{ 'M', NETLINK_NETFILTER, 0, read_nft_events },
	{ 'P', NETLINK_ROUTE, 1, read_packets },
	{ 'W', NETLINK_ROUTE, 1, read_mtu },
	{ 'i', NETLINK_ROUTE, 1, read_netns_id },
	{ 'Q', NETLINK_ROUTE, 1, read_qdisc },
	{ 'g', NETLINK_NETFILTER, 1, read_generation },
	{ 'c', NETLINK_NETFILTER, 1, read_chain_info },
	{ 'e', NETLINK_NETFILTER, 1, read_lookup },
	{ 'B', NETLINK_NETFILTER, 2, read_base_chains },
};

static void fit_sequence(char *data, size_t size, uint32_t sequence)
{
	for (size_t at = 0; at + sizeof(struct nlmsghdr) <= size;) {
		struct nlmsghdr header;

		memcpy(&header, data + at, sizeof(header));
		header.nlmsg_seq = sequence;
		memcpy(data + at, &header, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > size)
			return;
		at += NLMSG_ALIGN(header.nlmsg_len);
	}
}

static void play(int kernel, char *data, size_t size, uint32_t sequence)
{
	struct {
		struct nlmsghdr header;
		int result;
	} end = { { .nlmsg_len = sizeof(end), .nlmsg_type = NLMSG_DONE, .nlmsg_seq = sequence },
		  0 };

	if (send(kernel, data, size, 0) < 0 || send(kernel, &end, sizeof(end), 0) < 0)
		return;
	shutdown(kernel, SHUT_WR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };
	int pair[2];

	if (size < 3 || size > 32768)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		auto_netlink struct netlink *nl = NULL;
		char *copy = arena_memdup(&arena, data + 2, size - 2);

		if (readers[i].letter != (char)data[0] ||
		    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
			continue;
		if (data[1] == '+')
			fit_sequence(copy, size - 2, readers[i].sequence);
		play(pair[1], copy, size - 2, readers[i].sequence);
		if (netlink_adopt(&nl, readers[i].protocol, pair[0], &err) >= 0)
			readers[i].read(nl, &arena, &err);
		close(pair[1]);
	}
	return 0;
}
