/*
 * What comes from a store of leases, and lies beside one: the network's configuration, messages of the store's process and the options
 * it is given, snapshots, the files of a folder that many write to, and the one that people write. What can be read is written, and read again as the same.
 *
 * Input: a line that says which of them, and its text.
 */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/frame.h"
#include "lease/kv_file_known.h"
#include "lease/network.h"
#include "lease/place.h"
#include "lease/snapshot.h"

static void check_family(const struct network_family *family)
{
	if (!family->enabled)
		return;
	fuzz_check(family->subnet_len > family->network.prefix &&
			   family->subnet_len <= (int)ip_bits(&family->network.ip),
		   "subnets of %d in %d", family->subnet_len, family->network.prefix);
	fuzz_check(ip_compare(&family->min, &family->max) <= 0, "no subnet between its bounds");
	fuzz_check(cidr_contains(&family->network, &family->min) &&
			   cidr_contains(&family->network, &family->max),
		   "subnets outside of the network");
}

static void read_config(const char *text, size_t size, struct arena *arena)
{
	struct network_config config = { 0 };
	struct error err = { 0 };

	if (network_config_decode(text, size, false, arena, &config, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	err = (struct error){ 0 };
	if (network_config_decode(text, size, true, arena, &config, &err) < 0) {
		fuzz_check(*err.message, "no word about what is wrong");
		return;
	}
	fuzz_check(config.backend.type && *config.backend.type, "no way");
	check_family(&config.v4);
	check_family(&config.v6);
}

static void read_words(const struct lease_words *words, struct arena *arena)
{
	struct subnet_lease lease, again;
	struct lease_words written;
	struct error err = { 0 };

	if (lease_words_read(words, arena, &lease, &err) < 0) {
		fuzz_check(*err.message, "no word about what is wrong");
		return;
	}
	written = lease_words_of(&lease, arena);
	fuzz_check(lease_words_read(&written, arena, &again, &err) == 0, "%s", err.message);
	fuzz_check(subnet_same(&lease, &again), "%s has other subnets", written.key);
}

static void read_message(const char *text, size_t size, struct arena *arena)
{
	struct lease_store_message message, again;
	struct error err = { 0 };
	const char *written;

	if (lease_store_message_parse(text, size, arena, &message, &err) < 0) {
		fuzz_check(*err.message, "no word about what is wrong");
		return;
	}
	list_each(lease, &message.leases)
		fuzz_check(lease->type, "a lease of no type");
	read_words(&message.own, arena);
	read_words(&message.want, arena);
	written = lease_store_message_text(&message, arena);
	fuzz_check(lease_store_message_parse(written, strlen(written), arena, &again, &err) == 0,
		   "%s", err.message);
	fuzz_check(streq(written, lease_store_message_text(&again, arena)), "%s is not what it was",
		   written);
}

static void read_snapshot(const char *text, size_t size, struct arena *arena)
{
	const struct lease_snapshot snapshot = {
		.path = arena_printf(arena, "%s/snapshot", scratch_empty()), .origin = "here"
	};
	struct lease_store_message state, again;
	struct error err = { 0 };
	int r;

	scratch_write(snapshot.path, text, size);
	r = lease_snapshot_load(&snapshot, arena, &state, &err);
	if (r < 0) {
		fuzz_check(r == -ENOENT || *err.message, "no word about what is wrong");
		return;
	}
	fuzz_check(lease_snapshot_save(&snapshot, &state, &err) == 0, "%s", err.message);
	fuzz_check(lease_snapshot_load(&snapshot, arena, &again, &err) == 0, "%s", err.message);
	fuzz_check(streq(lease_store_message_text(&state, arena),
			 lease_store_message_text(&again, arena)),
		   "a snapshot is not what it was");
}

static void read_file(const char *text)
{
	struct known_file *known = known_file_new("10.1.0.0-24", text);

	fuzz_check(known->revision && streq(known->name, "10.1.0.0-24"), "no name, or no revision");
	fuzz_check(strlen(known->value) == known->size, "%zu bytes of value", known->size);
	fuzz_check(known_file_left(known) >= -1, "its life is %lld", (long long)known->ends_ms);
	free(known);
}

static void read_static(const char *text, size_t size, struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/static", scratch_empty());
	auto_kv struct kv *kv = NULL;
	kv_entries_t entries = { 0 };
	struct error err = { 0 };

	scratch_write(path, text, size);
	if (kv_static_open(&kv, path, &err) < 0 ||
	    kv->engine->list(kv, "subnets/", arena, &entries, &err) < 0) {
		fuzz_check(*err.message, "no word about what is wrong");
		return;
	}
	list_each(entry, &entries) {
		struct subnet_lease lease = { 0 };
		struct kv_entry one;

		fuzz_check(kv->engine->get(kv, entry->key, arena, &one, &err) == 0 &&
				   one.revision == entry->revision,
			   "%s: %s", entry->key, err.message);
		if (subnet_value_parse(entry->value, entry->size, arena, &lease, &err) < 0)
			fuzz_check(*err.message, "no word about what is wrong");
	}
}

static void read_place(const char *data, size_t size, struct arena *arena)
{
	auto_close int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct lease_place place = { .store = NULL };
	struct error err = { 0 };

	fuzz_check(write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0,
		   "no file in memory");
	if (lease_place_read(fd, arena, &place, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
}

/* The same by who waits for each: as many, and the end is one or has a word. */
static void receive_frames(const char *data, size_t size, size_t expected, struct arena *arena)
{
	struct error err = { 0 };
	size_t total = 0, len;
	char *text;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	fuzz_check(write(ends[1], data, size) == (ssize_t)size, "the pipe is full");
	close(ends[1]);
	while ((r = frame_receive(ends[0], arena, &text, &len, &err)) == 0 && text)
		total += len + FRAME_HEADER;
	fuzz_check(r == 0 || *err.message, "no word about what is wrong");
	fuzz_check(total >= expected, "%zu bytes of %zu", total, expected);
	close(ends[0]);
}

/* Bytes of a socket, in pieces: they come out whole, in order, or not at all. */
static void read_frames(const char *data, size_t size, struct arena *arena)
{
	struct frames frames on_leave(frames_free) = { 0 };
	size_t total = 0, step = size ? (size_t)(unsigned char)*data + 1 : 1, done;
	struct error err = { 0 };
	int ends[2], r = 1;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	for (size_t at = 0; at < size && r >= 0; at += done) {
		char *text;
		size_t len;

		done = size - at < step ? size - at : step;
		fuzz_check(write(ends[1], data + at, done) == (ssize_t)done, "the pipe is full");
		fuzz_check(frames_read(&frames, ends[0]) == 1, "nothing has come");
		while ((r = frames_take(&frames, 4096, arena, &text, &len, &err)) > 0)
			total += len + FRAME_HEADER;
	}
	fuzz_check(r >= 0 ? total + frames.size == size : *err.message != '\0', "%zu of %zu bytes",
		   total, size);
	close(ends[0]);
	close(ends[1]);
	receive_frames(data, size, total, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size;
	const char *kind = fuzz_line(&text);
	size_t left = (size_t)(end - text);

	if (streq(kind, "config"))
		read_config(text, left, &arena);
	else if (streq(kind, "message"))
		read_message(text, left, &arena);
	else if (streq(kind, "snapshot"))
		read_snapshot(text, left, &arena);
	else if (streq(kind, "file"))
		read_file(text);
	else if (streq(kind, "place"))
		read_place(text, left, &arena);
	else if (streq(kind, "static"))
		read_static(text, left, &arena);
	else if (streq(kind, "frames"))
		read_frames(text, left, &arena);
	return 0;
}
