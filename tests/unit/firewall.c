/* lib/firewall: names, the rule sets of both forms, their text for iptables and their bytes for nf_tables. */
#include "unit.h"

#include "firewall/iptables.h"
#include "firewall/firewall.h"
#include "firewall/masquerade.h"
#include "firewall/names.h"
#include "firewall/nftables.h"
#include "kernel/netlink_internal.h"

#include <errno.h>
#include <limits.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

/* What nft 1.0.6 sends (nft --debug=mnl), from the family on, for rules of `inet t`:
 *   c: ip saddr 10.1.0.5 ip daddr != 10.1.0.0/20 masquerade comment "x"
 *   c: ip6 saddr fd00::5 ip6 daddr != fd00::/64 masquerade comment "x"
 *   p: ip daddr 224.0.0.0/4 return
 *   p: goto c */
static const char masq_v4[] =
	"01000000060001007400000006000200630000006c01048024000180090001006d65746100000000"
	"14000280080002000000000f08000100000000012c00018008000100636d70002000028008000100"
	"0000000108000200000000000c0003800500010002000000340001800c0001007061796c6f616400"
	"2400028008000100000000010800020000000001080003000000000c08000400000000042c000180"
	"08000100636d700020000280080001000000000108000200000000000c000380080001000a010005"
	"340001800c0001007061796c6f616400240002800800010000000001080002000000000108000300"
	"000000100800040000000004440001800c0001006269747769736500340002800800010000000001"
	"080002000000000108000300000000040c00048008000100fffff0000c0005800800010000000000"
	"2c00018008000100636d700020000280080001000000000108000200000000010c00038008000100"
	"0a01000014000180090001006d61737100000000040002800800070000027800";
static const char masq_v6[] =
	"01000000060001007400000006000200630000003801048024000180090001006d65746100000000"
	"14000280080002000000000f08000100000000012c00018008000100636d70002000028008000100"
	"0000000108000200000000000c000380050001000a000000340001800c0001007061796c6f616400"
	"24000280080001000000000108000200000000010800030000000008080004000000001038000180"
	"08000100636d70002c000280080001000000000108000200000000001800038014000100fd000000"
	"000000000000000000000005340001800c0001007061796c6f616400240002800800010000000001"
	"0800020000000001080003000000001808000400000000083000018008000100636d700024000280"
	"08000100000000010800020000000001100003800c000100fd000000000000001400018009000100"
	"6d61737100000000040002800800070000027800";
static const char multicast_return[] =
	"01000000060001007400000006000200700000002801048024000180090001006d65746100000000"
	"14000280080002000000000f08000100000000012c00018008000100636d70002000028008000100"
	"0000000108000200000000000c0003800500010002000000340001800c0001007061796c6f616400"
	"24000280080001000000000108000200000000010800030000000010080004000000000444000180"
	"0c000100626974776973650034000280080001000000000108000200000000010800030000000004"
	"0c00048008000100f00000000c00058008000100000000002c00018008000100636d700020000280"
	"080001000000000108000200000000000c00038008000100e0000000300001800e000100696d6d65"
	"64696174650000001c0002800800010000000000100002800c00028008000100fffffffb";
static const char goto_chain[] =
	"01000000060001007400000006000200700000003c000480380001800e000100696d6d6564696174"
	"65000000240002800800010000000000180002801400028008000100fffffffc0600020063000000";

/* What iptables-restore 1.8.9 (nf_tables) sends, from the family on, for the rules of tnet and ctr1 with 10.1.0.5/20
 * and fd00::5/60: the new chain, what stays in the subnet, what is masqueraded, the jump. The comment's 256 bytes are
 * mostly zeros. */
#define ZEROS_32 "0000000000000000000000000000000000000000000000000000000000000000"
#define ZEROS_9  "000000000000000000"
#define XT_COMMENT                                                                          \
	"2c0101800a0001006d617463680000001c0102800c000100636f6d6d656e74000800020000000000"  \
	"040103006e616d653a2022746e6574222069643a20226374723122" ZEROS_32 ZEROS_32 ZEROS_32 \
		ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_32 ZEROS_9
#define XT_COUNTER                                                                         \
	"2c0001800c000100636f756e746572001c0002800c00010000000000000000000c00020000000000" \
	"00000000"
#define XT_COMPAT "1400058008000100000000000800020000000000"
static const char xt_chain4[] =
	"02000000080001006e61740021000300434e492d3363626533383666653834373333616566386561"
	"3964343200000000";
