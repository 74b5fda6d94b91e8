/*
 * subnet.env as any daemon or crash may leave it. What was understood is canonical: written out and read again, it is
 * the same.
 */
#include "fuzz.h"

#include "cni/plugin.h"
#include "lease/subnet_env.h"

static const char *text_of(const cidrs_t *list, const char *key, struct arena *arena)
{
	const char *text = "";
	char one[CIDR_TEXT_SIZE];

	list_each(cidr, list)
		text = arena_printf(arena, "%s%s%s", *text ? text : key, *text ? "," : "=",
				    cidr_format(cidr, one));
	return text;
}

static const char *subnet_text(const struct cidr *cidr, const char *key, struct arena *arena)
{
	char text[CIDR_TEXT_SIZE];

	return cidr->ip.family ? arena_printf(arena, "%s=%s", key, cidr_format(cidr, text)) : "";
}

static const char *write_out(const struct subnet_env *env, struct arena *arena)
{
	const char *mtu = env->has_mtu ? arena_printf(arena, "FLANNEL_MTU=%u", env->mtu) : "";
	const char *masquerade = !env->has_masquerade ? ""
				 : env->masquerade    ? "FLANNEL_IPMASQ=true"
						      : "FLANNEL_IPMASQ=false";

	return arena_printf(arena, "%s\n%s\n%s\n%s\n%s\n%s\n",
			    text_of(&env->networks, "FLANNEL_NETWORK", arena),
			    text_of(&env->networks_v6, "FLANNEL_IPV6_NETWORK", arena),
			    subnet_text(&env->subnet, "FLANNEL_SUBNET", arena),
			    subnet_text(&env->subnet_v6, "FLANNEL_IPV6_SUBNET", arena), mtu,
			    masquerade);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	const char *text = arena_memdup(&arena, data, size), *once, *missing;
	struct subnet_env env, again;
	struct error err = { 0 };

	if (subnet_env_parse(text, &arena, &env, &err) < 0) {
		fuzz_check(*err.message, "no word about what is wrong");
		plugin_error_text(&err, "1.1.0", &arena);
		return 0;
	}
	missing = subnet_env_missing(&env, &arena);
	fuzz_check(!missing || *missing, "nothing is missing, or something is");
	once = write_out(&env, &arena);
	fuzz_check(subnet_env_parse(once, &arena, &again, &err) == 0, "%s: %s", err.message, once);
	fuzz_check(streq(once, write_out(&again, &arena)), "%s", once);
	return 0;
}
