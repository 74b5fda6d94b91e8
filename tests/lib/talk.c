/*
 * One sentence over a connection, for machines without any such program:
 *
 *   talk serve PROTOCOL PORT TEXT      says TEXT to whoever comes, for ever; prints "ready"
 *   talk ask PROTOCOL ADDRESS PORT     prints what is said; status 1 when nothing is within three seconds
 *
 * PROTOCOL is tcp, udp or sctp.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int make(int family, const char *protocol)
{
	const struct timeval timeout = { .tv_sec = 3 };
	int fd = strcmp(protocol, "udp") == 0
			 ? socket(family, SOCK_DGRAM, 0)
			 : socket(family, SOCK_STREAM,
				  strcmp(protocol, "sctp") == 0 ? IPPROTO_SCTP : IPPROTO_TCP);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	return fd;
}

static int serve(const char *protocol, const char *port, const char *text)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6,
				     .sin6_port = htons((uint16_t)atoi(port)) };
	int fd = make(AF_INET6, protocol), conn;
	char data[100];
	socklen_t size;

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    (strcmp(protocol, "udp") && listen(fd, 8)))
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;) {
		size = sizeof(addr);
		if (strcmp(protocol, "udp") == 0) {
			if (recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&addr, &size) >=
			    0)
				sendto(fd, text, strlen(text), 0, (struct sockaddr *)&addr, size);
			continue;
		}
		conn = accept(fd, NULL, NULL);
		if (conn >= 0 && write(conn, text, strlen(text)) >= 0)
			close(conn);
	}
}

static int ask(const char *protocol, const char *address, const char *port)
{
	const struct timeval timeout = { .tv_sec = 3 };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_port = htons((uint16_t)atoi(port)) };
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)atoi(port)) };
	int family = strchr(address, ':') ? AF_INET6 : AF_INET, fd = make(family, protocol), r;
	char data[200];
	ssize_t n;

	inet_pton(family, address, family == AF_INET ? (void *)&four.sin_addr : &six.sin6_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	r = family == AF_INET ? connect(fd, (struct sockaddr *)&four, sizeof(four))
			      : connect(fd, (struct sockaddr *)&six, sizeof(six));
	if (r || (strcmp(protocol, "udp") == 0 && send(fd, "?", 1, 0) < 0))
		return 1;
	n = recv(fd, data, sizeof(data), 0);
	if (n <= 0)
		return 1;
	printf("%.*s\n", (int)n, data);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3], argv[4]);
	if (argc == 5 && strcmp(argv[1], "ask") == 0)
		return ask(argv[2], argv[3], argv[4]);
	return 2;
}
