# Memory that runs out: `load lib/scarce`.
#
#   link_scarce     for setup_file: the program again, with an allocator that fails as lib/scarce.c says: $SCARCE, beside its
#                   links as plugins
#   need_scarce     for setup: it is there; how many allocations the last call made is in the file $SCARCE_COUNT
# shellcheck shell=bash

# The program with every allocation of ours and of the libraries in it counted.
link_scarce() {
	local build=${CNIBOX%/*} name word
	local -a cc libs objects

	export SCARCE=$BATS_FILE_TMPDIR/scarce/cnibox
	mkdir "${SCARCE%/*}"
	[[ $(<"$build/flags") != *-fsanitize* ]] && type -t gcc >/dev/null || return 0
	mapfile -t objects < <(find "$build/lib" "$build/applets" -name '*.o' ! -path '*/remote/*')
	for word in main malloc calloc realloc; do
		libs+=("-Wl,--wrap=$word")
	done
	for name in nl-3 jansson md yaml; do
		libs+=("$(gcc "-print-file-name=lib$name.a")")
	done
	read -ra cc <"$build/flags"
	unset 'cc[-1]'
	"${cc[@]}" "$CNIBOX_TESTS/lib/scarce.c" "$build/main.o" "${objects[@]}" "${libs[@]}" -lpthread -o "$SCARCE" 2>&1 | grep -v warning || :
	[[ -x $SCARCE ]] || flunk "it cannot be linked"
	for name in /opt/cni/bin/*; do
		ln -f "$SCARCE" "${SCARCE%/*}/${name##*/}"
	done
}

need_scarce() {
	need gcc
	[[ $(<"${CNIBOX%/*}/flags") != *-fsanitize* ]] || missing "a plain build"
	export SCARCE_COUNT=$BATS_TEST_TMPDIR/count
}
