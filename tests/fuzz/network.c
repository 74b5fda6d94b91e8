/*
 * What is read from disk besides leases: network lists, attachments that a runtime remembered, resolver configuration.
 * A remembered attachment that can be read is written, and read again as the same.
 *
 * Input: "list", "cache" or "resolv" on a line; the file.
 */
#include "scratch.h"

#include "cni/cache.h"
#include "cni/netlist.h"
#include "cni/resolv.h"

static void read_list(const char *text, size_t size, struct arena *arena)
{
	auto_networks struct networks networks = { .arena = arena };
	const struct network *network = NULL;
	struct error err = { 0 };

	if (networks_add_text(&networks, text, size, &network, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	else
		fuzz_check(network && network->name && network->version, "half a network");
}

static bool same(const char *a, const char *b)
{
	return streq(a ? a : "", b ? b : "");
}

static void read_again(const struct cached *cached, const struct owner *owner, struct arena *arena)
{
	auto_cached struct cached again = { 0 };
	struct error err = { 0 };

	if (cache_write(scratch, cached, &err) < 0)
		fuzz_check(false, "%s", err.message);
	fuzz_check(cache_read(scratch, owner, arena, &again, &err) >= 0, "%s", err.message);
	fuzz_check(same(cached->netns, again.netns), "netns %s, %s", cached->netns, again.netns);
	fuzz_check(cached->config_size == again.config_size, "%zu, %zu", cached->config_size,
		   again.config_size);
}

static void read_cache(const char *text, size_t size, struct arena *arena)
{
	const struct owner owner = { "net", "ctr", "eth0" };
	auto_cached struct cached cached = { 0 };
	auto_cached_list cached_list_t list = { 0 };
	struct error err = { 0 };

	mkdir(arena_printf(arena, "%s/results", scratch_empty()), 0700);
	scratch_write(arena_printf(arena, "%s/results/net-ctr-eth0", scratch), text, size);
	if (cache_read(scratch, &owner, arena, &cached, &err) >= 0)
		read_again(&cached, &owner, arena);
	else
		fuzz_check(*err.message, "no word about what is wrong");
	if (cache_list(scratch, size % 2, arena, &list, &err) >= 0)
		fuzz_check(list.n <= 1, "%zu of one", list.n);
}

static void read_resolv(const char *text, size_t size, struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/resolv.conf", scratch_empty());
	struct cni_dns dns = { 0 };
	struct error err = { 0 };

	scratch_write(path, text, size);
	fuzz_check(resolv_read(path, arena, &dns, &err) >= 0 || *err.message, "no word");
	list_each(server, &dns.nameservers)
		fuzz_check(*server && !strpbrk(*server, " \t\n"), "server \"%s\"", *server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size, *kind = fuzz_line(&text);

	if (streq(kind, "list"))
		read_list(text, (size_t)(end - text), &arena);
	if (streq(kind, "cache"))
		read_cache(text, (size_t)(end - text), &arena);
	if (streq(kind, "resolv"))
		read_resolv(text, (size_t)(end - text), &arena);
	return 0;
}
