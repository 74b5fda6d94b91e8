#!/usr/bin/env bats
# `cnibox policy-iptables` from files alone: explain, matrix, lint. What policies mean is in tests/unit/policy_rows.c, row
# by row, and in 481 against another evaluator; here it is what a person sees.

load lib/all
sandbox

setup() {
	cat >/run/all.yaml <<-'E'
	apiVersion: v1
	kind: Namespace
	metadata: {name: shop, labels: {team: b}}
	---
	apiVersion: v1
	kind: Pod
	metadata: {name: web, labels: {app: web}}
	spec: {nodeName: n1, containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
	status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
	---
	apiVersion: v1
	kind: Pod
	metadata: {name: db, namespace: shop, labels: {app: db}}
	spec: {nodeName: n2, containers: [{name: c, ports: [{name: sql, containerPort: 5432}]}]}
	status: {podIP: 10.0.1.1, podIPs: [{ip: 10.0.1.1}, {ip: "fd00::2"}]}
	---
	apiVersion: v1
	kind: Pod
	metadata: {name: done}
	spec: {nodeName: n2}
	status: {phase: Failed, podIP: 10.0.1.1}
	---
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: {name: deny, namespace: shop}
	spec: {policyTypes: [Ingress]}
	---
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: {name: sql, namespace: shop}
	spec:
	  podSelector: {matchLabels: {app: db}}
	  policyTypes: [Ingress]
	  ingress:
	  - from:
	    - podSelector: {matchLabels: {app: web}}
	    - ipBlock: {cidr: 10.0.0.0/16}
	    ports: [{protocol: TCP, port: sql}]
	E
}

policy() { "$CNIBOX" policy-iptables "$@"; }

# explained WORD ...: names of chains and sets without their hashes
explained() { policy explain "$@" | sed -E 's/-[0-9a-f]{16}/-HASH/g'; }

# policy_fails STATUS MESSAGE WORD ...: what it says, on one line
policy_fails() {
	local said code=0

	said=$(policy "${@:3}" 2>&1 >/dev/null) || code=$?
	assert_eq "status of: ${*:3}" "$code" "$1"
	assert_eq "what it says" "$said" "$2"
}

@test "explain: which policies isolate, which rule allows, and why the others do not; by family" {
	assert_eq "text" "$(explained web shop/db 5432 -f /run/all.yaml)" "\
default/web -> shop/db, TCP 5432, IPv4: allowed
  egress of default/web: allowed, no policy isolates it
  ingress to shop/db: allowed
    shop/deny: it has no ingress rules
    shop/sql ingress[0] allows it
    node n2: chain CNIBOX-IN-HASH, NetworkPolicies, clause 1: set cnibox-peers-HASH and cnibox-ports-HASH
default/web -> shop/db, TCP 5432, IPv6: denied
  egress of default/web: allowed, no policy isolates it
  ingress to shop/db: denied
    shop/deny: it has no ingress rules
    shop/sql ingress[0] does not fit:
      from[0] podSelector app=web: without namespaceSelector it means pods of namespace shop only
      from[1] ipBlock 10.0.0.0/16: fd00::1 is not in it
    node n2: chain CNIBOX-IN-HASH, NetworkPolicies, behind all clauses"
	assert_match "a port" "$(policy explain 10.0.0.9 shop/db 80 -f /run/all.yaml)" \
		'the port is not TCP sql \(which is 5432 there\)'
	json=$(policy explain web shop/db 5432 -f /run/all.yaml --json)
	assert_json "JSON: the chain" "$json" '.families[0].ingress.chain | del(.name) | .sets |= map(.[:-16])' \
		'{"node":"n2","comment":"ingress by shop/deny shop/sql","part":"NetworkPolicies","clause":1,"sets":["cnibox-peers-","cnibox-ports-"]}'
	assert_json "JSON: both families have to be open" "$json" .allowed false
	assert_json "JSON: by family" "$json" '[.families[] | [.family, .allowed]]' '[["IPv4",true],["IPv6",false]]'
	assert_json "JSON: rules" "$json" '.families[1].ingress.policies[1].rules[0] | [.rule, .allows, (.why | length)]' \
		'["ingress[0]",false,2]'
	assert_json "JSON: not isolated" "$json" '.families[0].egress' '{"isolated":false,"allowed":true,"policies":[]}'
}

@test "explain: what no policy is asked about, and ends that are none" {
	assert_match "itself" "$(policy explain shop/db shop/db 1 -f /run/all.yaml)" 'allowed.  a pod always reaches itself'
	assert_match "another protocol" "$(policy explain web shop/db 5432/UDP -f /run/all.yaml)" 'UDP 5432, IPv4: denied'
	policy_fails 1 'policy-iptables explain: no pod "x" in namespace "default"' explain x shop/db 1 -f /run/all.yaml
	policy_fails 1 'policy-iptables explain: pod default/done has finished: its address is not its own' explain default/done shop/db 1 -f /run/all.yaml
	policy_fails 1 'policy-iptables explain: 10.0.0.1 and fd00::2 have no address family in common' explain 10.0.0.1 fd00::2 1 -f /run/all.yaml
	for port in 0 65536 x 80/icmp 80/ -1 ''; do
		refute "port $port" policy explain web shop/db "$port" -f /run/all.yaml
	done
	assert_match "the port's form" "$(policy explain web shop/db 80/icmp -f /run/all.yaml 2>&1 || :)" '"80/icmp" is not a port: 1\.\.65535'
	refute "no file" policy explain web shop/db 80
}

@test "matrix: every pod and address with every other; the compiled rules agree" {
	assert_eq "text" "$(policy matrix --check -f /run/all.yaml -a 10.0.0.9 -a fd00::9)" "\
default/web  default/web  TCP 8080   allow
default/web  shop/db      TCP 5432   IPv4 only
default/web  10.0.0.9     TCP 80     allow
default/web  fd00::9      TCP 80     allow
shop/db      default/web  TCP 8080   allow
shop/db      shop/db      TCP 5432   allow
shop/db      10.0.0.9     TCP 80     allow
shop/db      fd00::9      TCP 80     allow
10.0.0.9     default/web  TCP 8080   allow
10.0.0.9     shop/db      TCP 5432   allow
fd00::9      default/web  TCP 8080   allow
fd00::9      shop/db      TCP 5432   deny"
	json=$(policy matrix -f /run/all.yaml -p 5432 -p 53/udp --json)
	assert_json "ports as asked" "$json" '[.[] | select(.to == "shop/db" and .from == "default/web") | [.port, .protocol, .allowed, .ipv4, .ipv6]]' \
		'[[5432,"TCP",false,true,false],[53,"UDP",false,false,false]]'
	assert_json "nothing" "$(echo '{"kind":"List","items":[]}' | policy matrix -f - --json)" . '[]'
}

# Above and below all.yaml: tiers.
cluster() {
	cat >/run/cluster.yaml <<-'E'
	apiVersion: policy.networking.k8s.io/v1alpha2
	kind: ClusterNetworkPolicy
	metadata: {name: guard}
	spec:
	  tier: Admin
	  priority: 10
	  subject: {namespaces: {matchLabels: {team: b}}}
	  ingress:
	  - {name: probes, action: Accept, from: [{pods: {podSelector: {matchLabels: {app: probe}}}}]}
	  - {action: Pass, from: [{namespaces: {}}], protocols: [{destinationNamedPort: sql}]}
	  - {action: Deny, from: [{namespaces: {}}]}
	---
	apiVersion: policy.networking.k8s.io/v1alpha2
	kind: ClusterNetworkPolicy
	metadata: {name: out}
	spec:
	  tier: Baseline
	  priority: 0
	  subject: {namespaces: {}}
	  egress: [{name: no Internet, action: Deny, to: [{networks: [0.0.0.0/0]}], protocols: [{tcp: {destinationPort: {number: 25}}}]}]
	E
}

@test "explain: tiers of ClusterNetworkPolicies, down to the rule that decides" {
	cluster
	assert_eq "Pass" "$(explained web shop/db 5432 -f /run/all.yaml -f /run/cluster.yaml | sed -n '1,/IPv6/p')" "\
default/web -> shop/db, TCP 5432, IPv4: allowed
  egress of default/web: allowed
    Baseline:out egress[0] \"no Internet\" does not fit:
      the port is not TCP 25
    node n1: chain CNIBOX-OUT-HASH, Baseline, behind all clauses
  ingress to shop/db: allowed
    Admin:guard ingress[0] \"probes\" does not fit:
      from[0] pods app=probe in namespaces {}: the labels of default/web do not match
    Admin:guard ingress[1] passes it on
    shop/deny: it has no ingress rules
    shop/sql ingress[0] allows it
    node n2: chain CNIBOX-IN-HASH, NetworkPolicies, clause 1: set cnibox-peers-HASH and cnibox-ports-HASH
default/web -> shop/db, TCP 5432, IPv6: denied"
	assert_eq "Deny" "$(explained web shop/db 80 -f /run/all.yaml -f /run/cluster.yaml | tail -n 7)" "\
  ingress to shop/db: denied
    Admin:guard ingress[0] \"probes\" does not fit:
      from[0] pods app=probe in namespaces {}: the labels of default/web do not match
    Admin:guard ingress[1] does not fit:
      the port is not TCP sql (which is 5432 there), nor UDP sql, nor SCTP sql
    Admin:guard ingress[2] denies it
    node n2: chain CNIBOX-IN-HASH, Admin, clause 5: set cnibox-pods-HASH"
	json=$(policy explain web 192.0.2.1 25 -f /run/all.yaml -f /run/cluster.yaml --json)
	assert_json "JSON: who decides" "$json" '.families[0].egress | [.allowed, .isolated, .decidedBy]' '[false,false,"Baseline:out egress[0]"]'
	assert_json "JSON: rules" "$json" '.families[0].egress.clusterPolicies' \
		'[{"policy":"out","tier":"Baseline","priority":0,"rules":[{"rule":"egress[0]","name":"no Internet","action":"Deny","matches":true}]}]'
	assert_json "JSON: a NetworkPolicy decides" "$(policy explain web shop/db 5432 -f /run/all.yaml --json)" '.families[0].ingress.decidedBy' '"shop/sql ingress[0]"'
	policy matrix --check -f /run/all.yaml -f /run/cluster.yaml >/run/matrix
	assert_eq "matrix" "$(grep -c 'TCP 25' /run/matrix)" 0
	assert_match "ports that tiers name" "$(policy matrix --check -a 192.0.2.9 -f /run/all.yaml -f /run/cluster.yaml)" 'default/web  192.0.2.9    TCP 25     deny'
}

@test "a policy that comes to too much isolates its pods, and nobody else's; that is said" {
	python3 - >/run/huge.json <<-'E'
	import json
	peers = [{"ipBlock": {"cidr": f"10.{i // 256}.{i % 256}.0/24"}} for i in range(1200)]
	spec = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"],
	        "ingress": [{"from": peers, "ports": [{"protocol": "TCP", "port": 8080 + i} for i in range(1100)]}]}
	print(json.dumps({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "huge"}, "spec": spec}))
	E
	assert_eq "explained" "$(policy explain shop/db web 8080 -f /run/all.yaml -f /run/huge.json 2>/run/said | sed -n '3,4p')" "\
  ingress to default/web: denied
    default/huge: it expands to more than the limit, and allows nothing"
	assert_eq "said" "$(</run/said)" "networkpolicy default/huge: spec: it comes to 1128700 elements, over the limit of 1048576: it isolates, and allows nothing"
	assert_match "others" "$(policy matrix --check -f /run/all.yaml -f /run/huge.json -p 5432 2>/dev/null)" 'default/web  shop/db      TCP 5432   IPv4 only'
	refute "lint fails" policy lint -f /run/all.yaml -f /run/huge.json
}

