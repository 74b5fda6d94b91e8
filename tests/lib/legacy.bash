# Nodes whose iptables is the legacy variant: `load lib/legacy`.
# shellcheck shell=bash

# The legacy programs in place of the others, as update-alternatives does it.
use_legacy() {
	local name

	need iptables-legacy-save ip6tables-legacy-save
	mount -t tmpfs tmpfs /etc/alternatives
	for name in iptables ip6tables; do
		ln -s "/usr/sbin/$name-legacy" "/etc/alternatives/$name"
		ln -s "/usr/sbin/$name-legacy-save" "/etc/alternatives/$name-save"
		ln -s "/usr/sbin/$name-legacy-restore" "/etc/alternatives/$name-restore"
	done
	iptables-legacy -t nat -S >/dev/null 2>&1 || missing "legacy iptables in this kernel"
}
