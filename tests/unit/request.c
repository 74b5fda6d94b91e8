/* The skeleton's checks (cni-plugins.md, section 1.1), CNI_ARGS, prevResult. */
#include "cni/request.h"

#include "unit.h"

#include <errno.h>

static const char *const names[] = { "CNI_COMMAND",       "CNI_CONTAINERID", "CNI_NETNS",
				     "CNI_IFNAME",        "CNI_ARGS",        "CNI_PATH",
				     "CNI_NETNS_OVERRIDE" };

/* Values in the order of the names above; NULL or the end of the list: not set. */
#define ENVIRONMENT(...) set_environment((const char *const[ARRAY_SIZE(names)]){ __VA_ARGS__ })

static void set_environment(const char *const values[])
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (values[i])
			setenv(names[i], values[i], 1);
		else
			unsetenv(names[i]);
}

static struct error environment_error(void)
{
	struct cni_request request = { 0 };
	struct error err = { 0 };
	bool unset;

	check(request_from_environment(&request, &unset, &err) < 0);
	check_int(err.code, CNI_INVALID_ENVIRONMENT);
	return err;
}

#define check_environment(message_, details_, ...)     \
	do {                                           \
		ENVIRONMENT(__VA_ARGS__);              \
		struct error e_ = environment_error(); \
		check_str(e_.message, message_);       \
		check_str(e_.details, details_);       \
	} while (0)

TEST(takes_a_good_environment)
{
	struct cni_request request = { 0 };
	struct error err = { 0 };
	bool unset = true;

	ENVIRONMENT("ADD", "ctr-1.x_y", "/run/netns/x", "eth0", "A=b", "/opt/cni/bin", "True");
	check_ok(request_from_environment(&request, &unset, &err), err);
	check(!unset && request.netns_override);
	check_int(request.command, CNI_ADD);
	check_str(request.container, "ctr-1.x_y");
	check_str(request.netns, "/run/netns/x");
	check_str(request.ifname, "eth0");
	check_str(request.args, "A=b");
	check_str(request.path, "/opt/cni/bin");
	ENVIRONMENT("DEL", "x", NULL, "eth0", NULL, "/a", "yes");
	check_ok(request_from_environment(&request, &unset, &err), err);
	check_str(request.netns, "");
	check(!request.netns_override);
}

TEST(what_a_command_does_not_need_is_not_checked)
{
	struct cni_request request = { 0 };
	struct error err = { 0 };
	bool unset;

	ENVIRONMENT("VERSION", "-bad-", "dummy", "much too long for an interface");
	check_ok(request_from_environment(&request, &unset, &err), err);
	ENVIRONMENT("GC", "", "", "", "", "/a");
	check_ok(request_from_environment(&request, &unset, &err), err);
	ENVIRONMENT("FOO");
	check_ok(request_from_environment(&request, &unset, &err), err);
	check_int(request.command, CNI_N_COMMANDS);
	ENVIRONMENT("");
	check_ok(request_from_environment(&request, &unset, &err), err);
	check(unset);
}

TEST(missing_variables_are_listed_in_order)
{
	check_environment(
		"required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing",
		"", "ADD");
	check_environment("required env variables [CNI_NETNS] missing", "", "ADD", "a", "", "eth0",
			  "", "/a");
	check_environment("required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing",
			  "", "DEL");
	check_environment("required env variables [CNI_PATH] missing", "", "CHECK", "a", "/n",
			  "eth0");
	check_environment("required env variables [CNI_PATH] missing", "", "GC");
	check_environment("required env variables [CNI_PATH] missing", "", "STATUS");
}

TEST(container_ids)
{
	check_environment("invalid characters in containerID", "-a", "ADD", "-a");
	check_environment("invalid characters in containerID", "a/b", "DEL", "a/b", "", "eth0", "",
			  "/a");
	check_environment("invalid characters in containerID", "a\nb", "CHECK", "a\nb");
	check(cni_valid_name("0") && cni_valid_name("A.b-c_9"));
	check(!cni_valid_name("") && !cni_valid_name(".a") && !cni_valid_name("_a") &&
	      !cni_valid_name("a b"));
}