@test "objects come as YAML, JSON, Lists and folders, from files and standard input" {
	want=$(policy matrix -f /run/all.yaml)
	python3 -c 'import sys, json, yaml; json.dump({"apiVersion": "v1", "items": list(yaml.safe_load_all(sys.stdin)), "kind": "List"}, sys.stdout)' \
		</run/all.yaml >/run/list.json
	mkdir /run/folder
	jq -c '.items[]' /run/list.json | tee /run/lines.json | head -n 3 >/run/folder/a.json
	tail -n +4 /run/lines.json | jq -s '{kind: "List", items: .}' >/run/folder/b.yml
	echo junk >/run/folder/README
	for file in /run/list.json /run/lines.json /run/folder; do
		assert_eq "$file" "$(policy matrix -f "$file")" "$want"
	done
	assert_eq "standard input" "$(policy matrix -f - </run/list.json)" "$want"
	assert_eq "two files" "$(policy matrix -f /run/folder/a.json -f /run/folder/b.yml)" "$want"
	jq -c '{kind: "PodList", apiVersion: "v1", items: [.items[] | select(.kind == "Pod") | del(.kind, .apiVersion)]}' /run/list.json >/run/pods.json
	assert_eq "an answer of the API" "$(policy matrix -f /run/pods.json | wc -l)" 4
	policy_fails 1 "policy-iptables matrix: open /run/none: No such file or directory" matrix -f /run/none
	echo '{"a":' >/run/broken.json
	policy_fails 1 "policy-iptables matrix: /run/broken.json: line 2, column 0: unexpected token near end of file" matrix -f /run/broken.json
	echo 'a: [' >/run/broken.yaml
	assert_match "the line" "$(policy matrix -f /run/broken.yaml 2>&1 || :)" '/run/broken.yaml: line 2, column 1: '
}

