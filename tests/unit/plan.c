/* From leases to kernel state: what is planned for whom, and the kernel made to hold it (in namespaces of its own). */
#include "unit.h"

#include "agent/reconcile.h"
#include "base/process.h"
#include "kernel/link.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

enum { EXTERNAL = 2, VTEP = 3, VTEP6 = 4 };

static struct arena arena;
static struct network_config config;
static struct subnet_lease own;

static struct cidr cidr(const char *text)
{
	struct cidr cidr = { 0 };

	check(cidr_parse(text, &cidr));
	return cidr;
}

static struct subnet_lease lease_of(const char *key, const char *value)
{
	struct subnet_lease lease = { 0 };
	struct error err = { 0 };

	check_int(subnet_key_parse(key, &lease), 0);
	check_ok(subnet_value_parse(value, strlen(value), &arena, &lease, &err), err);
	return lease;
}

/* Two networks on the link; more: one that has a gateway. */
static const struct near *near_of(const char *a, const char *b, const char *more)
{
	struct near *near = arena_alloc(&arena, sizeof(*near));
	routes_t routes = { 0 };

	*list_add(&arena, &routes) = (struct route){ .dst = cidr(a), .oif = EXTERNAL };
	*list_add(&arena, &routes) = (struct route){ .dst = cidr(b), .oif = EXTERNAL };
	if (more)
		*list_add(&arena, &routes) = (struct route){ .dst = cidr(more),
							     .gw = cidr("192.0.2.254/32").ip,
							     .oif = EXTERNAL };
	near_make(&routes, &arena, near);
	return near;
}

static struct plan_node node_of(const char *config_text)
{
	struct plan_node node = {
		.config = &config, .own = &own, .external = EXTERNAL, .vtep = VTEP, .vtep6 = VTEP6
	};
	struct error err = { 0 };

	check_ok(network_config_decode(config_text, strlen(config_text), true, &arena, &config,
				       &err),
		 err);
	own = lease_of(
		"10.5.1.0-24&fd00:5:0:1::-64",
		"{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":\"fd77::1\",\"BackendType\":\"vxlan\"}");
	*list_add(&arena, &node.links) = cidr("192.0.2.1/24");
	*list_add(&arena, &node.links) = cidr("fd77::1/64");
	node.near = near_of("192.0.2.0/24", "fd77::/64", NULL);
	return node;
}

#define CONFIG(more)                                                                             \
	"{\"Network\": \"10.5.0.0/16\", \"EnableIPv6\": true, \"IPv6Network\": \"fd00:5::/48\"," \
	" \"Backend\": {\"Type\": \"vxlan\"" more "}}"
#define VXLAN(ip, ip6, mac)                                                          \
	"{\"PublicIP\":\"" ip "\",\"PublicIPv6\":" ip6 ",\"BackendType\":\"vxlan\"," \
	"\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"" mac "\"},"                       \
	"\"BackendV6Data\":{\"VNI\":1,\"VtepMAC\":\"" mac "\"}}"

/* The plan as `ip` would print it, sorted as it is; then the trouble. */
static const char *plan_text(const struct plan *plan)
{
	char a[CIDR_TEXT_SIZE], b[IP_TEXT_SIZE], mac[MAC_TEXT_SIZE];
	char *text = arena_strdup(&arena, "");

	list_each(route, &plan->routes)
		text = arena_printf(&arena, "%s%s via %s dev %d%s; ", text,
				    cidr_format(&route->dst, a), ip_format(&route->gw, b),
				    route->oif, route->onlink ? " onlink" : "");
	list_each(neigh, &plan->neighs)
		text = arena_printf(&arena, "%s%s %s %s dev %d; ", text,
				    neigh->fdb ? "fdb" : "neigh", ip_format(&neigh->ip, b),
				    mac_format(&neigh->mac, mac), neigh->index);
	list_each(peer, &plan->peers)
		if (peer->trouble)
			text = arena_printf(&arena, "%s%s: %s; ", text,
					    ip_format(&peer->lease->public_ip, b),
					    plan_trouble_text(peer->trouble));
	return text;
}

