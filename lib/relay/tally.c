/* The states of a relay, found by its programs at the device, or by its process. */
#include "relay/tally.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/text.h"
#include "kernel/bpf.h"
#include "kernel/hook.h"
#include "kernel/netns.h"
#include "kernel/tunnel_program.h"
#include "relay/worker.h"

#define PROCESS "cnibox-relay"

/* As they were at one moment, more or less. */
struct states {
	const char *bytes;
	size_t size;
};

static int check_size(size_t size, size_t n, struct error *err)
{
	if (size != sizeof(struct relay_state) || !n || n > RELAY_SLOTS)
		return fail(err, EPROTO, "the relay at work is of another version of cnibox");
	return 0;
}

/* ---- by the programs ---- */

/* One by one: a descriptor that is only for reading cannot be mapped. */
static int read_map(int fd, const struct bpf_map_spec *spec, struct arena *arena,
		    struct states *states, struct error *err)
{
	int r = check_size(spec->value_size, spec->n, err);
	char *bytes;

	if (r < 0)
		return r;
	bytes = arena_alloc(arena, spec->n * sizeof(struct relay_state));
	for (uint32_t i = 0; r == 0 && i < spec->n; i++)
		r = bpf_map_get(fd, &i, bytes + i * sizeof(struct relay_state), err);
	*states = (struct states){ bytes, spec->n * sizeof(struct relay_state) };
	return r;
}

static int by_programs(struct netlink *nl, int device, struct arena *arena, struct states *states,
		       struct error *err)
{
	hook_programs_t programs = { 0 };
	struct bpf_map_spec spec = { 0 };
	int fd auto_close = -1;
	int r = hook_list(nl, device, TUNNEL_PROGRAM_PREFIX, arena, &programs, err);

	if (r == 0 && !programs.n)
		r = fail(err, ENOENT, "no relay has programs there");
	if (r == 0)
		r = bpf_program_map(programs.items[0].id, RELAY_STATES, &spec, &fd, err);
	return r < 0 ? r : read_map(fd, &spec, arena, states, err);
}

/* ---- by the process ---- */

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* One that is called so, of our user, in that namespace: others may call themselves what they like. */
static bool is_relay(const char *pid, const struct stat *netns, struct arena *arena)
{
	char *comm = NULL;
	struct stat own;
	size_t size;

	return *pid >= '1' && *pid <= '9' &&
	       file_read(arena_printf(arena, "/proc/%s/comm", pid), 64, arena, &comm, &size,
			 NULL) == 0 &&
	       streq(comm, PROCESS "\n") && stat(arena_printf(arena, "/proc/%s", pid), &own) == 0 &&
	       own.st_uid == geteuid() &&
	       stat(arena_printf(arena, "/proc/%s/ns/net", pid), &own) == 0 &&
	       own.st_dev == netns->st_dev && own.st_ino == netns->st_ino;
}

static int read_file(const char *path, struct arena *arena, struct states *states,
		     struct error *err)
{
	const size_t max = RELAY_SLOTS * sizeof(struct relay_state);
	int fd auto_close = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat file;
	char *data = NULL;
	int r;

	if (fd < 0 || fstat(fd, &file) < 0)
		return fail_errno(err, errno, "open the relay's counters");
	if (!S_ISREG(file.st_mode) || file.st_uid != geteuid())
		return fail(err, ENOENT, "the relay's process counts elsewhere");
	r = fd_read_all(fd, max, arena, &data, &states->size, err);
	states->bytes = data;
	return r;
}

/* The map that a descriptor of the process is; 0 = it is none. */
static uint32_t map_of(const char *pid, const char *descriptor, struct arena *arena)
{
	static const char key[] = "\nmap_id:";
	const char *path = arena_printf(arena, "/proc/%s/fdinfo/%s", pid, descriptor);
	char *text = NULL;
	size_t size;
	const char *id =
		file_read(path, 4096, arena, &text, &size, NULL) == 0 ? strstr(text, key) : NULL;

	return id ? (uint32_t)strtoul(id + strlen(key), NULL, 10) : 0;
}

