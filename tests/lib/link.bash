# Programs of the tests' own that are linked with the build under test, by its flags.
# shellcheck shell=bash

# link_with SOURCE OUTPUT [OBJECT ...]: with lib/ as cnibox has it, and more objects
link_with() {
	local source=$1 output=$2 build=${CNIBOX%/*} object
	local -a cc objects=("${@:3}")

	for object in "$build"/lib/*/*.o; do
		[[ $object == */lib/remote/* ]] || objects+=("$object")
	done
	read -ra cc <"$build/flags"
	unset 'cc[-1]'
	"${cc[@]}" -I"$CNIBOX_TOP/lib" "$CNIBOX_TESTS/lib/$source" "${objects[@]}" -lnl-3 -ljansson -lmd -lyaml -lpthread -o "$output"
}