static const char *planned(const char *config_text, const char *key, const char *value)
{
	struct plan_node node = node_of(config_text);
	subnet_leases_t leases = { 0 };
	struct plan plan;

	*list_add(&arena, &leases) = own;
	*list_add(&arena, &leases) = lease_of(key, value);
	plan_make(&node, &leases, &arena, &plan);
	return plan_text(&plan);
}

TEST(plan_of_a_vxlan_peer)
{
	check_str(
		planned(CONFIG(""), "10.5.2.0-24", VXLAN("192.0.2.2", "null", "02:00:00:00:00:02")),
		"10.5.2.0/24 via 10.5.2.0 dev 3 onlink; neigh 10.5.2.0 02:00:00:00:00:02 dev 3; "
		"fdb 192.0.2.2 02:00:00:00:00:02 dev 3; ");
	check_str(
		planned(CONFIG(""), "10.5.2.0-24&fd00:5:0:2::-64",
			VXLAN("192.0.2.2", "\"fd77::2\"", "02:00:00:00:00:02")),
		"10.5.2.0/24 via 10.5.2.0 dev 3 onlink; fd00:5:0:2::/64 via fd00:5:0:2:: dev 4 onlink; "
		"neigh 10.5.2.0 02:00:00:00:00:02 dev 3; neigh fd00:5:0:2:: 02:00:00:00:00:02 dev 4; "
		"fdb 192.0.2.2 02:00:00:00:00:02 dev 3; fdb fd77::2 02:00:00:00:00:02 dev 4; ");
	/* DirectRouting: near ones by a route, far ones as ever. */
	check_str(planned(CONFIG(", \"DirectRouting\": true"), "10.5.2.0-24",
			  VXLAN("192.0.2.2", "null", "02:00:00:00:00:02")),
		  "10.5.2.0/24 via 192.0.2.2 dev 2; ");
	check_str(planned(CONFIG(", \"DirectRouting\": true"), "10.5.2.0-24",
			  VXLAN("198.51.100.2", "null", "02:00:00:00:00:02")),
		  "10.5.2.0/24 via 10.5.2.0 dev 3 onlink; neigh 10.5.2.0 02:00:00:00:00:02 dev 3; "
		  "fdb 198.51.100.2 02:00:00:00:00:02 dev 3; ");
}

TEST(plan_of_other_peers)
{
	check_str(planned(CONFIG(""), "10.5.2.0-24",
			  "{\"PublicIP\":\"192.0.2.2\",\"BackendType\":\"host-gw\"}"),
		  "10.5.2.0/24 via 192.0.2.2 dev 2; ");
	check_str(planned(CONFIG(""), "10.5.2.0-24",
			  "{\"PublicIP\":\"198.51.100.2\",\"BackendType\":\"host-gw\"}"),
		  "198.51.100.2: host-gw needs it on a network that both nodes are in; ");
	check_str(planned(CONFIG(""), "10.5.2.0-24",
			  "{\"PublicIP\":\"192.0.2.2\",\"BackendType\":\"wireguard\"}"),
		  "192.0.2.2: it is reached in a way that this node does not have; ");
	check_str(planned(CONFIG(""), "10.5.2.0-24&fd00:5:0:2::-64",
			  "{\"PublicIP\":\"192.0.2.2\",\"BackendType\":\"host-gw\"}"),
		  "10.5.2.0/24 via 192.0.2.2 dev 2; "
		  "192.0.2.2: its lease has no public address for one of its subnets; ");
	check_str(planned(CONFIG(""), "10.5.0.0-20",
			  "{\"PublicIP\":\"192.0.2.2\",\"BackendType\":\"host-gw\"}"),
		  "192.0.2.2: its subnet overlaps this node's own; ");
	check_str(planned(CONFIG(""), "10.6.2.0-24",
			  "{\"PublicIP\":\"192.0.2.2\",\"BackendType\":\"host-gw\"}"),
		  "192.0.2.2: its subnet is not in the network; ");
	check_str(planned(CONFIG(""), "8.0.0.0-8",
			  "{\"PublicIP\":\"198.51.100.2\",\"BackendType\":\"host-gw\"}"),
		  "198.51.100.2: its subnet is not in the network; ");
	/* This node under another key: a ghost of its own. */
	check_str(planned(CONFIG(""), "10.5.9.0-24",
			  "{\"PublicIP\":\"192.0.2.1\",\"BackendType\":\"host-gw\"}"),
		  "");
}