/* One that the process counts in though no program does any more. */
static int read_map_of(uint32_t id, struct arena *arena, struct states *states, struct error *err)
{
	struct bpf_map_spec spec = { 0 };
	int fd auto_close = -1;
	int r = bpf_map_by_id(id, RELAY_STATES, &spec, &fd, err);

	return r < 0 ? r : read_map(fd, &spec, arena, states, err);
}

/* Among what the process has open. */
static int read_process(const char *pid, struct arena *arena, struct states *states,
			struct error *err)
{
	const char *folder = arena_printf(arena, "/proc/%s/fd", pid);
	DIR *dir on_leave(close_dir) = opendir(folder);
	const char wanted[] = "/memfd:" RELAY_STATES " ";
	struct dirent *entry;

	if (!dir)
		return fail_errno(err, errno, "look at the relay's process");
	while ((entry = readdir(dir))) {
		const char *path = arena_printf(arena, "%s/%s", folder, entry->d_name);
		char target[64] = "";

		if (readlink(path, target, sizeof(target) - 1) <= 0)
			continue;
		if (has_prefix(target, wanted))
			return read_file(path, arena, states, err);
		if (streq(target, "anon_inode:bpf-map"))
			return read_map_of(map_of(pid, entry->d_name, arena), arena, states, err);
	}
	return fail(err, ENOENT, "the relay's process counts elsewhere");
}

static int by_process(int netns, struct arena *arena, struct states *states, struct error *err)
{
	DIR *dir on_leave(close_dir) = opendir("/proc");
	struct stat wanted;
	struct dirent *entry;

	if (!dir ||
	    (netns >= 0 ? fstat(netns, &wanted) : stat("/proc/thread-self/ns/net", &wanted)))
		return fail_errno(err, errno, "look for the relay's process");
	while ((entry = readdir(dir)))
		if (is_relay(entry->d_name, &wanted, arena))
			return read_process(entry->d_name, arena, states, err);
	return fail(err, ENOENT, "no relay is at work");
}

/* ---- for a person ---- */

static uint32_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)now.tv_sec;
}

static struct relay_tally tally_of(const struct relay_state *state)
{
	const uint32_t heard = state->heard.s, now = now_s();
	struct relay_tally tally = {
		.subnet = state->subnet,
		.subnet6 = state->subnet6,
		.heard = heard,
		.heard_ms = heard < now ? (int64_t)(now - heard) * 1000 : 0,
	};

	memcpy(tally.counters, state->counters, sizeof(tally.counters));
	return tally;
}

int relay_tallies_of(const void *bytes, size_t size, struct arena *arena, relay_tallies_t *tallies,
		     struct error *err)
{
	const size_t n = size / sizeof(struct relay_state);
	int r = check_size((size % sizeof(struct relay_state)) ? 0 : sizeof(struct relay_state), n,
			   err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct relay_state state;

		memcpy(&state, (const char *)bytes + i * sizeof(state), sizeof(state));
		if (!relay_subnet_valid(&state.subnet, AF_INET) ||
		    !relay_subnet_valid(&state.subnet6, AF_INET6))
			return check_size(0, n, err);
		if (i == 0 || state.subnet.ip.family || state.subnet6.ip.family)
			*list_add(arena, tallies) = tally_of(&state);
	}
	return r;
}

int relay_tallies(struct netlink *nl, int netns, int device, struct arena *arena,
		  relay_tallies_t *tallies, struct error *err)
{
	struct states states = { 0 };
	int r = by_programs(nl, device, arena, &states, err);

	if (r == -ENOENT)
		r = by_process(netns, arena, &states, err);
	return r < 0 ? r : relay_tallies_of(states.bytes, states.size, arena, tallies, err);
}

bool relay_counter_is_loss(enum relay_counter counter)
{
	switch (counter) {
	case RELAY_SENT_PACKETS:
	case RELAY_SENT_BYTES:
	case RELAY_SENT_BY_PROCESS:
	case RELAY_RECEIVED_PACKETS:
	case RELAY_RECEIVED_BYTES:
	case RELAY_RECEIVED_BY_PROCESS:
	case RELAY_N_COUNTERS: return false;
	default: return true;
	}
}
