/* A store's process and the loop that is told by it: everything arrives, whatever happens to either. */
#include "unit.h"

#include "base/file.h"
#include "lease/store.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>

static struct arena arena;
static struct error err;
static char root[64];

/* What has been told so far. */
static struct told {
	struct loop *loop;
	struct lease_store *store;
	char network[256], own[SUBNET_KEY_SIZE], trouble[256];
	size_t n_leases;
	unsigned n_bad, n_own;
} told;

static void on_network(void *arg, const char *text, size_t size)
{
	(void)arg;
	snprintf(told.network, sizeof(told.network), "%.*s", (int)size, text);
}

static void on_leases(void *arg, const subnet_leases_t *leases, unsigned n_bad)
{
	(void)arg;
	told.n_leases = leases->n;
	told.n_bad = n_bad;
}

static void on_own(void *arg, const struct subnet_lease *own)
{
	(void)arg;
	subnet_key(own, told.own);
	told.n_own++;
}

static void on_trouble(void *arg, const char *why)
{
	(void)arg;
	snprintf(told.trouble, sizeof(told.trouble), "%s", why ? why : "");
}

static const struct lease_store_client client = { .network = on_network,
						  .leases = on_leases,
						  .own = on_own,
						  .lost = on_trouble,
						  .trouble = on_trouble };

static int serve_files(void *arg, int fd)
{
	struct kv *kv;
	struct error why = { 0 };

	return kv_file_open(&kv, arg, true, &why) || lease_store_serve(kv, fd, NULL, &why);
}

static void stop(struct loop *loop, void *arg)
{
	(void)arg;
	loop_stop(loop, 1);
}

/* Let the loop run until the condition holds, at most fifteen seconds. */
#define until(condition)                                                                   \
	do {                                                                               \
		for (int i_ = 0; i_ < 3000 && !(condition); i_++) {                        \
			check(loop_after(told.loop, 5, stop, NULL, &err) > 0);             \
			check_int(loop_run(told.loop, &err), 1);                           \
		}                                                                          \
		unit_check((condition), __FILE__, __LINE__, "%s; trouble: %s", #condition, \
			   told.trouble);                                                  \
	} while (0)

static const char *path_of(const char *name)
{
	return arena_printf(&arena, "%s/%s", root, name);
}

static void put_file(const char *name, const char *text)
{
	check_ok(file_replace(path_of(name), 0600, text, strlen(text), false, &err), err);
}

static void begin_with(int (*serve)(void *arg, int fd))
{
	strcpy(root, "/tmp/cnibox-unit-XXXXXX");
	check(mkdtemp(root) != NULL);
	told = (struct told){ 0 };
	check_ok(loop_open(&told.loop, &err), err);
	check_ok(lease_store_open(&told.store, told.loop, &(struct worker_program){ serve, root },
				  &client, &err),
		 err);
}

static void begin(void)
{
	begin_with(serve_files);
}

static void end(void)
{
	static const char *const names[] = { "config", "lock", "subnets/10.5.2.0-24",
					     "subnets/hello" };

	lease_store_close(told.store);
	loop_close(told.loop);
	unlink(path_of(arena_printf(&arena, "subnets/%s", told.own)));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(path_of(names[i]));
	rmdir(path_of("subnets"));
	unit_check(rmdir(root) == 0, __FILE__, __LINE__, "%s is not empty", root);
	arena_free(&arena);
}

static void want(const char *address)
{
	struct subnet_lease own = { .type = "host-gw" };

	ip_parse(address, &own.public_ip);
	lease_store_want(told.store, &own, NULL);
}

#define NETWORK "{\"Network\":\"10.5.0.0/16\",\"Backend\":{\"Type\":\"host-gw\"}}"

TEST(store_tells_network_own_and_leases)
{
	begin();
	until(strstr(told.trouble, "no network configuration"));
	put_file("config", NETWORK);
	until(streq(told.network, NETWORK) && !*told.trouble);
	want("192.0.2.1");
	until(*told.own && told.n_leases == 1);
	put_file("subnets/10.5.2.0-24", "{\"PublicIP\":\"192.0.2.2\"}");
	put_file("subnets/hello", "x");
	until(told.n_leases == 2 || !streq(told.own, "10.5.2.0-24"));
	until(told.n_leases == 2);
	unlink(path_of("subnets/10.5.2.0-24"));
	until(told.n_leases == 1);
	put_file("config", "{\"Network\":\"10.5.0.0/16\"}");
	until(!streq(told.network, NETWORK));
	end();
}

TEST(store_takes_a_lost_lease_again)
{
	unsigned n;

	begin();
	put_file("config", NETWORK);
	want("192.0.2.1");
	until(*told.own);
	n = told.n_own;
	unlink(path_of(arena_printf(&arena, "subnets/%s", told.own)));
	until(told.n_own > n && told.n_leases == 1);
	end();
}

