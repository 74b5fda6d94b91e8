/* The iptables form without a kernel: what is rendered is understood as what it was, and what is changed is named. */
#include "policy.h"

#include "policy/enforce.h"
#include "policy/iptables.h"

static const char head[] = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n";

static const char *const policies[] = {
	"spec: {podSelector: {}, policyTypes: [Ingress, Egress]}",
	"spec: {podSelector: {}, ingress: [{}], egress: [{}]}",
	"spec: {podSelector: {}, ingress: [{from: [{podSelector: {}}]},"
	" {from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}], ports: [{port: 80},"
	" {protocol: UDP}, {protocol: SCTP, port: 5, endPort: 7}, {port: http}]}]}",
	/* more ports than one rule takes, of the same peers */
	"spec: {podSelector: {}, ingress: [{ports: ["
	"{port: 1}, {port: 3}, {port: 5}, {port: 7}, {port: 9}, {port: 11, endPort: 12}, {port: 14, endPort: 15},"
	" {port: 17, endPort: 18}, {port: 20, endPort: 21}, {port: 23, endPort: 24}, {port: 26, endPort: 27},"
	" {port: 29, endPort: 30}, {port: 32, endPort: 33}, {port: 35, endPort: 36}, {port: 38, endPort: 39},"
	" {port: 100, endPort: 200}, {port: 300}]}]}",
};

static const char *pods_text(int n)
{
	const char *text = "";

	for (int i = 1; i <= n; i++)
		text = arena_printf(
			&arena,
			"%s---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d, labels: {app: p%d}}\n"
			"spec: {nodeName: n, containers: [{ports: [{name: http, containerPort: %d}]}]}\n"
			"status: {podIP: 10.0.0.%d, podIPs: [{ip: 10.0.0.%d}, {ip: 'fd00::%x'}]}\n",
			text, i, i, 8000 + i, i, i, i);
	return text;
}

static const char *policy_yaml(const char *name, const char *spec)
{
	return arena_printf(
		&arena,
		"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\n%s\n",
		name, spec);
}

static void compile_texts(const char *policy_texts, int n_pods, struct compiled *compiled)
{
	const char *texts[] = { head, pods_text(n_pods), policy_texts };
	struct world *world = arena_alloc(&arena, sizeof(*world));

	check_str(world_read(world, texts, 3), "");
	compile(world, symbol_find(&world->symbols, "n"), &arena, compiled);
}

/* What the save program would print. */
static char *saved(const struct compiled *compiled, const struct ipt_form *form, bool v6)
{
	const char *text = "*filter\n:FORWARD ACCEPT [0:0]\n";
	ipt_chains_t chains = { 0 };

	ipt_render(compiled, form, v6, &arena, &chains);
	list_each(chain, &chains)
		text = arena_printf(&arena, "%s:%s - [0:0]\n", text, chain->name);
	text = arena_printf(&arena, "%s-A FORWARD %s\n", text, IPT_HOOK);
	list_each(chain, &chains)
		list_each(rule, &chain->rules)
			text = arena_printf(&arena, "%s-A %s %s\n", text, chain->name, *rule);
	return arena_printf(&arena, "%sCOMMIT\n", text);
}

/* Read back with the same sets. */
static void understand(const struct compiled *compiled, char *v4, char *v6, struct found *found)
{
	struct ipt_sets sets = { .compiled = { .arena = &arena, .known = NO_SET } };
	struct ipt_table tables[2];

	sets.compiled.sets = compiled->sets;
	sets.compiled.subjects[INGRESS] = sets.compiled.subjects[EGRESS] = NO_SET;
	ipt_table_of(v4, false, &arena, &tables[0]);
	ipt_table_of(v6, true, &arena, &tables[1]);
	*found = (struct found){ 0 };
	ipt_understand(tables, 2, &sets, &arena, found);
}

static void check_round_trip(const struct compiled *compiled, const struct ipt_form *form)
{
	struct difference difference;
	struct found found;

	understand(compiled, saved(compiled, form, false), saved(compiled, form, true), &found);
	difference_of(&found.compiled, compiled, &arena, &difference);
	check(difference_is_empty(&difference));
	check(found.present);
	check_str(found.damages.n ? found.damages.items[0].what : "", "");
	check_int(found.treatment.reject, form->treatment.reject);
	check_int(found.treatment.accept, form->treatment.accept);
	check_int(found.treatment.nflog, form->treatment.nflog);
	check_int(found.treatment.established, form->treatment.established);
}

