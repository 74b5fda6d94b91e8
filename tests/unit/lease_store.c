/* Leases in a folder of files: who gets which subnet, what survives, what is told to whom. */
#include "unit.h"

#include "base/clock.h"
#include "base/file.h"
#include "lease/acquire.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct arena arena;
static struct error err;
static char root[64];
static struct network_config config;

static const char *path_of(const char *name)
{
	return arena_printf(&arena, "%s/%s", root, name);
}

static void put_file(const char *name, const char *text)
{
	check_ok(file_replace(path_of(name), 0600, text, strlen(text), false, &err), err);
}

static const char *get_file(const char *name)
{
	char *text = NULL;
	size_t size;

	return file_read(path_of(name), 65536, &arena, &text, &size, NULL) < 0 ? "" : text;
}

static void begin(struct kv **kv, const char *network)
{
	strcpy(root, "/tmp/cnibox-unit-XXXXXX");
	check(mkdtemp(root) != NULL);
	check_ok(kv_file_open(kv, root, true, &err), err);
	put_file("config", network);
	check_ok(lease_config(*kv, &arena, &config, NULL, &err), err);
}

static void end(struct kv *kv)
{
	kv_entries_t entries = { 0 };

	check_ok(kv->engine->list(kv, "", &arena, &entries, &err), err);
	list_each(entry, &entries)
		unlink(path_of(entry->key));
	kv->engine->close(kv);
	unlink(path_of("config"));
	unlink(path_of("lock"));
	rmdir(path_of("subnets"));
	unit_check(rmdir(root) == 0, __FILE__, __LINE__, "%s is not empty", root);
	arena_free(&arena);
}

static struct subnet_lease node(const char *address)
{
	struct subnet_lease own = { .type = "host-gw" };

	ip_parse(address, &own.public_ip);
	return own;
}

static const char *key_of(const struct subnet_lease *lease)
{
	char key[SUBNET_KEY_SIZE];

	return arena_printf(&arena, "subnets/%s", subnet_key(lease, key));
}

#define NETWORK "{\"Network\": \"10.5.0.0/16\", \"Backend\": {\"Type\": \"host-gw\"}}"

TEST(lease_is_kept_and_found_again)
{
	struct kv *kv;
	struct subnet_lease own = node("192.0.2.1"), again = node("192.0.2.1"),
			    other = node("192.0.2.2");

	begin(&kv, NETWORK);
	check_ok(lease_acquire(kv, &config, NULL, &own, &err), err);
	check(strstr(get_file(key_of(&own)), "\"BackendType\":\"host-gw\",\"Expires\":\"2") !=
	      NULL);
	check_ok(lease_acquire(kv, &config, NULL, &again, &err), err);
	check(subnet_same(&own, &again));
	/* What the other had before is taken: it gets another one. */
	other.subnet = own.subnet;
	check_ok(lease_acquire(kv, &config, NULL, &other, &err), err);
	check(!subnet_same(&own, &other));
	check_ok(lease_keep(kv, &own, &err), err);
	check_ok(lease_release(kv, &own, &err), err);
	check_str(get_file(key_of(&own)), "");
	check_int(lease_keep(kv, &own, &err), -ENOENT);
	check_ok(lease_release(kv, &own, &err), err);
	/* Lost, it is taken again as it was (D10). */
	check_ok(lease_acquire(kv, &config, NULL, &own, &err), err);
	check(own.subnet.prefix == 24 && !subnet_same(&own, &other));
	end(kv);
}

TEST(lease_reservations_stay)
{
	struct kv *kv;
	struct subnet_lease own = node("192.0.2.1"), other = node("192.0.2.2");

	begin(&kv, NETWORK);
	put_file("subnets/10.5.77.0-24", "{\"PublicIP\": \"192.0.2.1\"}\n");
	check_ok(lease_acquire(kv, &config, NULL, &own, &err), err);
	check_str(key_of(&own), "subnets/10.5.77.0-24");
	check_str(get_file("subnets/10.5.77.0-24"),
		  "{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}");
	check_int(own.left_ms, -1);
	check_ok(lease_keep(kv, &own, &err), err);
	check_ok(lease_release(kv, &own, &err), err); /* not given back */
	check(*get_file("subnets/10.5.77.0-24"));
	other.subnet = own.subnet;
	check_ok(lease_acquire(kv, &config, NULL, &other, &err), err);
	check(!subnet_same(&own, &other));
	end(kv);
}

