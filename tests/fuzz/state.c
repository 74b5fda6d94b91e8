/*
 * What plugins and daemons find on disk of earlier ones, and are told by each other: leases of DHCP and the calls about them,
 * configurations kept for delegates, backups of what was tuned, the administrator's list of sysctls, the token that `path` goes on
 * with. What can be read is written, and read again as the same.
 *
 * Input: a line that says which of them, and its text; "@boot@" in it stands for the machine's boot.
 */
#include "scratch.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/file.h"
#include "cni/allowlist.h"
#include "cni/backup.h"
#include "cni/saved.h"
#include "describe/json.h"
#include "dhcp/call.h"
#include "dhcp/peer.h"
#include "node/walk.h"

static const struct owner owner = { "net", "ctr", "eth0" };

static void read_leases(const char *text, size_t size, struct arena *arena)
{
	dhcp_records_t records = { 0 }, again = { 0 };
	struct error err = { 0 };
	unsigned bad = 0;

	scratch_write(arena_printf(arena, "%s/1.json", scratch_empty()), text, size);
	fuzz_check(store_read(scratch, arena, &records, &bad, &err) == 0, "%s", err.message);
	fuzz_check(records.n + bad <= 1, "%zu and %u of one", records.n, bad);
	if (!records.n)
		return;
	fuzz_check(dhcp_lease_renew(&records.items->lease) <= dhcp_lease_end(&records.items->lease),
		   "it is renewed when it has ended");
	scratch_empty();
	fuzz_check(store_write(scratch, records.items, &err) == 0, "%s", err.message);
	fuzz_check(store_read(scratch, arena, &again, &bad, &err) == 0 && again.n == 1,
		   "it cannot be read again: %s", err.message);
	fuzz_check(cidr_equal(&records.items->lease.address, &again.items->lease.address) &&
			   records.items->lease.routes.n == again.items->lease.routes.n,
		   "a lease is not what it was");
}

/* Calls and answers of the daemon: their tables, there and back. */
static void read_words(const struct field *fields, const char *text, size_t size, void *out,
		       void *copy, struct arena *arena)
{
	auto_json struct json *json = json_parse(text, size, NULL), *written = NULL;
	auto_json struct json *again = NULL;
	struct error err = { 0 };
	const char *first;

	if (!json || json_decode(json, fields, out, arena, &err) < 0)
		return;
	written = json_encode(fields, out);
	first = json_text(written, JSON_STYLE_COMPACT, arena);
	if (json_decode(written, fields, copy, arena, &err) < 0)
		fuzz_check(strstr(err.message, "required"), "%s: %s", err.message, first);
	again = json_encode(fields, copy);
	fuzz_check(*err.message || streq(first, json_text(again, JSON_STYLE_COMPACT, arena)),
		   "%s is not what it was", first);
}

/* The daemon's words as the plugin hears them on the socket; then it hangs up. */
static void ask_daemon(const char *text, size_t size, struct arena *arena)
{
	const struct dhcp_call call = { .protocol = CALL_PROTOCOL, .verb = CALL_ALLOCATE };
	struct dhcp_answer answer;
	struct error err = { 0 };
	int ends[2], r;

	if (size > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	fuzz_check(send(ends[1], text, size, MSG_NOSIGNAL) == (ssize_t)size, "it does not fit");
	shutdown(ends[1], SHUT_WR);
	r = call_ask(ends[0], &call, -1, arena, &answer, &err);
	fuzz_check(r == 0 ? !answer.error : r < 0 && err.errnum > 0, "%d: %s", r, err.message);
	close(ends[0]);
	close(ends[1]);
}

static void answer(unused void *arg, struct peer *peer, unused const struct dhcp_call *call,
		   unused int *netns)
{
	peer_answer(peer, &(struct dhcp_answer){ .error = "no" });
}

static void gone(unused void *arg, unused struct peer *peer)
{
	fuzz_check(false, "it has its answer");
}

/* All that the daemon says, up to its end; "" is fine, too: who says no line gets none. */
static void hear(struct loop *loop, void *arg)
{
	static char answer[65536];
	ssize_t n = recv(*(int *)arg, answer, sizeof(answer), MSG_DONTWAIT);

	if (n > 0)
		fuzz_check(answer[n - 1] == '\n', "half a line");
	else
		loop_stop(loop, 0);
}

static int listen_and_connect(int *client)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(name);
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fuzz_check(bind(listening, (struct sockaddr *)&name, sizeof(sa_family_t)) == 0 &&
			   getsockname(listening, (struct sockaddr *)&name, &size) == 0 &&
			   listen(listening, 1) == 0 &&
			   connect(*client, (struct sockaddr *)&name, size) == 0,
		   "no socket");
	return listening;
}

/* Somebody's words as the daemon hears them on its socket. */
static void tell_daemon(const char *text, size_t size)
{
	const struct peer_handler handler = { NULL, answer, gone };
	auto_close int client = -1;
	auto_loop struct loop *loop = NULL;
	struct peers *peers = NULL;
	struct error err = { 0 };
	int listening;

	if (size > 65536)
		return;
	listening = listen_and_connect(&client);
	fuzz_check(send(client, text, size, MSG_NOSIGNAL) == (ssize_t)size, "it does not fit");
	shutdown(client, SHUT_WR);
	fuzz_check(loop_open(&loop, &err) == 0 &&
			   peers_open(&peers, loop, listening, &handler, &err) == 0 &&
			   loop_watch(loop, client, EPOLLIN, hear, &client, &err) == 0 &&
			   loop_run(loop, &err) == 0,
		   "%s", err.message);
	peers_close(peers);
}

