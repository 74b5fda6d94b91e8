/*
 * What a Kubernetes API server, and a kubeconfig, may hold. Input: a line that says what follows. "kubeconfig", and its text;
 * "status NUMBER", and a reply's body; "page", and a page of a list; anything else, and the lines of a watch: whatever they are, leases
 * come out that are whole or are passed over, and what we would write of one comes back as it was.
 */
#include "fuzz.h"

#include "remote/kube_access.h"
#include "remote/kube_mirror.h"
#include "remote/kube_status.h"

#define PREFIX "p/"

static void kubeconfig(const char *text, size_t size, struct arena *arena)
{
	struct kube_access access;
	struct error err = { 0 };

	if (kube_access_parse(text, size, "/x", arena, &access, &err)) {
		fuzz_check(*err.message, "no word about what is wrong");
		return;
	}
	fuzz_check(access.server && strstr(access.server, "://"), "no server");
	fuzz_check(!access.token_file || *access.token_file == '/', "a file that is nowhere");
}

static void status(long number, const char *body, size_t size)
{
	const struct kube_action action = { "get", "nodes" };
	struct error err = { 0 };

	fuzz_check(kube_status_fail(number, body, size, &action, &err) < 0, "a refusal is none");
	for (const char *p = err.message; *p; p++)
		fuzz_check((unsigned char)*p >= ' ' && *p != 127, "it steers a terminal");
}

/* Annotations as our patch leaves them, in a new object. */
static struct json *patched(const char *value, struct arena *arena)
{
	const char *patch = kube_node_patch(value, PREFIX, arena);
	struct json *object = json_parse(patch, strlen(patch), NULL);
	struct json *metadata = json_member(object, "metadata");
	const struct json *words = json_member(metadata, "annotations");
	struct json *left = json_new_object();

	for (void *i = json_first(words); i; i = json_next(words, i))
		if (json_string(json_iter_value(i)))
			json_set(left, json_iter_key(i), json_copy(json_iter_value(i)));
	json_set(metadata, "annotations", left);
	json_set(metadata, "name", json_new_string("n"));
	return object;
}

static void round_trip(const struct kv_entry *entry, struct arena *arena)
{
	struct subnet_lease lease = { 0 };
	struct error err = { 0 };
	struct kube_node node;
	auto_json struct json *object = NULL;
	const char *value;

	if (subnet_value_parse(entry->value, entry->size, arena, &lease, &err)) {
		fuzz_check(*err.message, "no word about what is wrong");
		return;
	}
	/* What we write has an address for all data, and no empty type. */
	if ((lease.vtep.set && !lease.public_ip.family) ||
	    (lease.vtep6.set && !lease.public_ip6.family))
		return;
	value = subnet_value(&lease, arena);
	object = patched(value, arena);
	fuzz_check(kube_node_read(object, PREFIX, arena, &node, &err) == 0, "%s", err.message);
	fuzz_check(node.value && strcmp(node.value, value) == 0, "%s came back as %s", value,
		   node.value ? node.value : "nothing");
}

static void look(const struct kube_mirror *mirror, struct arena *arena)
{
	kv_entries_t entries = { 0 };

	kube_nodes_entries(&mirror->nodes, "", true, false, arena, &entries);
	kube_nodes_entries(&mirror->nodes, "", false, false, arena, &entries);
	list_each(entry, &entries)
		round_trip(entry, arena);
}

static void watch(char *text, struct arena *arena)
{
	struct kube_mirror mirror = { .prefix = PREFIX, .name = "n1" };

	for (int i = 0; *text && i < 64; i++) {
		const char *line = fuzz_line(&text);

		(void)kube_mirror_event(&mirror, line, strlen(line));
	}
	fuzz_check(mirror.nodes.n <= 64, "%zu nodes", mirror.nodes.n);
	look(&mirror, arena);
	kube_mirror_free(&mirror);
}

static void page(const char *text, size_t size, struct arena *arena)
{
	struct kube_mirror mirror = { .prefix = PREFIX, .name = "n1" };
	auto_json struct json *json = json_parse(text, size, NULL);
	const char *next = NULL;
	struct error err = { 0 };

	if (kube_mirror_page(&mirror, json, arena, &next, &err) < 0)
		fuzz_check(*err.message, "no word about what is wrong");
	else
		fuzz_check(*mirror.revision, "where does a watch go on?");
	kube_mirror_patched(&mirror, json_item(json_member(json, "items"), 0));
	look(&mirror, arena);
	kube_mirror_free(&mirror);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	char *text = arena_memdup(&arena, data, size), *end = text + size;
	const char *what = fuzz_line(&text);

	if (strcmp(what, "kubeconfig") == 0)
		kubeconfig(text, (size_t)(end - text), &arena);
	else if (strncmp(what, "status ", 7) == 0)
		status(atol(what + 7), text, (size_t)(end - text));
	else if (strcmp(what, "page") == 0)
		page(text, (size_t)(end - text), &arena);
	else
		watch(text, &arena);
	return 0;
}
