# Completion of cnibox for fish: asks the binary, so a new applet needs nothing here.
function __cnibox_complete
	set -l words (commandline -opc)
	set -l word (commandline -ct)
	set -l lead (string match -r -- '^-[^=]*=' $word; or echo -n)
	set -l part (string replace -r -- '^-[^=]*=' '' $word)
	for line in ($words[1] complete $words[2..-1] "$word" 2>/dev/null)
		switch $line
			case @file
				for path in (__fish_complete_path "$part"); echo "$lead$path"; end
			case @dir
				for path in (__fish_complete_directories "$part"); echo "$lead$path"; end
			case @command
				for candidate in (complete -C "$part")
					set -l program (string split \t -- $candidate)[1]
					command -sq -- $program; or string match -q '*/*' -- $program; and echo $candidate
				end
			case '*'
				echo $line
		end
	end
end
complete -c cnibox -f -a '(__cnibox_complete)'
