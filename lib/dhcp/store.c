/* Files are named by a digest of their owner, whose name may be longer than a file's; what is inside counts. */
#include "dhcp/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "describe/json.h"

enum { NAME_DIGITS = 32, RECORD_MAX = 256 << 10, BOOT_ID_SIZE = 37 };

/* clang-format off */
#define OPTIONS(member) offsetof(struct dhcp_options, member)
const struct field dhcp_options_fields[] = {
	{ "clientId", FIELD_STRING, OPTIONS(client_id), .help = "client identifier" },
	{ "provide",  FIELD_LIST,   OPTIONS(provide), .element = FIELD_OBJECT, .fields = dhcp_option_fields,
	  .size = sizeof(struct dhcp_option), .help = "options that are sent" },
	{ "request",  FIELD_LIST,   OPTIONS(request), .element = FIELD_INT, .size = sizeof(int),
	  .help = "options that are asked for" },
	FIELDS_END
};

#define RECORD(member) offsetof(struct dhcp_record, member)
static const struct field record_fields[] = {
	{ "network",   FIELD_STRING, RECORD(network),   .flags = FIELD_REQUIRED },
	{ "container", FIELD_STRING, RECORD(container), .flags = FIELD_REQUIRED },
	{ "ifname",    FIELD_STRING, RECORD(ifname),    .flags = FIELD_REQUIRED },
	{ "netns",     FIELD_STRING, RECORD(netns),     .flags = FIELD_REQUIRED },
	{ "device",    FIELD_UINT64, RECORD(device) },
	{ "inode",     FIELD_UINT64, RECORD(inode) },
	{ "index",     FIELD_INT,    RECORD(index) },
	{ "mac",       FIELD_MAC,    RECORD(mac),       .flags = FIELD_REQUIRED },
	{ "options",   FIELD_OBJECT, RECORD(options),   .fields = dhcp_options_fields },
	{ "lease",     FIELD_OBJECT, RECORD(lease),     .fields = dhcp_lease_fields },
	{ "boot",      FIELD_STRING, RECORD(boot),      .flags = FIELD_REQUIRED },
	FIELDS_END
};
/* clang-format on */

static int read_boot_id(char id[BOOT_ID_SIZE], struct error *err)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, id, BOOT_ID_SIZE - 1);

	if (n < 0)
		return fail_errno(err, errno, "read %s", path);
	id[n] = '\0';
	return 0;
}

static char *file_of(const char *folder, const struct owner *owner, struct arena *arena)
{
	char name[NAME_DIGITS + 1];

	sha512_hex(name, NAME_DIGITS, owner->network, "/", owner->container, "/", owner->ifname,
		   NULL);
	return arena_printf(arena, "%s/%s.json", folder, name);
}

const char *store_folder(const char *socket, struct arena *arena)
{
	size_t len = strlen(socket);

	if (has_suffix(socket, ".sock"))
		len -= strlen(".sock");
	return arena_printf(arena, "%.*s.leases", (int)len, socket);
}

int store_open(const char *folder, int *lock, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const char *path = arena_printf(&arena, "%s/lock", folder);
	auto_close int fd = -1;

	*lock = -1;
	if (dir_make(folder, 0700, err))
		return -err->errnum;
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail_errno(err, errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? fail(err, EBUSY, "another daemon runs with the leases in %s",
				      folder)
			       : fail_errno(err, errno, "lock %s", path);
	*lock = take_fd(&fd);
	return 0;
}

int store_write(const char *folder, const struct dhcp_record *record, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const struct owner owner = { record->network, record->container, record->ifname };
	struct dhcp_record with_boot = *record;
	auto_json struct json *json = NULL;
	char boot[BOOT_ID_SIZE];
	const char *text;

	if (read_boot_id(boot, err))
		return -err->errnum;
	with_boot.boot = boot;
	json = json_encode(record_fields, &with_boot);
	text = json_text(json, JSON_STYLE_COMPACT, &arena);
	return file_replace(file_of(folder, &owner, &arena), 0600, text, strlen(text), false, err);
}

void store_remove(const char *folder, const struct owner *owner)
{
	auto_arena struct arena arena = { 0 };

	unlink(file_of(folder, owner, &arena));
}

/* What a later step relies on; the file may have been made by anybody who is root, or by another version of us. */
static bool makes_sense(const struct dhcp_record *record)
{
	const struct dhcp_lease *lease = &record->lease;

	return record->index > 0 && record->mac.set && record->options.client_id &&
	       dhcp_usable(&lease->address.ip) && lease->begin_ms >= 0 &&
	       lease->begin_ms <= clock_boot_ms() && lease->t1 <= lease->t2 &&
	       lease->t2 <= lease->seconds && lease->seconds > 0;
}

/* 1: a record; 0: of another boot, or gone; -EBADMSG. */
static int read_one(const char *path, const char *boot, struct arena *arena,
		    struct dhcp_record *record)
{
	auto_json struct json *json = NULL;
	char *text;
	size_t size;
	int r = file_read(path, RECORD_MAX, arena, &text, &size, NULL);

	if (r < 0)
		return r == -ENOENT ? 0 : -EBADMSG;
	*record = (struct dhcp_record){ 0 };
	json = json_parse(text, size, NULL);
	if (!json_is_object(json) || json_decode(json, record_fields, record, arena, NULL) < 0 ||
	    !makes_sense(record))
		return -EBADMSG;
	if (streq(record->boot, boot))
		return 1;
	unlink(path);
	return 0;
}

/* Nobody writes while this goes on: what a daemon that was killed had not finished is removed. */
int store_read(const char *folder, struct arena *arena, dhcp_records_t *records, unsigned *bad,
	       struct error *err)
{
	char boot[BOOT_ID_SIZE];
	struct dirent *entry;
	DIR *dir;

	/* Without it every lease would be one of another boot. */
	if (read_boot_id(boot, err))
		return -err->errnum;
	dir = opendir(folder);
	if (!dir)
		return errno == ENOENT ? 0 : fail_errno(err, errno, "read %s", folder);
	while ((entry = readdir(dir))) {
		struct dhcp_record record;
		int r;

		if (entry->d_name[0] == '.' && strstr(entry->d_name, ".json."))
			unlink(arena_printf(arena, "%s/%s", folder, entry->d_name));
		if (entry->d_name[0] == '.' || !has_suffix(entry->d_name, ".json"))
			continue;
		r = read_one(arena_printf(arena, "%s/%s", folder, entry->d_name), boot, arena,
			     &record);
		if (r > 0)
			*list_add(arena, records) = record;
		else if (r < 0 && bad)
			++*bad;
	}
	closedir(dir);
	return 0;
}
