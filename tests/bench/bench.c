/*
 * Runs CNI plugins side by side and measures them: every round calls each contestant's ADD and then its DEL, so that
 * the state stays what it was and slow moments of the machine hit all alike (A B A B ...). A contestant is a program
 * that keeps the CNI process contract, called in the network namespace of a node of its own.
 *
 *   bench [-n rounds] [-p at once] [-D | -V] LABEL NODE PROGRAM CONFIG [LABEL NODE PROGRAM CONFIG]...
 *
 * With -D nothing is deleted again; with -V only VERSION is called, which is a program's start and end.
 *
 * PROGRAM may be a folder of plugins (its name ends in "/"): CONFIG is a chain then, a line `TYPE JSON` for each
 * plugin, run as a runtime does: each ADD gets the result of the one before as prevResult, DEL goes backwards and gets
 * the last one. There is a line more for each plugin, LABEL.TYPE.
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
#define MAX_STEPS       8
#define MAX_TEXT        65536
#define WARM_UP         2

enum verb { ADD, DEL, N_VERBS };
static const char *verb_names[N_VERBS] = { "ADD", "DEL" };

struct series {
	uint64_t *wall, *cpu, *rate; /* ns per call, ns per call, calls per 1000 s and round */
	size_t n, n_rounds;
	long rss;
	unsigned wrong;
};

/* One plugin; the only one, or one of a chain. */
struct step {
	const char *type;
	char *program, *config;
	struct series series[N_VERBS];
};

struct contestant {
	const char *label, *program;
	char path_env[4200];
	int node;
	bool chain;
	size_t n_steps;
	struct step steps[MAX_STEPS];
	struct series series[N_VERBS]; /* of all steps together */
};

struct call {
	pid_t pid;
	uint64_t start, end, cpu;
	uint64_t chain_wall, chain_cpu;
	int input, output, errors; /* memfds for the call's stdin, stdout and stderr */
	char result[MAX_TEXT];     /* of the last ADD, "" = none */
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

/* What the call reads: the configuration, with the result of the one before in front of its end. */
static void write_input(const struct contestant *c, const struct step *step, struct call *call)
{
	size_t size = strlen(step->config);
	FILE *in = fdopen(dup(call->input), "w");

	if (!in || ftruncate(call->input, 0) || lseek(call->input, 0, SEEK_SET))
		die("write input for", step->program);
	if (c->chain && call->result[0])
		fprintf(in, "%.*s,\"prevResult\":%s}", (int)size - 1, step->config, call->result);
	else
		fputs(step->config, in);
	if (fclose(in) || lseek(call->input, 0, SEEK_SET))
		die("write input for", step->program);
}

static void start_call(struct contestant *c, struct step *step, enum verb verb, int i)
{
	char command[32], id[48], netns[64];
	char *argv[] = { step->program, NULL };
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
	write_input(c, step, &calls[i]);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, calls[i].input, 0);
	posix_spawn_file_actions_adddup2(&files, calls[i].output, 1);
	posix_spawn_file_actions_adddup2(&files, calls[i].errors, 2);
	calls[i].start = now();
	errno = posix_spawn(&calls[i].pid, step->program, &files, NULL, argv, envp);
	if (errno)
		die("run", step->program);
	posix_spawn_file_actions_destroy(&files);
}

/* The result, and the first address in it, "" when there is none (the raw C program prints nothing). */
static void read_result(struct call *call)
{
	ssize_t size = pread(call->output, call->result, sizeof(call->result) - 1, 0);
	const char *p;

	call->result[size > 0 ? size : 0] = '\0';
	call->address[0] = '\0';
	p = strstr(call->result, "\"address\"");
	if (p)
		sscanf(p + strlen("\"address\""), " : \"%63[^\"]", call->address);
}

/* The first failure of each contestant and verb in full, the others only count. */
static void show_failure(struct contestant *c, struct step *step, enum verb verb, struct call *call,
			 int status)
{
	char text[2][1024] = { "", "" };

	step->series[verb].wrong++;
	if (c->series[verb].wrong++)
		return;
	if (pread(call->output, text[0], sizeof(text[0]) - 1, 0) < 0 ||
	    pread(call->errors, text[1], sizeof(text[1]) - 1, 0) < 0)
		die("read the output of", step->program);
	fprintf(stderr, "bench: %s %s (%s): status %#x: %s %s\n", c->label, verb_names[verb],
		step->program, (unsigned)status, text[0], text[1]);
}

static void series_add(struct series *s, uint64_t wall, uint64_t cpu)
{
	s->wall[s->n] = wall;
	s->cpu[s->n++] = cpu;
}

static void finish_call(struct contestant *c, struct step *step, enum verb verb, bool counts)
{
	struct series *s = &step->series[verb];
	struct rusage usage;
	struct call *call;
	int status, i = 0;
	pid_t pid = wait4(-1, &status, 0, &usage);

	while (i < at_once && calls[i].pid != pid)
		i++;
	if (i == at_once)
		die("wait for", step->program);
	call = &calls[i];
	call->end = now();
	call->cpu = cpu_time(&usage);
	call->chain_wall += call->end - call->start;
	call->chain_cpu += call->cpu;
	if (status)
		show_failure(c, step, verb, call, status);
	if (usage.ru_maxrss > s->rss)
		s->rss = usage.ru_maxrss;
	if (s->rss > c->series[verb].rss)
		c->series[verb].rss = s->rss;
	if (counts)
		series_add(s, call->end - call->start, call->cpu);
}

/* What was added at once must have as many different addresses as calls, or none at all. */
static void check_addresses(struct contestant *c)
{
	for (int i = 0; i < at_once; i++) {
		if (!calls[i].address[0] != !calls[0].address[0])
			c->series[ADD].wrong++;
		for (int j = 0; calls[i].address[0] && j < i; j++)
			c->series[ADD].wrong += !strcmp(calls[i].address, calls[j].address);
	}
}

