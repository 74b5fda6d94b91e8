# Completion of cnibox for bash: asks the binary, so a new applet needs nothing here.
# shellcheck shell=bash
_cnibox() {
	local line=${COMP_LINE:0:COMP_POINT} word words=() lead

	# bash breaks words at ":" and "=", too: what no blank is between belongs together
	for word in "${COMP_WORDS[@]:0:COMP_CWORD}" ""; do
		[[ $line && $line != [[:blank:]]* && ${#words[@]} -gt 0 ]] || words+=("")
		line=${line#"${line%%[![:blank:]]*}"}
		words[-1]+=${word:-$line}
		line=${line#"$word"}
	done
	lead=${words[-1]%"$2"}
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		@file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
		@dir)  compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
		@command)
			[[ $2 != */* ]] || { compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$2"); break; }
			while IFS= read -r word; do
				! type -P -- "$word" >/dev/null || COMPREPLY+=("$word")
			done < <(compgen -c -- "$2" | sort -u) ;;
		*)     line=${line%%$'\t'*}; COMPREPLY+=("${line#"$lead"}") ;;
		esac
	done < <("$1" complete "${words[@]:1}" 2>/dev/null)
}
complete -F _cnibox cnibox
