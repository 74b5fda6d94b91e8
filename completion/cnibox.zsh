#compdef cnibox
# Completion of cnibox for zsh: asks the binary, so a new applet needs nothing here. Install as _cnibox in $fpath.
local line
local -a candidates

for line in "${(@f)$("${words[1]}" complete "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
	case $line in
	@file) _files ;;
	@dir)  _files -/ ;;
	?*)    candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
	esac
done
(( $#candidates )) && _describe cnibox candidates
