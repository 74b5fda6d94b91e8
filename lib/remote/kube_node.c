/* Between a node's object and a lease. */
#include "remote/kube_node.h"

#include <errno.h>
#include <sys/socket.h>

#define MEMBER_OF_NETWORK "kube-subnet-manager"

/* A lease's value and a node's annotations say the same, this under that name. */
static const struct {
	const char *member, *annotation;
	bool is_json; /* the annotation is JSON's text, "null" for none */
	bool v6;      /* there when the node has an address of IPv6, else when it has one of IPv4 */
} pairs[] = {
	{ "PublicIP", "public-ip", false, false },
	{ "PublicIPv6", "public-ipv6", false, true },
	{ "BackendType", "backend-type", false, false },
	{ "BackendData", "backend-data", true, false },
	{ "BackendV6Data", "backend-v6-data", true, true },
};

int kube_prefix(const char *word, struct arena *arena, const char **prefix, struct error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
	size_t domain = strspn(word, letters), len = strlen(word);
	const char *dot = memchr(word, '.', domain), *rest = word + domain;

	if (!dot || dot == word || domain < 3 || word[domain - 1] == '.' ||
	    (*rest && (*rest != '/' || rest[1 + strspn(rest + 1, letters)])))
		return fail(err, EINVAL,
			    "\"%s\": annotations begin with a domain, or a domain, a slash and a"
			    " word",
			    word);
	*prefix = arena_printf(arena, "%s%s", word,
			       !*rest                                         ? "/"
			       : word[len - 1] == '/' || word[len - 1] == '-' ? ""
									      : "-");
	return 0;
}

static const char *annotation(const struct json *object, const char *prefix, const char *name)
{
	auto_arena struct arena arena = { 0 };
	const struct json *all = json_member(json_member(object, "metadata"), "annotations");

	return json_string(json_member(all, arena_printf(&arena, "%s%s", prefix, name)));
}

/* ---- an object, read ---- */

static void take_cidr(struct kube_node *node, const struct json *word)
{
	struct cidr cidr, *place;

	if (!json_string(word) || !cidr_parse(json_string(word), &cidr)) {
		node->odd = true;
		return;
	}
	place = cidr.ip.family == AF_INET6 ? &node->subnet6 : &node->subnet;
	node->odd |= place->ip.family != 0 || cidr.prefix >= ip_bits(&cidr.ip);
	*place = cidr_network(&cidr);
}

/* podCIDRs, at most one of each family; servers before 1.16 know podCIDR only. */
static void take_cidrs(struct kube_node *node, const struct json *spec)
{
	const struct json *cidrs = json_member(spec, "podCIDRs");
	const struct json *cidr = json_member(spec, "podCIDR");

	if (json_is_array(cidrs) && json_length(cidrs)) {
		node->odd = json_length(cidrs) > 2;
		for (size_t i = 0; i < json_length(cidrs) && i < 2; i++)
			take_cidr(node, json_item(cidrs, i));
	} else if (json_string(cidr) && *json_string(cidr)) {
		take_cidr(node, cidr);
	}
}

/* The annotation as the member that it stands for; one that is no JSON stays a text, which is no data. */
static struct json *member_of(const char *text, bool is_json)
{
	struct json *json = is_json ? json_parse(text, strlen(text), NULL) : NULL;

	return json ? json : json_new_string(text);
}

static const char *value_of(const struct json *object, const char *prefix, struct arena *arena)
{
	auto_json struct json *value = json_new_object();

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		const char *text = annotation(object, prefix, pairs[i].annotation);

		if (text && *text && (!pairs[i].is_json || !streq(text, "null")))
			json_set(value, pairs[i].member, member_of(text, pairs[i].is_json));
		else if (streq(pairs[i].member, "PublicIPv6")) /* as subnet_value() has it */
			json_set(value, pairs[i].member, json_new_null());
	}
	return json_text(value, JSON_STYLE_COMPACT, arena);
}

