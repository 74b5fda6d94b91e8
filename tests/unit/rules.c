/*
 * Rules in all forms that lib/firewall knows: as iptables prints them, as the bytes that iptables-restore 1.8.9 sends
 * for them, as nf_tables natively has them. Every sample is written and read back in each.
 */
#include "unit.h"

#include "firewall/iptables.h"
#include "firewall/nftables.h"
#include "firewall/saved.h"
#include "kernel/netlink_internal.h"
#include "kernel/nft_internal.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

/* Expressions as hexadecimal digits; [n] stands for n bytes of zero. */
#define META(key) "24000180090001006d6574610000000014000280080002000000" key "0800010000000001"
#define LOAD(base, offset, size)                                               \
	"340001800c0001007061796c6f616400240002800800010000000001080002000000" \
	"00" base "08000300000000" offset "08000400000000" size
#define CMP_(op, length, outer, inner, value)                                                 \
	length "00018008000100636d7000" outer "000280080001000000000108000200000000" op inner \
	       "000380" value
#define CMP(op, value1)  CMP_(op, "2c", "20", "0c", "05000100" value1 "000000")
#define CMP2(value2)     CMP_("00", "2c", "20", "0c", "06000100" value2 "0000")
#define CMP3(value3)     CMP_("00", "2c", "20", "0c", "07000100" value3 "00")
#define CMP4(value4)     CMP_("00", "2c", "20", "0c", "08000100" value4)
#define CMP5(op, value5) CMP_(op, "30", "24", "10", "09000100" value5 "000000")
#define CMP16(value16)   CMP_("00", "38", "2c", "18", "14000100" value16)
#define XT_COMMENT(text)                                                       \
	"2c0101800a0001006d617463680000001c0102800c000100636f6d6d656e74000800" \
	"02000000000004010300" text
#define XT_LOCAL                                                               \
	"380001800a0001006d61746368000000280002800d00010061646472747970650000" \
	"000008000200000000010c0003000000040000000000"
#define XT_MULTIPORT(ports)                                                    \
	"600001800a0001006d61746368000000500002800e0001006d756c7469706f727400" \
	"0000080002000000000134000300" ports
#define XT_CONNTRACK                                                           \
	"d80001800a0001006d61746368000000c80002800e000100636f6e6e747261636b00" \
	"00000800020000000003ac0003[147]0100000006[17]"
#define XT_SCTP(ports)                                                       \
	"540101800a0001006d617463680000004401028009000100736374700000000008" \
	"000200000000002c010300" ports "[264]ff0000ff0000ff0000ff00000000000002[11]"
#define XT_DNAT(range)                                                       \
	"5c0001800b00010074617267657400004c00028009000100444e41540000000008" \
	"000200000000023400030003" range
#define COUNTER "2c0001800c000100636f756e746572001c0002800c0001[9]0c0002[9]"
#define VERDICT(code)                                                        \
	"300001800e000100696d6d6564696174650000001c000280080001000000000010" \
	"0002800c00028008000100" code
#define ACCEPT                  VERDICT("00000001")
#define COMPAT(protocol, flags) "|08000100000000" protocol "08000200000000" flags

#define PROTOCOL(value1) META("0010") CMP("00", value1)
#define DPORT(value2)    LOAD("02", "02", "02") CMP2(value2)

static struct cidr cidr(const char *text)
{
	struct cidr parsed = { 0 };

	check(cidr_parse(text, &parsed));
	return parsed;
}

static const struct ports one_port[] = { { 8080, 8080 } }, range[] = { { 9000, 9010 } },
			  many[] = { { 8080, 8080 }, { 8081, 8081 }, { 9000, 9010 } };

#define TCP                                                  \
	{                                                    \
		.kind = MATCH_PROTOCOL, .value = IPPROTO_TCP \
	}
#define SCTP                                                  \
	{                                                     \
		.kind = MATCH_PROTOCOL, .value = IPPROTO_SCTP \
	}
#define PORT(port)                                  \
	{                                           \
		.kind = MATCH_PORT, .ports = (port) \
	}
#define V4(a, b, c, d, bits)                      \
	{                                         \
		{ AF_INET, { a, b, c, d } }, bits \
	}
#define FD00_5                         \
	{                              \
		AF_INET6,              \
		{                      \
			0xfd, [15] = 5 \
		}                      \
	}

struct sample {
	enum rule_family family;
	struct rule rule;
	const char *saved, *bytes;
};

