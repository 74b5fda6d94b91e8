/*
 * The responder: a listening socket and at most CLIENTS_MAX connections, each with a deadline. When there are too many the one that
 * has been there longest goes: whoever asks something has its answer by then.
 */
#include "base/responder.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { CLIENTS_MAX = 16, DEADLINE_MS = 3000, ACCEPT_PAUSE_MS = 1000, BACKLOG = 32 };

struct client {
	struct responder *responder;
	int fd; /* -1 = this place is free */
	int deadline;
	uint64_t number;
	bool local;
	char *request; /* RESPONDER_REQUEST_MAX bytes */
	size_t request_size;
	char *answer; /* NULL = the request is still coming */
	size_t answer_size, sent;
};

struct responder {
	struct loop *loop;
	responder_fn *fn;
	void *arg;
	int fd;
	int pause; /* timer: nothing is accepted until then; 0 = none */
	uint64_t n_accepted;
	struct client clients[CLIENTS_MAX];
};

/* ---- the request ---- */

/* Where the header ends, NULL = not there yet. Bare line feeds are taken, too. */
static const char *end_of_header(const char *data, size_t size)
{
	const char *crlf = memmem(data, size, "\r\n\r\n", 4), *lf = memmem(data, size, "\n\n", 2);

	return crlf && lf ? (crlf < lf ? crlf : lf) : crlf ? crlf : lf;
}

static bool is_printable(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f)
			return false;
	return true;
}

/* "GET /path HTTP/1.1" */
static int parse_line(char *line, struct responder_request *request)
{
	char *rest = line, *method = strsep(&rest, " "), *target = strsep(&rest, " ");

	if (!target || !rest || (!streq(rest, "HTTP/1.1") && !streq(rest, "HTTP/1.0")) ||
	    *target != '/')
		return 400;
	if (!streq(method, "GET") && !streq(method, "HEAD"))
		return 405;
	target[strcspn(target, "?")] = '\0';
	request->path = target;
	request->head = *method == 'H';
	return 200;
}

int responder_parse(const char *data, size_t size, struct arena *arena,
		    struct responder_request *request)
{
	const char *newline = memchr(data, '\n', size);
	size_t len = newline ? (size_t)(newline - data) : size;

	if (len && data[len - 1] == '\r')
		len--;
	/* What is no HTTP at all (TLS, say) is seen at once. */
	if (!is_printable(data, len))
		return 400;
	if (!end_of_header(data, size))
		return size >= RESPONDER_REQUEST_MAX ? 431 : 0;
	return parse_line(arena_memdup(arena, data, len), request);
}

/* ---- the answer ---- */

static const char *status_text(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 431: return "Request Header Fields Too Large";
	case 503: return "Service Unavailable";
	}
	return "Error";
}

static void compose(struct client *client, const struct responder_request *request,
		    const struct responder_answer *answer)
{
	const char *text = answer->text ? answer->text : status_text(answer->status);
	int n = asprintf(&client->answer,
			 "HTTP/1.1 %d %s\r\n%s"
			 "Content-Type: text/plain; charset=utf-8\r\n"
			 "Content-Length: %zu\r\n"
			 "Connection: close\r\n\r\n%s",
			 answer->status, status_text(answer->status),
			 answer->status == 405 ? "Allow: GET, HEAD\r\n" : "", strlen(text),
			 request->head ? "" : text);

	if (n < 0)
		out_of_memory();
	client->answer_size = (size_t)n;
}

/* ---- connections ---- */

static void drop(struct client *client)
{
	if (client->fd < 0)
		return;
	loop_unwatch(client->responder->loop, client->fd);
	loop_cancel(client->responder->loop, client->deadline);
	close(client->fd);
	client->fd = -1;
	free(client->request);
	free(client->answer);
	client->request = client->answer = NULL;
}

static void on_deadline(struct loop *loop unused, void *arg)
{
	drop(arg);
}