static const char xt_accept4[] =
	"02000000080001006e61740021000200434e492d3363626533383666653834373333616566386561"
	"396434320000000030020480340001800c0001007061796c6f616400240002800800010000000001"
	"080002000000000108000300000000100800040000000004440001800c0001006269747769736500"
	"340002800800010000000001080002000000000108000300000000040c00048008000100fffff000"
	"0c00058008000100000000002c00018008000100636d700020000280080001000000000108000200"
	"000000000c000380080001000a010000" XT_COMMENT XT_COUNTER
	"300001800e000100696d6d6564696174650000001c0002800800010000000000100002800c000280"
	"0800010000000001" XT_COMPAT;
static const char xt_masq4[] =
	"02000000080001006e61740021000200434e492d3363626533383666653834373333616566386561"
	"396434320000000048020480340001800c0001007061796c6f616400240002800800010000000001"
	"080002000000000108000300000000100800040000000004440001800c0001006269747769736500"
	"340002800800010000000001080002000000000108000300000000040c00048008000100f0000000"
	"0c00058008000100000000002c00018008000100636d700020000280080001000000000108000200"
	"000000010c00038008000100e0000000" XT_COMMENT XT_COUNTER
	"480001800b0001007461726765740000380002800f0001004d415351554552414445000008000200"
	"000000001c000300010000000000000000000000000000000000000000000000" XT_COMPAT;
static const char xt_jump4[] =
	"02000000080001006e61740010000200504f5354524f5554494e470010020480340001800c000100"
	"7061796c6f6164002400028008000100000000010800020000000001080003000000000c08000400"
	"000000042c00018008000100636d700020000280080001000000000108000200000000000c000380"
	"080001000a010005" XT_COMMENT XT_COUNTER
	"540001800e000100696d6d6564696174650000004000028008000100000000003400028030000280"
	"08000100fffffffd21000200434e492d336362653338366665383437333361656638656139643432"
	"00000000" XT_COMPAT;
static const char xt_chain6[] =
	"0a000000080001006e61740021000300434e492d3363626533383666653834373333616566386561"
	"3964343200000000";
static const char xt_accept6[] =
	"0a000000080001006e61740021000200434e492d3363626533383666653834373333616566386561"
	"396434320000000054020480340001800c0001007061796c6f616400240002800800010000000001"
	"0800020000000001080003000000001808000400000000105c0001800c0001006269747769736500"
	"4c0002800800010000000001080002000000000108000300000000101800048014000100ffffffff"
	"fffffff0000000000000000018000580140001000000000000000000000000000000000038000180"
	"08000100636d70002c000280080001000000000108000200000000001800038014000100fd000000"
	"000000000000000000000000" XT_COMMENT XT_COUNTER
	"300001800e000100696d6d6564696174650000001c0002800800010000000000100002800c000280"
	"0800010000000001" XT_COMPAT;
static const char xt_masq6[] =
	"0a000000080001006e61740021000200434e492d3363626533383666653834373333616566386561"
	"396434320000000014020480340001800c0001007061796c6f616400240002800800010000000001"
	"0800020000000001080003000000001808000400000000012c00018008000100636d700020000280"
	"080001000000000108000200000000010c00038005000100ff000000" XT_COMMENT XT_COUNTER
	"580001800b0001007461726765740000480002800f0001004d415351554552414445000008000200"
	"000000002c0003000000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000" XT_COMPAT;
static const char xt_jump6[] =
	"0a000000080001006e61740010000200504f5354524f5554494e47001c020480340001800c000100"
	"7061796c6f6164002400028008000100000000010800020000000001080003000000000808000400"
	"000000103800018008000100636d70002c0002800800010000000001080002000000000018000380"
	"14000100fd000000000000000000000000000005" XT_COMMENT XT_COUNTER
	"540001800e000100696d6d6564696174650000004000028008000100000000003400028030000280"
	"08000100fffffffd21000200434e492d336362653338366665383437333361656638656139643432"
	"00000000" XT_COMPAT;

static const struct owner tnet = { "tnet", "ctr1", "eth0" };

static struct cidr cidr(const char *text)
{
	struct cidr parsed = { 0 };

	check(cidr_parse(text, &parsed));
	return parsed;
}

