/* Reservations in a directory of our own: what is on disk after each step, what is found, what is repaired. */
#include "unit.h"

#include "base/file.h"
#include "base/process.h"
#include "ipam/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static struct arena arena;
static struct error err;
static char root[64];
static range_set_t set;

static const char *shell(const char *format, const char *arg)
{
	const char *const argv[] = { "sh", "-c",
				     arena_printf(&arena, "cd %s/net 2>/dev/null || cd %s; %s",
						  root, root,
						  arena_printf(&arena, "%s%s", format, arg)),
				     NULL };
	struct process_result result;

	check_ok(
		process_run(&(struct process){ .path = "sh", .argv = argv }, &arena, &result, &err),
		err);
	if (result.output_size && result.output[result.output_size - 1] == '\n')
		result.output[result.output_size - 1] = '\0';
	return result.output;
}
#define SHELL(text) shell(text, "")

/* A directory, and the set 10.1.0.2 ... 10.1.0.<last>. */
static void begin(int last)
{
	struct range range = { 0 };
	range_sets_t sets = { &set, 1 };

	strcpy(root, "/tmp/cnibox-unit-XXXXXX");
	check(mkdtemp(root) != NULL);
	cidr_parse("10.1.0.0/16", &range.subnet);
	ip_parse("10.1.0.2", &range.start);
	range.end = ip_add(&range.subnet.ip, last);
	set = (range_set_t){ 0 };
	*list_add(&arena, &set) = range;
	check_ok(ranges_canonical(&sets, &err), err);
}

static void end(void)
{
	shell("rm -rf ", root);
	arena_free(&arena);
}

static struct reserve *store_open(bool create)
{
	struct reserve *store = NULL;

	err = (struct error){ 0 };
	check_ok(reserve_open(&store, root, "net", create, 1000, &err), err);
	return store;
}

static struct owner owner(const char *container)
{
	return (struct owner){ "net", container, "eth0" };
}

/* The address, or what went wrong. */
static const char *any(const char *container)
{
	auto_reserve struct reserve *store = store_open(true);
	struct owner who = owner(container);
	const struct range *range;
	char text[IP_TEXT_SIZE];
	struct ip ip;

	err = (struct error){ 0 };
	if (reserve_any(store, &who, &set, 0, &ip, &range, &err) < 0)
		return arena_strdup(&arena, err.message);
	check(range == set.items);
	return arena_strdup(&arena, ip_format(&ip, text));
}

static const char *one(const char *container, const char *address)
{
	auto_reserve struct reserve *store = store_open(true);
	struct owner who = owner(container);
	const struct range *range;
	struct ip ip;

	err = (struct error){ 0 };
	ip_parse(address, &ip);
	return reserve_one(store, &who, &set, 0, &ip, &range, &err) < 0
		       ? arena_strdup(&arena, err.message)
		       : "done";
}

static int release(const char *container)
{
	auto_reserve struct reserve *store = store_open(true);
	struct owner who = owner(container);
	unsigned n = 99;

	err = (struct error){ 0 };
	check_ok(reserve_release(store, &who, &n, &err), err);
	return (int)n;
}

/* The addresses, in order. */
static const char *held(const char *container)
{
	auto_reserve struct reserve *store = store_open(true);
	struct owner who = owner(container);
	char *all = arena_strdup(&arena, "");
	char text[IP_TEXT_SIZE];
	ips_t ips = { 0 };
	int r;

	err = (struct error){ 0 };
	r = reserve_find(store, &who, &arena, &ips, &err);
	check_int(r, ips.n > 0);
	list_each(ip, &ips)
		all = arena_printf(&arena, "%s%s%s", all, *all ? " " : "", ip_format(ip, text));
	return all;
}

/* Leases and index name the same, and nothing else is there. */
static void check_consistent(void)
{
	check_str(
		SHELL("for f in *.*.*.*; do [ -s $f ] && echo $f $(head -1 $f | tr -d '\\r'):$(tail -1 $f); done | sort"),
		SHELL("cd ../.cnibox/net; for f in *:*:*; do [ -L $f ] && echo $(readlink $f) ${f%:*}; done | sort"));
	check_str(SHELL("ls -A ../.cnibox/net | grep -v :"), "");
}