/* What the client still had to say is thrown away, until it has seen the answer: closing at once would take the answer with it. */
static void on_rest(struct loop *loop unused, void *arg)
{
	struct client *client = arg;
	ssize_t n = recv(client->fd, client->request, RESPONDER_REQUEST_MAX, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		drop(client);
}

static void finish(struct client *client)
{
	if (shutdown(client->fd, SHUT_WR) ||
	    loop_watch(client->responder->loop, client->fd, EPOLLIN, on_rest, client, NULL))
		drop(client);
}

/* As much as the socket takes; the rest when it takes more. */
static void on_writable(struct loop *loop unused, void *arg)
{
	struct client *client = arg;
	ssize_t n = send(client->fd, client->answer + client->sent,
			 client->answer_size - client->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		client->sent += (size_t)n;
	if (n <= 0)
		drop(client);
	else if (client->sent == client->answer_size)
		finish(client);
}

static void answer_request(struct client *client, int status, struct arena *arena,
			   struct responder_request *request)
{
	struct responder *responder = client->responder;
	struct responder_answer answer = { .status = status };

	request->local = client->local;
	if (status == 200) {
		answer.status = 404;
		responder->fn(responder->arg, request, arena, &answer);
	}
	compose(client, request, &answer);
	if (loop_watch(responder->loop, client->fd, EPOLLOUT, on_writable, client, NULL))
		drop(client);
	else
		on_writable(responder->loop, client);
}

static void on_readable(struct loop *loop unused, void *arg)
{
	auto_arena struct arena arena = { 0 };
	struct client *client = arg;
	struct responder_request request = { 0 };
	ssize_t n = recv(client->fd, client->request + client->request_size,
			 RESPONDER_REQUEST_MAX - client->request_size, 0);
	int status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(client);
		return;
	}
	client->request_size += (size_t)n;
	status = responder_parse(client->request, client->request_size, &arena, &request);
	if (status)
		answer_request(client, status, &arena, &request);
}

/* A free place, or that of the oldest. */
static struct client *find_place(struct responder *responder)
{
	struct client *oldest = &responder->clients[0];

	for (struct client *client = responder->clients; client < responder->clients + CLIENTS_MAX;
	     client++) {
		if (client->fd < 0)
			return client;
		if (client->number < oldest->number)
			oldest = client;
	}
	drop(oldest);
	return oldest;
}

static bool is_local(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	struct ip ip = { 0 };

	if (address->ss_family == AF_INET)
		ip = ip_make(AF_INET, &v4->sin_addr);
	else if (address->ss_family == AF_INET6)
		ip = ip_make(AF_INET6, &v6->sin6_addr);
	return ip.family && ip_is_loopback(&ip);
}

static void welcome(struct responder *responder, int fd, const struct sockaddr_storage *address)
{
	struct client *client = find_place(responder);

	*client = (struct client){
		.responder = responder,
		.fd = fd,
		.number = ++responder->n_accepted,
		.local = is_local(address),
		.request = xrealloc(NULL, RESPONDER_REQUEST_MAX),
	};
	client->deadline = loop_after(responder->loop, DEADLINE_MS, on_deadline, client, NULL);
	if (client->deadline < 0 ||
	    loop_watch(responder->loop, fd, EPOLLIN, on_readable, client, NULL))
		drop(client);
}

static void on_connection(struct loop *loop, void *arg);

static void resume(struct loop *loop, void *arg)
{
	struct responder *responder = arg;

	responder->pause = 0;
	if (loop_watch(loop, responder->fd, EPOLLIN, on_connection, responder, NULL))
		responder->pause = loop_after(loop, ACCEPT_PAUSE_MS, resume, responder, NULL);
}

/* Out of descriptors, the connection stays in the queue: trying again at once would be a loop without end. */
static void on_connection(struct loop *loop, void *arg)
{
	struct responder *responder = arg;
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	int fd = accept4(responder->fd, (struct sockaddr *)&address, &size,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		welcome(responder, fd, &address);
	} else if (errnum_is_shortage(errno)) {
		loop_unwatch(loop, responder->fd);
		responder->pause = loop_after(loop, ACCEPT_PAUSE_MS, resume, responder, NULL);
	}
}

/* ---- life ---- */

static int listen_at(int fd, const struct ip *ip, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const int on = 1;
	int r;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
	r = ip->family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
				  : bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	return r ? r : listen(fd, BACKLOG);
}

int responder_open(struct responder **responder, struct loop *loop, const struct ip *ip,
		   uint16_t port, responder_fn *fn, void *arg, struct error *err)
{
	char text[IP_TEXT_SIZE];
	auto_close int fd = socket(ip->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*responder = NULL;
	if (fd < 0 || listen_at(fd, ip, port))
		return fail_errno(err, errno, "listen on %s, port %u", ip_format(ip, text), port);
	*responder = xrealloc(NULL, sizeof(**responder));
	**responder = (struct responder){ .loop = loop, .fn = fn, .arg = arg, .fd = fd };
	for (int i = 0; i < CLIENTS_MAX; i++)
		(*responder)->clients[i].fd = -1;
	if (loop_watch(loop, fd, EPOLLIN, on_connection, *responder, err)) {
		free(take_ptr(*responder));
		return -err->errnum;
	}
	take_fd(&fd);
	return 0;
}

void responder_close(struct responder *responder)
{
	if (!responder)
		return;
	for (int i = 0; i < CLIENTS_MAX; i++)
		drop(&responder->clients[i]);
	if (responder->pause)
		loop_cancel(responder->loop, responder->pause);
	loop_unwatch(responder->loop, responder->fd);
	close(responder->fd);
	free(responder);
}