static const struct sample samples[] = {
	{ RULE_IP,
	  { .chain = "c",
	    .verdict = RULE_MARK,
	    .mark = 0x2000,
	    .mark_bits = 0x2000,
	    .comment = "CNI portfwd masquerade mark" },
	  "-A c -m comment --comment \"CNI portfwd masquerade mark\" -j MARK --set-xmark 0x2000/0x2000",
	  XT_COMMENT("434e4920706f7274667764206d617371756572616465206d61726b[229]") COUNTER
	  "340001800b000100746172676574000024000280090001004d41524b0000000008000200000000020c000300"
	  "0020000000200000" COMPAT("00", "00") },
	{ RULE_IP,
	  { .chain = "c",
	    .matches = { { .kind = MATCH_MARK, .value = 0x2000, .bits = 0x2000 } },
	    .verdict = RULE_MASQUERADE },
	  "-A c -m mark --mark 0x2000/0x2000 -j MASQUERADE",
	  META("0003") "440001800c000100626974776973650034000280080001000000000108000200000000010800030000000004"
		       "0c00048008000100002000000c0005800800010000000000" CMP4("00200000") COUNTER
	  "480001800b0001007461726765740000380002800f0001004d415351554552414445000008000200000000"
	  "001c00030001[23]" COMPAT("00", "00") },
	{ RULE_IP,
	  { .chain = "c",
	    .matches = { { .kind = MATCH_MARK, .value = 0x4000, .bits = 0x4000 } },
	    .comment = "x",
	    .comment_last = true,
	    .fully_random = true,
	    .verdict = RULE_MASQUERADE },
	  "-A c -m mark --mark 0x4000/0x4000 -m comment --comment x -j MASQUERADE --random-fully",
	  META("0003") "440001800c000100626974776973650034000280080001000000000108000200000000010800030000000004"
		       "0c00048008000100004000000c0005800800010000000000" CMP4("00400000")
			       XT_COMMENT("78[255]") COUNTER
	  "480001800b0001007461726765740000380002800f0001004d415351554552414445000008000200000000"
	  "001c0003000100000010[19]" COMPAT("00", "00") },
	{ RULE_IP,
	  { .chain = "c", .matches = { { .kind = MATCH_LOCAL } }, .verdict = RULE_ACCEPT },
	  "-A c -m addrtype --dst-type LOCAL -j ACCEPT",
	  XT_LOCAL COUNTER ACCEPT COMPAT("00", "00") },
	{ RULE_IP,
	  { .chain = "c",
	    .matches = { TCP, { .kind = MATCH_MULTIPORT, .ports = many, .n_ports = 3 } },
	    .comment = "x",
	    .verdict = RULE_ACCEPT },
	  "-A c -p tcp -m comment --comment x -m multiport --dports 8080,8081,9000:9010 -j ACCEPT",
	  PROTOCOL("06") XT_COMMENT("78[255]") XT_MULTIPORT("0104901f911f28233223[24]01[13]")
		  COUNTER ACCEPT COMPAT("06", "00") },
	{ RULE_IP,
	  { .chain = "c",
	    .matches = { { .kind = MATCH_SOURCE, .cidr = V4(10, 1, 0, 5, 24) },
			 TCP,
			 PORT(one_port) },
	    .verdict = RULE_ACCEPT },
	  "-A c -s 10.1.0.0/24 -p tcp -m tcp --dport 8080 -j ACCEPT",
	  PROTOCOL("06") LOAD("01", "0c", "03") CMP3("0a0100") DPORT("1f90")
		  COUNTER ACCEPT COMPAT("06", "00") },
	{ RULE_IP,
	  { .chain = "c",
	    .matches = { { .kind = MATCH_DESTINATION, .cidr = V4(192, 0, 2, 1, 32) },
			 { .kind = MATCH_PROTOCOL, .value = IPPROTO_UDP },
			 PORT(one_port) },
	    .verdict = RULE_DNAT,
	    .to = { { AF_INET, { 10, 1, 0, 5 } }, { 80, 80 } } },
	  "-A c -d 192.0.2.1/32 -p udp -m udp --dport 8080 -j DNAT --to-destination 10.1.0.5:80",
	  PROTOCOL("11") LOAD("01", "10", "04") CMP4("c0000201") DPORT("1f90")
		  COUNTER XT_DNAT("0000000a010005[12]0a010005[13]500050[8]") COMPAT("11", "00") },
	{ RULE_IP,
	  { .chain = "c",
	    .matches = { SCTP, PORT(range) },
	    .verdict = RULE_DNAT,
	    .to = { { AF_INET, { 10, 1, 0, 5 } }, { 9000, 9010 }, 9000 } },
	  "-A c -p sctp -m sctp --dport 9000:9010 -j DNAT --to-destination 10.1.0.5:9000-9010/9000",
	  PROTOCOL("84") XT_SCTP("28233223") COUNTER
	  "5c0001800b00010074617267657400004c00028009000100444e415400000000080002000000000234000300"
	  "230000000a010005[12]0a010005[12]232823322328000000000000" COMPAT("84", "00") },
	{ RULE_IP,
	  { .chain = "c", .matches = { SCTP, PORT(one_port) }, .verdict = RULE_ACCEPT },
	  "-A c -p sctp -m sctp --dport 8080 -j ACCEPT",
	  PROTOCOL("84") XT_SCTP("901f901f") COUNTER ACCEPT COMPAT("84", "00") },
	{ RULE_IP,
	  { .chain = "c", .matches = { TCP, PORT(range) }, .verdict = RULE_ACCEPT },
	  "-A c -p tcp -m tcp --dport 9000:9010 -j ACCEPT",
	  PROTOCOL("06") LOAD(
		  "02", "02",
		  "02") "3c0001800a00010072616e67650000002c000280080001000000000108000200000000000c00038006000100"
			"232800000c0004800600010023320000" COUNTER ACCEPT COMPAT("06", "00") },
	{ RULE_IP,
	  { .chain = "c",
	    .matches = { { .kind = MATCH_DESTINATION, .cidr = V4(10, 1, 0, 5, 32) },
			 { .kind = MATCH_STATE,
			   .value = NFT_STATE_RELATED | NFT_STATE_ESTABLISHED } },
	    .verdict = RULE_ACCEPT },
	  "-A c -d 10.1.0.5/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
	  LOAD("01", "10", "04") CMP4("0a010005") XT_CONNTRACK COUNTER ACCEPT COMPAT("00", "00") },
	{ RULE_IP,
	  { .chain = "c",
	    .matches = { { .kind = MATCH_IN_INTERFACE, .name = "cni0" },
			 { .kind = MATCH_OUT_INTERFACE, .name = "cni0", .negated = true } },
	    .comment = "a \"b\" \\ 'c'",
	    .verdict = RULE_DROP },
	  "-A c -i cni0 ! -o cni0 -m comment --comment \"a \\\"b\\\" \\\\ \\'c\\'\" -j DROP",
	  META("0006") CMP5("00", "636e693000") META("0007") CMP5("01", "636e693000")
		  XT_COMMENT("612022622220"
			     "5c202763"
			     "27[245]") COUNTER VERDICT("00000000") COMPAT("00", "00") },
	{ RULE_IP,
	  { .chain = "c",
	    .matches = { { .kind = MATCH_SOURCE, .cidr = V4(10, 0, 0, 0, 8) },
			 { .kind = MATCH_IN_INTERFACE, .name = "cni+" },
			 { .kind = MATCH_PROTOCOL, .value = IPPROTO_TCP, .negated = true } },
	    .verdict = RULE_ACCEPT },
	  "-A c -s 10.0.0.0/8 -i cni+ ! -p tcp -j ACCEPT",
	  META("0006") CMP3("636e69") META("0010") CMP("01", "06") LOAD("01", "0c", "01")
		  CMP("00", "0a") COUNTER ACCEPT COMPAT("06", "02") },
	{ RULE_IP6,
	  { .chain = "c",
	    .matches = { TCP, PORT(one_port) },
	    .verdict = RULE_DNAT,
	    .to = { FD00_5, { 80, 80 } } },
	  "-A c -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00::5]:80",
	  PROTOCOL("06") DPORT("1f90") COUNTER
	  "5c0001800b00010074617267657400004c00028009000100444e415400000000080002000000000234000300"
	  "03000000fd[14]05fd[14]0500500050[8]" COMPAT("06", "00") },
	{ RULE_IP6,
	  { .chain = "c",
	    .matches = { { .kind = MATCH_DESTINATION, .cidr = { FD00_5, 128 } } },
	    .verdict = RULE_DNAT,
	    .to = { FD00_5 } },
	  "-A c -d fd00::5/128 -j DNAT --to-destination fd00::5",
	  LOAD("01", "18", "10") CMP16("fd[14]05") COUNTER
	  "5c0001800b00010074617267657400004c00028009000100444e415400000000080002000000000234000300"
	  "01000000fd[14]05fd[14]05[12]" COMPAT("00", "00") },
};

