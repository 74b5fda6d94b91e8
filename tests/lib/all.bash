# Everything a bats file needs: `load lib/all`, then `sandbox`. See the four files for what they offer.
# shellcheck shell=bash
CNIBOX_TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for CNIBOX_PART in sandbox assert netns cni; do
	# shellcheck source=/dev/null
	source "$CNIBOX_TESTS/lib/$CNIBOX_PART.bash"
done
export CNIBOX_TESTS
