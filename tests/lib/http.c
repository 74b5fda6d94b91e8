/*
 * lib/remote/http.c by hand, for its tests, and what of the engine for etcd comes after hours only: http [OPTION ...] WORD ...
 *   get URL | post URL BODY | stream URL BODY   the status and the body, or lines as they come
 *   keep KEY                                    of the lease in etcd: "kept", or "gone"
 *   ca FILE | cert FILE | key FILE | timeout MS | etcd ENDPOINTS | prefix PREFIX            for what follows
 * What fails is told, and the next word comes.
 */
#include "base/base.h"
#include "lease/acquire.h"
#include "remote/engines.h"
#include "remote/http.h"

#include <errno.h>
#include <stdio.h>

static struct http_options options;
static struct http_request request;
static struct arena arena;
static struct lease_place place;

static void keep(const char *key)
{
	auto_kv struct kv *kv = NULL;
	struct error err = { 0 };
	int r = kv_etcd_open(&kv, &place, &err);

	if (r >= 0)
		r = kv->engine->keep(kv, key, LEASE_TTL_MS, &err);
	if (r < 0 && *err.message)
		printf("error: %s\n", err.message);
	else
		puts(r == -ENOENT ? "gone" : "kept");
}

static void call(struct http *http)
{
	struct http_reply reply;
	struct error err = { 0 };

	if (http_call(http, &request, &arena, &reply, &err) < 0)
		printf("error: %s\n", err.message);
	else
		printf("%ld %s\n", reply.status, reply.body);
}

static void stream(struct http *http)
{
	struct http_stream *stream;
	struct error err = { 0 };
	char *line;
	long status;
	int r = http_stream_open(&stream, http, &request, &status, &err);

	while (r >= 0 && (r = http_stream_line(stream, 0, -1, &arena, &line, &err)) == 1) {
		printf("%ld %s\n", status, line);
		fflush(stdout);
	}
	if (r == 2)
		puts("input");
	if (r < 0)
		printf("error: %s\n", err.message);
	if (stream)
		http_stream_close(stream);
}

static void run(struct http **http, const char *word, char **argument)
{
	if (!*http && http_open(http, &options, NULL) < 0)
		return;
	request.url = argument[0];
	request.method = streq(word, "get") ? "GET" : "POST";
	request.body = streq(word, "get") ? NULL : argument[1];
	if (streq(word, "stream"))
		stream(*http);
	else
		call(*http);
}

int main(int argc, char **argv)
{
	struct http *http = NULL;
	const char **file;

	for (int i = 1; i + 1 < argc; i += 2) {
		file = streq(argv[i], "ca")       ? &options.cafile
		       : streq(argv[i], "cert")   ? &options.certfile
		       : streq(argv[i], "key")    ? &options.keyfile
		       : streq(argv[i], "etcd")   ? &place.etcd_endpoints
		       : streq(argv[i], "prefix") ? &place.etcd_prefix
						  : NULL;
		if (file) {
			*file = argv[i + 1];
		} else if (streq(argv[i], "timeout")) {
			request.timeout_ms = (unsigned)atoi(argv[i + 1]);
		} else if (streq(argv[i], "keep")) {
			keep(argv[i + 1]);
		} else {
			run(&http, argv[i], argv + i + 1);
			i += !streq(argv[i], "get");
		}
	}
	http_close(http);
	arena_free(&arena);
	return 0;
}
