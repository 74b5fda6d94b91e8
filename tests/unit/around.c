/* Bytes and words that a process finds around it: records of inotify, control messages, shared counters, a token, the environment. */
#include "base/control.h"
#include "base/file.h"
#include "base/inotify.h"
#include "base/notify.h"
#include "cni/delegate.h"
#include "kernel/bpf_line.h"
#include "relay/worker.h"
#include "relay/tally.h"
#include "remote/kube_access.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static void hear(void *arg, const struct inotify_event *event)
{
	char *heard = arg;

	strcat(heard, event->len ? event->name : "-");
}

/* What is heard of size bytes. */
static const char *heard_of(const void *data, size_t size)
{
	static char heard[64];
	int ends[2];

	*heard = '\0';
	check_int(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	check(write(ends[1], data, size) == (ssize_t)size);
	inotify_drain(ends[0], hear, heard);
	close(ends[0]);
	close(ends[1]);
	return heard;
}

TEST(records_of_inotify_are_taken_whole)
{
	struct {
		struct inotify_event event;
		char name[16];
		struct inotify_event next;
	} records = { { .mask = IN_DELETE, .len = 16 }, "a", { .mask = IN_IGNORED } };

	check_str(heard_of(&records, sizeof(records)), "a-");
	check_str(heard_of(&records, sizeof(records) - 1), "a");
	check_str(heard_of(&records, sizeof(struct inotify_event) + 8), "");
	records.event.len = UINT32_MAX;
	check_str(heard_of(&records, sizeof(records)), "");
	records.event.len = 15;
	check_str(heard_of(&records, sizeof(records)), "");
	records.event.len = 16;
	memset(records.name, 'x', sizeof(records.name));
	check_str(heard_of(&records, sizeof(records)), "");
}

TEST(a_control_message_that_was_cut_is_none)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = IPPROTO_UDP,
				  .cmsg_type = 104 } };
	struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof(control) };
	int value = 1400, got = 7;

	memcpy(CMSG_DATA(&control.header), &value, sizeof(value));
	check(control_read(&message, IPPROTO_UDP, 104, &got, sizeof(got)));
	check_int(got, 1400);
	check(!control_read(&message, IPPROTO_UDP, 103, &got, sizeof(got)));
	control.header.cmsg_len = CMSG_LEN(2);
	check(!control_read(&message, IPPROTO_UDP, 104, &got, sizeof(got)));
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	message.msg_controllen = CMSG_LEN(2);
	check(!control_read(&message, IPPROTO_UDP, 104, &got, sizeof(got)));
	message.msg_controllen = 0;
	check(!control_read(&message, IPPROTO_UDP, 104, &got, sizeof(got)));
}

