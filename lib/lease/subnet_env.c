/* subnet.env of flannel: parsing is pure, loading has the reference's texts (cni-plugins.md, section 2.19). */
#include "lease/subnet_env.h"

#include "base/file.h"

#include <ctype.h>
#include <errno.h>

#define FILE_MAX ((size_t)64 << 10)

/* In place: white space around it (a carriage return, say), and one pair of quotes, as a shell would have it. */
static char *trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	if (len >= 2 && (*text == '"' || *text == '\'') && text[len - 1] == *text) {
		text[len - 1] = '\0';
		text++;
	}
	return text;
}

static int parse_network(const char *text, struct cidr *network, struct error *err)
{
	struct cidr cidr;

	if (!cidr_parse(text, &cidr))
		return fail(err, EINVAL, "invalid CIDR address: %s", text);
	*network = cidr_network(&cidr);
	return 0;
}

static bool has_network(const cidrs_t *list, const struct cidr *network)
{
	list_each(one, list)
		if (cidr_equal(one, network))
			return true;
	return false;
}

static int parse_networks(char *text, struct arena *arena, cidrs_t *list, struct error *err)
{
	*list = (cidrs_t){ 0 };
	for (char *word; (word = strsep(&text, ","));) {
		struct cidr network;

		word = trim(word);
		if (!*word)
			continue;
		if (parse_network(word, &network, err) < 0)
			return -EINVAL;
		if (!has_network(list, &network))
			*list_add(arena, list) = network;
	}
	return 0;
}

static int parse_mtu(const char *text, struct subnet_env *env, struct error *err)
{
	uint64_t value = 0;

	for (const char *p = text; *p && value <= UINT32_MAX; p++)
		value = isdigit((unsigned char)*p) ? value * 10 + (uint64_t)(*p - '0') : UINT64_MAX;
	if (value > UINT32_MAX)
		return fail(err, EINVAL, "\"%s\" is not a number of bytes", text);
	env->has_mtu = true;
	env->mtu = (uint32_t)value;
	return 0;
}

static int parse_value(const char *key, char *value, struct arena *arena, struct subnet_env *env,
		       struct error *err)
{
	if (streq(key, "FLANNEL_NETWORK"))
		return parse_networks(value, arena, &env->networks, err);
	if (streq(key, "FLANNEL_IPV6_NETWORK"))
		return parse_networks(value, arena, &env->networks_v6, err);
	if (streq(key, "FLANNEL_SUBNET"))
		return parse_network(value, &env->subnet, err);
	if (streq(key, "FLANNEL_IPV6_SUBNET"))
		return parse_network(value, &env->subnet_v6, err);
	if (streq(key, "FLANNEL_MTU"))
		return parse_mtu(value, env, err);
	if (streq(key, "FLANNEL_IPMASQ")) {
		env->has_masquerade = true;
		env->masquerade = streq(value, "true");
	}
	return 0;
}

int subnet_env_parse(const char *text, struct arena *arena, struct subnet_env *env,
		     struct error *err)
{
	char *rest = arena_strdup(arena, text);

	*env = (struct subnet_env){ 0 };
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *value = strchr(line, '='), *key;

		if (!value)
			continue;
		*value++ = '\0';
		key = trim(line);
		value = trim(value);
		if (*value && parse_value(key, value, arena, env, err) < 0)
			return wrap(err, "%s", key);
	}
	return 0;
}

const char *subnet_env_value(const char *text, const char *key, struct arena *arena)
{
	char *rest = arena_strdup(arena, text);
	const char *found = NULL;

	for (char *line; (line = strsep(&rest, "\n"));) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (streq(trim(line), key))
			found = trim(value);
	}
	return found;
}

const char *subnet_env_missing(const struct subnet_env *env, struct arena *arena)
{
	const struct {
		const char *keys;
		bool there;
	} needed[] = {
		{ "FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK", env->networks.n || env->networks_v6.n },
		{ "FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET",
		  env->subnet.ip.family || env->subnet_v6.ip.family },
		{ "FLANNEL_MTU", env->has_mtu },
		{ "FLANNEL_IPMASQ", env->has_masquerade },
	};
	const char *missing = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!needed[i].there)
			missing = missing ? arena_printf(arena, "%s, %s", missing, needed[i].keys)
					  : needed[i].keys;
	return missing;
}

static int load(const char *path, struct arena *arena, struct subnet_env *env, struct error *err)
{
	const char *missing;
	char *text;
	size_t size;
	int r = file_read(path, FILE_MAX, arena, &text, &size, err);

	if (r == -ENOENT && err) { /* the words that people look up */
		*err = (struct error){ 0 };
		return fail(err, ENOENT, "open %s: no such file or directory", path);
	}
	if (r < 0)
		return r;
	if (subnet_env_parse(text, arena, env, err) < 0)
		return wrap(err, "%s", path);
	missing = subnet_env_missing(env, arena);
	return missing ? fail(err, ENODATA, "%s is missing %s", path, missing) : 0;
}

int subnet_env_load(const char *path, struct arena *arena, struct subnet_env *env,
		    struct error *err)
{
	struct error why = { 0 };

	*env = (struct subnet_env){ 0 };
	if (load(path, arena, env, &why) == 0)
		return 0;
	return fail(err, why.errnum,
		    "failed to load flannel 'subnet.env' file: %s. "
		    "Check the flannel pod log for this node.",
		    why.message);
}

/* FLANNEL_NETWORK and FLANNEL_SUBNET of one family. */
static char *add_family(char *text, const char *prefix, const cidrs_t *networks,
			const struct cidr *subnet, struct arena *arena)
{
	struct cidr first = { ip_add(&subnet->ip, 1), subnet->prefix };
	char network[CIDR_TEXT_SIZE] = "", address[CIDR_TEXT_SIZE];

	if (!subnet->ip.family)
		return text;
	if (networks->n)
		cidr_format(&networks->items[0], network);
	return arena_printf(arena, "%sFLANNEL_%sNETWORK=%s\nFLANNEL_%sSUBNET=%s\n", text, prefix,
			    network, prefix, cidr_format(&first, address));
}

const char *subnet_env_text(const struct subnet_env *env, struct arena *arena)
{
	char *text = add_family(arena_strdup(arena, ""), "", &env->networks, &env->subnet, arena);

	text = add_family(text, "IPV6_", &env->networks_v6, &env->subnet_v6, arena);
	return arena_printf(arena, "%sFLANNEL_MTU=%u\nFLANNEL_IPMASQ=%s\n", text, env->mtu,
			    env->masquerade ? "true" : "false");
}
