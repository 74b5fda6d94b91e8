/*
 * A folder of leases that others wrote, or that a crash left: whatever is in it, an address is found, given back and
 * cleaned up, and the folder stays one that works.
 *
 * Input: files, each "--- NAME" on a line and its content up to the next; a NAME with "index/" in front goes to the
 * index of the network instead.
 */
#include "scratch.h"

#include "ipam/reserve.h"

#define MARK "--- "

static void write_file(char *name, const char *content, size_t size, struct arena *arena)
{
	const char *folder = "net";

	if (strncmp(name, "index/", 6) == 0) {
		folder = ".cnibox/net";
		name += 6;
	}
	if (*name && !strchr(name, '/') && strlen(name) < 256 && strcmp(name, ".") != 0 &&
	    strcmp(name, "..") != 0)
		scratch_write(arena_printf(arena, "%s/%s/%s", scratch, folder, name), content,
			      size);
}

static void write_files(char *text, char *end, struct arena *arena)
{
	mkdir(arena_printf(arena, "%s/net", scratch), 0700);
	mkdir(arena_printf(arena, "%s/.cnibox", scratch), 0700);
	mkdir(arena_printf(arena, "%s/.cnibox/net", scratch), 0700);
	for (unsigned n = 0; n < 64 && text < end && strncmp(text, MARK, strlen(MARK)) == 0; n++) {
		char *content = text + strlen(MARK), *name = fuzz_line(&content), *next;

		next = memmem(content, (size_t)(end - content), "\n" MARK, strlen("\n" MARK));
		write_file(name, content, (size_t)((next ? next : end) - content), arena);
		text = next ? next + 1 : end;
	}
}

static int reserve(struct reserve *store, const struct owner *owner, const range_set_t *set,
		   struct ip *ip)
{
	const struct range *range = NULL;
	struct error err = { 0 };
	int r = reserve_any(store, owner, set, 0, ip, &range, &err);

	if (r < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	else
		fuzz_check(range && cidr_contains(&range->subnet, ip),
			   "address outside of its range");
	return r;
}

static void walk(struct reserve *store, const range_set_t *set, struct arena *arena)
{
	const struct owner owner = { "net", "ctr", "eth0" }, second = { "net", "ctr2", "eth0" };
	const owners_t valid = { .items = (struct owner[]){ second }, .n = 1 };
	struct ip ip = { 0 }, ip2 = { 0 };
	struct error err = { 0 };
	ips_t ips = { 0 };
	uint64_t used = 0;
	unsigned n = 0;
	bool held = reserve(store, &owner, set, &ip) >= 0;

	if (held && reserve(store, &second, set, &ip2) >= 0)
		fuzz_check(!ip_equal(&ip, &ip2), "the same address twice");
	if (held)
		fuzz_check(reserve_find(store, &owner, arena, &ips, &err) > 0 && ips.n > 0,
			   "lost: %s", err.message);
	fuzz_check(reserve_release(store, &owner, &n, &err) >= 0, "%s", err.message);
	fuzz_check(!held || n > 0, "nothing was given back");
	if (reserve_used(store, set, &used, &err) >= 0)
		fuzz_check(used <= 16, "%llu of 16 in use", (unsigned long long)used);
	if (reserve_gc(store, &valid, &n, &err) >= 0)
		fuzz_check(reserve_find(store, &owner, arena, NULL, &err) <= 0,
			   "still there after GC");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	auto_reserve struct reserve *store = NULL;
	char *text = arena_memdup(&arena, data, size);
	struct range range = { 0 };
	range_set_t set = { .items = &range, .n = 1 };
	range_sets_t sets = { .items = &set, .n = 1 };
	struct error err = { 0 };

	if (!cidr_parse("10.1.0.0/28", &range.subnet) || ranges_canonical(&sets, &err) < 0)
		abort();
	scratch_empty();
	write_files(text, text + size, &arena);
	if (reserve_open(&store, scratch, "net", true, 1000, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	else
		walk(store, &set, &arena);
	return 0;
}