@test "a refused object is no answer's ground: every mistake is named, by path" {
	sed 's/ingress:/ingres:/; s/10\.0\.0\.0.16/10.0.0.0\/33/' /run/all.yaml >/run/bad.yaml
	policy_fails 1 'networkpolicy shop/sql: spec.ingres: unknown key; did you mean "ingress"?
policy-iptables explain: 1 object refused' explain web shop/db 5432 -f /run/bad.yaml
	assert_eq "lint says it, too" "$(policy lint -f /run/bad.yaml | grep error)" \
		'error: networkpolicy shop/sql: spec.ingres: unknown key; did you mean "ingress"?'
	refute "and fails" policy lint -f /run/bad.yaml
}

# lint_says LINE ...: of the policy on stdin, in the cluster of all.yaml; all lines
lint_says() {
	local want

	want=$(printf 'warning: networkpolicy shop/p: %s\n' "$@")
	{ printf 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec:\n'; cat; } >/run/p.yaml
	assert_eq "lint" "$(policy lint -f /run/all.yaml -f /run/p.yaml | grep shop/p:)" "${*:+$want}"
}

@test "lint: nothing to say of a policy that is all right" {
	lint_says <<-'E'
	  podSelector: {matchLabels: {app: db}}
	  policyTypes: [Ingress, Egress]
	  ingress: [{from: [{podSelector: {}}], ports: [{protocol: TCP, port: sql}]}]
	  egress: [{ports: [{protocol: UDP, port: 53}]}]
	E
	assert_eq "JSON" "$(policy lint -f /run/all.yaml --json | jq -c '[.[] | .severity]')" '["warning"]'
}

@test "lint: what is not said, and sections that say nothing" {
	lint_says 'spec.policyTypes: missing; it means Ingress' \
		'spec.egress: an empty list isolates nothing without policyTypes' \
		'spec.ingress[0].ports[0].protocol: missing; it means TCP' <<-'E'
	  podSelector: {}
	  ingress: [{ports: [{port: 80}]}]
	  egress: []
	E
	lint_says 'spec.ingress: has no effect, since policyTypes has no Ingress' <<-'E'
	  podSelector: {}
	  policyTypes: [Egress]
	  ingress: [{}]
	  egress: [{}]
	E
}

@test "lint: selectors that find nothing, names that nobody has" {
	lint_says 'spec.podSelector: app=none matches no pod of the namespace' \
		'spec.ingress[0].from[0]: podSelector app=web matches no pod' \
		'spec.ingress[0].from[1].namespaceSelector: team=x matches no namespace' <<-'E'
	  podSelector: {matchLabels: {app: none}}
	  policyTypes: [Ingress]
	  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}, {namespaceSelector: {matchLabels: {team: x}}}]}]
	E
	lint_says 'spec.podSelector: ap=db matches no pod of the namespace; did you mean "app"?' \
		'spec.ingress[0].from[0]: podSelector app=dbb with namespaceSelector {} matches no pod; did you mean "db"?' \
		'spec.ingress[0].from[1].namespaceSelector: teams=b matches no namespace; did you mean "team"?' <<-'E'
	  podSelector: {matchLabels: {ap: db}}
	  policyTypes: [Ingress]
	  ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: dbb}}}, {namespaceSelector: {matchLabels: {teams: b}}}]}]
	E
	lint_says 'spec.ingress[0].ports[0]: no pod of spec.podSelector has a TCP port "http"' \
		'spec.ingress[0].ports[1]: no pod of spec.podSelector has a UDP port "sql"' \
		'spec.egress[1].ports[0]: no pod of its peers has a TCP port "http"' <<-'E'
	  podSelector: {}
	  policyTypes: [Ingress, Egress]
	  ingress: [{ports: [{protocol: TCP, port: http}, {protocol: UDP, port: sql}, {protocol: TCP, port: sql}]}]
	  egress:
	  - {ports: [{protocol: UDP}]}
	  - {to: [{podSelector: {}}], ports: [{protocol: TCP, port: http}]}
	  - {to: [{namespaceSelector: {}}], ports: [{protocol: TCP, port: http}]}
	E
}

