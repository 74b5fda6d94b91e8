/* The agent's side of the relay: descriptors, process, what it is told, what it has counted. */
#include "relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/log.h"
#include "kernel/capability.h"
#include "kernel/tun.h"
#include "relay/plane.h"
#include "relay/shortcut.h"

enum { RESTART_MS = 200 };

const char *const relay_counter_names[RELAY_N_COUNTERS] = {
	[RELAY_SENT_PACKETS] = "sent packets",
	[RELAY_SENT_BYTES] = "sent bytes",
	[RELAY_SEND_NO_PEER] = "to nobody",
	[RELAY_SEND_HOPS] = "sent at the end of their TTL",
	[RELAY_SEND_TOO_BIG] = "too big for the way",
	[RELAY_SEND_FAILED] = "refused by the network",
	[RELAY_SEND_MALFORMED] = "malformed, of pods",
	[RELAY_SENT_BY_PROCESS] = "of them sent by the process",
	[RELAY_RECEIVED_PACKETS] = "received packets",
	[RELAY_RECEIVED_BYTES] = "received bytes",
	[RELAY_RECEIVE_STRANGER] = "from strangers",
	[RELAY_RECEIVE_SOURCE] = "from a wrong source",
	[RELAY_RECEIVE_HOPS] = "received at the end of their TTL",
	[RELAY_RECEIVE_MALFORMED] = "malformed, of peers",
	[RELAY_RECEIVE_FAILED] = "refused by the device",
	[RELAY_RECEIVED_BY_PROCESS] = "of them received by the process",
};

struct relay {
	struct loop *loop;
	char device[16];
	struct plane_setup setup; /* control: the agent's end; -1 = no process */
	pid_t pid;
	int restart;               /* timer, 0 = none */
	struct shortcut *shortcut; /* NULL = there is none */
	struct shortcut *without;  /* one that failed: only its states are used */
	struct relay_state *own_states;
	struct relay_peer *peers;
	size_t n_peers;
	struct table *table; /* of them, to find what slot a subnet had */
	struct ip own[2];
	uint32_t next_slot;
};

static void relay_start(struct loop *loop, void *arg);

/* ---- the process ---- */

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Everything else that the agent has open is none of its business. Linux 5.9; before, it stays open, unused. */
static void close_others(const struct plane_setup *setup, int control)
{
	int keep[4 + 3 * RELAY_QUEUES_MAX], n = 0, from = STDERR_FILENO + 1;

	keep[n++] = control;
	keep[n++] = setup->states_file;
	for (unsigned i = 0; i < 2; i++)
		keep[n++] = setup->icmp[i];
	for (unsigned i = 0; i < setup->spec.queues; i++) {
		keep[n++] = setup->tun[i];
		keep[n++] = setup->sockets[i][0];
		keep[n++] = setup->sockets[i][1];
	}
	qsort(keep, (size_t)n, sizeof(*keep), compare_fds);
	for (int i = 0; i < n; i++) {
		if (keep[i] > from)
			syscall(SYS_close_range, from, keep[i] - 1, 0);
		if (keep[i] >= from)
			from = keep[i] + 1;
	}
	syscall(SYS_close_range, from, ~0u, 0);
}

/* It dies with the agent, and gives up every right: what it needs is open. */
static int run_process(const struct relay *relay, int control, pid_t agent)
{
	struct plane_setup setup = relay->setup;
	struct error err = { 0 };
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != agent)
		return 1;
	prctl(PR_SET_NAME, "cnibox-relay");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN); /* the terminal's is the agent's to hear */
	signal(SIGUSR1, SIG_IGN);
	setup.control = control;
	close_others(&setup, control);
	if (capability_keep_only(NULL, 0, &err)) {
		log_error("%s", err.message);
		return 1;
	}
	return plane_run(&setup);
}

static void stop_process(struct relay *relay)
{
	if (relay->setup.control >= 0) {
		loop_unwatch(relay->loop, relay->setup.control);
		close(relay->setup.control);
		relay->setup.control = -1;
	}
	if (relay->pid > 0) {
		kill(relay->pid, SIGKILL);
		waitpid(relay->pid, NULL, 0);
	}
	relay->pid = 0;
}

static void relay_lost(struct relay *relay, const char *why)
{
	struct error err = { 0 };

	log_warning("%s; it is started again", why);
	stop_process(relay);
	relay->restart = loop_after(relay->loop, RESTART_MS, relay_start, relay, &err);
}

