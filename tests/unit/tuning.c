/* What the tuning plugin is made of: repeated keys, names of sysctls, the allow-list, backup files, a link that is busy. */
#include "fake_kernel.h"

#include <linux/if.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cni/allowlist.h"
#include "cni/backup.h"
#include "cni/retouch.h"
#include "cni/settings.h"
#include "kernel/sysctl.h"

TEST(json_repeats_sees_keys_that_are_given_twice)
{
	static const struct {
		const char *text;
		bool repeats;
	} rows[] = {
		{ "{\"sysctl\":{\"a\":\"1\",\"a\":\"2\"}}", true },
		{ "{ \"x\" : [ {\"sysctl\":1} , \"}\\\"{\" ], \"SysCtl\" : { \"a\":1, \"b\":2, \"a\":3 } }",
		  true },
		{ "{\"sysctl\":{\"a\":\"1\",\"b\":\"2\"}}", false },
		{ "{\"sysctl\":{\"a\":\"1\",\"A\":\"2\"}}", false },
		{ "{\"other\":{\"a\":\"1\",\"a\":\"2\"},\"sysctl\":{}}", false },
		{ "{\"args\":{\"sysctl\":{\"a\":\"1\",\"a\":\"2\"}}}", false },
		{ "{\"sysctl\":null}", false },
		{ "{}", false },
		{ "", false },
		{ "{\"sysctl", false },
		{ "{\"sysctl\":\"\\", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_int(json_repeats(rows[i].text, strlen(rows[i].text), "sysctl"),
			  rows[i].repeats);
}

TEST(sysctl_values_are_the_same_whatever_is_between_their_words)
{
	check(sysctl_same("32768\t60999", "32768 60999\n"));
	check(sysctl_same(" 1", "1"));
	check(!sysctl_same("1", "12"));
	check(!sysctl_same("1 2", "12"));
	check(!sysctl_same("1", ""));
}

/* What the settings borrow from the document outlives it here. */
static int add(settings_t *settings, struct arena *arena, const char *json, bool replace,
	       struct error *err)
{
	struct cni_request request = { .ifname = "eth0.5", .arena = arena };
	struct json *object auto_json = json_parse(json, strlen(json), err);
	int r = settings_add(settings, &request, object, replace, err);

	list_each(setting, settings) {
		setting->key = arena_strdup(arena, setting->key);
		setting->value = arena_strdup(arena, setting->value);
	}
	return r;
}

TEST(settings_keep_their_order_and_know_dots_from_dots)
{
	static const char *const paths[] = { "net/ipv4/conf/eth0.5/arp_filter",
					     "net/core/somaxconn", "net/ipv4/conf/all/x",
					     "net/ipv4/IFNAME/eth0.5/y" };
	auto_arena struct arena arena = { 0 };
	settings_t settings = { 0 };
	struct error err = { 0 };

	check_ok(add(&settings, &arena,
		     "{\"net.ipv4.conf.IFNAME.arp_filter\":\"1\",\"net..core/somaxconn.\":\"5\","
		     "\"/net//ipv4/conf/all/x\":\"2\"}",
		     false, &err),
		 err);
	check_int(settings.n, 3);
	for (size_t i = 0; i < settings.n; i++)
		check_str(settings.items[i].path, paths[i]);
	check_ok(add(&settings, &arena, "{\"net.core.somaxconn\":\"6\"}", true, &err), err);
	check_int(settings.n, 3);
	check_str(settings.items[1].value, "6");
	check_fails(add(&settings, &arena, "{\"net/core.somaxconn\":\"6\"}", false, &err), err,
		    "duplicated sysctl keys are not allowed");
	check_int(err.code, CNI_INVALID_CONFIG);
}

TEST(settings_outside_of_net_are_refused)
{
	static const char *const keys[] = { "kernel.domainname", "net",       "net.", "..",
					    "../kernel/x",       "network.x", "/net", "",
					    "IFNAME.x" };
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		settings_t settings = { 0 };
		struct error err;

		check_fails(add(&settings, &arena, arena_printf(&arena, "{\"%s\":\"1\"}", keys[i]),
				false, &err),
			    err, arena_printf(&arena, "invalid net sysctl key: \"%s\"", keys[i]));
	}
}

/* ---- files ---- */

struct folder {
	char path[64];
};

static struct folder folder_make(void)
{
	struct folder folder = { "/tmp/cnibox-unit.XXXXXX" };

	check(mkdtemp(folder.path) != NULL);
	return folder;
}

static void put(const char *path, const char *text)
{
	struct error err = { 0 };

	check_ok(file_replace(path, 0600, text, strlen(text), false, &err), err);
}

static const char *get(const char *path, struct arena *arena)
{
	char *text;

	return file_read(path, 65536, arena, &text, NULL, NULL) ? NULL : text;
}

TEST(the_allow_list)
{
	struct folder folder = folder_make();
	auto_arena struct arena arena = { 0 };
	const char *path = arena_printf(&arena, "%s/allow", folder.path);
	struct allowlist list;
	struct error err = { 0 };

	check_ok(allowlist_read(path, &arena, &list, &err), err);
	check_int(allowlist_check(&list, "net.x", &err), 0);
	put(path, "# comment\r\n\n \t^net\\.core\\. \t\nipv4");
	check_ok(allowlist_read(path, &arena, &list, &err), err);
	check_int(list.patterns.n, 2);
	check_int(allowlist_check(&list, "net.core.x", &err), 0);
	check_int(allowlist_check(&list, "net.ipv4.x", &err), 0);
	check_fails(allowlist_check(&list, "net.ipv6.x", &err), err,
		    "Sysctl net.ipv6.x is not allowed. Only the following sysctls are allowed: "
		    "[^net\\.core\\. ipv4]");
	put(path, "");
	check_ok(allowlist_read(path, &arena, &list, &err), err);
	check(allowlist_check(&list, "net.core.x", &err) < 0);
	unlink(path);
	mkdir(path, 0700);
	check(allowlist_read(path, &arena, &list, &err) < 0);
	rmdir(path);
	rmdir(folder.path);
}

TEST(backup_files_are_written_in_one_step_and_read_back)
{
	static const char text[] = "{\n \"mac\": \"02:00:00:00:00:01\",\n \"promisc\": false,\n"
				   " \"mtu\": 1500,\n \"network\": \"n\"\n}";
	const struct owner owner = { "n", "a_b", "eth0" };
	struct folder folder = folder_make();
	auto_arena struct arena arena = { 0 };
	const char *sub = arena_printf(&arena, "%s/deep/er", folder.path);
	struct backup backup;
	struct backup_file file;
	struct error err = { 0 };

	check_ok(backup_read(&file, sub, &owner, &arena, &backup, &err), err);
	check(!file.text && !backup.mac.set && !backup.has_promisc);
	backup.mac = (struct mac){ true, { 2, 0, 0, 0, 0, 1 } };
	backup.has_promisc = true;
	backup.mtu = 1500;
	backup.network = "n";
	check_ok(backup_write(&file, &backup, &arena, &err), err);
	check_str(get(arena_printf(&arena, "%s/a_b_eth0.json", sub), &arena), text);
	backup_close(&file);

	check_ok(backup_read(&file, sub, &owner, &arena, &backup, &err), err);
	check_str(file.text, text);
	check(backup.has_promisc && !backup.promisc && !backup.has_allmulti);
	check_int(backup.mtu, 1500);
	backup.mtu = 7;
	check_ok(backup_write(&file, &backup, &arena, &err), err);
	check_ok(backup_revert(&file, &err), err);
	check_str(get(file.path, &arena), text);
	check_ok(backup_remove(&file, &err), err);
	check_ok(backup_remove(&file, &err), err);
	check(get(file.path, &arena) == NULL);
	backup_close(&file);
	rmdir(sub);
	rmdir(arena_printf(&arena, "%s/deep", folder.path));
	rmdir(folder.path);
}

TEST(backup_files_that_are_damaged_count_as_empty)
{
	static const char *const texts[] = {
		"", "{", "[]", "{\"mac\":7}", "{\"mtu\":\"x\"}", "null"
	};
	const struct owner owner = { "n", "c", "eth0" };
	struct folder folder = folder_make();
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct backup backup;
		struct backup_file file on_leave(backup_close);

		put(arena_printf(&arena, "%s/c_eth0.json", folder.path), texts[i]);
		check_ok(backup_read(&file, folder.path, &owner, &arena, &backup, &err), err);
		check(!backup.mac.set && !backup.mtu && !backup.network);
		check_ok(backup_remove(&file, &err), err);
	}
	rmdir(folder.path);
}