int kube_node_read(const struct json *object, const char *prefix, struct arena *arena,
		   struct kube_node *node, struct error *err)
{
	const char *name = json_string(json_member(json_member(object, "metadata"), "name"));
	const char *member = annotation(object, prefix, MEMBER_OF_NETWORK);

	if (!name || !*name)
		return fail(err, EINVAL, "an object without a name");
	*node = (struct kube_node){ .name = arena_strdup(arena, name) };
	take_cidrs(node, json_member(object, "spec"));
	if (member && streq(member, "true"))
		node->value = value_of(object, prefix, arena);
	return 0;
}

static struct ip address(const struct json *object, const char *prefix, const char *name,
			 int family)
{
	const char *text = annotation(object, prefix, name);
	struct ip ip;

	return text && ip_parse(text, &ip) && ip.family == family ? ip : (struct ip){ 0 };
}

static bool says(const struct json *object, const char *key, const char *text)
{
	const char *there = json_string(json_member(object, key));

	return there && streq(there, text);
}

static bool is_up(const struct json *object)
{
	const struct json *all = json_member(json_member(object, "status"), "conditions");

	for (size_t i = 0; i < json_length(all); i++) {
		const struct json *condition = json_item(all, i);

		if (says(condition, "type", "NetworkUnavailable"))
			return says(condition, "status", "False") &&
			       says(condition, "reason", "FlannelIsUp");
	}
	return false;
}

struct kube_own kube_own_read(const struct json *object, const char *prefix)
{
	return (struct kube_own){
		.overwrite = address(object, prefix, "public-ip-overwrite", AF_INET),
		.overwrite6 = address(object, prefix, "public-ipv6-overwrite", AF_INET6),
		.public_ip = address(object, prefix, "node-public-ip", AF_INET),
		.public_ip6 = address(object, prefix, "node-public-ipv6", AF_INET6),
		.up = is_up(object),
	};
}

/* ---- patches ---- */

/* The annotation's text; NULL = it is not to be there. */
static const char *text_of(const struct json *value, size_t i, struct arena *arena)
{
	const char *ip = json_string(json_member(value, pairs[pairs[i].v6 ? 1 : 0].member));
	const struct json *member = json_member(value, pairs[i].member);

	if (!value)
		return NULL;
	if (streq(pairs[i].member, "BackendType"))
		return json_string(member) ? json_string(member) : "";
	if (!ip)
		return NULL;
	if (!pairs[i].is_json)
		return json_string(member);
	return member ? json_text(member, JSON_STYLE_COMPACT, arena) : "null";
}

static void annotate(struct json *annotations, const char *prefix, const char *name,
		     const char *text, struct arena *arena)
{
	json_set(annotations, arena_printf(arena, "%s%s", prefix, name),
		 text ? json_new_string(text) : json_new_null());
}

const char *kube_node_patch(const char *value, const char *prefix, struct arena *arena)
{
	auto_json struct json *json = value ? json_parse(value, strlen(value), NULL) : NULL;
	auto_json struct json *patch = json_new_object();
	struct json *metadata = json_new_object(), *annotations = json_new_object();

	annotate(annotations, prefix, MEMBER_OF_NETWORK, json ? "true" : NULL, arena);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		annotate(annotations, prefix, pairs[i].annotation, text_of(json, i, arena), arena);
	json_set(metadata, "annotations", annotations);
	json_set(patch, "metadata", metadata);
	return json_text(patch, JSON_STYLE_COMPACT, arena);
}

const char *kube_node_up_patch(const char *now, struct arena *arena)
{
	return arena_printf(arena,
			    "{\"status\":{\"conditions\":[{\"type\":\"NetworkUnavailable\","
			    "\"status\":\"False\",\"lastHeartbeatTime\":\"%s\","
			    "\"lastTransitionTime\":\"%s\",\"reason\":\"FlannelIsUp\","
			    "\"message\":\"Flannel is running on this node\"}]}}",
			    now, now);
}
