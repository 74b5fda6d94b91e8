#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2030,SC2031 # words of our own; what a test sets is its own
# What packaging/ has for a node: systemd units, a manifest for Kubernetes, an image. As far as they can be tried without either.

load lib/all
load lib/nodes
load lib/dhcp
load lib/enforce
sandbox

PACKAGING=$CNIBOX_TOP/packaging

# The manifest as JSON, an array of objects.
manifest() {
	python3 -c 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))' $PACKAGING/kubernetes/cnibox-${MANIFEST:-flannel}.yaml
}
of() { manifest | jq -c ".[] | select(.kind == \"$1\")"; } # KIND

@test "the units are well-formed, and leave little to attack" {
	need systemd-analyze
	mkdir -p /run/units /run/bin
	for program in cnibox dockerd; do
		printf '#!/bin/sh\n' >/run/bin/$program
		chmod +x /run/bin/$program
	done
	cp -r $PACKAGING/systemd/. /run/units
	find /run/units -type f -exec sed -i 's,/usr/local/bin/,/run/bin/,; s,/usr/bin/dockerd,/run/bin/dockerd,' {} +
	for unit in flanneld:40 policy:40 dhcp:60; do
		assert_eq "verify" "$(systemd-analyze verify --man=no --recursive-errors=no /run/units/cnibox-${unit%:*}.service 2>&1)" ""
		assert "${unit%:*}: exposed less than as root" systemd-analyze security --offline=yes --threshold=${unit#*:} /run/units/cnibox-${unit%:*}.service
	done
	assert_match "plugins ask where the socket is" "$("$CNIBOX" help dhcp)" "default $(sed -n 's/^ListenStream=//p' /run/units/cnibox-dhcp.socket)"
	printf '[Service]\nType=notify\nExecStart=/run/bin/dockerd\n' >/run/units/docker.service
	assert_eq "Docker's drop-in" "$(SYSTEMD_UNIT_PATH=/run/units: systemd-analyze verify --man=no --recursive-errors=no /run/units/docker.service 2>&1)" ""
	assert_match "its words" "$(<$PACKAGING/systemd/docker.service.d/flannel.conf)" '\$DOCKER_NETWORK_OPTIONS'
	sed -n 's/^ExecStartPost=.*cnibox//p' /run/units/cnibox-flanneld.service.d/docker.conf >/run/words
	mkdir -p /run/flannel
	printf 'FLANNEL_%s\n' SUBNET=10.5.7.1/24 MTU=1450 IPMASQ=true >/run/flannel/subnet.env
	read -ra words </run/words
	run_log "$CNIBOX" "${words[@]}"
	assert_eq "Docker's options" "$(sed -n 's/^DOCKER_NETWORK_OPTIONS=//p' /run/flannel/docker)" '" --bip=10.5.7.1/24 --ip-masq=false --mtu=1450"'
	assert "the file that Docker's unit reads" test -e "$(sed -n 's/^EnvironmentFile=//p' $PACKAGING/systemd/docker.service.d/flannel.conf)"
}

@test "the rights that the unit and the manifest leave are enough for an agent" {
	need setpriv jq ping
	nodes 2 vxlan
	assert_eq "the unit's rights" "$(sed -n 's/^CapabilityBoundingSet=//p' $PACKAGING/systemd/cnibox-flanneld.service)" "CAP_BPF CAP_NET_ADMIN CAP_NET_RAW"
	for node in n1 n2; do
		nsenter --net=/run/netns/$node setpriv --no-new-privs --bounding-set=-all,+bpf,+net_admin,+net_raw --inh-caps=-all \
			"$CNIBOX" flanneld --store $STORE --iface eth0 --subnet-file /run/$node/subnet.env >>$STORE/$node.log 2>&1 3>&- &
	done
	ready n1 n2
	pod n1
	pod n2
	wait_for "traffic" 5 reach n1 n2
	assert_eq "no warning" "$(grep -h warning $STORE/n1.log $STORE/n2.log)" ""
}

# confined UNIT: CNIBOX with the capabilities that it may have there
confined() {
	local rights

	rights=$(sed -n 's/^CapabilityBoundingSet=//p' "$PACKAGING/systemd/$1.service" | sed 's/CAP_/+/g; s/ /,/g' | tr '[:upper:]' '[:lower:]')
	printf '#!/bin/sh\nexec setpriv --no-new-privs --bounding-set=-all,%s --inh-caps=-all "%s" "$@"\n' "$rights" "$CNIBOX" >/run/$1
	chmod +x /run/$1
	CNIBOX=/run/$1
}

@test "the rights of the other units are enough for what they run" {
	need setpriv dnsmasq jq
	need_root
	container ctr
	lan
	server_place srv 10.77.0.1
	dnsmasq_in srv 10.77.0.50 10.77.0.99
	plain=$CNIBOX
	confined cnibox-dhcp
	daemon
	cni_add "$(dhcp_conf)"
	assert_match "an address" "$(ip -n ctr -o -4 addr show eth0)" '10[.]77[.]0[.]'
	cni_del "$(dhcp_conf)"
	CNIBOX=$plain
	echo 1 >/proc/sys/net/ipv4/ip_forward
	policy_node
	given 'pods; deny db' >/run/objects.yaml
	for backend in $(backends); do
		assert "$backend: before" reaches web db 80
		confined cnibox-policy
		run_log "$CNIBOX" policy-iptables watch --once --node n1 --backend $backend --file /run/objects.yaml --socket /run/policy.sock
		CNIBOX=$plain
		assert "$backend: denied" blocked web db 80
		policy cleanup
	done
}

@test "the manifest: flannel's names, flags that there are, mounts that lead somewhere, rights for what is called" {
	need python3 jq
	python3 -c 'import yaml' || missing "python3-yaml"
	assert_eq "names" "$(manifest | jq -r '.[] | "\(.kind) \(.metadata.namespace // "-") \(.metadata.name)"')" "$(
		printf '%s\n' "Namespace - kube-flannel" "ServiceAccount kube-flannel flannel" "ClusterRole - flannel" \
			"ClusterRoleBinding - flannel" "ConfigMap kube-flannel kube-flannel-cfg" "DaemonSet kube-flannel kube-flannel-ds")"
	daemonset=$(of DaemonSet)
	assert_json "the selector, which cannot change" "$daemonset" '.spec.selector.matchLabels' '{"app":"flannel","k8s-app":"flannel"}'
	assert_json "and fits" "$daemonset" '.spec.template.metadata.labels as $labels |
		all(.spec.selector.matchLabels | to_entries[]; $labels[.key] == .value)'
	assert_json "volumes that are mounted are there, and none is idle" "$daemonset" '.spec.template.spec |
		([.initContainers[], .containers[] | .volumeMounts[].name] | unique) == ([.volumes[].name] | unique)'
	assert_json "the binding's names" "$(of ClusterRoleBinding)" '.roleRef.name == "flannel" and .subjects[0].name == "flannel"'
	mapfile -t args < <(jq -r '.spec.template.spec.containers[0].args[]' <<<"$daemonset")
	assert "the agent knows its flags" "$CNIBOX" flanneld "${args[@]}" --version
	port=$(jq '.spec.template.spec.containers[0].readinessProbe.httpGet.port' <<<"$daemonset")
	assert_match "the probes' port" "${args[*]}" "--healthz-port=$port"
	# What Kubernetes' side of the store calls, but for the pod, which is only asked for without NODE_NAME.
	calls=$(sed -n 's/.*\.action = { "\([a-z]*\)", "\([a-z\/]*\)" }.*/\1 \2/p' $CNIBOX_TOP/lib/remote/*.c | grep -v ' pods$' | sort -u)
	assert_match "they are found" "$calls" "watch nodes"
	while read -r verb resource; do
		assert_json "the role allows: $verb $resource" "$(of ClusterRole)" "any(.rules[]; (.verbs | index(\"$verb\")) and (.resources | index(\"$resource\")))"
	done <<<"$calls"
	assert_json "the node's name" "$daemonset" '.spec.template.spec.containers[0].env[] | select(.name == "NODE_NAME").valueFrom.fieldRef.fieldPath' spec.nodeName
}

@test "the manifest's files: the network's configuration is one, the CNI list is sound and appears with the subnet" {
	need python3 jq
	python3 -c 'import yaml' || missing "python3-yaml"
	nodes 1
	of ConfigMap | jq -r '.data["net-conf.json"]' >$STORE/config
	of ConfigMap | jq -r '.data["cni-conf.json"]' >/run/cni-conf.json
	mv $STORE/config $STORE/later
	rm -rf /etc/cni/net.d/*
	AGENT=flanneld agent n1 --cni-config /run/cni-conf.json
	wait_for "it waits for the network" 3 grep -q "no network configuration" $STORE/n1.log
	assert_eq "no CNI configuration before" "$(ls -A /etc/cni/net.d)" ""
	mv $STORE/later $STORE/config
	wait_for "it is there" 5 cmp /run/cni-conf.json /etc/cni/net.d/10-flannel.conflist
	assert "behind subnet.env" test -s /run/n1/subnet.env
	assert_match "the network" "$(</run/n1/subnet.env)" FLANNEL_NETWORK=10.244.0.0/16
	assert_match "it is sound" "$("$CNIBOX" cni list)" "cbr0 +0.3.1 +flannel, portmap"
	# The init container's command, in a folder that has plugins of others.
	mkdir /run/plugins
	printf '#!/bin/sh\n' >/run/plugins/bridge
	mapfile -t args < <(of DaemonSet | jq -r '.spec.template.spec.initContainers[0].args[]')
	run_log "$CNIBOX" install "${args[@]//\/opt\/cni\/bin//run/plugins}"
	assert_eq "bridge is what it was" "$(</run/plugins/bridge)" '#!/bin/sh'
	assert_eq "plugins" "$(cd /run/plugins && echo *)" "bridge flannel"
	assert_match "flannel is ours, and needs nothing outside" "$(CNI_COMMAND=VERSION /run/plugins/flannel)" supportedVersions
}

@test "the policies' manifest: flags that there are, a role for just what is listed and watched, a socket that plugins reach" {
	need python3 jq
	python3 -c 'import yaml' || missing "python3-yaml"
	MANIFEST=policy
	daemonset=$(of DaemonSet)
	assert_json "the selector fits" "$daemonset" '.spec.template.metadata.labels as $labels |
		all(.spec.selector.matchLabels | to_entries[]; $labels[.key] == .value)'
	assert_json "volumes that are mounted are there" "$daemonset" '.spec.template.spec |
		([.containers[].volumeMounts[].name] | unique) == ([.volumes[].name] | unique)'
	assert_json "the binding's names" "$(of ClusterRoleBinding)" '.roleRef.name == "cnibox-policy" and .subjects[0].name == "cnibox-policy"'
	mapfile -t words < <(jq -r '.spec.template.spec.containers[0] | .command[1:][], .args[]' <<<"$daemonset")
	assert "the agent knows its flags" "$CNIBOX" "${words[@]}" --help
	port=$(jq '.spec.template.spec.containers[0].readinessProbe.httpGet.port' <<<"$daemonset")
	assert_match "the probes' port" "${words[*]}" "--healthz-port=$port"
	assert_match "where plugins look for the socket" "$("$CNIBOX" help ptp)" "/run/cnibox/policy.sock"
	assert_json "is mounted" "$daemonset" 'any(.spec.template.spec.volumes[]; .hostPath.path == "/run/cnibox")'
	# What is asked for: the table of kinds.
	wanted=$(python3 -c 'import re, sys
for version, plural in re.findall(r"\"((?:[a-z.0-9]+/)?v1[a-z0-9]*)\",\s*\"([a-z]+)\"", open(sys.argv[1]).read()):
    group = version.rpartition("/")[0]
    for verb in ("list", "watch"):
        print(f"{group}/{plural} {verb}")' $CNIBOX_TOP/lib/policy/object_form.c | sort)
	assert_match "they are found" "$wanted" "policy.networking.k8s.io/clusternetworkpolicies watch"
	assert_eq "the role" "$(of ClusterRole | jq -r '.rules[] | .apiGroups[0] as $group | .verbs[] as $verb | .resources[] | "\($group)/\(.) \($verb)"' | sort)" "$wanted"
}

@test "the image: whole, the same each time, and its programs run in it" {
	need jq tar ldd
	[[ -z ${CNIBOX_SANITIZED:-} ]] || skip "a sanitized program is not for an image"
	build=$(dirname "$CNIBOX")
	[[ -e $build/cnibox-store ]] || missing "cnibox-store"
	for n in 1 2; do
		run_log $PACKAGING/container/image $BATS_TEST_TMPDIR/$n.tar $build
	done
	assert "the same" cmp $BATS_TEST_TMPDIR/1.tar $BATS_TEST_TMPDIR/2.tar
	mkdir $BATS_TEST_TMPDIR/oci $BATS_TEST_TMPDIR/root
	tar -C $BATS_TEST_TMPDIR/oci -xf $BATS_TEST_TMPDIR/1.tar
	cd $BATS_TEST_TMPDIR/oci/blobs/sha256
	for blob in *; do
		assert_eq "a blob's digest" "$(sha256sum <$blob | cut -d' ' -f1)" "$blob"
	done
	manifest=$(jq -r '.manifests[0].digest[7:]' ../../index.json)
	layer=$(jq -r '.layers[0].digest[7:]' $manifest)
	assert_eq "its layer" "$(jq -r '.rootfs.diff_ids[0]' "$(jq -r '.config.digest[7:]' $manifest)")" "sha256:$layer"
	tar -C $BATS_TEST_TMPDIR/root -xf $layer
	assert_match "the command of flannel's own manifest" "$(chroot $BATS_TEST_TMPDIR/root /opt/bin/flanneld --version 2>&1)" flanneld
	status=0
	said=$(chroot $BATS_TEST_TMPDIR/root /usr/local/bin/cnibox-store 2>&1) || status=$?
	assert_eq "the other program finds its libraries" "$status" 2
	assert_match "and speaks" "$said" cnibox-store
}

@test "the agent's pod keeps what it remembers of the network on its node, and the image is imported from where make puts it" {
	local folder

	folder=$(sed -n 's,^#define SNAPSHOTS "\(.*\)/"$,\1,p' "$CNIBOX_TOP/lib/agent/flags.c")
	assert_json "a folder of the node's" "$(of DaemonSet | jq -c .spec.template.spec)" ".containers[0].securityContext.readOnlyRootFilesystem
		and ([.containers[0].volumeMounts[] | select(.mountPath == \"$folder\") | .name] as [\$name]
			| .volumes[] | select(.name == \$name) | .hostPath == {path: \"$folder\", type: \"DirectoryOrCreate\"})"
	make -s -n -C "$CNIBOX_TOP" image >"$BATS_TEST_TMPDIR/image"
	assert_match "README" "$(<"$CNIBOX_TOP/README.md")" \
		"make image .*import $(grep -oE '[^ ]*/cnibox-image.tar' "$BATS_TEST_TMPDIR/image")"
}
