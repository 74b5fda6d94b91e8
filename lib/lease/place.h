/*
 * Where a network's leases are: a folder, etcd or Kubernetes, as the options of agents and tools name it (flannel's own names,
 * flannel.md, section 7). A folder is served by this program itself. What is reached over a network is served by another one,
 * `cnibox-store`, which has an HTTP library, TLS and name look-up in it: no CNI call pays for those.
 */
#ifndef LEASE_PLACE_H
#define LEASE_PLACE_H

#include "describe/field.h"
#include "lease/kv.h"
#include "lease/store.h"

struct lease_place {
	const char *store; /* the folder */
	const char *peers_file;
	const char *etcd_endpoints, *etcd_prefix;
	const char *etcd_cafile, *etcd_certfile, *etcd_keyfile;
	const char *etcd_username, *etcd_password;
	bool kube_subnet_mgr;
	const char *kube_api_url, *kubeconfig_file, *kube_annotation_prefix;
	const char *net_config_path, *node_name;
	bool set_node_network_unavailable;
	const char *snapshot; /* see lease/snapshot.h; NULL = none is kept */
};
#define LEASE_PLACE_DEFAULTS                                                              \
	{                                                                                 \
		.store = "/var/lib/cnibox/network", .etcd_prefix = "/coreos.com/network", \
		.kube_annotation_prefix = "flannel.alpha.coreos.com",                     \
		.net_config_path = "/etc/kube-flannel/net-conf.json",                     \
		.set_node_network_unavailable = true,                                     \
	}

enum lease_engine { LEASE_FILES, LEASE_STATIC, LEASE_ETCD, LEASE_KUBERNETES };
enum lease_engine lease_place_engine(const struct lease_place *place);
/* Nodes take subnets out of the network's there; else somebody else says which one a node has. */
bool lease_place_allocates(const struct lease_place *place);

/* Its rows, of a struct lease_place at offset `base` of the options' struct. */
#define LEASE_PLACE_ROW(base, key_, kind, member, metavar_, env_, help_)                \
	{                                                                               \
		.key = (key_), .type = (kind),                                          \
		.offset = (base) + offsetof(struct lease_place, member), .env = (env_), \
		.help = (help_), .metavar = (metavar_), .flags = FIELD_ONE_DASH         \
	}
/* clang-format off */
#define LEASE_PLACE_API_FIELDS(base) \
	LEASE_PLACE_ROW(base, "kubeApiUrl", FIELD_STRING, kube_api_url, "URL", "FLANNELD_KUBE_API_URL", "URL of its API server; unset: the kubeconfig's, or the pod's own"), \
	LEASE_PLACE_ROW(base, "kubeconfigFile", FIELD_PATH, kubeconfig_file, NULL, "FLANNELD_KUBECONFIG_FILE", "how to reach the API server, and as whom")
/* hidden_: FIELD_HIDDEN for those who look only, and accept an agent's words. */
#define LEASE_PLACE_FIELDS_OF(base, hidden_) \
	LEASE_PLACE_ROW(base, "store", FIELD_PATH, store, "DIR", NULL, "folder that the nodes share: `config`, and `subnets/` with the leases"), \
	LEASE_PLACE_ROW(base, "peersFile", FIELD_PATH, peers_file, NULL, NULL, "file with the network and all its leases instead: nothing is written"), \
	LEASE_PLACE_ROW(base, "etcdEndpoints", FIELD_STRING, etcd_endpoints, "URLS", "FLANNELD_ETCD_ENDPOINTS", "etcd instead: URLs of its members, with commas between"), \
	LEASE_PLACE_ROW(base, "etcdPrefix", FIELD_STRING, etcd_prefix, "KEY", "FLANNELD_ETCD_PREFIX", "where the network is in etcd"), \
	LEASE_PLACE_ROW(base, "etcdCafile", FIELD_PATH, etcd_cafile, NULL, "FLANNELD_ETCD_CAFILE", "certificates that etcd's is checked with"), \
	LEASE_PLACE_ROW(base, "etcdCertfile", FIELD_PATH, etcd_certfile, NULL, "FLANNELD_ETCD_CERTFILE", "our certificate for etcd"), \
	LEASE_PLACE_ROW(base, "etcdKeyfile", FIELD_PATH, etcd_keyfile, NULL, "FLANNELD_ETCD_KEYFILE", "its private key"), \
	LEASE_PLACE_ROW(base, "etcdUsername", FIELD_STRING, etcd_username, "NAME", "FLANNELD_ETCD_USERNAME", "user of etcd"), \
	LEASE_PLACE_ROW(base, "etcdPassword", FIELD_STRING, etcd_password, "WORD", "FLANNELD_ETCD_PASSWORD", "its password; better in the environment, where others cannot read it"), \
	LEASE_PLACE_ROW(base, "kubeSubnetMgr", FIELD_BOOL, kube_subnet_mgr, NULL, "FLANNELD_KUBE_SUBNET_MGR", "the network of Kubernetes instead: subnets are the nodes' podCIDRs"), \
	LEASE_PLACE_API_FIELDS(base), \
	LEASE_PLACE_ROW(base, "kubeAnnotationPrefix", FIELD_STRING, kube_annotation_prefix, "PREFIX", "FLANNELD_KUBE_ANNOTATION_PREFIX", "of the nodes' annotations"), \
	LEASE_PLACE_ROW(base, "netConfigPath", FIELD_PATH, net_config_path, NULL, "FLANNELD_NET_CONFIG_PATH", "file with the network's configuration, for Kubernetes"), \
	LEASE_PLACE_ROW(base, "nodeName", FIELD_STRING, node_name, "NAME", "NODE_NAME", "name of this node in Kubernetes"), \
	{ .key = "setNodeNetworkUnavailable", .type = FIELD_BOOL, .offset = (base) + offsetof(struct lease_place, set_node_network_unavailable), \
	  .flags = FIELD_ONE_DASH | FIELD_KEEP_EMPTY | (hidden_), .env = "FLANNELD_SET_NODE_NETWORK_UNAVAILABLE", \
	  .help = "take the condition NetworkUnavailable off this node in Kubernetes" }, \
	{ .key = "snapshot", .type = FIELD_PATH, .offset = (base) + offsetof(struct lease_place, snapshot), .flags = FIELD_HIDDEN, \
	  .help = "where an agent remembers the network, for a boot without its store; see lib/lease/snapshot.h" }
#define LEASE_PLACE_FIELDS(base) LEASE_PLACE_FIELDS_OF(base, FIELD_HIDDEN)
#define LEASE_PLACE_AGENT_FIELDS(base) LEASE_PLACE_FIELDS_OF(base, 0)
/* clang-format on */

/* A store for one who looks or changes a little: a tool. -ENOENT: the folder is not there, and not made by looking. */
int lease_place_open(struct kv **kv, const struct lease_place *place, struct error *err) must_check;
/* What an agent's store process runs; place is borrowed. */
struct worker_program lease_place_program(const struct lease_place *place);

/* Become `cnibox-store MODE SOCKET OPTIONS` on this end of a socket. Returns only when that fails. */
int lease_place_become(const char *mode, const struct lease_place *place, int fd,
		       struct error *err) must_check;

/* For cnibox-store: the same options as it is handed them, in JSON on a descriptor. */
int lease_place_read(int fd, struct arena *arena, struct lease_place *place,
		     struct error *err) must_check;

#endif
