# Completion of cnibox for fish: asks the binary, so a new applet needs nothing here.
function __cnibox_complete
	set -l words (commandline -opc)
	for line in ($words[1] complete $words[2..-1] (commandline -ct) 2>/dev/null)
		switch $line
			case @file
				__fish_complete_path (commandline -ct)
			case @dir
				__fish_complete_directories (commandline -ct)
			case '*'
				echo $line
		end
	end
end
complete -c cnibox -f -a '(__cnibox_complete)'
