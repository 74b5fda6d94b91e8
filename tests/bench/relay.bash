# The relay's rows of the benchmark: what tests/bench/relay measures, with the bars. Sourced by tests/bench/run.
# shellcheck shell=bash disable=SC2154,SC2086 # variables and functions of run; numbers

# bar NAME UNIT REFERENCE CNIBOX ">=" or "<=" FACTOR: held against that multiple of the reference
bar() {
	keep "$1" "$2" "$3" "$4" "$(ratio "$4" "$3")x" "$5 ${6}x" "$(verdict "b $5 $6 * a" "$3" "$4")"
}

row_relay() {
	local -A at
	local measure way rate cpu _

	while read -r measure way rate cpu _; do
		at[$measure $way]=$rate at[$measure $way cpu]=$cpu
	done < <(BUILD=$build WAYS="plain vxlan onepacket ours ours-spin" "$here/relay" ${RELAY_ROUNDS:-3} 400)
	for measure in stream1 stream4; do
		note "relay, ${measure#stream} TCP flow(s); the plain link" Mbit/s "${at[$measure plain]}" "${at[$measure ours]}"
		bar "... a relay of one packet per call" Mbit/s "${at[$measure onepacket]}" "${at[$measure ours]}" ">=" 7
		bar "... kernel VXLAN" Mbit/s "${at[$measure vxlan]}" "${at[$measure ours]}" ">=" 0.65
		bar "... CPU per gigabyte, kernel VXLAN" s "${at[$measure vxlan cpu]}" "${at[$measure ours cpu]}" "<=" 1.6
	done
	bar "relay, small packets; one packet per call" 1/s "${at[flood onepacket]}" "${at[flood ours]}" ">=" 2
	bar "... kernel VXLAN" 1/s "${at[flood vxlan]}" "${at[flood ours]}" ">=" 1
	bar "relay, TCP round trip; one packet per call" us "${at[trip onepacket]}" "${at[trip ours]}" "<=" 1
	bar "... with --busy-poll, kernel VXLAN" us "${at[trip vxlan]}" "${at[trip ours-spin]}" "<=" 1
}
