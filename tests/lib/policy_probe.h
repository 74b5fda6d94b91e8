/*
 * Rows of the unit tests (unit/policy_row.h) in a kernel: the nodes n1 and n2 of policy.bash are brought to what a row's
 * objects say, by one back end, and its connection is tried between the namespaces of its ends: TCP with sockets, UDP
 * with a datagram, SCTP and others with a packet. After each, what is read back has to be what was written.
 *
 *   PROGRAM BACKEND [WORDS]     one line for each that is not as it should be; WORDS: of the titles
 */
#ifndef TESTS_POLICY_PROBE_H
#define TESTS_POLICY_PROBE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "policy/enforce.h"

#define WAIT_MS 5000

static const struct backend *backend;
static const char *title;
static unsigned n_failed, n_tried;

static const struct place {
	const char *address, *netns, *node;
} places[] = {
	{ "10.0.0.1", "web", "n1" },        { "fd00::1", "web", "n1" },
	{ "10.0.0.2", "api", "n2" },        { "fd00::2", "api", "n2" },
	{ "10.0.1.1", "db", "n1" },         { "fd00::6", "six", "n2" },
	{ "192.0.2.1", "n1", NULL },        { "192.0.2.2", "n2", NULL },
	{ "203.0.113.1", "outside", NULL }, { "64:ff9b::1", "outside", NULL },
};

static void failed(const char *what, const char *more)
{
	printf("%s: %s%s%s\n", title, what, *more ? ": " : "", more);
	n_failed++;
}

static const struct place *place_of(const struct ip *ip)
{
	char text[IP_TEXT_SIZE];

	ip_format(ip, text);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (streq(places[i].address, text))
			return &places[i];
	return NULL;
}

static bool enter(const char *netns)
{
	char path[64];
	auto_close int fd = -1;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && setns(fd, CLONE_NEWNET) == 0)
		return true;
	failed("no namespace", netns);
	return false;
}

/* ---- probes ---- */

static struct sockaddr_storage address(const struct ip *ip, uint16_t port)
{
	struct sockaddr_storage storage = { .ss_family = ip->family };
	struct sockaddr_in *v4 = (void *)&storage;
	struct sockaddr_in6 *v6 = (void *)&storage;

	if (ip->family == AF_INET) {
		memcpy(&v4->sin_addr, ip->bytes, 4);
		v4->sin_port = htons(port);
	} else {
		memcpy(&v6->sin6_addr, ip->bytes, 16);
		v6->sin6_port = htons(port);
	}
	return storage;
}