/* A lease must not take the way to the nodes themselves away. */
TEST(plan_of_a_subnet_that_nodes_are_in)
{
	check_str(
		planned(CONFIG(""), "192.0.2.0-24",
			"{\"PublicIP\":\"192.0.2.2\",\"BackendType\":\"host-gw\"}"),
		"192.0.2.2: its subnet takes in the network of the nodes themselves, or a node's address; ");
	check_str(
		planned(CONFIG(""), "192.0.2.2-31",
			"{\"PublicIP\":\"192.0.2.2\",\"BackendType\":\"host-gw\"}"),
		"192.0.2.2: its subnet takes in the network of the nodes themselves, or a node's address; ");
	check_str(
		planned(CONFIG(""), "10.5.2.0-24&fd77::-48",
			VXLAN("192.0.2.2", "\"fd77::2\"", "02:00:00:00:00:02")),
		"192.0.2.2: its subnet takes in the network of the nodes themselves, or a node's address; ");
}

static bool has(const struct near *near, int link, const char *address)
{
	struct ip ip = { 0 };

	check(ip_parse(address, &ip));
	return near_has(near, link, &ip);
}

/* What the table says of an address: the longest prefix, the best metric, no gateway, the link that is meant. */
TEST(near_is_what_the_table_says)
{
	const struct near *near = near_of("192.0.2.0/24", "fd77::/64", "192.0.2.9/32");
	struct near other;
	routes_t routes = { 0 };

	check(has(near, EXTERNAL, "192.0.2.8"));
	check(has(near, EXTERNAL, "fd77::8"));
	check(!has(near, EXTERNAL, "192.0.2.9"));
	check(!has(near, VTEP, "192.0.2.8"));
	check(!has(near, EXTERNAL, "198.51.100.8"));
	check(!near_has(near, EXTERNAL, &(struct ip){ 0 }));
	*list_add(&arena, &routes) =
		(struct route){ .dst = cidr("192.0.2.0/24"), .oif = EXTERNAL, .priority = 7 };
	*list_add(&arena, &routes) =
		(struct route){ .dst = cidr("192.0.2.0/24"), .oif = VTEP, .priority = 5 };
	*list_add(&arena, &routes) = (struct route){ .dst = cidr("192.0.2.0/25"),
						     .oif = EXTERNAL,
						     .type = ROUTE_BLACKHOLE };
	*list_add(&arena, &routes) = (struct route){ .dst = cidr("0.0.0.0/0"), .oif = EXTERNAL };
	*list_add(&arena, &routes) = (struct route){ .dst = cidr("192.0.2.200/32"),
						     .oif = EXTERNAL,
						     .protocol = ROUTE_PROTOCOL_CNIBOX };
	near_make(&routes, &arena, &other);
	check(!has(&other, EXTERNAL, "192.0.2.200"));
	check(has(&other, VTEP, "192.0.2.200"));
	check(!has(&other, EXTERNAL, "192.0.2.8"));
	check(has(&other, EXTERNAL, "198.51.100.8")); /* a default route by the link */
	arena_free(&arena);
}

