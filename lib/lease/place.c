/* From options to a store, which may be another program's work. */
#include "lease/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "describe/json.h"
#include "describe/scan.h"
#include "lease/kv_remote.h"

#define PROGRAM "cnibox-store"
enum { PLACE_MAX = 65536 };

static const struct field place_fields[] = { LEASE_PLACE_FIELDS(0), FIELDS_END };

enum lease_engine lease_place_engine(const struct lease_place *place)
{
	if (place->peers_file)
		return LEASE_STATIC;
	if (place->kube_subnet_mgr)
		return LEASE_KUBERNETES;
	return place->etcd_endpoints ? LEASE_ETCD : LEASE_FILES;
}

static bool is_here(const struct lease_place *place)
{
	enum lease_engine engine = lease_place_engine(place);

	return engine == LEASE_FILES || engine == LEASE_STATIC;
}

bool lease_place_allocates(const struct lease_place *place)
{
	enum lease_engine engine = lease_place_engine(place);

	return engine == LEASE_FILES || engine == LEASE_ETCD;
}

/* ---- the other program ---- */

/* Beside this one, or where programs are. */
static int find_program(char *path, size_t size, struct error *err)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;

	if (slash && (size_t)(slash - path) + sizeof(PROGRAM) + 1 < size) {
		snprintf(slash + 1, sizeof(PROGRAM), PROGRAM);
		if (access(path, X_OK) == 0)
			return 0;
	}
	if (process_find(PROGRAM, path, size))
		return 0;
	return fail(err, ENOENT,
		    "etcd and Kubernetes need the program " PROGRAM
		    ", which is neither beside this one nor in PATH");
}

/* Options may hold a password: neither in words nor in the environment, but on a descriptor. */
static int place_write(const struct lease_place *place, int *fd, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = json_encode(place_fields, place);
	const char *text = json_text(json, JSON_STYLE_COMPACT, &arena);

	*fd = memfd_create(PROGRAM, MFD_CLOEXEC);
	if (*fd < 0 || write(*fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    lseek(*fd, 0, SEEK_SET))
		return fail_errno(err, errno, "hand the options to " PROGRAM);
	return 0;
}

int lease_place_read(int fd, struct arena *arena, struct lease_place *place, struct error *err)
{
	auto_json struct json *json = NULL;
	char *text = arena_alloc(arena, PLACE_MAX);
	ssize_t n = read(fd, text, PLACE_MAX);

	if (n < 0)
		return fail_errno(err, errno, "read the options");
	json = json_parse(text, (size_t)n, err);
	return json ? json_decode(json, place_fields, place, arena, err) : -err->errnum;
}

int lease_place_become(const char *mode, const struct lease_place *place, int fd, struct error *err)
{
	char path[4096], words[2][16];
	int options = -1;

	if (find_program(path, sizeof(path), err) || place_write(place, &options, err))
		return -err->errnum;
	if (fcntl(fd, F_SETFD, 0) || fcntl(options, F_SETFD, 0))
		return fail_errno(err, errno, "hand over descriptors");
	snprintf(words[0], sizeof(words[0]), "%d", fd);
	snprintf(words[1], sizeof(words[1]), "%d", options);
	execv(path, (char *const[]){ PROGRAM, (char *)mode, words[0], words[1], NULL });
	return fail_errno(err, errno, "run %s", path);
}

/* ---- options of no use ---- */

/* Who says where in etcd the network is, or as whom, and not where etcd is, means etcd. */
static void warn_of_unused(const struct lease_place *place)
{
	static const struct lease_place usual = LEASE_PLACE_DEFAULTS;
	auto_arena struct arena arena = { 0 };
	char name[OPTION_NAME_SIZE];

	if (place->etcd_endpoints || !is_here(place))
		return;
	for (const struct field *field = place_fields; field->type; field++) {
		if (!has_prefix(field->key, "etcd") ||
		    streq(field_text(field, place, &arena), field_text(field, &usual, &arena)))
			continue;
		option_spell(field->key, name);
		log_warning("--%s is of no use without --etcd-endpoints: the store is %s", name,
			    place->peers_file ? place->peers_file : place->store);
	}
}

/* ---- the store's process ---- */

static int open_here(struct kv **kv, const struct lease_place *place, bool make, struct error *err)
{
	return place->peers_file ? kv_static_open(kv, place->peers_file, err)
				 : kv_file_open(kv, place->store, make, err);
}

static int serve(const struct lease_place *place, int fd, struct error *err)
{
	struct kv *kv auto_kv = NULL;

	if (!is_here(place))
		return lease_place_become("lease", place, fd, err);
	if (open_here(&kv, place, true, err))
		return -err->errnum;
	return lease_store_serve(kv, fd, NULL, err);
}

static int run_store(void *arg, int fd)
{
	struct error err = { 0 };

	if (serve(arg, fd, &err) < 0)
		log_error("%s", err.message);
	return err.errnum != 0;
}

struct worker_program lease_place_program(const struct lease_place *place)
{
	warn_of_unused(place);
	return (struct worker_program){ run_store, (void *)place };
}

/* A child that becomes the program; what keeps it from that is said here. */
static int start_program(struct kv **kv, const struct lease_place *place, struct error *err)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return fail_errno(err, errno, "make the store's socket");
	pid = fork();
	if (pid == 0) {
		struct error why = { 0 };

		close(fds[0]);
		if (lease_place_become("kv", place, fds[1], &why) < 0)
			(void)!kv_remote_serve(NULL, fds[1], &why, &why);
		_exit(1);
	}
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return fail_errno(err, errno, "start the store's process");
	}
	return kv_remote_open(kv, fds[0], pid, err);
}

int lease_place_open(struct kv **kv, const struct lease_place *place, struct error *err)
{
	warn_of_unused(place);
	if (!is_here(place))
		return start_program(kv, place, err);
	if (!place->peers_file && access(place->store, F_OK))
		return fail_errno(err, errno,
				  "store %s (an agent makes it; --store, --etcd-endpoints and "
				  "--kube-subnet-mgr name others)",
				  place->store);
	return open_here(kv, place, false, err);
}
