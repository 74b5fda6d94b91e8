/* Netlink sessions against a kernel played by the test: batches, refusals, dumps, events, broken replies. */
#include "fake_kernel.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define NFT(message) (NFNL_SUBSYS_NFTABLES << 8 | (message))

static const struct ifinfomsg no_link;

static void queue(struct fake *fake, int type, const char *label)
{
	netlink_queue(fake->nl, type, 0, &no_link, sizeof(no_link), "%s", label);
}

static int count(const struct nlmsghdr *reply unused, void *arg, struct error *err unused)
{
	return (*(int *)arg)++, 0;
}

static int refuse_second(const struct nlmsghdr *reply unused, void *arg, struct error *err)
{
	return ++*(int *)arg == 2 ? fail(err, EBADMSG, "the second is bad") : 0;
}

TEST(commit_is_one_send_and_the_last_asks_for_an_ack)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	char data[4096];
	ssize_t size;

	for (int i = 0; i < 3; i++)
		queue(&fake, RTM_NEWLINK + i, "x");
	fake_ack(&fake, 3);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	check_int(netlink_sends(fake.nl), 1);
	size = fake_sent(&fake, data, sizeof(data));
	check_int(size, 3 * NLMSG_SPACE(sizeof(no_link)));
	for (unsigned i = 0; i < 3; i++) {
		check_int(fake_nth(data, size, i)->nlmsg_seq, i + 1);
		check_int(fake_nth(data, size, i)->nlmsg_type, RTM_NEWLINK + i);
		check_int(fake_nth(data, size, i)->nlmsg_flags,
			  NLM_F_REQUEST | (i == 2 ? NLM_F_ACK : 0));
	}
	check_int(fake_sent(&fake, data, sizeof(data)), -1);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err); /* empty: nothing is sent */
	check_int(netlink_sends(fake.nl), 1);
}

TEST(refusal_has_label_errno_and_the_kernels_words)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	int outcome[3] = { -1, -1, -1 };

	for (int i = 0; i < 3; i++) {
		netlink_queue(fake.nl, RTM_NEWADDR, 0, &no_link, sizeof(no_link),
			      "add address %d to %s", i, "eth0");
		netlink_outcome(fake.nl, &outcome[i]);
	}
	fake_error(&fake, 2, EEXIST, "ipv4: Address already assigned");
	fake_error(&fake, 3, ENODEV, NULL);
	check_int(netlink_commit(fake.nl, &fake.err), -EEXIST);
	check_str(fake.err.message,
		  "add address 1 to eth0: File exists (ipv4: Address already assigned)");
	check_int(fake.err.errnum, EEXIST);
	check_int(outcome[0], 0);
	check_int(outcome[1], EEXIST);
	check_int(outcome[2], ENODEV);

	queue(&fake, RTM_DELLINK, "delete link eth9");
	fake_error(&fake, 4, ENODEV, NULL);
	check_fails(netlink_commit(fake.nl, &fake.err), fake.err,
		    "delete link eth9: No such device");
}

/* Recorded from Linux 6.18 without NETLINK_CAP_ACK: the request's payload stands before the sentence. */
TEST(words_behind_an_echoed_request)
{
	static const uint8_t recorded[] =
		"\x5c\x00\x00\x00\x02\x00\x00\x02\x01\x00\x00\x00\x35\x30\x00\x00\xa1\xff\xff\xff\x30\x00\x00\x00"
		"\x10\x00\x01\x04\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		"\x00\x00\x00\x00\x10\x00\x12\x00\x0c\x00\x01\x00\x6e\x6f\x6b\x69\x6e\x64\x00\x00\x18\x00\x01\x00"
		"\x55\x6e\x6b\x6e\x6f\x77\x6e\x20\x64\x65\x76\x69\x63\x65\x20\x74\x79\x70\x65";
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	char want[256];

	snprintf(want, sizeof(want), "create nokind x: %s (Unknown device type)",
		 strerror(EOPNOTSUPP));
	queue(&fake, RTM_NEWLINK, "create nokind x");
	fake_raw(&fake, recorded, sizeof(recorded));
	check_fails(netlink_commit(fake.nl, &fake.err), fake.err, want);
}