TEST(reserve_writes_what_the_reference_writes)
{
	begin(10);
	check_str(any("a"), "10.1.0.2");
	check_str(any("b"), "10.1.0.3");
	check_str(SHELL("stat -c '%a %s %n' * | sort -k3"),
		  "600 7 10.1.0.2\n600 7 10.1.0.3\n600 8 last_reserved_ip.0\n750 0 lock");
	check_str(SHELL("od -An -c 10.1.0.2; cat last_reserved_ip.0"),
		  "   a  \\r  \\n   e   t   h   0\n10.1.0.3");
	check_str(SHELL("stat -c %a ."), "755");
	check_consistent();
	check_int(release("a"), 1);
	check_int(release("a"), 0);
	check_str(any("c"), "10.1.0.4"); /* on from the last, not the first that is free */
	check_consistent();
	end();
}

/* It is overwritten, not replaced: a shorter address leaves nothing of the longer one behind. */
TEST(reserve_last_address_gets_shorter)
{
	begin(10);
	SHELL("mkdir net; printf 10.1.255.255 >net/last_reserved_ip.0");
	check_str(any("a"), "10.1.0.2");
	check_str(SHELL("cat last_reserved_ip.0"), "10.1.0.2");
	SHELL("rm last_reserved_ip.0; ln -s ../elsewhere last_reserved_ip.0");
	check_str(any("b"), "10.1.0.3"); /* and a link is not followed */
	check_str(SHELL("ls .. | tr '\\n' ' '"), "net ");
	end();
}

TEST(reserve_full_set_says_how_many)
{
	begin(4);
	check_str(any("a"), "10.1.0.2");
	check_str(any("b"), "10.1.0.3");
	check_str(any("c"), "10.1.0.4");
	check_str(any("d"), "no IP addresses available in range set: 10.1.0.2-10.1.0.4");
	check_str(err.details, "3 of 3 addresses in use");
	check_int(err.code, CNI_TRY_AGAIN_LATER);
	check_int(release("b"), 1);
	check_str(any("d"), "10.1.0.3");
	end();
}

TEST(reserve_refuses_duplicates)
{
	begin(10);
	check_str(any("a"), "10.1.0.2");
	check_str(any("a"),
		  "10.1.0.2 has been allocated to a, duplicate allocation is not allowed");
	check_str(one("a", "10.1.0.5"),
		  "10.1.0.2 has been allocated to a, duplicate allocation is not allowed");
	check_str(one("a", "10.1.0.2"),
		  "requested IP address 10.1.0.2 is not available in range set 10.1.0.2-10.1.0.10");
	check_str(one("b", "10.1.0.2"),
		  "requested IP address 10.1.0.2 is not available in range set 10.1.0.2-10.1.0.10");
	check_str(one("b", "10.1.0.1"), "10.1.0.1 not in range set 10.1.0.2-10.1.0.10");
	check_str(one("b", "10.1.0.7"), "done");
	check_str(any("c"), "10.1.0.8");
	SHELL("printf old >10.1.0.9");
	check_str(any("old"),
		  "10.1.0.9 has been allocated to old, duplicate allocation is not allowed");
	end();
}

TEST(reserve_skips_gateways)
{
	begin(5);
	ip_parse("10.1.0.3", &set.items[0].gateway);
	check_str(any("a"), "10.1.0.2");
	check_str(any("b"), "10.1.0.4");
	check_str(one("c", "10.1.0.3"), "requested ip 10.1.0.3 is subnet's gateway");
	end();
}

TEST(reserve_repairs_empty_files)
{
	begin(4);
	check_str(any("a"), "10.1.0.2");
	SHELL(": >10.1.0.3; : >10.1.0.4");
	check_str(any("b"), "10.1.0.3");
	check_str(one("c", "10.1.0.4"), "done");
	check_str(SHELL("stat -c %a%h 10.1.0.3 10.1.0.4"), "6001\n6001");
	check_consistent();
	end();
}

