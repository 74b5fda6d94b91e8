/*
 * Runs CNI plugins side by side and measures them: every round calls each contestant's ADD and then its DEL, so that
 * the state stays what it was and slow moments of the machine hit all alike (A B A B ...). A contestant is a program
 * that keeps the CNI process contract, called in the network namespace of a node of its own.
 *
 *   bench [-n rounds] [-p at once] [-D] LABEL NODE PROGRAM CONFIG [LABEL NODE PROGRAM CONFIG]...
 *
 * NODE and the containers c0, c1, ... are names in /run/netns; LABEL is "-" for a contestant that only warms the
 * machine. Prints for each contestant and verb one line of
 *   LABEL VERB wall_us cpu_us rss_kib per_second wrong
 * where times are medians of single calls, CPU is user and system time of the process and its children, per_second is
 * the median over rounds, and wrong counts calls that failed and addresses that are missing or were given out twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_AT_ONCE     64
#define MAX_ROUNDS      10000
#define MAX_CONTESTANTS 8
#define WARM_UP         2

enum verb { ADD, DEL, N_VERBS };
static const char *const verb_names[N_VERBS] = { "ADD", "DEL" };

struct series {
	uint64_t *wall, *cpu, *rate; /* ns per call, ns per call, calls per 1000 s and round */
	size_t n, n_rounds;
	long rss;
	unsigned wrong;
};

struct contestant {
	const char *label, *program, *config;
	char path_env[4200];
	int node;
	struct series series[N_VERBS];
};

struct call {
	pid_t pid;
	uint64_t start, end, cpu;
	int output, errors; /* memfds that take the call's stdout and stderr */
	char address[64];
};

static struct call calls[MAX_AT_ONCE];
static int at_once = 1, rounds = 20;
static bool skip_del;

