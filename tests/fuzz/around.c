/*
 * What a process finds around it: variables that a service manager or a cluster sets, /sys, the token of a service account, URLs,
 * the log of the kernel's verifier, records of inotify, control messages, and the counters that a relay's process shares.
 *
 * Input: a line that says which of them, and its text. "environment": lines NAME=VALUE, where @pid@ is our own; "sys": lines "link PATH
 * TARGET", "file PATH TEXT" or "folder PATH", and "ask WORD", which is looked up as a device of each kind.
 */
#include "scratch.h"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/control.h"
#include "base/file.h"
#include "base/inotify.h"
#include "base/notify.h"
#include "base/process.h"
#include "base/text.h"
#include "describe/field.h"
#include "dhcp/listen.h"
#include "kernel/bpf_line.h"
#include "kernel/sysfs.h"
#include "relay/tally.h"
#include "remote/http.h"
#include "remote/kube_access.h"

static bool alone; /* /sys is ours */

int LLVMFuzzerInitialize(int *n_words, char ***words);

int LLVMFuzzerInitialize(unused int *n_words, unused char ***words)
{
	alone = (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("none", "/sys", "tmpfs", 0, "mode=755") == 0;
	if (!alone)
		fprintf(stderr, "fuzz: no namespace of its own: /sys is not read\n");
	return 0;
}

/* ---- the environment ---- */

static const char *const names[] = { "NOTIFY_SOCKET",
				     "WATCHDOG_USEC",
				     "WATCHDOG_PID",
				     "LISTEN_PID",
				     "LISTEN_FDS",
				     "PATH",
				     "KUBERNETES_SERVICE_HOST",
				     "KUBERNETES_SERVICE_PORT" };

static void set_variables(char *text, struct arena *arena)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
	for (unsigned n = 0; *text && n < 16; n++) {
		char *line = fuzz_line(&text), *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (streq(value, "@pid@"))
			value = arena_printf(arena, "%ld", (long)getpid());
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (streq(line, names[i]))
				setenv(line, value, 1);
	}
}

/* Descriptor 3 is no listening socket here; one of our own is made in the scratch folder. */
static void listen_once(struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/run/socket", scratch_empty());
	auto_close int fd = -1;
	struct error err = { 0 };
	bool own = false;

	if (listen_open(path, &fd, &own, &err) < 0)
		fuzz_check(*err.message && fd < 0, "no word about what is wrong");
	else
		fuzz_check(own && fd >= 0 && access(path, F_OK) == 0, "it listens nowhere");
}

