/*
 * What a node's rules cost a packet that it forwards from one pod to another.
 *
 *   flows established|new|denied ROUNDS PACKETS PORT {LABEL NODE FROM TO}...
 *
 * NODE is the name of a namespace in /run/netns, FROM and TO are NAMESPACE/ADDRESS (IPv4). UDP: one flow that has been
 * answered; or every packet with a source port of its own, which is allowed, or refused. A line for each label: the
 * median and the least over all rounds of the CPU time for a packet, in nanoseconds. The contestants take turns.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { CONTESTANTS_MAX = 16, ROUNDS_MAX = 1000 };

struct contestant {
	const char *label;
	struct in_addr from, to;
	int flow, raw, receiver; /* sockets of the two pods */
	int conntrack;           /* of the node */
	double ns[ROUNDS_MAX];
};

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char data[32];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void enter(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(path);
	close(fd);
}

static int open_socket(int family, int type, int protocol)
{
	const struct timeval timeout = { .tv_sec = 2 };
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	return fd;
}

/* NAMESPACE/ADDRESS: goes into the namespace. */
static struct in_addr enter_end(char *word)
{
	char *slash = strchr(word, '/');
	struct in_addr address;

	if (!slash || inet_pton(AF_INET, slash + 1, &address) != 1) {
		fprintf(stderr, "flows: \"%s\" is not NAMESPACE/ADDRESS\n", word);
		exit(2);
	}
	*slash = '\0';
	enter(word);
	return address;
}

static struct sockaddr_in at(struct in_addr address, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr = address };
}

static void prepare(struct contestant *c, char **words, uint16_t port, bool denied)
{
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	char byte[64] = "";

	c->label = words[0];
	enter(words[1]);
	c->conntrack = open_socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	c->from = enter_end(words[2]);
	c->flow = open_socket(AF_INET, SOCK_DGRAM, 0);
	c->raw = open_socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	c->to = enter_end(words[3]);
	c->receiver = open_socket(AF_INET, SOCK_DGRAM, 0);
	peer = at(c->to, port);
	if (bind(c->receiver, (struct sockaddr *)&peer, sizeof(peer)) < 0 ||
	    connect(c->flow, (struct sockaddr *)&peer, sizeof(peer)) < 0)
		die("bind");
	if (denied)
		return;
	if (send(c->flow, byte, 32, 0) < 0 ||
	    recvfrom(c->receiver, byte, sizeof(byte), 0, (struct sockaddr *)&peer, &size) < 0 ||
	    sendto(c->receiver, byte, 32, 0, (struct sockaddr *)&peer, size) < 0 ||
	    recv(c->flow, byte, sizeof(byte), 0) < 0)
		die(c->label);
}

/* Connections of rounds before would fill the table. */
static void forget_flows(const struct contestant *c)
{
	struct {
		struct nlmsghdr header;
		struct nfgenmsg body;
	} message = { .header = { .nlmsg_len = sizeof(message),
				  .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };
	char reply[4096];

	if (send(c->conntrack, &message, sizeof(message), 0) < 0 ||
	    recv(c->conntrack, reply, sizeof(reply), 0) < 0)
		die("forget flows");
}

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double established(const struct contestant *c, unsigned n)
{
	char data[64] = "";
	double start = cpu_ns();

	for (unsigned i = 0; i < n; i++)
		if (send(c->flow, data, 32, 0) < 0 || recv(c->receiver, data, sizeof(data), 0) < 0)
			die(c->label);
	return (cpu_ns() - start) / n;
}

/* Nobody looks whether the checksum of UDP is there. */
static double new_flows(const struct contestant *c, unsigned n, uint16_t port, bool denied)
{
	struct packet packet = {
		.ip = { .version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.saddr = c->from.s_addr,
			.daddr = c->to.s_addr },
		.udp = { .dest = htons(port), .len = htons(sizeof(packet) - sizeof(packet.ip)) },
	};
	struct sockaddr_in to = at(c->to, 0);
	char data[64];
	double start;

	forget_flows(c);
	start = cpu_ns();
	for (unsigned i = 0; i < n; i++) {
		packet.udp.source = htons((uint16_t)(2000 + i));
		if (sendto(c->raw, &packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)) <
			    0 ||
		    (!denied && recv(c->receiver, data, sizeof(data), 0) < 0))
			die(c->label);
	}
	return (cpu_ns() - start) / n;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static struct contestant all[CONTESTANTS_MAX];
	unsigned n = argc > 5 ? (unsigned)(argc - 5) / 4 : 0, rounds, packets;
	bool is_new, denied;
	uint16_t port;
	cpu_set_t cpu;

	if (!n || n > CONTESTANTS_MAX || (argc - 5) % 4)
		return 2;
	denied = strcmp(argv[1], "denied") == 0;
	is_new = denied || strcmp(argv[1], "new") == 0;
	rounds = (unsigned)atoi(argv[2]) % (ROUNDS_MAX + 1);
	packets = (unsigned)atoi(argv[3]);
	port = (uint16_t)atoi(argv[4]);
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	for (unsigned i = 0; i < n; i++)
		prepare(&all[i], argv + 5 + i * 4, port, denied);
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < n; i++)
			all[i].ns[round] = is_new ? new_flows(&all[i], packets, port, denied)
						  : established(&all[i], packets);
	for (unsigned i = 0; i < n; i++) {
		qsort(all[i].ns, rounds, sizeof(double), compare);
		printf("%s %.0f %.0f\n", all[i].label, all[i].ns[rounds / 2], all[i].ns[0]);
	}
	return 0;
}