static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* Two fit where one is aligned: the second would be open for ever. */
TEST(more_descriptors_than_one_are_not_kept_by_the_relay)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(2 * sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	const int sent[2] = { STDIN_FILENO, STDIN_FILENO };
	struct plane_message message = { .n_peers = 0 }, told;
	struct iovec piece = { &message, sizeof(message) };
	struct msghdr header = { .msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	struct relay_peer *peers auto_free = NULL;
	int ends[2], before;

	memcpy(CMSG_DATA(&control.header), sent, sizeof(sent));
	check_int(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	before = next_fd();
	check_int(sendmsg(ends[0], &header, 0), (ssize_t)sizeof(message));
	check(plane_message_receive(ends[1], 8, &told, &peers));
	check_int(next_fd(), before);
	close(ends[0]);
	close(ends[1]);
}

TEST(counters_of_a_relay_are_not_believed)
{
	static struct relay_state states[2];
	auto_arena struct arena arena = { 0 };
	relay_tallies_t tallies = { 0 };
	const char *wrong = "the relay at work is of another version of cnibox";
	struct error err = { 0 };

	states[1] = (struct relay_state){ .counters = { 3 },
					  .subnet = { { AF_INET, { 10, 1, 2 } }, 24 },
					  .heard.s = UINT32_MAX };
	check_ok(relay_tallies_of(states, sizeof(states), &arena, &tallies, &err), err);
	check_int(tallies.n, 2);
	check_int(tallies.items[1].counters[0], 3);
	check_int(tallies.items[1].heard_ms, 0);
	check_fails(relay_tallies_of(states, sizeof(states) - 1, &arena, &tallies, &err), err,
		    wrong);
	check_fails(relay_tallies_of(states, 0, &arena, &tallies, &err), err, wrong);
	states[1].subnet.prefix = 33;
	check_fails(relay_tallies_of(states, sizeof(states), &arena, &tallies, &err), err, wrong);
	states[1].subnet = (struct cidr){ { 77, { 10 } }, 8 };
	check_fails(relay_tallies_of(states, sizeof(states), &arena, &tallies, &err), err, wrong);
}

static char token_file[] = "/tmp/cnibox-unit-XXXXXX";

/* The header's value for a file's content. */
static int authorize(const char *content, struct arena *arena, const char **value,
		     struct error *err)
{
	const struct kube_access access = { .token_file = token_file };
	int fd = open(token_file, O_WRONLY | O_TRUNC | O_CLOEXEC);

	check(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
	close_fd(&fd);
	return kube_access_authorization(&access, arena, value, err);
}

TEST(a_token_is_a_word)
{
	auto_arena struct arena arena = { 0 };
	const char *empty, *value = NULL;
	struct error err = { 0 };
	int fd = mkstemp(token_file);

	close_fd(&fd);
	empty = arena_printf(&arena, "the token for the API server: %s is empty", token_file);
	check_ok(authorize("eyJ.x.y\n", &arena, &value, &err), err);
	check_str(value, "Bearer eyJ.x.y");
	check_ok(authorize("\n eyJ.x.y \nX-Header: no", &arena, &value, &err), err);
	check_str(value, "Bearer eyJ.x.y");
	check_fails(authorize("", &arena, &value, &err), err, empty);
	check_fails(authorize(" \n", &arena, &value, &err), err, empty);
	unlink(token_file);
}

TEST(the_verifiers_last_words)
{
	static const char *const logs[][2] = {
		{ "0: (79) r1 = 0\nR1 is no pointer\nprocessed 1 insns\nmore", "R1 is no pointer" },
		{ "one line", "one line" },
		{ "a\nb\n\n", "b" },
		{ "\n\n", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
		char log[128];

		snprintf(log, sizeof(log), "%s", logs[i][0]);
		check_str(bpf_last_words(log), logs[i][1]);
	}
}

TEST(where_a_service_manager_listens)
{
	static const struct {
		const char *name;
		int len; /* of the name in the address, 0 = none */
	} cases[] = { { "/run/notify", 12 }, { "@hidden", 7 }, { "@", 0 },
		      { "vsock:2:1", 0 },    { "", 0 },        { "run", 0 } };
	struct sockaddr_un address;
	char name[200];
	socklen_t size;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setenv("NOTIFY_SOCKET", cases[i].name, 1);
		check_int(notify_socket(&address, &size), cases[i].len != 0);
		if (cases[i].len)
			check_int(size,
				  offsetof(struct sockaddr_un, sun_path) + (size_t)cases[i].len);
	}
	memset(name, '/', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	check(!notify_socket(&address, &size));
	unsetenv("NOTIFY_SOCKET");
	check(!notify_socket(&address, &size));
}

TEST(a_plugin_that_cannot_be_looked_at_is_not_just_missing)
{
	char folder[] = "/tmp/cnibox-unit-XXXXXX", path[sizeof(folder) + 32];
	auto_arena struct arena arena = { 0 };
	struct delegate delegate;
	struct error err = { 0 };
	const char *missing;

	check(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/theirs", folder);
	missing = arena_printf(&arena, "failed to find plugin \"theirs\" in path [%s]", folder);
	check_fails(delegate_find("theirs", folder, NULL, &delegate, &err), err, missing);
	check_int(symlink("theirs", path), 0);
	check_fails(delegate_find("theirs", folder, NULL, &delegate, &err), err,
		    arena_printf(&arena, "%s: Too many levels of symbolic links", missing));
	unlink(path);
	rmdir(folder);
}