TEST(lease_moves_with_the_nodes_address)
{
	struct kv *kv;
	struct subnet_lease own = node("192.0.2.1"), moved = node("192.0.2.77"),
			    thief = node("192.0.2.78");
	const char *written;

	begin(&kv, NETWORK);
	check_ok(lease_acquire(kv, &config, NULL, &own, &err), err);
	written = subnet_value(&own, &arena);
	thief.subnet = moved.subnet = own.subnet;
	check_ok(lease_acquire(kv, &config, NULL, &thief, &err),
		 err); /* knows nothing of what was written */
	check(!subnet_same(&thief, &own));
	check_ok(lease_acquire(kv, &config, written, &moved, &err), err);
	check(subnet_same(&moved, &own));
	check(strstr(get_file(key_of(&own)), "192.0.2.77") != NULL);
	end(kv);
}

/* Pods have addresses of it: just this one is taken again, or none. */
TEST(lease_that_a_node_holds_is_that_one_or_none)
{
	struct kv *kv;
	struct subnet_lease own = node("192.0.2.1"), moved;
	const char *key, *written;

	begin(&kv, NETWORK);
	check_ok(lease_acquire(kv, &config, NULL, &own, &err), err);
	key = key_of(&own);
	written = subnet_value(&own, &arena);
	check_ok(lease_release(kv, &own, &err), err);
	check_ok(lease_hold(kv, NULL, written, &own, &err), err);
	check_str(key_of(&own), key);
	check(strstr(get_file(key), "\"Expires\":\"2") != NULL);
	moved = own;
	ip_parse("192.0.2.77", &moved.public_ip);
	check_ok(lease_hold(kv, NULL, written, &moved, &err), err);
	check(strstr(get_file(key), "192.0.2.77") != NULL);
	check_fails(lease_hold(kv, NULL, NULL, &own, &err), err,
		    arena_printf(&arena, "another node has %s by now: 192.0.2.77, with %s",
				 strchr(key, '/') + 1, strchr(key, '/') + 1));
	check(strstr(get_file(key), "192.0.2.77") != NULL);
	check_ok(lease_release(kv, &moved, &err), err);
	put_file("subnets/10.5.0.0-17", "{\"PublicIP\": \"192.0.2.9\"}\n");
	put_file("subnets/10.5.128.0-17", "{\"PublicIP\": \"192.0.2.9\"}\n");
	check_int(lease_hold(kv, NULL, written, &own, &err), -EXDEV);
	check_str(get_file(key), "");
	end(kv);
}

TEST(lease_of_another_cut_is_given_back)
{
	struct kv *kv;
	struct subnet_lease own = node("192.0.2.1");

	begin(&kv, NETWORK);
	put_file("subnets/10.9.1.0-24",
		 "{\"PublicIP\":\"192.0.2.1\",\"Expires\":\"2999-01-01T00:00:00Z\"}");
	check_ok(lease_acquire(kv, &config, NULL, &own, &err), err);
	check(subnet_fits(&config, &own));
	check_str(get_file("subnets/10.9.1.0-24"), "");
	end(kv);
}

static unsigned n_bad;

static void count_bad(void *arg, const char *key, const struct error *why)
{
	(void)arg;
	check(*key && why->message[0]);
	n_bad++;
}

TEST(lease_list_passes_bad_entries_by)
{
	struct kv *kv;
	subnet_leases_t leases = { 0 };

	begin(&kv, NETWORK);
	put_file("subnets/10.5.1.0-24", "{\"PublicIP\":\"192.0.2.1\"}");
	put_file("subnets/hello", "{\"PublicIP\":\"192.0.2.1\"}");
	put_file("subnets/10.5.2.0-24", "broken");
	put_file("subnets/10.5.3.0-24", "");
	put_file("subnets/10.5.4.0-24",
		 "{\"PublicIP\":\"192.0.2.4\",\"Expires\":\"2001-01-01T00:00:00Z\"}");
	n_bad = 0;
	check_ok(lease_list(kv, &arena, &leases, count_bad, NULL, &err), err);
	check_int(leases.n, 1); /* the last one is at its end */
	check_int(n_bad, 3);
	unlink(path_of("subnets/10.5.4.0-24"));
	end(kv);
}