/* Behind more taken addresses than are tried one by one, in the first and in the last place. */
TEST(reserve_finds_the_only_free_or_empty_one)
{
	begin(300);
	SHELL("mkdir net; cd net; i=2; while [ $i -le 300 ]; do printf 'x\\r\\neth0' >10.1.$((i / 256)).$((i % 256)); i=$((i + 1)); done");
	check_str(any("full"), "no IP addresses available in range set: 10.1.0.2-10.1.1.44");
	check_str(err.details, "299 of 299 addresses in use");
	SHELL("rm 10.1.1.44");
	check_str(any("a"), "10.1.1.44");
	SHELL(": >10.1.1.40");
	check_str(any("b"), "10.1.1.40");
	SHELL("rm 10.1.0.2");
	check_str(any("c"), "10.1.0.2");
	check_str(any("d"), "no IP addresses available in range set: 10.1.0.2-10.1.1.44");
	end();
}

TEST(reserve_notices_what_others_write)
{
	begin(20);
	check_str(any("a"), "10.1.0.2");
	SHELL("printf 'go\\r\\neth0' >10.1.0.3; printf 10.1.0.3 >last_reserved_ip.0");
	check_str(held("go"), "10.1.0.3");
	check_str(any("go"),
		  "10.1.0.3 has been allocated to go, duplicate allocation is not allowed");
	check_str(any("b"), "10.1.0.4");
	SHELL("rm 10.1.0.4");
	check_str(held("b"), "");
	check_str(any("b"), "10.1.0.5");
	SHELL("printf 'b\\r\\neth0\\n' >10.1.0.9; rm -r ../.cnibox");
	check_str(held("b"), "10.1.0.5 10.1.0.9");
	check_int(release("b"), 2);
	check_int(release("go"), 1);
	check_str(SHELL("ls | tr '\\n' ' '"), "10.1.0.2 last_reserved_ip.0 lock ");
	check_consistent();
	end();
}

TEST(reserve_content_changed_in_place_is_not_believed)
{
	begin(20);
	check_str(any("a"), "10.1.0.2");
	SHELL("printf 'b\\r\\neth0' | dd of=10.1.0.2 conv=notrunc 2>/dev/null");
	check_int(release("a"), 0);
	check_str(SHELL("ls 10*"), "10.1.0.2");
	end();
}

TEST(reserve_legacy_leases)
{
	begin(20);
	check_str(any("a"), "10.1.0.2");
	SHELL("printf a >10.1.0.5; printf 'old\\n' >10.1.0.6; printf old >10.1.0.7");
	check_str(held("a"), "10.1.0.2"); /* its own first; the legacy ones only when it has none */
	check_int(release("a"), 1);
	check_int(release("a"), 1);
	check_int(release("old"), 2);
	check_str(SHELL("ls 10* 2>/dev/null"), "");
	end();
}

TEST(reserve_give_back_only_one)
{
	begin(20);
	SHELL("mkdir net; cd net; for i in 2 3 4; do printf 'a\\r\\neth0' >10.1.0.$i; done");
	{
		auto_reserve struct reserve *store = store_open(false);
		struct owner who = owner("a");
		struct ip ip;

		ip_parse("10.1.0.2", &ip);
		check_ok(reserve_give_back(store, &who, &ip, &err), err);
	}
	check_str(held("a"), "10.1.0.4 10.1.0.3");
	check_consistent();
	end();
}

TEST(reserve_strange_owners_stay_inside)
{
	char long_name[700];

	begin(20);
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	SHELL("mkdir net; cd net; printf '../../x\\r\\neth0' >10.1.0.10; printf 'a/b' >10.1.0.11; printf 'a:b:c' >10.1.0.12;"
	      "head -c 9 /dev/zero >10.1.0.13; printf ' \\n' >10.1.0.14; head -c 5000 /dev/zero | tr '\\0' y >10.1.0.15;"
	      "mkdir 10.1.0.16; ln -s /etc/passwd 10.1.0.17; printf x >README");
	check_str(any(long_name), "10.1.0.2");
	check_str(held(long_name), "10.1.0.2");
	check_str(held("a/b"), "10.1.0.11");
	check_str(SHELL("ls -A .. | tr '\\n' ' '; ls ../.cnibox"), ".cnibox net net");
	check_str(SHELL("ls -A ../.cnibox/net | wc -l"), "5");
	check_int(release(long_name), 1);
	check_int(release("../../x"), 1);
	end();
}