/* It never says anything: it has ended. */
static void on_end(struct loop *loop unused, void *arg)
{
	relay_lost(arg, "the relay's process has ended");
}

static int start_process(struct relay *relay, struct error *err)
{
	pid_t agent = getpid();
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return fail_errno(err, errno, "make the relay's socket");
	relay->pid = fork();
	if (relay->pid == 0)
		_exit(run_process(relay, fds[1], agent));
	close(fds[1]);
	relay->setup.control = fds[0];
	if (relay->pid < 0)
		return fail_errno(err, errno, "start the relay's process");
	return loop_watch(relay->loop, fds[0], EPOLLIN, on_end, relay, err);
}

/* ---- what it is told ---- */

static int tell_process(const struct relay *relay, struct error *err)
{
	const struct plane_message told = { relay->n_peers,
					    { relay->own[0], relay->own[1] },
					    relay->shortcut != NULL };

	return plane_message_send(relay->setup.control, &told, relay->peers, err);
}

static void relay_start(struct loop *loop unused, void *arg)
{
	struct relay *relay = arg;
	struct error err = { 0 };

	relay->restart = 0;
	if (start_process(relay, &err) || tell_process(relay, &err))
		relay_lost(relay, err.message);
}

/* ---- the short way ---- */

static void remove_shortcuts(void)
{
	struct netlink *nl auto_netlink = NULL;
	struct error why = { 0 };
	unsigned n;

	if (netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, &why) || shortcut_remove(nl, &n, &why))
		log_warning("%s", why.message);
}

/* Its states are in use as long as the relay is. */
static int do_without(struct relay *relay, const struct error *why, struct error *err)
{
	if (relay->setup.spec.datapath == RELAY_KERNEL)
		return fail(err, why->errnum, "%s", why->message);
	log_info("packets are carried by the relay's process: %s", why->message);
	relay->without = relay->shortcut;
	relay->shortcut = NULL;
	remove_shortcuts();
	return relay->pid > 0 ? tell_process(relay, err) : 0;
}

static uint32_t slots_for(uint32_t n_peers)
{
	uint32_t n = 256;

	while (n < RELAY_SLOTS && n < 2 * n_peers + 2)
		n *= 2;
	return n < RELAY_SLOTS ? n : RELAY_SLOTS;
}

static int open_shortcut(struct relay *relay, struct error *err)
{
	struct plane_setup *setup = &relay->setup;
	struct error why = { 0 };

	relay->setup.n_slots = slots_for(setup->spec.n_peers);
	if (setup->spec.datapath == RELAY_USER)
		return 0;
	if (shortcut_open(&relay->shortcut, &setup->spec, relay->setup.n_slots, &why))
		return do_without(relay, &why, err);
	setup->states_file = fcntl(shortcut_states_file(relay->shortcut), F_DUPFD_CLOEXEC, 0);
	if (setup->states_file < 0)
		return fail_errno(err, errno, "keep the relay's counters");
	setup->states = shortcut_states(relay->shortcut);
	setup->shortcut = true;
	return 0;
}

/* ---- slots ---- */

static uint32_t slot_of_old(const struct relay *relay, const struct relay_peer *peer)
{
	bool v6 = !peer->subnet.ip.family;
	const struct cidr *subnet = v6 ? &peer->subnet6 : &peer->subnet;
	const struct table_entry *entry = relay->table && subnet->ip.family
						  ? table_find(relay->table, v6, subnet->ip.bytes)
						  : NULL;

	return entry && entry->prefix == subnet->prefix ? entry->slot : 0;
}

/* A peer that stays keeps its counters, a new one begins at zero. taken: by slot. */
static void give_slots(struct relay *relay, struct relay_peer *peers, size_t n, uint8_t *taken)
{
	for (size_t i = 0; i < n; i++) {
		peers[i].slot = slot_of_old(relay, &peers[i]);
		if (taken[peers[i].slot])
			peers[i].slot = 0;
		taken[peers[i].slot] = peers[i].slot != 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (peers[i].slot)
			continue;
		do
			relay->next_slot = relay->next_slot % (relay->setup.n_slots - 1) + 1;
		while (taken[relay->next_slot]);
		peers[i].slot = relay->next_slot;
		taken[peers[i].slot] = 1;
		relay->setup.states[peers[i].slot] = (struct relay_state){ 0 };
	}
}