/* ---- a link that is busy ---- */

/* The end of a dump, whose sequence number is the one after its request's. */
static void reply_done(struct fake *fake, uint32_t seq)
{
	int result = 0;

	fake_reply(fake, NLMSG_DONE, NLM_F_MULTI, seq, &result, sizeof(result));
}

static const struct link busy = { .index = 3, .name = "eth0", .flags = LINK_UP };
static const struct link_change new_mac = {
	.what = LINK_SET_MAC | LINK_SET_MTU,
	.mac = { true, { 2, 0, 0, 0, 0, 9 } },
	.mtu = 1400,
};

TEST(a_change_that_works_is_one_message)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);

	fake_ack(&fake, 1);
	check_ok(link_retouch(fake.nl, &busy, &new_mac, &fake.err), fake.err);
	check_int(netlink_sends(fake.nl), 1);
	check_ok(link_retouch(fake.nl, &busy, &(struct link_change){ 0 }, &fake.err), fake.err);
	check_int(netlink_sends(fake.nl), 1);
}

TEST(a_refusal_other_than_busy_is_final)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct error err;

	fake_error(&fake, 1, EINVAL, "mtu greater than device maximum");
	check_fails(link_retouch(fake.nl, &busy, &new_mac, &err), err,
		    "change the attributes of eth0: Invalid argument (mtu greater than device "
		    "maximum)");
}

TEST(a_link_that_is_busy_is_stopped_for_the_change)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	static const unsigned flags[] = { 0, 0, IFF_UP };
	char sent[4096];
	unsigned n = 0;

	fake_error(&fake, 1, EBUSY, NULL);
	/* Two families of addresses, two of routes; each dump takes two numbers. */
	for (uint32_t seq = 3; seq <= 9; seq += 2)
		reply_done(&fake, seq);
	fake_ack(&fake, 10);
	fake_ack(&fake, 11);
	fake_ack(&fake, 12);
	check_ok(link_retouch(fake.nl, &busy, &new_mac, &fake.err), fake.err);
	fake_sent(&fake, sent, sizeof(sent)); /* the one that is refused */
	for (ssize_t size; (size = fake_sent(&fake, sent, sizeof(sent))) > 0;) {
		const struct nlmsghdr *header = fake_nth(sent, size, 0);
		struct ifinfomsg link;

		if (!header || header->nlmsg_type != RTM_NEWLINK)
			continue;
		memcpy(&link, NLMSG_DATA(header), sizeof(link));
		check(n < ARRAY_SIZE(flags) && link.ifi_flags == flags[n]);
		check_int(link.ifi_change, n == 1 ? 0 : IFF_UP);
		n++;
	}
	check_int(n, 3);
}
