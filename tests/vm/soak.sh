#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The differential test in the guest (tests/vmtest.sh): random operations on a native
# file system and on a mount of a second one, which must give the same. Prints TAP.
#
#     tests/vm/soak.sh [RUN...]
#
# A RUN is FS-POLICY with "-churn" or "-procs" behind it: ext4-mirror, xfs-mirror,
# ext4-suffix-churn, ext4-mirror-procs; POLICY none is the server alone. Environment:
#
#   OPS       operations of each run                           (default 3000)
#   SEED      first number of all that is random               (default: the time)
#   CHURN_MS  replace the policy that often                    (default 50; with -churn)
#   PROCS     processes at a time                              (default 8; with -procs)
#   SOAK_ARGS more arguments of build/tests/vm/soak, e.g. "--shrink"
#
# A sequence that differs is kept in $FUSEPASS_RESULTS (build/vm/NAME/share/results), to
# be done again with "--replay".

set -u

# Client and server on one CPU, see demo.sh. Several processes are to run at a time.
case " $* " in
*-procs*) ;;
*) [ -n "${SOAK_PINNED:-}" ] || SOAK_PINNED=1 exec taskset -c "$(($(nproc) - 1))" "$0" "$@" ;;
esac

soak=$FUSEPASS_TOP/build/tests/vm/soak
work=/mnt/soak
results=${FUSEPASS_RESULTS:-/tmp}
# Directories are laid out by a hash of the names, which has to be the same one.
uuid=5d1c8f5e-20c4-4b55-9a6e-6c0f2f3c7a11
size=${SOAK_SIZE:-768M}

# The guest's disks, as far as nobody uses them, else files in memory.
device_for() {	# NAME DISK
	if [ -b "$2" ] && ! grep -q "^$2 " /proc/mounts; then
		echo "$2"
		return
	fi
	rm -f "/tmp/soak.$1"
	truncate -s "$size" "/tmp/soak.$1"
	losetup -f --show "/tmp/soak.$1"
}

make_fs() {	# FS DEVICE
	case $1 in
	ext4) mke2fs -q -F -t ext4 -U $uuid -E hash_seed=$uuid "$2" "$size" ;;
	xfs) mkfs.xfs -q -f -d "size=$size" "$2" ;;
	btrfs) mkfs.btrfs -q -f -b "$size" "$2" ;;
	esac
}

# Why this file system cannot be tested here; nothing if it can.
missing() {	# FS
	grep -qw "$1" /proc/filesystems || echo "the kernel has no $1"
	case $1 in
	tmpfs) ;;
	ext4) command -v mke2fs >/dev/null || echo "no mke2fs" ;;
	*) command -v "mkfs.$1" >/dev/null || echo "no mkfs.$1" ;;
	esac
}

mount_fs() {	# FS NAME DISK
	local dev
	mkdir -p "$work/$2"
	if [ "$1" = tmpfs ]; then
		mount -t tmpfs -o "size=$size" "$2" "$work/$2"
		return
	fi
	dev=$(device_for "$2" "$3") || return
	make_fs "$1" "$dev" && mount -t "$1" "$dev" "$work/$2"
}

unmount_fs() {	# NAME
	local dev
	dev=$(findmnt -n -o SOURCE "$work/$1")
	umount "$work/$1"
	case $dev in /dev/loop*) losetup -d "$dev" ;; esac
	rm -f "/tmp/soak.$1"
}

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

# What file systems differ in by nature is not compared, see soak_look.c.
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

run() {	# NUMBER RUN
	local fs policy variant why status=0
	IFS=- read -r fs policy variant <<<"$2"
	why=$(missing "$fs" | head -n 1)
	if [ -n "$why" ]; then
		echo "ok $1 - soak_$2 # SKIP $why"
		return
	fi
	mkdir -p "$work/mnt"
	if mount_fs "$fs" native /dev/vda && mount_fs "$fs" back /dev/vdb; then
		run_soak "$2" "$fs" "$policy" "${variant:-}" || status=1
	else
		status=1
	fi
	[ "$status" -eq 0 ] && printf ok || printf 'not ok'
	echo " $1 - soak_$2 # $(sed -n '$s/^# //p' /tmp/soak.out)"
	unmount_fs native
	unmount_fs back
	return "$status"
}

mkdir -p "$results"
mountpoint -q "$work" || { mkdir -p "$work" && mount -t tmpfs soak "$work"; }
status=0
n=0
[ $# -gt 0 ] || set -- ext4-mirror
for r; do
	n=$((n + 1))
	: >/tmp/soak.out
	run $n "$r" || status=1
done
echo "1..$n"
exit $status
