/* Configurations kept between ADD and DEL: one file for each interface of a container. */
#include "cni/saved.h"

#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
	(void)st, (void)kind, (void)place;
	return remove(path);
}

static const char *folder_make(struct arena *arena)
{
	snprintf(folder, sizeof(folder), "/tmp/cnibox-saved-XXXXXX");
	check(mkdtemp(folder));
	return arena_printf(arena, "%s/a/b", folder);
}

static void folder_remove(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const struct owner eth0 = { "net", "ctr", "eth0" }, eth1 = { "net", "ctr", "eth1" };

static void put(const char *dir, const struct owner *owner, const char *text, struct arena *arena)
{
	struct saved before auto_saved = { 0 };
	struct error err = { 0 };

	check_ok(saved_write(dir, owner, text, arena, &before, &err), err);
}

/* The text of what is kept, "-" for nothing. */
static const char *get(const char *dir, const struct owner *owner, struct arena *arena)
{
	struct saved saved auto_saved = { 0 };

	return saved_find(dir, owner, arena, &saved) ? saved.text : "-";
}

static void drop(const char *dir, const struct owner *owner, struct arena *arena)
{
	struct saved saved auto_saved = { 0 };

	if (saved_find(dir, owner, arena, &saved))
		saved_remove(&saved);
}

TEST(the_first_has_the_name_of_the_reference_a_second_does_not_clobber_it)
{
	auto_arena struct arena arena = { 0 };
	const char *dir = folder_make(&arena), *first = arena_printf(&arena, "%s/ctr", dir);
	struct stat st = { 0 };

	check_str(get(dir, &eth0, &arena), "-");
	put(dir, &eth0, "{\"a\":1}", &arena);
	check(stat(first, &st) == 0 && (st.st_mode & 07777) == 0600);
	check(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700);
	put(dir, &eth1, "{\"b\":2}", &arena);
	check_str(get(dir, &eth0, &arena), "{\"a\":1}");
	check_str(get(dir, &eth1, &arena), "{\"b\":2}");
	put(dir, &eth0, "{\"c\":3}", &arena);
	check_str(get(dir, &eth0, &arena), "{\"c\":3}");
	drop(dir, &eth1, &arena);
	check(access(first, F_OK) == 0);
	folder_remove();
}

TEST(removing_the_second_twice_leaves_the_first)
{
	auto_arena struct arena arena = { 0 };
	const char *dir = folder_make(&arena), *first = arena_printf(&arena, "%s/ctr", dir);

	put(dir, &eth0, "{\"a\":1}", &arena);
	if (getxattr(first, "user.cnibox.ifname", NULL, 0) == 4) {
		put(dir, &eth1, "{\"b\":2}", &arena);
		drop(dir, &eth1, &arena);
		check_str(get(dir, &eth1, &arena), "-");
		drop(dir, &eth1, &arena);
	}
	check_str(get(dir, &eth0, &arena), "{\"a\":1}");
	drop(dir, &eth0, &arena);
	check_str(get(dir, &eth0, &arena), "-");
	folder_remove();
}

TEST(a_file_of_the_reference_is_anybodys)
{
	auto_arena struct arena arena = { 0 };
	const char *dir = folder_make(&arena), *first = arena_printf(&arena, "%s/ctr", dir);

	put(dir, &eth0, "{\"a\":1}", &arena);
	removexattr(first, "user.cnibox.ifname");
	check_str(get(dir, &eth1, &arena), "{\"a\":1}");
	put(dir, &eth1, "{\"b\":2}", &arena);
	check_str(get(dir, &eth0, &arena), "{\"a\":1}");
	check_str(get(dir, &eth1, &arena), "{\"b\":2}");
	folder_remove();
}

TEST(a_damaged_file_makes_way)
{
	auto_arena struct arena arena = { 0 };
	const char *dir = folder_make(&arena), *first = arena_printf(&arena, "%s/ctr", dir);

	put(dir, &eth0, "", &arena);
	removexattr(first, "user.cnibox.ifname");
	put(dir, &eth1, "{\"b\":2}", &arena);
	check_str(get(dir, &eth1, &arena), "{\"b\":2}");
	check(access(arena_printf(&arena, "%s:eth1", first), F_OK) < 0);
	folder_remove();
}

TEST(undo_puts_back_what_was_there)
{
	auto_arena struct arena arena = { 0 };
	const char *dir = folder_make(&arena);
	struct saved before auto_saved = { 0 }, again auto_saved = { 0 };
	struct error err = { 0 };

	check_ok(saved_write(dir, &eth0, "{\"a\":1}", &arena, &before, &err), err);
	check_ok(saved_write(dir, &eth0, "{\"b\":2}", &arena, &again, &err), err);
	check_str(get(dir, &eth0, &arena), "{\"b\":2}");
	check_ok(saved_undo(&again, &err), err);
	check_str(get(dir, &eth0, &arena), "{\"a\":1}");
	check_ok(saved_undo(&before, &err), err);
	check_str(get(dir, &eth0, &arena), "-");
	check_ok(saved_undo(&before, &err), err);
	folder_remove();
}

TEST(the_list_tells_container_and_interface)
{
	auto_arena struct arena arena = { 0 };
	const char *dir = folder_make(&arena);
	saved_list_t list auto_saved_list = { 0 };

	saved_list(dir, &arena, &list);
	check_int(list.n, 0);
	put(dir, &eth0, "{\"a\":1}", &arena);
	put(dir, &eth1, "[", &arena);
	saved_list(dir, &arena, &list);
	check_int(list.n, 2);
	list_each(saved, &list) {
		bool second = saved->ifname && streq(saved->ifname, "eth1");

		check_str(saved->container, "ctr");
		check(second == !saved->config);
	}
	folder_remove();
}

TEST(a_draft_of_a_killed_call_is_swept_and_listed)
{
	auto_arena struct arena arena = { 0 };
	const char *dir = folder_make(&arena), *draft = arena_printf(&arena, "%s/.ctr:eth0", dir);
	saved_list_t list auto_saved_list = { 0 };
	FILE *file;

	put(dir, &eth0, "{\"a\":1}", &arena);
	check(access(draft, F_OK) < 0);
	file = fopen(draft, "w");
	check(file && fclose(file) == 0);
	saved_list(dir, &arena, &list);
	check_int(list.n, 2);
	saved_sweep(dir, &eth0, &arena);
	check(access(draft, F_OK) < 0);
	check_str(get(dir, &eth0, &arena), "{\"a\":1}");
	folder_remove();
}
