/*
 * Records of admitted addresses. The name of a file says all that is needed to find it; its content is for people, but
 * for the zone. Who reads a folder of thousands reads names only.
 */
#include "firewall/forward_record.h"

#include "base/file.h"
#include "base/text.h"
#include "describe/json.h"
#include "firewall/names.h"

#include <dirent.h>
#include <errno.h>

#define FOLDER   "/run/cni/firewall"
#define HASH_LEN (OWNER_HASH_SIZE - 1)
#define FILE_MAX 65536

struct content {
	const char *network, *container, *ifname, *zone;
};

#define ROW(key_, member)                                                                       \
	{                                                                                       \
		.key = (key_), .type = FIELD_STRING, .offset = offsetof(struct content, member) \
	}
static const struct field fields[] = { ROW("network", network), ROW("containerID", container),
				       ROW("ifname", ifname), ROW("zone", zone), FIELDS_END };

/* Whose records are asked for: one owner's, or those of a network but for the owners to keep. */
struct question {
	char hash[OWNER_HASH_SIZE];
	size_t len;              /* of it that counts */
	LIST(const char *) keep; /* sorted */
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool asked_for(const struct question *question, const char *hash)
{
	if (strncmp(hash, question->hash, question->len) != 0)
		return false;
	return !question->keep.n || !bsearch(&hash, question->keep.items, question->keep.n,
					     sizeof(*question->keep.items), compare_names);
}

static struct content read_content(const char *file, struct arena *arena)
{
	struct content content = { .zone = "" };
	auto_json struct json *json = NULL;
	char *text;
	size_t size;

	if (file_read(file, FILE_MAX, arena, &text, &size, NULL) == 0)
		json = json_parse(text, size, NULL);
	if (!json || json_decode(json, fields, &content, arena, NULL) < 0 || !content.zone)
		return (struct content){ .zone = "" };
	return content;
}

/* What is in the folder and no record is left alone, but for what file_replace() left when it was killed: a name with a
 * dot before it and something behind. */
static void read_entry(const char *name, const struct question *question, struct arena *arena,
		       records_t *records)
{
	const char *start = name + (*name == '.');
	char hash[OWNER_HASH_SIZE] = "";
	struct record record = { .zone = "" };

	if (strlen(start) < HASH_LEN + 2 || start[HASH_LEN] != '-')
		return;
	memcpy(hash, start, HASH_LEN);
	record.file = arena_printf(arena, FOLDER "/%s", name);
	record.mine = asked_for(question, hash);
	if (start == name && !ip_parse(start + HASH_LEN + 1, &record.address))
		return;
	if (record.mine && record.address.family) {
		const struct content content = read_content(record.file, arena);

		record.zone = content.zone;
		record.owner = (struct owner){ content.network, content.container, content.ifname };
	}
	*list_add(arena, records) = record;
}

static void close_folder(DIR **folder)
{
	if (*folder)
		closedir(*folder);
}

static int list_records(const struct question *question, struct arena *arena, records_t *records,
			struct error *err)
{
	DIR *folder on_leave(close_folder) = opendir(FOLDER);

	if (!folder)
		return errno == ENOENT ? 0 : fail_errno(err, errno, "open %s", FOLDER);
	for (struct dirent *entry; (errno = 0, entry = readdir(folder));)
		read_entry(entry->d_name, question, arena, records);
	return errno ? fail_errno(err, errno, "read %s", FOLDER) : 0;
}

/* Where it was a source before stays written down, since it may still be one. */
int record_write(const struct owner *owner, const struct ip *address, const char *zone,
		 struct error *err)
{
	auto_arena struct arena arena = { 0 };
	struct content content = { owner->network, owner->container, owner->ifname, zone };
	auto_json struct json *json = NULL;
	char hash[OWNER_HASH_SIZE], ip[IP_TEXT_SIZE];
	const char *text, *file;
	bool there;
	int r = 0;

	owner_hash(owner, hash);
	file = arena_printf(&arena, FOLDER "/%s-%s", hash, ip_format(address, ip));
	there = access(file, F_OK) == 0;
	if (there && !*zone)
		content.zone = read_content(file, &arena).zone;
	if (!there)
		r = dir_make(FOLDER, 0700, err);
	if (r < 0)
		return r;
	json = json_encode(fields, &content);
	text = json_text(json, JSON_STYLE_COMPACT, &arena);
	r = file_replace(file, 0600, text, strlen(text), false, err);
	return r < 0 ? r : !there;
}

int record_list(const struct owner *owner, struct arena *arena, records_t *records,
		struct error *err)
{
	struct question question = { .len = owner ? HASH_LEN : 0 };

	if (owner)
		owner_hash(owner, question.hash);
	return list_records(&question, arena, records, err);
}

int record_list_stale(const char *network, const owners_t *valid, struct arena *arena,
		      records_t *records, struct error *err)
{
	struct question question = { .len = NETWORK_HASH_LEN + 1 };

	owner_hash(&(struct owner){ network, "", "" }, question.hash);
	list_each(attachment, valid) {
		struct owner owner = { network, attachment->container, attachment->ifname };
		char *hash = arena_alloc(arena, OWNER_HASH_SIZE);

		owner_hash(&owner, hash);
		*list_add(arena, &question.keep) = hash;
	}
	if (question.keep.n)
		qsort(question.keep.items, question.keep.n, sizeof(*question.keep.items),
		      compare_names);
	return list_records(&question, arena, records, err);
}

bool record_taken(const records_t *records, const struct ip *address)
{
	list_each(record, records)
		if (!record->mine && ip_equal(&record->address, address))
			return true;
	return false;
}

void record_remove(const struct record *record)
{
	unlink(record->file);
}
