/* Kubeconfigs and service accounts. */
#include "remote/kube_access.h"

#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/text.h"
#include "describe/yaml.h"

enum { CONFIG_MAX = 1 << 20, TOKEN_MAX = 64 << 10 };

/* ---- a kubeconfig, as it stands there ---- */

struct cluster {
	const char *server, *ca_file, *ca_data, *tls_name, *proxy;
	bool insecure;
};
struct user {
	const char *token, *token_file, *cert_file, *cert_data, *key_file, *key_data;
	const char *username, *as;
	struct json *exec, *provider;
};
struct context {
	const char *cluster, *user;
};
struct named_cluster {
	const char *name;
	struct cluster cluster;
};
struct named_user {
	const char *name;
	struct user user;
};
struct named_context {
	const char *name;
	struct context context;
};
struct document {
	const char *current;
	LIST(struct named_cluster) clusters;
	LIST(struct named_user) users;
	LIST(struct named_context) contexts;
};

#define CLUSTER(member) offsetof(struct cluster, member)
#define USER(member)    offsetof(struct user, member)

static const struct field cluster_fields[] = {
	{ "server", FIELD_STRING, CLUSTER(server) },
	{ "certificate-authority", FIELD_STRING, CLUSTER(ca_file) },
	{ "certificate-authority-data", FIELD_STRING, CLUSTER(ca_data) },
	{ "insecure-skip-tls-verify", FIELD_BOOL, CLUSTER(insecure) },
	{ "tls-server-name", FIELD_STRING, CLUSTER(tls_name) },
	{ "proxy-url", FIELD_STRING, CLUSTER(proxy) },
	FIELDS_END
};
static const struct field user_fields[] = { { "token", FIELD_STRING, USER(token) },
					    { "tokenFile", FIELD_STRING, USER(token_file) },
					    { "client-certificate", FIELD_STRING, USER(cert_file) },
					    { "client-certificate-data", FIELD_STRING,
					      USER(cert_data) },
					    { "client-key", FIELD_STRING, USER(key_file) },
					    { "client-key-data", FIELD_STRING, USER(key_data) },
					    { "username", FIELD_STRING, USER(username) },
					    { "as", FIELD_STRING, USER(as) },
					    { "exec", FIELD_JSON, USER(exec) },
					    { "auth-provider", FIELD_JSON, USER(provider) },
					    FIELDS_END };
static const struct field context_fields[] = {
	{ "cluster", FIELD_STRING, offsetof(struct context, cluster) },
	{ "user", FIELD_STRING, offsetof(struct context, user) },
	FIELDS_END
};

