#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The series' own selftests (tools/testing/selftests/filesystems/fuse in the kernel
# tree), which tests/Makefile.inc builds into build/selftests, as one stream of TAP:
#
#     tests/uapi/selftests.sh [--list] [--short|--quick] [PATTERN...]
#
# PATTERN selects whole programs by name, as a shell does file names; none is quick. The directory's
# other tests are not run: they are the kernel's, and some need libfuse 2.

set -u
. "$(dirname "$0")/../lib/tap.sh"

bin=$FUSEPASS_TOP/build/selftests
programs=(passthrough_ino_test passthrough_op_test passthrough_tree_test policy_test)

list=
while :; do
	case ${1:-} in
	--list) list=1 ;;
	--quick) programs=() ;;
	--short) ;;
	*) break ;;
	esac
	shift
done
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

for program in "${programs[@]}"; do
	if ! selected "$program"; then
		continue
	elif [ -n "$list" ]; then
		echo "$program"
	elif why=$(listed_skip "$program"); then
		skip "$program" "$why"
	else
		adopt "$program." "$program runs all of its tests" "$bin/$program"
	fi
done
[ -z "$list" ] || exit 0
done_testing