static void run_step(struct contestant *c, struct step *step, enum verb verb, bool counts)
{
	struct series *s = &step->series[verb];
	uint64_t start = now();

	for (int i = 0; i < at_once; i++)
		start_call(c, step, verb, i);
	for (int i = 0; i < at_once; i++)
		finish_call(c, step, verb, counts);
	if (counts)
		s->rate[s->n_rounds++] = (uint64_t)at_once * 1000000000000u / (now() - start);
	for (int i = 0; i < at_once && verb == ADD; i++)
		read_result(&calls[i]);
}

static void run_verb(struct contestant *c, enum verb verb, bool counts)
{
	struct series *s = &c->series[verb];
	uint64_t start = now();

	for (int i = 0; i < at_once; i++) {
		calls[i].chain_wall = calls[i].chain_cpu = 0;
		if (verb == ADD)
			calls[i].result[0] = '\0';
	}
	for (size_t k = 0; k < c->n_steps; k++)
		run_step(c, &c->steps[verb == ADD ? k : c->n_steps - 1 - k], verb, counts);
	for (int i = 0; i < at_once && counts; i++)
		series_add(s, calls[i].chain_wall, calls[i].chain_cpu);
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

static void print_series(const char *label, const char *type, enum verb verb, struct series *s)
{
	printf("%s%s%s %s %llu %llu %ld %.1f %u\n", label, type ? "." : "", type ? type : "",
	       verb_names[verb], (unsigned long long)median(s->wall, s->n) / 1000,
	       (unsigned long long)median(s->cpu, s->n) / 1000, s->rss,
	       (double)median(s->rate, s->n_rounds) / 1000, s->wrong);
}

static void print_contestant(struct contestant *c)
{
	for (int verb = 0; verb < N_VERBS - skip_del; verb++) {
		print_series(c->label, NULL, (enum verb)verb, &c->series[verb]);
		for (size_t k = 0; k < c->n_steps && c->chain; k++)
			print_series(c->label, c->steps[k].type, (enum verb)verb,
				     &c->steps[k].series[verb]);
	}
}

static void series_open(struct series *series, const char *label)
{
	size_t size = (size_t)rounds * (size_t)at_once * sizeof(uint64_t);

	for (int verb = 0; verb < N_VERBS; verb++) {
		series[verb].wall = malloc(size);
		series[verb].cpu = malloc(size);
		series[verb].rate = malloc(size);
		if (!series[verb].wall || !series[verb].cpu || !series[verb].rate)
			die("allocate for", label);
	}
}

static void step_open(struct contestant *c, const char *type, char *program, const char *config)
{
	struct step *step = &c->steps[c->n_steps++];
	size_t len = strlen(config);

	while (len && strchr(" \n", config[len - 1]))
		len--;
	step->type = type;
	step->program = program;
	step->config = strndup(config, len);
	series_open(step->series, c->label);
}

static char *read_text(const char *path)
{
	static char text[MAX_TEXT];
	FILE *file = fopen(path, "re");
	size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (!file)
		die("open", path);
	fclose(file);
	text[size] = '\0';
	return text;
}

/* The lines of a chain. */
static void chain_open(struct contestant *c, char *text)
{
	char *program, *rest;

	c->chain = true;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *json = strchr(line, ' ');

		errno = EINVAL;
		if (!json || c->n_steps == MAX_STEPS)
			die("read the chain of", c->label);
		*json++ = '\0';
		if (asprintf(&program, "%s%s", c->program, line) < 0)
			die("allocate for", c->label);
		step_open(c, strdup(line), program, json);
	}
}

static struct contestant contestant_open(char **words)
{
	struct contestant c = { .label = words[0], .program = words[2] };
	const char *end = strrchr(words[2], '/');

	c.node = open_namespace(words[1]);
	snprintf(c.path_env, sizeof(c.path_env), "CNI_PATH=%.*s", (int)(end ? end - words[2] : 0),
		 words[2]);
	series_open(c.series, c.label);
	if (end && !end[1])
		chain_open(&c, read_text(words[3]));
	else
		step_open(&c, NULL, words[2], read_text(words[3]));
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

	while ((option = getopt(argc, argv, "n:p:DV")) != -1) {
		if (option == 'n')
			rounds = atoi(optarg);
		else if (option == 'p')
			at_once = atoi(optarg);
		else if (option == 'D')
			skip_del = true;
		else if (option == 'V')
			verb_names[ADD] = "VERSION", skip_del = true;
		else
			return 2;
	}
	n = (argc - optind) / 4;
	if (n < 1 || n > MAX_CONTESTANTS || (argc - optind) % 4 || rounds < 1 ||
	    rounds > MAX_ROUNDS || at_once < 1 || at_once > MAX_AT_ONCE) {
		fprintf(stderr,
			"bench: usage: bench [-n rounds] [-p at once] [-D | -V] LABEL NODE PROGRAM CONFIG...\n");
		return 2;
	}
	for (int i = 0; i < at_once; i++) {
		calls[i].input = memfd_create("stdin", MFD_CLOEXEC);
		calls[i].output = memfd_create("stdout", MFD_CLOEXEC);
		calls[i].errors = memfd_create("stderr", MFD_CLOEXEC);
	}
	for (int i = 0; i < n; i++)
		contestants[i] = contestant_open(argv + optind + 4 * i);
	for (int round = -WARM_UP; round < rounds; round++)
		run_round(contestants, n, round >= 0);
	for (int i = 0; i < n; i++)
		print_contestant(&contestants[i]);
	return 0;
}
