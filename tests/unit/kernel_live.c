/*
 * lib/kernel against the real kernel. Each test runs in a thread of its own, which first leaves for a network and a
 * mount namespace of its own: nothing outside them is touched, and they go with the thread.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/text.h"
#include "kernel/addr.h"
#include "kernel/bpf_line.h"
#include "kernel/link.h"
#include "kernel/neigh.h"
#include "kernel/netlink_internal.h"
#include "kernel/netns.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"

#include <linux/rtnetlink.h>

struct live {
	void (*body)(void);
	int errnum;
};

static void *in_own_namespaces(void *arg)
{
	struct live *live = arg;

	if (unshare(CLONE_FS | CLONE_NEWNS | CLONE_NEWNET) < 0) {
		live->errnum = errno;
		return NULL;
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
		live->errnum = errno;
	else
		live->body();
	return NULL;
}

static void run_live(void (*body)(void))
{
	struct live live = { .body = body };
	const char *strict = getenv("TEST_STRICT");
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, in_own_namespaces, &live), 0);
	pthread_join(thread, NULL);
	if (live.errnum == EPERM && !(strict && streq(strict, "1")))
		printf("# SKIPPED: this test needs root (or unshare --map-root-user)\n");
	else
		check_int(live.errnum, 0);
}

/* A test whose body runs with the namespaces of its own. */
#define LIVE(name)                     \
	static void live_##name(void); \
	TEST(name)                     \
	{                              \
		run_live(live_##name); \
	}                              \
	static void live_##name(void)

static struct cidr cidr(const char *text)
{
	struct cidr cidr = { 0 };

	check(cidr_parse(text, &cidr));
	return cidr;
}

/* Another new namespace. */
static int new_netns(void)
{
	struct error err = { 0 };
	int here, there;

	check_ok(netns_open("/proc/thread-self/ns/net", &here, &err), err);
	check_int(unshare(CLONE_NEWNET), 0);
	check_ok(netns_open("/proc/thread-self/ns/net", &there, &err), err);
	netns_leave(&here);
	return there;
}

static void queue_veth(struct netlink *nl, const char *name, int master, int netns)
{
	link_queue_create(nl, &(struct link_spec){ .kind = "veth",
						   .name = name,
						   .master = master,
						   .up = true,
						   .peer = { .name = "eth0", .netns = netns } });
}

/* The kernel work of a whole attachment. */
/* What the kernel says of the attachment afterwards. */
static void check_attachment(struct netlink *host, struct netlink *container,
			     const struct link *eth0, const struct link *bridge,
			     const struct route *route)
{
	auto_arena struct arena arena = { 0 };
	struct cidr v4 = cidr("10.1.0.5/24"), v6 = cidr("fd00::5/64");
	struct error err = { 0 };
	addrs_t addrs = { 0 };
	routes_t routes = { 0 };
	links_t links = { 0 };
	int n_ours = 0;

	check_ok(addr_list(container, 0, eth0->index, &arena, &addrs, &err), err);
	list_each(addr, &addrs) {
		bool ipv4 = addr->cidr.ip.family == AF_INET;

		if (ip_is_link_local(&addr->cidr.ip)) /* the kernel's own */
			continue;
		n_ours++;
		check(cidr_equal(&addr->cidr, ipv4 ? &v4 : &v6));
		check(!(addr->flags & ADDR_TENTATIVE));
		check_int(addr->flags & ADDR_NODAD, ipv4 ? 0 : ADDR_NODAD);
	}
	check_int(n_ours, 2);
	check_ok(route_list(container, AF_INET, eth0->index, ROUTE_TABLE_MAIN, &arena, &routes,
			    &err),
		 err);
	check_int(routes.n, 2);
	list_each(found, &routes)
		if (found->dst.prefix == 0)
			check(ip_equal(&found->gw, &route->gw) && found->mtu == 1300 &&
			      found->advmss == 1200);
	check_ok(link_list(host, "veth", bridge->index, &arena, &links, &err), err);
	check_int(links.n, 1);
	links.n = 0;
	check_ok(link_list(host, "nosuchkind", 0, &arena, &links, &err), err);
	check_int(links.n, 0);
}

/* The kernel work of a whole attachment. */
LIVE(attachment_in_four_sends)
{
	static const struct mac mac = { true, { 2, 1, 2, 3, 4, 5 } };
	auto_netlink struct netlink *host = NULL, *container = NULL;
	struct cidr gw = cidr("10.1.0.1/24"), v4 = cidr("10.1.0.5/24"), v6 = cidr("fd00::5/64");
	struct route route = {
		.dst = cidr("0.0.0.0/0"), .gw = gw.ip, .scope = -1, .mtu = 1300, .advmss = 1200
	};
	struct link bridge, eth0, port;
	struct error err = { 0 };
	int netns = new_netns();

	check_ok(netlink_open(&host, NETLINK_ROUTE, -1, &err), err);
	check_ok(netlink_open(&container, NETLINK_ROUTE, netns, &err), err);
	check(!netns_is_current(netns));

	link_queue_create(host,
			  &(struct link_spec){ .kind = "bridge", .name = "cni0", .up = true });
	netlink_tolerate(host, EEXIST);
	link_queue_get(host, "cni0", &bridge);
	check_ok(netlink_commit(host, &err), err);

	link_queue_create(host, &(struct link_spec){ .kind = "veth",
						     .name = "veth1",
						     .mtu = 1400,
						     .up = true,
						     .master = bridge.index,
						     .peer = { "eth0", mac, 1400, netns } });
	link_queue_port(host, "veth1", &(struct link_port){ .hairpin = true, .isolated = true });
	link_queue_get(host, "veth1", &port);
	addr_queue_add(host, bridge.index, "cni0", &gw, 0);
	check_ok(netlink_commit(host, &err), err);

	link_queue_get(container, "eth0", &eth0);
	check_ok(netlink_commit(container, &err), err);

	addr_queue_add(container, eth0.index, "eth0", &v4, 0);
	addr_queue_add(container, eth0.index, "eth0", &v6, 0);
	link_queue_change(container, eth0.index, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = true }, "set eth0 up");
	route.oif = eth0.index;
	route_queue_add(container, &route, ROUTE_APPEND);
	route_queue_add(container, &route, ROUTE_APPEND);
	check_ok(netlink_commit(container, &err), err);
	check_int(netlink_sends(host) + netlink_sends(container), 4);

	check_ok(link_wait_up(host, -1, port.index, 5000, &port, &err), err);
	check(port.is_port && port.hairpin && port.isolated);
	check_int(port.port_state, LINK_PORT_FORWARDING);
	check_int(port.master, bridge.index);
	check_int(port.peer, eth0.index);
	check(port.peer_netns >= 0);
	check_str(eth0.kind, "veth");
	check(mac_equal(&eth0.mac, &mac));
	check_int(eth0.mtu, 1400);
	check_attachment(host, container, &eth0, &bridge, &route);

	link_queue_del(host, "veth1");
	check_ok(netlink_commit(host, &err), err);
	check_int(link_get(container, "eth0", &eth0, &err), -ENODEV);
	close(netns);
}

