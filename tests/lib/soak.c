/*
 * Many attachments at once, and some calls killed: what a node has in a bad week.
 *
 *   soak CNIBOX NETWORK COUNT WORKERS KILLED
 *
 * WORKERS processes take COUNT attachments between them, each in its namespace wN: add, now and then check, del. Of the
 * calls, KILLED percent die by SIGKILL after a random part of a call's usual time; a DEL that was killed is called again
 * until it ends. The host's port is 20000 + N, so that each worker's goes with its attachment.
 * An address that is handed out while another attachment has it, and a call that fails without being killed, is told on
 * stderr; the last line counts all of it. Status 1 when there was any.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES 65536

static struct shared {
	atomic_int next, adds, dels, killed, failed, doubled;
	_Atomic long usual_us;            /* of a call that was not killed */
	_Atomic unsigned held[ADDRESSES]; /* by the last two bytes: number of the attachment + 1 */
} * shared;

static const char *cnibox, *network;
static int worker, percent;

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Both its outputs come back in text; the status, or -1: killed. */
static int call(const char *verb, const char *id, char *text, size_t size)
{
	char netns[20], ports[120];
	long begin = now_us(), after = 0;
	size_t n = 0;
	ssize_t got;
	int out[2], status;
	pid_t pid;

	snprintf(netns, sizeof(netns), "w%d", worker);
	snprintf(ports, sizeof(ports),
		 "{\"portMappings\":[{\"hostPort\":%d,\"containerPort\":80,\"protocol\":\"tcp\"}]}",
		 20000 + worker);
	if (pipe2(out, O_CLOEXEC) || (pid = fork()) < 0)
		exit(2);
	if (pid == 0) {
		dup2(out[1], 1);
		dup2(out[1], 2);
		execl(cnibox, "cnibox", "cni", verb, network, netns, "--container-id", id,
		      "--capability-args", ports, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	if (rand() % 100 < percent) {
		after = 1 + rand() % (shared->usual_us * 5 / 4);
		usleep((useconds_t)after);
		kill(pid, SIGKILL);
	}
	while ((got = read(out[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	close(out[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status)) {
		shared->killed++;
		return -1;
	}
	if (!after)
		shared->usual_us = (shared->usual_us * 7 + now_us() - begin) / 8;
	return WEXITSTATUS(status);
}

static void complain(const char *verb, const char *id, const char *text)
{
	shared->failed++;
	fprintf(stderr, "%s %s: %s\n", verb, id, text);
}

/* "address": "10.77.1.2/16" of the result. */
static int address_of(const char *text)
{
	const char *at = strstr(text, "\"address\": \"10.77.");
	int high, low;

	return at && sscanf(at + 18, "%d.%d", &high, &low) == 2 ? high << 8 | low : -1;
}

static void attach(int number)
{
	unsigned before;
	char id[40], text[65536];
	int address, r;

	snprintf(id, sizeof(id), "soak-%d", number);
	r = call("add", id, text, sizeof(text));
	shared->adds++;
	if (r > 0)
		complain("add", id, text);
	address = r == 0 ? address_of(text) : -1;
	if (r == 0 && address < 0)
		complain("add", id, text);
	if (address >= 0 &&
	    (before = atomic_exchange(&shared->held[address], (unsigned)number + 1))) {
		shared->doubled++;
		fprintf(stderr, "10.77.%d.%d: of attachment %u and %d\n", address >> 8,
			address & 255, before - 1, number);
	}
	if (r == 0 && number % 4 == 0 && call("check", id, text, sizeof(text)) > 0)
		complain("check", id, text);
	if (address >= 0)
		shared->held[address] = 0;
	while ((r = call("del", id, text, sizeof(text))) < 0)
		;
	shared->dels++;
	if (r)
		complain("del", id, text);
}

int main(int argc, char **argv)
{
	int count, workers, number;

	if (argc != 6)
		return 2;
	cnibox = argv[1];
	network = argv[2];
	count = atoi(argv[3]);
	workers = atoi(argv[4]);
	percent = atoi(argv[5]);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 2;
	shared->usual_us = 20000;
	for (worker = 0; worker < workers; worker++) {
		if (fork())
			continue;
		srand((unsigned)worker + 1);
		while ((number = shared->next++) < count)
			attach(number);
		return 0;
	}
	while (wait(NULL) > 0)
		;
	printf("%d added, %d deleted, %d calls killed, %d failed, %d addresses doubled\n",
	       shared->adds, shared->dels, shared->killed, shared->failed, shared->doubled);
	return shared->failed || shared->doubled;
}