@test "lint: DNS forgotten, rules that add nothing, exceptions that are allowed elsewhere" {
	lint_says 'spec.egress: no policy allows UDP 53 (DNS) to shop/db' <<-'E'
	  podSelector: {}
	  policyTypes: [Egress]
	  egress: [{ports: [{protocol: TCP, port: 53}]}]
	E
	lint_says 'spec.ingress[0]: adds nothing to spec.ingress[1]' 'spec.ingress[3]: adds nothing to spec.ingress[2]' <<-'E'
	  podSelector: {}
	  policyTypes: [Ingress]
	  ingress:
	  - {from: [{ipBlock: {cidr: 10.1.0.0/16}}], ports: [{protocol: TCP, port: 80}]}
	  - {from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{protocol: TCP, port: 1, endPort: 99}]}
	  - {from: [{podSelector: {}}], ports: [{protocol: UDP, port: 5}]}
	  - {from: [{podSelector: {}}], ports: [{protocol: UDP, port: 5}]}
	E
	lint_says 'spec.ingress[0].from[0].ipBlock.except: 10.0.3.0/24 is allowed by shop/sql spec.ingress[0].from[1]' \
		'spec.ingress[0].from[0].ipBlock.except: 10.9.0.0/16 is allowed by spec.ingress[1].from[0]' <<-'E'
	  podSelector: {}
	  policyTypes: [Ingress]
	  ingress:
	  - {from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.3.0/24, 10.8.0.0/16, 10.9.0.0/16]}}]}
	  - {from: [{ipBlock: {cidr: 10.9.1.0/24}}], ports: [{protocol: TCP, port: 80}]}
	E
}