LIVE(refusals_of_the_real_kernel)
{
	auto_netlink struct netlink *nl = NULL;
	struct cidr home = cidr("127.0.0.5/8"), net = cidr("10.1.0.0/24");
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };
	routes_t routes = { 0 };
	addrs_t addrs = { 0 };
	int outcome = 0;

	check_ok(netlink_open(&nl, NETLINK_ROUTE, -1, &err), err);
	addr_queue_add(nl, 1, "lo", &home, 0);
	addr_queue_add(nl, 1, "lo", &home, 0);
	link_queue_create(nl, &(struct link_spec){ .kind = "nokind", .name = "x0" });
	netlink_outcome(nl, &outcome);
	check_int(netlink_commit(nl, &err), -EEXIST);
	check(has_prefix(err.message, "add address 127.0.0.5/8 to lo: File exists"));
	check_int(outcome, EOPNOTSUPP);
	route_queue_add(nl, &(struct route){ .dst = net, .gw = net.ip, .scope = -1 },
			ROUTE_EXCLUSIVE);
	check(netlink_commit(nl, &err) < 0);
	check(has_prefix(err.message, "add route 10.1.0.0/24 via 10.1.0.0: "));
	check_ok(route_list(nl, 0, 0, 99, &arena, &routes, &err), err); /* no such table: empty */
	check_int(routes.n, 0);
	check_int(addr_list(nl, AF_INET, 4711, &arena, &addrs, &err), -ENODEV);
}

/* A reply that is not the kernel's, though it has the right number. */
LIVE(forged_replies_are_ignored)
{
	auto_netlink struct netlink *nl = NULL;
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	socklen_t size = sizeof(to);
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} forged = {
		.header = { sizeof(forged), NLMSG_ERROR, NLM_F_CAPPED, 2, 0 },
		.error = { .error = -EXDEV },
	};
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct error err = { 0 };
	struct link link;

	check_ok(netlink_open(&nl, NETLINK_ROUTE, -1, &err), err);
	check_ok(link_get(nl, "lo", &link, &err), err); /* gives the socket its address */
	check_int(getsockname(netlink_fd(nl), (struct sockaddr *)&to, &size), 0);
	check_int(sendto(fd, &forged, sizeof(forged), 0, (struct sockaddr *)&to, sizeof(to)),
		  sizeof(forged));
	check_ok(link_get(nl, "lo", &link, &err), err);
	check_str(link.name, "lo");
	check_int(link.flags & LINK_LOOPBACK, LINK_LOOPBACK);
}

