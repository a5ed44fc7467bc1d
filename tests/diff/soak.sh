#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The differential test in the guest (tests/vm/vmtest.sh): random operations on a native
# file system and on a mount of a second one, which must give the same. Prints TAP.
#
#     tests/diff/soak.sh [RUN...]
#
# A RUN is FS-POLICY with "-churn" or "-procs" behind it: ext4-mirror, xfs-mirror,
# ext4-suffix-churn, ext4-mirror-procs; POLICY none is the server alone. Environment:
#
#   OPS       operations of each run                           (default 3000)
#   SEED      first number of all that is random               (default: the time)
#   CHURN_MS  replace the policy that often                    (default 50; with -churn)
#   PROCS     processes at a time                              (default 8; with -procs)
#   SOAK_ARGS more arguments of build/tests/bin/soak, e.g. "--shrink"
#
# A sequence that differs is kept in $FUSEPASS_RESULTS (build/vm/NAME/share/results), to
# be done again with "--replay".

set -u

# Client and server on one CPU, see demo.sh. Several processes are to run at a time.
case " $* " in
*-procs*) ;;
*) [ -n "${SOAK_PINNED:-}" ] || SOAK_PINNED=1 exec taskset -c "$(($(nproc) - 1))" "$0" "$@" ;;
esac

soak=$FUSEPASS_TOP/build/tests/bin/soak
work=/mnt/soak
results=${FUSEPASS_RESULTS:-/tmp}
size=${SOAK_SIZE:-768M}
. "$(dirname "$0")/../lib/fs.sh"
. "$(dirname "$0")/../lib/tap.sh"

policy_args() {	# POLICY
	case $1 in
	none) ;;
	suffix) echo "--policy suffix -k suffixes=.p" ;;
	*) echo "--policy $1" ;;
	esac
}

# Replaces the policy until it is killed, by turns with another one. If that fails, the
# run has failed: it would have been one without.
churn() {	# POLICY
	local seconds
	printf -v seconds '0.%03d' "${CHURN_MS:-50}"
	while sleep "$seconds" && fusepass policy replace readonly "$work/mnt" >/dev/null &&
	      sleep "$seconds" && fusepass policy replace "$1" "$work/mnt" >/dev/null; do
		:
	done
	touch /tmp/soak.churn-failed
}

# With a clock of a tick, what changes within one tick has the same time.
can_time() {
	! grep -q jiffies /sys/devices/system/clocksource/clocksource0/current_clocksource
}

# Natural differences between file systems are not compared, see soak_look.c.
exactness() {	# FS POLICY VARIANT
	local served= ignore=lease:result,lease:F_GETLEASE
	# There is no request for FIEMAP: the server's files have none. What is written to
	# their mappings changes times when it is written back.
	case $2$3 in
	mirror|mirrorprocs) ;;
	*) served=1; echo "--served"; ignore+=,fiemap:result ;;
	esac
	if [ "$1" = tmpfs ]; then
		echo "--blocks"
	elif [ -z "$served" ] && can_time; then
		echo "--times"
	fi
	# Where there is no reflink, the VFS says so before it looks at the arguments, but
	# a file system that may pass it (overlayfs too) has the method.
	case $1 in ext4|tmpfs) ignore+=,dedupe:result ;; esac
	# A mapping keeps the backing file open, but not the file of the mount, as with
	# overlayfs: leases on the mount do not conflict with mappings of closed files.
	# Setting the ACL that is set already is no change for ext4 if the attribute is in
	# the inode, and one if it is in a block; which of them may differ.
	[ "$1" != ext4 ] || ignore+=,set_acl:changed_times
	echo "--ignore $ignore"
}

soak_args() {	# FS POLICY VARIANT
	echo "--ops ${OPS:-3000} --drop-caches ${SEED:+--seed $SEED} ${SOAK_ARGS:-}"
	[ "$3" != procs ] || echo "--procs ${PROCS:-8}"
	exactness "$@"
}

# In its own words, as comments; the last of them is kept for the test's line.
run_soak() {	# RUN FS POLICY VARIANT
	local args churner= status
	# shellcheck disable=SC2046
	if ! fusepass mount -o dev,suid $(policy_args "$3") "$work/back" "$work/mnt" >/tmp/soak.mount 2>&1; then
		sed 's/^/# /' /tmp/soak.mount
		return 1
	fi
	rm -f /tmp/soak.churn-failed
	[ "$4" != churn ] || { churn "$3" & churner=$!; }
	args=$(soak_args "$2" "$3" "$4")
	# shellcheck disable=SC2086
	"$soak" $args --patience $((60 * ${FUSEPASS_PATIENCE:-2})) --save "$results/$1.ops" \
		"$work/native" "$work/mnt" "$work/back" 2>&1 | tee /tmp/soak.out
	status=${PIPESTATUS[0]}
	[ -z "$churner" ] || kill "$churner" 2>/dev/null
	[ -z "$churner" ] || wait "$churner" 2>/dev/null
	if [ -e /tmp/soak.churn-failed ]; then
		echo "# the policy could not be replaced any more"
		status=1
	fi
	umount "$work/mnt" || status=1
	return "$status"
}

run() {	# RUN
	local fs policy variant why status=0
	IFS=- read -r fs policy variant <<<"$1"
	why=$(missing "$fs" | head -n 1)
	if [ -n "$why" ]; then
		skip "soak_$1" "$why"
		return
	fi
	mkdir -p "$work/mnt"
	if mount_fs "$fs" native /dev/vda && mount_fs "$fs" back /dev/vdb; then
		run_soak "$1" "$fs" "$policy" "${variant:-}" || status=1
	else
		status=1
	fi
	tap "$status" "soak_$1" "$(sed -n '$s/^# //p' /tmp/soak.out)"
	unmount_fs native
	unmount_fs back
}

mkdir -p "$results"
mountpoint -q "$work" || { mkdir -p "$work" && mount -t tmpfs soak "$work"; }
[ $# -gt 0 ] || set -- ext4-mirror
for r; do
	: >/tmp/soak.out
	run "$r"
done
done_testing
