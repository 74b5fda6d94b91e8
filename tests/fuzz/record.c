/*
 * What says whose rules are: the firewall's records of admitted addresses, tables of legacy iptables as their program prints them,
 * elements of portmap's maps. Whatever is there, those of an owner are found, written again, and taken away.
 *
 * Input: "record" and a file's name behind the owner's digits on a line, and its text; "table", and what the program prints; or "port",
 * and an element: the key's length and bytes, the data's, and the comment.
 */
#include "fuzz.h"

#include "firewall/forward_record.h"
#include "firewall/legacy.h"
#include "firewall/names.h"
#include "firewall/portmap_maps.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/run/cni/firewall"

static const struct owner owner = { "net", "ctr", "eth0" };
static bool alone; /* /run is ours */

int LLVMFuzzerInitialize(int *n_words, char ***words);

/* The records' place does not change: it gets a /run that only this process sees. */
int LLVMFuzzerInitialize(unused int *n_words, unused char ***words)
{
	alone = (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("none", "/run", "tmpfs", 0, "mode=755") == 0 &&
		mkdir("/run/cni", 0700) == 0 && mkdir(FOLDER, 0700) == 0;
	if (!alone)
		fprintf(stderr, "fuzz: no namespace of its own: records are not read\n");
	return 0;
}

static void put(const char *path, const char *text, size_t size)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd >= 0)
		fuzz_check(write(fd, text, size) == (ssize_t)size, "write %s", path);
}

static void take_away(const records_t *records)
{
	list_each(record, records) {
		fuzz_check(record->zone, "no zone, not even an empty one");
		record_remove(record);
	}
}

/* The address stays written with the zone that is known of it. */
static void write_again(const struct record *record, struct arena *arena)
{
	const char *zone = arena_strdup(arena, record->zone);
	records_t records = { 0 };
	struct error err = { 0 };
	struct ip address = record->address;
	char text[IP_TEXT_SIZE];

	/* Under another spelling of the address it is another file. */
	if (!streq(strrchr(record->file, '/') + 1 + OWNER_HASH_SIZE, ip_format(&address, text)))
		return;

	fuzz_check(record_write(&owner, &address, "", &err) >= 0, "%s", err.message);
	fuzz_check(record_list(&owner, arena, &records, &err) == 0, "%s", err.message);
	list_each(again, &records)
		fuzz_check(streq(again->owner.container, owner.container) &&
				   streq(again->zone, zone),
			   "zone %s was %s", again->zone, zone);
	take_away(&records);
}

static void read_record(const char *name, const char *text, size_t size, struct arena *arena)
{
	const owners_t none = { 0 };
	char hash[OWNER_HASH_SIZE];
	records_t records = { 0 }, stale = { 0 };
	struct error err = { 0 };

	owner_hash(&owner, hash);
	if (!alone || strchr(name, '/') || strlen(name) > 100)
		return;
	put(*name == '.' ? arena_printf(arena, FOLDER "/.%s-%s", hash, name + 1)
			 : arena_printf(arena, FOLDER "/%s-%s", hash, name),
	    text, size);
	fuzz_check(record_list(&owner, arena, &records, &err) == 0, "%s", err.message);
	fuzz_check(record_list_stale("net", &none, arena, &stale, &err) == 0, "%s", err.message);
	fuzz_check(records.n <= 1 && records.n == stale.n, "%zu and %zu of one", records.n,
		   stale.n);
	if (records.n && records.items->address.family)
		write_again(records.items, arena);
	take_away(&records);
}

static void read_table(char *text, struct arena *arena)
{
	struct legacy_table table = { .name = "nat", .family = RULE_IP };
	nft_rules_t rules = { 0 };
	struct owner whose;
	size_t n = 0;

	legacy_parse(arena, text, &table);
	list_each(rule, &table.rules) {
		fuzz_check(rule->chain && rule->info.comment && rule->info.target, "half a rule");
		fuzz_check(rule->info.handle == n++, "rule %zu is not where it is", n);
		legacy_rules(&table, rule->chain, arena, &rules);
		fuzz_check(rules.n, "nothing in the chain %s of a rule", rule->chain);
		if (comment_owner(rule->info.comment, arena, &whose))
			fuzz_check(whose.network || whose.container, "of nobody");
	}
	list_each(chain, &table.chains)
		fuzz_check(legacy_has_chain(&table, *chain), "no %s", *chain);
}

static struct nft_value take_value(const char **data, size_t *left)
{
	struct nft_value value = { .size = *left ? (unsigned char)**data : 0 };

	if (value.size > NFT_VALUE_SIZE)
		value.size = NFT_VALUE_SIZE;
	if (value.size + 1 > *left)
		value.size = *left ? *left - 1 : 0;
	memcpy(value.bytes, *data + (*left > 0), value.size);
	*data += value.size + (*left > 0);
	*left -= value.size + (*left > 0);
	return value;
}

static void read_port(const char *data, size_t left, struct arena *arena)
{
	struct port_maps maps = { .i = PORTMAP_V4 };
	const struct nft_set *sets[] = { &maps.any, &maps.address };
	struct nft_element element = { .key = take_value(&data, &left) };

	element.data = take_value(&data, &left);
	element.comment = arena_memdup(arena, data, left);
	for (maps.i = PORTMAP_V4; maps.i <= PORTMAP_V6; maps.i++)
		for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
			struct port_use use;

			if (port_use_read(&maps, sets[i], &element, &use))
				fuzz_check(*port_owner_text(arena, use.comment), "of nobody");
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size, *head = fuzz_line(&text);

	if (strncmp(head, "record ", 7) == 0)
		read_record(head + 7, text, (size_t)(end - text), &arena);
	else if (streq(head, "table"))
		read_table(text, &arena);
	else if (streq(head, "port"))
		read_port(text, (size_t)(end - text), &arena);
	return 0;
}
