# The schemas of --json (schema/1, installed to share/cnibox/schema/1).
#
#   keep NAME COMMAND ...     its output for kept_is_described; any exit status
#   described NAME            standard input is as the schema NAME says, and nothing more; says which members it has
#   kept_is_described         all that was kept is; their members are in /run/members
# shellcheck shell=bash
SCHEMAS=$CNIBOX_TOP/schema/$("$CNIBOX" --version | sed -n 's/^JSON output //p')

keep() {
	mkdir -p /run/kept
	[[ $(type -t "$2") == function ]] || set -- "$1" deadline "${@:2}"
	"${@:2}" >>"/run/kept/$1" || :
	[[ -s /run/kept/$1 ]] || flunk "NOT: ${*:2} prints JSON"
}

described() { python3 "$CNIBOX_TESTS/lib/schema.py" "$SCHEMAS" "$1"; }

kept_is_described() { python3 "$CNIBOX_TESTS/lib/schema.py" "$SCHEMAS" --kept /run/kept >/run/members; }
