/* lib/policy/nftables*: a compiled node as chains and rules, and what is sent when little or nothing changes. */
#include "policy.h"

#include "policy/nftables.h"

#include <limits.h>

static void compile_text(const char *text, struct world *world, struct compiled *compiled)
{
	check_str(world_read(world, &text, 1), "");
	compile(world, symbol_find(&world->symbols, "n1"), &arena, compiled);
}

static const char *const pods =
	"---\n{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}}, spec: {nodeName: n1,"
	" containers: [{ports: [{name: http, containerPort: 80}]}]}, status: {podIP: 10.0.0.1}}\n---\n"
	"{apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {nodeName: n2, containers: [{}]},"
	" status: {podIP: 10.0.0.2}}\n";

static const char *policy(const char *spec)
{
	return arena_printf(
		&arena,
		"%s---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, "
		"spec: {podSelector: {matchLabels: {app: a}}, %s}}\n",
		pods, spec);
}

static const char *verdict_text(const struct nft_line *line)
{
	switch (line->verdict) {
	case NFT_VERDICT_DROP: return " drop";
	case NFT_VERDICT_ACCEPT: return " accept";
	case NFT_VERDICT_RETURN: return " return";
	case NFT_VERDICT_JUMP: return arena_printf(&arena, " jump %s", line->target);
	case NFT_VERDICT_GOTO: return arena_printf(&arena, " goto %s", line->target);
	default: return "";
	}
}

/* A rule in few words; hashes of names are left out. */
static const char *line_text(const struct nft_line *line)
{
	char *text = arena_printf(&arena, "%s:", line->chain), *out, cidr[CIDR_TEXT_SIZE];

	if (line->only)
		text = arena_printf(&arena, "%s %s", text, line->only == NFT_IP ? "ip" : "ip6");
	if (line->states)
		text = arena_printf(&arena, "%s state %u", text, line->states);
	if (line->source.ip.family)
		text = arena_printf(&arena, "%s from %s", text, cidr_format(&line->source, cidr));
	if (line->destination.ip.family)
		text = arena_printf(&arena, "%s to %s", text,
				    cidr_format(&line->destination, cidr));
	if (line->protocol)
		text = arena_printf(&arena, "%s proto %u", text, line->protocol);
	if (line->ports.last)
		text = arena_printf(&arena, "%s ports %u-%u", text, line->ports.first,
				    line->ports.last);
	for (unsigned i = 0; i < line->n_sets; i++)
		text = arena_printf(&arena, "%s %s%s%s", text, line->sets[i].inverted ? "!" : "",
				    line->sets[i].name, line->sets[i].key[1] ? ".." : "");
	if (line->log)
		text = arena_printf(&arena, "%s %u/s log %u %s", text, line->rate, line->log,
				    line->prefix);
	if (line->refusal)
		text = arena_printf(&arena, "%s refuse %u", text, (unsigned)line->refusal);
	text = arena_printf(&arena, "%s%s\n", text, verdict_text(line));
	for (char *in = out = text; *in; in++) {
		if (strspn(in, "0123456789abcdef") >= 16)
			in += 16;
		*out++ = *in;
	}
	*out = '\0';
	return text;
}

static const char *plan_text(const struct netpol_plan *plan)
{
	char *text = arena_strdup(&arena, "");

	list_each(line, &plan->lines)
		text = arena_printf(&arena, "%s%s", text, line_text(line));
	return text;
}

static const char *group_text(const struct compiled *compiled, const struct group *group)
{
	static const struct treatment treatment = { .reject = true };
	struct netpol_plan plan = { .compiled = compiled,
				    .treatment = &treatment,
				    .arena = &arena };

	netpol_plan_group(&plan, group);
	return plan_text(&plan);
}