TEST(store_process_is_started_again)
{
	char own[SUBNET_KEY_SIZE];
	unsigned n;

	begin();
	put_file("config", NETWORK);
	want("192.0.2.1");
	until(*told.own);
	snprintf(own, sizeof(own), "%s", told.own);
	n = told.n_own;
	check_int(kill(lease_store_pid(told.store), SIGKILL), 0);
	until(*told.trouble);
	until(told.n_own > n && told.n_leases == 1);
	check_str(told.own, own); /* the lease is found by the address */
	end();
}

TEST(store_releases)
{
	begin();
	put_file("config", NETWORK);
	want("192.0.2.1");
	until(*told.own);
	check_ok(lease_store_release(told.store, 3000, &err), err);
	check(access(path_of(arena_printf(&arena, "subnets/%s", told.own)), F_OK) < 0);
	end();
}

/* ---- time that passes, in the store's process ---- */

enum { HOUR_MS = 3600 * 1000, KEEPS = 6 };

static const struct kv_engine *files;
static int n_kept;

/* As long as it is meant to, but without waiting for that. */
static int wait_long(struct kv *kv, int fd, int timeout_ms, struct error *why)
{
	int r = files->wait(kv, fd, timeout_ms < 50 ? timeout_ms : 50, why);

	if (r == 0 && timeout_ms > HOUR_MS && timeout_ms < INT_MAX && n_kept < KEEPS) {
		unit_boot_jump_ms += timeout_ms;
		unit_wall_jump_ms += timeout_ms;
	}
	return r;
}

static int keep_and_count(struct kv *kv, const char *key, int64_t ttl_ms, struct error *why)
{
	const char *text = arena_printf(&arena, "%d keeps, %lld hours\n", ++n_kept,
					(long long)((unit_boot_jump_ms + HOUR_MS / 2) / HOUR_MS));
	int r = files->keep(kv, key, ttl_ms, why);

	return r < 0 ? r : file_replace(path_of("kept"), 0600, text, strlen(text), false, why);
}

static int serve_long(void *arg, int fd)
{
	struct kv *kv;
	struct error why = { 0 };
	struct kv_engine slow;

	if (kv_file_open(&kv, arg, true, &why))
		return 1;
	files = kv->engine;
	slow = *files;
	slow.wait = wait_long;
	slow.keep = keep_and_count;
	kv->engine = &slow;
	return lease_store_serve(kv, fd, NULL, &why);
}

static bool kept(const char *text)
{
	char *there;
	size_t size;

	return file_read(path_of("kept"), 4096, &arena, &there, &size, NULL) == 0 &&
	       streq(there, text);
}

/* A node that lives on has its lease for as long: it is kept four times in each life, and never taken anew. */
TEST(store_keeps_its_lease)
{
	begin_with(serve_long);
	until(strstr(told.trouble, "no network configuration")); /* its folder is there */
	put_file("config", NETWORK);
	put_file("subnets/10.5.2.0-24", "{\"PublicIP\":\"192.0.2.2\"}");
	want("192.0.2.1");
	until(kept("6 keeps, 36 hours\n"));
	check_int(told.n_own, 1);
	check_int(told.n_leases, 2);
	unlink(path_of("kept"));
	end();
}

/* ---- a lease that is gone before anybody has looked at it ---- */

static int put_and_lose(struct kv *kv, const struct kv_put *put, uint64_t *revision,
			struct error *why)
{
	int r = files->put(kv, put, revision, why);

	if (r == 0 && n_kept++ == 0)
		unlink(path_of(put->key));
	return r;
}

static int serve_losing(void *arg, int fd)
{
	struct kv *kv;
	struct error why = { 0 };
	struct kv_engine losing;

	if (kv_file_open(&kv, arg, true, &why))
		return 1;
	files = kv->engine;
	losing = *files;
	losing.put = put_and_lose;
	kv->engine = &losing;
	n_kept = 0;
	return lease_store_serve(kv, fd, NULL, &why);
}

TEST(store_takes_a_lease_again_that_was_lost_at_once)
{
	begin_with(serve_losing);
	until(strstr(told.trouble, "no network configuration"));
	put_file("config", NETWORK);
	want("192.0.2.1");
	until(told.n_own == 2 && told.n_leases == 1);
	check(access(path_of(arena_printf(&arena, "subnets/%s", told.own)), F_OK) == 0);
	end();
}

TEST(store_messages_have_bounds)
{
	static const unsigned char huge[] = { 0xff, 0xff, 0xff, 0xff, '{' };
	int fds[2];
	char *text;
	size_t size;

	check_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	check_int(frame_send(fds[0], "{\"a\":1}"), 0);
	check_ok(frame_receive(fds[1], &arena, &text, &size, &err), err);
	check_str(text, "{\"a\":1}");
	check(write(fds[0], huge, sizeof(huge)) == sizeof(huge));
	check_fails(frame_receive(fds[1], &arena, &text, &size, &err), err,
		    "a message of 4294967295 bytes from the store's socket");
	close(fds[0]);
	close(fds[1]);
	arena_free(&arena);
}

/* SIGPIPE would end who asks, with its peer. */
TEST(store_messages_to_nobody_are_an_error)
{
	int fds[2];

	check_int(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	close(fds[1]);
	check_int(frame_send(fds[0], "{}"), -EPIPE);
	close(fds[0]);
}
