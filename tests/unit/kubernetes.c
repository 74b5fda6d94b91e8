/* Kubernetes without a server: kubeconfigs, nodes as leases, patches byte for byte, what a watch tells, refusals. */
#include "unit.h"

#include "base/text.h"
#include "remote/kube_access.h"
#include "remote/kube_mirror.h"
#include "remote/kube_status.h"

#include <errno.h>

#define PREFIX "flannel.alpha.coreos.com/"

static struct arena arena;

/* ---- access ---- */

/* "SERVER token=T file=F ca=C cert=C key=K insecure", or the error. */
static const char *access_text(const char *text)
{
	struct kube_access access;
	struct error err = { 0 };
	const char *said;

	if (kube_access_parse(text, strlen(text), "/etc/kube", &arena, &access, &err))
		return arena_strdup(&arena, err.message);
	said = arena_strdup(&arena, access.server);
	const char *const more[][2] = {
		{ "token", access.token },
		{ "file", access.token_file },
		{ "ca", access.tls.ca_data ? access.tls.ca_data : access.tls.cafile },
		{ "cert", access.tls.cert_data ? access.tls.cert_data : access.tls.certfile },
		{ "key", access.tls.key_data ? access.tls.key_data : access.tls.keyfile },
		{ "insecure", access.tls.insecure ? "yes" : NULL },
	};
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		if (more[i][1])
			said = arena_printf(&arena, "%s %s=%s", said, more[i][0], more[i][1]);
	return said;
}

#define HEAD                                                                       \
	"apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts:\n- name: x\n" \
	"  context: {cluster: c, user: u, namespace: n}\n"
#define CLUSTER "clusters:\n- name: c\n  cluster:\n    server: https://192.0.2.1:6443/\n"
/* "-----BEGIN X" */
#define PEM "LS0tLS1CRUdJTiBY"

