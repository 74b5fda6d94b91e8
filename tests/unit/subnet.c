/* The model of leases: flannel's configuration with its refusals, keys and values byte for byte, allocation. */
#include "unit.h"

#include "lease/allocate.h"

#include <errno.h>
#include <sys/socket.h>

static struct arena arena;

/* "V4 LEN MIN MAX [V6 LEN MIN MAX] TYPE", or the error. */
static const char *config_of(const char *text, bool allocates)
{
	struct network_config config;
	struct error err = { 0 };
	char network[CIDR_TEXT_SIZE], min[IP_TEXT_SIZE], max[IP_TEXT_SIZE];
	char *out = arena_strdup(&arena, "");

	if (network_config_decode(text, strlen(text), allocates, &arena, &config, &err))
		return arena_strdup(&arena, err.message);
	for (int i = 0; i < 2; i++) {
		struct network_family *family = i ? &config.v6 : &config.v4;

		if (family->enabled)
			out = arena_printf(&arena, "%s%s %d %s %s ", out,
					   cidr_format(&family->network, network),
					   family->subnet_len, ip_format(&family->min, min),
					   ip_format(&family->max, max));
	}
	return arena_printf(&arena, "%s%s", out, config.backend.type);
}

TEST(network_config_defaults_and_refusals)
{
	static const char *const cases[][2] = {
		{ "{\"Network\": \"10.9.3.4/16\"}", "10.9.0.0/16 24 10.9.1.0 10.9.255.0 udp" },
		{ "{\"network\": \"10.5.0.0/22\"}", "10.5.0.0/22 24 10.5.1.0 10.5.3.0 udp" },
		{ "{\"Network\": \"10.5.0.0/24\"}", "10.5.0.0/24 26 10.5.0.64 10.5.0.192 udp" },
		{ "{\"Network\": \"10.5.0.0/28\"}", "10.5.0.0/28 30 10.5.0.4 10.5.0.12 udp" },
		{ "{\"Network\": \"10.0.0.0/8\", \"SubnetLen\": 20, \"SubnetMin\": \"10.10.0.0\","
		  " \"SubnetMax\": \"10.99.0.0\", \"Backend\": {\"Type\": \"VXLAN\"}}",
		  "10.0.0.0/8 20 10.10.0.0 10.99.0.0 vxlan" },
		{ "{\"EnableIPv4\": false, \"EnableIPv6\": true, \"IPv6Network\": \"fd00::/48\","
		  " \"Backend\": {\"Type\": \"host-gw\"}}",
		  "fd00::/48 64 fd00:0:0:1:: fd00:0:0:ffff:: host-gw" },
		{ "{\"Network\": \"10.5.0.0/16\", \"EnableIPv6\": true, \"IPv6Network\": \"fd00::/64\"}",
		  "10.5.0.0/16 24 10.5.1.0 10.5.255.0 fd00::/64 66 fd00::4000:0:0:0 "
		  "fd00::c000:0:0:0 udp" },
		{ "{\"Network\": \"10.5.0.0/29\"}",
		  "network is too small. Minimum useful network prefix is /28" },
		{ "{\"Network\": \"10.5.0.0/24\", \"SubnetLen\": 25}",
		  "network must be able to accommodate at least four subnets" },
		{ "{\"Network\": \"10.5.0.0/24\", \"SubnetLen\": 31}",
		  "SubnetLen must be less than /31" },
		{ "{\"Network\": \"10.5.0.0/16\", \"SubnetMin\": \"10.6.0.0\"}",
		  "SubnetMin is not in the range of the Network" },
		{ "{\"Network\": \"10.5.0.0/16\", \"SubnetMax\": \"10.5.1.1\"}",
		  "SubnetMax is not on a SubnetLen boundary: 10.5.1.1" },
		{ "{\"Network\": \"10.5.0.0/16\", \"SubnetMin\": \"10.5.9.0\", \"SubnetMax\": \"10.5.8.0\"}",
		  "SubnetMin lies behind SubnetMax" },
		{ "{}", "please define a correct Network parameter in the flannel config" },
		{ "{\"Network\": \"fd00::/48\"}",
		  "please define a correct Network parameter in the flannel config" },
		{ "{\"EnableIPv4\": false}", "neither EnableIPv4 nor EnableIPv6 is set" },
		{ "{\"Network\": \"10.5.0.0/16\", \"Backend\": {}}",
		  "Backend.Type: unknown backend type \"\"" },
		{ "{\"Network\": \"10.5.0.0/16\", \"Backend\": {\"Type\": \"vxlan\", \"VNI\": \"1\"}}",
		  "Backend.VNI: expected an integer, found string" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_str(config_of(cases[i][0], true), cases[i][1]);
	/* Kubernetes: nothing is allocated, so no bound is held to anything. */
	check_str(config_of("{\"Network\": \"10.5.0.0/29\", \"Backend\": {\"Type\": \"vxlan\"}}",
			    false),
		  "10.5.0.0/29 0   vxlan");
}

TEST(subnet_keys)
{
	static const char *const same[] = { "10.5.34.0-24", "10.5.27.0-24&2001:cafe:42:3a::-64",
					    "0.0.0.0-0&fd00:0:0:1::-64" };
	static const char *const none[] = { "hello",
					    "10.5.34.0",
					    "10.5.34.0-33",
					    "10.5.34.0-32",
					    "10.5.34.0-",
					    "10.5.34.0-24&",
					    "10.5.34.0-24&fd00::-128",
					    "10.5.34.0-24&10.5.35.0-24",
					    "0.0.0.0-0",
					    "",
					    "-24",
					    "10.5.34.0-24x",
					    "0.0.0.0-8",
					    "10.5.34.0-024&fd00::-64&x",
					    "10.5.34.0-4",
					    "10.5.34.0-4&fd00::-64" };
	struct subnet_lease lease;
	char key[SUBNET_KEY_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		lease = (struct subnet_lease){ 0 };
		check_int(subnet_key_parse(same[i], &lease), 0);
		check_str(subnet_key(&lease, key), same[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		unit_check(subnet_key_parse(none[i], &lease) < 0, __FILE__, __LINE__,
			   "\"%s\" is taken for a key", none[i]);
	check_int(subnet_key_parse("10.5.34.7-24", &lease), 0);
	check_str(subnet_key(&lease, key), "10.5.34.0-24");
}

/* What flannel HEAD wrote for these (flannel.md, section 2.2). */
TEST(subnet_values_are_flannels_byte_for_byte)
{
	static const char *const values[] = {
		"{\"PublicIP\":\"192.168.77.11\",\"PublicIPv6\":null,\"BackendType\":\"vxlan\","
		"\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"32:91:ac:56:0a:4b\"}}",
		"{\"PublicIP\":\"192.168.77.11\",\"PublicIPv6\":\"fd77::11\",\"BackendType\":\"vxlan\","
		"\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"32:91:ac:56:0a:4b\"},"
		"\"BackendV6Data\":{\"VNI\":1,\"VtepMAC\":\"b2:44:00:00:00:01\"}}",
		"{\"PublicIP\":\"192.168.77.11\",\"PublicIPv6\":null,\"BackendType\":\"host-gw\"}",
		"{\"PublicIP\":\"192.168.77.11\",\"PublicIPv6\":null}",
	};
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct subnet_lease lease = { 0 };

		check_ok(subnet_value_parse(values[i], strlen(values[i]), &arena, &lease, &err),
			 err);
		check_str(subnet_value(&lease, &arena), values[i]);
	}
}

/* flannel's PublicIP is no pointer: it reads no null, and takes one for a broken entry; without the key it is 0.0.0.0. */
TEST(subnet_values_of_ipv6_alone_have_no_null_that_flannel_refuses)
{
	struct subnet_lease lease = { .type = "host-gw" };

	ip_parse("fd77::11", &lease.public_ip6);
	check_str(subnet_value(&lease, &arena),
		  "{\"PublicIPv6\":\"fd77::11\",\"BackendType\":\"host-gw\"}");
}

TEST(subnet_value_needs_no_error)
{
	struct subnet_lease lease = { 0 };

	check(subnet_value_parse("{", 1, &arena, &lease, NULL) < 0);
}

static int parse_value(const char *text, struct subnet_lease *lease, struct error *err)
{
	return subnet_value_parse(text, strlen(text), &arena, lease, err);
}

TEST(subnet_values_of_others)
{
	struct subnet_lease lease = { 0 };
	struct error err = { 0 };

	check_ok(
		parse_value("{\"publicip\": \"192.0.2.1\", \"backendtype\": \"vxlan\", \"More\": 1,"
			    " \"BackendData\": {\"vtepmac\": \"aa-bb-cc-dd-ee-ff\"}}",
			    &lease, &err),
		err);
	check_int(lease.vtep.set, true);
	check_int(lease.vtep.mac.bytes[5], 0xff);
	check_ok(parse_value("{\"PublicIP\": \"192.0.2.1\", \"BackendType\": \"wireguard\","
			     " \"BackendData\": {\"PublicKey\": \"x\", \"Port\": 51820}}",
			     &lease, &err),
		 err);
	check_str(lease.type, "wireguard");
	check_int(lease.vtep.set, false);
	check_fails(parse_value("{\"BackendType\": \"vxlan\", \"BackendData\": {\"VNI\": 1}}",
				&lease, &err),
		    err, "BackendData.VtepMAC: missing");
	check_fails(parse_value("{\"PublicIP\": \"fd00::1\"}", &lease, &err), err,
		    "PublicIP and PublicIPv6: an address of the other family");
	check_fails(parse_value("{\"PublicIP\": 7}", &lease, &err), err,
		    "PublicIP: expected an IP address, found number");
}

#define WITH_MAC(mac)                                                                 \
	"{\"PublicIP\": \"192.0.2.9\", \"BackendType\": \"vxlan\", \"BackendData\": " \
	"{\"VNI\": 1, \"VtepMAC\": \"" mac "\"}}"

TEST(subnet_values_that_no_node_can_have)
{
	static const char *const none[][2] = {
		{ WITH_MAC("00:00:00:00:00:00"), "00:00:00:00:00:00 is no device's address" },
		{ WITH_MAC("ff:ff:ff:ff:ff:ff"), "ff:ff:ff:ff:ff:ff is no device's address" },
		{ WITH_MAC("01:00:5e:00:00:01"), "01:00:5e:00:00:01 is no device's address" },
		{ "{\"PublicIP\": \"224.0.0.1\"}", "224.0.0.1 is no node's address" },
		{ "{\"PublicIP\": \"255.255.255.255\"}", "255.255.255.255 is no node's address" },
		{ "{\"PublicIP\": \"127.0.0.1\"}", "127.0.0.1 is no node's address" },
		{ "{\"PublicIP\": \"192.0.2.9\", \"PublicIPv6\": \"ff02::1\"}",
		  "ff02::1 is no node's address" },
		{ "{\"PublicIPv6\": \"::1\"}", "::1 is no node's address" },
	};
	struct subnet_lease lease = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		struct error err = { 0 };

		check_int(parse_value(none[i][0], &lease, &err), -EINVAL);
		unit_check(strstr(err.message, none[i][1]) != NULL, __FILE__, __LINE__,
			   "\"%s\" says not: %s", err.message, none[i][1]);
	}
	/* flannel's, of nodes of IPv6 alone */
	check_int(parse_value("{\"PublicIP\": \"0.0.0.0\", \"PublicIPv6\": \"fd77::9\"}", &lease,
			      NULL),
		  0);
}

static struct subnet_lease lease_of(const char *key, const char *node)
{
	struct subnet_lease lease = { .type = "" };

	if (subnet_key_parse(key, &lease))
		unit_check(false, __FILE__, __LINE__, "%s: no key", key);
	ip_parse(node, strchr(node, ':') ? &lease.public_ip6 : &lease.public_ip);
	return lease;
}

TEST(subnet_identity)
{
	struct subnet_lease a = lease_of("10.5.1.0-24", "192.0.2.1"),
			    b = lease_of("10.5.2.0-24", "192.0.2.1"),
			    nobody = lease_of("0.0.0.0-0&fd00:1::-64", "0.0.0.0"), other = nobody;

	check(subnet_same_node(&a, &b));
	check(!subnet_same(&a, &b));
	check(!subnet_same_node(&nobody, &other)); /* D12: nobody's address is no identity */
	ip_parse("fd77::1", &nobody.public_ip6);
	ip_parse("fd77::1", &other.public_ip6);
	check(subnet_same_node(&nobody, &other));
	check(subnet_lease_equal(&a, &a));
	b = a;
	b.vtep = (struct subnet_vtep){ .set = true, .vni = 1 };
	check(!subnet_lease_equal(&a, &b));
}

static size_t chosen;

static size_t choose(size_t n)
{
	return chosen < n ? chosen : n - 1;
}

TEST(subnet_network_that_is_none_and_nobody_asks_why)
{
	static const char *const texts[] = {
		"",
		"{oops",
		"[]",
		"{}",
		"{\"Network\": 7}",
		"{\"Network\": \"10.5.0.0/16\", \"SubnetLen\": 17}",
		"{\"Network\": \"10.5.0.0/16\", \"Backend\": {}}",
	};
	struct network_config config;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		check(network_config_decode(texts[i], strlen(texts[i]), true, &arena, &config,
					    NULL) < 0);
}

/* Keys with blanks between, as leases. */
static subnet_leases_t leases_of(const char *keys)
{
	subnet_leases_t leases = { 0 };
	char *words = arena_strdup(&arena, keys);

	for (char *word; (word = strsep(&words, " "));)
		if (*word)
			*list_add(&arena, &leases) = lease_of(word, "192.0.2.9");
	return leases;
}

/* The subnet that a node gets which had `before`, where `taken` (keys with blanks between) are. */
static const char *allocated(const char *config_text, const char *taken, const char *before,
			     size_t pick)
{
	struct network_config config;
	struct subnet_lease wanted = { .type = "" };
	subnet_leases_t leases = leases_of(taken);
	struct error err = { 0 };
	char *key = arena_alloc(&arena, SUBNET_KEY_SIZE);

	if (network_config_decode(config_text, strlen(config_text), true, &arena, &config, &err))
		return arena_strdup(&arena, err.message);
	if (*before)
		wanted = lease_of(before, "192.0.2.1");
	chosen = pick;
	if (subnet_allocate(&config, &leases, &wanted, choose, &err))
		return arena_strdup(&arena, err.message);
	check(subnet_fits(&config, &wanted));
	return subnet_key(&wanted, key);
}

TEST(subnet_allocation)
{
	const char *net = "{\"Network\": \"10.5.0.0/16\"}",
		   *small = "{\"Network\": \"10.5.0.0/22\"}";
	const char *dual =
		"{\"Network\": \"10.5.0.0/22\", \"EnableIPv6\": true, \"IPv6Network\": \"fd00::/60\"}";

	check_str(allocated(net, "", "", 0), "10.5.1.0-24");
	check_str(allocated(net, "", "", 99), "10.5.100.0-24");
	check_str(allocated(net, "", "", 1000), "10.5.100.0-24"); /* the first hundred only */
	check_str(allocated(net, "10.5.1.0-24 10.5.3.0-24", "", 1), "10.5.4.0-24");
	check_str(allocated(net, "10.5.7.0-24", "10.5.200.0-24", 0), "10.5.200.0-24");
	check_str(allocated(net, "10.5.200.0-24", "10.5.200.0-24", 0), "10.5.1.0-24");
	check_str(allocated(net, "", "10.5.0.0-24", 0), "10.5.1.0-24");  /* before the first */
	check_str(allocated(net, "", "10.5.64.0-20", 0), "10.5.1.0-24"); /* of another length */
	/* Leases of another length, nested ones, too, take all that they overlap. */
	check_str(allocated(net, "10.5.0.0-20 10.5.2.0-24 10.5.16.0-25", "", 0), "10.5.17.0-24");
	check_str(allocated(small, "10.5.3.0-24 10.5.1.0-24", "", 5), "10.5.2.0-24");
	check_str(allocated(small, "10.5.3.0-24 10.5.1.0-24 10.5.2.0-24", "", 0),
		  "out of subnets: all 3 leases of the network are taken");
	check_str(allocated(dual, "10.5.1.0-24&fd00:0:0:1::-64", "", 0),
		  "10.5.2.0-24&fd00:0:0:2::-64");
	check_str(allocated(dual, "10.5.1.0-24", "10.5.1.0-24&fd00:0:0:5::-64", 0),
		  "10.5.2.0-24&fd00:0:0:5::-64");
}

/* "TAKEN of ALL", with "!" when that is many. */
static const char *usage_of(const char *config_text, bool allocates, const char *taken)
{
	subnet_leases_t leases = leases_of(taken);
	struct network_config config;
	struct subnet_usage usage;
	struct error err = { 0 };

	if (network_config_decode(config_text, strlen(config_text), allocates, &arena, &config,
				  &err))
		return arena_strdup(&arena, err.message);
	usage = subnet_usage(&config, &leases);
	return arena_printf(&arena, "%llu of %llu%s", (unsigned long long)usage.taken,
			    (unsigned long long)usage.all, subnet_usage_is_high(&usage) ? "!" : "");
}

TEST(subnet_usage)
{
	const char *net = "{\"Network\": \"10.5.0.0/16\"}",
		   *small = "{\"Network\": \"10.5.0.0/22\"}";
	const char *bound = "{\"Network\": \"10.5.0.0/16\", \"SubnetMin\": \"10.5.10.0\","
			    " \"SubnetMax\": \"10.5.19.0\"}";
	const char *dual = "{\"Network\": \"10.5.0.0/16\", \"EnableIPv6\": true,"
			   " \"IPv6Network\": \"fd00::/60\"}",
		   *wide = "{\"EnableIPv4\": false, \"EnableIPv6\": true, \"IPv6SubnetLen\": 66,"
			   " \"IPv6Network\": \"fd00::/33\"}";

	check_str(usage_of(net, true, ""), "0 of 255");
	check_str(usage_of(net, true, "10.5.1.0-24 10.5.255.0-24 10.5.0.0-24 10.6.1.0-24"),
		  "2 of 255"); /* the first is not given out, the last of another network */
	/* Of another length: each that they lie in or reach over, once. */
	check_str(usage_of(net, true, "10.5.16.0-20 10.5.17.0-24 10.5.40.0-25 10.5.40.128-25"),
		  "17 of 255");
	check_str(usage_of(small, true, "10.5.3.0-24 10.5.1.0-24"), "2 of 3");
	check_str(usage_of(small, true, "10.5.0.0-22"), "3 of 3!");
	check_str(usage_of(bound, true, "10.5.9.0-24 10.5.16.0-21"), "4 of 10");
	check_str(usage_of(bound, true, "10.5.9.0-24 10.5.10.0-23 10.5.12.0-22 10.5.19.0-24"),
		  "7 of 10");
	check_str(usage_of(bound, true, "10.5.10.0-23 10.5.12.0-22 10.5.16.0-24 10.5.19.0-24"),
		  "8 of 10!");
	/* The family with less room, whatever the other one has. */
	check_str(usage_of(dual, true, "10.5.1.0-24&fd00:0:0:1::-64 10.5.2.0-24"), "1 of 15");
	check_str(usage_of(wide, true, "0.0.0.0-0&fd00:0:1::-66"), "1 of 8589934591");
	check_str(usage_of(net, false, "10.5.1.0-24"), "0 of 0"); /* Kubernetes */
}