TEST(reserve_gc_is_exact)
{
	owners_t valid = { 0 };
	unsigned n = 0;

	begin(50);
	check_str(any("live"), "10.1.0.2");
	check_str(any("dead"), "10.1.0.3");
	SHELL("printf oldlive >10.1.0.10; printf olddead >10.1.0.11; : >10.1.0.12; head -c 8 /dev/zero >10.1.0.13;"
	      "printf 'live\\r\\neth1' >10.1.0.14; printf keep >notes; printf 'live\\r\\neth0' >fd00::1;"
	      "ln 10.1.0.2 ../.cnibox/net/new; ln -s 10.9.9.9 ../.cnibox/net/ghost:eth0:0");
	*list_add(&arena, &valid) = (struct owner){ .container = "live", .ifname = "eth0" };
	*list_add(&arena, &valid) = (struct owner){ .container = "oldlive", .ifname = "eth0" };
	{
		auto_reserve struct reserve *store = store_open(false);

		check_ok(reserve_gc(store, &valid, &n, &err), err);
		check_int(n, 5);
		check_ok(reserve_gc(store, &valid, &n, &err), err);
		check_int(n, 0);
	}
	check_str(SHELL("ls | tr '\\n' ' '"),
		  "10.1.0.10 10.1.0.2 fd00::1 last_reserved_ip.0 lock notes ");
	check_str(SHELL("cat 10.1.0.2 | tr '\\r\\n' '|'"), "live||eth0");
	check_str(SHELL("ls -A ../.cnibox/net | wc -l"), "3");
	check_str(held("live"), "10.1.0.2 fd00::1");
	{
		auto_reserve struct reserve *store = store_open(false);

		check_ok(reserve_gc(store, &(owners_t){ 0 }, &n, &err), err);
		check_int(n, 3);
	}
	check_consistent();
	end();
}

/* What a killed ADD leaves: the lease under its second name too. Writing there again must not harm the lease. */
TEST(reserve_leftover_of_a_killed_call)
{
	begin(20);
	check_str(any("a"), "10.1.0.2");
	SHELL("ln 10.1.0.2 ../.cnibox/net/new");
	check_str(any("b"), "10.1.0.3");
	check_str(SHELL("tr '\\r\\n' '||' <10.1.0.2; stat -c %h 10.1.0.2"), "a||eth01");
	check_consistent();
	end();
}

TEST(reserve_open_without_create_makes_nothing)
{
	struct reserve *store = NULL;

	begin(20);
	check_int(reserve_open(&store, root, "net", false, 100, &err), -ENOENT);
	check(store == NULL);
	check_str(SHELL("ls -A"), "");
	end();
}

TEST(reserve_used_and_peek)
{
	uint64_t used = 0;

	begin(4);
	check_str(any("a"), "10.1.0.2");
	SHELL("printf x >10.9.0.1; printf x >fd00::1");
	{
		auto_reserve struct reserve *store = store_open(false);

		check_ok(reserve_used(store, &set, &used, &err), err);
		check_int(used, 1);
		check_ok(reserve_peek(store, &set, 0, &err), err);
	}
	check_str(any("b"), "10.1.0.3");
	check_str(any("c"), "10.1.0.4");
	{
		auto_reserve struct reserve *store = store_open(false);

		check_int(reserve_peek(store, &set, 0, &err), -ENOSPC);
		check_str(err.details, "3 of 3 addresses in use");
	}
	end();
}

TEST(reserve_without_an_index_reads_the_leases)
{
	begin(20);
	check_str(any("a"), "10.1.0.2");
	check_str(any("b"), "10.1.0.3");
	SHELL("rm -r ../.cnibox; : >../.cnibox");
	check_str(held("a"), "10.1.0.2");
	check_int(release("a"), 1);
	check_int(release("a"), 0);
	check_str(any("c"), "the lease index cannot be made: Not a directory");
	end();
}

/* Whoever may write in dataDir can put anything in the index's place. */
TEST(reserve_empties_the_index_of_nothing_but_entries)
{
	begin(20);
	check_str(any("a"), "10.1.0.2");
	SHELL("echo 1 >../.cnibox/net/precious; rm 10.1.0.2");
	check_str(any("a"), "10.1.0.3");
	check_str(SHELL("cat ../.cnibox/net/precious"), "1");
	SHELL("mv ../.cnibox/net ../elsewhere; ln -s ../elsewhere ../.cnibox/net; rm 10.1.0.3");
	check_str(held("a"), "");
	check_str(SHELL("ls ../elsewhere | tr '\\n' ' '"), "a:eth0:0 precious ");
	end();
}
