#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The test suite of the guest, run by vmtest.sh; prints one stream of TAP.
#
#     tests/vm/suite.sh [--list] [short|quick|race|plain] [PATTERN...]
#
# PATTERN selects tests by name (as a shell does file names); one that selects none is a
# failed test. Groups, which tests say of themselves (T_LONG and T_QUICK in harness.h,
# cases_are in cases.sh):
#
#   short   without the long ones, for the debugging kernel
#   quick   the short ones that go through most code of the kernel
#   race    two processes at the same names at the same moment, else only run by a pattern
#   plain   the server as an ordinary FUSE server: all there is on a kernel without the series
#
# --list prints the names of the selected tests, on any machine.

set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
bin=$top/build/tests/bin
export FUSEPASS_TOP=$top
export FUSEPASS_WORK=/mnt/work
export FUSEPASS_PATIENCE=${FUSEPASS_PATIENCE:-${FUSEPASS_DEBUG_KERNEL:+8}}
export FUSEPASS_PATIENCE=${FUSEPASS_PATIENCE:-2}
. "$top/tests/lib/tap.sh"
list=
group=
[ ! -e /dev/fusepass ] || export FUSEPASS_SKIPS=$top/tests/distro/skips

# A file system that FUSE may be stacked on: the guest's root is 9p.
make_work() {
	mkdir -p "$FUSEPASS_WORK"
	mountpoint -q "$FUSEPASS_WORK" && return
	if [ ! -b /dev/vda ]; then
		truncate -s 512M /tmp/work.img
		mke2fs -q -t ext4 /tmp/work.img && mount -o loop /tmp/work.img "$FUSEPASS_WORK"
	else
		mke2fs -q -F -t ext4 /dev/vda && mount /dev/vda "$FUSEPASS_WORK"
	fi
}

# The tests of all programs are numbered in one row.
run() {	# PROGRAM ARGUMENT...
	local name=${1##*/}
	if [ -n "$list" ]; then
		"$1" --list "${@:2}"
	else
		adopt '' "$name ends with a plan and status 0" "$@"
	fi
}

# Random operations, always the same ones; see make soak.
run_soak() {	# PATTERN...
	local run runs=() p
	for run in ext4-mirror tmpfs-mirror; do
		[ $# -gt 0 ] || runs+=("$run")
		for p; do
			# shellcheck disable=SC2053
			[[ soak_$run != $p ]] || runs+=("$run")
		done
	done
	[ ${#runs[@]} -gt 0 ] || return 0
	if [ -n "$list" ]; then
		printf 'soak_%s\n' "${runs[@]}"
	else
		SEED=31 OPS=5000 run "$top/tests/diff/soak.sh" "${runs[@]}"
	fi
}

run_plain() {	# PATTERN...
	run "$top/tests/uapi/plain_test.sh" "$@"
}

# Processes that wait for each other on two CPUs: nothing else may run beside them.
run_race() {	# PATTERN...
	run "$bin/race_test" "$@"
}

run_all() {	# PATTERN...
	local t option=${group:+--$group}
	for t in raw file verifier attach lookup staged hiding coherence lifetime late status tree fault verdict; do
		run "$bin/${t}_test" $option "$@"
	done
	[ -z "${VM_MODULES:-}" ] || run "$top/tests/policy/module_test.sh" $option "$@"
	for t in security native beneath lock; do
		run "$bin/${t}_test" $option "$@"
	done
	run "$top/tests/policy/cli_test.sh" $option "$@"
	run "$top/tests/policy/mount_test.sh" $option "$@"
	run "$top/tests/policy/rules_test.sh" $option "$@"
	run "$top/tests/policy/kit_test.sh" $option "$@"
	run "$top/tests/policy/watch_test.sh" $option "$@"
	run "$top/tests/policy/explain_test.sh" $option "$@"
	run "$top/tests/policy/foreign_test.sh" $option "$@"
	run "$top/tests/policy/run_test.sh" $option "$@"
	run "$top/tests/policy/debugging_test.sh" $option "$@"
	run "$top/tests/policy/transcript_test.sh" $option "$@"
	# Many processes, of which each takes long there.
	run "$top/tests/uapi/bits_test.sh" ${option:-${FUSEPASS_DEBUG_KERNEL:+--short}} "$@"
	run "$top/tests/uapi/selftests.sh" $option "$@"
	[ -n "$group" ] || run_soak "$@"
	run "$top/tests/policy/workload.sh" $option "$@"
	run "$top/tests/policy/scale.sh" $option "$@"
	[ $# -eq 0 ] || [ -n "$group" ] || run_race "$@"
}

[ "${1:-}" != --list ] || { list=1; shift; }
case ${1:-} in short|quick|race|plain) group=$1; shift ;; esac
if [ -z "$list" ]; then
	if ! make_work; then
		echo "Bail out! no file system to work on"
		exit 1
	fi
	# Tests of simultaneous operations need more than one CPU.
	if [ "$(nproc)" -lt 2 ]; then
		echo "Bail out! the guest has one CPU"
		exit 1
	fi
	grep -qs fuse_policy_ops /sys/kernel/btf/* || group=plain
fi
case $group in
plain) run_plain "$@" ;;
race) run_race "$@" ;;
*) run_all "$@" ;;
esac
[ -z "$list" ] || exit 0
[ "$tap_n" -gt 0 ] || tap 1 "a test is selected by: $*"
done_testing
