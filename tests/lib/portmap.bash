# portmap: configurations, mappings, what is there. `load lib/portmap`.
# shellcheck shell=bash

CHAIN=CNI-DN-3cbe386fe84733aef8ea9            # network tnet, container ctr1

portmap_setup() {
	need_root
	need nft iptables-save ip6tables-save
	container ctr1
	ln -s ctr1 /run/netns/ctr2
	ln -s ctr1 /run/netns/ctr9
}

# portmap BACKEND NUMBER [JQ]: the configuration of portmap for container NUMBER, of 10.77.0.NUMBER and fd77::NUMBER.
# BACKEND: iptables, nftables, "" = unset.
portmap() {
	jq -c -n --arg backend "$1" --arg n "$2" '{cniVersion: "1.0.0", name: "tnet", type: "portmap",
		capabilities: {portMappings: true},
		prevResult: {cniVersion: "1.0.0", interfaces: [{name: "br0"}, {name: "eth0", sandbox: "/run/netns/ctr\($n)"}],
			     ips: [{address: "10.77.0.1/24", interface: 0}, {address: "10.77.0.\($n)/24", interface: 1},
				   {address: "fd77::\($n)/64", interface: 1}]}}
		+ (if $backend == "" then {} else {$backend} end) | '"${3:-.}"
}

# RUNTIME for mappings like 8080:80/tcp@192.0.2.1.
ports() {
	jq -c -n '{portMappings: [$ARGS.positional[] | capture("(?<h>\\d+):(?<c>\\d+)(/(?<p>\\w+))?(@(?<i>.*))?")
		| {hostPort: (.h | tonumber), containerPort: (.c | tonumber), protocol: (.p // "tcp")}
		  + (if .i then {hostIP: .i} else {} end)]}' --args "$@"
}

# All of iptables that is not a built-in chain, both families.
xt_rules() {
	iptables-save -t nat 2>/dev/null | grep -E '^-A|^:(CNI|KUBE)' | sed '/^:/s/ \[.*//'
	ip6tables-save -t nat 2>/dev/null | grep -E '^-A|^:(CNI|KUBE)' | sed '/^:/s/ \[.*//'
}

# Of it what belongs to containers.
own_rules() {
	xt_rules | grep CNI-DN || :
}

# All that the programs and nft say about both families.
listings() {
	local program

	for program in iptables ip6tables; do
		"$program"-save -t nat | grep -v '^#'
		"$program" -t nat -S
		"$program" -t nat -L -n -v -x --line-numbers
	done 2>&1 | sed -E 's/^( *[0-9]+) +[0-9]+ +[0-9]+/\1 0 0/; s/\[[0-9]+:[0-9]+\]/[0:0]/; s/[0-9]+ packets, [0-9]+ bytes/0 packets, 0 bytes/'
	nft -a list ruleset 2>/dev/null | sed 's/ # handle.*//; s/packets [0-9]* bytes [0-9]*/packets 0 bytes 0/'
	nft --debug=netlink list ruleset 2>/dev/null | sed -E 's/^(ip6? nat [^ ]+) .*/\1/'
}

# elements FAMILY MAP: one to a line, without whose they are.
elements() {
	nft list map "$1" cni_hostport "$2" 2>/dev/null | tr -d '\n\t' | sed -nE 's/.*elements = \{ ([^}]*) \}.*/\1/p' |
		sed -E 's/ comment "[^"]*"//g; s/, */\n/g' | sort
}

# What belongs to containers, in either form.
remains() {
	own_rules
	nft list ruleset | grep elements || :
}

without_elements() {
	tr -d '\n' | sed -E 's/elements = \{[^}]*\}//g; s/[\t ]+/ /g'
}

# The host ports that are mapped, in either form.
mapped() {
	{
		elements ip ports_any | sed -nE 's/^[a-z]+ \. ([0-9]+) .*/\1/p'
		elements ip ports_address | sed -nE 's/^[0-9.]+ \. [a-z]+ \. ([0-9]+) .*/\1/p'
		iptables-save -t nat 2>/dev/null | sed -nE 's/.*CNI-DN.* --dport ([0-9]+) .*-j DNAT.*/\1/p'
	} | sort -nu | xargs
}

# programs CONF @CONTAINER: which programs of iptables or nft an ADD runs.
programs() {
	traced cni_add "$@" >/dev/null || return
	grep -v ' = -1' "$BATS_TEST_TMPDIR/trace" | sed -nE 's,.* execve\("([^"]*/)?([^"/]*)".*,\2,p' | grep -E 'tables|nft' || :
}

traced() { # COMMAND ...
	local CNI_WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e "trace=execve" -e signal=none -o "$BATS_TEST_TMPDIR/trace")

	"$@"
}

# One of many processes at once: container NUMBER.
at_once() { # COMMAND BACKEND NUMBER [MAPPING ...]
	local out=$BATS_TEST_TMPDIR/out.$3

	portmap "$2" "$3" | jq -c --argjson runtime "$(ports "${@:4}")" '.runtimeConfig = $runtime' |
		env CNI_COMMAND="$1" CNI_CONTAINERID="ctr$3" CNI_NETNS=/run/netns/ctr1 CNI_IFNAME=eth0 CNI_PATH="$PLUGINS" \
		/opt/cni/bin/portmap >"$out" || cat "$out" >>"$BATS_TEST_TMPDIR/refused"
}

# The nftables form as the newest reference has it, of which no package has a binary: one container's rules.
reference_nft() { # ID ADDRESS PORT
	nft -f - <<-NFT
		table ip cni_hostport {
		  comment "CNI portmap plugin"
		  chain hostports {
		    tcp dport $3 dnat to $2:80 comment "$1"
		  }
		  chain hostip_hostports { }
		  chain hostports_all {
		    jump hostip_hostports
		    jump hostports
		  }
		  chain prerouting {
		    type nat hook prerouting priority -100;
		    fib daddr type local jump hostports_all
		  }
		  chain output {
		    type nat hook output priority -100;
		    fib daddr type local jump hostports_all
		  }
		  chain masquerading {
		    type nat hook postrouting priority 100;
		    ip saddr $2 ip daddr $2 masquerade comment "$1"
		    ip saddr 127.0.0.1 ip daddr $2 masquerade comment "$1"
		  }
		}
	NFT
}
