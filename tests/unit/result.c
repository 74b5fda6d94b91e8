/* Results of every CNI version: golden text, both directions, and what cannot be converted. */
#include "cni/result.h"

#include "describe/json.h"
#include "unit.h"

static const char text_0_2[] = "{\n"
			       "    \"cniVersion\": \"0.2.0\",\n"
			       "    \"ip4\": {\n"
			       "        \"ip\": \"10.77.0.2/24\",\n"
			       "        \"gateway\": \"10.77.0.1\",\n"
			       "        \"routes\": [\n"
			       "            {\n"
			       "                \"dst\": \"0.0.0.0/0\",\n"
			       "                \"gw\": \"10.77.0.1\"\n"
			       "            }\n"
			       "        ]\n"
			       "    },\n"
			       "    \"ip6\": {\n"
			       "        \"ip\": \"fd77::2/64\"\n"
			       "    },\n"
			       "    \"dns\": {}\n"
			       "}";

static const char text_0_4[] = "{\n"
			       "    \"cniVersion\": \"0.4.0\",\n"
			       "    \"interfaces\": [\n"
			       "        {\n"
			       "            \"name\": \"cni0\",\n"
			       "            \"mac\": \"82:f9:f9:93:f6:68\"\n"
			       "        },\n"
			       "        {\n"
			       "            \"name\": \"eth0\",\n"
			       "            \"sandbox\": \"/run/netns/a\\u003cb\"\n"
			       "        }\n"
			       "    ],\n"
			       "    \"ips\": [\n"
			       "        {\n"
			       "            \"version\": \"4\",\n"
			       "            \"interface\": 0,\n"
			       "            \"address\": \"10.77.0.2/24\",\n"
			       "            \"gateway\": \"10.77.0.1\"\n"
			       "        },\n"
			       "        {\n"
			       "            \"version\": \"6\",\n"
			       "            \"address\": \"fd77::2/64\"\n"
			       "        },\n"
			       "        {\n"
			       "            \"version\": \"4\",\n"
			       "            \"interface\": 1,\n"
			       "            \"address\": \"10.78.0.2/16\"\n"
			       "        }\n"
			       "    ],\n"
			       "    \"routes\": [\n"
			       "        {\n"
			       "            \"dst\": \"0.0.0.0/0\",\n"
			       "            \"gw\": \"10.77.0.1\",\n"
			       "            \"mtu\": 1400,\n"
			       "            \"table\": 0,\n"
			       "            \"scope\": 0\n"
			       "        }\n"
			       "    ],\n"
			       "    \"dns\": {}\n"
			       "}";

static const char text_1[] = "{\n"
			     "    \"cniVersion\": \"1.1.0\",\n"
			     "    \"interfaces\": [\n"
			     "        {\n"
			     "            \"mac\": \"82:f9:f9:93:f6:68\",\n"
			     "            \"name\": \"cni0\"\n"
			     "        },\n"
			     "        {\n"
			     "            \"mtu\": 1450,\n"
			     "            \"name\": \"eth0\",\n"
			     "            \"pciID\": \"0000:00:1f.6\",\n"
			     "            \"sandbox\": \"/run/netns/a\\u003cb\",\n"
			     "            \"socketPath\": \"/run/vhost\"\n"
			     "        }\n"
			     "    ],\n"
			     "    \"ips\": [\n"
			     "        {\n"
			     "            \"address\": \"10.77.0.2/24\",\n"
			     "            \"gateway\": \"10.77.0.1\",\n"
			     "            \"interface\": 0\n"
			     "        },\n"
			     "        {\n"
			     "            \"address\": \"fd77::2/64\"\n"
			     "        },\n"
			     "        {\n"
			     "            \"address\": \"10.78.0.2/16\",\n"
			     "            \"interface\": 1\n"
			     "        }\n"
			     "    ],\n"
			     "    \"routes\": [\n"
			     "        {\n"
			     "            \"dst\": \"0.0.0.0/0\",\n"
			     "            \"gw\": \"10.77.0.1\",\n"
			     "            \"mtu\": 1400,\n"
			     "            \"scope\": 0,\n"
			     "            \"table\": 0\n"
			     "        }\n"
			     "    ]\n"
			     "}";

static struct ip ip_of(const char *text)
{
	struct ip ip = { 0 };

	check(ip_parse(text, &ip));
	return ip;
}

static struct cidr cidr_of(const char *text)
{
	struct cidr cidr = { 0 };