struct setter {
	struct netlink *nl;
	int index;
};

/* Later, so that the waiter mostly waits; it is right to be early, too. */
static void *set_up_later(void *arg)
{
	struct setter *setter = arg;
	struct error err = { 0 };

	usleep(20000);
	link_queue_change(setter->nl, setter->index, NULL,
			  &(struct link_change){ .what = LINK_SET_UP, .up = true }, "set eth0 up");
	check_ok(netlink_commit(setter->nl, &err), err);
	return NULL;
}

/* The port comes up while we wait: its peer is set up by another thread. */
LIVE(wait_up_sees_the_event)
{
	auto_netlink struct netlink *host = NULL, *container = NULL;
	int netns = new_netns();
	struct link bridge, port, eth0;
	struct error err = { 0 };
	struct setter setter;
	pthread_t thread;

	check_ok(netlink_open(&host, NETLINK_ROUTE, -1, &err), err);
	check_ok(netlink_open(&container, NETLINK_ROUTE, netns, &err), err);
	link_queue_create(host,
			  &(struct link_spec){ .kind = "bridge", .name = "cni0", .up = true });
	link_queue_get(host, "cni0", &bridge);
	check_ok(netlink_commit(host, &err), err);
	queue_veth(host, "veth1", bridge.index, netns);
	link_queue_get(host, "veth1", &port);
	check_ok(netlink_commit(host, &err), err);
	check_ok(link_get(container, "eth0", &eth0, &err), err);

	check_int(link_wait_up(host, -1, port.index, 30, &port, &err), -ETIMEDOUT);
	check_str(err.message, "link veth1 is not up after 30 ms");
	check(port.operstate != LINK_OPER_UP);
	setter = (struct setter){ container, eth0.index };
	check_int(pthread_create(&thread, NULL, set_up_later, &setter), 0);
	check_ok(link_wait_up(host, -1, port.index, 10000, &port, &err), err);
	check_int(port.operstate, LINK_OPER_UP);
	check_int(port.port_state, LINK_PORT_FORWARDING);
	pthread_join(thread, NULL);
	check_int(link_wait_up(host, -1, 4711, 30, &port, &err), -ENODEV);
	close(netns);
}

static int ignore(const struct nlmsghdr *event unused, void *arg unused, struct error *err unused)
{
	return 0;
}

/* More events than the socket holds: that they are lost is told, and what comes afterwards is there again. */
LIVE(lost_events_are_told)
{
	auto_netlink struct netlink *nl = NULL, *events = NULL;
	struct error err = { 0 };
	int r = 1;

	check_ok(netlink_open(&nl, NETLINK_ROUTE, -1, &err), err);
	check_ok(netlink_open(&events, NETLINK_ROUTE, -1, &err), err);
	check_ok(netlink_subscribe(events, RTNLGRP_LINK, &err), err);
	setsockopt(netlink_fd(events), SOL_SOCKET, SO_RCVBUF, &(int){ 1 }, sizeof(int));
	for (int i = 0; i < 20; i++) {
		link_queue_change(nl, 1, NULL,
				  &(struct link_change){ .what = LINK_SET_MTU, .mtu = 2000 + i },
				  "set mtu");
		check_ok(netlink_commit(nl, &err), err);
	}
	for (int i = 0; i < 100 && r > 0; i++)
		r = netlink_events(events, 1000, ignore, NULL, &err);
	check_int(r, -ENOBUFS);
	while (netlink_events(events, 0, ignore, NULL, &err) > 0)
		;
	link_queue_change(nl, 1, NULL, &(struct link_change){ .what = LINK_SET_MTU, .mtu = 3000 },
			  "set mtu");
	check_ok(netlink_commit(nl, &err), err);
	check(netlink_events(events, 1000, ignore, NULL, &err) >= 1);
}

static const struct netns_info *find(const netns_list_t *list, const char *name)
{
	list_each(info, list)
		if (info->name && streq(info->name, name))
			return info;
	return NULL;
}