TEST(interface_names)
{
	const char *bad = "interface name contains / or : or whitespace characters";
	struct error err = { 0 };

	check_fails(cni_check_ifname("", &err), err, "interface name is empty");
	check_int(err.code, CNI_INVALID_ENVIRONMENT);
	check_environment("interface name is too long",
			  "interface name should be less than 16 characters", "ADD", "a", "/n",
			  "0123456789abcdef");
	check_environment("interface name is . or ..", "", "ADD", "a", "/n", ".");
	check_environment("interface name is . or ..", "", "ADD", "a", "/n", "..");
	check_environment(bad, "", "ADD", "a", "/n", "a/b");
	check_environment(bad, "", "ADD", "a", "/n", "a:b");
	check_environment(bad, "", "ADD", "a", "/n", "a\tb");
	check_environment(bad, "", "ADD", "a", "/n",
			  "a\xc2\xa0"
			  "b");
	check_environment(bad, "", "ADD", "a", "/n", "a\xe3\x80\x80");
	check_ok(cni_check_ifname("0123456789abcde", &err), err);
	check_ok(cni_check_ifname("\xc3\xa9th0", &err), err);
	check_ok(cni_check_ifname("\xff\xe2\x80", &err), err);
}

static int decode(struct cni_request *request, struct arena *arena, const char *text,
		  struct error *err)
{
	*request = (struct cni_request){ .arena = arena,
					 .config_text = text,
					 .config_size = strlen(text) };
	return request_decode(request, err);
}

TEST(takes_a_good_configuration)
{
	auto_arena struct arena arena = { 0 };
	struct cni_request request;
	struct error err = { 0 };

	check_ok(
		decode(&request, &arena,
		       "{\"CNIVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"t\",\"ipam\":{\"type\":\"i\"},"
		       "\"dns\":{\"domain\":\"d\"},\"prevResult\":null,\"args\":{},\"x\":1}",
		       &err),
		err);
	check_str(request_version(&request), "1.0.0");
	check_str(request.common.name, "n");
	check_str(request.common.type, "t");
	check_str(request.common.ipam.type, "i");
	check_str(request.common.dns.domain, "d");
	check(!request.common.prev_result && request.common.args &&
	      !request.common.has_attachments);
	request_release(&request);
	check_ok(decode(&request, &arena, "{\"cniVersion\":\"\",\"name\":\"n\"}", &err), err);
	check_str(request_version(&request), "0.1.0");
	request_release(&request);
}

static void check_config(const char *text, int code, const char *message, const char *details)
{
	auto_arena struct arena arena = { 0 };
	struct cni_request request;
	struct error err = { 0 };

	check_fails(decode(&request, &arena, text, &err), err, message);
	check_int(err.code, code);
	check_str(err.details, details);
	request_release(&request);
}

TEST(bad_configurations)
{
	auto_arena struct arena arena = { 0 };
	struct cni_request request;
	struct error err = { 0 };

	check_config("", 6, "error unmarshall network config: unexpected end of JSON input", "");
	check_config(" \n", 6, "error unmarshall network config: unexpected end of JSON input", "");
	check_config("[]", 6, "error unmarshall network config: the configuration is not an object",
		     "");
	check_config("{}", 7, "missing network name", "");
	check_config("{\"name\":\"\"}", 7, "missing network name", "");
	check_config("{\"name\":\"a/b\"}", 7, "invalid characters found in network name", "a/b");
	check_config("{\"name\":\"..\"}", 7, "invalid characters found in network name", "..");
	check(decode(&request, &arena, "{\"name\":", &err) < 0);
	check_int(err.code, CNI_DECODE_FAILURE);
	check(strncmp(err.message, "error unmarshall network config: ", 33) == 0);
	request_release(&request);
	check(decode(&request, &arena, "{\"name\":5}", &err) < 0);
	check_int(err.code, CNI_DECODE_FAILURE);
	request_release(&request);
}