TEST(tolerated_refusals_are_success)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	int outcome = -1;

	queue(&fake, RTM_NEWLINK, "create bridge");
	netlink_tolerate(fake.nl, ENOENT);
	netlink_tolerate(fake.nl, EEXIST);
	netlink_outcome(fake.nl, &outcome);
	queue(&fake, RTM_DELLINK, "delete");
	fake_error(&fake, 1, EEXIST, NULL);
	fake_ack(&fake, 2);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	check_int(outcome, EEXIST);

	queue(&fake, RTM_NEWLINK, "again"); /* what was tolerated is forgotten */
	fake_error(&fake, 3, EEXIST, NULL);
	check_int(netlink_commit(fake.nl, &fake.err), -EEXIST);
}

TEST(replies_go_to_whom_they_belong)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	int first = 0, second = 0;

	queue(&fake, RTM_GETLINK, "a");
	netlink_expect(fake.nl, count, &first);
	queue(&fake, RTM_GETLINK, "b");
	netlink_expect(fake.nl, count, &second);
	fake_reply(&fake, RTM_NEWLINK, 0, 77, &no_link, sizeof(no_link)); /* foreign numbers */
	fake_error(&fake, 99, EPERM, NULL);
	fake_error(&fake, 0, EPERM, NULL);
	fake_reply(&fake, RTM_NEWLINK, 0, 1, &no_link, sizeof(no_link));
	fake_reply(&fake, RTM_NEWLINK, 0, 2, &no_link, sizeof(no_link));
	fake_ack(&fake, 2);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	check_int(first, 1);
	check_int(second, 1);
}

TEST(error_of_a_reader_ends_the_commit)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	int n = 0;

	queue(&fake, RTM_GETLINK, "a");
	netlink_expect(fake.nl, refuse_second, &n);
	for (int i = 0; i < 3; i++)
		fake_reply(&fake, RTM_NEWLINK, 0, 1, &no_link, sizeof(no_link));
	fake_ack(&fake, 1);
	check_int(netlink_commit(fake.nl, &fake.err), -EBADMSG);
	check_str(fake.err.message, "the second is bad");
	check_int(n, 2);
	queue(&fake, RTM_GETLINK, "b"); /* nothing of it is left over */
	fake_ack(&fake, 2);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
}

/* Each of these must end the commit at once with -EPROTO, never be read beyond its end. */
TEST(broken_replies_are_eproto)
{
	static const struct {
		const char *what, *message;
		struct nlmsghdr header;
		size_t size;
	} cases[] = {
		{ "no header", "x: netlink: message with a wrong length", { .nlmsg_len = 16 }, 10 },
		{ "length beyond the datagram",
		  "x: netlink: message with a wrong length",
		  { .nlmsg_len = 200, .nlmsg_type = RTM_NEWLINK, .nlmsg_seq = 1 },
		  32 },
		{ "length below the header",
		  "x: netlink: message with a wrong length",
		  { .nlmsg_len = 15 },
		  32 },
		{ "short error",
		  "x: netlink: malformed error reply",
		  { .nlmsg_len = 24, .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = 1 },
		  24 },
		{ "overrun",
		  "x: netlink: data lost",
		  { .nlmsg_len = 16, .nlmsg_type = NLMSG_OVERRUN },
		  16 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
		char data[256] = { 0 };

		memcpy(data, &cases[i].header, sizeof(cases[i].header));
		queue(&fake, RTM_NEWLINK, "x");
		fake_raw(&fake, data, cases[i].size);
		check_int(netlink_commit(fake.nl, &fake.err), -EPROTO);
		check_str(fake.err.message, cases[i].message);
	}
}

TEST(positive_errno_is_eproto)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);

	queue(&fake, RTM_NEWLINK, "x");
	fake_error(&fake, 1, -5, NULL);
	check_int(netlink_commit(fake.nl, &fake.err), -EPROTO);
}

TEST(datagram_larger_than_the_buffer_is_eproto)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	static char data[40000];

	queue(&fake, RTM_NEWLINK, "x");
	fake_build(data, RTM_NEWLINK, 0, 1, &no_link, sizeof(no_link));
	fake_raw(&fake, data, sizeof(data));
	check_fails(netlink_commit(fake.nl, &fake.err), fake.err, "x: netlink: truncated reply");
}

TEST(silence_times_out)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);

	queue(&fake, RTM_NEWLINK, "x");
	check_int(netlink_commit(fake.nl, &fake.err), -ETIMEDOUT);
	check_str(fake.err.message, "x: netlink: no answer from the kernel within 5 s");
}