static int make_socket(const struct ip *ip, int type, int protocol, uint16_t port)
{
	struct sockaddr_storage own = address(ip, port);
	int fd = socket(ip->family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		failed("bind", strerror(errno));
	return fd;
}

/* 1: it comes at one end; 0: the other is told that it does not; -1: nobody hears of it. */
static int outcome(int arrives, short wanted, int sends)
{
	struct pollfd fds[] = { { arrives, wanted, 0 }, { sends, 0, 0 } };
	int error = 0;
	socklen_t size = sizeof(error);

	if (poll(fds, 2, WAIT_MS) <= 0)
		return -1;
	if (fds[0].revents & wanted)
		return 1;
	getsockopt(sends, SOL_SOCKET, SO_ERROR, &error, &size);
	return error ? 0 : -1;
}

static uint32_t crc32c(const uint8_t *data, size_t size)
{
	uint32_t crc = UINT32_MAX;

	for (; size--; data++) {
		crc ^= *data;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* An INIT, as a client sends it (RFC 4960, 3.3.2). */
static size_t sctp_init(uint8_t packet[64], uint16_t port)
{
	static const uint8_t init[] = {
		1, 0, 0, 20, 1, 2, 3, 4, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1
	};
	const uint16_t ports[] = { htons(40000), htons(port) };
	uint32_t crc;

	memset(packet, 0, 64);
	memcpy(packet, ports, sizeof(ports));
	memcpy(packet + 12, init, sizeof(init));
	crc = crc32c(packet, 12 + sizeof(init));
	for (int i = 0; i < 4; i++)
		packet[8 + i] = (uint8_t)(crc >> 8 * i);
	return 12 + sizeof(init);
}

static int try_stream(const struct connection *connection, const struct place *from,
		      const struct place *to)
{
	struct sockaddr_storage target = address(&connection->to.ip, connection->port);
	auto_close int server = -1, client = -1;
	struct pollfd fd;

	if (!enter(to->netns))
		return -1;
	server = make_socket(&connection->to.ip, SOCK_STREAM, 0, connection->port);
	if (listen(server, 1) < 0 || !enter(from->netns))
		return -1;
	client = make_socket(&connection->from.ip, SOCK_STREAM, 0, 0);
	if (connect(client, (struct sockaddr *)&target, sizeof(target)) < 0 && errno != EINPROGRESS)
		return -1;
	fd = (struct pollfd){ client, POLLOUT, 0 };
	if (poll(&fd, 1, WAIT_MS) <= 0)
		return -1;
	return !(fd.revents & (POLLERR | POLLHUP));
}

/* Something without a connection: a datagram, or a packet of a protocol. */
static int try_packet(const struct connection *connection, const struct place *from,
		      const struct place *to)
{
	const bool udp = connection->protocol == PROTOCOL_UDP,
		   sctp = connection->protocol == PROTOCOL_SCTP;
	const int type = udp ? SOCK_DGRAM : SOCK_RAW, protocol = udp    ? 0
								 : sctp ? IPPROTO_SCTP
									: IPPROTO_ESP;
	struct sockaddr_storage target = address(&connection->to.ip, udp ? connection->port : 0);
	auto_close int server = -1, client = -1;
	uint8_t packet[64] = "?";
	size_t size = sctp ? sctp_init(packet, connection->port) : 16;

	if (!enter(to->netns))
		return -1;
	server = make_socket(&connection->to.ip, type, protocol, udp ? connection->port : 0);
	if (!enter(from->netns))
		return -1;
	client = make_socket(&connection->from.ip, type, protocol, 0);
	if (connect(client, (struct sockaddr *)&target, sizeof(target)) < 0 ||
	    send(client, packet, size, 0) < 0)
		return -1;
	return outcome(server, POLLIN, client);
}

/* ---- rows ---- */

static void probe_report(void *arg unused, bool is_error, const char *object, const char *text)
{
	if (is_error)
		failed(object, text);
}

static int read_world(struct world *world, const struct row *row)
{
	struct reader reader = { world, probe_report, NULL };
	struct error err = { 0 };

	world_init(world, &arena);
	if (input_parse(row_cluster, strlen(row_cluster), &reader, &err) < 0 ||
	    input_parse(row->policies, strlen(row->policies), &reader, &err) < 0)
		failed("objects", err.message);
	world_index(world);
	return err.errnum;
}

/* What is in force has to be what is wanted, and to say the same of the connection. */
static void check_node(struct enforcement *enforcement, const struct world *world, symbol_t node,
		       const struct connection *connection, bool allowed)
{
	const struct packet packet = { connection->from.ip, connection->to.ip, connection->protocol,
				       connection->port,
				       .own = node_has_ip(world, node, &connection->from.ip) ||
					      node_has_ip(world, node, &connection->to.ip) };
	struct error err = { 0 };

	if (enforce_plan(enforcement, world, node, &arena, &err) < 0)
		failed("read", err.message);
	else if (!difference_is_empty(&enforcement->difference))
		failed("something is left to write",
		       enforcement->found.damages.n ? enforcement->found.damages.items[0].what
						    : "");
	else if (allowed && !compiled_allows(&enforcement->found.compiled, &packet))
		failed("what is read back denies it", "");
}

static void enforce_on(const struct world *world, const char *name,
		       const struct connection *connection, bool allowed)
{
	struct enforcement enforcement = { .backend = backend, .treatment = { .reject = true } };
	symbol_t node = symbol_find(&world->symbols, name);
	struct error err = { 0 };

	if (!enter(name))
		return;
	if (enforce_plan(&enforcement, world, node, &arena, &err) < 0 ||
	    enforce(&enforcement, &err) < 0) {
		failed(name, err.message);
		return;
	}
	check_node(&enforcement, world, node, connection, allowed);
}

static void try_connection(const struct world *world, const struct row *row,
			   const struct connection *connection)
{
	const struct place *from = place_of(&connection->from.ip),
			   *to = place_of(&connection->to.ip);
	char words[2 * IP_TEXT_SIZE + 32], text[2][IP_TEXT_SIZE];
	int r;

	if (!from || !to)
		return;
	if (from->node)
		enforce_on(world, from->node, connection, row->allowed);
	if (to->node && (!from->node || !streq(from->node, to->node)))
		enforce_on(world, to->node, connection, row->allowed);
	n_tried++;
	r = connection->protocol == PROTOCOL_TCP ? try_stream(connection, from, to)
						 : try_packet(connection, from, to);
	if (r == row->allowed)
		return;
	snprintf(words, sizeof(words), "%s to %s", ip_format(&connection->from.ip, text[0]),
		 ip_format(&connection->to.ip, text[1]));
	failed(r < 0 ? "no answer" : r ? "passes" : "is denied", words);
}

static void try_row(const struct row *row)
{
	struct connection connections[2];
	enum protocol protocol = PROTOCOL_OTHER;
	struct error err = { 0 };
	struct world world;
	struct end from, to;
	uint16_t port = 0;
	size_t n;

	title = row->section;
	if (read_world(&world, row) || end_find(&world, row->from, &arena, &from, &err) < 0 ||
	    end_find(&world, row->to, &arena, &to, &err) < 0 ||
	    (!streq(row->port, "other") && end_port(row->port, &protocol, &port, &err) < 0)) {
		failed("objects", err.message);
		return;
	}
	n = end_connections(&from, &to, protocol, port, connections);
	for (size_t i = 0; i < n; i++)
		if (connections[i].from.ip.family)
			try_connection(&world, row, &connections[i]);
	arena_free(&arena);
}

/* What the tests beside the rows would have said. */
void unit_check(bool ok unused, const char *file unused, int line unused, const char *format unused,
		...)
{
}

static int probe_rows(const struct row *table, size_t n, char **argv)
{
	struct error err = { 0 };

	if (!argv[1] || backend_find(argv[1], &backend, &err) < 0) {
		fprintf(stderr, "%s: %s\n", argv[0], argv[1] ? err.message : "BACKEND?");
		return 2;
	}
	for (size_t i = 0; i < n; i++)
		if (!argv[2] || strstr(table[i].section, argv[2]))
			try_row(&table[i]);
	printf("%zu rows, %u connections tried, %u failed\n", n, n_tried, n_failed);
	return n_failed > 0;
}

#endif
