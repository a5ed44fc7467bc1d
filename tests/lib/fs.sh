# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# File systems of all kinds to test on, in the guest; for soak.sh and conc.sh. Whoever
# sources it sets
#
#     work   directory in which they are mounted
#     size   how large they are, e.g. 768M

# Directories are laid out by a hash of the names, which has to be the same one.
fs_uuid=5d1c8f5e-20c4-4b55-9a6e-6c0f2f3c7a11

# The guest's disks, as far as nobody uses them, else files in memory.
device_for() {	# NAME DISK
	if [ -b "$2" ] && ! grep -q "^$2 " /proc/mounts; then
		echo "$2"
		return
	fi
	rm -f "/tmp/fs.$1"
	truncate -s "$size" "/tmp/fs.$1"
	losetup -f --show "/tmp/fs.$1"
}

make_fs() {	# FS DEVICE
	case $1 in
	ext4) mke2fs -q -F -t ext4 -U $fs_uuid -E hash_seed=$fs_uuid "$2" "$size" ;;
	xfs) mkfs.xfs -q -f -d "size=$size" "$2" ;;
	btrfs) mkfs.btrfs -q -f -b "$size" "$2" ;;
	esac >/tmp/mkfs.out 2>&1 && return
	sed 's/^/# /' /tmp/mkfs.out
	return 1
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

# Its own check says that it is whole; what it says else is printed.
check_fs() {	# FS DEVICE
	case $1 in
	tmpfs) ;;
	ext4) e2fsck -fn "$2" ;;
	xfs) xfs_repair -n "$2" ;;
	btrfs) btrfs check --readonly "$2" ;;
	esac >/tmp/fsck.out 2>&1 && return
	sed 's/^/# /' /tmp/fsck.out
	return 1
}

# With a second argument, the file system is checked.
unmount_fs() {	# NAME [FS]
	local dev status=0
	dev=$(findmnt -n -o SOURCE "$work/$1")
	umount "$work/$1" || status=1
	[ -z "${2:-}" ] || [ "$status" -ne 0 ] || check_fs "$2" "$dev" || status=1
	case $dev in /dev/loop*) losetup -d "$dev" ;; esac
	rm -f "/tmp/fs.$1"
	return "$status"
}
