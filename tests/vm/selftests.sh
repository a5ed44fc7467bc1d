#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The series' own selftests (tools/testing/selftests/filesystems/fuse in the kernel
# tree), which tests/Makefile.inc builds into build/selftests, as one stream of TAP:
#
#     tests/vm/selftests.sh [short] [PATTERN...]
#
# PATTERN selects whole programs by name, as a shell does file names. The directory's
# other tests are not run: they are the kernel's, and some need libfuse 2.

set -u

bin=$FUSEPASS_TOP/build/selftests
programs=(passthrough_ino_test passthrough_op_test passthrough_tree_test policy_test)
total=0
failed=0

case ${1:-} in short|--short) shift ;; esac
patterns=("$@")

selected() {	# PROGRAM
	local p
	[ ${#patterns[@]} -gt 0 ] || return 0
	for p in "${patterns[@]}"; do
		# shellcheck disable=SC2053
		[[ $1 == $p ]] && return 0
	done
	return 1
}

# Numbers the tests of all programs in one row, with the program before the name. One
# that dies before its plan is fulfilled is a failed test itself.
run() {	# PROGRAM
	local count bad plan
	"$bin/$1" 2>&1 | awk -v n="$total" -v name="$1" '
		/^(not )?ok [0-9]+ / {
			sub(/ok [0-9]+ /, "ok " ++n " " name ".")
			done++
			bad += /^not ok/
		}
		/^TAP version/ { next }
		/^1\.\.[0-9]+$/ { plan = substr($0, 4); next }
		{ print; fflush() }
		END { print n + 0, bad + 0, plan && plan == done > "/tmp/selftests.count" }'
	read -r count bad plan </tmp/selftests.count
	total=$count
	[ "$bad" -eq 0 ] || failed=1
	if [ "$plan" -ne 1 ]; then
		total=$((total + 1))
		echo "not ok $total - $1 runs all of its tests"
		failed=1
	fi
}

for program in "${programs[@]}"; do
	! selected "$program" || run "$program"
done
echo "1..$total"
exit $failed