static struct netlink *session(int *kernel)
{
	struct netlink *nl = NULL;
	struct error err = { 0 };
	int pair[2];

	check_int(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	check_ok(netlink_adopt(&nl, NETLINK_NETFILTER, pair[0], &err), err);
	*kernel = pair[1];
	return nl;
}

static struct ruleset set_of(struct arena *arena, const struct sample *sample)
{
	struct ruleset set = { .family = sample->family, .table = "t" };

	*list_add(arena, &set.rules) = sample->rule;
	return set;
}

/* Digits of an attribute's payload; 8 bytes of zero and more in brackets. */
static const char *digits(struct arena *arena, const struct nlattr *attr)
{
	const uint8_t *data = nla_data(attr);
	size_t size = (size_t)nla_len(attr);
	const char *text = "";

	for (size_t i = 0, zeros; i < size; i += zeros) {
		for (zeros = 0; i + zeros < size && !data[i + zeros];)
			zeros++;
		if (zeros < 8)
			zeros = 0;
		text = zeros ? arena_printf(arena, "%s[%zu]", text, zeros)
			     : arena_printf(arena, "%s%02x", text, data[i]);
		zeros += !zeros;
	}
	return text;
}

/* The program's form of a [n] may be cut elsewhere than ours when zeros stand before it. */
static const char *plain(struct arena *arena, const char *text)
{
	const char *out = "";

	while (*text) {
		size_t len = strcspn(text, "["), zeros;

		out = arena_printf(arena, "%s%.*s", out, (int)len, text);
		text += len;
		if (!*text)
			break;
		zeros = strtoul(text + 1, (char **)&text, 10);
		text++;
		out = arena_printf(arena, "%s%0*d", out, (int)(2 * zeros), 0);
	}
	return out;
}

static const char *rule_digits(struct arena *arena, const struct nlmsghdr *message)
{
	struct nlattr *tb[NFTA_RULE_MAX + 1];

	check_int(nlmsg_parse((struct nlmsghdr *)message, sizeof(struct nfgenmsg), tb,
			      NFTA_RULE_MAX, NULL),
		  0);
	return plain(arena,
		     arena_printf(arena, "%s|%s", digits(arena, tb[NFTA_RULE_EXPRESSIONS]),
				  tb[NFTA_RULE_COMPAT] ? digits(arena, tb[NFTA_RULE_COMPAT]) : ""));
}

TEST(every_rule_is_the_bytes_that_iptables_restore_sends)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		auto_arena struct arena arena = { 0 };
		auto_close int kernel = -1;
		auto_netlink struct netlink *nl = session(&kernel);
		struct ruleset set = set_of(&arena, &samples[i]);

