# Completion of cnibox for bash: asks the binary, so a new applet needs nothing here.
# shellcheck shell=bash
_cnibox() {
	local line word=$2

	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		@file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
		@dir)  compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
		*)     COMPREPLY+=("${line%%$'\t'*}") ;;
		esac
	done < <("$1" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _cnibox cnibox