/* Nodes of a network that is wider than the pods', and contains it, have nothing to lose by a subnet's route. */
TEST(plan_of_nodes_in_a_wide_network)
{
	struct plan_node node = node_of(CONFIG(""));
	subnet_leases_t leases = { 0 };
	struct plan plan;

	node.links.n = 0;
	*list_add(&arena, &node.links) = cidr("10.200.0.1/8");
	*list_add(&arena, &node.links) = cidr("fd77::1/64");
	*list_add(&arena, &leases) = lease_of(
		"10.5.2.0-24", "{\"PublicIP\":\"10.200.0.2\",\"BackendType\":\"host-gw\"}");
	*list_add(&arena, &leases) =
		lease_of("10.5.3.0-24", "{\"PublicIP\":\"10.5.4.9\",\"BackendType\":\"host-gw\"}");
	*list_add(&arena, &leases) = lease_of(
		"10.5.4.0-24", "{\"PublicIP\":\"10.200.0.4\",\"BackendType\":\"host-gw\"}");
	*list_add(&arena, &leases) = lease_of(
		"10.200.0.0-24", "{\"PublicIP\":\"10.201.0.9\",\"BackendType\":\"host-gw\"}");
	*list_add(&arena, &leases) =
		lease_of("10.0.0.0-8", "{\"PublicIP\":\"10.200.0.5\",\"BackendType\":\"host-gw\"}");
	node.near = near_of("10.0.0.0/8", "fd77::/64", NULL);
	own.subnet = cidr("172.16.0.0/24");
	plan_make(&node, &leases, &arena, &plan);
	check_int(plan.peers.items[0].trouble, PLAN_FINE);
	check_int(plan.peers.items[1].trouble, PLAN_FINE);
	check_int(plan.peers.items[2].trouble, PLAN_OVERLAPS_LINK); /* it holds another's address */
	check_int(plan.peers.items[3].trouble, PLAN_OVERLAPS_LINK); /* and this one's */
	check_int(plan.peers.items[4].trouble, PLAN_OVERLAPS_LINK); /* the link's network itself */
	/* The relay's way has one route for all: only a link that is narrower than that is in the way. */
	leases.items[0].type = "udp";
	node.tun = 9;
	plan_make(&node, &leases, &arena, &plan);
	check_int(plan.peers.items[0].trouble, PLAN_FINE);
	node.links.items[0] = cidr("10.5.0.1/20");
	plan_make(&node, &leases, &arena, &plan);
	check_int(plan.peers.items[0].trouble, PLAN_OVERLAPS_LINK);
	arena_free(&arena);
}

/* Two leases with one MAC, or one subnet: one of them wins, and always the same. */
TEST(plan_has_one_entry_for_each_place)
{
	struct plan_node node = node_of(CONFIG(""));
	const char *a = VXLAN("192.0.2.2", "null", "02:00:00:00:00:02"),
		   *b = VXLAN("192.0.2.3", "null", "02:00:00:00:00:02");
	subnet_leases_t leases = { 0 };
	struct plan plan, again;

	*list_add(&arena, &leases) = lease_of("10.5.2.0-24", a);
	*list_add(&arena, &leases) = lease_of("10.5.2.0-24&fd00:5:0:2::-64", b);
	*list_add(&arena, &leases) = lease_of("10.5.3.0-24", b);
	plan_make(&node, &leases, &arena, &plan);
	check_int(plan.peers.n, 3);
	check_int(plan.routes.n, 2);
	check_int(plan.neighs.n, 3); /* two neighbours, one forwarding entry */
	check_int(plan.peers.items[0].trouble, PLAN_FINE);
	check_int(plan.peers.items[2].trouble, PLAN_SAME_MAC);
	leases.items[2] = lease_of("10.5.2.0-24", a);
	leases.items[0] = lease_of("10.5.3.0-24", b);
	plan_make(&node, &leases, &arena, &again);
	check_int(again.neighs.n, plan.neighs.n);
	for (size_t i = 0; i < plan.neighs.n && i < again.neighs.n; i++)
		check(mac_equal(&plan.neighs.items[i].mac, &again.neighs.items[i].mac) &&
		      ip_equal(&plan.neighs.items[i].ip, &again.neighs.items[i].ip));
	/* The newer one, where the store can say so. */
	leases.items[0].revision = 7;
	plan_make(&node, &leases, &arena, &again);
	check_int(again.peers.items[0].trouble, PLAN_FINE);
	check_int(again.peers.items[2].trouble, PLAN_SAME_MAC);
	arena_free(&arena);
}

/* ---- with the kernel ---- */

