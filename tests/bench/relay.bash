# The relay's rows of the benchmark: what tests/bench/relay measures, with the bars. Sourced by tests/bench/run.
# shellcheck shell=bash disable=SC2154,SC2086 # variables and functions of run; numbers

# bar NAME UNIT REFERENCE CNIBOX ">=" or "<=" FACTOR: held against that multiple of the reference
bar() {
	keep "$1" "$2" "$3" "$4" "$(ratio "$4" "$3")x" "$5 ${6}x" "$(verdict "b $5 $6 * a" "$3" "$4")"
}

# Two ways of ours: packets carried by the kernel, which is what there is by default, and by the process alone, where programs
# may not be loaded and towards peers that are not ours. The bars that name VXLAN are those of the first.
row_relay() {
	local -A at
	local measure way rate cpu _

	while read -r measure way rate cpu _; do
		at[$measure $way]=$rate at[$measure $way cpu]=$cpu
	done < <(BUILD=$build WAYS="plain vxlan onepacket ours ours-user ours-spin" "$here/relay" ${RELAY_ROUNDS:-3} 400)
	relay_rows ours "relay, in the kernel" bar
	relay_rows ours-user "relay, its process" no_bar
	no_bar "relay, its process with --busy-poll, round trip; kernel VXLAN" us "${at[trip vxlan]}" "${at[trip ours-spin]}"
	relay_bridges
}

# What pods behind bridges get: between a bridge and the tunnel segments can be cut apart.
relay_bridges() {
	local -A at

	while read -r measure way rate cpu _; do
		at[$measure $way]=$rate at[$measure $way cpu]=$cpu
	done < <(BUILD=$build PODS=bridge WAYS="vxlan ours" MEASURES="stream1 stream4" "$here/relay" ${RELAY_ROUNDS:-3} 400)
	for measure in stream1 stream4; do
		bar "relay, pods behind bridges: ${measure#stream} TCP flow(s); kernel VXLAN" Mbit/s "${at[$measure vxlan]}" "${at[$measure ours]}" ">=" 0.65
		bar "... CPU per gigabyte, kernel VXLAN" s "${at[$measure vxlan cpu]}" "${at[$measure ours cpu]}" "<=" 1.6
	done
}

no_bar() { keep "$1" "$2" "$3" "$4" "$(ratio "$4" "$3")x" "" ""; }

relay_rows() { # WAY NAME bar|no_bar: what VXLAN is for it
	for measure in stream1 stream4; do
		note "$2: ${measure#stream} TCP flow(s); the plain link" Mbit/s "${at[$measure plain]}" "${at[$measure $1]}"
		bar "... a relay of one packet per call" Mbit/s "${at[$measure onepacket]}" "${at[$measure $1]}" ">=" 7
		$3 "... kernel VXLAN" Mbit/s "${at[$measure vxlan]}" "${at[$measure $1]}" ">=" 0.65
		$3 "... CPU per gigabyte, kernel VXLAN" s "${at[$measure vxlan cpu]}" "${at[$measure $1 cpu]}" "<=" 1.6
	done
	bar "$2: small packets; one packet per call" 1/s "${at[flood onepacket]}" "${at[flood $1]}" ">=" 2
	note "... CPU for each" us "${at[flood onepacket cpu]}" "${at[flood $1 cpu]}"
	$3 "... kernel VXLAN" 1/s "${at[flood vxlan]}" "${at[flood $1]}" ">=" 1
	note "... CPU for each" us "${at[flood vxlan cpu]}" "${at[flood $1 cpu]}"
	bar "$2: TCP round trip; one packet per call" us "${at[trip onepacket]}" "${at[trip $1]}" "<=" 1
	$3 "... kernel VXLAN" us "${at[trip vxlan]}" "${at[trip $1]}" "<=" 1
}