static void die(const char *what, const char *name)
{
	fprintf(stderr, "bench: %s %s: %s\n", what, name, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t cpu_time(const struct rusage *usage)
{
	return ((uint64_t)usage->ru_utime.tv_sec + (uint64_t)usage->ru_stime.tv_sec) * 1000000000u +
	       ((uint64_t)usage->ru_utime.tv_usec + (uint64_t)usage->ru_stime.tv_usec) * 1000u;
}

static int open_namespace(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("open", path);
	return fd;
}

static void start_call(struct contestant *c, enum verb verb, int i)
{
	char command[32], id[48], netns[64];
	char *argv[] = { (char *)c->program, NULL };
	char *envp[] = { command,     id,
			 netns,       "CNI_IFNAME=eth0",
			 c->path_env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
			 NULL };
	posix_spawn_file_actions_t files;

	snprintf(command, sizeof(command), "CNI_COMMAND=%s", verb_names[verb]);
	snprintf(id, sizeof(id), "CNI_CONTAINERID=bench-%d", i);
	snprintf(netns, sizeof(netns), "CNI_NETNS=/run/netns/c%d", i);
	if (ftruncate(calls[i].output, 0) || lseek(calls[i].output, 0, SEEK_SET) ||
	    ftruncate(calls[i].errors, 0) || lseek(calls[i].errors, 0, SEEK_SET))
		die("empty", "the output");
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, c->config, O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, calls[i].output, 1);
	posix_spawn_file_actions_adddup2(&files, calls[i].errors, 2);
	calls[i].start = now();
	errno = posix_spawn(&calls[i].pid, c->program, &files, NULL, argv, envp);
	if (errno)
		die("run", c->program);
	posix_spawn_file_actions_destroy(&files);
}

/* The first address in the call's output, "" when there is none (the raw C program prints nothing). */
static void read_address(struct call *call)
{
	static char text[65536];
	ssize_t size = pread(call->output, text, sizeof(text) - 1, 0);
	const char *p;

	text[size > 0 ? size : 0] = '\0';
	call->address[0] = '\0';
	p = strstr(text, "\"address\"");
	if (p)
		sscanf(p + strlen("\"address\""), " : \"%63[^\"]", call->address);
}

/* The first failure of each contestant and verb in full, the others only count. */
static void show_failure(struct contestant *c, enum verb verb, struct call *call, int status)
{
	char text[2][1024] = { "", "" };

	if (c->series[verb].wrong++)
		return;
	if (pread(call->output, text[0], sizeof(text[0]) - 1, 0) < 0 ||
	    pread(call->errors, text[1], sizeof(text[1]) - 1, 0) < 0)
		die("read the output of", c->program);
	fprintf(stderr, "bench: %s %s (%s): status %#x: %s %s\n", c->label, verb_names[verb],
		c->program, (unsigned)status, text[0], text[1]);
}

static void finish_call(struct contestant *c, enum verb verb, bool counts)
{
	struct series *s = &c->series[verb];
	struct rusage usage;
	struct call *call;
	int status, i = 0;
	pid_t pid = wait4(-1, &status, 0, &usage);

	while (i < at_once && calls[i].pid != pid)
		i++;
	if (i == at_once)
		die("wait for", c->program);
	call = &calls[i];
	call->end = now();
	call->cpu = cpu_time(&usage);
	if (status)
		show_failure(c, verb, call, status);
	if (usage.ru_maxrss > s->rss)
		s->rss = usage.ru_maxrss;
	if (!counts)
		return;
	s->wall[s->n] = call->end - call->start;
	s->cpu[s->n++] = call->cpu;
}

/* What was added at once must have as many different addresses as calls, or none at all. */
static void check_addresses(struct contestant *c)
{
	for (int i = 0; i < at_once; i++)
		read_address(&calls[i]);
	for (int i = 0; i < at_once; i++) {
		if (!calls[i].address[0] != !calls[0].address[0])
			c->series[ADD].wrong++;
		for (int j = 0; calls[i].address[0] && j < i; j++)
			c->series[ADD].wrong += !strcmp(calls[i].address, calls[j].address);
	}
}

static void run_verb(struct contestant *c, enum verb verb, bool counts)
{
	struct series *s = &c->series[verb];
	uint64_t start = now();

	for (int i = 0; i < at_once; i++)
		start_call(c, verb, i);
	for (int i = 0; i < at_once; i++)
		finish_call(c, verb, counts);
	if (counts)
		s->rate[s->n_rounds++] = (uint64_t)at_once * 1000000000000u / (now() - start);
	if (verb == ADD)
		check_addresses(c);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t median(uint64_t *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : n ? (values[n / 2 - 1] + values[n / 2]) / 2 : 0;
}

static void print_series(const struct contestant *c, enum verb verb)
{
	const struct series *s = &c->series[verb];

	printf("%s %s %llu %llu %ld %.1f %u\n", c->label, verb_names[verb],
	       (unsigned long long)median(s->wall, s->n) / 1000,
	       (unsigned long long)median(s->cpu, s->n) / 1000, s->rss,
	       (double)median(s->rate, s->n_rounds) / 1000, s->wrong);
}

static struct contestant contestant_open(char **words)
{
	struct contestant c = { .label = words[0], .program = words[2], .config = words[3] };
	size_t size = (size_t)rounds * (size_t)at_once * sizeof(uint64_t);

	c.node = open_namespace(words[1]);
	snprintf(c.path_env, sizeof(c.path_env), "CNI_PATH=%.*s",
		 (int)(strrchr(c.program, '/') ? strrchr(c.program, '/') - c.program : 0),
		 c.program);
	for (int verb = 0; verb < N_VERBS; verb++) {
		c.series[verb].wall = malloc(size);
		c.series[verb].cpu = malloc(size);
		c.series[verb].rate = malloc(size);
		if (!c.series[verb].wall || !c.series[verb].cpu || !c.series[verb].rate)
			die("allocate for", c.label);
	}
	return c;
}

static void run_round(struct contestant *contestants, int n, bool counts)
{
	for (int i = 0; i < n; i++) {
		if (setns(contestants[i].node, CLONE_NEWNET))
			die("enter the node of", contestants[i].label);
		run_verb(&contestants[i], ADD, counts);
		if (!skip_del)
			run_verb(&contestants[i], DEL, counts);
	}
}

int main(int argc, char **argv)
{
	struct contestant contestants[MAX_CONTESTANTS];
	int option, n;

	while ((option = getopt(argc, argv, "n:p:D")) != -1) {
		if (option == 'n')
			rounds = atoi(optarg);
		else if (option == 'p')
			at_once = atoi(optarg);
		else if (option == 'D')
			skip_del = true;
		else
			return 2;
	}
	n = (argc - optind) / 4;
	if (n < 1 || n > MAX_CONTESTANTS || (argc - optind) % 4 || rounds < 1 ||
	    rounds > MAX_ROUNDS || at_once < 1 || at_once > MAX_AT_ONCE) {
		fprintf(stderr,
			"bench: usage: bench [-n rounds] [-p at once] [-D] LABEL NODE PROGRAM CONFIG...\n");
		return 2;
	}
	for (int i = 0; i < at_once; i++) {
		calls[i].output = memfd_create("stdout", MFD_CLOEXEC);
		calls[i].errors = memfd_create("stderr", MFD_CLOEXEC);
	}
	for (int i = 0; i < n; i++)
		contestants[i] = contestant_open(argv + optind + 4 * i);
	for (int round = -WARM_UP; round < rounds; round++)
		run_round(contestants, n, round >= 0);
	for (int i = 0; i < n; i++)
		for (int verb = 0; verb < N_VERBS - skip_del; verb++)
			print_series(&contestants[i], (enum verb)verb);
	return 0;
}