TEST(names_are_those_of_the_reference)
{
	auto_arena struct arena arena = { 0 };
	char chain[CHAIN_NAME_SIZE], hash[OWNER_HASH_SIZE];

	masquerade_chain_name(&tnet, chain);
	check_str(chain, "CNI-3cbe386fe84733aef8ea9d42");
	owner_hash(&tnet, hash);
	check_str(hash, "4dfa0667e74383ec-7883a6f9ce71eedb");
	check_str(masquerade_xt_comment(&arena, &tnet), "name: \"tnet\" id: \"ctr1\"");
	check_str(masquerade_xt_prefix(&arena, "tnet"), "name: \"tnet\" id: \"");
	check_str(masquerade_nft_comment(&arena, &tnet),
		  "4dfa0667e74383ec-7883a6f9ce71eedb, net: tnet, if: eth0, id: ctr1");
	check_str(spoof_chain_name(&arena, &tnet), "cni-br-iface-ctr1-eth0");
	check_str(spoof_comment(&arena, &tnet), "macspoofchk-ctr1-eth0");
}

TEST(comments_are_cut_where_the_tools_would_refuse_them)
{
	auto_arena struct arena arena = { 0 };
	char id[300];
	struct owner owner = { "a\"b", id, "eth0" };

	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	check_int(strlen(masquerade_nft_comment(&arena, &owner)), 128);
	check(strstr(masquerade_nft_comment(&arena, &owner), "net: ab, if") != NULL);
	check_int(strlen(masquerade_xt_comment(&arena, &owner)), 255);
	check_int(strlen(spoof_comment(&arena, &owner)), 128);
}

TEST(only_our_chains_look_like_ours)
{
	check(masquerade_chain_like("CNI-3cbe386fe84733aef8ea9d42"));
	check(!masquerade_chain_like("CNI-DN-3cbe386fe84733aef8ea9"));
	check(!masquerade_chain_like("CNI-3cbe386fe84733aef8ea9d4"));
	check(!masquerade_chain_like("CNI-HOSTPORT-MASQ"));
	check(!masquerade_chain_like("POSTROUTING"));
}

TEST(iptables_text_of_one_address)
{
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };
	struct cidr addresses[] = { cidr("10.1.0.2/24"), cidr("fd00:1::2/64") };
	struct ruleset set;
	const char *text = "";

	masquerade_xt_rules(&arena, AF_INET, &tnet, addresses, 2, &set);
	check_ok(iptables_render(&set, &arena, &text, &err), err);
	check_str(text, "*nat\n:CNI-3cbe386fe84733aef8ea9d42 - [0:0]\n"
			"-A CNI-3cbe386fe84733aef8ea9d42 -d 10.1.0.0/24 -m comment"
			" --comment \"name: \\\"tnet\\\" id: \\\"ctr1\\\"\" -j ACCEPT\n"
			"-A CNI-3cbe386fe84733aef8ea9d42 ! -d 224.0.0.0/4 -m comment"
			" --comment \"name: \\\"tnet\\\" id: \\\"ctr1\\\"\" -j MASQUERADE\n"
			"-A POSTROUTING -s 10.1.0.2/32 -m comment"
			" --comment \"name: \\\"tnet\\\" id: \\\"ctr1\\\"\""
			" -j CNI-3cbe386fe84733aef8ea9d42\nCOMMIT\n");
	masquerade_xt_rules(&arena, AF_INET6, &tnet, addresses, 2, &set);
	check_ok(iptables_render(&set, &arena, &text, &err), err);
	check(strstr(text, " -d fd00:1::/64 ") && strstr(text, " ! -d ff00::/8 ") &&
	      strstr(text, " -s fd00:1::2/128 "));
	masquerade_xt_rules(&arena, AF_INET6, &tnet, addresses, 1, &set);
	check_int(set.rules.n, 0);
}

TEST(subnets_stay_unmasqueraded_whatever_their_order)
{
	auto_arena struct arena arena = { 0 };
	struct cidr addresses[] = { cidr("10.1.0.2/24"), cidr("10.1.0.3/24"), cidr("10.2.0.2/24") };
	struct ruleset set;

	masquerade_xt_rules(&arena, AF_INET, &tnet, addresses, 3, &set);
	check_int(set.rules.n, 6);
	check_int(set.rules.items[0].verdict, RULE_ACCEPT);
	check_int(set.rules.items[1].verdict, RULE_ACCEPT);
	check_int(set.rules.items[2].verdict, RULE_MASQUERADE);
	check_int(set.rules.items[3].verdict, RULE_JUMP);
}

