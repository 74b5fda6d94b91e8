/* What an API server tells, taken in. */
#include "remote/kube_mirror.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"

void kube_mirror_free(struct kube_mirror *mirror)
{
	kube_nodes_free(&mirror->nodes);
	*mirror = (struct kube_mirror){ .prefix = mirror->prefix, .name = mirror->name };
}

static const char *name_of(const struct json *object)
{
	return json_string(json_member(json_member(object, "metadata"), "name"));
}

static bool is_own(const struct kube_mirror *mirror, const char *name)
{
	return mirror->name && streq(mirror->name, name);
}

static bool same_cidr(const struct cidr *a, const struct cidr *b)
{
	return a->ip.family == b->ip.family && (!a->ip.family || cidr_equal(a, b));
}

/* More of our own node matters than of others. */
static bool take_own(struct kube_mirror *mirror, const struct json *object,
		     const struct kube_node *node)
{
	struct kube_own own = kube_own_read(object, mirror->prefix), *was = &mirror->own;
	const struct kube_node *before = &mirror->own_node;
	bool same = mirror->own_there && before->odd == node->odd &&
		    same_cidr(&before->subnet, &node->subnet) &&
		    same_cidr(&before->subnet6, &node->subnet6) &&
		    ip_equal(&was->overwrite, &own.overwrite) &&
		    ip_equal(&was->overwrite6, &own.overwrite6) &&
		    ip_equal(&was->public_ip, &own.public_ip) &&
		    ip_equal(&was->public_ip6, &own.public_ip6);

	mirror->own_there = true;
	mirror->own_node = *node;
	mirror->own_node.name = mirror->own_node.value = NULL;
	mirror->own = own;
	return !same;
}

/* True: something that matters has changed. */
static bool take_node(struct kube_mirror *mirror, const struct json *object)
{
	auto_arena struct arena arena = { 0 };
	struct kube_node node;
	bool changed = false;

	if (kube_node_read(object, mirror->prefix, &arena, &node, NULL))
		return false;
	if (is_own(mirror, node.name)) {
		if (kube_revision_number(object) < mirror->own_revision)
			return false;
		changed = take_own(mirror, object, &node);
	}
	return kube_nodes_put(&mirror->nodes, &node) || changed;
}

static bool drop_node(struct kube_mirror *mirror, const struct json *object)
{
	const char *name = name_of(object);
	bool own = name && is_own(mirror, name);

	if (own)
		mirror->own_there = false;
	return (name && kube_nodes_remove(&mirror->nodes, name)) || own;
}

int kube_mirror_page(struct kube_mirror *mirror, const struct json *page, struct arena *arena,
		     const char **next, struct error *err)
{
	const struct json *items = json_member(page, "items");
	const char *more = json_string(json_member(json_member(page, "metadata"), "continue"));

	if (!kube_revision(page))
		return fail(
			err, EPROTO,
			"the API server's list of nodes has no revision, or one that is too long");
	for (size_t i = 0; i < json_length(items); i++)
		(void)take_node(mirror, json_item(items, i));
	kube_revision_keep(mirror->revision, page);
	*next = more && *more ? arena_strdup(arena, more) : NULL;
	return 0;
}

void kube_mirror_patched(struct kube_mirror *mirror, const struct json *object)
{
	const char *name = name_of(object);

	(void)take_node(mirror, object);
	if (name && is_own(mirror, name))
		mirror->own_revision = kube_revision_number(object);
}

/* 410, or a reason that is none: what has happened since is forgotten there, and everything must be listed. */
static enum kube_heard take_end(struct kube_mirror *mirror, const struct json *status)
{
	int64_t code = 410;

	(void)json_int(json_member(status, "code"), &code);
	if (code == 410)
		mirror->revision[0] = '\0';
	return KUBE_ENDED;
}

enum kube_heard kube_mirror_event(struct kube_mirror *mirror, const char *line, size_t size)
{
	auto_json struct json *event = json_parse(line, size, NULL);
	const char *type = json_string(json_member(event, "type"));
	const struct json *object = json_member(event, "object");
	bool changed = false;

	if (!type || !json_is_object(object) || streq(type, "ERROR"))
		return take_end(mirror, object);
	kube_revision_keep(mirror->revision, object);
	if (streq(type, "DELETED"))
		changed = drop_node(mirror, object);
	else if (streq(type, "ADDED") || streq(type, "MODIFIED"))
		changed = take_node(mirror, object);
	return changed ? KUBE_CHANGED : KUBE_NOTHING;
}
