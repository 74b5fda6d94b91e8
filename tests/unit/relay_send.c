/* What the relay's process sends, and the pause that it takes for those who are not of its kind: counted, on the loopback. */
#include "unit.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/worker.h"
#include "relay/table.h"

enum { PACKET = 1400, BATCH = 40, BATCHES = 5, MBIT = 1 };

/* A relay with one peer, at an address of the loopback; its device is a socket that a test writes to. */
struct stand {
	struct plane plane;
	struct relay_state states[2];
	struct scene scene;
	struct sender *sender;
	int device, peer;
};

static int loopback_socket(bool v6, uint16_t *port)
{
	const char *address = v6 ? "::1" : "127.0.0.1";
	union tunnel_address at;
	socklen_t size = sizeof(at);
	struct ip ip;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	check(ip_parse(address, &ip));
	tunnel_address_of(&ip, 0, &at);
	check(fd >= 0 && bind(fd, &at.any, v6 ? sizeof(at.v6) : sizeof(at.v4)) == 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 1 << 20 }, sizeof(int));
	check(getsockname(fd, &at.any, &size) == 0);
	*port = ntohs(v6 ? at.v6.sin6_port : at.v4.sin_port);
	return fd;
}

static void stand_up(struct stand *stand, bool v6, unsigned mbit)
{
	struct relay_peer peer = { .slot = 1 };
	struct worker *worker = &stand->plane.workers[0];
	int pair[2];
	uint16_t port, own;

	memset(stand, 0, sizeof(*stand));
	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	stand->device = pair[1];
	stand->peer = loopback_socket(v6, &port);
	check(ip_parse(v6 ? "::1" : "127.0.0.1", v6 ? &peer.ip6 : &peer.ip));
	check(cidr_parse(v6 ? "fd00:5::/64" : "10.5.7.0/24", v6 ? &peer.subnet6 : &peer.subnet));
	stand->scene.table = table_make(&peer, 1, port);
	stand->plane.setup = (struct plane_setup){ .spec.pace = mbit,
						   .tun = { pair[0] },
						   .states = stand->states };
	stand->plane.setup.sockets[0][v6] = loopback_socket(v6, &own);
	stand->plane.setup.sockets[0][!v6] = -1;
	*worker = (struct worker){ .plane = &stand->plane, .scene = &stand->scene };
	pthread_mutex_init(&worker->lock, NULL);
	stand->sender = sender_new(worker);
}

static void stand_down(struct stand *stand)
{
	close(stand->device);
	close(stand->peer);
	close(stand->plane.setup.tun[0]);
	for (int v6 = 0; v6 < 2; v6++)
		if (stand->plane.setup.sockets[0][v6] >= 0)
			close(stand->plane.setup.sockets[0][v6]);
	table_free(stand->scene.table);
	free(stand->sender);
}

/* The device has n packets for the peer's subnet. */
static void offer(const struct stand *stand, bool v6, unsigned n)
{
	static uint8_t data[sizeof(struct tun_header) + PACKET];
	uint8_t *packet = data + sizeof(struct tun_header);

	memset(data, 0, sizeof(data));
	packet[0] = v6 ? 0x60 : 0x45;
	store16(packet + (v6 ? 4 : 2), v6 ? PACKET - 40 : PACKET);
	packet[v6 ? 6 : 9] = IP_PROTOCOL_UDP;
	packet[v6 ? 7 : 8] = 64;
	check(inet_pton(v6 ? AF_INET6 : AF_INET, v6 ? "fd00:5::9" : "10.5.7.9",
			packet + (v6 ? 24 : 16)) == 1);
	for (unsigned i = 0; i < n; i++)
		check_int(write(stand->device, data, sizeof(data)), sizeof(data));
}

static unsigned arrived(const struct stand *stand)
{
	uint8_t data[2 * PACKET];
	unsigned n = 0;

	while (recv(stand->peer, data, sizeof(data), 0) == PACKET)
		n++;
	return n;
}

/* The pause after all batches, each of which leaves whole, and what has passed meanwhile. */
static uint64_t pause_of(struct stand *stand, bool v6, uint64_t *passed)
{
	uint64_t start = worker_now_us(), pause;

	for (unsigned i = 0; i < BATCHES; i++) {
		offer(stand, v6, BATCH);
		sender_batch(stand->sender);
		check_int(arrived(stand), BATCH);
	}
	pause = sender_pause_us(stand->sender);
	check_int((long long)stand->states[1].counters[RELAY_SENT_BY_PROCESS], BATCH * BATCHES);
	*passed = worker_now_us() - start;
	return pause;
}

TEST(relays_of_another_kind_are_paced_by_the_bytes_that_they_get)
{
	const uint64_t whole_us = 8ull * BATCH * BATCHES * PACKET / MBIT;
	struct stand stand;
	uint64_t pause, passed;

	stand_up(&stand, false, MBIT);
	pause = pause_of(&stand, false, &passed);
	stand_down(&stand);
	check(pause + passed >= whole_us - 1000);
	stand_up(&stand, false, 10 * MBIT);
	check(sender_pause_us(stand.sender) == 0);
	offer(&stand, false, BATCH);
	sender_batch(stand.sender);
	check(sender_pause_us(stand.sender) <= whole_us / BATCHES / 10);
	stand_down(&stand);
}

TEST(relays_of_our_kind_are_not_paced_nor_is_anybody_without_a_pace)
{
	struct stand stand;
	uint64_t passed;

	stand_up(&stand, false, MBIT);
	stand.states[1].kin_ms = worker_now_ms();
	check_int((long long)pause_of(&stand, false, &passed), 0);
	stand_down(&stand);
	stand_up(&stand, true, MBIT);
	check_int((long long)pause_of(&stand, true, &passed), 0);
	stand_down(&stand);
	stand_up(&stand, false, 0);
	check_int((long long)pause_of(&stand, false, &passed), 0);
	stand_down(&stand);
}
