# `policy-iptables watch` on the node of enforce.bash: `load lib/enforce`, `load lib/watch`.
#
#   watch [OPTION ...]      start it on node n1, by $backend, with objects of /run/objects unless $SOURCE says otherwise; wait until it
#                           is ready; its log is /run/watch.log
#   watch_start             the same without waiting
#   watch_end [SIGNAL]      end it
#   put NAME 'COMMANDS'     /run/objects/NAME.yaml is what they print, at once; take NAME
#   metric NAME             a figure of it; metric_is NAME VALUE (for wait_for)
#   readiness               what its probe says
#   in_force                what is in the kernel, without what moves by itself or counts
#   said TEXT               its log has it
# shellcheck shell=bash

OBJECTS=/run/objects WATCH_LOG=/run/watch.log PORT=10257

watch_start() {
	mkdir -p $OBJECTS
	# shellcheck disable=SC2086 # words
	"$CNIBOX" policy-iptables watch --node n1 --backend "$backend" ${SOURCE---file $OBJECTS} --healthz-port $PORT \
		--socket /run/policy.sock "$@" >>$WATCH_LOG 2>&1 3>&- &
	watch_pid=$!
}
watch() {
	: >$WATCH_LOG
	watch_start "$@"
	wait_for "$backend: it is ready" 10 watch_ready || { cat $WATCH_LOG; return 1; }
}
watch_end() {
	kill "-${1:-TERM}" "$watch_pid"
	wait "$watch_pid" 2>/dev/null || :
}
watch_stop() { # in teardown
	[[ -z ${watch_pid:-} ]] || { kill -KILL "$watch_pid" && wait "$watch_pid"; } 2>/dev/null || :
	watch_pid=
}

put() {
	mkdir -p $OBJECTS
	eval "$2" >$OBJECTS/.new
	mv $OBJECTS/.new "$OBJECTS/$1.yaml"
}
take() { rm "$OBJECTS/$1.yaml"; }

probe() { python3 -c 'import sys, urllib.request, urllib.error
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
except urllib.error.HTTPError as error:
    print(error.read().decode())
except OSError:
    print("nobody")' "http://127.0.0.1:$PORT/$1"; }
readiness() { probe readyz; }
watch_ready()     { [[ $(readiness) == "policy-iptables is ready" ]]; }
metric()    { probe metrics | sed -n "s/^cnibox_policy_$1 //p"; }
metric_is() { [[ $(metric "$1") == "$2" ]]; }
said()      { grep -qF -- "$1" $WATCH_LOG; }
is()        { [[ $("${@:2}") == "$1" ]]; }
in_force()  { rules | sed -E 's/ # handle [0-9]+//; s/packets [0-9]+ bytes [0-9]+//; /^(Size in memory|References|Header):/d' | sort; }
