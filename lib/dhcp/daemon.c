/* One process, one thread, one loop. Order at the start: nothing is taken over before the lock says that we are alone. */
#include "dhcp/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/file.h"
#include "dhcp/keeper.h"
#include "dhcp/listen.h"
#include "kernel/capability.h"

struct running {
	struct loop *loop;
	struct keeper keeper;
	struct peers *peers;
	int lock, listening;
	bool own_socket;
	const char *socket, *pid_file;
};

static void leave(struct running *r)
{
	peers_close(r->peers);
	keeper_close(&r->keeper);
	if (r->listening >= 0 && r->own_socket)
		unlink(r->socket);
	if (!r->peers)
		close_fd(&r->listening);
	if (r->pid_file)
		unlink(r->pid_file);
	loop_close(r->loop);
	close_fd(&r->lock);
}

static void stop(struct loop *loop, void *arg unused)
{
	loop_stop(loop, 0);
}

static int write_pid(struct running *r, const char *path, struct error *err)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid()), put;

	if (!path || !*path)
		return 0;
	put = file_put(path, 0644, text, (size_t)n, false, err);
	if (put < 0)
		return wrap(err, "pid file");
	r->pid_file = put ? NULL : path;
	return 0;
}

/* A lease takes two or three descriptors: as many as we may have. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* setns() and interfaces of containers, packet sockets there, port 68; and paths below /proc of other users' processes
 * when leases are taken up again. */
static int drop_privileges(struct error *err)
{
	static const enum capability keep[] = {
		CAPABILITY_SYS_ADMIN,        CAPABILITY_NET_ADMIN,  CAPABILITY_NET_RAW,
		CAPABILITY_NET_BIND_SERVICE, CAPABILITY_SYS_PTRACE,
	};

	return capability_keep_only(keep, ARRAY_SIZE(keep), err);
}

static int prepare(struct running *r, const struct dhcp_daemon *daemon, struct arena *arena,
		   struct error *err)
{
	const struct binding_env env = {
		.folder = store_folder(daemon->socket, arena),
		.host_prefix = daemon->host_prefix ? daemon->host_prefix : "",
		.timings = daemon->timings,
		.note = daemon->note,
	};
	struct peer_handler handler;

	keeper_init(&r->keeper, &env, &handler);
	if (loop_open(&r->loop, err))
		return -err->errnum;
	r->keeper.env.loop = r->loop;
	if (loop_signal(r->loop, SIGTERM, stop, NULL, err) ||
	    loop_signal(r->loop, SIGINT, stop, NULL, err) ||
	    store_open(env.folder, &r->lock, err) ||
	    listen_open(daemon->socket, &r->listening, &r->own_socket, err) ||
	    write_pid(r, daemon->pid_file, err) || drop_privileges(err) ||
	    peers_open(&r->peers, r->loop, r->listening, &handler, err))
		return -err->errnum;
	return keeper_restore(&r->keeper, err);
}

int dhcp_daemon_run(const struct dhcp_daemon *daemon, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct running running on_leave(leave) = {
		.lock = -1,
		.listening = -1,
		.socket = daemon->socket,
	};

	signal(SIGPIPE, SIG_IGN);
	raise_limit();
	if (prepare(&running, daemon, &arena, err))
		return -err->errnum;
	return loop_run(running.loop, err);
}
