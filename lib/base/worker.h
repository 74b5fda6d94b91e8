/*
 * A process of our own that speaks in frames with a loop: it may wait for a network, parse what strangers wrote, and needs no right
 * over this machine. It has nothing open of ours but the socket, dies with us, and is started again when it ends.
 */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include "base/frame.h"
#include "base/loop.h"

/* What runs in the process, on its end of the socket; its return value is the exit status. */
struct worker_program {
	int (*run)(void *arg, int fd);
	void *arg;
};

/* Called on the loop. */
struct worker_client {
	void *arg;
	/* A frame; an error ends the process. */
	int (*message)(void *arg, const char *text, size_t size, struct error *err);
	/* A new process is there, and knows nothing yet. Not called for the first one. */
	void (*again)(void *arg);
	/* The process is gone, why; another one comes after a while. */
	void (*lost)(void *arg, const char *why);
};

struct worker;
/* name: of the process, and of what it is in errors ("store"). */
int worker_open(struct worker **worker, const char *name, struct loop *loop,
		const struct worker_program *program, const struct worker_client *client,
		struct error *err) must_check;
void worker_close(struct worker *worker); /* ends the process; NULL-safe */

void worker_send(struct worker *worker, const char *text); /* lost when nobody is there to hear */
int worker_pid(const struct worker *worker);               /* 0 = it is not running right now */
unsigned worker_restarts(const struct worker *worker);
/* What comes within timeout_ms, without the loop; false = nothing will come any more. */
bool worker_wait(struct worker *worker, unsigned timeout_ms);

#endif