@test "lint: ClusterNetworkPolicies: what finds nothing, equal priorities, rules that are never reached" {
	cluster
	cat >>/run/cluster.yaml <<-'E'
	---
	apiVersion: policy.networking.k8s.io/v1alpha2
	kind: ClusterNetworkPolicy
	metadata: {name: second}
	spec:
	  tier: Admin
	  priority: 10
	  subject: {pods: {podSelector: {matchLabels: {app: db}}}}
	  ingress:
	  - {action: Accept, from: [{namespaces: {}}], protocols: [{destinationNamedPort: nobody}]}
	  - {action: Accept, from: [{pods: {podSelector: {matchLabels: {app: x}}}}, {namespaces: {matchLabels: {team: x}}}]}
	  - {action: Deny, from: [{pods: {podSelector: {matchLabels: {app: x}}}}]}
	---
	apiVersion: policy.networking.k8s.io/v1alpha2
	kind: ClusterNetworkPolicy
	metadata: {name: third}
	spec: {tier: Baseline, priority: 1, subject: {pods: {podSelector: {matchLabels: {app: x}}}}}
	E
	assert_eq "lint" "$(policy lint -f /run/all.yaml -f /run/cluster.yaml | grep clusternetworkpolicy)" "\
warning: clusternetworkpolicy guard: spec.ingress[0].from[0]: pods app=probe in namespaces {} matches no pod
warning: clusternetworkpolicy second: spec.priority: is that of guard, which is asked first here, by name
warning: clusternetworkpolicy second: spec.ingress[0].protocols: no pod has a port \"nobody\"
warning: clusternetworkpolicy second: spec.ingress[0]: is never reached: guard spec.ingress[2] has all of it
warning: clusternetworkpolicy second: spec.ingress[1].from[0]: pods app=x in namespaces {} matches no pod
warning: clusternetworkpolicy second: spec.ingress[1].from[1]: namespaces team=x matches no namespace
warning: clusternetworkpolicy second: spec.ingress[2].from[0]: pods app=x in namespaces {} matches no pod
warning: clusternetworkpolicy second: spec.ingress[2]: is never reached: spec.ingress[1] has all of it
warning: clusternetworkpolicy third: spec.subject: matches no pod"
}

@test "lint: two pods with one address" {
	sed 's/phase: Failed, //' /run/all.yaml >/run/twice.yaml
	assert_match "said" "$(policy lint -f /run/twice.yaml)" "warning: pod (shop/db|default/done): status.podIPs: 10.0.1.1 is also (shop/db|default/done)'s"
}
