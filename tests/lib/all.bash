# Everything a bats file needs: `load lib/all`, then `sandbox`. See the four files for what they offer.
# shellcheck shell=bash
for CNIBOX_PART in sandbox assert netns cni; do
	# shellcheck source=/dev/null
	source "${BASH_SOURCE[0]%all.bash}$CNIBOX_PART.bash"
done
CNIBOX_TESTS=$CNIBOX_TOP/tests
export CNIBOX_TESTS