static void environment(char *text, struct arena *arena)
{
	struct sockaddr_un address = { 0 };
	struct kube_access access;
	struct error err = { 0 };
	char path[64] = "";
	socklen_t size = 0;

	set_variables(text, arena);
	fuzz_check(notify_watchdog_ms() <= 3600000, "%u ms", notify_watchdog_ms());
	if (notify_socket(&address, &size))
		fuzz_check(size > offsetof(struct sockaddr_un, sun_path) + 1 &&
				   size <= sizeof(address) &&
				   (*address.sun_path == '/' || !*address.sun_path),
			   "an address of %u bytes", size);
	if (process_find("sh", path, sizeof(path)))
		fuzz_check(has_suffix(path, "/sh"), "%s is no sh", path);
	if (kube_access_in_cluster(getenv("KUBERNETES_SERVICE_HOST"),
				   getenv("KUBERNETES_SERVICE_PORT"), arena, &access, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	else
		fuzz_check(has_prefix(access.server, "https://") && access.token_file, "no server");
	listen_once(arena);
}

/* ---- /sys ---- */

static int remove_entry(const char *path, unused const struct stat *st, unused int kind,
			struct FTW *place)
{
	return place->level ? remove(path) : 0;
}

/* Where it may be made; NULL: nowhere. Its folder is made. */
static const char *place(const char *path, struct arena *arena)
{
	char *folder, *slash;

	if (!has_prefix(path, "/sys/") || strlen(path) > 1000 || strstr(path, ".."))
		return NULL;
	folder = arena_strdup(arena, path);
	slash = strrchr(folder, '/');
	*slash = '\0';
	return dir_make(folder, 0755, NULL) == 0 ? path : NULL;
}

static void check_name(int r, const char *name, const struct error *err)
{
	fuzz_check(r == 0 ? field_valid_ifname(name) : *err->message != '\0',
		   "an interface called %s", name);
}

static void ask(const char *word)
{
	char name[16], address[SYSFS_PCI_SIZE] = "", driver[32];
	int (*const kinds[])(const char *, char *,
			     struct error *) = { sysfs_pci_interface, sysfs_auxiliary_interface,
						 sysfs_path_interface, sysfs_address_interface };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct error err = { 0 };
		int r = kinds[i](word, name, &err);

		check_name(r, name, &err);
	}
	sysfs_pci_driver(word, driver, sizeof(driver));
	fuzz_check(!strchr(driver, '/'), "a driver called %s", driver);
	if (sysfs_interface_pci(word, address))
		fuzz_check(sysfs_pci_parse(address, NULL), "%s", address);
	(void)(sysfs_has_pci(word) + sysfs_has_auxiliary(word) + sysfs_has_path(word));
}

static void sys(char *text, struct arena *arena)
{
	if (!alone)
		return;
	nftw("/sys", remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	for (unsigned n = 0; *text && n < 32; n++) {
		char *line = fuzz_line(&text), *kind = strsep(&line, " ");
		const char *path, *rest;

		if (streq(kind, "ask")) {
			ask(line ? line : "");
			continue;
		}
		path = line ? place(strsep(&line, " "), arena) : NULL;
		rest = line ? line : "";
		if (!path)
			continue;
		if (streq(kind, "link"))
			(void)!symlink(rest, path);
		else if (streq(kind, "file"))
			scratch_write(path, rest, strlen(rest));
		else if (streq(kind, "folder"))
			mkdir(path, 0755);
	}
}

/* ---- words ---- */

static void token(const char *text, size_t size, struct arena *arena)
{
	struct kube_access access = {
		.token_file = arena_printf(arena, "%s/token", scratch_empty()),
	};
	const char *value = NULL;
	struct error err = { 0 };

	scratch_write(access.token_file, text, size);
	if (kube_access_authorization(&access, arena, &value, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	else
		fuzz_check(value && has_prefix(value, "Bearer ") && value[7] &&
				   !strpbrk(value + 7, "\r\n \t"),
			   "a header of %s", value ? value : "nothing");
}

static void url(const char *text, struct arena *arena)
{
	const char *host = http_host(text, arena);

	fuzz_check(strlen(host) <= 256 && !strpbrk(host, "@/?#"), "the host is %s", host);
}

static void verifier_log(char *text)
{
	const char *words = bpf_last_words(text);

	fuzz_check(!strchr(words, '\n'), "more than a line: %s", words);
}

/* ---- bytes ---- */

static void hear(void *arg, const struct inotify_event *event)
{
	*(size_t *)arg += sizeof(*event) + event->len;
	fuzz_check(!event->len || strlen(event->name) < event->len, "a name without end");
}

static void events(const char *data, size_t size)
{
	size_t heard = 0;
	int ends[2];

	if (size > 65536 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	fuzz_check(write(ends[1], data, size) == (ssize_t)size, "the pipe is full");
	inotify_drain(ends[0], hear, &heard);
	fuzz_check(heard <= size, "%zu of %zu bytes", heard, size);
	close(ends[0]);
	close(ends[1]);
}

/* Each in a buffer of its own, so that reading past its end is seen. */
static void control(const char *data, size_t size)
{
	struct msghdr message = { .msg_controllen = size };
	uint8_t value[20];
	int number = 0;

	message.msg_control = xrealloc(NULL, size ? size : 1);
	memcpy(message.msg_control, data, size);
	(void)control_read(&message, SOL_SOCKET, SCM_RIGHTS, &number, sizeof(number));
	(void)control_read(&message, 263, 8, value, sizeof(value)); /* of a packet socket */
	free(message.msg_control);
}

static void counters(const char *data, size_t size, struct arena *arena)
{
	relay_tallies_t tallies = { 0 };
	struct error err = { 0 };
	char text[CIDR_TEXT_SIZE];
	struct cidr again;

	if (relay_tallies_of(data, size, arena, &tallies, &err) < 0) {
		fuzz_check(*err.message, "no word about what is wrong");
		return;
	}
	list_each(tally, &tallies) {
		fuzz_check(tally->heard_ms >= 0, "it is heard in %lld ms",
			   (long long)-tally->heard_ms);
		fuzz_check(!tally->subnet.ip.family ||
				   cidr_parse(cidr_format(&tally->subnet, text), &again),
			   "%s", text);
		fuzz_check(!tally->subnet6.ip.family ||
				   cidr_parse(cidr_format(&tally->subnet6, text), &again),
			   "%s", text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size;
	const char *kind = fuzz_line(&text);
	size_t left = (size_t)(end - text);

	if (streq(kind, "environment"))
		environment(text, &arena);
	else if (streq(kind, "sys"))
		sys(text, &arena);
	else if (streq(kind, "token"))
		token(text, left, &arena);
	else if (streq(kind, "url"))
		url(text, &arena);
	else if (streq(kind, "log"))
		verifier_log(text);
	else if (streq(kind, "events"))
		events(text, left);
	else if (streq(kind, "control"))
		control(text, left);
	else if (streq(kind, "counters"))
		counters(text, left, &arena);
	return 0;
}
