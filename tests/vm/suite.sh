#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The test suite of the guest, run by tests/vmtest.sh; prints one stream of TAP.
#
#     tests/vm/suite.sh [short|quick] [PATTERN...]
#
# PATTERN selects tests by name (as a shell does file names); "short" leaves out the
# long ones, for the debugging kernel, and "quick" takes only those of the policies in
# which most code of the kernel runs. On a kernel without the series only the tests of
# plain_test.sh run: there the server has to be an ordinary FUSE server.

set -u

here=$(cd "$(dirname "$0")" && pwd)
bin=$FUSEPASS_TOP/build/tests/vm
export FUSEPASS_WORK=/mnt/work
export FUSEPASS_PATIENCE=${FUSEPASS_PATIENCE:-${FUSEPASS_DEBUG_KERNEL:+8}}
export FUSEPASS_PATIENCE=${FUSEPASS_PATIENCE:-2}
total=0
failed=0
short=

policies=()

case ${1:-} in
short|--short) short=--short; shift ;;
quick)
	short=--short
	policies=('what_passes*' 'writing*' 'names_*' '*verdict_out*' 'hidden*' 'created*'
		'direct_change*' 'rename*' 'working*' 'kernel_made*' 'second_name*' 'open_unlinked*'
		'other_users*' 'mount_point*' 'file_open*' 'pinned*' 'link_detach*' 'replace_j*'
		'reads_of*' 'unmount*' 'lazy*' 'backing_id*' 'entries_of*' 'fdinfo*')
	shift
	;;
esac

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

# Numbers the tests of all programs in one row. A program that ends before its plan, or
# fails without a failed test, is a failed test itself.
run() {	# PROGRAM ARGUMENT...
	local name status count
	name=$(basename "$1")
	: >/tmp/plan
	"$@" 2>&1 | awk -v n="$total" '
		/^(not )?ok [0-9]+/ { sub(/ok [0-9]+/, "ok " ++n); bad += /^not ok/ }
		/^1\.\.[0-9]+/ { plan = 1; next }
		{ print; fflush() }
		END { print n + 0, bad + 0, plan + 0 > "/tmp/plan" }'
	status=${PIPESTATUS[0]}
	read -r count bad plan </tmp/plan
	total=$count
	if [ "$bad" -gt 0 ]; then
		failed=1
	elif [ "$status" -ne 0 ] || [ "$plan" -eq 0 ]; then
		total=$((total + 1))
		echo "not ok $total - $name ends with a plan and status 0 # status $status"
		failed=1
	fi
}

if ! make_work; then
	echo "Bail out! no file system to work on"
	exit 1
fi
if grep -q fuse_policy_ops /sys/kernel/btf/vmlinux; then
	run "$bin/raw_test" $short "$@"
	run "$bin/file_test" $short "$@"
	run "$bin/verifier_test" $short "$@"
	run "$bin/policy_test" $short "${policies[@]}" "$@"
	run "$bin/tree_test" $short "$@"
	run "$bin/fault_test" $short "$@"
	if [ ${#policies[@]} -eq 0 ]; then
		run "$bin/security_test" $short "$@"
		run "$here/cli_test.sh" $short "$@"
		# Many processes, of which each takes long there.
		run "$here/bits_test.sh" ${short:-${FUSEPASS_DEBUG_KERNEL:+--short}} "$@"
		run "$here/selftests.sh" $short "$@"
	fi
	# A short run of the random operations, always the same ones; see make soak.
	[ $# -gt 0 ] || [ -n "$short" ] || SEED=31 OPS=5000 run "$here/soak.sh" ext4-mirror tmpfs-mirror
	if [ -z "$short" ]; then
		run "$here/workload.sh" "$@"
		run "$here/scale.sh" "$@"
	fi
else
	run "$here/plain_test.sh" $short "$@"
fi
echo "1..$total"
exit $failed