/* So that whoever reads the states knows whose they are. */
static void name_slots(const struct relay *relay, const struct relay_peer *peers, size_t n,
		       const uint8_t *taken)
{
	struct relay_state *states = relay->setup.states;

	for (size_t i = 0; i < n; i++) {
		states[peers[i].slot].subnet = peers[i].subnet;
		states[peers[i].slot].subnet6 = peers[i].subnet6;
	}
	for (size_t i = 0; i < relay->n_peers; i++)
		if (!taken[relay->peers[i].slot])
			states[relay->peers[i].slot].subnet = states[relay->peers[i].slot].subnet6 =
				(struct cidr){ 0 };
}

static bool same(const struct relay *relay, const struct relay_peer *peers, size_t n,
		 const struct ip *own, const struct ip *own6)
{
	if (n != relay->n_peers || !ip_equal(own, &relay->own[0]) ||
	    !ip_equal(own6, &relay->own[1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!cidr_equal(&peers[i].subnet, &relay->peers[i].subnet) ||
		    !cidr_equal(&peers[i].subnet6, &relay->peers[i].subnet6) ||
		    !ip_equal(&peers[i].ip, &relay->peers[i].ip) ||
		    !ip_equal(&peers[i].ip6, &relay->peers[i].ip6))
			return false;
	return true;
}

/* The short way is to be what it should be; without it everything still gets through. */
static int update_shortcut(struct relay *relay, const struct table *was, bool changed,
			   struct error *err)
{
	struct error why = { 0 };
	int r = 0;

	if (!relay->shortcut)
		return 0;
	if (changed)
		r = shortcut_tell(relay->shortcut, was, relay->table, &why);
	if (r == 0)
		r = shortcut_ensure(relay->shortcut, &why);
	return r < 0 ? do_without(relay, &why, err) : 0;
}

static int tell(struct relay *relay, size_t n, struct error *err)
{
	struct table *was = relay->table;
	int told = 0, r;

	relay->table = table_make(relay->peers, n, relay->setup.spec.port);
	if (relay->pid > 0)
		told = tell_process(relay, err);
	if (!relay->shortcut && !was)
		remove_shortcuts();
	r = update_shortcut(relay, was, true, told < 0 ? NULL : err);
	table_free(was);
	return told < 0 ? told : r;
}

int relay_tell(struct relay *relay, struct relay_peer *peers, size_t n, const struct ip *own,
	       const struct ip *own6, struct error *err)
{
	uint8_t *taken auto_free = NULL;

	if (relay->table && same(relay, peers, n, own, own6))
		return update_shortcut(relay, relay->table, false, err);
	if (n >= relay->setup.n_slots)
		return fail(err, E2BIG, "%zu peers are more than the relay can have", n);
	taken = xrealloc(NULL, relay->setup.n_slots);
	memset(taken, 0, relay->setup.n_slots);
	give_slots(relay, peers, n, taken);
	name_slots(relay, peers, n, taken);
	relay->peers = xrealloc(relay->peers, (n + 1) * sizeof(*peers));
	if (n)
		memcpy(relay->peers, peers, n * sizeof(*peers));
	relay->n_peers = n;
	relay->own[0] = *own;
	relay->own[1] = *own6;
	return tell(relay, n, err);
}

bool relay_counters(const struct relay *relay, size_t i, const struct relay_peer **peer,
		    uint64_t counters[RELAY_N_COUNTERS])
{
	if (i > relay->n_peers)
		return false;
	*peer = i < relay->n_peers ? &relay->peers[i] : NULL;
	for (size_t k = 0; k < RELAY_N_COUNTERS; k++)
		counters[k] =
			__atomic_load_n(&relay->setup.states[*peer ? (*peer)->slot : 0].counters[k],
					__ATOMIC_RELAXED);
	return true;
}

const char *relay_peer_name(const struct relay_peer *peer, char name[CIDR_TEXT_SIZE])
{
	if (!peer)
		return "nobody";
	return cidr_format(peer->subnet.ip.family ? &peer->subnet : &peer->subnet6, name);
}

const char *relay_kin_text(const struct relay *relay, size_t i)
{
	const struct relay_state *state = &relay->setup.states[0];

	if (i < relay->n_peers)
		state = &relay->setup.states[relay->peers[i].slot];
	if (relay->shortcut && state->short_ms)
		return " (one of ours, kernel to kernel)";
	return state->kin_ms ? " (one of ours)" : "";
}

/* ---- life ---- */

static unsigned default_queues(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN) / 2;

	return n < 1 ? 1 : n > RELAY_QUEUES_MAX ? RELAY_QUEUES_MAX : (unsigned)n;
}

static int open_sockets(struct plane_setup *setup, struct error *err)
{
	const struct ip *local[] = { &setup->spec.ip, &setup->spec.ip6 };

	for (int v6 = 0; v6 < 2; v6++) {
		if (!local[v6]->family)
			continue;
		for (unsigned i = 0; i < setup->spec.queues; i++)
			if (tunnel_socket(local[v6], setup->spec.port, &setup->sockets[i][v6], err))
				return -err->errnum;
		if (tunnel_icmp_socket(local[v6]->family, &setup->icmp[v6], err))
			return -err->errnum;
	}
	return 0;
}

/* Of the short way, or of our own. */
static int make_states(struct relay *relay, struct error *err)
{
	struct plane_setup *setup = &relay->setup;
	const size_t size = relay->setup.n_slots * sizeof(*setup->states);

	if (setup->states)
		return 0;
	setup->states_file = memfd_create(RELAY_STATES, MFD_CLOEXEC);
	if (setup->states_file < 0 || ftruncate(setup->states_file, (off_t)size))
		return fail_errno(err, errno, "make a file of the relay's counters");
	relay->own_states =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, setup->states_file, 0);
	if (relay->own_states == MAP_FAILED) {
		relay->own_states = NULL;
		return fail_errno(err, errno, "memory for the relay's counters");
	}
	setup->states = relay->own_states;
	return 0;
}

