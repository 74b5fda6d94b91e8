/* What changes between two compiled forms: elements when pods come and go, clauses when policies do, nothing else. */
#include "policy.h"

#include "policy/difference.h"
#include "policy/set.h"

static const char pods[] =
	"---\n{kind: Pod, apiVersion: v1, metadata: {name: a, labels: {app: a}}, spec: {nodeName: n1},"
	" status: {podIP: 10.0.0.1}}\n"
	"---\n{kind: Pod, apiVersion: v1, metadata: {name: b, labels: {app: b}}, spec: {nodeName: n1},"
	" status: {podIP: 10.0.0.2}}\n";
static const char pod_elsewhere[] =
	"---\n{kind: Pod, apiVersion: v1, metadata: {name: c, labels: {app: b}}, spec: {nodeName: n2},"
	" status: {podIP: 10.0.0.3}}\n";
static const char other_pod[] =
	"---\n{kind: Pod, apiVersion: v1, metadata: {name: d, labels: {app: d}}, spec: {nodeName: n1},"
	" status: {podIP: 10.0.0.4}}\n";

static const char *policy(const char *name, const char *spec)
{
	return arena_printf(&arena,
			    "---\n{kind: NetworkPolicy, apiVersion: networking.k8s.io/v1,"
			    " metadata: {name: %s}, spec: {%s}}\n",
			    name, spec);
}

static struct compiled *compile_yaml(const char *yaml)
{
	struct world *world = arena_alloc(&arena, sizeof(*world));
	struct compiled *compiled = arena_alloc(&arena, sizeof(*compiled));

	check_str(world_read(world, &yaml, 1), "");
	compile(world, symbol_find(&world->symbols, "n1"), &arena, compiled);
	return compiled;
}

static const char *join(const char *a, const char *b)
{
	return arena_printf(&arena, "%s%s", a, b);
}

/* "sets +1 -0 ~2 (+3 -1), groups +0 -0 ~1" */
static const char *text_of(const struct compiled *from, const struct compiled *to)
{
	struct difference difference;
	size_t more = 0, gone = 0;

	difference_of(from, to, &arena, &difference);
	list_each(change, &difference.sets) {
		more += change->more.n;
		gone += change->gone.n;
	}
	if (difference_is_empty(&difference))
		return "same";
	return arena_printf(&arena, "sets +%zu -%zu ~%zu (+%zu -%zu), groups +%zu -%zu ~%zu%s",
			    difference.new_sets.n, difference.old_sets.n, difference.sets.n, more,
			    gone, difference.new_groups.n, difference.old_groups.n,
			    difference.groups.n, difference.closed ? ", closed" : "");
}

static const char *between(const char *a, const char *b)
{
	const struct compiled *from = compile_yaml(a), *to = compile_yaml(b);

	return text_of(from, to);
}

TEST(equal_forms_have_no_difference)
{
	const char *one = policy("one", "podSelector: {}, ingress: [{from: [{podSelector: {}}]}]");
	const char *two = policy("two", "podSelector: {matchLabels: {app: a}}, ingress: ["
					"{ports: [{port: 80}]}, {from: [{podSelector: {}}]},"
					" {from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]");

	check_str(between("", ""), "same");
	check_str(between(join(pods, join(one, two)), join(pods, join(one, two))), "same");
	check_str(between(join(pods, join(one, two)), join(join(two, one), pods)), "same");
	arena_free(&arena);
}

TEST(from_nothing_all_is_new_and_to_nothing_all_is_old)
{
	const char *all = join(
		pods, policy("one", "podSelector: {}, ingress: [{from: [{podSelector: {}}]}]"));

	/* subjects of both directions are always there */
	check_str(between("", all), "sets +2 -0 ~1 (+2 -0), groups +1 -0 ~0");
	check_str(between(all, ""), "sets +0 -2 ~1 (+0 -2), groups +0 -1 ~0");
	check_str(text_of(&(struct compiled){ .known = NO_SET }, compile_yaml(all)),
		  "sets +4 -0 ~0 (+0 -0), groups +1 -0 ~0");
	arena_free(&arena);
}

