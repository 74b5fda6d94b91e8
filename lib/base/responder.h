/*
 * Answers GET requests (HTTP/1.0 and 1.1) on the loop: a few short texts for probes, for Prometheus, for a person with curl. Each
 * connection is one request. Who says nothing, too much or comes too often is dropped: no client can hold the process up.
 */
#ifndef BASE_RESPONDER_H
#define BASE_RESPONDER_H

#include "base/ip.h"
#include "base/loop.h"

struct responder_request {
	const char *path; /* without what stands behind a '?' */
	bool head;        /* only the header of the answer is wanted */
	bool local;       /* the client is on this machine: it came from a loopback address */
};

struct responder_answer {
	int status;       /* 404 when it is entered */
	const char *text; /* plain text; NULL = what the status means */
};

/* Texts may live in the arena, which lasts until the answer has been put together. */
typedef void responder_fn(void *arg, const struct responder_request *request, struct arena *arena,
			  struct responder_answer *answer);

struct responder;
/* Listens; ip and port as they are to be bound. */
int responder_open(struct responder **responder, struct loop *loop, const struct ip *ip,
		   uint16_t port, responder_fn *fn, void *arg, struct error *err) must_check;
void responder_close(struct responder *responder); /* NULL-safe */

enum { RESPONDER_REQUEST_MAX = 4096 };

/* What has come of a request: 0 = not all of it yet, 200 = the request is filled in (the path is in the arena), another
 * status = what it is to be answered with. Pure. */
int responder_parse(const char *data, size_t size, struct arena *arena,
		    struct responder_request *request) must_check;

#endif
