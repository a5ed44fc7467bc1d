# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# TAP for tests in shell; C programs have tap.h. Sourced, never run.
#
#     claim NAME COMMAND...       passes when COMMAND succeeds; what it prints is shown if not
#     claim_not NAME COMMAND...   passes when it fails
#     is NAME GOT WANTED          passes when the two texts are equal
#     tap STATUS NAME [COMMENT]   passes when STATUS is 0
#     skip NAME REASON
#     listed_skip NAME            prints the reason, if there is one
#     skip_all REASON             ends the script: none of its tests can run
#     adopt PREFIX NAME COMMAND...  runs a program that prints TAP, its tests as ours
#     done_testing                the plan; ends the script

tap_n=0
tap_failed=0

comment() {
	sed 's/^/# /'
}

tap() {	# STATUS NAME [COMMENT]
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_n - $2${3:+ # $3}"
	else
		echo "not ok $tap_n - $2${3:+ # $3}"
		tap_failed=1
	fi
}

skip() {	# NAME REASON
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

# Why a test cannot work on this kernel, by the list that suite.sh names; fails if it can.
listed_skip() {	# NAME
	[ -n "${FUSEPASS_SKIPS:-}" ] || return 1
	awk -v name="$1" '$1 == name { sub(/^[^ \t]*[ \t]+/, ""); print; found = 1 }
		END { exit !found }' "$FUSEPASS_SKIPS"
}

skip_all() {	# REASON
	echo "1..0 # SKIP $1"
	exit 0
}

claim() {	# NAME COMMAND...
	local name=$1 out status=0
	shift
	out=$(mktemp)
	"$@" >"$out" 2>&1 || status=1
	[ "$status" -eq 0 ] || { echo "$*"; head -n 20 "$out"; } | comment
	rm -f "$out"
	tap $status "$name"
}

claim_not() {	# NAME COMMAND...
	local name=$1
	shift
	claim "$name" tap_fails "$@"
}

tap_fails() {
	! "$@"
}

is() {	# NAME GOT WANTED
	local status=0
	[ "$2" = "$3" ] || status=1
	[ "$status" -eq 0 ] || printf '%s\n' "got:    $2" "wanted: $3" | comment
	tap $status "$1"
}

# Numbers the tests in this script's row, with PREFIX before their names. A program that does
# not fulfil its plan, or fails without a failed test, is a failed test NAME itself.
adopt() {	# PREFIX NAME COMMAND...
	local prefix=$1 name=$2 counts status count bad whole
	shift 2
	counts=$(mktemp)
	"$@" 2>&1 | awk -v n="$tap_n" -v prefix="$prefix" -v counts="$counts" '
		/^(not )?ok [0-9]+/ {
			match($0, /ok [0-9]+( - | |$)/)
			rest = substr($0, RSTART + RLENGTH)
			dash = substr($0, RSTART, RLENGTH) ~ / - $/ ? " - " : " "
			$0 = (/^not/ ? "not " : "") "ok " ++n dash prefix rest
			done++
			bad += /^not/
		}
		/^TAP version/ { next }
		/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; planned = 1; next }
		{ print; fflush() }
		END { print n + 0, bad + 0, planned && plan == done + 0 > counts }'
	status=${PIPESTATUS[0]}
	read -r count bad whole <"$counts"
	rm -f "$counts"
	tap_n=$count
	[ "$bad" -eq 0 ] || tap_failed=1
	[ "$whole" -eq 1 ] && { [ "$status" -eq 0 ] || [ "$bad" -gt 0 ]; } ||
		tap 1 "$name" "status $status"
}

done_testing() {
	echo "1..$tap_n"
	exit $tap_failed
}