TEST(a_line_cannot_be_smuggled_in)
{
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };
	struct ruleset set = { .family = RULE_IP, .table = "nat" };
	const char *text = "";

	ruleset_rule(&arena, &set, .chain = "POSTROUTING", .verdict = RULE_ACCEPT,
		     .comment = "a\n-F POSTROUTING");
	check_fails(iptables_render(&set, &arena, &text, &err), err,
		    "a name for iptables holds a control character");
}

TEST(an_unknown_backend_is_the_configurations_fault)
{
	struct error err;
	enum firewall_backend backend;

	check_fails(firewall_choose("x", &backend, &err), err, "unknown ipmasq backend \"x\"");
	check_int(err.code, CNI_INVALID_CONFIG);
}

/* ---- bytes ---- */

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

/* A message behind its netlink header, as hexadecimal digits. */
static const char *digits(struct arena *arena, const struct nlmsghdr *message)
{
	size_t size = NLMSG_ALIGN(message->nlmsg_len) - NLMSG_HDRLEN;
	char *text = arena_alloc(arena, 2 * size + 1);

	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", ((const uint8_t *)NLMSG_DATA(message))[i]);
	return text;
}

static void inet_set(struct arena *arena, struct ruleset *set)
{
	struct cidr v4 = cidr("10.1.0.5/32"), subnet4 = cidr("10.1.0.0/20"),
		    v6 = cidr("fd00::5/128"), subnet6 = cidr("fd00::/64"),
		    multicast = multicast_of(AF_INET);

	*set = (struct ruleset){ .family = RULE_INET, .table = "t" };
	ruleset_rule(arena, set, .chain = "c", .verdict = RULE_MASQUERADE, .comment = "x",
		     .matches = { match_source(&v4), match_not(match_destination(&subnet4)) });
	ruleset_rule(arena, set, .chain = "c", .verdict = RULE_MASQUERADE, .comment = "x",
		     .matches = { match_source(&v6), match_not(match_destination(&subnet6)) });
	ruleset_rule(arena, set, .chain = "p", .verdict = RULE_RETURN,
		     .matches = { match_destination(&multicast) });
	ruleset_rule(arena, set, .chain = "p", .verdict = RULE_GOTO, .target = "c");
}

TEST(nf_tables_rules_are_the_bytes_that_nft_sends)
{
	auto_arena struct arena arena = { 0 };
	auto_close int kernel = -1;
	auto_netlink struct netlink *nl = session(&kernel);
	struct ruleset set;

	inet_set(&arena, &set);
	nftables_queue(nl, &set);
	check_str(digits(&arena, netlink_queued(nl, 0)), masq_v4);
	check_str(digits(&arena, netlink_queued(nl, 1)), masq_v6);
	check_str(digits(&arena, netlink_queued(nl, 2)), multicast_return);
	check_str(digits(&arena, netlink_queued(nl, 3)), goto_chain);
	check(netlink_queued(nl, 4) == NULL);
}

static void queue_xt(struct arena *arena, struct netlink *nl, int family)
{
	struct cidr addresses[] = { cidr("10.1.0.5/20"), cidr("fd00::5/60") };
	struct nft_chain chain = { .must_be_new = true };
	struct ruleset set;

	masquerade_xt_rules(arena, family, &tnet, addresses, 2, &set);
	chain.name = set.chains.items[0].name;
	nft_queue_chain(nl, nftables_family(set.family), set.table, &chain);
	nftables_queue_xt(nl, &set);
}

TEST(rules_of_the_iptables_form_are_the_bytes_that_iptables_restore_sends)
{
	auto_arena struct arena arena = { 0 };
	auto_close int kernel = -1;
	auto_netlink struct netlink *nl = session(&kernel);
	static const char *const expected[] = { xt_chain4, xt_accept4, xt_masq4, xt_jump4,
						xt_chain6, xt_accept6, xt_masq6, xt_jump6 };

	queue_xt(&arena, nl, AF_INET);
	queue_xt(&arena, nl, AF_INET6);
	for (size_t n = 0; n < ARRAY_SIZE(expected); n++)
		check_str(digits(&arena, netlink_queued(nl, n)), expected[n]);
	check(netlink_queued(nl, ARRAY_SIZE(expected)) == NULL);
	check(netlink_queued(nl, 0)->nlmsg_flags & NLM_F_EXCL);
}

TEST(a_match_of_any_address_is_none_for_iptables)
{
	auto_arena struct arena arena = { 0 };
	auto_close int kernel = -1;
	auto_netlink struct netlink *nl = session(&kernel);
	struct cidr any = cidr("0.0.0.0/0");
	struct ruleset set = { .family = RULE_IP, .table = "nat" };

	ruleset_rule(&arena, &set, .chain = "c", .verdict = RULE_ACCEPT,
		     .matches = { match_destination(&any) });
	nftables_queue_xt(nl, &set);
	check(strstr(digits(&arena, netlink_queued(nl, 0)), "7061796c6f6164") == NULL);
}

