# A node that doctor looks at: `load lib/doctor`.
#
#   mynet                   the network list that all pods are in
#   is_well [OPTION]        doctor finds nothing
#   finds CHECK PATTERN     just one thing, in these words; $remedy is what is said against it, $look what tells more, $safe
#                           whether --fix knows it
#   fixes                   --fix mends what was found, and pods blue and red are as they should be
#   orphan PLUGIN ...       an attachment of pod green to network `other` by plugins (JSON) and this runtime, whose namespace
#                           ends without DEL, and which runtime and host-local forget: only what else is left tells of it
# shellcheck shell=bash
# shellcheck disable=SC2034 # of the tests

cnibox() { "$CNIBOX" "$@"; }
doctor() { "$CNIBOX" doctor "$@"; }

is_well() {
	status=0
	said=$(doctor "$@") || status=$?
	assert_eq "doctor $*" "$status $said" "0 nothing is wrong"
}

# Just one thing is found; $remedy is what is said against it.
finds() { # CHECK PATTERN
	status=0
	said=$(doctor --json) || status=$?
	assert_eq "the status" "$status" 1
	[[ $(jq '.problems | length' <<<"$said") == 1 ]] || flunk "NOT: one thing: $(jq -c '.problems[].text' <<<"$said")"
	assert_json "of the check" "$said" '.problems[0].check' "$1"
	assert_match "in words" "$(jq -r '.problems[0] | .text, .why' <<<"$said" | paste -sd' ')" "$2"
	assert_json "nothing was done" "$said" '.problems[0].state' found
	remedy=$(jq -r '.problems[0].remedy // ""' <<<"$said")
	look=$(jq -r '.problems[0].look // ""' <<<"$said")
	safe=$(jq -r '.problems[0].safe' <<<"$said")
}

fixes() {
	assert_eq "it is safe" "$safe" true
	status=0
	said=$(doctor --fix) || status=$?
	assert_match "--fix" "$status $said" '^0 ok .*: mended.*all of it is mended'
	is_well
	still_checked
}

still_checked() {
	local name

	for name in blue red; do
		[[ ! -e /run/netns/$name ]] || "$CNIBOX" cni check mynet "$name"
	done
}

PORTS='{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}'

orphan() {
	jq -n -c --arg name "${OTHER:-other}" '{cniVersion: "1.0.0", $name, plugins: $ARGS.positional}' --jsonargs "$@" >/etc/cni/net.d/20-other.conflist
	container green
	run_log "$CNIBOX" cni add "${OTHER:-other}" green --capability-args "$PORTS" ${ID:+--container-id "$ID"}
	forget green
}

# The kernel ends a namespace a moment after its last user.
forget() { # POD
	local index

	index=$(ip -n "$1" -j link show type veth | jq '.[0].link_index // empty')
	rm -f /var/lib/cni/results/"${OTHER:-other}"-* /var/lib/cni/networks/"${OTHER:-other}"/10.*
	ip netns del "$1"
	[[ -z $index || -n ${HELD:-} ]] || wait_for "its link is gone" 5 eval "! ip -o link | grep -q '^$index:'"
	rm /etc/cni/net.d/20-other.conflist
}