static const char *shell(const char *command)
{
	const char *const argv[] = { "sh", "-c", command, NULL };
	struct process_result result;
	struct error err = { 0 };

	check_ok(
		process_run(&(struct process){ .path = "sh", .argv = argv }, &arena, &result, &err),
		err);
	unit_check(result.status == 0, __FILE__, __LINE__, "%s: status %d", command, result.status);
	return result.output;
}

static struct netlink *nl;
static struct plan_node live_node;
static struct near live_near;
static struct reconciled done;

static void make_node(void)
{
	struct error err = { 0 };
	struct link link;

	shell("ip link set lo up; ip link add eth0 type veth peer name peer0; ip link set peer0 up;"
	      "ip addr add 192.0.2.1/24 dev eth0; ip link set eth0 up;"
	      "ip link add flannel.1 type vxlan id 1 dstport 8472 nolearning local 192.0.2.1 dev eth0;"
	      "ip addr add 10.5.1.0/32 dev flannel.1; ip link set flannel.1 up");
	check_ok(netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, &err), err);
	live_node = node_of("{\"Network\": \"10.5.0.0/16\", \"Backend\": {\"Type\": \"vxlan\"}}");
	check_ok(link_get(nl, "eth0", &link, &err), err);
	live_node.external = link.index;
	check_ok(link_get(nl, "flannel.1", &link, &err), err);
	live_node.vtep = link.index;
	live_node.vtep6 = 0;
	live_near = *live_node.near;
	check_ok(near_read(nl, &arena, &live_near, &err), err);
	live_node.near = &live_near;
}

static void apply(const subnet_leases_t *leases, bool adopt)
{
	struct error err = { 0 };
	struct plan plan;

	plan_make(&live_node, leases, &arena, &plan);
	check_ok(reconcile(nl, &live_node, &plan, adopt, &done, &err), err);
	unit_check(!done.failed, __FILE__, __LINE__, "%u failed: %s", done.failed,
		   done.first.message);
}

/* What is there for the peers. */
static const char *state(void)
{
	return shell("ip route show table main proto 118 | tr '\\n' ';';"
		     "ip neigh show dev flannel.1 nud permanent | sort | tr '\\n' ';';"
		     "bridge fdb show dev flannel.1 | sort | tr '\\n' ';'");
}

static struct subnet_lease peer(unsigned n, const char *address)
{
	return lease_of(arena_printf(&arena, "10.5.%u.0-24", n),
			arena_printf(&arena,
				     "{\"PublicIP\":\"%s\",\"BackendType\":\"vxlan\","
				     "\"BackendData\":{\"VtepMAC\":\"02:00:00:00:%02x:%02x\"}}",
				     address, n / 256, n % 256));
}

static void reconcile_live(void)
{
	subnet_leases_t leases = { 0 };
	const char *both;

	make_node();
	*list_add(&arena, &leases) = peer(2, "192.0.2.2");
	*list_add(&arena, &leases) = peer(3, "192.0.2.3");
	apply(&leases, false);
	check_int(done.added, 6);
	both = state();
	check_str(
		both,
		"10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink ;10.5.3.0/24 via 10.5.3.0 dev flannel.1 onlink ;"
		"10.5.2.0 lladdr 02:00:00:00:00:02 PERMANENT ;10.5.3.0 lladdr 02:00:00:00:00:03 PERMANENT ;"
		"02:00:00:00:00:02 dst 192.0.2.2 self permanent;02:00:00:00:00:03 dst 192.0.2.3 self permanent;");
	apply(&leases, false);
	check_int(done.added + done.removed, 0);
	/* Somebody deletes one of each (D6). */
	shell("ip route del 10.5.2.0/24; ip neigh del 10.5.3.0 dev flannel.1;"
	      "bridge fdb del 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.2");
	apply(&leases, false);
	check_int(done.added, 3);
	check_str(state(), both);
	/* The peer has another address and another MAC: nothing of the old ones stays (D2). */
	leases.items[0] = peer(2, "192.0.2.22");
	leases.items[0].vtep.mac.bytes[5] = 0x22;
	apply(&leases, false);
	check(strstr(state(), "02:00:00:00:00:22 dst 192.0.2.22") &&
	      !strstr(state(), "192.0.2.2 ") && !strstr(state(), "00:02"));
	/* Another way (D3), then gone. */
	leases.items[0].type = "host-gw";
	apply(&leases, false);
	check(strstr(state(), "10.5.2.0/24 via 192.0.2.22 dev eth0") && !strstr(state(), "00:22"));
	leases.n = 0;
	apply(&leases, false);
	check_str(state(), "");
	netlink_close(nl);
}

