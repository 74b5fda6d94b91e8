/*
 * The result of ADD, in the newest specification's shape (1.1.0), and its conversion to and from
 * every version (cni-plugins.md, section 1.5). Strings and lists live in the arena of the request.
 */
#ifndef CNI_RESULT_H
#define CNI_RESULT_H

#include "base/error.h"
#include "base/ip.h"
#include "describe/field.h"

#define CNI_VERSION_NEWEST "1.1.0"

struct cni_interface {
	const char *name;
	struct mac mac;
	const char *sandbox; /* CNI_NETNS verbatim; NULL on the host */
	int mtu;
	const char *socket_path;
	const char *pci_id;
};

struct cni_ip {
	bool has_interface;
	int interface; /* index into interfaces */
	struct cidr address;
	struct ip gateway;
};

struct cni_route {
	struct cidr dst;
	struct ip gw;
	uint32_t mtu, advmss, priority;
	bool has_table, has_scope;
	uint32_t table;
	int scope;
};

typedef LIST(const char *) strings_t;
struct cni_dns {
	strings_t nameservers;
	const char *domain;
	strings_t search, options;
};

struct cni_result {
	LIST(struct cni_interface) interfaces;
	LIST(struct cni_ip) ips;
	LIST(struct cni_route) routes;
	struct cni_dns dns;
};

extern const struct field cni_interface_fields[], cni_ip_fields[], cni_route_fields[],
	cni_dns_fields[];

bool cni_dns_empty(const struct cni_dns *dns);

/* All versions known, oldest first; n of them. */
extern const char *const cni_versions[];
extern const size_t cni_n_versions;
/* -1, 0, 1; versions compare by number. -EINVAL-free: unknown text compares as oldest. */
int cni_version_compare(const char *a, const char *b);
bool cni_version_known(const char *version);
bool cni_version_valid(const char *version); /* three numbers, known or not */

/* The result as JSON text of a version, as the reference prints it (no final newline), in the
 * arena. */
int result_encode(const struct cni_result *result, const char *version, struct arena *arena,
		  char **text, struct error *err) must_check;
struct json;
/* The same as a value, for chaining and caching. */
int result_to_json(const struct cni_result *result, const char *version, struct json **json,
		   struct error *err) must_check;
/* That value as the reference prints it: keys sorted from 1.0.0 on. No final newline. */
char *result_text(const struct json *json, const char *version, struct arena *arena);
/* Decode a result whose own cniVersion (absent: config_version) tells its shape. With strict, the
 * version must be of config_version's family (prevResult): `result type supports [1.0.0 1.1.0] but
 * unmarshalled CNIVersion is "x"`. */
int result_decode(const struct json *json, const char *config_version, bool strict,
		  struct arena *arena, struct cni_result *result, struct error *err) must_check;

#endif
