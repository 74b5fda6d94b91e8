/* The rules of a node in an overlay network: what they are in the iptables form, and what they are not. */
#include "unit.h"

#include "firewall/iptables.h"
#include "firewall/overlay.h"

#include <netinet/in.h>

#define NETWORK                                  \
	{                                        \
		{ AF_INET, { 10, 5, 0, 0 } }, 16 \
	}
#define SUBNET                                   \
	{                                        \
		{ AF_INET, { 10, 5, 7, 0 } }, 24 \
	}
#define NETWORK6                                             \
	{                                                    \
		{ AF_INET6, { 0xfd, 0x00, 0x00, 0x05 } }, 48 \
	}
#define SUBNET6                                                          \
	{                                                                \
		{ AF_INET6, { 0xfd, 0x00, 0x00, 0x05, [7] = 0x07 } }, 64 \
	}

static const struct overlay both = {
	.v4 = { NETWORK, SUBNET },
	.v6 = { NETWORK6, SUBNET6 },
	.masquerade = true,
	.fully_random = true,
	.forward = true,
};

static const char *texts(struct arena *arena, const struct overlay *overlay, int family)
{
	struct ruleset sets[2];
	struct error err = { 0 };
	const char *text = "", *more = "";

	overlay_xt_rules(arena, overlay, family, sets);
	check_ok(iptables_render(&sets[0], arena, &text, &err), err);
	check_ok(iptables_render(&sets[1], arena, &more, &err), err);
	return arena_printf(arena, "%s%s", text, more);
}

#define MASQ "-m comment --comment \"flanneld masq\""
#define FWD  "-m comment --comment \"flanneld forward\""

TEST(overlay_rules_are_flannels)
{
	auto_arena struct arena arena = { 0 };

	check_str(texts(&arena, &both, AF_INET),
		  "*nat\n"
		  ":FLANNEL-POSTRTG - [0:0]\n"
		  "-A POSTROUTING " MASQ " -j FLANNEL-POSTRTG\n"
		  "-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 " MASQ " -j RETURN\n"
		  "-A FLANNEL-POSTRTG -s 10.5.7.0/24 -d 10.5.0.0/16 " MASQ " -j RETURN\n"
		  "-A FLANNEL-POSTRTG -s 10.5.0.0/16 -d 10.5.7.0/24 " MASQ " -j RETURN\n"
		  "-A FLANNEL-POSTRTG ! -s 10.5.0.0/16 -d 10.5.7.0/24 " MASQ " -j RETURN\n"
		  "-A FLANNEL-POSTRTG -s 10.5.0.0/16 ! -d 224.0.0.0/4 " MASQ
		  " -j MASQUERADE --random-fully\n"
		  "-A FLANNEL-POSTRTG ! -s 10.5.0.0/16 -d 10.5.0.0/16 " MASQ
		  " -j MASQUERADE --random-fully\n"
		  "COMMIT\n"
		  "*filter\n"
		  ":FLANNEL-FWD - [0:0]\n"
		  "-A FORWARD " FWD " -j FLANNEL-FWD\n"
		  "-A FLANNEL-FWD -s 10.5.0.0/16 " FWD " -j ACCEPT\n"
		  "-A FLANNEL-FWD -d 10.5.0.0/16 " FWD " -j ACCEPT\n"
		  "COMMIT\n");
	check(strstr(texts(&arena, &both, AF_INET6),
		     "-A FLANNEL-POSTRTG -s fd00:5::/48 ! -d ff00::/8 " MASQ
		     " -j MASQUERADE --random-fully\n"));
}

TEST(overlay_rules_of_other_options)
{
	auto_arena struct arena arena = { 0 };
	struct overlay overlay = both;
	struct ruleset set;

	overlay.fully_random = false;
	check(!strstr(texts(&arena, &overlay, AF_INET), "random"));
	overlay.forward_first = true;
	check(strstr(texts(&arena, &overlay, AF_INET), "-I FORWARD " FWD " -j FLANNEL-FWD\n"));
	overlay.masquerade = false;
	check(strstr(texts(&arena, &overlay, AF_INET), "*nat\nCOMMIT\n*filter\n:"));
	overlay_nft_rules(&arena, &overlay, AF_INET, &set);
	check_int(set.chains.n, 1);
	overlay.forward = false;
	check_str(texts(&arena, &overlay, AF_INET), "*nat\nCOMMIT\n*filter\nCOMMIT\n");
	overlay_nft_rules(&arena, &overlay, AF_INET, &set);
	check_int(set.chains.n + set.rules.n, 0);
	check_str(set.table, "flannel-ipv4");
	overlay = both;
	overlay.v6 = (struct overlay_family){ .network = { .prefix = 0 } };
	check_str(texts(&arena, &overlay, AF_INET6), "*nat\nCOMMIT\n*filter\nCOMMIT\n");
}

TEST(overlay_concerns_what_is_ours_and_what_leads_there)
{
	check(overlay_concerns("flannel-ipv4", "x", false));
	check(overlay_concerns("flannel-ipv6", "", true));
	check(overlay_concerns("nat", "FLANNEL-POSTRTG", false));
	check(overlay_concerns("filter", "FLANNEL-FWD", false));
	check(overlay_concerns("nat", "POSTROUTING", true));
	check(overlay_concerns("filter", "", true));
	check(!overlay_concerns("nat", "POSTROUTING", false));
	check(!overlay_concerns("nat", "KUBE-SERVICES", true));
	check(!overlay_concerns("nat", "FORWARD", true));
	check(!overlay_concerns("kube-proxy", "FLANNEL-FWD", true));
}