TEST(large_commits_are_divided)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	int outcome = 0;

	for (int i = 1; i <= 300; i++) {
		queue(&fake, RTM_NEWLINK, "x");
		if (i == 300)
			netlink_outcome(fake.nl, &outcome);
	}
	fake_ack(&fake, 128);
	fake_error(&fake, 200, EPERM, NULL);
	fake_ack(&fake, 256);
	fake_error(&fake, 300, EBUSY, NULL);
	check_int(netlink_commit(fake.nl, &fake.err), -EPERM);
	check_int(outcome, EBUSY); /* the rest is sent, too */
	check_int(netlink_sends(fake.nl), 3);
}

TEST(message_without_room_is_not_sent)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	static char large[9000];
	struct nl_msg *msg =
		netlink_queue(fake.nl, RTM_NEWLINK, 0, &no_link, sizeof(no_link), "large");
	char data[16384];

	while (nla_put(msg, 1, 1000, large) == 0)
		;
	check_fails(netlink_commit(fake.nl, &fake.err), fake.err,
		    "large: netlink message too long");
	check_int(netlink_sends(fake.nl), 0);

	msg = netlink_queue(fake.nl, RTM_NEWLINK, 0, &no_link, sizeof(no_link), "large");
	netlink_room(fake.nl, sizeof(large));
	check_int(nla_put(msg, 1, sizeof(large), large), 0);
	fake_ack(&fake, 2);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	check_int(fake_sent(&fake, data, sizeof(data)), NLMSG_SPACE(sizeof(no_link)) + 4 + 9000);
}

TEST(long_labels_are_kept)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	char name[301];

	memset(name, 'n', sizeof(name));
	name[300] = '\0';
	queue(&fake, RTM_NEWLINK, name);
	queue(&fake, RTM_NEWLINK, "second");
	check_str(netlink_label(fake.nl, 0), name);
	check_str(netlink_label(fake.nl, 1), "second");
	check(netlink_label(fake.nl, 2) == NULL);
	netlink_discard(fake.nl);
	check(netlink_queued(fake.nl, 0) == NULL);
}

static const struct nfgenmsg nft_header = { .nfgen_family = 1 };

static void queue_nft(struct fake *fake, int type, const char *label)
{
	netlink_queue(fake->nl, NFT(type), 0, &nft_header, sizeof(nft_header), "%s", label);
}

