# SPDX-License-Identifier: GPL-2.0-or-later
#
# TAP for the host tests: source it, call ok/is/skip, end with done_testing.

TOP=${FUSEPASS_TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
FUSEPASS=$TOP/build/bin/fusepass
tap_n=0
tap_bad=0

# ok NAME COMMAND...: passes if the command succeeds.
ok() {
	local name=$1 out
	shift
	tap_n=$((tap_n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $tap_n - $name"
	else
		echo "not ok $tap_n - $name"
		echo "# $*"
		[ -z "$out" ] || sed 's/^/# /' <<<"$out"
		tap_bad=1
	fi
}

# is NAME GOT WANTED
is() {
	tap_n=$((tap_n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $tap_n - $1"
	else
		echo "not ok $tap_n - $1"
		echo "# got:    $2" | sed '2,$s/^/# /'
		echo "# wanted: $3" | sed '2,$s/^/# /'
		tap_bad=1
	fi
}

skip() {	# NAME REASON
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

done_testing() {
	echo "1..$tap_n"
	exit $tap_bad
}
