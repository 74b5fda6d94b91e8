/*
 * A relay that does what flannel's udp back end does, as well as it can be done one packet per system call: TUN without offload,
 * a single thread, poll, then turns of one packet in each direction until neither has any more. TTL is decremented on both ways
 * in, a packet whose TTL ends or that is for nobody is dropped, buffers are the kernel's defaults, nothing is validated
 * (flannel.md, section 4.3).
 *
 *   onepacket DEVICE ADDRESS PORT SUBNET/LEN=PEER ...
 *
 * DEVICE is made, and goes with the process; the caller gives it its address, MTU and route. It is the peer of tests, and what
 * the benchmark compares with.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEERS_MAX = 256, BUFFER = 65536 };

struct peer {
	uint32_t subnet, mask;
	struct sockaddr_in to;
};

static struct peer peers[PEERS_MAX];
static unsigned n_peers;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void add_peer(char *text, uint16_t port)
{
	char *slash = strchr(text, '/'), *equals = strchr(text, '=');
	struct peer *peer = &peers[n_peers++];

	if (!slash || !equals || n_peers == PEERS_MAX) {
		fprintf(stderr, "onepacket: \"%s\" is not SUBNET/LEN=PEER\n", text);
		exit(2);
	}
	*slash = *equals = '\0';
	peer->mask = htonl(~0u << (32 - atoi(slash + 1)));
	peer->subnet = inet_addr(text) & peer->mask;
	peer->to = (struct sockaddr_in){ .sin_family = AF_INET,
					 .sin_port = htons(port),
					 .sin_addr.s_addr = inet_addr(equals + 1) };
}

static const struct peer *find(uint32_t address)
{
	for (unsigned i = 0; i < n_peers; i++)
		if ((address & peers[i].mask) == peers[i].subnet)
			return &peers[i];
	return NULL;
}

static bool hop(uint8_t *packet, ssize_t size)
{
	uint32_t sum;

	if (size < 20 || packet[0] >> 4 != 4 || packet[8] <= 1)
		return false;
	packet[8]--;
	sum = (uint32_t)(packet[10] << 8 | packet[11]) + 0x100;
	sum += sum >= 0xffff;
	packet[10] = (uint8_t)(sum >> 8);
	packet[11] = (uint8_t)sum;
	return true;
}

static bool tun_to_udp(int tun, int udp)
{
	static uint8_t packet[BUFFER];
	ssize_t size = read(tun, packet, sizeof(packet));
	const struct peer *peer;
	uint32_t address;

	if (size < 0)
		return false;
	memcpy(&address, packet + 16, sizeof(address));
	peer = find(address);
	if (peer && hop(packet, size))
		sendto(udp, packet, (size_t)size, 0, (const void *)&peer->to, sizeof(peer->to));
	return true;
}

static bool udp_to_tun(int tun, int udp)
{
	static uint8_t packet[BUFFER];
	ssize_t size = recv(udp, packet, sizeof(packet), 0);

	if (size < 0)
		return false;
	if (hop(packet, size) && write(tun, packet, (size_t)size) < 0 && errno == EBADFD)
		die("write");
	return true;
}

static int open_tun(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		die("TUN device");
	return fd;
}

static int open_udp(const char *address, uint16_t port)
{
	struct sockaddr_in local = { .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = inet_addr(address) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const void *)&local, sizeof(local)))
		die("UDP socket");
	return fd;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	bool sent, received;

	if (argc < 4) {
		fprintf(stderr, "usage: onepacket DEVICE ADDRESS PORT SUBNET/LEN=PEER ...\n");
		return 2;
	}
	for (int i = 4; i < argc; i++)
		add_peer(argv[i], (uint16_t)atoi(argv[3]));
	fds[0].fd = open_tun(argv[1]);
	fds[1].fd = open_udp(argv[2], (uint16_t)atoi(argv[3]));
	for (;;) {
		poll(fds, 2, -1);
		do {
			sent = tun_to_udp(fds[0].fd, fds[1].fd);
			received = udp_to_tun(fds[0].fd, fds[1].fd);
		} while (sent || received);
	}
}
