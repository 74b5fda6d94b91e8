/*
 * policy-iptables: Kubernetes NetworkPolicies. Each verb has its file in the folder of this name; the list of them is in
 * verb.h.
 */
#include "policy-iptables/verb.h"

#define VERB(name_, summary_, needs_) \
	{ #name_,                     \
	  (summary_),                 \
	  verb_##name_##_fields,      \
	  sizeof(struct options),     \
	  .defaults = &verb_defaults, \
	  .needs = (needs_),          \
	  .run = verb_##name_ },

/* clang-format off */
static const struct verb verbs[] = { VERBS(VERB) { 0 } };
/* clang-format on */

static const struct lister lists[] = { { NOUN_POD, NULL, "", &verb_pods }, { 0 } };

const struct applet applet_policy_iptables = {
	.summary = "enforce Kubernetes NetworkPolicies, and explain them",
	.about =
		"Objects are Namespaces, Pods, Nodes, NetworkPolicies and ClusterNetworkPolicies (v1alpha2) of the Kubernetes"
		" API, as `kubectl get -o json` and `-o yaml` print them or as manifests. What the API server would refuse is"
		" refused here, with the path of the field and the reason; no cluster is asked.\n"
		"\n"
		"ClusterNetworkPolicies of one tier and priority are asked in the order of their names. A rule with a peer or"
		" protocol of a later version, or with domainNames, fails closed. So does a policy that comes to more than"
		" 1048576 elements: it isolates its pods, and allows nothing.\n"
		"\n"
		"A pod always reaches itself and its node, and a node its pods; itself by way of a service unless a"
		" ClusterNetworkPolicy denies it. Pods on their node's network are addresses of that node; pods that have"
		" finished take no part. A named port in an ipBlock is that of pods in it.\n"
		"\n"
		"apply brings this node to what the objects say: through iptables and ipsets, or nftables. Only what differs"
		" is written, nobody else's rules are touched, and a failure leaves the old or the new in force."
		" apply --dry-run and verify end with status 3 when something is not as the objects say.\n"
		"\n"
		"Rules judge what begins. --cut ends what had begun and is denied now; where a server may speak before"
		" its client does again, that takes net.netfilter.nf_conntrack_tcp_loose=0 and --invalid.",
	.example = "kubectl get ns,pods,nodes,networkpolicies -A -o json >all.json\n"
		   "cnibox policy-iptables explain web-0 shop/db-0 5432 -f all.json\n"
		   "cnibox policy-iptables matrix -f all.json --port 53/udp --address 192.0.2.1\n"
		   "cnibox policy-iptables lint -f manifests/ -f pods.yaml\n"
		   "cnibox policy-iptables apply --dry-run -f all.json ||\n"
		   "        cnibox policy-iptables apply -f all.json\n"
		   "cnibox policy-iptables verify -f all.json --repair",
	.verbs = verbs,
	.lists = lists,
};
