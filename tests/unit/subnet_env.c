/* What a flannel daemon writes for its node, and what others make of it. */
#include "lease/subnet_env.h"

#include "unit.h"

#include <errno.h>

#define FULL                                                                     \
	"FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.17.1/24\n"             \
	"FLANNEL_IPV6_NETWORK=fc00::/48\nFLANNEL_IPV6_SUBNET=fc00:0:0:1::1/64\n" \
	"FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"

static const char *networks_text(const cidrs_t *list, struct arena *arena)
{
	const char *text = "";
	char one[CIDR_TEXT_SIZE];

	list_each(cidr, list)
		text = arena_printf(arena, "%s%s%s", text, *text ? " " : "",
				    cidr_format(cidr, one));
	return text;
}

TEST(what_the_daemon_writes)
{
	auto_arena struct arena arena = { 0 };
	struct subnet_env env;
	struct error err = { 0 };
	char text[CIDR_TEXT_SIZE];

	check_ok(subnet_env_parse(FULL, &arena, &env, &err), err);
	check_str(networks_text(&env.networks, &arena), "10.1.0.0/16");
	check_str(networks_text(&env.networks_v6, &arena), "fc00::/48");
	check_str(cidr_format(&env.subnet, text), "10.1.17.0/24");
	check_str(cidr_format(&env.subnet_v6, text), "fc00:0:0:1::/64");
	check(env.has_mtu && env.has_masquerade && env.masquerade);
	check_int(env.mtu, 1450);
	check(!subnet_env_missing(&env, &arena));
}

TEST(lists_of_networks_hold_each_once)
{
	auto_arena struct arena arena = { 0 };
	struct subnet_env env;
	struct error err = { 0 };

	check_ok(subnet_env_parse(
			 "FLANNEL_NETWORK=10.1.0.0/16,10.2.0.0/16, 10.1.7.7/16,,10.2.0.0/16\n"
			 "FLANNEL_IPV6_NETWORK=fc01::/48,fc00::/48,fc01::1/48",
			 &arena, &env, &err),
		 err);
	check_str(networks_text(&env.networks, &arena), "10.1.0.0/16 10.2.0.0/16");
	check_str(networks_text(&env.networks_v6, &arena), "fc01::/48 fc00::/48");
}

TEST(lines_of_other_people)
{
	auto_arena struct arena arena = { 0 };
	struct subnet_env env;
	struct error err = { 0 };

	check_ok(subnet_env_parse("\n# FLANNEL_MTU=1\r\n\nnonsense\nFLANNEL_MTUX=2\nOTHER=x=y\n"
				  "FLANNEL_MTU=\"1400\"\r\nFLANNEL_SUBNET= '10.1.2.3/24' \r\n"
				  "FLANNEL_IPV6_SUBNET=\nFLANNEL_IPMASQ=TRUE\nFLANNEL_MTU=1300",
				  &arena, &env, &err),
		 err);
	check_int(env.mtu, 1300);
	check_int(env.subnet.prefix, 24);
	check_int(env.subnet_v6.ip.family, 0);
	check(env.has_masquerade && !env.masquerade);
}

TEST(what_is_missing_has_the_names_of_the_reference)
{
	static const struct {
		const char *text, *missing;
	} cases[] = {
		{ "", "FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, "
		      "FLANNEL_MTU, FLANNEL_IPMASQ" },
		{ "FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.1.1/24\nFLANNEL_IPMASQ=true",
		  "FLANNEL_MTU" },
		{ "FLANNEL_IPV6_NETWORK=fc00::/48\nFLANNEL_MTU=1\nFLANNEL_IPMASQ=",
		  "FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_IPMASQ" },
		{ "FLANNEL_IPV6_SUBNET=fc00::1/64\nFLANNEL_MTU=1\nFLANNEL_IPMASQ=no",
		  "FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK" },
	};
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct subnet_env env;
		struct error err = { 0 };

		check_ok(subnet_env_parse(cases[i].text, &arena, &env, &err), err);
		check_str(subnet_env_missing(&env, &arena), cases[i].missing);
	}
}

TEST(values_that_are_none_are_named)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "FLANNEL_NETWORK=10.1.0.0/33",
		  "FLANNEL_NETWORK: invalid CIDR address: 10.1.0.0/33" },
		{ "FLANNEL_NETWORK=10.1.0.0/16,x", "FLANNEL_NETWORK: invalid CIDR address: x" },
		{ "FLANNEL_SUBNET=10.1.0.1", "FLANNEL_SUBNET: invalid CIDR address: 10.1.0.1" },
		{ "FLANNEL_IPV6_SUBNET=x", "FLANNEL_IPV6_SUBNET: invalid CIDR address: x" },
		{ "FLANNEL_MTU=-1", "FLANNEL_MTU: \"-1\" is not a number of bytes" },
		{ "FLANNEL_MTU=4294967296",
		  "FLANNEL_MTU: \"4294967296\" is not a number of bytes" },
		{ "FLANNEL_MTU=99999999999999999999999",
		  "FLANNEL_MTU: \"99999999999999999999999\" is not a number of bytes" },
		{ "FLANNEL_MTU=15x", "FLANNEL_MTU: \"15x\" is not a number of bytes" },
	};
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct subnet_env env;
		struct error err = { 0 };

		check_int(subnet_env_parse(cases[i].text, &arena, &env, &err), -EINVAL);
		check_str(err.message, cases[i].message);
	}
}

TEST(a_file_that_is_not_there_has_the_words_people_look_up)
{
	auto_arena struct arena arena = { 0 };
	struct subnet_env env;
	struct error err = { 0 };

	check_int(subnet_env_load("/nonexistent/subnet.env", &arena, &env, &err), -ENOENT);
	check_str(err.message, "failed to load flannel 'subnet.env' file: open "
			       "/nonexistent/subnet.env: no such file or directory. "
			       "Check the flannel pod log for this node.");
	err = (struct error){ 0 };
	check_int(subnet_env_load("/dev/null", &arena, &env, &err), -EINVAL);
	check_int(subnet_env_load("/nonexistent", &arena, &env, NULL), -ENOENT);
}

TEST(subnet_env_is_written_as_flannel_writes_it)
{
	static const char text[] = "FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.59.1/24\n"
				   "FLANNEL_IPV6_NETWORK=2001:cafe:42::/56\n"
				   "FLANNEL_IPV6_SUBNET=2001:cafe:42:3a::1/64\n"
				   "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
	auto_arena struct arena arena = { 0 };
	struct subnet_env env;
	struct error err = { 0 };

	check_ok(subnet_env_parse(text, &arena, &env, &err), err);
	check_str(subnet_env_text(&env, &arena), text);
	env.subnet_v6.ip.family = 0;
	env.masquerade = false;
	check_str(subnet_env_text(&env, &arena),
		  "FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.59.1/24\n"
		  "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n");
}
