#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# FUSE as a module: it goes when nothing uses it, and not before, with all that policies
# have registered, and is the same after it was loaded again. VM_MODULES is its file, which
# tests/vm/init has loaded.

. "$(dirname "$0")/../lib/cases.sh"

connections=/sys/fs/fuse/connections

is_loaded() {
	[ -d /sys/module/fuse ]
}

# Mounts of earlier cases may be on their way out still.
remove_module() {
	local i
	for i in $(seq $((50 * FUSEPASS_PATIENCE))); do
		rmmod fuse 2>/dev/null && return
		sleep 0.1
	done
	fail "the module is in use: $(lsmod | grep '^fuse ')"
}

load_module() {
	works insmod "$VM_MODULES"
	works mount -t fusectl fusectl $connections
}

test_types_are_those_of_the_module() {
	is_loaded || fail "FUSE is no module"
	[ -r /sys/kernel/btf/fuse ] || fail "the module has no types"
	! grep -q fuse_policy_ops /sys/kernel/btf/vmlinux || fail "the types are the kernel's"
	contains fusepass doctor -- "struct fuse_policy_ops is there"
}

test_attached_policy_holds_the_module() {
	works fusepass mount --policy mirror src mnt
	same_as_native
	umount $connections
	! rmmod fuse 2>/dev/null || fail "removed in spite of a mount"
	works mount -t fusectl fusectl $connections
	reset_counts
	same_as_native
	expect_asked_0 "after the attempt"
}

# The link is all that is left after the mount, and its program is called by the module.
test_link_of_a_mount_that_is_gone_holds_the_module() {
	works fusepass mount src mnt
	works fusepass policy attach mirror mnt
	local pin=/sys/fs/bpf/module_test
	works bpftool link pin id "$(bpftool -j link list | python3 -c '
		import json, sys
		print([l["id"] for l in json.load(sys.stdin) if l["type"] == "struct_ops"][-1])' |
		tail -n 1)" $pin
	works umount mnt
	umount $connections
	local status=0
	rmmod fuse 2>/dev/null || status=$?
	rm -f $pin
	works mount -t fusectl fusectl $connections
	[ "$status" -ne 0 ] || fail "removed in spite of a link"
}

test_removed_module_works_when_loaded_again() {
	umount $connections
	remove_module
	! is_loaded || fail "still there"
	[ ! -e /sys/kernel/btf/fuse ] || fail "its types are still there"
	load_module
	works fusepass mount --policy mirror src mnt
	same_as_native
	reset_counts
	same_as_native
	expect_asked_0 "with the module loaded again"
}

# Names and inodes that were passed, and open files of them, go with the mount.
test_mounts_leave_nothing_behind() {
	local round
	for round in 1 2 3; do
		works fusepass mount --policy mirror src mnt
		same_as_native
		works umount mnt
		umount $connections
		remove_module
		load_module
	done
}

cases_are=quick
cases_run "$@"