TEST(what_is_rendered_is_understood)
{
	static const struct ipt_form forms[] = {
		{ .hairpin = true },
		{ .treatment = { .reject = true, .nflog = 7 }, .hairpin = true },
		{ .treatment = { .accept = true, .established = true } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		for (size_t j = 0; j < ARRAY_SIZE(forms); j++) {
			struct compiled compiled;

			compile_texts(policy_yaml("a", policies[i]), 3, &compiled);
			check_round_trip(&compiled, &forms[j]);
			arena_free(&arena);
		}
}

/* One program of cBPF for each direction, or, where a group has tiers that judge first, for each group that is isolated. */
TEST(what_a_pod_sends_to_itself_passes_isolation_and_no_tier)
{
	static const struct ipt_form form = { .hairpin = true };
	static const struct {
		const char *more;
		bool tiers;
	} cases[] = {
		{ "", false },
		{ "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n"
		  "metadata: {name: a}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}},"
		  " ingress: [{action: Pass, from: [{pods: {namespaceSelector: {}, podSelector: {}}}]},"
		  " {action: Deny, from: [{namespaces: {}}]}]}\n",
		  true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static const char behind[] = "\"to itself\" -j RETURN\n-A CNIBOX-IN-";
		struct compiled compiled;
		const char *policy = policy_yaml("a", "spec: {podSelector: {}, ingress: []}");
		const char *text, *next;

		compile_texts(arena_printf(&arena, "%s%s", policy, cases[i].more), 3, &compiled);
		check_round_trip(&compiled, &form);
		text = saved(&compiled, &form, false);
		check_int(strstr(text, "-A CNIBOX-IN " IPT_BPF) != NULL, !cases[i].tiers);
		next = strstr(text, behind);
		check_int(next && memmem(next + strlen(behind), 60, "comment isolated", 16),
			  cases[i].tiers);
		arena_free(&arena);
	}
}

/* Many groups are found by their pods' addresses, which no set has to be asked for. */
TEST(many_groups_are_found_by_address)
{
	const char *texts = "";
	struct compiled compiled;

	for (int i = 1; i <= 100; i++)
		texts = arena_printf(
			&arena, "%s%s", texts,
			policy_yaml(arena_printf(&arena, "a%d", i),
				    arena_printf(&arena,
						 "spec: {podSelector: {matchLabels: {app: p%d}}}",
						 i)));
	compile_texts(texts, 100, &compiled);
	check_int(compiled.groups.n, 100);
	check(ipt_by_address(&compiled, INGRESS));
	check(!ipt_by_address(&compiled, EGRESS));
	check(strstr(saved(&compiled, &(struct ipt_form){ 0 }, false),
		     "-A CNIBOX-IN -d 10.0.0.77/32 "));
	check(strstr(saved(&compiled, &(struct ipt_form){ 0 }, true),
		     "-A CNIBOX-IN -d fd00::4d/128 "));
	check_round_trip(&compiled, &(struct ipt_form){ .treatment.nflog = 1 });
	arena_free(&arena);
}

/* Whatever is done to one rule is a damage, or a difference. */
TEST(no_changed_rule_is_overlooked)
{
	const struct ipt_form form = { .treatment = { .reject = true, .nflog = 3 },
				       .hairpin = true };
	struct compiled compiled;
	const char *whole;

	compile_texts(policy_yaml("a", policies[2]), 3, &compiled);
	whole = saved(&compiled, &form, false);
	for (const char *line = strstr(whole, "-A CNIBOX"); line;
	     line = strstr(line + 1, "-A CNIBOX")) {
		const char *end = strchr(line, '\n');
		const char *changes[] = {
			arena_printf(&arena, "%.*s%s", (int)(line - whole), whole, end + 1),
			arena_printf(&arena, "%.*s -m mark --mark 0x1%s", (int)(end - whole), whole,
				     end),
			arena_printf(&arena, "%.*s\n-A CNIBOX-IN -j ACCEPT%s", (int)(end - whole),
				     whole, end),
		};

		for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
			struct difference difference;
			struct found found;

			understand(&compiled, arena_strdup(&arena, changes[i]),
				   saved(&compiled, &form, true), &found);
			difference_of(&found.compiled, &compiled, &arena, &difference);
			unit_check(found.damages.n || !difference_is_empty(&difference) ||
					   !treatment_equal(&found.treatment, &form.treatment),
				   __FILE__, __LINE__, "change %zu of %.*s", i, (int)(end - line),
				   line);
		}
	}
	arena_free(&arena);
}
