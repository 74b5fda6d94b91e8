/*
 * cnibox-store: the stores that are reached over a network, in a program of their own beside cnibox, since HTTP, TLS and name
 * look-up come with shared libraries. Agents and tools start it, and speak with it over a socket; a person does not.
 *
 *   cnibox-store lease SOCKET OPTIONS     an agent's store process (lease/store.h)
 *   cnibox-store kv SOCKET OPTIONS        a store for a tool (lease/kv.h)
 *   cnibox-store objects SOCKET OPTIONS   what policies are made of (policy/feed.h)
 */
#include "base/log.h"
#include "base/text.h"
#include "lease/kv_remote.h"
#include "lease/place.h"
#include "lease/snapshot.h"
#include "remote/engines.h"
#include "remote/kube_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

static int descriptor(const char *word)
{
	char *end;
	long fd = strtol(word, &end, 10);

	return *word && !*end && fd > 2 && fd < 1 << 20 && fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0
		       ? (int)fd
		       : -1;
}

static int open_engine(struct kv **kv, const struct lease_place *place, struct error *err)
{
	switch (lease_place_engine(place)) {
	case LEASE_ETCD: return kv_etcd_open(kv, place, err);
	case LEASE_KUBERNETES: return kv_kubernetes_open(kv, place, err);
	default: return kv_file_open(kv, place->store, false, err);
	}
}

static int serve_tool(const struct lease_place *place, int fd, struct error *err)
{
	struct kv *kv auto_kv = NULL;
	struct error why = { 0 };

	/* Whoever asks is told what is wrong. */
	if (open_engine(&kv, place, &why) < 0)
		return kv_remote_serve(NULL, fd, &why, err);
	return kv_remote_serve(kv, fd, NULL, err);
}

static const char *or_none(const char *text)
{
	return text ? text : "";
}

/* Which network it is, whoever serves it at the moment. */
static const char *origin_of(const struct lease_place *place, struct arena *arena)
{
	if (lease_place_engine(place) == LEASE_ETCD)
		return arena_printf(arena, "etcd %s %s", place->etcd_endpoints, place->etcd_prefix);
	return arena_printf(arena, "kubernetes %s %s %s", or_none(place->kube_api_url),
			    or_none(place->kubeconfig_file), or_none(place->node_name));
}

static int serve_agent(const struct lease_place *place, int fd, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct kv *kv auto_kv = NULL;
	const struct lease_snapshot snapshot = { place->snapshot, origin_of(place, &arena) };

	if (open_engine(&kv, place, err) < 0)
		return -err->errnum;
	return lease_store_serve(kv, fd, place->snapshot ? &snapshot : NULL, err);
}

static int run(const char *mode, int fd, int options, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct lease_place place = LEASE_PLACE_DEFAULTS;

	if (lease_place_read(options, &arena, &place, err))
		return -err->errnum;
	close(options);
	if (streq(mode, "lease"))
		return serve_agent(&place, fd, err);
	if (streq(mode, "kv"))
		return serve_tool(&place, fd, err);
	if (streq(mode, "objects"))
		return kube_watch_serve(&place, fd, err);
	return fail(err, EINVAL, "unknown mode \"%s\"", mode);
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	if (argc != 4 || descriptor(argv[2]) < 0 || descriptor(argv[3]) < 0) {
		fputs("cnibox-store: cnibox starts this program by itself; see `cnibox help vxlan`\n",
		      stderr);
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	if (run(argv[1], descriptor(argv[2]), descriptor(argv[3]), &err) < 0) {
		log_error("%s", err.message);
		return 1;
	}
	return 0;
}