TEST(changes_of_nftables_travel_in_a_batch)
{
	auto_fake struct fake fake = fake_open(NETLINK_NETFILTER);
	const struct nlmsghdr *message;
	char data[4096];
	ssize_t size;

	queue_nft(&fake, NFT_MSG_NEWTABLE, "a");
	queue_nft(&fake, NFT_MSG_NEWCHAIN, "b");
	fake_ack(&fake, 2);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	size = fake_sent(&fake, data, sizeof(data));
	message = fake_nth(data, size, 0);
	check_int(message->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
	check_int(ntohs(((struct nfgenmsg *)NLMSG_DATA(message))->res_id), NFNL_SUBSYS_NFTABLES);
	check_int(fake_nth(data, size, 1)->nlmsg_flags, NLM_F_REQUEST);
	check_int(fake_nth(data, size, 2)->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	message = fake_nth(data, size, 3);
	check_int(message->nlmsg_type, NFNL_MSG_BATCH_END);
	check_int(ntohs(((struct nfgenmsg *)NLMSG_DATA(message))->res_id), NFNL_SUBSYS_NFTABLES);
	check(fake_nth(data, size, 4) == NULL);

	queue_nft(&fake, NFT_MSG_GETCHAIN, "look");
	fake_ack(&fake, 5);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	size = fake_sent(&fake, data, sizeof(data));
	check_int(fake_nth(data, size, 0)->nlmsg_type, NFT(NFT_MSG_GETCHAIN));
	check(fake_nth(data, size, 1) == NULL);
}

/* For one commit: what was looked at must not have changed, and the one behind it was looked at by nobody. */
TEST(a_batch_may_expect_a_generation_of_the_rules)
{
	auto_fake struct fake fake = fake_open(NETLINK_NETFILTER);
	const struct nlmsghdr *begin;
	const struct nlattr *attr;
	char data[4096];

	queue_nft(&fake, NFT_MSG_NEWTABLE, "a");
	netlink_expect_generation(fake.nl, 0x01020304);
	fake_error(&fake, 2, ERESTART, NULL);
	check_int(netlink_commit(fake.nl, &fake.err), -ERESTART);
	begin = fake_nth(data, fake_sent(&fake, data, sizeof(data)), 0);
	check_int(begin->nlmsg_len, NLMSG_LENGTH(sizeof(struct nfgenmsg)) + NLA_HDRLEN + 4);
	attr = (const struct nlattr *)((const char *)NLMSG_DATA(begin) + sizeof(struct nfgenmsg));
	check_int(nla_type(attr), NFNL_BATCH_GENID);
	check(memcmp(nla_data(attr), "\1\2\3\4", 4) == 0);
	queue_nft(&fake, NFT_MSG_NEWTABLE, "b");
	fake_ack(&fake, 4);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
	begin = fake_nth(data, fake_sent(&fake, data, sizeof(data)), 0);
	check_int(begin->nlmsg_len, NLMSG_LENGTH(sizeof(struct nfgenmsg)));
}

/* The kernel reports what concerns the whole batch under the number of its first message (here 3), alone. */
TEST(error_of_the_batch_is_an_error_of_everything)
{
	auto_fake struct fake fake = fake_open(NETLINK_NETFILTER);

	queue_nft(&fake, NFT_MSG_NEWTABLE, "add table inet a");
	queue_nft(&fake, NFT_MSG_NEWCHAIN, "add chain b");
	fake_error(&fake, 3, EPERM, NULL);
	check_fails(netlink_commit(fake.nl, &fake.err), fake.err,
		    "add table inet a: Operation not permitted");
}

TEST(a_batch_with_a_refusal_did_nothing_so_nothing_is_tolerated)
{
	auto_fake struct fake fake = fake_open(NETLINK_NETFILTER);
	int outcome = 0;

	queue_nft(&fake, NFT_MSG_DELCHAIN, "delete chain a");
	netlink_tolerate(fake.nl, ENOENT);
	netlink_outcome(fake.nl, &outcome);
	queue_nft(&fake, NFT_MSG_DELCHAIN, "delete chain b");
	fake_error(&fake, 1, ENOENT, NULL);
	fake_ack(&fake, 2);
	check_int(netlink_commit(fake.nl, &fake.err), -ENOENT);
	check_int(outcome, ENOENT);

	queue_nft(&fake, NFT_MSG_DELCHAIN, "delete chain a");
	netlink_tolerate(fake.nl, ENOENT);
	fake_error(&fake, 5, ENOENT, NULL);
	check_ok(netlink_commit(fake.nl, &fake.err), fake.err);
}

/* One dump of three records in two datagrams. */
static void fake_dump(struct fake *fake, uint32_t seq, int flags)
{
	static const int done;
	char data[4096];
	size_t size = fake_build(data, RTM_NEWLINK, NLM_F_MULTI, seq, &no_link, sizeof(no_link));

	size += fake_build(data + size, RTM_NEWLINK, NLM_F_MULTI | flags, seq, &no_link,
			   sizeof(no_link));
	fake_raw(fake, data, size);
	size = fake_build(data, RTM_NEWLINK, NLM_F_MULTI, seq, &no_link, sizeof(no_link));
	size += fake_build(data + size, RTM_NEWLINK, NLM_F_MULTI, seq + 50, &no_link,
			   sizeof(no_link));
	size += fake_build(data + size, NLMSG_DONE, NLM_F_MULTI, seq, &done, sizeof(done));
	fake_raw(fake, data, size);
}

TEST(dump_hands_out_complete_ones_only)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	char data[256];
	int n = 0;

	queue(&fake, RTM_GETLINK, "list links");
	fake_dump(&fake, 2, NLM_F_DUMP_INTR);
	fake_dump(&fake, 3, 0);
	check_ok(netlink_dump(fake.nl, count, &n, &fake.err), fake.err);
	check_int(n, 3);
	check_int(netlink_sends(fake.nl), 2);
	check(fake_sent(&fake, data, sizeof(data)) > 0);
	check_int(fake_nth(data, 32, 0)->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);

	queue(&fake, RTM_GETLINK, "list links");
	for (uint32_t i = 0; i < 9; i++)
		fake_dump(&fake, 5 + i, NLM_F_DUMP_INTR);
	n = 0;
	check_int(netlink_dump(fake.nl, count, &n, &fake.err), -EINTR);
	check_str(fake.err.message, "list links: changed during each of 8 dumps");
	check_int(n, 0);
}

TEST(dump_refusals)
{
	struct {
		int error;
		struct nlattr attr;
		char words[8];
	} done = { -ENOENT, { sizeof(struct nlattr) + 8, NLMSGERR_ATTR_MSG }, "no such" };
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	int n = 0;

	queue(&fake, RTM_GETLINK, "list links");
	fake_error(&fake, 2, EINVAL, "Invalid values in header");
	check_fails(netlink_dump(fake.nl, count, &n, &fake.err), fake.err,
		    "list links: Invalid argument (Invalid values in header)");

	queue(&fake, RTM_GETLINK, "list links");
	fake_reply(&fake, NLMSG_DONE, NLM_F_MULTI | NLM_F_ACK_TLVS, 4, &done, sizeof(done));
	check_fails(netlink_dump(fake.nl, count, &n, &fake.err), fake.err,
		    "list links: No such file or directory (no such)");

	queue(&fake, RTM_GETLINK, "list links");
	netlink_tolerate(fake.nl, ENOENT);
	fake_reply(&fake, NLMSG_DONE, NLM_F_MULTI, 6, &done, sizeof(done.error));
	check_ok(netlink_dump(fake.nl, count, &n, &fake.err), fake.err);

	queue(&fake, RTM_GETLINK, "a");
	queue(&fake, RTM_GETLINK, "b");
	check_fails(netlink_dump(fake.nl, count, &n, &fake.err), fake.err,
		    "netlink: a dump is one request, not 2");
	check_int(n, 0);
}

TEST(dump_ends_with_the_readers_error)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	int n = 0;

	queue(&fake, RTM_GETLINK, "list links");
	fake_dump(&fake, 2, 0);
	check_int(netlink_dump(fake.nl, refuse_second, &n, &fake.err), -EBADMSG);
	check_int(n, 2);
}

