/* What fuzzing found and no table of another file has a place for. */
#include "base/text.h"
#include "cni/netlist.h"
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
