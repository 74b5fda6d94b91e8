#!/usr/bin/env bats
# The image: packaging/container/Dockerfile built by podman, with this machine's /usr as the Debian that it starts from and without a
# network, and run: once for the plugins, once as an agent. What is in it is what packaging/container/image puts into its own.

load lib/all
load lib/runtime
sandbox cgroup forward

setup() {
	need_root
	need_cgroups
	need podman runc conmon git jq
	[[ -e $CNIBOX_TOP/.git ]] || missing "a clone"
	podman_home
}

# An empty Debian: all of it is mounted from this machine.
base_image() {
	local name

	mkdir -p /run/base/{usr,etc,proc,sys,dev,tmp,var/lib/dpkg,run,root}
	for name in bin lib lib64 sbin; do
		[[ ! -L /$name ]] || ln -s usr/$name /run/base/$name
	done
	tar -C /run/base -c . | deadline podman import -q - localhost/debian:1
}

agent_is_ready() { grep -q ^FLANNEL_SUBNET=10.5. /run/flannel/subnet.env; }

@test "podman builds the image from the Dockerfile; it puts plugins into a folder, and becomes an agent" {
	[[ -L /lib && -d /usr/lib/gcc ]] || missing "a Debian with all in /usr"
	base_image
	mkdir /run/context
	git -C "$CNIBOX_TOP" archive HEAD | tar -C /run/context -x
	echo 9.8.7 >/run/context/VERSION
	run_log deadline 500 podman build -q --network none --build-arg FROM=localhost/debian:1 -v /usr:/usr:ro -v /etc:/etc:ro \
		-v /var/lib/dpkg:/var/lib/dpkg:ro -f /run/context/packaging/container/Dockerfile -t localhost/cnibox:1 /run/context 3>&-
	assert_match "the program" "$(deadline podman run --rm --network none localhost/cnibox:1 --version)" '^cnibox 9.8.7'
	config=$(deadline podman inspect localhost/cnibox:1 | jq -c '.[0].Config | [.Entrypoint, .Cmd]')
	assert_eq "without words" "$config" '[["/usr/local/bin/cnibox"],["install","--copy","flanneld"]]'
	deadline podman create --name tree localhost/cnibox:1 >/dev/null
	deadline podman export tree | tar -t | sed 's,/$,,' | LC_ALL=C sort >/run/built
	"$CNIBOX_TOP/packaging/container/image" --root /run/tree "$(dirname "$CNIBOX")"
	(cd /run/tree && find . -mindepth 1 -printf '%P\n') | LC_ALL=C sort >/run/made
	assert_eq "files, but for a runtime's own" "$(grep -vE '^(dev|etc|proc|run|sys)(/|$)' /run/built)" "$(grep -vE '^(dev|etc|proc|run|sys)(/|$)' /run/made)"
	assert "no shell" test -z "$(grep -E '(^|/)(ba)?sh$' /run/built)"

	ip link add eth0 type veth peer name far
	ip addr add 192.0.2.1/24 dev eth0
	ip link set eth0 up
	ip link set far up
	mkdir -p /run/plugins /run/flannel /run/store
	: >/run/xtables.lock
	echo '{ "Network": "10.5.0.0/16", "Backend": { "Type": "vxlan" } }' >/run/store/config
	run_log deadline podman run -d --name agent --network host --cap-drop all --cap-add NET_ADMIN,NET_RAW,BPF,DAC_OVERRIDE \
		-v /run/plugins:/opt/cni/bin -v /run/flannel:/run/flannel -v /run/store:/run/store -v /run/xtables.lock:/run/xtables.lock \
		localhost/cnibox:1 install --copy flanneld --store /run/store --iface eth0 --ip-masq 3>&-
	wait_for "the agent has a subnet" 20 agent_is_ready || { deadline podman logs agent; false; }
	assert_match "its device" "$(ip -d link show flannel.1)" 'vxlan id 1 local 192.0.2.1'
	assert_match "the plugins are there, and need nothing of the image" "$(CNI_COMMAND=VERSION /run/plugins/flannel)" supportedVersions
	assert_match "what they were is told" "$(deadline podman logs agent 2>&1)" 'flannel +absent +cnibox'
	run_log deadline podman rm -f -t 5 agent
	assert "the device stays" ip link show flannel.1
}