LIVE(named_namespaces)
{
	auto_arena struct arena arena = { 0 };
	auto_netlink struct netlink *nl = NULL;
	const struct netns_info *info;
	struct error err = { 0 };
	netns_list_t list = { 0 };
	struct stat st;
	char *path;
	int fd, n_current = 0;

	check_ok(netns_add("one", &err), err);
	check_ok(netns_add("two", &err), err);
	check_fails(netns_add("one", &err), err, "create network namespace \"one\": File exists");
	check_int(close(open(NETNS_RUN_DIR "/stale", O_CREAT | O_CLOEXEC, 0600)), 0);
	check_ok(netns_resolve("two", &arena, &path, &err), err);
	check_str(path, NETNS_RUN_DIR "/two");
	check_ok(netns_open(path, &fd, &err), err);
	check(!netns_is_current(fd));
	check_ok(netlink_open(&nl, NETLINK_ROUTE, -1, &err), err);
	queue_veth(nl, "veth1", 0, fd); /* which gives "two" an id here */
	check_ok(netlink_commit(nl, &err), err);
	check_int(fstat(fd, &st), 0);
	close(fd);

	check_ok(netns_list(&arena, &list, &err), err);
	info = find(&list, "two");
	check(info != NULL && find(&list, "one") != NULL && find(&list, "stale") == NULL);
	if (!info)
		return;
	check_int(info->inode, st.st_ino);
	check_str(info->path, NETNS_RUN_DIR "/two");
	check_int(info->id, 0);
	check_int(find(&list, "one")->id, -1);
	check_int(info->pids.n, 0);
	list_each(each, &list)
		n_current += each->current;
	check(list.n >= 3);
	check_str(list.items[0].name, "one");
	check_int(n_current,
		  0); /* a thread's own namespace shows only when a process has it, too */

	check_ok(netns_del("two", &err), err);
	check_ok(netns_del("stale", &err), err);
	check_fails(netns_del("two", &err), err,
		    "remove network namespace \"two\": No such file or directory");
	check_int(access(NETNS_RUN_DIR "/two", F_OK), -1);
}

LIVE(neighbours)
{
	static const struct mac mac = { true, { 2, 1, 2, 3, 4, 5 } };
	auto_netlink struct netlink *host = NULL, *container = NULL;
	auto_arena struct arena arena = { 0 };
	int netns = new_netns();
	struct error err = { 0 };
	struct link veth, eth0;
	struct neigh neigh = { .mac = mac };
	neighs_t neighs = { 0 };

	check_ok(netlink_open(&host, NETLINK_ROUTE, -1, &err), err);
	check_ok(netlink_open(&container, NETLINK_ROUTE, netns, &err), err);
	queue_veth(host, "veth1", 0, netns);
	link_queue_get(host, "veth1", &veth);
	check_ok(netlink_commit(host, &err), err);
	link_queue_get(container, "eth0", &eth0);
	link_queue_change(container, 0, "eth0",
			  &(struct link_change){ .what = LINK_SET_UP, .up = true }, "up");
	check_ok(netlink_commit(container, &err), err);

	neigh.index = veth.index;
	neigh.ip = cidr("10.1.0.9/32").ip;
	neigh_queue_set(host, &neigh);
	neigh_queue_set(host, &neigh);
	check_ok(netlink_commit(host, &err), err);
	check_ok(neigh_list(host, veth.index, false, &arena, &neighs, &err), err);
	list_each(found, &neighs)
		if (found->ip.family == AF_INET)
			check(ip_equal(&found->ip, &neigh.ip) && mac_equal(&found->mac, &mac));
	check(neighs.n >= 1);
	neigh_queue_del(host, &neigh);
	check_ok(netlink_commit(host, &err), err);
	check(!netns_is_current(netns));
	close(netns);
}

LIVE(sysctls_are_those_of_the_thread)
{
	struct error err = { 0 };
	char value[16];

	check_ok(sysctl_ensure("net/ipv4/ip_forward", "1", &err), err);
	check_ok(sysctl_read("net/ipv4/ip_forward", value, sizeof(value), &err), err);
	check_str(value, "1");
}

/* An error has the kernel's own words: of a program that ends without a result; and one that is too long is not even asked about. */
TEST(program_that_the_kernel_refuses)
{
	static const struct bpf_line end[] = { EXIT };
	struct bpf_code *code auto_bpf_code = bpf_code_new();
	struct error err = { 0 };
	int fd = -1;

	bpf_code_add(code, end, 1);
	check(bpf_code_load(code, "endless", &fd, &err) < 0);
	if (err.errnum == EPERM)
		printf("# SKIPPED: this test needs the right to load programs\n");
	else
		check_str(err.message,
			  "load program endless into the kernel (R0 !read_ok): Permission denied");
	for (int i = 0; i < 512; i++)
		bpf_code_add(code, end, 1);
	check_fails(bpf_code_load(code, "endless", &fd, &err), err,
		    "program endless has 513 lines");
}
