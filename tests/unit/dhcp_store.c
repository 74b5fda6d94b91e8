/* Leases of DHCP on disk: what comes back after a daemon was killed, and what is not believed. */
#include "unit.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "dhcp/store.h"

static struct arena arena;
static struct error err;
static char folder[64];

static void begin(void)
{
	strcpy(folder, "/tmp/cnibox-unit-XXXXXX");
	check(mkdtemp(folder) != NULL);
}

static void end(void)
{
	unsigned bad = 0;
	dhcp_records_t none = { 0 };

	unlink(arena_printf(&arena, "%s/lock", folder));
	unit_check(rmdir(folder) == 0, __FILE__, __LINE__, "%s is not empty", folder);
	check_int(store_read(folder, &arena, &none, &bad, &err), 0);
	check_int(none.n, 0);
	arena_free(&arena);
}

static struct dhcp_record good(void)
{
	static struct dhcp_route route;
	struct dhcp_record record = {
		.network = "net",
		.container = "ctr",
		.ifname = "eth0",
		.netns = "/run/netns/x",
		.device = 4,
		.inode = 7,
		.index = 2,
		.options.client_id = "ctr/net/eth0",
		.lease = { .begin_ms = clock_boot_ms(), .seconds = 60, .t1 = 30, .t2 = 50 },
	};

	check(mac_parse("02:00:00:00:00:01", &record.mac));
	check(cidr_parse("192.0.2.7/24", &record.lease.address));
	check(cidr_parse("198.51.100.0/24", &route.dst));
	route.on_link = true;
	*list_add(&arena, &record.lease.routes) = route;
	return record;
}

static const struct owner owner = { "net", "ctr", "eth0" };

/* How many are read when this one is there alone. */
static size_t read_back(const struct dhcp_record *record, dhcp_records_t *records, unsigned *bad)
{
	*records = (dhcp_records_t){ 0 };
	*bad = 0;
	check_ok(store_write(folder, record, &err), err);
	check_ok(store_read(folder, &arena, records, bad, &err), err);
	store_remove(folder, &owner);
	return records->n;
}

TEST(a_lease_comes_back_as_it_was)
{
	struct dhcp_record record;
	dhcp_records_t records;
	unsigned bad;

	begin();
	record = good();
	check_int(read_back(&record, &records, &bad), 1);
	check_int(bad, 0);
	if (records.n == 1) {
		const struct dhcp_lease *lease = &records.items->lease;

		check_str(records.items->netns, "/run/netns/x");
		check(mac_equal(&records.items->mac, &record.mac));
		check(cidr_equal(&lease->address, &record.lease.address));
		check_int(dhcp_lease_end(lease), record.lease.begin_ms + 60000);
		check_int(lease->routes.n, 1);
		check(lease->routes.n && lease->routes.items->on_link);
	}
	end();
}

TEST(a_lease_that_cannot_be_is_not_believed)
{
	struct dhcp_record records[8];
	dhcp_records_t found;
	unsigned bad;

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		records[i] = good();
	records[0].index = 0;
	records[1].options.client_id = NULL;
	check(cidr_parse("127.0.0.1/8", &records[2].lease.address));
	records[3].lease.seconds = 0;
	records[4].lease.begin_ms = INT64_MAX - 1;
	records[5].lease.begin_ms = -1;
	records[6].lease.t1 = 51;
	records[7].lease.t2 = 61;
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		check_int(read_back(&records[i], &found, &bad), 0);
		check_int(bad, 1);
	}
	end();
}

static void put(const char *name, const char *text)
{
	const char *path = arena_printf(&arena, "%s/%s", folder, name);

	check_ok(file_replace(path, 0600, text, strlen(text), false, &err), err);
}

static bool is_there(const char *name)
{
	return access(arena_printf(&arena, "%s/%s", folder, name), F_OK) == 0;
}

TEST(leases_of_another_boot_and_halves_of_files_go)
{
	dhcp_records_t found = { 0 };
	unsigned bad = 0;

	begin();
	put("old.json",
	    "{\"network\":\"net\",\"container\":\"c\",\"ifname\":\"eth0\",\"netns\":\"/x\","
	    "\"index\":2,\"mac\":\"02:00:00:00:00:01\",\"options\":{\"clientId\":\"x\"},"
	    "\"lease\":{\"address\":\"192.0.2.7/24\",\"seconds\":60},\"boot\":\"before\"}");
	put(".x.json.tmp", "{");
	put("half.json", "{\"network\":");
	put("note", "not a lease");
	check_ok(store_read(folder, &arena, &found, &bad, &err), err);
	check_int(found.n, 0);
	check_int(bad, 1);
	check(!is_there("old.json") && !is_there(".x.json.tmp"));
	check(is_there("half.json") && is_there("note"));
	unlink(arena_printf(&arena, "%s/half.json", folder));
	unlink(arena_printf(&arena, "%s/note", folder));
	end();
}

TEST(one_daemon_has_a_folder)
{
	auto_close int first = -1, second = -1;

	begin();
	check_ok(store_open(folder, &first, &err), err);
	check_int(store_open(folder, &second, &err), -EBUSY);
	check_int(second, -1);
	end();
}
