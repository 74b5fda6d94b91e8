# A containerd of the test's own, with its state under /run.
#
#   containerd_start [cri]     start it (with the plugin that a kubelet talks to) and wait until it answers
#   containerd_image           import the image localhost/box:1, busybox, which does nothing until it is stopped
#   containerd_stop            end it by its process id, and its shims
#   ctr ... | cri ...          talk to it
# shellcheck shell=bash

CONTAINERD=/run/containerd-test

ctr() {
	deadline ctr -a "$CONTAINERD/sock" "$@"
}

cri() {
	PYTHONPATH=$CONTAINERD deadline /usr/bin/python3 "$CNIBOX_TESTS/lib/cri.py" "$CONTAINERD/sock" "$@"
}

containerd_start() {
	local disabled='"io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
		"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.opt"'

	[[ ${1:-} == cri ]] || disabled+=', "io.containerd.grpc.v1.cri"'
	mkdir -p "$CONTAINERD"
	mount -t tmpfs tmpfs "$CONTAINERD"
	cat >"$CONTAINERD/config.toml" <<-END
		version = 2
		root = "$CONTAINERD/root"
		state = "$CONTAINERD/state"
		disabled_plugins = [$disabled]
		[debug]
		level = "warn"
		[grpc]
		address = "$CONTAINERD/sock"
		[plugins."io.containerd.grpc.v1.cri"]
		sandbox_image = "localhost/box:1"
		disable_apparmor = true
		restrict_oom_score_adj = true
		[plugins."io.containerd.grpc.v1.cri".containerd]
		snapshotter = "native"
		[plugins."io.containerd.grpc.v1.cri".cni]
		bin_dir = "$PLUGINS"
		conf_dir = "/etc/cni/net.d"
	END
	[[ ${1:-} != cri ]] || /usr/bin/python3 -m grpc_tools.protoc -I"$CNIBOX_TESTS/lib" --python_out="$CONTAINERD" \
		--grpc_python_out="$CONTAINERD" cri.proto || return
	containerd --config "$CONTAINERD/config.toml" >"$CONTAINERD/log" 2>&1 3>&- &
	CONTAINERD_PID=$!
	wait_for "containerd answers" 20 ctr version || { containerd_log; return 1; }
}

containerd_log() {
	[[ ! -e $CONTAINERD/log ]] || grep -v level=info "$CONTAINERD/log" | tail -n 20 | cut -c1-400
}

containerd_stop() {
	[[ -n ${CONTAINERD_PID:-} ]] || return 0
	kill "$CONTAINERD_PID" 2>/dev/null || :
	wait "$CONTAINERD_PID" 2>/dev/null || :
}

# A docker archive made by hand: one layer, a configuration, a manifest.
containerd_image() {
	local dir=$CONTAINERD/image

	mkdir -p "$dir"
	rootfs "$CONTAINERD/rootfs"
	tar -C "$CONTAINERD/rootfs" -cf "$dir/layer.tar" .
	jq -n --arg id "sha256:$(sha256sum "$dir/layer.tar" | cut -d' ' -f1)" --arg arch "$(containerd_arch)" '{architecture: $arch,
		os: "linux", config: {Cmd: ["/bin/tail", "-f", "/dev/null"]}, rootfs: {type: "layers", diff_ids: [$id]}}' \
		>"$dir/config.json"
	echo '[{"Config": "config.json", "RepoTags": ["localhost/box:1"], "Layers": ["layer.tar"]}]' >"$dir/manifest.json"
	tar -C "$dir" -cf "$dir.tar" layer.tar config.json manifest.json
	ctr -n k8s.io image import --snapshotter native "$dir.tar"
}

containerd_arch() {
	case $(uname -m) in
	x86_64)  echo amd64 ;;
	aarch64) echo arm64 ;;
	*)       uname -m ;;
	esac
}
