#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Judge the kernel's log of a test guest:
#
#     tests/vm/dmesg-scan.sh LOG...          (of one run: its console, its dmesg)
#
# Fails when a line matches tests/vm/dmesg-splats and none of tests/vm/dmesg-allow, and also
# when it cannot judge: a log that is missing, that does not begin at boot or does not
# reach the end marker of init, a lockdep that switched itself off.

set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
splats=${DMESG_SPLATS:-$here/dmesg-splats}
allow=${DMESG_ALLOW:-$here/dmesg-allow}

fail() {
	printf 'dmesg scan: %s\n' "$*"
	exit 1
}

# Patterns: a file of extended regular expressions; '#' starts a comment line. In the
# file of allowed lines each one has its reason on the comment line just above it.
patterns() {	# FILE
	grep -vE '^(#|[[:space:]]*$)' "$1" || true
}

check_reasons() {
	awk '/^# ./ { reason = 1; next }
	     /^[[:space:]]*$/ { reason = 0; next }
	     { if (!reason) { print FILENAME ":" FNR ": allowed without a reason"; bad = 1 }
	       reason = 0 }
	     END { exit bad }' "$allow" || fail "allowed lines need a reason above them"
}

check_whole() {	# LOG
	[ -s "$1" ] || fail "$1 is missing or empty"
	grep -aq 'Linux version' "$1" || fail "$1 does not begin at the boot"
	grep -aq 'fusepass-vm: end' "$1" || fail "$1 does not reach the end of the run: the guest died"
}

# A time stamp and a carriage return differ between console and dmesg; without them
# the same line counts once.
lines() {
	cat "$@" | tr -d '\r' | sed -E 's/^(<[0-9]+>)?\[ *[0-9.]+\](\[ *[TC][0-9]+\])? ?//' |
		awk '!seen[$0]++'
}

[ $# -gt 0 ] || fail "no log given"
[ -n "$(patterns "$splats")" ] || fail "no patterns in $splats"
[ -r "$allow" ] || fail "cannot read $allow"
check_reasons
for log; do
	check_whole "$log"
done
bad=$(lines "$@" | grep -aE -f <(patterns "$splats") |
	grep -avE -f <(patterns "$allow"; echo '^$a') || true)
if [ -n "$bad" ]; then
	printf '%s\n' "$bad" | head -n 20 | sed 's/^/dmesg scan: /'
	exit 1
fi