		nftables_queue_xt(nl, &set);
		check_str(rule_digits(&arena, netlink_queued(nl, 0)),
			  plain(&arena, samples[i].bytes));
	}
}

TEST(every_rule_is_the_line_that_iptables_save_prints)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		auto_arena struct arena arena = { 0 };
		struct ruleset set = set_of(&arena, &samples[i]);
		struct nft_rule_info info;
		struct error err = { 0 };
		const char *text = "";

		check_ok(iptables_render(&set, &arena, &text, &err), err);
		check_str(text, arena_printf(&arena, "*t\n%s\nCOMMIT\n", samples[i].saved));
		check_str(saved_rule(samples[i].saved + 3, &arena, &info), "c");
		for (size_t other = 0; other < ARRAY_SIZE(samples); other++)
			check_int(nftables_same(&samples[other].rule, &info), i == other);
	}
}

/* The kernel's part in a dump: the queued rule with a handle, then the end. */
struct player {
	int fd;
	const struct nlmsghdr *rule;
};

static void *answer_dump(void *arg)
{
	const struct player *player = arg;
	char reply[4096] = { 0 };
	struct nlmsghdr request[32], *rule = (void *)reply, *done;
	struct nlattr *handle;

	if (recv(player->fd, request, sizeof(request), 0) < (ssize_t)sizeof(*request))
		return NULL;
	memcpy(rule, player->rule, player->rule->nlmsg_len);
	handle = (void *)(reply + NLMSG_ALIGN(player->rule->nlmsg_len));
	*handle = (struct nlattr){ .nla_len = 12, .nla_type = NFTA_RULE_HANDLE };
	rule->nlmsg_len = NLMSG_ALIGN(player->rule->nlmsg_len) + 12;
	rule->nlmsg_flags = NLM_F_MULTI;
	rule->nlmsg_seq = request->nlmsg_seq;
	done = (void *)(reply + rule->nlmsg_len);
	*done = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN + 4,
				   .nlmsg_type = NLMSG_DONE,
				   .nlmsg_flags = NLM_F_MULTI,
				   .nlmsg_seq = request->nlmsg_seq };
	send(player->fd, reply, rule->nlmsg_len + done->nlmsg_len, 0);
	return NULL;
}