/* Ten nodes and ten subnets, all at once: each gets one (A9). */
TEST(lease_race_of_ten_for_ten)
{
	enum { NODES = 10 };
	struct kv *kv;
	subnet_leases_t leases = { 0 };
	pid_t pids[NODES];

	begin(&kv,
	      "{\"Network\": \"10.5.0.0/16\", \"SubnetMin\": \"10.5.1.0\", \"SubnetMax\": \"10.5.10.0\"}");
	for (int i = 0; i < NODES; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct subnet_lease own = node(arena_printf(&arena, "192.0.2.%d", i + 1));
			struct kv *mine;
			int r = kv_file_open(&mine, root, true, &err);

			if (r == 0)
				r = lease_acquire(mine, &config, NULL, &own, &err);
			_exit(r ? 1 : 0);
		}
	}
	for (int i = 0; i < NODES; i++) {
		int status = -1;

		check(waitpid(pids[i], &status, 0) == pids[i]);
		check_int(status, 0);
	}
	check_ok(lease_list(kv, &arena, &leases, NULL, NULL, &err), err);
	check_int(leases.n, NODES);
	for (size_t i = 0; i < leases.n; i++)
		for (size_t k = 0; k < i; k++)
			check(!subnet_same_node(&leases.items[i], &leases.items[k]));
	struct subnet_lease late = node("192.0.2.99");

	check_fails(lease_acquire(kv, &config, NULL, &late, &err), err,
		    "acquire a lease: out of subnets: all 10 leases of the network are taken");
	end(kv);
}

/* The linker puts these in front of the real ones (see Makefile): a wall clock that somebody sets, and a machine that sleeps. */
int64_t __wrap_clock_wall_ms(void);
int64_t __real_clock_wall_ms(void);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int64_t unit_wall_jump_ms, unit_boot_jump_ms;

int64_t __wrap_clock_wall_ms(void)
{
	return __real_clock_wall_ms() + unit_wall_jump_ms;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int r = __real_clock_gettime(clock, now);

	if (r || clock != CLOCK_BOOTTIME)
		return r;
	now->tv_nsec += (long)(unit_boot_jump_ms % 1000) * 1000000;
	now->tv_sec += unit_boot_jump_ms / 1000 + now->tv_nsec / 1000000000;
	now->tv_nsec %= 1000000000;
	return 0;
}

static size_t count_leases(struct kv *kv)
{
	subnet_leases_t leases = { 0 };

	check_ok(lease_list(kv, &arena, &leases, NULL, NULL, &err), err);
	return leases.n;
}

/* The n-th subnet that neither of the two has: they were given one at random. */
static const char *free_key(const struct subnet_lease *one, const struct subnet_lease *other, int n)
{
	const char *key = NULL;

	for (int i = 1; n > 0; i++) {
		key = arena_printf(&arena, "subnets/10.5.%d.0-24", i);
		n -= !streq(key, key_of(one)) && !streq(key, key_of(other));
	}
	return key;
}

/* A wall clock that jumps by two days takes nobody away who was there, nor the node's own; one that ends does. */
TEST(lease_life_is_not_the_wall_clocks)
{
	struct subnet_lease own = node("192.0.2.1"), other = node("192.0.2.2");
	struct kv *kv;

	begin(&kv, NETWORK);
	check_ok(lease_acquire(kv, &config, NULL, &own, &err), err);
	check_ok(lease_acquire(kv, &config, NULL, &other, &err), err);
	check_int(count_leases(kv), 2);
	unit_wall_jump_ms = INT64_C(2) * 24 * 3600 * 1000;
	check_int(count_leases(kv), 2);
	/* Another file makes no difference, nor does one that is looked at again. */
	put_file(free_key(&own, &other, 1), "{\"PublicIP\":\"192.0.2.3\"}");
	put_file(key_of(&other), get_file(key_of(&other)));
	check_int(count_leases(kv), 3);
	check_ok(lease_keep(kv, &own, &err), err);
	check_ok(lease_acquire(kv, &config, NULL, &other, &err), err);
	check_int(count_leases(kv), 3);
	unit_wall_jump_ms = 0;
	check_int(count_leases(kv), 3);
	put_file(free_key(&own, &other, 2),
		 "{\"PublicIP\":\"192.0.2.4\",\"Expires\":\"2020-01-01T00:00:00Z\"}");
	check_int(count_leases(kv), 3);
	unlink(path_of(free_key(&own, &other, 2)));
	end(kv);
}

TEST(lease_store_tells_of_changes)
{
	struct kv *kv;
	int pipe_fds[2];

	begin(&kv, NETWORK);
	check(pipe(pipe_fds) == 0);
	while (kv->engine->wait(kv, -1, 0, &err) == 1)
		;
	check_int(kv->engine->wait(kv, pipe_fds[0], 0, &err), 0);
	put_file("subnets/10.5.1.0-24", "{\"PublicIP\":\"192.0.2.1\"}");
	check_int(kv->engine->wait(kv, pipe_fds[0], 1000, &err), 1);
	check_int(kv->engine->wait(kv, pipe_fds[0], 0, &err), 0);
	unlink(path_of("subnets/10.5.1.0-24"));
	check_int(kv->engine->wait(kv, pipe_fds[0], 1000, &err), 1);
	check(write(pipe_fds[1], "x", 1) == 1);
	check_int(kv->engine->wait(kv, pipe_fds[0], 1000, &err), 2);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	end(kv);
}
