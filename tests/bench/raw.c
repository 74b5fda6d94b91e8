/*
 * The floor: what a bridge ADD costs when nothing but the kernel's own work is left. Sends the netlink messages of a
 * bridge ADD for IPv4 (the bridge is there; veth pair with its peer in the container, enslaved and up; address and
 * default route) in four sends, or the one of DEL. No configuration, no lease, no rules, no result.
 *
 * Called like a plugin: CNI_COMMAND, CNI_NETNS and CNI_IFNAME count, stdin is not read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BRIDGE "cni0"

static struct {
	char data[4096];
	unsigned size;
	unsigned sequence;
} queue;

static void die(const char *what)
{
	fprintf(stderr, "raw: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *message(int type, int flags, size_t size)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(queue.data + queue.size);

	h->nlmsg_len = (unsigned)NLMSG_LENGTH(size);
	h->nlmsg_type = (unsigned short)type;
	h->nlmsg_flags = (unsigned short)(flags | NLM_F_REQUEST);
	h->nlmsg_seq = ++queue.sequence;
	queue.size += NLMSG_ALIGN(h->nlmsg_len);
	return NLMSG_DATA(h);
}

/* Append an attribute to the last message, which began at h. */
static struct rtattr *put(struct nlmsghdr *h, int type, const void *data, size_t size)
{
	struct rtattr *a = (struct rtattr *)(queue.data + queue.size);

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(a), data, size);
	queue.size += RTA_ALIGN(a->rta_len);
	h->nlmsg_len = (unsigned)(queue.data + queue.size - (char *)h);
	return a;
}

static void end(struct nlmsghdr *h, struct rtattr *a)
{
	a->rta_len = (unsigned short)(queue.data + queue.size - (char *)a);
	h->nlmsg_len = (unsigned)(queue.data + queue.size - (char *)h);
}

/* Send all; the index of the link that an answer describes, or 0. */
static int commit(int fd, struct nlmsghdr *last)
{
	static char reply[32768];
	int index = 0;

	last->nlmsg_flags |= NLM_F_ACK;
	if (send(fd, queue.data, queue.size, 0) < 0)
		die("send");
	queue.size = 0;
	for (;;) {
		ssize_t size = recv(fd, reply, sizeof(reply), 0);

		if (size <= 0)
			die("receive");
		for (struct nlmsghdr *h = (struct nlmsghdr *)reply; NLMSG_OK(h, size);
		     h = NLMSG_NEXT(h, size)) {
			if (h->nlmsg_type == RTM_NEWLINK)
				index = ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			errno = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (errno)
				die("kernel");
			if (h->nlmsg_seq == queue.sequence)
				return index;
		}
	}
}

static int open_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		die("socket");
	return fd;
}

static int open_socket_in(int netns)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	if (home < 0 || setns(netns, CLONE_NEWNET))
		die("enter the container");
	fd = open_socket();
	if (setns(home, CLONE_NEWNET))
		die("come back");
	close(home);
	return fd;
}

static int link_index(int fd, const char *name)
{
	struct nlmsghdr *h = (struct nlmsghdr *)queue.data;

	memset(message(RTM_GETLINK, 0, sizeof(struct ifinfomsg)), 0, sizeof(struct ifinfomsg));
	put(h, IFLA_IFNAME, name, strlen(name) + 1);
	return commit(fd, h);
}

static void create_pair(int fd, int master, int netns, const char *ifname)
{
	struct nlmsghdr *h = (struct nlmsghdr *)queue.data;
	struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP }, peer = { 0 };
	struct rtattr *info, *data, *nested;
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "veth%08x", (unsigned)getpid());
	memcpy(message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(up)), &up, sizeof(up));
	put(h, IFLA_IFNAME, name, strlen(name) + 1);
	put(h, IFLA_MASTER, &master, sizeof(master));
	info = put(h, IFLA_LINKINFO, NULL, 0);
	put(h, IFLA_INFO_KIND, "veth", sizeof("veth"));
	data = put(h, IFLA_INFO_DATA, NULL, 0);
	nested = put(h, VETH_INFO_PEER, &peer, sizeof(peer));
	put(h, IFLA_IFNAME, ifname, strlen(ifname) + 1);
	put(h, IFLA_NET_NS_FD, &netns, sizeof(netns));
	end(h, nested);
	end(h, data);
	end(h, info);
	commit(fd, h);
}

static void configure(int fd, int index)
{
	struct ifinfomsg up = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct ifaddrmsg addr = { .ifa_family = AF_INET,
				  .ifa_prefixlen = 16,
				  .ifa_index = (unsigned)index };
	struct rtmsg route = { .rtm_family = AF_INET,
			       .rtm_table = RT_TABLE_MAIN,
			       .rtm_protocol = RTPROT_BOOT,
			       .rtm_scope = RT_SCOPE_UNIVERSE,
			       .rtm_type = RTN_UNICAST };
	uint32_t ip = htonl(0x0a580002), broadcast = htonl(0x0a58ffff), gateway = htonl(0x0a580001);
	struct nlmsghdr *h;

	memcpy(message(RTM_NEWLINK, 0, sizeof(up)), &up, sizeof(up));
	h = (struct nlmsghdr *)(queue.data + queue.size);
	memcpy(message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(addr)), &addr, sizeof(addr));
	put(h, IFA_LOCAL, &ip, sizeof(ip));
	put(h, IFA_ADDRESS, &ip, sizeof(ip));
	put(h, IFA_BROADCAST, &broadcast, sizeof(broadcast));
	h = (struct nlmsghdr *)(queue.data + queue.size);
	memcpy(message(RTM_NEWROUTE, NLM_F_CREATE, sizeof(route)), &route, sizeof(route));
	put(h, RTA_OIF, &index, sizeof(index));
	put(h, RTA_GATEWAY, &gateway, sizeof(gateway));
	commit(fd, h);
}

static void delete_link(int fd, const char *name)
{
	struct nlmsghdr *h = (struct nlmsghdr *)queue.data;

	memset(message(RTM_DELLINK, 0, sizeof(struct ifinfomsg)), 0, sizeof(struct ifinfomsg));
	put(h, IFLA_IFNAME, name, strlen(name) + 1);
	commit(fd, h);
}

int main(void)
{
	const char *command = getenv("CNI_COMMAND"), *path = getenv("CNI_NETNS"),
		   *ifname = getenv("CNI_IFNAME");
	int netns = path ? open(path, O_RDONLY | O_CLOEXEC) : -1, host, inside;

	if (netns < 0 || !command || !ifname)
		die("CNI_COMMAND, CNI_NETNS, CNI_IFNAME");
	inside = open_socket_in(netns);
	if (!strcmp(command, "DEL")) {
		delete_link(inside, ifname);
		return 0;
	}
	host = open_socket();
	create_pair(host, link_index(host, BRIDGE), netns, ifname);
	configure(inside, link_index(inside, ifname));
	return 0;
}