	check(cidr_parse(text, &cidr));
	return cidr;
}

/* One of everything that the versions treat differently. */
static struct cni_result sample(struct arena *arena)
{
	struct cni_result result = { 0 };

	*list_add(arena, &result.interfaces) = (struct cni_interface){
		.name = "cni0",
		.mac = { .set = true, .bytes = { 0x82, 0xf9, 0xf9, 0x93, 0xf6, 0x68 } },
	};
	*list_add(arena, &result.interfaces) = (struct cni_interface){
		.name = "eth0",
		.sandbox = "/run/netns/a<b",
		.mtu = 1450,
		.socket_path = "/run/vhost",
		.pci_id = "0000:00:1f.6",
	};
	*list_add(arena, &result.ips) = (struct cni_ip){
		.has_interface = true,
		.address = cidr_of("10.77.0.2/24"),
		.gateway = ip_of("10.77.0.1"),
	};
	*list_add(arena, &result.ips) = (struct cni_ip){ .address = cidr_of("fd77::2/64") };
	*list_add(arena, &result.ips) = (struct cni_ip){
		.has_interface = true,
		.interface = 1,
		.address = cidr_of("10.78.0.2/16"),
	};
	*list_add(arena, &result.routes) = (struct cni_route){
		.dst = cidr_of("0.0.0.0/0"),
		.gw = ip_of("10.77.0.1"),
		.mtu = 1400,
		.has_table = true,
		.has_scope = true,
	};
	return result;
}

/* The text in another version's clothes: the version string is all that differs within a family. */
static const char *with_version(const char *text, const char *from, const char *to,
				struct arena *arena)
{
	const char *at = strstr(text, from);