static struct nft_rule_info read_back(struct arena *arena, const struct nlmsghdr *rule)
{
	auto_close int kernel = -1;
	auto_netlink struct netlink *reader = session(&kernel);
	struct player player = { kernel, rule };
	struct error err = { 0 };
	nft_rules_t rules = { 0 };
	pthread_t thread;

	pthread_create(&thread, NULL, answer_dump, &player);
	check_ok(nft_rules(reader, NFT_IP, "t", "c", arena, &rules, &err), err);
	pthread_join(thread, NULL);
	check_int(rules.n, 1);
	return rules.n ? rules.items[0] : (struct nft_rule_info){ .comment = "", .target = "" };
}

TEST(every_rule_is_read_as_it_was_written)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		auto_arena struct arena arena = { 0 };
		auto_close int kernel = -1, kernel2 = -1;
		auto_netlink struct netlink *xt = session(&kernel), *native = session(&kernel2);
		struct ruleset set = set_of(&arena, &samples[i]);
		bool native_too =
			!samples[i].rule.to.base && !rule_match(&samples[i].rule, MATCH_MULTIPORT);
		struct nft_rule_info info;

		nftables_queue_xt(xt, &set);
		info = read_back(&arena, netlink_queued(xt, 0));
		for (size_t other = 0; other < ARRAY_SIZE(samples); other++)
			check_int(nftables_same(&samples[other].rule, &info), i == other);
		nftables_queue(native, &set);
		if (!native_too)
			continue;
		info = read_back(&arena, netlink_queued(native, 0));
		for (size_t other = 0; other < ARRAY_SIZE(samples); other++)
			check_int(nftables_same(&samples[other].rule, &info), i == other);
	}
}

TEST(a_rule_with_anything_unknown_is_never_ours)
{
	static const char *const lines[] = {
		"c -s 10.1.0.5/32 -m limit --limit 3/hour -j ACCEPT",
		"c -s 10.1.0.5/32 ! --dport 80 -j ACCEPT",
		"c -s 10.1.0.5/32 -p tcp -m tcp --sport 80 -j ACCEPT",
		"c -s 10.1.0.5/32 -m addrtype --dst-type BROADCAST -j ACCEPT",
		"c -s 10.1.0.5/32 -m conntrack --ctstate UNTRACKED -j ACCEPT",
		"c -s 10.1.0.5 -p x -j ACCEPT",
		"c -s ten -j ACCEPT",
		"c -m multiport --dports 1,2,x -j ACCEPT",
		"c -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 -j ACCEPT",
		"c -j DNAT --to-destination 10.1.0.5:80x",
		"c -j DNAT --to-destination 10.1.0.5.7:80",
		"c -j DNAT --to-destination [fd00::5:80",
		"c -j MARK --set-xmark 0x",
	};
	auto_arena struct arena arena = { 0 };
	struct cidr host = cidr("10.1.0.5/32");
	const struct rule rule = { .chain = "c",
				   .verdict = RULE_ACCEPT,
				   .matches = { match_source(&host) } };
	struct nft_rule_info info;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		saved_rule(lines[i], &arena, &info);
		check(info.unknown);
		check(!nftables_same(&rule, &info));
	}
	saved_rule("c -s 10.1.0.5/32 -j ACCEPT", &arena, &info);
	check(nftables_same(&rule, &info));
	saved_rule("c -s 10.1.0.5/32 -m comment --comment \"by hand\" -j ACCEPT", &arena, &info);
	check(!nftables_same(&rule, &info));
}

TEST(an_expression_that_is_not_known_makes_a_rule_unknown)
{
	auto_arena struct arena arena = { 0 };
	auto_close int kernel = -1;
	auto_netlink struct netlink *nl = session(&kernel);
	const struct nft_set set = { .name = "s", .key = { NFT_SOURCE } };
	struct nft_rule *rule = nft_rule_begin(nl, NFT_IP, "t", "c", NULL);

	nft_match_set(rule, NFT_IS, &set);
	nft_verdict(rule, NFT_VERDICT_ACCEPT, NULL);
	nft_rule_end(rule);
	check(read_back(&arena, netlink_queued(nl, 0)).unknown);
}
