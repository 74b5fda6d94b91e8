/* The harness as a runtime sees it: a process with an environment, stdin, stdout, stderr and a
 * status. */
#include "cni/plugin.h"

#include "base/file.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* ---- a plugin ---- */

struct fake {
	int mtu;
	bool must_fail, no_address;
	const char *trace; /* file that every verb appends a letter to */
};

static const struct field fake_fields[] = {
	{ .key = "mtu", .type = FIELD_INT, .offset = offsetof(struct fake, mtu) },
	{ .key = "mustFail", .type = FIELD_BOOL, .offset = offsetof(struct fake, must_fail) },
	{ .key = "noAddress", .type = FIELD_BOOL, .offset = offsetof(struct fake, no_address) },
	{ .key = "trace", .type = FIELD_STRING, .offset = offsetof(struct fake, trace) },
	FIELDS_END
};

static void trace(const struct fake *fake, char letter)
{
	auto_close int fd = fake->trace ? open(fake->trace, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

	if (fd >= 0)
		check_int(write(fd, &letter, 1), 1);
}

static int fake_validate(const struct cni_request *request, void *conf, struct error *err)
{
	(void)request;
	if (((struct fake *)conf)->mtu < 0)
		return fail_code(err, CNI_INVALID_CONFIG, EINVAL, "mtu: negative");
	return 0;
}

static int fake_add(struct cni_request *request, void *conf, struct cni_result *result,
		    struct error *err)
{
	struct fake *fake = conf;

	trace(fake, 'A');
	if (fake->must_fail)
		return fail(err, ENOENT, "no such thing");
	if (!fake->no_address)
		check(cidr_parse("10.1.0.5/24", &list_add(request->arena, &result->ips)->address));
	return 0;
}

static int fake_del(struct cni_request *request, void *conf, struct error *err)
{
	(void)request, (void)err;
	trace(conf, 'D');
	return 0;
}

static int fake_gc(struct cni_request *request, void *conf, struct error *err)
{
	(void)request, (void)err;
	trace(conf, 'G');
	return 0;
}

static int fake_status(struct cni_request *request, void *conf, struct error *err)
{
	(void)request;
	trace(conf, 'S');
	return cni_fail(err, CNI_NOT_AVAILABLE, "in \"detail\"", "not now");
}

static const struct fake fake_defaults = { .mtu = 1500 };
static const struct cni_plugin fake_plugin = {
	.fields = fake_fields,
	.size = sizeof(struct fake),
	.defaults = &fake_defaults,
	.load_context = "failed to load netconf",
	.validate = fake_validate,
	.add = fake_add,
	.del = fake_del,
	.gc = fake_gc,
	.status = fake_status,
};
static const struct cni_plugin young_plugin = { .oldest = "0.4.0",
						.add = fake_add,
						.del = fake_del };

/* ---- calling it ---- */

struct outcome {
	int status;
	char out[4096], errors[4096];
};

static int memory_file(const char *text)
{
	int fd = memfd_create("unit", MFD_CLOEXEC);

	check(fd >= 0 && fd_write_all(fd, text, strlen(text)) >= 0 && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void read_back(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
}

static struct outcome run_to(int out, const struct cni_plugin *plugin, const char *command,
			     const char *netns, const char *stdin_text)
{
	auto_close int in = stdin_text ? memory_file(stdin_text) : -1, errors = memory_file("");
	struct outcome outcome = { 0 };
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		clearenv();
		setenv("CNI_COMMAND", command, 1);
		setenv("CNI_CONTAINERID", "ctr1", 1);
		setenv("CNI_NETNS", netns, 1);
		setenv("CNI_IFNAME", "eth0", 1);
		setenv("CNI_PATH", "/opt/cni/bin", 1);
		close(0);
		if ((in >= 0 && dup2(in, 0) < 0) || dup2(out, 1) < 0 || dup2(errors, 2) < 0)
			_exit(99);
		_exit(plugin_main("fake", plugin, NULL, "1.2"));
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid);
	outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	read_back(out, outcome.out, sizeof(outcome.out));
	read_back(errors, outcome.errors, sizeof(outcome.errors));
	return outcome;
}

static struct outcome run(const struct cni_plugin *plugin, const char *command,
			  const char *stdin_text)
{
	auto_close int out = memory_file("");

	return run_to(out, plugin, command, "/run/netns/none", stdin_text);
}

/* Status 1, that error object and nothing else. */
static void check_error(struct outcome outcome, const char *version, int code, const char *message,
			const char *details)
{
	auto_arena struct arena arena = { 0 };
	const char *head =
		version ? arena_printf(&arena, "    \"cniVersion\": \"%s\",\n", version) : "";
	const char *tail =
		details ? arena_printf(&arena, ",\n    \"details\": \"%s\"", details) : "";

	check_int(outcome.status, 1);
	check_str(outcome.out,
		  arena_printf(&arena, "{\n%s    \"code\": %d,\n    \"msg\": \"%s\"%s\n}", head,
			       code, message, tail));
	check_str(outcome.errors, "");
}

static void check_silent(struct outcome outcome)
{
	check_int(outcome.status, 0);
	check_str(outcome.out, "");
	check_str(outcome.errors, "");
}

#define CONFIG(version, more) \
	"{\"cniVersion\":\"" version "\",\"name\":\"n\",\"type\":\"fake\"" more "}"

TEST(version_needs_no_stdin)
{
	struct outcome outcome = run(&fake_plugin, "VERSION", NULL);

	check_int(outcome.status, 0);
	check_str(outcome.out,
		  "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":"
		  "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
	outcome = run(&young_plugin, "VERSION", "not json");
	check_str(
		outcome.out,
		"{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
}

TEST(without_a_command_it_says_what_it_is)
{
	struct outcome outcome = run(&young_plugin, "", NULL);

	check_int(outcome.status, 0);
	check_str(outcome.out, "");
	check_str(outcome.errors,
		  "CNI fake plugin v1.2\nCNI protocol versions supported: 0.4.0, 1.0.0, 1.1.0\n");
}

TEST(add_prints_the_result)
{
	struct outcome outcome = run(&fake_plugin, "ADD", CONFIG("1.0.0", ""));

	check_int(outcome.status, 0);
	check_str(outcome.out, "{\n    \"cniVersion\": \"1.0.0\",\n    \"ips\": [\n        {\n"
			       "            \"address\": \"10.1.0.5/24\"\n        }\n    ]\n}");
	outcome = run(&fake_plugin, "ADD", "{\"name\":\"n\"}");
	check_str(
		outcome.out,
		"{\n    \"cniVersion\": \"0.1.0\",\n    \"ip4\": {\n        \"ip\": \"10.1.0.5/24\"\n"
		"    },\n    \"dns\": {}\n}");
}

TEST(other_verbs_are_silent)
{
	check_silent(run(&fake_plugin, "DEL", CONFIG("0.3.1", "")));
	check_silent(run(&fake_plugin, "CHECK", CONFIG("0.4.0", "")));
	check_silent(run(&fake_plugin, "GC", CONFIG("1.1.0", ",\"cni.dev/attachments\":[]")));
	check_silent(run(&young_plugin, "GC", CONFIG("1.1.0", ",\"cni.dev/attachments\":[]")));
	check_silent(run(&young_plugin, "STATUS", CONFIG("1.1.0", "")));
}

TEST(errors_of_the_protocol)
{
	check_error(run(&fake_plugin, "ADD", ""), NULL, 6,
		    "error unmarshall network config: unexpected end of JSON input", NULL);
	check_error(run(&fake_plugin, "ADD", "{}"), "0.1.0", 7, "missing network name", NULL);
	check_error(run(&fake_plugin, "ADD", "{\"cniVersion\":\"1.0.0\",\"name\":\"a b\"}"),
		    "1.0.0", 7, "invalid characters found in network name", "a b");
	check_error(run(&fake_plugin, "FOO", CONFIG("1.0.0", "")), "1.0.0", 4,
		    "unknown CNI_COMMAND: FOO", NULL);
	check_error(run(&fake_plugin, "FOO", "{}"), "0.1.0", 7, "missing network name", NULL);
	check_error(run(&fake_plugin, "version", CONFIG("1.0.0", "")), "1.0.0", 4,
		    "unknown CNI_COMMAND: version", NULL);
}

TEST(gates_of_versions)
{
	check_error(run(&fake_plugin, "CHECK", CONFIG("0.3.1", "")), "0.3.1", 1,
		    "config version does not allow CHECK", NULL);
	check_error(run(&fake_plugin, "GC", CONFIG("1.0.0", "")), "1.0.0", 1,
		    "config version does not allow GC", NULL);
	check_error(run(&fake_plugin, "STATUS", "{\"name\":\"n\"}"), "0.1.0", 1,
		    "config version does not allow STATUS", NULL);
	check_error(run(&fake_plugin, "STATUS", CONFIG("1.2.0", "")), "1.2.0", 1,
		    "plugin version does not allow STATUS", NULL);
	check_error(run(&fake_plugin, "CHECK", CONFIG("1.x", "")), "1.x", 6,
		    "invalid version \\\"1.x\\\": three numbers with dots between are expected",
		    NULL);
	check_error(
		run(&young_plugin, "ADD", CONFIG("9.9", "")), "9.9", 1, "incompatible CNI versions",
		"config is \\\"9.9\\\", plugin supports [\\\"0.4.0\\\" \\\"1.0.0\\\" \\\"1.1.0\\\"]");
	check_error(
		run(&young_plugin, "DEL", CONFIG("0.3.1", "")), "0.3.1", 1,
		"incompatible CNI versions",
		"config is \\\"0.3.1\\\", plugin supports [\\\"0.4.0\\\" \\\"1.0.0\\\" \\\"1.1.0\\\"]");
	check_error(
		run(&fake_plugin, "CHECK", CONFIG("0.4.9", "")), "0.4.9", 1,
		"incompatible CNI versions",
		"config is \\\"0.4.9\\\", plugin supports [\\\"0.1.0\\\" \\\"0.2.0\\\" \\\"0.3.0\\\" \\\"0.3.1\\\" "
		"\\\"0.4.0\\\" \\\"1.0.0\\\" \\\"1.1.0\\\"]");
}

TEST(errors_of_the_plugin)
{
	check_error(run(&fake_plugin, "ADD", CONFIG("1.0.0", ",\"mustFail\":true")), "1.0.0", 999,
		    "no such thing", NULL);
	check_error(run(&fake_plugin, "STATUS", CONFIG("1.1.0", "")), "1.1.0", 50, "not now",
		    "in \\\"detail\\\"");
	check_error(run(&fake_plugin, "DEL", CONFIG("1.0.0", ",\"MTU\":-1")), "1.0.0", 7,
		    "mtu: negative", NULL);
}

TEST(wrong_types_name_the_key)
{
	struct outcome outcome = run(&fake_plugin, "ADD", CONFIG("1.0.0", ",\"mtu\":\"big\""));

	check_int(outcome.status, 1);
	check(strstr(outcome.out, "\"code\": 6"));
	check(strstr(outcome.out, "\"msg\": \"failed to load netconf: mtu: "));
}

/* The verbs that ran, as letters. */
static void check_trace(const char *command, const char *netns, const char *keys, const char *want)
{
	auto_arena struct arena arena = { 0 };
	auto_close int file = memory_file(""), out = memory_file("");
	char got[16];

	run_to(out, &fake_plugin, command, netns,
	       arena_printf(&arena,
			    "{\"cniVersion\":\"%s\",\"name\":\"n\",\"trace\":\"/proc/%d/fd/%d\"}",
			    keys, getpid(), file));
	read_back(file, got, sizeof(got));
	check_str(got, want);
}

TEST(own_namespace_is_refused_before_anything_is_touched)
{
	auto_close int out = memory_file("");

	check_error(run_to(out, &fake_plugin, "DEL", "/proc/self/ns/net", CONFIG("1.0.0", "")),
		    "1.0.0", 8, "plugin's netns and netns from CNI_NETNS should not be the same",
		    NULL);
	check_trace("ADD", "/proc/self/ns/net", "1.0.0", "");
	check_trace("DEL", "/proc/self/ns/net", "1.0.0", "");
	check_trace("DEL", "", "1.0.0", "D");
	check_trace("DEL", "/run/netns/none", "1.0.0", "D");
}

TEST(gc_without_a_list_does_nothing)
{
	check_trace("GC", "", "1.1.0", "");
	check_trace("GC", "", "1.1.0\",\"cni.dev/attachments\":null,\"x\":\"", "");
	check_trace("GC", "", "1.1.0\",\"cni.dev/attachments\":[],\"x\":\"", "G");
	check_trace("GC", "", "1.1.0\",\"cni.dev/valid-attachments\":[],\"x\":\"", "G");
}

TEST(add_that_cannot_be_expressed_is_undone)
{
	check_trace("ADD", "/run/netns/none", "0.2.0\",\"noAddress\":true,\"x\":\"", "AD");
	check_trace("ADD", "/run/netns/none", "0.2.0", "A");
}

TEST(broken_stdout_is_an_error)
{
	auto_close int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct outcome outcome =
		run_to(full, &fake_plugin, "ADD", "/run/netns/none", CONFIG("1.0.0", ""));

	check_int(outcome.status, 1);
	check(strstr(outcome.errors,
		     "error writing the result to stdout: No space left on device"));
}

TEST(endless_stdin_is_cut)
{
	struct outcome outcome;
	auto_free char *text = malloc((5 << 20) + 1);

	memset(text, ' ', 5 << 20);
	text[5 << 20] = '\0';
	outcome = run(&fake_plugin, "ADD", text);
	check_int(outcome.status, 1);
	check(strstr(outcome.out, "\"code\": 5,\n    \"msg\": \"error reading from stdin: "));
}
