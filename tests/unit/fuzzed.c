/* What fuzzing found and no table of another file has a place for. */
#include "base/text.h"
#include "cni/delegate.h"
#include "cni/netlist.h"
#include "dhcp/call.h"
#include "kernel/addr.h"
#include "kernel/link.h"
#include "kernel/netlink_internal.h"
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

TEST(base64_that_is_none_has_no_size)
{
	static const char *const bad[] = { "YWJj!GVm", "abc", "YWJjZGV", "YWJj====", "YR==" };
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		size_t size = 17;

		check(!base64_decode(&arena, bad[i], &size));
		check_int(size, 0);
	}
}

TEST(text_in_a_list_is_never_null)
{
	static const char *const lists[] = { "[null]", "[{}]", "[\"1.0.0\", 1]" };
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		auto_networks struct networks networks = { .arena = &arena };
		const char *text =
			arena_printf(&arena, "{\"name\":\"n\",\"cniVersions\":%s}", lists[i]);
		const struct network *network;
		struct error err = { 0 };

		check(networks_add_text(&networks, text, strlen(text), &network, &err) < 0);
	}
}

/* A session whose kernel has already answered with one message. */
static struct netlink *answered(const void *reply, size_t size)
{
	struct netlink *nl = NULL;
	struct error err = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return NULL;
	check_ok(netlink_adopt(&nl, NETLINK_ROUTE, pair[0], &err), err);
	check(send(pair[1], reply, size, 0) == (ssize_t)size);
	shutdown(pair[1], SHUT_WR);
	return nl; /* the kernel's end stays open, so that sending works */
}

TEST(an_error_that_repeats_more_than_there_is_breaks_the_protocol)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} reply = {
		.header = { .nlmsg_len = sizeof(reply),
			    .nlmsg_type = NLMSG_ERROR,
			    .nlmsg_flags = NLM_F_ACK_TLVS,
			    .nlmsg_seq = 1 },
		.error = { .error = -ENODEV, .msg.nlmsg_len = 0x80000000 },
	};
	auto_netlink struct netlink *nl = answered(&reply, sizeof(reply));
	struct error err;

	link_queue_del(nl, "eth0");
	check_fails(netlink_commit(nl, &err), err,
		    "delete link eth0: netlink: malformed error reply");
}

TEST(the_end_of_a_dump_with_an_impossible_error_breaks_the_protocol)
{
	struct {
		struct nlmsghdr header;
		int result;
	} reply = { { .nlmsg_len = sizeof(reply), .nlmsg_type = NLMSG_DONE, .nlmsg_seq = 2 },
		    INT_MIN };
	auto_netlink struct netlink *nl = answered(&reply, sizeof(reply));
	auto_arena struct arena arena = { 0 };
	addrs_t addrs = { 0 };
	struct error err;

	check_fails(addr_list(nl, 0, 0, &arena, &addrs, &err), err,
		    "list addresses: netlink: malformed end of a dump");
}

TEST(a_code_that_is_none_and_no_words_are_not_passed_on)
{
	static const struct {
		const char *output, *message;
		int code;
	} rows[] = {
		{ "{\"code\": 7, \"msg\": \"it says\"}", "it says", 7 },
		{ "{\"code\": 4294967148, \"msg\": \"it says\"}", "it says", CNI_INTERNAL },
		{ "{\"code\": -5, \"msg\": \"it says\"}", "it says", CNI_INTERNAL },
		{ "{\"msg\": \"it says\"}", "it says", CNI_INTERNAL },
		{ "{\"code\": 7, \"msg\": \"\"}", "exit status 1", 7 },
	};
	const struct delegate theirs = { .path = "/opt/theirs" };
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct process_result done = { .status = 1,
						     .output = (char *)rows[i].output,
						     .output_size = strlen(rows[i].output),
						     .errors = "" };
		struct error err = { 0 };

		check_fails(delegate_heard(&theirs, &done, &arena, NULL, &err), err,
			    rows[i].message);
		check_int(err.code, rows[i].code);
	}
}

TEST(a_daemon_that_lets_wait_for_ever_speaks_another_protocol)
{
	static const char words[] = "{\"protocol\":1,\"wait\":9223372036854775807}\n";
	const struct dhcp_call call = { .protocol = CALL_PROTOCOL };
	auto_arena struct arena arena = { 0 };
	struct dhcp_answer answer;
	struct error err = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return;
	check(write(pair[1], words, strlen(words)) == (ssize_t)strlen(words));
	shutdown(pair[1], SHUT_WR);
	check_fails(call_ask(pair[0], &call, -1, &arena, &answer, &err), err,
		    "the DHCP daemon there speaks another protocol");
	close(pair[0]);
	close(pair[1]);
}
