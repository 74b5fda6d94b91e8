#compdef cnibox
# Completion of cnibox for zsh: asks the binary, so a new applet needs nothing here. Install as _cnibox in $fpath.
local line
local -a candidates

for line in "${(@f)$("${(Q)words[1]}" complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
	case $line in
	@file) compset -P '-*='; _files ;;
	@dir)  compset -P '-*='; _files -/ ;;
	@command) _command_names -e ;;
	*$'\t'*) candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
	?*)    candidates+=("${line//:/\\:}") ;;
	esac
done
(( $#candidates )) && _describe cnibox candidates