TEST(events_are_handed_out_until_there_are_none)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	int n = 0;

	check_int(netlink_events(fake.nl, 0, count, &n, &fake.err), 0);
	check_int(netlink_events(fake.nl, 5, count, &n, &fake.err), 0);
	for (int i = 0; i < 3; i++)
		fake_reply(&fake, RTM_NEWLINK, 0, 1, &no_link, sizeof(no_link));
	check_int(netlink_events(fake.nl, 1000, count, &n, &fake.err), 3);
	check_int(n, 3);
	fake_reply(&fake, NLMSG_OVERRUN, 0, 0, "", 0);
	check_int(netlink_events(fake.nl, 0, count, &n, &fake.err), -ENOBUFS);
}

TEST(attributes_are_read_within_their_length)
{
	auto_fake struct fake fake = fake_open(NETLINK_ROUTE);
	struct nl_msg *msg = netlink_queue(fake.nl, RTM_NEWLINK, 0, &no_link, sizeof(no_link), "x");
	struct nlattr *attrs[8];
	struct nlmsghdr *message;
	char text[4];

	nla_put_u8(msg, 1, 5);
	nla_put(msg, 2, 6, "abcdef");
	nla_put_u32(msg, 3, 77);
	message = (struct nlmsghdr *)netlink_queued(fake.nl, 0);
	check_ok(netlink_parse(message, sizeof(no_link), attrs, 7, &fake.err), fake.err);
	check_int(attr_u8(attrs[1], 9), 5);
	check_int(attr_u16(attrs[1], 9), 9);
	check_int(attr_u32(attrs[1], 9), 9);
	check_int(attr_u32(attrs[3], 9), 77);
	check_int(attr_u32(attrs[7], 9), 9);
	attr_text(attrs[2], text, sizeof(text));
	check_str(text, "abc");
	attr_text(NULL, text, sizeof(text));
	check_str(text, "");

	message->nlmsg_len -= 2;
	check_fails(netlink_parse(message, sizeof(no_link), attrs, 7, &fake.err), fake.err,
		    "netlink: attribute beyond the end of its message");
	message->nlmsg_len = NLMSG_HDRLEN + 4;
	check_fails(netlink_parse(message, sizeof(no_link), attrs, 7, &fake.err), fake.err,
		    "netlink: reply without its header");
}
