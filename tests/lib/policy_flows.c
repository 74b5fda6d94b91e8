/*
 * New connections one after the other, as fast as they come, until SIGTERM:
 *
 *   policy_flows ADDRESS OPEN CLOSED     to port OPEN, where each has to come through, and to CLOSED, where none may
 *   policy_flows serve PORT PORT         takes them
 *
 * Prints "ready", and in the end "OPENED lost=LOST passed=PASSED".
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

static bool try_connect(const char *text, int port)
{
	const struct linger reset = { 1, 0 };
	const struct timeval timeout = { .tv_sec = 10 };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	bool six = strchr(text, ':');
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0), r;

	inet_pton(AF_INET, text, &v4.sin_addr);
	inet_pton(AF_INET6, text, &v6.sin6_addr);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	r = six ? connect(fd, (struct sockaddr *)&v6, sizeof(v6))
		: connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	close(fd);
	return r == 0;
}

static int listen_on(int port)
{
	const struct sockaddr_in6 any = { .sin6_family = AF_INET6,
					  .sin6_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	return bind(fd, (const struct sockaddr *)&any, sizeof(any)) || listen(fd, 128) ? -1 : fd;
}

static int serve(char **ports)
{
	struct pollfd fds[2];

	for (int i = 0; i < 2; i++) {
		fds[i] = (struct pollfd){ listen_on(atoi(ports[i])), POLLIN, 0 };
		if (fds[i].fd < 0)
			return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		poll(fds, 2, -1);
		for (int i = 0; i < 2; i++)
			if (fds[i].revents)
				close(accept(fds[i].fd, NULL, NULL));
	}
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = end, .sa_flags = SA_RESTART };
	unsigned opened = 0, lost = 0, passed = 0;

	if (argc != 4)
		return 2;
	if (strcmp(argv[1], "serve") == 0)
		return serve(argv + 2);
	sigaction(SIGTERM, &action, NULL);
	puts("ready");
	fflush(stdout);
	while (!ended) {
		if (try_connect(argv[1], atoi(argv[2])))
			opened++;
		else
			lost += !ended;
		passed += try_connect(argv[1], atoi(argv[3]));
	}
	printf("%u lost=%u passed=%u\n", opened, lost, passed);
	return 0;
}