/* Each list is of a name and what has it. */
#define NAMED(what)                                                            \
	static const struct field named_##what##_fields[] = {                  \
		{ "name", FIELD_STRING, offsetof(struct named_##what, name) }, \
		{ #what, FIELD_OBJECT, offsetof(struct named_##what, what),    \
		  .fields = what##_fields },                                   \
		FIELDS_END                                                     \
	}
NAMED(cluster);
NAMED(user);
NAMED(context);

#define LIST_OF(what)                                                                 \
	{                                                                             \
#what "s", FIELD_LIST, offsetof(struct document, what##s),            \
			.element = FIELD_OBJECT, .size = sizeof(struct named_##what), \
			.fields = named_##what##_fields                               \
	}
static const struct field document_fields[] = { { "current-context", FIELD_STRING,
						  offsetof(struct document, current) },
						LIST_OF(cluster),
						LIST_OF(user),
						LIST_OF(context),
						FIELDS_END };

static bool given(const char *text)
{
	return text && *text;
}

/* The one of that name; NULL when there is none. */
#define find(list, wanted)                                             \
	({                                                             \
		typeof((list)->items + 0) found_ = NULL;               \
		list_each(item_, (list))                               \
			if (item_->name && streq(item_->name, wanted)) \
				found_ = item_;                        \
		found_;                                                \
	})

/* ---- from there to what is needed ---- */

static const char *path_in(const char *folder, const char *path, struct arena *arena)
{
	if (!given(path))
		return NULL;
	return *path == '/' ? arena_strdup(arena, path)
			    : arena_printf(arena, "%s/%s", folder, path);
}

/* Base64 of PEM. */
static int pem_of(const char *data, const char *key, struct arena *arena, const char **pem,
		  struct error *err)
{
	size_t size;

	*pem = NULL;
	if (!given(data))
		return 0;
	*pem = base64_decode(arena, data, &size);
	if (!*pem || strlen(*pem) != size || !strstr(*pem, "-----BEGIN "))
		return fail(err, EINVAL, "%s: no base64 of a PEM file", key);
	return 0;
}

static int server_of(const char *server, struct arena *arena, struct kube_access *access,
		     struct error *err)
{
	char *copy = arena_strdup(arena, server);
	size_t len = strlen(copy);
	const char *host = has_prefix(server, "https://")  ? server + strlen("https://")
			   : has_prefix(server, "http://") ? server + strlen("http://")
							   : "";

	if (!*host || *host == '/')
		return fail(err, EINVAL, "\"%s\": no URL of an API server (https://...)", server);
	while (len && copy[len - 1] == '/')
		copy[--len] = '\0';
	access->server = copy;
	return 0;
}

static int take_cluster(const struct cluster *cluster, const char *folder, struct arena *arena,
			struct kube_access *access, struct error *err)
{
	if (!given(cluster->server))
		return fail(err, EINVAL, "server: missing");
	if (given(cluster->tls_name) || given(cluster->proxy))
		return fail(err, ENOTSUP, "%s is not supported; give the server's own URL",
			    given(cluster->proxy) ? "proxy-url" : "tls-server-name");
	if (server_of(cluster->server, arena, access, err) ||
	    pem_of(cluster->ca_data, "certificate-authority-data", arena, &access->tls.ca_data,
		   err))
		return -err->errnum;
	access->tls.cafile = path_in(folder, cluster->ca_file, arena);
	access->tls.insecure = cluster->insecure;
	return 0;
}

/* Other programs and other people's names are no way in for a daemon. */
static int refuse_user(const struct user *user, struct error *err)
{
	const char *what = user->exec              ? "exec"
			   : user->provider        ? "auth-provider"
			   : given(user->username) ? "username"
			   : given(user->as)       ? "as"
						   : NULL;

	if (!what)
		return 0;
	return fail(err, ENOTSUP,
		    "%s is not supported; use a token, a tokenFile or a client certificate", what);
}

static int take_user(const struct user *user, const char *folder, struct arena *arena,
		     struct kube_access *access, struct error *err)
{
	struct http_options *tls = &access->tls;

	if (refuse_user(user, err) ||
	    pem_of(user->cert_data, "client-certificate-data", arena, &tls->cert_data, err) ||
	    pem_of(user->key_data, "client-key-data", arena, &tls->key_data, err))
		return -err->errnum;
	tls->certfile = path_in(folder, user->cert_file, arena);
	tls->keyfile = path_in(folder, user->key_file, arena);
	if ((tls->cert_data || tls->certfile) != (tls->key_data || tls->keyfile))
		return fail(err, EINVAL,
			    "client-certificate and client-key: one without the other");
	access->token = given(user->token) ? arena_strdup(arena, user->token) : NULL;
	access->token_file = path_in(folder, user->token_file, arena);
	return 0;
}

static int take_document(const struct document *document, const char *folder, struct arena *arena,
			 struct kube_access *access, struct error *err)
{
	const struct named_context *context;
	const struct named_cluster *cluster;
	const struct named_user *user;

	if (!given(document->current))
		return fail(err, EINVAL, "current-context: missing");
	context = find(&document->contexts, document->current);
	if (!context || !given(context->context.cluster))
		return fail(err, EINVAL, "there is no context \"%s\"", document->current);
	cluster = find(&document->clusters, context->context.cluster);
	if (!cluster)
		return fail(err, EINVAL, "there is no cluster \"%s\"", context->context.cluster);
	if (take_cluster(&cluster->cluster, folder, arena, access, err))
		return wrap(err, "cluster \"%s\"", cluster->name);
	if (!given(context->context.user))
		return 0;
	user = find(&document->users, context->context.user);
	if (!user)
		return fail(err, EINVAL, "there is no user \"%s\"", context->context.user);
	return take_user(&user->user, folder, arena, access, err)
		       ? wrap(err, "user \"%s\"", user->name)
		       : 0;
}

int kube_access_parse(const char *text, size_t size, const char *folder, struct arena *arena,
		      struct kube_access *access, struct error *err)
{
	auto_json struct json *json = yaml_parse(text, size, err);
	struct document document = { 0 };

	*access = (struct kube_access){ 0 };
	if (!json)
		return -err->errnum;
	if (!json_is_object(json))
		return fail(err, EINVAL, "no kubeconfig");
	if (json_decode(json, document_fields, &document, arena, err))
		return -err->errnum;
	return take_document(&document, folder, arena, access, err);
}

/* ---- the ways to it ---- */

static int read_kubeconfig(const char *path, struct arena *arena, struct kube_access *access,
			   struct error *err)
{
	char *text, *folder = arena_strdup(arena, path), *slash = strrchr(folder, '/');
	size_t size;

	if (slash)
		*slash = '\0';
	if (file_read(path, CONFIG_MAX, arena, &text, &size, err) < 0)
		return wrap(err, "kubeconfig");
	if (kube_access_parse(text, size, slash ? folder : ".", arena, access, err))
		return wrap(err, "kubeconfig %s", path);
	return 0;
}

int kube_access_in_cluster(const char *host, const char *port, struct arena *arena,
			   struct kube_access *access, struct error *err)
{
	*access = (struct kube_access){ 0 };
	if (!given(host) || !given(port))
		return fail(err, ENOENT,
			    "where is the API server? give --kubeconfig-file or --kube-api-url"
			    " (this is no pod: KUBERNETES_SERVICE_HOST and _PORT are not set)");
	access->server = arena_printf(
		arena, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
	access->token_file = KUBE_SERVICE_ACCOUNT "/token";
	access->tls.cafile = KUBE_SERVICE_ACCOUNT "/ca.crt";
	return 0;
}

int kube_access_find(const struct lease_place *place, struct arena *arena,
		     struct kube_access *access, struct error *err)
{
	*access = (struct kube_access){ 0 };
	if (!given(place->kubeconfig_file) && !given(place->kube_api_url))
		return kube_access_in_cluster(getenv("KUBERNETES_SERVICE_HOST"),
					      getenv("KUBERNETES_SERVICE_PORT"), arena, access,
					      err);
	if (given(place->kubeconfig_file) &&
	    read_kubeconfig(place->kubeconfig_file, arena, access, err))
		return -err->errnum;
	return given(place->kube_api_url) ? server_of(place->kube_api_url, arena, access, err) : 0;
}

int kube_access_authorization(const struct kube_access *access, struct arena *arena,
			      const char **value, struct error *err)
{
	static const char blanks[] = "\r\n \t";
	const char *token = access->token;
	size_t len;

	*value = NULL;
	if (access->token_file) {
		char *text;
		size_t size;

		if (file_read(access->token_file, TOKEN_MAX, arena, &text, &size, err) < 0)
			return wrap(err, "the token for the API server");
		token = text;
	}
	if (!token)
		return 0;
	token += strspn(token, blanks);
	len = strcspn(token, blanks);
	if (!len)
		return fail(err, EINVAL, "the token for the API server: %s is empty",
			    access->token_file ? access->token_file : "the kubeconfig's");
	*value = arena_printf(arena, "Bearer %.*s", (int)len, token);
	return 0;
}