TEST(kubeconfigs)
{
	static const char *const cases[][2] = {
		{ HEAD CLUSTER "users:\n- name: u\n  user: {token: abc}\n",
		  "https://192.0.2.1:6443 token=abc" },
		{ HEAD CLUSTER "    certificate-authority: pki/ca.crt\n"
			       "users:\n- name: u\n  user: {tokenFile: /run/token}\n",
		  "https://192.0.2.1:6443 file=/run/token ca=/etc/kube/pki/ca.crt" },
		{ HEAD CLUSTER "    certificate-authority-data: " PEM "\n"
			       "users:\n- name: u\n  user:\n    client-certificate-data: " PEM
			       "\n    client-key-data: " PEM "\n",
		  "https://192.0.2.1:6443 ca=-----BEGIN X cert=-----BEGIN X key=-----BEGIN X" },
		{ HEAD CLUSTER
		  "    insecure-skip-tls-verify: true\n"
		  "users:\n- name: u\n  user: {client-certificate: c.crt, client-key: /k}\n",
		  "https://192.0.2.1:6443 cert=/etc/kube/c.crt key=/k insecure=yes" },
		{ "{\"current-context\":\"x\",\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":"
		  "\"c\"}}],\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"http://h:1\"}}]}",
		  "http://h:1" },
		{ "a: b", "current-context: missing" },
		{ "just words", "no kubeconfig" },
		{ "current-context: y\n", "there is no context \"y\"" },
		{ HEAD, "there is no cluster \"c\"" },
		{ HEAD CLUSTER, "there is no user \"u\"" },
		{ HEAD "clusters:\n- name: c\n  cluster: {server: 192.0.2.1}\n",
		  "cluster \"c\": \"192.0.2.1\": no URL of an API server (https://...)" },
		{ HEAD "clusters:\n- name: c\n  cluster: {server: https://}\n",
		  "cluster \"c\": \"https://\": no URL of an API server (https://...)" },
		{ HEAD CLUSTER "    proxy-url: http://p\n",
		  "cluster \"c\": proxy-url is not supported; give the server's own URL" },
		{ HEAD CLUSTER "    certificate-authority-data: \"***\"\n",
		  "cluster \"c\": certificate-authority-data: no base64 of a PEM file" },
		{ HEAD CLUSTER "users:\n- name: u\n  user:\n    exec: {command: aws}\n",
		  "user \"u\": exec is not supported; use a token, a tokenFile or a client certificate" },
		{ HEAD CLUSTER "users:\n- name: u\n  user:\n    auth-provider: {name: gcp}\n",
		  "user \"u\": auth-provider is not supported; use a token, a tokenFile or a client"
		  " certificate" },
		{ HEAD CLUSTER "users:\n- name: u\n  user: {client-certificate: c.crt}\n",
		  "user \"u\": client-certificate and client-key: one without the other" },
		{ "clusters: 7", "clusters: expected a list, found number" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_str(access_text(cases[i][0]), cases[i][1]);
	arena_free(&arena);
}

TEST(in_cluster)
{
	struct kube_access access;
	struct error err = { 0 };

	check_ok(kube_access_in_cluster("10.96.0.1", "443", &arena, &access, &err), err);
	check_str(access.server, "https://10.96.0.1:443");
	check_str(access.token_file, KUBE_SERVICE_ACCOUNT "/token");
	check_str(access.tls.cafile, KUBE_SERVICE_ACCOUNT "/ca.crt");
	check_ok(kube_access_in_cluster("fd00::1", "443", &arena, &access, &err), err);
	check_str(access.server, "https://[fd00::1]:443");
	check_fails(kube_access_in_cluster(NULL, "443", &arena, &access, &err), err,
		    "where is the API server? give --kubeconfig-file or --kube-api-url (this is no"
		    " pod: KUBERNETES_SERVICE_HOST and _PORT are not set)");
	arena_free(&arena);
}

/* ---- nodes ---- */

/* A node's object: name, revision, "NAME=TEXT" of annotations up to NULL. */
static char *node_text(const char *name, int revision, const char *spec, const char *const *words)
{
	auto_json struct json *object = json_new_object();
	struct json *metadata = json_new_object(), *annotations = json_new_object();

	for (; words && *words; words++) {
		const char *equals = strchr(*words, '=');

		json_set(annotations,
			 arena_printf(&arena, PREFIX "%.*s", (int)(equals - *words), *words),
			 json_new_string(equals + 1));
	}
	json_set(metadata, "name", json_new_string(name));
	json_set(metadata, "resourceVersion",
		 json_new_string(arena_printf(&arena, "%d", revision)));
	json_set(metadata, "annotations", annotations);
	json_set(object, "metadata", metadata);
	json_set(object, "spec", json_parse(spec, strlen(spec), NULL));
	return json_text(object, JSON_STYLE_COMPACT, &arena);
}

/* "KEY VALUE" of what a node says. */
static const char *lease_text(const char *spec, const char *const *words)
{
	const char *text = node_text("n", 1, spec, words), *key;
	auto_json struct json *object = json_parse(text, strlen(text), NULL);
	struct kube_node node;
	struct error err = { 0 };

	check_ok(kube_node_read(object, PREFIX, &arena, &node, &err), err);
	key = kube_subnets_key(&node.subnet, &node.subnet6, false, false, &arena);
	return arena_printf(&arena, "%s %s",
			    node.odd ? "odd"
			    : key    ? key
				     : "none",
			    node.value ? node.value : "-");
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define VXLAN      "backend-data={\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:01\"}"

TEST(nodes_are_leases)
{
	check_str(
		lease_text("{\"podCIDR\":\"10.5.1.0/24\",\"podCIDRs\":[\"10.5.1.0/24\"]}",
			   WORDS("kube-subnet-manager=true", "backend-type=vxlan", VXLAN,
				 "public-ip=192.0.2.1")),
		"10.5.1.0-24 {\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":null,\"BackendType\":\"vxlan\","
		"\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:01\"}}");
	check_str(
		lease_text("{\"podCIDRs\":[\"fd00:5:0:1::/64\",\"10.5.1.0/24\"]}",
			   WORDS("kube-subnet-manager=true", "backend-type=host-gw",
				 "backend-data=null", "backend-v6-data=null", "public-ip=192.0.2.1",
				 "public-ipv6=fd77::1")),
		"10.5.1.0-24&fd00:5:0:1::-64 {\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":\"fd77::1\","
		"\"BackendType\":\"host-gw\"}");
	check_str(lease_text("{\"podCIDR\":\"10.5.1.0/24\"}", WORDS("kube-subnet-manager=false")),
		  "10.5.1.0-24 -");
	check_str(lease_text("{}", WORDS("kube-subnet-manager=true")),
		  "none {\"PublicIPv6\":null}");
	/* What is no JSON stays what it is, and is nobody's data. */
	check_str(lease_text("{\"podCIDR\":\"10.5.1.0/24\"}",
			     WORDS("kube-subnet-manager=true", "backend-data={oops")),
		  "10.5.1.0-24 {\"PublicIPv6\":null,\"BackendData\":\"{oops\"}");
	check_str(lease_text("{\"podCIDRs\":[\"10.5.1.0/24\",\"10.5.2.0/24\"]}", NULL), "odd -");
	check_str(lease_text("{\"podCIDRs\":[\"x\"]}", NULL), "odd -");
	check_str(lease_text("{\"podCIDRs\":[\"10.5.1.1/32\"]}", NULL), "odd -");
	check_str(lease_text("{\"podCIDRs\":[1,2,3]}", NULL), "odd -");
	arena_free(&arena);
}

TEST(prefixes_of_annotations)
{
	static const char *const cases[][2] = {
		{ "flannel.alpha.coreos.com", "flannel.alpha.coreos.com/" },
		{ "example.org/", "example.org/" },
		{ "example.org/net", "example.org/net-" },
		{ "example.org/net-", "example.org/net-" },
		{ "a.b/c/d", NULL },
		{ "local", NULL },
		{ "Example.org", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *prefix = NULL;

		check((kube_prefix(cases[i][0], &arena, &prefix, NULL) == 0) == !!cases[i][1]);
		if (cases[i][1])
			check_str(prefix, cases[i][1]);
	}
	arena_free(&arena);
}

TEST(patches)
{
	check_str(
		kube_node_patch(
			"{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":null,\"BackendType\":"
			"\"vxlan\",\"BackendData\":{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:01\"}}",
			PREFIX, &arena),
		"{\"metadata\":{\"annotations\":{"
		"\"" PREFIX "kube-subnet-manager\":\"true\","
		"\"" PREFIX "public-ip\":\"192.0.2.1\",\"" PREFIX "public-ipv6\":null,"
		"\"" PREFIX "backend-type\":\"vxlan\","
		"\"" PREFIX
		"backend-data\":\"{\\\"VNI\\\":1,\\\"VtepMAC\\\":\\\"02:00:00:00:00:01\\\"}\","
		"\"" PREFIX "backend-v6-data\":null}}}");
	check_str(kube_node_patch(
			  "{\"PublicIP\":\"192.0.2.1\",\"PublicIPv6\":\"fd77::1\",\"BackendType\":"
			  "\"host-gw\"}",
			  "example.org/", &arena),
		  "{\"metadata\":{\"annotations\":{\"example.org/kube-subnet-manager\":\"true\","
		  "\"example.org/public-ip\":\"192.0.2.1\",\"example.org/public-ipv6\":\"fd77::1\","
		  "\"example.org/backend-type\":\"host-gw\",\"example.org/backend-data\":\"null\","
		  "\"example.org/backend-v6-data\":\"null\"}}}");
	check_str(
		kube_node_patch(NULL, "e/", &arena),
		"{\"metadata\":{\"annotations\":{\"e/kube-subnet-manager\":null,\"e/public-ip\":null,"
		"\"e/public-ipv6\":null,\"e/backend-type\":null,\"e/backend-data\":null,"
		"\"e/backend-v6-data\":null}}}");
	check_str(
		kube_node_up_patch("2026-11-26T12:00:00Z", &arena),
		"{\"status\":{\"conditions\":[{\"type\":\"NetworkUnavailable\",\"status\":\"False\","
		"\"lastHeartbeatTime\":\"2026-11-26T12:00:00Z\",\"lastTransitionTime\":"
		"\"2026-11-26T12:00:00Z\",\"reason\":\"FlannelIsUp\",\"message\":"
		"\"Flannel is running on this node\"}]}}");
	arena_free(&arena);
}

TEST(what_a_node_says_of_itself)
{
	const char *text =
		node_text("n", 1, "{}",
			  WORDS("public-ip-overwrite=203.0.113.1", "node-public-ip=192.0.2.7",
				"public-ipv6-overwrite=192.0.2.1", "node-public-ipv6=fd77::7"));
	auto_json struct json *object = json_parse(text, strlen(text), NULL);
	struct json *status = json_new_object();
	const char *conditions =
		"[{\"type\":\"Ready\",\"status\":\"True\"},{\"type\":\"NetworkUnavailable\","
		"\"status\":\"False\",\"reason\":\"FlannelIsUp\"}]";
	struct kube_own own = kube_own_read(object, PREFIX);
	char ip[IP_TEXT_SIZE];

	check_str(ip_format(&own.overwrite, ip), "203.0.113.1");
	check_str(ip_format(&own.public_ip, ip), "192.0.2.7");
	check_int(own.overwrite6.family, 0); /* of the other family: none */
	check_str(ip_format(&own.public_ip6, ip), "fd77::7");
	check(!own.up);
	json_set(status, "conditions", json_parse(conditions, strlen(conditions), NULL));
	json_set(object, "status", status);
	check(kube_own_read(object, PREFIX).up);
	arena_free(&arena);
}

/* ---- a watch ---- */

static enum kube_heard hear(struct kube_mirror *mirror, const char *type, const char *object)
{
	const char *line = arena_printf(&arena, "{\"type\":\"%s\",\"object\":%s}", type, object);

	return kube_mirror_event(mirror, line, strlen(line));
}

/* "KEY KEY ..." */
static const char *keys(const struct kube_mirror *mirror, bool v4, bool v6)
{
	kv_entries_t entries = { 0 };
	const char *said = "";

	kube_nodes_entries(&mirror->nodes, "", v4, v6, &arena, &entries);
	list_each(entry, &entries)
		said = arena_printf(&arena, "%s%s%s", said, *said ? " " : "", entry->key);
	return said;
}

#define SPEC(n)    "{\"podCIDRs\":[\"10.5." #n ".0/24\",\"fd00:5:0:" #n "::/64\"]}"
#define MEMBER(ip) WORDS("kube-subnet-manager=true", "backend-type=host-gw", "public-ip=" ip)

TEST(a_watch)
{
	struct kube_mirror mirror = { .prefix = PREFIX, .name = "own" };

	check_int(hear(&mirror, "ADDED", node_text("b", 5, SPEC(2), MEMBER("192.0.2.2"))),
		  KUBE_CHANGED);
	check_int(hear(&mirror, "ADDED", node_text("a", 6, SPEC(1), MEMBER("192.0.2.1"))),
		  KUBE_CHANGED);
	check_int(hear(&mirror, "ADDED", node_text("c", 7, SPEC(3), NULL)), KUBE_NOTHING);
	check_str(keys(&mirror, true, false), "10.5.1.0-24 10.5.2.0-24");
	check_str(keys(&mirror, true, true),
		  "10.5.1.0-24&fd00:5:0:1::-64 10.5.2.0-24&fd00:5:0:2::-64");
	/* Heartbeats and bookmarks are nothing but a place to go on from. */
	check_int(hear(&mirror, "MODIFIED", node_text("b", 8, SPEC(2), MEMBER("192.0.2.2"))),
		  KUBE_NOTHING);
	check_int(hear(&mirror, "BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"99\"}}"),
		  KUBE_NOTHING);
	check_str(mirror.revision, "99");
	/* The IPv6 half alone is a change (flannel drops it). */
	check_int(hear(&mirror, "MODIFIED",
		       node_text("b", 100, SPEC(2),
				 WORDS("kube-subnet-manager=true", "backend-type=host-gw",
				       "public-ip=192.0.2.2", "public-ipv6=fd77::2"))),
		  KUBE_CHANGED);
	check_int(hear(&mirror, "MODIFIED", node_text("b", 101, SPEC(2), NULL)), KUBE_CHANGED);
	check_str(keys(&mirror, true, false), "10.5.1.0-24");
	check_int(hear(&mirror, "DELETED", node_text("a", 102, SPEC(1), NULL)), KUBE_CHANGED);
	check_str(keys(&mirror, true, false), "");
	check_int(hear(&mirror, "ADDED",
		       node_text("z", 103, "{\"podCIDR\":\"z\"}", MEMBER("192.0.2.9"))),
		  KUBE_CHANGED);
	check_str(keys(&mirror, true, false), "node z");
	kube_mirror_free(&mirror);
	arena_free(&arena);
}

TEST(the_end_of_a_watch)
{
	struct kube_mirror mirror = { .prefix = PREFIX };

	hear(&mirror, "BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"9\"}}");
	check_int(hear(&mirror, "ERROR", "{\"kind\":\"Status\",\"code\":500}"), KUBE_ENDED);
	check_str(mirror.revision, "9");
	check_int(hear(&mirror, "ERROR", "{\"kind\":\"Status\",\"code\":410}"), KUBE_ENDED);
	check_str(mirror.revision, "");
	hear(&mirror, "BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"9\"}}");
	check_int(kube_mirror_event(&mirror, "{\"type\":", 8), KUBE_ENDED);
	check_str(mirror.revision, "");
	kube_mirror_free(&mirror);
	arena_free(&arena);
}

/* An event from before our own patch does not undo what the patch's answer said. */
TEST(history_of_our_own_node)
{
	struct kube_mirror mirror = { .prefix = PREFIX, .name = "own" };
	const char *patched = node_text("own", 20, SPEC(1), MEMBER("192.0.2.1"));
	auto_json struct json *object = json_parse(patched, strlen(patched), NULL);

	check_int(hear(&mirror, "ADDED", node_text("own", 10, SPEC(1), NULL)), KUBE_CHANGED);
	check(mirror.own_there);
	kube_mirror_patched(&mirror, object);
	check_int(hear(&mirror, "MODIFIED", node_text("own", 15, SPEC(1), NULL)), KUBE_NOTHING);
	check(kube_nodes_value(&mirror.nodes, "own") != NULL);
	check_int(hear(&mirror, "MODIFIED", node_text("own", 21, SPEC(1), NULL)), KUBE_CHANGED);
	check(kube_nodes_value(&mirror.nodes, "own") == NULL);
	check_int(hear(&mirror, "DELETED", node_text("own", 22, SPEC(1), NULL)), KUBE_CHANGED);
	check(!mirror.own_there);
	kube_mirror_free(&mirror);
	arena_free(&arena);
}

TEST(pages_of_a_list)
{
	struct kube_mirror mirror = { .prefix = PREFIX };
	const char *item = node_text("a", 3, SPEC(1), MEMBER("192.0.2.1"));
	const char *text =
		arena_printf(&arena,
			     "{\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"t+\"},"
			     "\"items\":[%s,null,{}]}",
			     item);
	auto_json struct json *page = json_parse(text, strlen(text), NULL);
	static const char long_text[] =
		"{\"metadata\":{\"resourceVersion\":\"12345678901234567890123456789012\"}}";
	auto_json struct json *endless = json_parse(long_text, sizeof(long_text) - 1, NULL);
	auto_json struct json *nothing = json_new_object();
	struct error err = { 0 };
	const char *next;

	check_ok(kube_mirror_page(&mirror, page, &arena, &next, &err), err);
	check_str(next, "t+");
	check_str(url_escape(&arena, next), "t%2B");
	check_str(mirror.revision, "7");
	check_str(keys(&mirror, true, false), "10.5.1.0-24");
	check_fails(kube_mirror_page(&mirror, nothing, &arena, &next, &err), err,
		    "the API server's list of nodes has no revision, or one that is too long");
	check_fails(kube_mirror_page(&mirror, endless, &arena, &next, &err), err,
		    "the API server's list of nodes has no revision, or one that is too long");
	kube_mirror_free(&mirror);
	arena_free(&arena);
}

TEST(many_nodes_are_found_by_name)
{
	struct kube_nodes nodes = { 0 };
	struct kube_node node = { .value = "{}" };

	for (unsigned i = 0; i < 1000; i++) {
		node.name = arena_printf(&arena, "node-%u", i * 7919 % 1000);
		check(kube_nodes_put(&nodes, &node));
		check(!kube_nodes_put(&nodes, &node));
	}
	check_int(nodes.n, 1000);
	for (unsigned i = 0; i < 1000; i += 2)
		check(kube_nodes_remove(&nodes, arena_printf(&arena, "node-%u", i)));
	check_int(nodes.n, 500);
	check(!kube_nodes_remove(&nodes, "node-0"));
	check_str(kube_nodes_value(&nodes, "node-1"), "{}");
	kube_nodes_free(&nodes);
	arena_free(&arena);
}

/* ---- refusals ---- */

TEST(refusals_say_what_would_help)
{
	const struct kube_action patch = { "patch", "nodes/status" };
	static const struct {
		long status;
		int errnum;
		const char *body, *text;
	} cases[] = {
		{ 403, EACCES, "{\"message\":\"nodes \\\"n1\\\" is forbidden\"}",
		  "nodes \"n1\" is forbidden; what our role lacks: resources [\"nodes/status\"], verbs"
		  " [\"patch\"]" },
		{ 401, EPERM, "{\"message\":\"Unauthorized\"}",
		  "the API server does not know us (401 Unauthorized): the token or certificate has"
		  " expired, or is another cluster's" },
		{ 410, ESTALE, "{\"message\":\"too old\"}",
		  "the API server refuses to patch nodes/status: too old (410)" },
		{ 502, EIO, "<html>",
		  "the API server refuses to patch nodes/status: no reason given (502)" },
		{ 500, EIO, "{\"message\":\"\\u001b[2J\"}",
		  "the API server refuses to patch nodes/status: ?[2J (500)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = { 0 };
		int r = kube_status_fail(cases[i].status, cases[i].body, strlen(cases[i].body),
					 &patch, &err);

		check_int(r, -cases[i].errnum);
		check_str(err.message, cases[i].text);
	}
}
