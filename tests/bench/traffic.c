/*
 * Traffic between two addresses, for the benchmark of a tunnel.
 *
 *   traffic stream FROM TO FLOWS MS PID...    TCP as fast as it goes
 *   traffic flood FROM TO SIZE MS PID...      UDP datagrams as fast as they go
 *   traffic pingpong FROM TO ROUNDS           one byte back and forth over TCP
 *
 * FROM and TO are NAMESPACE/ADDRESS, with names of /run/netns. One process for each end (and for each flow). Prints
 *   stream   Mbit/s, CPU seconds per GB, retransmitted segments
 *   flood    datagrams received per second, CPU microseconds for each
 *   pingpong median and 90th percentile of the round trip in microseconds
 * CPU is that of both ends, of the processes PID (with their threads) and of the kernel's own threads for packets.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FLOWS_MAX = 64, PIDS_MAX = 16, CHUNK = 256 * 1024, PORT = 7000, ROUNDS_MAX = 100000 };

struct end {
	char netns[64], address[64];
};

/* What the children tell. */
static struct shared {
	volatile uint64_t bytes[FLOWS_MAX], packets, retransmitted[FLOWS_MAX];
	volatile bool stop;
	uint32_t rounds[ROUNDS_MAX];
} * shared;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_ms(unsigned ms)
{
	struct timespec pause = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&pause, NULL);
}

static struct end end_of(const char *text)
{
	struct end end = { 0 };

	if (sscanf(text, "%63[^/]/%63s", end.netns, end.address) != 2)
		die(text);
	return end;
}

static void enter(const struct end *end)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", end->netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static struct sockaddr_storage address_of(const struct end *end, uint16_t port, socklen_t *size)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in *v4 = (void *)&storage;
	struct sockaddr_in6 *v6 = (void *)&storage;

	if (inet_pton(AF_INET6, end->address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*size = sizeof(*v6);
	} else {
		memset(&storage, 0, sizeof(storage));
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		inet_pton(AF_INET, end->address, &v4->sin_addr);
		*size = sizeof(*v4);
	}
	return storage;
}

static int bound(const struct end *end, int type, uint16_t port)
{
	socklen_t size;
	struct sockaddr_storage address = address_of(end, port, &size);
	int fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (void *)&address, size))
		die(end->address);
	return fd;
}

static int connected(const struct end *from, const struct end *to, int type, uint16_t port)
{
	socklen_t size;
	struct sockaddr_storage address = address_of(to, port, &size);
	int fd = bound(from, type, 0);

	if (connect(fd, (void *)&address, size))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return fd;
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

/* ---- CPU time ---- */

static uint64_t thread_ns(const char *path)
{
	unsigned long long ns = 0;
	FILE *file = fopen(path, "re");

	if (!file)
		return 0;
	if (fscanf(file, "%llu", &ns) != 1)
		ns = 0;
	fclose(file);
	return ns;
}

static uint64_t process_ns(int pid)
{
	char path[300];
	uint64_t ns = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, entry->d_name);
		ns += thread_ns(path);
	}
	if (dir)
		closedir(dir);
	return ns;
}

static int kernel_pids[PIDS_MAX], n_kernel_pids = -1;

static void find_kernel_threads(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char path[300], name[32];

	n_kernel_pids = 0;
	while (dir && (entry = readdir(dir)) && n_kernel_pids < PIDS_MAX) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = atoi(entry->d_name) ? fopen(path, "re") : NULL;
		if (!file)
			continue;
		if (fscanf(file, "%31s", name) == 1 && strncmp(name, "ksoftirqd", 9) == 0)
			kernel_pids[n_kernel_pids++] = atoi(entry->d_name);
		fclose(file);
	}
	if (dir)
		closedir(dir);
}

static int pids[FLOWS_MAX + PIDS_MAX + 8], n_pids;

static uint64_t cpu_ns(void)
{
	uint64_t ns = 0;

	if (n_kernel_pids < 0)
		find_kernel_threads();
	for (int i = 0; i < n_pids; i++)
		ns += process_ns(pids[i]);
	for (int i = 0; i < n_kernel_pids; i++)
		ns += process_ns(kernel_pids[i]);
	return ns;
}

/* ---- a stream ---- */

static void swallow(int listener, int flow)
{
	static char data[CHUNK];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ssize_t size;

	while ((size = recv(fd, data, sizeof(data), 0)) > 0)
		shared->bytes[flow] += (uint64_t)size;
	exit(0);
}

static void pour(int fd, int flow)
{
	static char data[CHUNK];
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	while (!shared->stop && send(fd, data, sizeof(data), MSG_NOSIGNAL) > 0)
		;
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
	shared->retransmitted[flow] = info.tcpi_total_retrans;
	exit(0);
}

static void start_flow(const struct end *from, const struct end *to, int flow)
{
	int ready[2];
	pid_t pid;

	if (pipe(ready))
		die("pipe");
	pid = child();
	if (pid == 0) {
		int listener;

		enter(to);
		listener = bound(to, SOCK_STREAM, (uint16_t)(PORT + flow));
		listen(listener, 1);
		close(ready[1]);
		swallow(listener, flow);
	}
	close(ready[1]);
	if (read(ready[0], &(char){ 0 }, 1) < 0)
		die("read");
	close(ready[0]);
	pids[n_pids++] = pid;
	pid = child();
	if (pid == 0) {
		enter(from);
		pour(connected(from, to, SOCK_STREAM, (uint16_t)(PORT + flow)), flow);
	}
	pids[n_pids++] = pid;
}