struct player {
	int fd;
	const struct nlmsghdr *rule;
};

/* The kernel's part in a dump: the rule with a handle, then the end. */
static void *answer_dump(void *arg)
{
	const struct player *player = arg;
	struct {
		struct nlmsghdr header;
		char rest[1024];
	} reply = { 0 };
	struct nlmsghdr request[32], *done;
	struct nlattr *handle;

	if (recv(player->fd, request, sizeof(request), 0) < (ssize_t)sizeof(*request))
		return NULL;
	memcpy(&reply, player->rule, player->rule->nlmsg_len);
	handle = (void *)((char *)&reply + NLMSG_ALIGN(player->rule->nlmsg_len));
	*handle = (struct nlattr){ .nla_len = 12, .nla_type = NFTA_RULE_HANDLE };
	((uint8_t *)handle)[11] = 42;
	reply.header.nlmsg_len = NLMSG_ALIGN(player->rule->nlmsg_len) + 12;
	reply.header.nlmsg_flags = NLM_F_MULTI;
	reply.header.nlmsg_seq = request->nlmsg_seq;
	done = (void *)((char *)&reply + reply.header.nlmsg_len);
	*done = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN + 4,
				   .nlmsg_type = NLMSG_DONE,
				   .nlmsg_flags = NLM_F_MULTI,
				   .nlmsg_seq = request->nlmsg_seq };
	send(player->fd, &reply, reply.header.nlmsg_len + done->nlmsg_len, 0);
	return NULL;
}

/* Queue rule n of the set, hand it back as the kernel would, and read it. */
static struct nft_rule_info read_back(struct arena *arena, const struct ruleset *set, size_t n)
{
	auto_close int kernel = -1, unused_fd = -1;
	auto_netlink struct netlink *writer = session(&unused_fd), *reader = session(&kernel);
	struct error err = { 0 };
	struct player player = { .fd = kernel };
	nft_rules_t rules = { 0 };
	pthread_t thread;

	nftables_queue(writer, set);
	player.rule = netlink_queued(writer, n);
	pthread_create(&thread, NULL, answer_dump, &player);
	check_ok(nft_rules(reader, NFT_INET, "t", set->rules.items[n].chain, arena, &rules, &err),
		 err);
	pthread_join(thread, NULL);
	check_int(rules.n, 1);
	return rules.n ? rules.items[0] : (struct nft_rule_info){ .comment = "", .target = "" };
}

TEST(rules_are_read_as_they_were_written)
{
	auto_arena struct arena arena = { 0 };
	struct ruleset set;

	inet_set(&arena, &set);
	for (size_t n = 0; n < set.rules.n; n++) {
		struct nft_rule_info info = read_back(&arena, &set, n);

		check_int(info.handle, 42);
		check_str(info.comment, n < 2 ? "x" : "");
		for (size_t other = 0; other < set.rules.n; other++)
			check_int(nftables_same(&set.rules.items[other], &info), n == other);
	}
}

TEST(a_table_and_its_chains_come_before_their_rules)
{
	auto_arena struct arena arena = { 0 };
	auto_close int kernel = -1;
	auto_netlink struct netlink *nl = session(&kernel);
	static const int types[] = { NFT_MSG_NEWTABLE, NFT_MSG_NEWCHAIN, NFT_MSG_NEWCHAIN,
				     NFT_MSG_DELRULE,  NFT_MSG_NEWRULE,  NFT_MSG_NEWRULE,
				     NFT_MSG_NEWRULE };
	struct ruleset set;

	masquerade_nft_base(&arena, &set);
	nftables_queue(nl, &set);
	for (size_t n = 0; n < ARRAY_SIZE(types); n++)
		check_int(netlink_queued(nl, n)->nlmsg_type & 0xff, types[n]);
	check_str(netlink_label(nl, 2), "create chain inet cni_plugins_masquerade postrouting");
}

TEST(errnos_of_a_lost_race)
{
	check(nftables_raced(-ENOENT) && nftables_raced(-ERESTART) && nftables_raced(-EINTR) &&
	      nftables_raced(-EAGAIN));
	check(!nftables_raced(-EPERM) && !nftables_raced(-EOPNOTSUPP) && !nftables_raced(0));
}