/* What an agent for another network keeps on this node; what this one's had before; and a second one of the same subnet. */
static void networks_live(void)
{
	subnet_leases_t leases = { 0 };

	make_node();
	shell("ip route add 10.6.2.0/24 via 192.0.2.6 proto 118;"
	      "ip route add 10.5.9.0/24 via 192.0.2.9 proto 118;"
	      "ip route add 10.5.2.0/24 via 192.0.2.9 metric 5 proto 118");
	*list_add(&arena, &leases) = peer(2, "192.0.2.2");
	apply(&leases, true);
	check_int(done.removed_of[RECONCILE_ROUTE], 2);
	check_str(shell("ip route show proto 118"),
		  "10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink \n"
		  "10.6.2.0/24 via 192.0.2.6 dev eth0 \n");
	apply(&leases, false);
	check_int(done.added + done.removed, 0);
	*list_add(&arena, &live_node.was) = cidr("10.6.0.0/16");
	apply(&leases, false);
	check_int(done.removed, 0);
	apply(&leases, true);
	check_int(done.removed, 1);
	live_node.was.n = 0;
	netlink_close(nl);
}

static void adopt_live(void)
{
	subnet_leases_t leases = { 0 };

	make_node();
	/* As flannel leaves it: protocol boot, one peer that is still there and one that went meanwhile; and a route of an
	 * administrator that only looks similar. */
	shell("ip neigh add 10.5.2.0 lladdr 02:00:00:00:00:02 dev flannel.1 nud permanent;"
	      "bridge fdb add 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.2;"
	      "ip route add 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink;"
	      "ip neigh add 10.5.9.0 lladdr 02:00:00:00:00:09 dev flannel.1 nud permanent;"
	      "bridge fdb add 02:00:00:00:00:09 dev flannel.1 dst 192.0.2.9;"
	      "ip route add 10.5.9.0/24 via 10.5.9.0 dev flannel.1 onlink;"
	      "ip route add 10.77.0.0/24 via 192.0.2.7");
	*list_add(&arena, &leases) = peer(2, "192.0.2.2");
	apply(&leases, true);
	check_int(done.added, 1); /* the route changes hands */
	check_int(done.removed, 3);
	check_str(state(), "10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink ;"
			   "10.5.2.0 lladdr 02:00:00:00:00:02 PERMANENT ;"
			   "02:00:00:00:00:02 dst 192.0.2.2 self permanent;");
	check_str(shell("ip route show 10.77.0.0/24; ip route show 10.5.9.0/24"),
		  "10.77.0.0/24 via 192.0.2.7 dev eth0 \n");
	netlink_close(nl);
}

/* What flanneld had to host-gw peers, and what only looks like it. */
static void adopt_host_gw_live(void)
{
	subnet_leases_t leases = { 0 };

	make_node();
	shell("ip route add 10.5.2.0/24 via 192.0.2.2; ip route add 10.5.9.0/24 via 192.0.2.9;"
	      "ip route add 10.5.10.0/24 via 192.0.2.9 metric 7; ip route add 10.5.11.0/25 via 192.0.2.9;"
	      "ip route add 10.5.12.0/24 dev eth0; ip route add 10.5.13.0/24 via 192.0.2.9 proto static;"
	      "ip route add 10.6.9.0/24 via 192.0.2.9");
	*list_add(&arena, &leases) =
		lease_of("10.5.2.0-24", "{\"PublicIP\":\"192.0.2.2\",\"BackendType\":\"host-gw\"}");
	apply(&leases, true);
	check_int(done.removed, 0);
	shell("ip route replace 10.5.2.0/24 via 192.0.2.2");
	*list_add(&arena, &live_node.was) = cidr("10.5.0.0/16");
	apply(&leases, true);
	check_int(done.removed, 1);
	check_str(shell("ip route show proto 118; ip route show 10.5.9.0/24"),
		  "10.5.2.0/24 via 192.0.2.2 dev eth0 \n");
	check_str(
		shell("ip route show proto boot | grep -c via; ip route show 10.5.12.0/24 | wc -l"),
		"3\n1\n");
	live_node.was.n = 0;
	netlink_close(nl);
}