TEST(a_pod_that_comes_elsewhere_is_elements_only)
{
	const char *peers = policy(
		"one", "podSelector: {}, ingress: [{from: [{podSelector: {}}]},"
		       " {from: [{podSelector: {matchLabels: {app: b}}}], ports: [{port: 80}]}]");

	check_str(between(join(pods, peers), join(pods, join(pod_elsewhere, peers))),
		  "sets +0 -0 ~2 (+2 -0), groups +0 -0 ~0");
	check_str(between(join(join(pods, pod_elsewhere), peers), join(pods, peers)),
		  "sets +0 -0 ~2 (+0 -2), groups +0 -0 ~0");
	check_str(
		between(join(join(pods, pod_elsewhere), peers), join(join(pods, other_pod), peers)),
		"sets +0 -0 ~4 (+3 -2), groups +0 -0 ~0");
	arena_free(&arena);
}

TEST(a_rule_that_changes_is_a_clause_of_its_group)
{
	const char *a = policy("one", "podSelector: {}, ingress: [{ports: [{port: 80}]}]");
	const char *b = policy("one", "podSelector: {}, ingress: [{ports: [{port: 81}]}]");
	const char *c = policy("one", "podSelector: {}, ingress: []");
	const char *d =
		policy("one", "podSelector: {}, ingress: [{ports: [{port: 80, protocol: UDP}]}]");
	const char *e = policy("one", "podSelector: {}, ingress: [{ports: [{}]}]");

	check_str(between(join(pods, a), join(pods, b)), "sets +0 -0 ~0 (+0 -0), groups +0 -0 ~1");
	check_str(between(join(pods, a), join(pods, c)), "sets +0 -0 ~0 (+0 -0), groups +0 -0 ~1");
	check_str(between(join(pods, a), join(pods, d)), "sets +0 -0 ~0 (+0 -0), groups +0 -0 ~1");
	check_str(between(join(pods, a), join(pods, e)), "sets +0 -0 ~0 (+0 -0), groups +0 -0 ~1");
	arena_free(&arena);
}

TEST(the_order_of_a_tier_is_a_difference)
{
	const char *all =
		join(pods, policy("one", "podSelector: {}, ingress: [{ports: [{port: 80}]}]"));
	struct compiled *from = compile_yaml(all), *to = compile_yaml(all);
	struct clause deny = { ACTION_DENY, NO_SET, NO_SET, NO_SET };
	struct clause pass = { ACTION_PASS, NO_SET, NO_SET, NO_SET };

	*list_add(&arena, &from->groups.items[0].admin) = deny;
	check_str(text_of(from, to), "sets +0 -0 ~0 (+0 -0), groups +0 -0 ~1");
	*list_add(&arena, &to->groups.items[0].admin) = deny;
	check_str(text_of(from, to), "same");
	*list_add(&arena, &from->groups.items[0].admin) = pass;
	*list_add(&arena, &to->groups.items[0].admin) = deny;
	to->groups.items[0].admin.items[0] = pass;
	check_str(text_of(from, to), "sets +0 -0 ~0 (+0 -0), groups +0 -0 ~1");
	arena_free(&arena);
}

TEST(isolation_and_closed_addresses_are_differences)
{
	const char *all =
		join(pods, policy("one", "podSelector: {}, ingress: [{ports: [{port: 80}]}]"));
	struct compiled *from = compile_yaml(all), *to = compile_yaml(all);
	struct cidr cidr;

	to->groups.items[0].isolated = false;
	check_str(text_of(from, to), "sets +0 -0 ~0 (+0 -0), groups +0 -0 ~1");
	to->groups.items[0].isolated = true;
	check(cidr_parse("10.0.0.0/24", &cidr));
	*list_add(&arena, &to->closed) = cidr;
	check_str(text_of(from, to), "sets +0 -0 ~0 (+0 -0), groups +0 -0 ~0, closed");
	*list_add(&arena, &from->closed) = cidr;
	check_str(text_of(from, to), "same");
	from->closed.items[0].prefix = 23;
	check_str(text_of(from, to), "sets +0 -0 ~0 (+0 -0), groups +0 -0 ~0, closed");
	arena_free(&arena);
}