static void read_saved(const char *text, size_t size, struct arena *arena)
{
	auto_saved struct saved saved = { 0 }, before = { 0 };
	auto_saved_list saved_list_t list = { 0 };
	struct error err = { 0 };

	scratch_write(arena_printf(arena, "%s/ctr", scratch_empty()), text, size);
	saved_list(scratch, arena, &list);
	fuzz_check(list.n == 1, "%zu of one", list.n);
	fuzz_check(saved_find(scratch, &owner, arena, &saved), "it is lost");
	fuzz_check(!saved.config || json_is_object(saved.config), "no object");
	fuzz_check(saved_write(scratch, &owner, "{}", arena, &before, &err) == 0, "%s",
		   err.message);
	fuzz_check(saved_undo(&before, &err) == 0, "%s", err.message);
}

static void read_backup(const char *text, size_t size, struct arena *arena)
{
	struct backup_file file on_leave(backup_close) = { 0 };
	struct backup_file file_again on_leave(backup_close) = { 0 };
	const owners_t nobody = { 0 };
	struct backup backup, again;
	struct error err = { 0 };

	scratch_write(arena_printf(arena, "%s/ctr_eth0.json", scratch_empty()), text, size);
	fuzz_check(backup_read(&file, scratch, &owner, arena, &backup, &err) == 0, "%s",
		   err.message);
	fuzz_check(!backup.sysctl || json_is_object(backup.sysctl), "no object");
	fuzz_check(backup_write(&file, &backup, arena, &err) == 0, "%s", err.message);
	fuzz_check(backup_read(&file_again, scratch, &owner, arena, &again, &err) == 0, "%s",
		   err.message);
	fuzz_check(backup.mtu == again.mtu && mac_equal(&backup.mac, &again.mac) &&
			   json_length(backup.sysctl) == json_length(again.sysctl),
		   "a backup is not what it was");
	fuzz_check(backup_revert(&file, &err) == 0, "%s", err.message);
	fuzz_check(backup_gc(scratch, "net", &nobody, &err) == 0, "%s", err.message);
}

static void read_allowlist(const char *text, size_t size, struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/allowlist.conf", scratch_empty());
	struct allowlist list;
	struct error err = { 0 };

	scratch_write(path, text, size);
	fuzz_check(allowlist_read(path, arena, &list, &err) == 0 && list.present, "%s",
		   err.message);
	if (allowlist_check(&list, "net.ipv4.conf.all.arp_filter", &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
}

static void read_token(const char *text, struct arena *arena)
{
	struct token token, again;
	struct error err = { 0 };
	const char *written;

	if (token_parse(text, &token, &err) < 0) {
		fuzz_check(*err.message, "no word about what is wrong");
		return;
	}
	written = token_text(&token, arena);
	fuzz_check(token_parse(written, &again, &err) == 0, "%s", err.message);
	fuzz_check(streq(written, token_text(&again, arena)), "%s is not what it was", written);
}

static const char *boot_id(struct arena *arena)
{
	char *text = "";
	size_t size;

	if (file_read("/proc/sys/kernel/random/boot_id", 64, arena, &text, &size, NULL) < 0)
		return "";
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* For the bytes that follow: the same, with the boot's name. */
static const char *with_boot(const char *text, size_t *size, struct arena *arena)
{
	const char *mark = memmem(text, *size, "@boot@", 6), *boot = boot_id(arena);
	size_t head = mark ? (size_t)(mark - text) : 0, len = strlen(boot);
	char *copy = arena_alloc(arena, *size + len + 1);

	if (!mark)
		return text;
	memcpy(copy, text, head);
	memcpy(copy + head, boot, len);
	memcpy(copy + head + len, mark + 6, *size - head - 6);
	*size += len - 6;
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size;
	const char *kind = fuzz_line(&text);
	size_t left = (size_t)(end - text);
	struct dhcp_answer answer[2] = { 0 };
	struct dhcp_call call[2] = { 0 };

	if (streq(kind, "lease")) {
		const char *record = with_boot(text, &left, &arena);

		read_leases(record, left, &arena);
	} else if (streq(kind, "call")) {
		read_words(dhcp_call_fields, text, left, &call[0], &call[1], &arena);
	} else if (streq(kind, "answer")) {
		read_words(dhcp_answer_fields, text, left, &answer[0], &answer[1], &arena);
	} else if (streq(kind, "ask")) {
		ask_daemon(text, left, &arena);
	} else if (streq(kind, "tell")) {
		tell_daemon(text, left);
	} else if (streq(kind, "saved")) {
		read_saved(text, left, &arena);
	} else if (streq(kind, "backup")) {
		read_backup(text, left, &arena);
	} else if (streq(kind, "allowlist")) {
		read_allowlist(text, left, &arena);
	} else if (streq(kind, "token")) {
		read_token(text, &arena);
	}
	return 0;
}