static uint64_t total(volatile uint64_t *values, int n)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += values[i];
	return sum;
}

static void end_children(int n)
{
	shared->stop = true;
	sleep_ms(30);
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
}

static void stream(const struct end *from, const struct end *to, int flows, unsigned ms)
{
	uint64_t bytes, cpu, start;
	int ours = n_pids;

	(void)ours;
	for (int i = 0; i < flows; i++)
		start_flow(from, to, i);
	sleep_ms(ms / 5); /* windows grow */
	bytes = total(shared->bytes, flows);
	cpu = cpu_ns();
	start = now_ns();
	sleep_ms(ms);
	start = now_ns() - start;
	bytes = total(shared->bytes, flows) - bytes;
	cpu = cpu_ns() - cpu;
	shared->stop = true;
	sleep_ms(50);
	printf("%.0f %.3f %llu\n", (double)bytes * 8000 / (double)start,
	       bytes ? (double)cpu / (double)bytes : 0,
	       (unsigned long long)total(shared->retransmitted, flows));
}

/* ---- a flood ---- */

enum { FLOOD_BATCH = 64 };

static void flood_sink(int fd)
{
	static char data[FLOOD_BATCH][2048];
	static struct mmsghdr calls[FLOOD_BATCH];
	static struct iovec pieces[FLOOD_BATCH];
	int n;

	for (int i = 0; i < FLOOD_BATCH; i++) {
		pieces[i] = (struct iovec){ data[i], sizeof(data[i]) };
		calls[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
	}
	while ((n = recvmmsg(fd, calls, FLOOD_BATCH, MSG_WAITFORONE, NULL)) > 0)
		shared->packets += (uint64_t)n;
	exit(0);
}

static void flood_source(int fd, size_t size)
{
	static char data[2048];
	static struct mmsghdr calls[FLOOD_BATCH];
	struct iovec piece = { data, size };

	for (int i = 0; i < FLOOD_BATCH; i++)
		calls[i].msg_hdr = (struct msghdr){ .msg_iov = &piece, .msg_iovlen = 1 };
	while (!shared->stop)
		sendmmsg(fd, calls, FLOOD_BATCH, 0);
	exit(0);
}

static void flood(const struct end *from, const struct end *to, size_t size, unsigned ms)
{
	uint64_t packets, cpu, start;
	pid_t pid = child();

	if (pid == 0) {
		enter(to);
		flood_sink(bound(to, SOCK_DGRAM, PORT));
	}
	pids[n_pids++] = pid;
	sleep_ms(30);
	pid = child();
	if (pid == 0) {
		enter(from);
		flood_source(connected(from, to, SOCK_DGRAM, PORT), size);
	}
	pids[n_pids++] = pid;
	sleep_ms(ms / 5);
	packets = shared->packets;
	cpu = cpu_ns();
	start = now_ns();
	sleep_ms(ms);
	start = now_ns() - start;
	packets = shared->packets - packets;
	cpu = cpu_ns() - cpu;
	printf("%.0f %.3f\n", (double)packets * 1e9 / (double)start,
	       packets ? (double)cpu / 1000 / (double)packets : 0);
}

/* ---- back and forth ---- */

static void echo(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char byte;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	while (recv(fd, &byte, 1, 0) == 1)
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	exit(0);
}

static int compare(const void *a, const void *b)
{
	return *(const uint32_t *)a < *(const uint32_t *)b
		       ? -1
		       : *(const uint32_t *)a > *(const uint32_t *)b;
}

static void pingpong(const struct end *from, const struct end *to, int rounds)
{
	uint32_t *times = shared->rounds;
	pid_t pid = child();
	char byte = 0;
	int fd;

	if (pid == 0) {
		int listener;

		enter(to);
		listener = bound(to, SOCK_STREAM, PORT);
		listen(listener, 1);
		echo(listener);
	}
	pids[n_pids++] = pid;
	sleep_ms(30);
	enter(from);
	fd = connected(from, to, SOCK_STREAM, PORT);
	for (int i = 0; i < rounds; i++) {
		uint64_t start = now_ns();

		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			die("pingpong");
		times[i] = (uint32_t)(now_ns() - start);
	}
	qsort(times, (size_t)rounds, sizeof(*times), compare);
	printf("%.1f %.1f\n", times[rounds / 2] / 1000.0, times[rounds * 9 / 10] / 1000.0);
}

int main(int argc, char **argv)
{
	struct end from, to;
	int others;

	if (argc < 5) {
		fprintf(stderr, "usage: traffic stream|flood|pingpong FROM TO N [MS PID...]\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	from = end_of(argv[2]);
	to = end_of(argv[3]);
	/* Ours first, since those are to be ended. */
	if (strcmp(argv[1], "pingpong") == 0) {
		pingpong(&from, &to, atoi(argv[4]) < ROUNDS_MAX ? atoi(argv[4]) : ROUNDS_MAX);
		end_children(n_pids);
		return 0;
	}
	for (int i = 6; i < argc && n_pids < PIDS_MAX; i++)
		pids[n_pids++] = atoi(argv[i]);
	others = n_pids;
	if (strcmp(argv[1], "stream") == 0)
		stream(&from, &to, atoi(argv[4]) < FLOWS_MAX ? atoi(argv[4]) : FLOWS_MAX,
		       (unsigned)atoi(argv[5]));
	else
		flood(&from, &to, (size_t)atoi(argv[4]), (unsigned)atoi(argv[5]));
	fflush(stdout);
	memmove(pids, pids + others, sizeof(pids) - (size_t)others * sizeof(*pids));
	end_children(n_pids - others);
	return 0;
}