/* One peer that the kernel refuses costs the others nothing (D1, D7). */
static void refusal_live(void)
{
	subnet_leases_t leases = { 0 };
	struct error err = { 0 };
	struct plan plan;

	make_node();
	shell("ip link set eth0 down");
	*list_add(&arena, &leases) = peer(2, "192.0.2.2");
	*list_add(&arena, &leases) =
		lease_of("10.5.3.0-24", "{\"PublicIP\":\"192.0.2.3\",\"BackendType\":\"host-gw\"}");
	*list_add(&arena, &leases) = peer(4, "192.0.2.4");
	plan_make(&live_node, &leases, &arena, &plan);
	check_ok(reconcile(nl, &live_node, &plan, false, &done, &err), err);
	check_int(done.failed, 1);
	check_int(done.added, 6);
	check(strstr(done.first.message, "add route 10.5.3.0/24 via 192.0.2.3: "));
	check(strstr(done.first.message, strerror(done.first.errnum)));
	check(done.first.errnum == ENETDOWN || done.first.errnum == ENETUNREACH);
	netlink_close(nl);
}

static void scale_live(void)
{
	enum { PEERS = 2000 };
	subnet_leases_t leases = { 0 };
	unsigned sends;

	make_node();
	config.v4.network = cidr("10.0.0.0/8");
	for (unsigned i = 0; i < PEERS; i++) {
		struct subnet_lease lease = peer(2 + i % 250, "192.0.2.2");

		lease.subnet = cidr(arena_printf(&arena, "10.%u.%u.0/24", 6 + i / 250, i % 250));
		lease.vtep.mac.bytes[4] = (uint8_t)(i / 256);
		lease.vtep.mac.bytes[5] = (uint8_t)i;
		*list_add(&arena, &leases) = lease;
	}
	apply(&leases, false);
	check_int(done.added, 3 * PEERS);
	shell("ip route del 10.7.3.0/24");
	sends = netlink_sends(nl);
	apply(&leases, false);
	check_int(done.added, 1);
	unit_check(netlink_sends(nl) - sends <= 6, __FILE__, __LINE__,
		   "%u sends for one difference", netlink_sends(nl) - sends);
	netlink_close(nl);
}

struct live {
	void (*body)(void);
	int errnum;
};

static void *in_own_namespace(void *arg)
{
	struct live *live = arg;

	if (unshare(CLONE_NEWNET) < 0)
		live->errnum = errno;
	else
		live->body();
	return NULL;
}

static void run_live(void (*body)(void))
{
	struct live live = { .body = body };
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, in_own_namespace, &live), 0);
	pthread_join(thread, NULL);
	if (live.errnum == EPERM)
		printf("# SKIPPED: this test needs root (or unshare --map-root-user)\n");
	else
		check_int(live.errnum, 0);
	arena_free(&arena);
}

TEST(reconcile_repairs_and_removes)
{
	run_live(reconcile_live);
}
TEST(reconcile_leaves_other_networks_alone)
{
	run_live(networks_live);
}
TEST(reconcile_adopts_what_flannel_left)
{
	run_live(adopt_live);
}
TEST(reconcile_adopts_what_flannel_left_of_host_gw)
{
	run_live(adopt_host_gw_live);
}
TEST(reconcile_goes_on_after_a_refusal)
{
	run_live(refusal_live);
}
TEST(reconcile_of_2000_peers)
{
	run_live(scale_live);
}
