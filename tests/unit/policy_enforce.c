/* Plans, flips and closed addresses with a back end that only remembers. */
#include "policy.h"

#include "policy/enforce.h"
#include "policy/flips.h"

/* ---- the back end ---- */

static struct found kept;
static unsigned n_writes;

static int memory_read(struct arena *into, struct found *found, struct error *err)
{
	(void)into, (void)err;
	if (kept.present)
		*found = kept;
	return 0;
}

static int memory_write(const struct difference *difference, const struct treatment *treatment,
			struct error *err)
{
	(void)err;
	kept = (struct found){ *difference->to, *treatment, true };
	n_writes++;
	return 0;
}

static const struct backend memory = { "memory", memory_read, memory_write };

/* ---- objects ---- */

static const char *pod(const char *name, const char *node, const char *ip)
{
	return arena_printf(
		&arena,
		"---\n{kind: Pod, apiVersion: v1, metadata: {name: %s, labels: {app: %s}},"
		" spec: {nodeName: %s}, status: {podIP: %s}}\n",
		name, name, node, ip);
}

static const char *policy(const char *name, const char *spec)
{
	return arena_printf(&arena,
			    "---\n{kind: NetworkPolicy, apiVersion: networking.k8s.io/v1,"
			    " metadata: {name: %s}, spec: {%s}}\n",
			    name, spec);
}

static const char *three(const char *policies)
{
	return arena_printf(&arena, "%s%s%s%s", pod("a", "n1", "10.0.0.1"),
			    pod("b", "n1", "10.0.0.2"), pod("c", "n2", "10.0.1.1"), policies);
}

static struct enforcement *plan(const char *yaml, struct world *world, const char *close)
{
	struct enforcement *enforcement = arena_alloc(&arena, sizeof(*enforcement));
	struct error err = { 0 };
	struct cidr cidr;

	enforcement->backend = &memory;
	if (close && cidr_parse(close, &cidr))
		*list_add(&arena, &enforcement->close) = cidr;
	check_str(world_read(world, &yaml, 1), "");
	check(enforce_plan(enforcement, world, symbol_find(&world->symbols, "n1"), &arena, &err) ==
	      0);
	return enforcement;
}

/* "a>b 80 deny; ..." */
static const char *flips_text(const struct flips *flips)
{
	char *text = arena_strdup(&arena, "");

	list_each(flip, &flips->items)
		text = arena_printf(&arena, "%s%s%s>%s %u %s", text, *text ? "; " : "",
				    flip->from->text + strlen("default/"),
				    flip->to->text + strlen("default/"), flip->connection.port,
				    flip->allowed ? "allow" : "deny");
	return text;
}

static const char *apply_yaml(const char *yaml, const char *close)
{
	struct world world;
	struct enforcement *enforcement = plan(yaml, &world, close);
	struct flips flips = { .max = 100 };
	struct matrix matrix;
	struct error err = { 0 };

	matrix_init(&matrix, &world, &arena);
	flips_of(&enforcement->difference, &matrix, &flips);
	check_int(enforce(enforcement, &err), 0);
	return flips_text(&flips);
}

static const char *wrong_of(const char *yaml, const char *close)
{
	struct world world;
	struct enforcement *enforcement = plan(yaml, &world, close);
	struct flips flips = { .max = 100 };
	struct matrix matrix;

	matrix_init(&matrix, &world, &arena);
	flips_of_model(&enforcement->found.compiled, &enforcement->wanted, &matrix, &flips);
	return flips_text(&flips);
}

static void forget(void)
{
	kept = (struct found){ 0 };
	n_writes = 0;
	arena_free(&arena);
}

#define DENY "podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress]"
#define ALLOW \
	DENY ", ingress: [{from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 80}]}]"

TEST(the_second_time_nothing_is_sent)
{
	const char *all = three(policy("p", DENY));

	apply_yaml(all, NULL);
	check_int((int)n_writes, 1);
	apply_yaml(all, NULL);
	check_int((int)n_writes, 1);
	kept.treatment.reject = true; /* somebody else's choice */
	apply_yaml(all, NULL);
	check_int((int)n_writes, 2);
	*list_add(&arena, &kept.damages) = (struct damage){ "FORWARD", "the jump is gone" };
	apply_yaml(all, NULL);
	check_int((int)n_writes, 3);
	forget();
}

TEST(what_flips_is_said_for_this_node_only)
{
	check_str(apply_yaml(three(policy("p", DENY)), NULL), "a>b 80 deny; c>b 80 deny");
	check_str(apply_yaml(three(policy("p", DENY)), NULL), "");
	check_str(apply_yaml(three(policy("p", ALLOW)), NULL), "a>b 80 allow");
	check_str(apply_yaml(three(policy("q", "podSelector: {matchLabels: {app: c}}")), NULL),
		  "c>b 80 allow");
	forget();
}

TEST(what_is_in_force_is_held_against_the_objects)
{
	const char *all = three(policy("p", ALLOW));

	check_str(wrong_of(all, NULL), "c>b 80 deny");
	apply_yaml(all, NULL);
	check_str(wrong_of(all, NULL), "");
	kept.compiled.groups.items[0].allows.n = 0;
	check_str(wrong_of(all, NULL), "a>b 80 allow");
	forget();
}

TEST(addresses_that_are_closed_wait_for_their_pod)
{
	const char *one = pod("a", "n1", "10.0.0.1");
	const char *both = three("");
	struct packet packet = { .protocol = PROTOCOL_TCP, .port = 80 };
	struct ip unknown;

	check_str(apply_yaml(one, "10.0.0.0/24"), "");
	check(ip_parse("10.0.0.2", &unknown));
	packet.from = unknown;
	check(ip_parse("10.0.1.1", &packet.to));
	check(!compiled_allows(&kept.compiled, &packet));
	check(ip_parse("10.0.0.1", &packet.from));
	check(compiled_allows(&kept.compiled, &packet));
	packet.to = unknown;
	check(!compiled_allows(&kept.compiled, &packet));
	check_str(apply_yaml(both, "10.0.0.0/24"),
		  "a>b 80 allow; b>a 80 allow; b>c 80 allow; c>b 80 allow");
	check(compiled_allows(&kept.compiled, &packet));
	check_str(wrong_of(both, "10.0.0.0/24"), "");
	check_str(apply_yaml(both, NULL), "");
	check_int((int)kept.compiled.closed.n, 0);
	forget();
}
