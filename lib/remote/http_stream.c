/*
 * Streams: an easy handle in a multi handle for each. HTTP/1.1 only: a stream has a connection of its own, so that its end is
 * seen by itself.
 */
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "remote/http_internal.h"

struct http_stream {
	struct http *http;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	char *url; /* for errors */
	struct transfer transfer;
	bool ended;
	CURLcode result;
};

static void bytes_take(struct bytes *bytes, size_t size)
{
	bytes->size -= size;
	memmove(bytes->data, bytes->data + size, bytes->size);
}

static int fail_stream(struct http_stream *stream, struct error *err)
{
	if (stream->result == CURLE_OK && !stream->transfer.too_much) {
		auto_arena struct arena arena = { 0 };

		return fail(err, ECONNRESET, "%s: the stream has ended",
			    http_host(stream->url, &arena));
	}
	return http_fail(&stream->http->options, stream->easy, stream->result, stream->url,
			 &stream->transfer, err);
}

static int drive(struct http_stream *stream, struct error *err)
{
	int running, left;
	CURLMsg *message;

	if (curl_multi_perform(stream->multi, &running) != CURLM_OK)
		return fail(err, EIO, "libcurl cannot go on");
	while ((message = curl_multi_info_read(stream->multi, &left))) {
		stream->ended = true;
		stream->result = message->data.result;
	}
	return 0;
}

static int milliseconds_until(int64_t deadline)
{
	int64_t left = deadline - clock_ms();

	return left < 0 ? 0 : left > 600000 ? 600000 : (int)left;
}

static int start_stream(struct http_stream *stream, const struct http_request *request,
			long *status, struct error *err)
{
	int64_t deadline = clock_ms() + (request->timeout_ms ? request->timeout_ms : HTTP_CALL_MS);

	while (!stream->transfer.headers && !stream->ended) {
		if (drive(stream, err) < 0)
			return -err->errnum;
		if (stream->transfer.headers || stream->ended)
			break;
		if (clock_ms() >= deadline) {
			auto_arena struct arena arena = { 0 };

			return fail(err, ETIMEDOUT, "%s does not answer",
				    http_host(stream->url, &arena));
		}
		curl_multi_poll(stream->multi, NULL, 0, milliseconds_until(deadline), NULL);
	}
	if (!stream->transfer.headers)
		return fail_stream(stream, err);
	curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, status);
	return 0;
}

int http_stream_open(struct http_stream **stream, struct http *http,
		     const struct http_request *request, long *status, struct error *err)
{
	struct http_stream *new = xrealloc(NULL, sizeof(*new));
	int r;

	*new = (struct http_stream){
		.http = http,
		.multi = curl_multi_init(),
		.easy = http_easy(&http->options),
		.headers = http_headers(request),
		.url = strdup(request->url),
		.transfer = { .in = { .max = HTTP_LINE_MAX } },
	};
	*stream = NULL;
	if (!new->multi || !new->easy || !new->url) {
		http_stream_close(new);
		return fail(err, ENOMEM, "libcurl cannot be set up");
	}
	http_set_request(new->easy, request, &new->transfer, new->headers);
	curl_multi_add_handle(new->multi, new->easy);
	r = start_stream(new, request, status, err);
	if (r < 0)
		http_stream_close(new);
	else
		*stream = new;
	return r;
}

/* The line at the front; the last one may lack its end. */
static char *take_line(struct http_stream *stream, struct arena *arena)
{
	struct bytes *in = &stream->transfer.in;
	char *end = in->size ? memchr(in->data, '\n', in->size) : NULL, *line;
	size_t size = end ? (size_t)(end - in->data) : in->size;

	if (!end && !(stream->ended && in->size))
		return NULL;
	line = arena_memdup(arena, in->data, size);
	if (size && line[size - 1] == '\r')
		line[size - 1] = '\0';
	bytes_take(in, end ? size + 1 : size);
	return line;
}

int http_stream_line(struct http_stream *stream, int fd, int timeout_ms, struct arena *arena,
		     char **line, struct error *err)
{
	int64_t deadline = timeout_ms < 0 ? INT64_MAX : clock_ms() + timeout_ms;
	struct curl_waitfd extra = { .fd = fd, .events = CURL_WAIT_POLLIN };
	int r;

	for (;;) {
		*line = take_line(stream, arena);
		if (*line)
			return 1;
		if (stream->ended)
			return fail_stream(stream, err);
		r = drive(stream, err);
		if (r < 0)
			return r;
		*line = take_line(stream, arena);
		if (*line)
			return 1;
		if (stream->ended)
			continue;
		extra.revents = 0;
		curl_multi_poll(stream->multi, &extra, fd >= 0, milliseconds_until(deadline), NULL);
		if (extra.revents)
			return 2;
		if (timeout_ms >= 0 && clock_ms() >= deadline) {
			r = drive(stream, err);
			if (r < 0)
				return r;
			*line = take_line(stream, arena);
			return *line ? 1 : stream->ended ? fail_stream(stream, err) : 0;
		}
	}
}

enum { WAIT_FDS = 64 };

/* The descriptors of a stream, behind those that are there; and how long libcurl would wait. */
static void add_fds(const struct http_stream *stream, struct pollfd *fds, nfds_t *n,
		    int *timeout_ms)
{
	fd_set in, out, odd;
	int max = -1;
	long wait_ms = -1;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&odd);
	curl_multi_fdset(stream->multi, &in, &out, &odd, &max);
	for (int fd = 0; fd <= max && *n < WAIT_FDS; fd++) {
		short events = (short)((FD_ISSET(fd, &in) ? POLLIN : 0) |
				       (FD_ISSET(fd, &out) ? POLLOUT : 0));

		if (events)
			fds[(*n)++] = (struct pollfd){ .fd = fd, .events = events };
	}
	curl_multi_timeout(stream->multi, &wait_ms);
	if (wait_ms >= 0 && wait_ms < *timeout_ms)
		*timeout_ms = (int)wait_ms;
}

int http_stream_wait(struct http_stream *const *streams, size_t n, int fd, int timeout_ms)
{
	struct pollfd fds[WAIT_FDS] = { { .fd = fd, .events = POLLIN } };
	nfds_t n_fds = 1;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (streams[i]->ended)
			return 1;
		add_fds(streams[i], fds, &n_fds, &timeout_ms);
	}
	r = poll(fds, n_fds, timeout_ms);
	if (r > 0 && fds[0].revents)
		return 2;
	return r > 0;
}

void http_stream_close(struct http_stream *stream)
{
	if (!stream)
		return;
	if (stream->multi && stream->easy)
		curl_multi_remove_handle(stream->multi, stream->easy);
	curl_easy_cleanup(stream->easy);
	curl_multi_cleanup(stream->multi);
	curl_slist_free_all(stream->headers);
	transfer_end(&stream->transfer);
	free(stream->url);
	free(stream);
}