	return arena_printf(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void check_encode(const char *version, const char *want)
{
	auto_arena struct arena arena = { 0 };
	struct cni_result result = sample(&arena);
	struct error err = { 0 };
	char *text = NULL;

	check_ok(result_encode(&result, version, &arena, &text, &err), err);
	check_str(text, want);
}

TEST(encodes_every_version)
{
	auto_arena struct arena arena = { 0 };

	check_encode("", with_version(text_0_2, "0.2.0", "0.1.0", &arena));
	check_encode("0.1.0", with_version(text_0_2, "0.2.0", "0.1.0", &arena));
	check_encode("0.2.0", text_0_2);
	check_encode("0.3.0", with_version(text_0_4, "0.4.0", "0.3.0", &arena));
	check_encode("0.3.1", with_version(text_0_4, "0.4.0", "0.3.1", &arena));
	check_encode("0.4.0", text_0_4);
	check_encode("1.0.0", with_version(text_1, "1.1.0", "1.0.0", &arena));
	check_encode("1.1.0", text_1);
}

/* Decode the text and print it again in some version. */
static char *convert(const char *text, const char *config_version, const char *to,
		     struct arena *arena)
{
	struct error err = { 0 };
	auto_json struct json *json = json_parse(text, strlen(text), &err);
	struct cni_result result = { 0 };
	char *out = NULL;

	check(json != NULL);
	check_ok(result_decode(json, config_version, false, arena, &result, &err), err);
	check_ok(result_encode(&result, to, arena, &out, &err), err);
	return out;
}

TEST(decodes_what_it_encodes)
{
	auto_arena struct arena arena = { 0 };

	check_str(convert(text_0_2, "", "0.2.0", &arena), text_0_2);
	check_str(convert(text_0_4, "1.1.0", "0.4.0", &arena), text_0_4);
	check_str(convert(text_1, "0.3.1", "1.1.0", &arena), text_1);
}

TEST(converts_between_families)
{
	auto_arena struct arena arena = { 0 };

	check_str(convert(text_1, "1.1.0", "0.4.0", &arena), text_0_4);
	check_str(convert(text_1, "1.1.0", "0.2.0", &arena), text_0_2);
	check_str(convert(text_0_4, "0.4.0", "0.2.0", &arena), text_0_2);
	check_str(
		convert("{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.1.0.5/16\",\"routes\":[{\"dst\":\"10.9.0.0/16\"}]}}",
			"1.0.0", "1.0.0", &arena),
		"{\n"
		"    \"cniVersion\": \"1.0.0\",\n"
		"    \"ips\": [\n"
		"        {\n"
		"            \"address\": \"10.1.0.5/16\"\n"
		"        }\n"
		"    ],\n"
		"    \"routes\": [\n"
		"        {\n"
		"            \"dst\": \"10.9.0.0/16\"\n"
		"        }\n"
		"    ]\n"
		"}");
}

TEST(own_version_absent_means_the_configuration_s)
{
	auto_arena struct arena arena = { 0 };
	const char *want =
		"{\n    \"cniVersion\": \"0.3.1\",\n    \"ips\": [\n        {\n"
		"            \"version\": \"4\",\n            \"address\": \"10.1.0.5/16\"\n"
		"        }\n    ],\n    \"dns\": {}\n}";

	check_str(convert("{\"ips\":[{\"address\":\"10.1.0.5/16\"}]}", "0.4.0", "0.3.1", &arena),
		  want);
	check_str(convert("{\"ip4\":{\"ip\":\"10.1.0.5/16\"}}", "", "0.3.1", &arena), want);
}

TEST(keeps_dns_when_there_is_some)
{
	auto_arena struct arena arena = { 0 };

	check_str(
		convert("{\"DNS\":{\"Nameservers\":[\"10.1.0.1\"],\"domain\":\"a.b\",\"search\":[\"c\"]}}",
			"1.0.0", "1.0.0", &arena),
		"{\n"
		"    \"cniVersion\": \"1.0.0\",\n"
		"    \"dns\": {\n"
		"        \"domain\": \"a.b\",\n"
		"        \"nameservers\": [\n"
		"            \"10.1.0.1\"\n"
		"        ],\n"
		"        \"search\": [\n"
		"            \"c\"\n"
		"        ]\n"
		"    }\n"
		"}");
}

TEST(refuses_what_has_no_converter)
{
	auto_arena struct arena arena = { 0 };
	struct cni_result result = sample(&arena), empty = { 0 };
	struct error err = { 0 };
	char *text;

	check_fails(result_encode(&result, "9.9", &arena, &text, &err), err,
		    "no converter for CNI result version 1.1.0 to 9.9");
	check_int(err.code, CNI_INCOMPATIBLE_VERSION);
	check_fails(result_encode(&empty, "0.2.0", &arena, &text, &err), err,
		    "cannot convert: no valid IP addresses");
}

static void check_refused(const char *text, const char *version, bool strict, const char *message)
{
	auto_arena struct arena arena = { 0 };
	auto_json struct json *json = json_parse(text, strlen(text), NULL);
	struct cni_result result;
	struct error err = { 0 };

	check_fails(result_decode(json, version, strict, &arena, &result, &err), err, message);
	check_int(err.code, CNI_DECODE_FAILURE);
}

TEST(previous_results_must_be_of_the_family)
{
	check_refused(
		"{\"cniVersion\":\"0.4.0\"}", "1.1.0", true,
		"result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is \"0.4.0\"");
	check_refused(
		"{\"cniVersion\":\"1.0.0\"}", "0.3.1", true,
		"result type supports [0.3.0 0.3.1 0.4.0] but unmarshalled CNIVersion is \"1.0.0\"");
	check_refused(
		"{\"cniVersion\":\"0.3.0\"}", "", true,
		"result type supports [0.1.0 0.2.0] but unmarshalled CNIVersion is \"0.3.0\"");
	check_refused(
		"{\"cniVersion\":\"7.0.0\"}", "1.1.0", true,
		"result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is \"7.0.0\"");
	check_refused("{\"cniVersion\":\"7.0.0\"}", "1.1.0", false,
		      "unsupported CNI result version \"7.0.0\"");
	check_refused("{\"cniVersion\":4}", "1.1.0", false, "cniVersion: expected a string");
	check_refused("[]", "1.1.0", false, "result: expected an object");
}

TEST(versions_compare_by_number)
{
	check_int(cni_version_compare("0.3.1", "0.3.0"), 1);
	check_int(cni_version_compare("0.10.0", "0.9.0"), 1);
	check_int(cni_version_compare("1.0.0", "1.0.0"), 0);
	check_int(cni_version_compare("x", "0.1.0"), -1);
	check(cni_version_valid("9.9.9") && !cni_version_valid("9.9") &&
	      !cni_version_valid("1.1.0 "));
	check(!cni_version_valid("1.1.") && !cni_version_valid("1..1") &&
	      !cni_version_valid("1.00000.0"));
	check(cni_version_known("0.3.1") && !cni_version_known("0.5.0") && !cni_version_known(""));
}