/* An owner without a name is nobody's, and must not be taken for one whose leases may go. */
TEST(attachments_say_whose_they_are)
{
	static const struct {
		const char *list, *message;
	} cases[] = {
		{ "[{}]", "[0].containerID: required" },
		{ "[{\"containerID\":\"c\",\"ifname\":\"e\"},null]", "[1].containerID: required" },
		{ "[{\"containerID\":\"c\"}]", "[0].ifname: required" },
		{ "[{\"containerID\":null,\"ifname\":\"e\"}]", "[0].containerID: required" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_arena struct arena arena = { 0 };
		struct cni_request request;
		struct error err = { 0 };

		check_fails(decode(&request, &arena,
				   arena_printf(&arena,
						"{\"name\":\"n\",\"cni.dev/valid-attachments\":%s}",
						cases[i].list),
				   &err),
			    err,
			    arena_printf(&arena,
					 "error unmarshall network config: "
					 "cni.dev/valid-attachments%s",
					 cases[i].message));
		request_release(&request);
	}
}

TEST(both_spellings_of_attachments)
{
	static const char *const keys[] = { "cni.dev/valid-attachments", "cni.dev/attachments" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		auto_arena struct arena arena = { 0 };
		struct cni_request request;
		struct error err = { 0 };

		check_ok(
			decode(&request, &arena,
			       arena_printf(
				       &arena,
				       "{\"name\":\"n\",\"%s\":[{\"containerID\":\"c\",\"ifname\":\"e\"}]}",
				       keys[i]),
			       &err),
			err);
		check(request.common.has_attachments);
		check_int(request.common.attachments.n, 1);
		check(owners_have(&request.common.attachments, "c", "e"));
		request_release(&request);
		check_ok(decode(&request, &arena,
				arena_printf(&arena, "{\"name\":\"n\",\"%s\":[]}", keys[i]), &err),
			 err);
		check(request.common.has_attachments && request.common.attachments.n == 0);
		request_release(&request);
		check_ok(decode(&request, &arena,
				arena_printf(&arena, "{\"name\":\"n\",\"%s\":null}", keys[i]),
				&err),
			 err);
		check(!request.common.has_attachments);
		request_release(&request);
	}
}

struct words {
	struct mac mac;
	LIST(struct cidr) ips;
};

static const struct field words_fields[] = {
	{ .key = "MAC", .type = FIELD_MAC, .offset = offsetof(struct words, mac) },
	{ .key = "IP",
	  .type = FIELD_LIST,
	  .offset = offsetof(struct words, ips),
	  .element = FIELD_CIDR,
	  .size = sizeof(struct cidr) },
	FIELDS_END
};

TEST(cni_args)
{
	auto_arena struct arena arena = { 0 };
	struct cni_request request = { .arena = &arena };
	struct words words = { 0 };
	struct error err = { 0 };

#define ARGS(text) (request.args = (text), request_args(&request, words_fields, &words, &err))
	check_ok(ARGS(""), err);
	check_ok(ARGS("K8S_POD_NAME=x;IgnoreUnknown=1;MAC=aa:bb:cc:dd:ee:ff"), err);
	check(words.mac.set && words.mac.bytes[5] == 0xff);
	check_ok(ARGS("IP=10.1.0.5/24,fd00::5/64;IgnoreUnknown=false"), err);
	check_int(words.ips.n, 2);
	check_fails(ARGS("MAC=aa:bb:cc:dd:ee:ff;"), err, "ARGS: invalid pair \"\"");
	check_int(err.code, CNI_INVALID_ENVIRONMENT);
	check_fails(ARGS("a=b=c"), err, "ARGS: invalid pair \"a=b=c\"");
	check_fails(ARGS("K8S_POD_NAME=x"), err, "ARGS: unknown args [\"K8S_POD_NAME=x\"]");
	check_fails(ARGS("a=1;mac=2;IgnoreUnknown=0"), err,
		    "ARGS: unknown args [\"a=1\" \"mac=2\"]");
	check_fails(
		ARGS("IgnoreUnknown=maybe"), err,
		"ARGS: error parsing value of pair \"IgnoreUnknown=maybe\": boolean unmarshal error: invalid input maybe");
	check(ARGS("MAC=zz") < 0);
#undef ARGS
}

/* As many as one variable can hold. Each was written behind a copy of all before it: gigabytes. */
TEST(cni_args_without_end)
{
	auto_arena struct arena arena = { 0 };
	struct cni_request request = { .arena = &arena };
	struct error err = { 0 };
	char *text = arena_alloc(&arena, 3 * 40000);

	for (size_t i = 0; i < 40000; i++)
		memcpy(text + 3 * i, "a=;", 3);
	text[3 * 40000 - 1] = '\0';
	request.args = text;
	check_int(request_args(&request, NULL, NULL, &err), -EINVAL);
	check(strncmp(err.message, "ARGS: unknown args [\"a=\" \"a=\" ", 29) == 0);
}

TEST(previous_result)
{
	auto_arena struct arena arena = { 0 };
	struct cni_request request;
	struct cni_result result;
	struct error err = { 0 };

	check_ok(decode(&request, &arena, "{\"name\":\"n\",\"cniVersion\":\"0.4.0\"}", &err), err);
	check_int(request_prev_result(&request, &result, &err), -ENOENT);
	check_str(err.message, "");
	request_release(&request);
	check_ok(
		decode(&request, &arena,
		       "{\"name\":\"n\",\"cniVersion\":\"0.4.0\",\"prevResult\":{\"cniVersion\":\"0.3.1\","
		       "\"ips\":[{\"version\":\"4\",\"address\":\"10.1.0.5/24\",\"interface\":0}]}}",
		       &err),
		err);
	check_ok(request_prev_result(&request, &result, &err), err);
	check(result.ips.n == 1 && result.ips.items->has_interface);
	request_release(&request);
	check_ok(
		decode(&request, &arena,
		       "{\"name\":\"n\",\"cniVersion\":\"0.4.0\",\"prevResult\":{\"cniVersion\":\"1.0.0\"}}",
		       &err),
		err);
	check_fails(
		request_prev_result(&request, &result, &err), err,
		"could not parse prevResult: "
		"result type supports [0.3.0 0.3.1 0.4.0] but unmarshalled CNIVersion is \"1.0.0\"");
	request_release(&request);
}

/* Go's decoder takes both; who compares names must not fall over them. */
TEST(previous_result_with_holes)
{
	auto_arena struct arena arena = { 0 };
	struct cni_result result = { 0 };
	struct cni_request request;
	struct error err = { 0 };

	check_ok(
		decode(&request, &arena,
		       "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"prevResult\":{\"cniVersion\":\"1.0.0\","
		       "\"interfaces\":[{\"sandbox\":\"/x\"},null]}}",
		       &err),
		err);
	check_ok(request_prev_result(&request, &result, &err), err);
	check_int(result.interfaces.n, 2);
	check_str(result.interfaces.items[0].name, "");
	check_str(result.interfaces.items[1].name, "");
	request_release(&request);
	check_ok(
		decode(&request, &arena,
		       "{\"name\":\"n\",\"cniVersion\":\"1.0.0\",\"prevResult\":{\"cniVersion\":\"1.0.0\","
		       "\"ips\":[null]}}",
		       &err),
		err);
	check_fails(request_prev_result(&request, &result, &err), err,
		    "could not parse prevResult: ips[0].address: required");
	request_release(&request);
}
