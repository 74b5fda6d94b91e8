# The applets of the binary, their verbs and options, as help tells of them; a new one is covered the moment it exists.
#
#   find_applets              first: `applets`, an array of "kind name"
#   each_applet FUNCTION      call it with kind and name of each
#   each_call FUNCTION        with the words that lead to every verb, or to the applet without verbs; those of plugins, too
#   has_verbs NAME, verbs NAME
#   options_of WORD ...       --x, --no-x where help shows --[no-]x
#   options_in_page NAME      the same in its manual page
# shellcheck shell=bash

find_applets() {
	mapfile -t applets < <("$CNIBOX" list --plain)
	[[ ${#applets[@]} -gt 2 ]] || flunk "cnibox list --plain names applets"
}

each_applet() {
	local kind name

	for kind in "${applets[@]}"; do
		name=${kind#* }
		"$1" "${kind% *}" "$name" || flunk "applet: $name" || return
	done
}

each_call() {
	local kind name verb

	for kind in "${applets[@]}"; do
		name=${kind#* }
		if has_verbs "$name"; then
			while read -r verb; do
				"$1" "$name" "$verb" || flunk "verb: $name $verb" || return
			done < <(verbs "$name")
		elif [[ ${kind% *} != cni ]]; then
			"$1" "$name" || flunk "applet: $name" || return
		fi
	done
}

has_verbs() { "$CNIBOX" help "$1" | grep -q '^verbs:$'; }
verbs()     { "$CNIBOX" complete "$1" "" | cut -f1; }

options_of() {
	"$CNIBOX" help "$@" | sed -n '/^options:/,/^$/p' | grep -v deprecated: |
		grep -oP '^  (-., |    )--\K[^ ]+' | sed 's/\[no-\]/no-/; s/^/--/'
}

options_in_page() {
	"$CNIBOX" help --man "$1" | sed 's/\\-/-/g; s/\[no-\]/no-/g; s/\\f.//g' | grep -oE -- '--[a-z0-9-]+' | sort -u
}
