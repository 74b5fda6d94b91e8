/* The plugin's side of a call, and the tables of both. Whatever the other side does, each step has a deadline. */
#include "dhcp/call.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/text.h"
#include "describe/json.h"
#include "dhcp/client.h"

enum { READ_STEP = 4096 };

/* clang-format off */
const char *const call_verb_names[] = {
	[CALL_ALLOCATE] = "allocate", [CALL_CHECK] = "check",   [CALL_RELEASE] = "release",
	[CALL_GC] = "gc",             [CALL_STATUS] = "status", [CALL_LIST] = "list", NULL,
};

static const struct field attachment_fields[] = {
	{ "container", FIELD_STRING, offsetof(struct owner, container), .flags = FIELD_REQUIRED },
	{ "ifname",    FIELD_STRING, offsetof(struct owner, ifname),    .flags = FIELD_REQUIRED },
	FIELDS_END
};

#define CALL(member) offsetof(struct dhcp_call, member)
const struct field dhcp_call_fields[] = {
	{ "protocol",    FIELD_INT,    CALL(protocol),    .flags = FIELD_REQUIRED },
	{ "verb",        FIELD_ENUM,   CALL(verb),        .flags = FIELD_REQUIRED | FIELD_KEEP_EMPTY,
	  .names = call_verb_names },
	{ "network",     FIELD_STRING, CALL(network) },
	{ "container",   FIELD_STRING, CALL(container) },
	{ "ifname",      FIELD_STRING, CALL(ifname) },
	{ "netns",       FIELD_STRING, CALL(netns) },
	{ "options",     FIELD_OBJECT, CALL(options),     .fields = dhcp_options_fields },
	{ "address",     FIELD_IP,     CALL(address) },
	{ "attachments", FIELD_LIST,   CALL(attachments), .element = FIELD_OBJECT,
	  .size = sizeof(struct owner), .fields = attachment_fields },
	FIELDS_END
};

#define ENTRY(member) offsetof(struct dhcp_entry, member)
const struct field dhcp_entry_fields[] = {
	{ "network",   FIELD_STRING, ENTRY(network),   .help = "name of the network" },
	{ "container", FIELD_STRING, ENTRY(container), .help = "container id" },
	{ "ifname",    FIELD_STRING, ENTRY(ifname),    .help = "its interface" },
	{ "netns",     FIELD_STRING, ENTRY(netns),     .help = "its network namespace" },
	{ "state",     FIELD_ENUM,   ENTRY(state),     .names = dhcp_state_names, .flags = FIELD_KEEP_EMPTY,
	  .help = "what is going on" },
	{ "usable",    FIELD_BOOL,   ENTRY(usable),    .flags = FIELD_KEEP_EMPTY, .help = "the lease is valid" },
	{ "address",   FIELD_CIDR,   ENTRY(address),   .help = "leased address" },
	{ "server",    FIELD_IP,     ENTRY(server),    .help = "DHCP server" },
	{ "mac",       FIELD_MAC,    ENTRY(mac),       .help = "hardware address of the interface" },
	{ "forever",   FIELD_BOOL,   ENTRY(forever),   .help = "the lease does not end" },
	{ "expires",   FIELD_INT64,  ENTRY(expires),   .help = "seconds until the lease ends" },
	{ "renews",    FIELD_INT64,  ENTRY(renews),    .help = "seconds until it is renewed" },
	FIELDS_END
};

#define ANSWER(member) offsetof(struct dhcp_answer, member)
const struct field dhcp_answer_fields[] = {
	{ "protocol", FIELD_INT,    ANSWER(protocol), .flags = FIELD_REQUIRED },
	{ "wait",     FIELD_INT64,  ANSWER(wait_ms),  .max = INT32_MAX },
	{ "errnum",   FIELD_INT,    ANSWER(errnum) },
	{ "code",     FIELD_INT,    ANSWER(code) },
	{ "error",    FIELD_STRING, ANSWER(error) },
	{ "details",  FIELD_STRING, ANSWER(details) },
	{ "lease",    FIELD_OBJECT, ANSWER(lease),    .fields = dhcp_lease_fields,
	  .seen = FIELD_SEEN(struct dhcp_answer, has_lease) },
	{ "leases",   FIELD_LIST,   ANSWER(leases),   .element = FIELD_OBJECT,
	  .size = sizeof(struct dhcp_entry), .fields = dhcp_entry_fields },
	FIELDS_END
};
/* clang-format on */

/* In the words of the reference, which some look for: "connect: no such file or directory". */
static int dial_error(const char *socket, int errnum, struct error *err)
{
	char text[128];

	snprintf(text, sizeof(text), "%s", strerror(errnum));
	text[0] = (char)tolower((unsigned char)text[0]);
	fail_code(err, CNI_TRY_AGAIN_LATER, errnum,
		  "error dialing DHCP daemon: dial unix %s: connect: %s", socket, text);
	if (err)
		snprintf(err->details, sizeof(err->details),
			 "the daemon must run on the node: cnibox dhcp daemon");
	return -errnum;
}

/* A queue that is full makes connect() wait, as long as a send may take. */
int call_dial(const char *path, int *fd, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval most = { .tv_sec = CALL_WAIT_MS / 1000 };
	auto_close int new = -1;

	*fd = -1;
	if (strlen(path) >= sizeof(address.sun_path))
		return dial_error(path, ENAMETOOLONG, err);
	memcpy(address.sun_path, path, strlen(path) + 1);
	new = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (new < 0 || setsockopt(new, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) < 0)
		return fail_errno(err, errno, "open a socket");
	if (connect(new, (struct sockaddr *)&address, sizeof(address)) < 0)
		return dial_error(path, errno, err);
	if (fcntl(new, F_SETFL, O_NONBLOCK) < 0)
		return fail_errno(err, errno, "open a socket");
	*fd = take_fd(&new);
	return 0;
}