TEST(nftables_a_group_is_a_chain_whose_clauses_return)
{
	struct compiled compiled;
	struct world world;

	compile_text(policy("ingress: [{from: [{podSelector: {}}, {ipBlock: {cidr: 10.9.0.0/16}}],"
			    " ports: [{port: 80}, {port: http}]},"
			    " {ports: [{protocol: UDP, port: 53}, {port: 1, endPort: 2},"
			    " {port: 4, endPort: 5}]}]"),
		     &world, &compiled);
	check_int(compiled.groups.n, 1);
	check_str(group_text(&compiled, &compiled.groups.items[0]),
		  "CNIBOX-IN-: proto 6 cnibox-range- return\n"
		  "CNIBOX-IN-: proto 17 ports 53-53 return\n"
		  "CNIBOX-IN-: ip cnibox-peers-4 cnibox-ports-4.. return\n"
		  "CNIBOX-IN-: ip cnibox-peers-4-nets cnibox-ports-4.. return\n"
		  "CNIBOX-IN-: ip6 cnibox-peers-6 cnibox-ports-6.. return\n"
		  "CNIBOX-IN-: ip6 cnibox-peers-6-nets cnibox-ports-6.. return\n"
		  "CNIBOX-IN-: ip cnibox-pairs-4.. return\n"
		  "CNIBOX-IN-: ip cnibox-pairs-4-nets.. return\n"
		  "CNIBOX-IN-: ip6 cnibox-pairs-6.. return\n"
		  "CNIBOX-IN-: ip6 cnibox-pairs-6-nets.. return\n"
		  "CNIBOX-IN-: ip own4.. return\n"
		  "CNIBOX-IN-: ip6 own6.. return\n"
		  "CNIBOX-IN-: goto CNIBOX-IN--deny\n");
	arena_free(&arena);
}

TEST(nftables_tiers_stand_before_and_behind_what_policies_allow)
{
	struct clause accept = { .action = ACTION_ACCEPT,
				 .peers = NO_SET,
				 .pairs = NO_SET,
				 .named = NO_SET },
		      deny = accept, pass = accept;
	struct compiled compiled = { .known = NO_SET };
	struct group group = { .name = "G", .comment = "c", .isolated = true };

	deny.action = ACTION_DENY;
	pass.action = ACTION_PASS;
	pass.ported = true;
	pass.protocol = PROTOCOL_SCTP;
	*list_add(&arena, &group.admin) = pass;
	*list_add(&arena, &group.admin) = deny;
	*list_add(&arena, &group.allows) = accept;
	check_str(group_text(&compiled, &group), "G: proto 132 goto G-next\n"
						 "G: goto G-deny\n"
						 "G: goto G-next\n"
						 "G-next: return\n"
						 "G-next: ip own4.. return\n"
						 "G-next: ip6 own6.. return\n"
						 "G-next: goto G-deny\n");
	group.isolated = false;
	group.admin.n = 0;
	*list_add(&arena, &group.baseline) = pass;
	*list_add(&arena, &group.baseline) = deny;
	check_str(group_text(&compiled, &group), "G: proto 132 return\n"
						 "G: goto G-deny\n");
	arena_free(&arena);
}

TEST(nftables_what_is_denied_is_logged_counted_and_refused)
{
	struct treatment treatment = { .nflog = 5, .established = true };
	struct set known = { .name = "cnibox-known-x", .comment = "", .kind = SET_KNOWN };
	struct compiled compiled = { .known = 0, .sets = { &known, 1 } };
	struct netpol_plan plan = { .compiled = &compiled,
				    .treatment = &treatment,
				    .arena = &arena };

	check(cidr_parse("10.1.0.0/24", list_add(&arena, &compiled.closed)));
	netpol_plan_around(&plan);
	check_str(plan_text(&plan),
		  "exempt: ip6 proto 58 accept\n"
		  "refuse: drop\n"
		  "CNIBOX-CLOSED-deny: jump exempt\n"
		  "CNIBOX-CLOSED-deny: 10/s log 5 CNIBOX-CLOSED\n"
		  "CNIBOX-CLOSED-deny: goto refuse\n"
		  "forward: state 6 accept\n"
		  "forward: state 1 drop\n"
		  "forward: ip from 10.1.0.0/24 !cnibox-known-x4 goto CNIBOX-CLOSED-deny\n"
		  "forward: ip to 10.1.0.0/24 !cnibox-known-x4 goto CNIBOX-CLOSED-deny\n"
		  "forward: ip egress4\n"
		  "forward: ip6 egress6\n"
		  "forward: ip ingress4\n"
		  "forward: ip6 ingress6\n");
	arena_free(&arena);
}

TEST(nftables_nothing_is_sent_when_nothing_differs)
{
	struct difference difference;
	struct compiled compiled;
	struct world world;
	struct error err = { 0 };

	compile_text(policy("ingress: []"), &world, &compiled);
	difference_of(&compiled, &compiled, &arena, &difference);
	check_int(backend_nftables.write(&difference, &(struct treatment){ 0 }, &err), 0);
	arena_free(&arena);
}
