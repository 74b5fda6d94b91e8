/* The daemon's process: its socket (own, or handed over by systemd), pid file, signals, privileges, loop. */
#ifndef DHCP_DAEMON_H
#define DHCP_DAEMON_H

#include "dhcp/client.h"

struct dhcp_daemon {
	const char *socket;      /* path */
	const char *pid_file;    /* NULL = none */
	const char *host_prefix; /* NULL = none */
	struct dhcp_timings timings;
	void (*note)(const char *line);
};

/* Serve until SIGTERM or SIGINT; leases stay in the store. */
int dhcp_daemon_run(const struct dhcp_daemon *daemon, struct error *err) must_check;

#endif