static int open_all(struct relay *relay, struct error *err)
{
	struct plane_setup *setup = &relay->setup;

	if (tun_open_queues(setup->spec.device, setup->tun, setup->spec.queues, &setup->gso_udp,
			    err) ||
	    open_sockets(setup, err) || open_shortcut(relay, err) || make_states(relay, err))
		return -err->errnum;
	return start_process(relay, err);
}

int relay_open(struct relay **relay, struct loop *loop, const struct relay_spec *spec,
	       struct error *err)
{
	struct plane_setup *setup;
	int r;

	*relay = xrealloc(NULL, sizeof(**relay));
	**relay = (struct relay){ .loop = loop,
				  .setup = { .spec = *spec, .control = -1, .states_file = -1 } };
	setup = &(*relay)->setup;
	snprintf((*relay)->device, sizeof((*relay)->device), "%s", spec->device);
	setup->spec.device = (*relay)->device;
	if (!setup->spec.queues)
		setup->spec.queues = default_queues();
	memset(setup->tun, -1, sizeof(setup->tun));
	memset(setup->sockets, -1, sizeof(setup->sockets));
	memset(setup->icmp, -1, sizeof(setup->icmp));
	r = open_all(*relay, err);
	if (r < 0) {
		relay_close(*relay);
		*relay = NULL;
	}
	return r;
}

void relay_close(struct relay *relay)
{
	if (!relay)
		return;
	if (relay->restart)
		loop_cancel(relay->loop, relay->restart);
	stop_process(relay);
	for (unsigned i = 0; i < RELAY_QUEUES_MAX; i++) {
		close_fd(&relay->setup.tun[i]);
		close_fd(&relay->setup.sockets[i][0]);
		close_fd(&relay->setup.sockets[i][1]);
	}
	close_fd(&relay->setup.icmp[0]);
	close_fd(&relay->setup.icmp[1]);
	close_fd(&relay->setup.states_file);
	if (relay->own_states)
		munmap(relay->own_states, relay->setup.n_slots * sizeof(*relay->own_states));
	shortcut_close(relay->shortcut);
	shortcut_close(relay->without);
	table_free(relay->table);
	free(relay->peers);
	free(relay);
}

bool relay_is(const struct relay *relay, const struct relay_spec *spec)
{
	const struct relay_spec *is = &relay->setup.spec;

	return streq(is->device, spec->device) && is->port == spec->port &&
	       ip_equal(&is->ip, &spec->ip) && ip_equal(&is->ip6, &spec->ip6) &&
	       is->underlay == spec->underlay && spec->n_peers < relay->setup.n_slots;
}

bool relay_is_in_kernel(const struct relay *relay)
{
	return relay->shortcut;
}

bool relay_is_link(const struct relay *relay, int index)
{
	return relay->shortcut && shortcut_is_link(relay->shortcut, index);
}
