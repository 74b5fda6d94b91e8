#!/usr/bin/env bats
# cnibox graph: what is in which namespace, and what is joined to what.

load lib/all
sandbox

setup() {
	ip link add br0 address 02:00:00:00:00:01 type bridge
	ip link set br0 up
	ip addr add 10.1.0.1/24 dev br0
	for name in blue red; do
		ip netns add "$name"
		ip link add "v$name" master br0 type veth peer name eth0 netns "$name"
		ip link set "v$name" up
		ip -n "$name" addr add "10.1.0.$((++n + 1))/24" dev eth0
		ip -n "$name" link set eth0 up
	done
}

@test "a tree has every namespace, ports under their bridge, and the other end of each veth" {
	assert_eq "the tree" "$("$CNIBOX" graph)" 'blue
  eth0 (veth)  10.1.0.2/24  <-> (here)/vblue
red
  eth0 (veth)  10.1.0.3/24  <-> (here)/vred
(here)
  br0 (bridge)  10.1.0.1/24
    vblue (veth)  <-> blue/eth0
    vred (veth)  <-> red/eth0'
}

@test "pairs between two other namespaces, and within one, are found" {
	ip -n blue link add two type veth peer name three netns red
	ip link add same type veth peer name other
	tree=$("$CNIBOX" graph)
	assert_match "between two" "$tree" $'\n  two [(]veth[)]  down  <-> red/three\n'
	assert_match "back" "$tree" $'\n  three [(]veth[)]  down  <-> blue/two\n'
	assert_match "within one" "$tree" $'\n  same [(]veth[)]  down  <-> [(]here[)]/other'
}

@test "a tunnel names the nodes behind it" {
	ip link add vx0 type vxlan id 5 dstport 8472 dev br0
	ip link set vx0 up
	bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.8
	bridge fdb append 02:00:00:00:00:09 dev vx0 dst 192.0.2.9
	assert_eq "in the record" "$("$CNIBOX" graph --json | jq -c '.[] | select(.name == "(here)").interfaces[]
		| select(.name == "vx0") | [.kind, .above, (.tunnels | sort)]')" '["vxlan","(here)/br0",["192.0.2.8","192.0.2.9"]]'
}

@test "JSON has the whole record" {
	assert_eq "a container's end" "$("$CNIBOX" graph --json | jq -cS '.[0].interfaces[0]')" \
		'{"addresses":["10.1.0.2/24"],"id":"blue/eth0","kind":"veth","mtu":1500,"name":"eth0","peer":"(here)/vblue","up":true}'
	assert_eq "ports" "$("$CNIBOX" graph --json | jq -r '.[].interfaces[] | select(.bridge).id' | sort)" $'(here)/vblue\n(here)/vred'
}

@test "the form for Graphviz has boxes and lines, whatever a name holds" {
	ip link add 'a"b\c' type veth peer name x
	"$CNIBOX" graph --dot >"$BATS_TEST_TMPDIR/node.dot"
	assert_eq "lines" "$(grep -F -- ' -- ' "$BATS_TEST_TMPDIR/node.dot" | tr -d '\t')" '"(here)/br0" -- "(here)/vblue" [style=bold]
"(here)/vblue" -- "blue/eth0" [label=veth]
"(here)/br0" -- "(here)/vred" [style=bold]
"(here)/vred" -- "red/eth0" [label=veth]
"(here)/a\"b\\c" -- "(here)/x" [label=veth]'
	assert_eq "a box for each interface" "$(grep -c '^		".* \[label=' "$BATS_TEST_TMPDIR/node.dot")" 7
	assert_eq "all braces are closed" "$(tr -cd '{' <"$BATS_TEST_TMPDIR/node.dot" | wc -c)" "$(tr -cd '}' <"$BATS_TEST_TMPDIR/node.dot" | wc -c)"
	ip netns add bare
	"$CNIBOX" graph --dot >"$BATS_TEST_TMPDIR/bare.dot"
	need dot
	assert_eq "a namespace with nothing in it is drawn" "$(dot -Tsvg "$BATS_TEST_TMPDIR/bare.dot" | grep -c '>bare<')" 1
	assert "Graphviz reads it" dot -Tplain -o /dev/null "$BATS_TEST_TMPDIR/node.dot"
}

@test "what a link in a namespace is made on is found in another one" {
	ip link add lan0 type veth peer name lan1
	ip link add mac0 link lan0 type macvlan
	ip link set mac0 netns red
	assert_match "on the host" "$("$CNIBOX" graph)" $'\n  mac0 [(]macvlan[)]  down  above [(]here[)]/lan0\n'
	ip -n red link add mac1 link mac0 type macvlan
	ip -n red link set mac1 netns blue
	assert_match "in a third" "$("$CNIBOX" graph)" $'\n  mac1 [(]macvlan[)]  down  above [(]here[)]/lan0\n'
}

@test "a namespace that may not be looked into does not look empty" {
	need setpriv
	need_root
	user() { setpriv --reuid 65534 --regid 65534 --clear-groups "$CNIBOX" "$@"; }
	assert_eq "the tree" "$(user graph | grep -v '^ ')" $'blue  ?\nred  ?\n(here)'
	assert_match "the list of namespaces" "$(user netns list)" $'\nblue .* [?] +[?]\n'
	assert_json "JSON" "$(user graph --json)" '[.[] | .unseen]' '[true, true, null]'
}

@test "a name steers no terminal" {
	ip link add $'a\e[31mb' type bridge
	assert_match "in the tree" "$("$CNIBOX" graph)" $'\n  a[?]\\[31mb [(]bridge[)]'
	refute "nor for Graphviz" grep -q $'\e' <("$CNIBOX" graph --dot)
	assert_json "as it is" "$("$CNIBOX" graph --json)" 'any(.[].interfaces[]; .name == "a\u001b[31mb")' true
}