static int wait_until(int fd, short events, int64_t deadline, struct error *err)
{
	struct pollfd ready = { .fd = fd, .events = events };
	int64_t left = deadline - clock_ms();
	int n = left > 0 ? poll(&ready, 1, left > INT32_MAX ? INT32_MAX : (int)left) : 0;

	if (n > 0 || (n < 0 && errno == EINTR))
		return 0;
	if (n < 0)
		return fail_errno(err, errno, "wait for the DHCP daemon");
	return fail_code(err, CNI_TRY_AGAIN_LATER, ETIMEDOUT, "the DHCP daemon does not answer");
}

/* The descriptor travels with the first byte. */
static ssize_t send_some(int fd, const char *data, size_t size, int netns)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (char *)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (netns >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						   .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), &netns, sizeof(int));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static int send_line(int fd, const char *text, size_t size, int netns, struct error *err)
{
	int64_t deadline = clock_ms() + CALL_WAIT_MS;

	while (size > 0) {
		ssize_t n = send_some(fd, text, size, netns);

		if (n > 0) {
			netns = -1;
			text += n;
			size -= (size_t)n;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return 0; /* it has heard enough; maybe it says why */
		} else if (errno != EAGAIN && errno != EINTR) {
			return fail_errno(err, errno, "ask the DHCP daemon");
		} else if (wait_until(fd, POLLOUT, deadline, err)) {
			return -err->errnum;
		}
	}
	return 0;
}

/* What has been read and not used: an answer may come in the same packet as the line in front of it. */
struct reader {
	int fd;
	char *data;
	size_t size, room;
};

static void reader_free(struct reader *reader)
{
	free(reader->data);
}

static int read_more(struct reader *reader, int64_t deadline, struct error *err)
{
	ssize_t n;

	if (reader->size > CALL_MAX)
		return fail(err, EMSGSIZE, "the DHCP daemon's answer is too long");
	if (reader->room - reader->size < READ_STEP) {
		reader->room = reader->room ? 2 * reader->room : READ_STEP;
		reader->data = xrealloc(reader->data, reader->room);
	}
	if (wait_until(reader->fd, POLLIN, deadline, err))
		return -err->errnum;
	n = read(reader->fd, reader->data + reader->size, reader->room - reader->size);
	if (n == 0)
		return fail_code(err, CNI_TRY_AGAIN_LATER, ECONNRESET,
				 "the DHCP daemon hung up without an answer");
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return fail_errno(err, errno, "read the DHCP daemon's answer");
	reader->size += n > 0 ? (size_t)n : 0;
	return 0;
}

/* A line, without its end, in the arena. */
static int read_line(struct reader *reader, int64_t wait_ms, struct arena *arena, char **line,
		     size_t *size, struct error *err)
{
	int64_t deadline = clock_ms() + wait_ms;
	char *end;

	while (!reader->size || !(end = memchr(reader->data, '\n', reader->size)))
		if (read_more(reader, deadline, err))
			return -err->errnum;
	*size = (size_t)(end - reader->data);
	*line = arena_memdup(arena, reader->data, *size);
	reader->size -= *size + 1;
	memmove(reader->data, end + 1, reader->size);
	return 0;
}

static int read_answer(struct reader *reader, int64_t wait_ms, struct arena *arena,
		       struct dhcp_answer *answer, struct error *err)
{
	auto_json struct json *json = NULL;
	char *line = NULL;
	size_t size = 0;

	*answer = (struct dhcp_answer){ 0 };
	if (read_line(reader, wait_ms, arena, &line, &size, err))
		return -err->errnum;
	if (has_prefix(line, "HTTP/"))
		return fail(err, EPROTO,
			    "the DHCP daemon there is the reference's, which speaks Go's net/rpc: "
			    "stop it and start `cnibox dhcp daemon`");
	json = json_parse(line, size, NULL);
	if (!json_is_object(json) ||
	    json_decode(json, dhcp_answer_fields, answer, arena, NULL) < 0 ||
	    answer->protocol != CALL_PROTOCOL)
		return fail(err, EPROTO, "the DHCP daemon there speaks another protocol");
	return 0;
}

int call_ask(int fd, const struct dhcp_call *call, int netns, struct arena *arena,
	     struct dhcp_answer *answer, struct error *err)
{
	struct reader reader on_leave(reader_free) = { .fd = fd };
	auto_json struct json *json = json_encode(dhcp_call_fields, call);
	const char *line = arena_printf(arena, "%s\n", json_text(json, JSON_STYLE_COMPACT, arena));

	if (send_line(fd, line, strlen(line), netns, err) ||
	    read_answer(&reader, CALL_WAIT_MS, arena, answer, err))
		return -err->errnum;
	if (answer->wait_ms > 0 &&
	    read_answer(&reader, answer->wait_ms + CALL_WAIT_MS, arena, answer, err))
		return -err->errnum;
	if (!answer->error)
		return 0;
	fail_code(err, answer->code, answer->errnum > 0 ? answer->errnum : EIO, "%s",
		  answer->error);
	if (err && answer->details)
		snprintf(err->details, sizeof(err->details), "%s", answer->details);
	return err ? -err->errnum : -EIO;
}
